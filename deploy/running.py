"""A process that is waited for by what it says, and ended by its own pid."""

from __future__ import annotations

import atexit
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import Any
from uuid import uuid4

WAIT_S = 120
TAIL_LINES = 20
PORTS = range(20_000, 32_000)


def free_port() -> int:
    """A port of loopback that nobody has, below those that the system lends to clients: one that
    knocks while its server is down can be lent this very port, and would keep the server out."""
    for port in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("no port of loopback is free")


def fresh_folder(name: str) -> Path:
    """A path among the temporary ones that nobody has; whoever starts there makes the folder."""
    return Path(tempfile.gettempdir()) / f"oriole-{name}-{uuid4().hex[:12]}"


class Ended(RuntimeError):
    """A process that went before it was ready, or was not ready in time."""


class Running:
    """A process whose output is added to a file, `log`. It is ready once a line matches `said`. In
    a group of its own: an interrupt at the terminal reaches whoever started it, and he ends it."""

    def __init__(self, name: str, command: list[str], said: str, log: Path, **how: Any) -> None:
        self.name, self._said, self._log = name, re.compile(said), log
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._ready, self._silent, self._told = False, False, threading.Event()
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", process_group=0, **how,
        )  # fmt: skip
        atexit.register(self.kill)  # what nobody has ended ends with whoever started it
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines, self._log.open("a", encoding="utf-8") as log:
            for line in lines:
                log.write(line)
                log.flush()
                self.tail.append(line)
                if not self._ready and self._said.search(line):
                    self._ready = True
                    self._told.set()
        self._silent = True
        self._told.set()

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def wait_ready(self) -> None:
        """Raises `Ended` with its last lines."""
        self._told.wait(WAIT_S)
        if not self._ready:
            raise self.ended()

    def wait_end(self) -> int | None:
        """The exit code; None where it is not over in time."""
        try:
            return self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            return None

    def ended(self) -> Ended:
        """How it failed: ended, or, if it lives, too slow; then it is killed."""
        code = self.wait_end() if self._silent else self.process.poll()
        self.kill()
        how = f"took more than {WAIT_S} s" if code is None else f"ended with {code}"
        return Ended(f"{self.name} {how}\n{''.join(self.tail)}")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and wait; its exit code. Raises `TimeoutExpired` where it had to be
        killed."""
        if self.alive:
            self.process.send_signal(by)
        try:
            self.process.wait(WAIT_S)
        finally:
            self.kill()
        return self.process.returncode

    def kill(self) -> None:
        """End it as the end of the power would; processes of its own are gone, too, afterwards."""
        atexit.unregister(self.kill)
        if self.alive:
            self.process.kill()
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)  # their common output has ended
