"""Kafka, Redis and PostgreSQL from what is installed here, without containers: for tests, benches
and `make stack`. Each listens on loopback only, is ready when `start` returns, and comes back on
the same folder and port after `kill`. As root they run as `nobody`: PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from deploy.running import Running, free_port, fresh_folder

ROOT = Path(__file__).resolve().parents[1]
JARS = ROOT / ".cache" / "kafka"
NOBODY = {"user": "nobody", "group": "nogroup", "extra_groups": []}
MESSAGE_BYTES_MAX = 64 << 20


def missing() -> list[str]:
    """What is not installed, each with how to install it."""
    return [*Kafka.missing(), *Redis.missing(), *Postgres.missing()]


def programs() -> Path | None:
    """Where PostgreSQL's own programs are; None where it is not installed."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    places += [Path(found).parent] if found else []
    return next((place for place in places if (place / "initdb").exists()), None)


def within_reach(path: Path) -> bool:
    """Whether any user may go through all folders above it."""
    return all(one.stat().st_mode & 0o001 for one in path.parents)


class Server:
    """One server over a folder: a fresh one, gone after `stop`, or a given one, which is kept. Port
    0 is a free one; it stays the same over `restart`. A server that was stopped can start again."""

    name, said = "", ""
    ends_by = signal.SIGTERM

    def __init__(self, folder: Path | None = None, port: int = 0) -> None:
        self._kept = folder is not None
        self.folder = (folder or fresh_folder(self.name)).absolute()
        self.port = port or free_port()
        self._whose: dict[str, Any] = {"cwd": self.folder}
        if os.geteuid() == 0:
            self._whose |= NOBODY
        self._running: Running | None = None

    @staticmethod
    def missing() -> list[str]:
        """What this server needs that is not installed, each with how to install it."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make of an empty folder what the server expects; leave one that was used as it is."""

    def command(self) -> list[str]:
        """What runs it."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._running is not None, f"{self.name} does not run"
        return self._running.process.pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._running is not None and self._running.alive

    @property
    def last_lines(self) -> str:
        """The end of its log."""
        return "" if self._running is None else "".join(self._running.tail)

    def start(self) -> None:
        """Returns when it can be used. Raises `RuntimeError`: what is missing, or its last
        lines."""
        assert not self.alive, f"{self.name} runs already"
        try:
            if told := self.missing():
                raise RuntimeError("; ".join(told))
            self._own_folder()
            self.prepare()
            log = self.folder / "log"
            log.unlink(missing_ok=True)
            self._running = Running(self.name, self.command(), self.said, log, **self._whose)
            self._running.wait_ready()
        except BaseException:
            self.stop()
            raise

    def _own_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
            if not within_reach(self.folder):
                raise RuntimeError(
                    f"{self.folder}: {self.name} runs as nobody, to whom a folder above this one is"
                    " closed: choose another place, or chmod o+x"
                )

    def stop(self) -> None:
        """End it as it wishes to be ended. A fresh folder goes, a given one stays."""
        try:
            self._end()
        finally:
            if not self._kept:
                shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            running.stop(self.ends_by)

    def kill(self) -> None:
        """SIGKILL; the folder stays, for `start` or `restart`."""
        if self._running is not None:
            running, self._running = self._running, None
            running.kill()

    def restart(self) -> None:
        """Run it anew, whether it runs or was killed."""
        self._end()
        self.start()

    def _do(self, command: list[str]) -> None:
        """Run a program to its end, as the server's user. Raises `RuntimeError` with its words."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._whose)
        if done.returncode:
            words = (done.stdout + done.stderr)[-2_000:]
            raise RuntimeError(f"{command[0]} ended with {done.returncode}: {words}")


