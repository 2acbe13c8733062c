"""A gateway as a process: it writes its port, and each message that it got, a JSON line each."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

WAIT_S = 20


class Gateway:
    """One process; `.url`, `.received()`, `.behave(...)`, `.stop()`."""

    def __init__(self, script: str, *arguments: str) -> None:
        command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._got: list[dict[str, Any]] = []
        self._news = threading.Condition()
        assert self.process.stdout is not None
        self.port = int(json.loads(self.process.stdout.readline())["port"])
        self.url = f"http://127.0.0.1:{self.port}"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self._got.append(json.loads(line))
                self._news.notify_all()

    def received(self) -> list[dict[str, Any]]:
        """What has come so far."""
        with self._news:
            return list(self._got)

    def until(self, condition: Callable[[list[dict[str, Any]]], bool], wait_s: float = WAIT_S):
        """Wait until what has come makes this true."""
        with self._news:
            assert self._news.wait_for(lambda: condition(self._got), wait_s), self._got[-3:]
            return list(self._got)

    def behave(self, *plan: str, to: str = "") -> None:
        """What it does with the next requests, or those for one number, one after the other; then
        it is good again."""
        data = json.dumps({"to": to, "plan": plan}).encode()
        urllib.request.urlopen(f"{self.url}/_behave", data, timeout=WAIT_S).close()

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
