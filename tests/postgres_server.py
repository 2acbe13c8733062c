"""A PostgreSQL of its own for tests and benches: started on a free port, stopped by its pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import psycopg

WAIT_S = 60
SAID = "database system is ready to accept connections"


def programs() -> Path | None:
    """Where PostgreSQL's own programs are; None where it is not installed."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    places += [Path(found).parent] if found else []
    return next((place for place in places if (place / "initdb").exists()), None)


class Postgres:
    """A running server over a fresh folder. As root it runs as `nobody`: it refuses root. One that
    is not `durable` survives the end of its processes, not that of the machine."""

    def __init__(self, durable: bool = False) -> None:
        here = programs()
        assert here is not None
        self._folder, self._made = Path(tempfile.mkdtemp(prefix="oriole-postgres-")), 0
        self._whose: dict[str, Any] = {"cwd": self._folder}
        if os.geteuid() == 0:
            self._whose |= {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self._folder, "nobody", "nogroup")
        data = ["-D", str(self._folder / "data")]
        how = ["-U", "oriole", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        command = [str(here / "initdb"), *data, *how]
        subprocess.run(command, check=True, capture_output=True, **self._whose)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        how = ["-p", str(self.port), "-k", str(self._folder), "-c", "listen_addresses=127.0.0.1"]
        how += [] if durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]
        self.process = subprocess.Popen(
            [str(here / "postgres"), *data, *how], text=True, stderr=subprocess.PIPE, **self._whose
        )
        assert self.process.stderr is not None
        if not any(SAID in line for line in self.process.stderr):
            raise RuntimeError(f"it ended with {self.process.wait(WAIT_S)}")
        self._reader = threading.Thread(target=self.process.stderr.read, daemon=True)
        self._reader.start()

    def address(self, database: str = "postgres") -> str:
        """A connection string."""
        return f"host=127.0.0.1 port={self.port} user=oriole dbname={database}"

    def database(self, template: str = "template1", more: str = "") -> str:
        """The name of a fresh database, a copy of another."""
        self._made += 1
        name = f"d{self._made}"
        with psycopg.connect(self.address(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} {more}")
        return name

    def stop(self) -> None:
        """End it at once, its connections too, and leave nothing behind."""
        self.process.send_signal(signal.SIGQUIT)  # without a last checkpoint of what is thrown away
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        assert self.process.stderr is not None
        self.process.stderr.close()
        shutil.rmtree(self._folder)
