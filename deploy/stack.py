"""The cluster on one machine, without containers: `python -m deploy.stack`.

Kafka, Redis and PostgreSQL over one data folder, then the product's own commands as child
processes, in the order and with the environment that compose gives them. An interrupt ends all of
it, last started first.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from deploy.running import WAIT_S, Running, free_port, fresh_folder
from deploy.servers import ROOT, Kafka, Postgres, Redis, Server, missing

COUNTY = ROOT / "examples" / "county"
CHILDREN = ("case-1", "case-2", "operator", "department", "serve", "deliver")
LAST = ("serve", "deliver")  # each wants those before it to be ready
READY = r"\b(ready|listening|delivering)\b"  # one of these words in a line of the log
PARTS = ("kafka", "redis", "postgres", "oriole", "logs")  # what a data folder holds
CASES, OPERATORS = 4, 2  # shards
LOOK_S, WATCH_S = 0.05, 1.0
AGAIN_MAX, FORGETS = 10, 0.99  # children started anew before we give up; what is left each second
EVENT = (
    '{"event_id":"e1","case_id":"c1","action":"accept","item":"permit","department":"D01",'
    '"operator":"P0101","occurred_at":"2026-03-02T09:00:00+08:00",'
    '"recorded_at":"2026-03-02T09:00:00+08:00"}'
)


class Child:
    """`oriole` with some words, as a process. Its log goes on over restarts. One with a `port` is
    ready when `GET /readyz` answers 200 there, others when their log says so."""

    def __init__(
        self, name: str, words: Sequence[str], log: Path, place: dict[str, str], port: int = 0
    ) -> None:
        self.name, self.words, self.log, self.port = name, list(words), log, port
        self._place = place
        self._running: Running | None = None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._running is not None and self._running.alive

    @property
    def _latest(self) -> Running:
        assert self._running is not None, f"{self.name} was never started"
        return self._running

    @property
    def pid(self) -> int:
        """Of its latest process."""
        return self._latest.process.pid

    @property
    def last_lines(self) -> str:
        """The end of its log."""
        return "".join(self._latest.tail)

    def launch(self) -> None:
        """Start it; `wait_ready` or `finish` is next."""
        assert not self.alive, f"{self.name} runs already"
        command = [sys.executable, "-m", "detector", *self.words]
        environment = os.environ | self._place
        self._running = Running(self.name, command, READY, self.log, cwd=ROOT, env=environment)

    def wait_ready(self) -> None:
        """Raises `Ended`: its name, and the last lines of its log."""
        if not self.port:
            self._latest.wait_ready()
            return
        until = time.monotonic() + WAIT_S
        while not self._answers():
            if not self.alive or time.monotonic() > until:
                raise self._latest.ended()
            time.sleep(LOOK_S)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def finish(self) -> None:
        """Wait for its good end. Raises `Ended`: its name, and the last lines of its log."""
        if self._latest.wait_end() != 0:
            raise self._latest.ended()

    def stop(self) -> int:
        """As an administrator does; its exit code."""
        return 0 if self._running is None else self._running.stop()

    def kill(self) -> None:
        """As the end of the power would."""
        self._latest.kill()

    def restart(self) -> None:
        """Run it anew, whether it runs or was killed, until it is ready."""
        self.stop()
        self.launch()
        self.wait_ready()


class Stack:
    """Servers, and children by their names, over a data folder: a given one, which is kept, or a
    fresh one, which goes with `stop`. `case-3` is one more worker of the shard `case`."""

    def __init__(
        self, data: Path | None = None, children: Sequence[str] = CHILDREN, *, port: int = 0,
        district: Path = COUNTY, clock: str = "wall", session_timeout_s: float | None = None,
    ) -> None:  # fmt: skip
        self._kept = data is not None
        self.data = (data or fresh_folder("stack")).absolute()
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.postgres = Postgres(self.data / "postgres", durable=self._kept)
        self.redis = Redis(self.data / "redis")
        self.kafka = Kafka(self.data / "kafka")
        self.environment = {
            "ORIOLE_LEDGER": self.postgres.address(),
            "ORIOLE_BROKER": self.kafka.address,
            "ORIOLE_REDIS": self.redis.address,
            "ORIOLE_DATA": str(self.data / "oriole"),
        }
        self._district, self._clock, self._session_timeout_s = district, clock, session_timeout_s
        self._migration = self._child("migrate")
        self.children = {name: self._child(name) for name in children}
        self._ends = ExitStack()

    def _child(self, name: str) -> Child:
        log, port = self.data / "logs" / f"{name}.log", self.port if name == "serve" else 0
        return Child(name, self._words(name), log, self.environment, port)

    def _words(self, name: str) -> list[str]:
        match name:
            case "migrate":
                shards = ["--cases", str(CASES), "--operators", str(OPERATORS)]
                return ["migrate", "--district", str(self._district.absolute()), *shards]
            case "serve":
                return ["serve", "--port", str(self.port), "--clock", self._clock]
            case "deliver":
                return ["deliver", "--server", self.url]
        how = self._session_timeout_s
        more = [] if how is None else ["--session-timeout-s", f"{how:g}"]
        return ["worker", "--shard", name.partition("-")[0], *more]

    def empty(self) -> None:
        """Take away what earlier runs have left, and nothing else that lies in the folder."""
        for part in PARTS:
            if (self.data / part).exists():
                shutil.rmtree(self.data / part)

    def start(self) -> None:
        """Returns when all are ready. Raises `RuntimeError` with who is not, and why; then nothing
        runs."""
        with ExitStack() as ends:
            self._make_folders(ends)
            for server in (self.postgres, self.redis, self.kafka):
                ends.callback(server.stop)
                server.start()
            ends.callback(self._migration.stop)
            self._migration.launch()
            self._migration.finish()
            workers = [name for name in self.children if name not in LAST]
            for names in (workers, *([name] for name in LAST if name in self.children)):
                for name in names:
                    ends.callback(self.children[name].stop)
                    self.children[name].launch()
                for name in names:
                    self.children[name].wait_ready()
            self._ends = ends.pop_all()

    def _make_folders(self, ends: ExitStack) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        if not self._kept:
            ends.callback(shutil.rmtree, self.data, ignore_errors=True)
            self.data.chmod(0o711)  # servers go through it as another user
        (self.data / "oriole").mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(self.data / "logs", ignore_errors=True)
        (self.data / "logs").mkdir()

    def stop(self) -> None:
        """End all, last started first. A fresh folder goes."""
        self._ends.close()

    def kill(self, name: str) -> None:
        """SIGKILL to a child."""
        self.children[name].kill()

    def restart(self, name: str) -> None:
        """A child anew, until it is ready."""
        self.children[name].restart()

    def keep(self) -> list[str]:
        """Start children anew that have ended, as compose does; their names."""
        ended = [name for name, one in self.children.items() if not one.alive]
        for name in ended:
            self.children[name].launch()
        return ended

    def dead(self, servers: bool = False) -> list[str]:
        """Who has ended since, each with the last lines that it said; of the servers alone."""
        parts: list[Server | Child] = [self.postgres, self.redis, self.kafka]
        parts += [] if servers else self.children.values()
        return [f"{one.name} ended\n{one.last_lines}" for one in parts if not one.alive]

    def told(self) -> str:
        """Where everything listens, and what to try."""
        return (
            f"Oriole      {self.url}    its API: {self.url}/api/docs\n"
            f"PostgreSQL  {self.postgres.address()}\n"
            f"Redis       {self.redis.address}\n"
            f"Kafka       {self.kafka.address}\n"
            f"Logs        {self.data / 'logs'}\n"
            f"Try         curl --data-binary '{EVENT}' {self.url}/api/v1/events\n"
            "Ctrl-C ends all of it."
        )


def _leave(*_: object) -> None:
    """The first signal ends the stack; others do not disturb that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    raise KeyboardInterrupt