class Kafka(Server):
    """One node of KRaft, broker and controller in one."""

    name, said = "kafka", "Kafka Server started"

    def __init__(self, folder: Path | None = None, port: int = 0) -> None:
        super().__init__(folder, port)
        self._controller = free_port()

    @staticmethod
    def missing() -> list[str]:
        told = []
        if shutil.which("java") is None:
            told.append("Java is not installed: apt-get install openjdk-17-jre-headless")
        if not any(JARS.glob("kafka_*.jar")):
            told.append("Kafka is not in .cache/kafka: apt-get install maven && make services")
        return told

    @property
    def address(self) -> str:
        """What a client is given as its bootstrap server."""
        return f"127.0.0.1:{self.port}"

    def prepare(self) -> None:
        text = "".join(f"{key}={value}\n" for key, value in self._properties().items())
        file = self.folder / "server.properties"
        file.write_text(text, "utf-8")
        file.chmod(0o644)
        if not (self.folder / "data" / "meta.properties").exists():
            cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
            java = self._java("-XX:TieredStopAtLevel=1")  # over before it could be compiled well
            tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
            self._do([*java, *tool, "-c", file.name])  # an id may begin with a dash

    def command(self) -> list[str]:
        return [*self._java("-Xmx512m"), "kafka.Kafka", "server.properties"]

    def _java(self, *options: str) -> list[str]:
        """Java over the jars; it writes nothing outside the folder."""
        inside = ["-XX:-UsePerfData", f"-Djava.io.tmpdir={self.folder}"]
        return ["java", *options, *inside, "-cp", f"{self._jars()}/*"]

    def _jars(self) -> Path:
        """Where its user can read them: a copy, where the clone is closed to others."""
        readable = (one.stat().st_mode & 0o004 for one in (JARS, *JARS.glob("*.jar")))
        if os.geteuid() != 0 or (within_reach(JARS / "any") and all(readable)):
            return JARS
        mine = self.folder / "jars"
        shutil.rmtree(mine, ignore_errors=True)
        shutil.copytree(JARS, mine)
        for one in (mine, *mine.iterdir()):
            shutil.chown(one, "nobody", "nogroup")
        return mine

    def _properties(self) -> dict[str, object]:
        mine, peer = f"PLAINTEXT://{self.address}", f"127.0.0.1:{self._controller}"
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{peer}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"{mine},CONTROLLER://{peer}",
            "advertised.listeners": mine,
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            "message.max.bytes": MESSAGE_BYTES_MAX,
            "replica.fetch.max.bytes": MESSAGE_BYTES_MAX,
            "log.message.timestamp.type": "LogAppendTime",
            "offsets.topic.num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            # One that was killed comes back only when its last self is taken for dead.
            "broker.session.timeout.ms": 3_000,
            "broker.heartbeat.interval.ms": 500,
            "transaction.state.log.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1_000,
        }


class Redis(Server):
    """What it answers it has written before, unsynced: it survives its own end, not the
    machine's."""

    name, said = "redis", "Ready to accept connections"

    @staticmethod
    def missing() -> list[str]:
        if shutil.which("redis-server") is None:
            return ["Redis is not installed: apt-get install redis-server"]
        return []

    @property
    def address(self) -> str:
        """The URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        how = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": "",
               "appendonly": "yes", "appendfsync": "no"}  # fmt: skip
        return ["redis-server", *(word for key in how for word in (f"--{key}", str(how[key])))]


class Postgres(Server):
    """One that is not `durable` survives the end of its processes, not that of the machine."""

    name, said = "postgres", "database system is ready to accept connections"
    ends_by = signal.SIGINT  # by SIGTERM it would wait for its clients to go

    def __init__(self, folder: Path | None = None, port: int = 0, durable: bool = False) -> None:
        super().__init__(folder, port)
        self._durable = durable

    @staticmethod
    def missing() -> list[str]:
        if programs() is None:
            return ["PostgreSQL is not installed: apt-get install postgresql"]
        return []

    def prepare(self) -> None:
        if not (self.folder / "data").exists():
            half = self.folder / "half"
            shutil.rmtree(half, ignore_errors=True)
            how = ["-U", "oriole", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
            self._do([self._program("initdb"), "-D", str(half), *how])
            half.rename(self.folder / "data")

    def command(self) -> list[str]:
        how = {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        if not self._durable:
            how |= {"fsync": "off", "full_page_writes": "off"}
        told = (word for key in how for word in ("-c", f"{key}={how[key]}"))
        return [self._program("postgres"), "-D", "data", "-p", str(self.port), *told]

    def _program(self, name: str) -> str:
        here = programs()
        assert here is not None, "see `missing`"
        return str(here / name)

    def address(self, database: str = "postgres") -> str:
        """A connection string."""
        return f"postgresql://oriole@127.0.0.1:{self.port}/{database}"

    def database(self, template: str = "template1", more: str = "") -> str:
        """The name of a fresh database, a copy of another."""
        name = f"d{uuid4().hex}"
        with psycopg.connect(self.address(), autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} {more}")
        return name
