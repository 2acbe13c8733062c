"""`oriole run` as a process, for tests: started on a free port, waited for, stopped by its pid."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WAIT_S = 60


def ended(process: subprocess.Popen[Any]) -> None:
    """What a test that failed has left running ends with the tests."""
    if process.poll() is None:
        process.kill()
        process.wait(WAIT_S)


class Service:
    """A running server. `logged` holds its log lines, by event."""

    def __init__(self, data: Path, *more: str, clock: str = "events", **environment: str) -> None:
        command = [sys.executable, "-m", "detector", "run", "--data", str(data), "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--clock", clock, *more], cwd=ROOT, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, env=os.environ | environment,
        )  # fmt: skip
        atexit.register(ended, self.process)
        self.logged: dict[str, dict[str, Any]] = {}
        self.counted: Counter[str] = Counter()  # how often each event was logged
        self._heard = threading.Condition()
        self.lines: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._listening.wait(WAIT_S)
        if "listening" not in self.logged:
            raise RuntimeError(f"it ended with {self._end()}: {self.lines}")
        self.port = int(self.logged["listening"]["url"].rpartition(":")[2])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.decode())
            if line.startswith(b"{"):
                told = json.loads(line)
                with self._heard:
                    self.logged[told["event"]] = told
                    self.counted[told["event"]] += 1
                    self._heard.notify_all()
            if "listening" in self.logged:
                self._listening.set()
        self._listening.set()

    def until(self, event: str, count: int = 1) -> dict[str, Any]:
        """Wait until an event was logged so often; its latest line."""
        with self._heard:
            assert self._heard.wait_for(lambda: self.counted[event] >= count, WAIT_S), self.lines
            return self.logged[event]

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """(status, JSON or bytes) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request(
                "GET" if body is None else "POST", path, body, {"Accept-Language": "en"} | headers
            )
            answer = connection.getresponse()
            data = answer.read()
            kind = answer.getheader("Content-Type", "")
            return answer.status, json.loads(data) if "json" in kind else data
        finally:
            connection.close()

    def post(self, body: bytes) -> dict[str, Any]:
        """Send events that must be answered."""
        status, told = self.ask("/api/v1/events", body)
        assert status == 200, told
        return told

    def kill(self) -> None:
        """As a power cut does, the disk's cache aside."""
        self.process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self) -> int:
        """As an administrator does; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code

    def rss(self) -> int:
        """Bytes of memory that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


class Pipeline:
    """One connection with several requests in flight, answered in order."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self._buffer = b""

    def send(self, body: bytes) -> None:
        """Send one body of events; its answer comes later."""
        head = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
        self.socket.sendall(head % len(body) + body)

    def answer(self) -> tuple[int, Any]:
        """The next answer. Raises `ConnectionError` where the server has gone."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        names = (line.lower().partition(b":") for line in lines[1:])
        length = next(int(value) for name, _, value in names if name == b"content-length")
        self._buffer = rest
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return int(lines[0].split()[1]), json.loads(body)

    def _more(self) -> None:
        part = self.socket.recv(1 << 16)
        if not part:
            raise ConnectionError("the server has gone")
        self._buffer += part

    def close(self) -> None:
        """Let go of it."""
        self.socket.close()