def _attend(stack: Stack) -> list[str]:
    """Start anew what has ended, as compose does; returns once a server has gone, or something ends
    again and again: who, with its last lines."""
    again = 0.0
    while not (gone := stack.dead(servers=True)) and again < AGAIN_MAX:
        again *= FORGETS  # what happened some minutes ago does not count
        dead = stack.dead()
        for name in stack.keep():
            print(f"{name} had ended, and was started again", file=sys.stderr, flush=True)
            again += 1
        if again >= AGAIN_MAX:
            return dead
        time.sleep(WATCH_S)
    return gone


def _run(stack: Stack) -> int:
    try:
        stack.start()
        print(stack.told(), flush=True)
        print(*_attend(stack), sep="\n", file=sys.stderr)
    except (RuntimeError, OSError) as fault:
        print(fault, file=sys.stderr)
    except KeyboardInterrupt:
        return 0
    finally:
        stack.stop()
    return 1


def main(words: Sequence[str] | None = None) -> int:
    """Run until an interrupt, or until something has ended by itself; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.stack", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "stack", help="kept between runs")
    parser.add_argument("--fresh", action="store_true", help="begin with an empty data folder")
    parser.add_argument("--port", type=int, default=0, help="of the service; 0 takes a free one")
    parser.add_argument("--district", type=Path, default=COUNTY)
    parser.add_argument("--clock", choices=("wall", "events"), default="wall")
    parser.add_argument(
        "--session-timeout-s", type=float, help="a worker that is silent is given up"
    )
    told = parser.parse_args(words)
    if gaps := missing():
        print(*gaps, sep="\n", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    stack = Stack(
        told.data, port=told.port, district=told.district, clock=told.clock,
        session_timeout_s=told.session_timeout_s,
    )  # fmt: skip
    if told.fresh:
        stack.empty()
    return _run(stack)


if __name__ == "__main__":
    sys.exit(main())
