"""The web without an engine: a service that answers as told, and servers on a free port.

`python web_kit.py` (a process of its own) serves such a service and writes its port to stdout.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Self

import msgspec

from detector.counted import Counted
from detector.gate_limits import GateLimits
from detector.ledger import RAISED, SHARD, Held, Move, Reading, Work
from detector.live import Answer, Entry, Figures, Listener, Say, Untold
from detector.testing import MemoryLedger
from detector.web.api import Web, create_app
from detector.web.readers import Readers
from detector.web.server import Server, listen, raise_file_limit, serve
from detector.web.settings import Settings
from detector.workcalendar import Zone

EPOCH = "e0"
WAIT_S = 20


def finding(number: int, size: int = 0) -> Move:
    """A move that raises a finding with a document of its own."""
    name = f"f{number:06d}"
    pad = "x" * size
    doc = b'{"finding_id":"%b","pad":"%b","withdrawn":null}' % (name.encode(), pad.encode())
    return Move(name, RAISED, "oriole", "2026-03-02T09:00:00+08:00", "rule", "D01", "c1", "permit",
                "P1", 1_000_000 * number, 2, None, doc)  # fmt: skip


class CannedBeforehand:
    """Implements `detector.live.Beforehand`: says what it was told to say."""

    def __init__(self) -> None:
        self.limits = GateLimits()
        self.lines: list[bytes] = []
        self.answer: bytes | Exception = b'{"allow":true}'
        self.holds: asyncio.Event | None = None  # waited for before an answer

    async def ask(self, line: bytes) -> bytes:
        self.lines.append(line)
        if self.holds is not None:
            await self.holds.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class CannedService:
    """Implements `detector.live.Service` over a memory ledger; says what it was told to say."""

    def __init__(self) -> None:
        self.state, self.epoch = "ready", EPOCH
        self.shards: Sequence[str] = (SHARD,)
        self.deferred, self.wall = False, True
        self.figures = Figures()
        self.listeners: list[Listener] = []
        self.beforehand: Any = CannedBeforehand()
        self.ledger = MemoryLedger()
        self.bodies: list[bytes] = []
        self.answer: Answer | Exception = Answer(1, 0, [])
        self.refuse: Exception | None = None  # raised by `submit`
        self.timelines: dict[str, list[Entry]] = {}

    def submit(self, body: bytes, say: Say) -> None:
        if self.refuse:
            raise self.refuse
        self.bodies.append(body)
        threading.Thread(target=say, args=(self.answer,)).start()

    def waiting(self) -> tuple[int, int]:
        return 0, 0

    def timeline(self, case_id: str, reader: Reading) -> list[Entry] | None:
        return self.timelines.get(case_id)

    def account(self, held: Held) -> dict[str, Any] | None:
        return None

    def tally(self, rule: str) -> Counted:
        raise Untold("case-1", "its worker is away")

    def cases(self) -> int:
        return len(self.timelines)

    def about(self) -> dict[str, Any]:
        return {"time_zone": "Asia/Shanghai", "frames": 0, "inputs": 0}

    def commit(self, *moves: Move) -> list[tuple[int, Move]]:
        """Make moves durable, without telling anybody; (number, move)."""
        before = self.ledger.last_move()
        self.ledger.commit(self.ledger.position(), Work(moves=list(moves)))
        return list(enumerate(moves, before + 1))

    def raise_findings(self, count: int, size: int = 0) -> None:
        """Commit new findings and tell the listeners, as the engine does."""
        first = self.ledger.last_move() + 1
        numbered = self.commit(*(finding(n, size) for n in range(first, first + count)))
        for listener in self.listeners:
            listener(numbered)


class ShardsLedger:
    """A ledger of several shards in memory, as far as a stream asks it."""

    def __init__(self, shards: Sequence[str]) -> None:
        self._of = {shard: MemoryLedger() for shard in shards}

    def reader(self) -> ShardsLedger:
        return self

    def close(self) -> None:
        pass

    def commit(self, shard: str, count: int, size: int = 0) -> list[tuple[int, Move]]:
        """New findings, each named after its shard and number; (number, move)."""
        ledger, pad = self._of[shard], "x" * size
        first = ledger.last_move() + 1
        moves = []
        for number in range(first, first + count):
            doc = msgspec.json.encode({"finding_id": f"{shard}/{number}", "pad": pad})
            moves.append(replace(finding(number), finding_id=f"{shard}/{number}", doc=doc))
        ledger.commit(ledger.position(), Work(moves=moves))
        return list(enumerate(moves, first))

    def moves_of(self, shard: str, after: int, limit: int) -> list[tuple[int, Move]]:
        return self._of[shard].moves(after, limit)

    def last_moves(self) -> dict[str, int]:
        return {shard: ledger.last_move() for shard, ledger in self._of.items()}


class ShardsService(CannedService):
    """The same over several shards, whose moves are heard from elsewhere."""

    def __init__(self, shards: Sequence[str], ledger: ShardsLedger | None = None) -> None:
        super().__init__()
        self.shards = tuple(shards)
        self.ledger: Any = ledger or ShardsLedger(shards)


def next_of(shards: Sequence[str], last: Sequence[int], event: dict[str, str]) -> tuple[int, ...]:
    """The numbers in an event's id, which is that of a finding: the next one of one shard."""
    assert event["event"] == "finding", event
    epoch, _, numbers = event["id"].rpartition("-")
    at = tuple(map(int, numbers.split(".")))
    [place] = [p for p, n in enumerate(at) if n != last[p]]
    assert epoch == EPOCH and at[place] == last[place] + 1, (last, at)
    found = msgspec.json.decode(event["data"])["finding_id"]
    assert found == f"{shards[place]}/{at[place]}", (found, at)
    return at


class Served:
    """A web over a service, on a real server in a thread."""

    def __init__(self, service: Any = None, letterbox: Any = None, **settings: Any) -> None:
        self.service = service or CannedService()
        self.readers = Readers(self.service.ledger.reader, 16)
        bounds = Settings(**settings)
        self.web = Web(
            self.service, self.readers, Zone("Asia/Shanghai"), bounds, letterbox=letterbox
        )
        self.app = create_app(self.web)
        self._sock = listen("127.0.0.1", 0)
        self.port: int = self._sock.getsockname()[1]
        self.server = Server(self.app, self.web, "127.0.0.1", self.port)
        self._ready = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        serve(self.server, self._sock, lambda server: self._ready.set())

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        """A raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), WAIT_S)

    def in_loop(self, call: Any) -> Any:
        """Run a function in the server's loop and wait for what it gives."""

        async def run() -> Any:
            return call()

        loop = self.web.hub.loop
        assert loop is not None
        return asyncio.run_coroutine_threadsafe(run(), loop).result(WAIT_S)

    def __enter__(self) -> Self:
        self.thread.start()
        assert self._ready.wait(WAIT_S)
        return self

    def __exit__(self, *fault: object) -> None:
        self.server.should_exit = True
        self.thread.join(WAIT_S)
        self.readers.close()
        assert not self.thread.is_alive()


@contextlib.contextmanager
def opened(served: Served, headers: str = "", path: str = "/api/v1/stream") -> Iterator[Any]:
    """A stream, as a file of its lines; its headers are read."""
    with served.connect() as sock:
        sock.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n".encode())
        with sock.makefile("rb") as lines:
            status = lines.readline()
            assert b" 200 " in status, status
            while lines.readline().strip():
                pass
            yield lines


def told(lines: Any, count: int) -> list[tuple[int, str]]:
    """(number, kind) of the next events of a stream."""
    found: list[tuple[int, str]] = []
    number, kind = -1, ""
    while len(found) < count:
        line = lines.readline().decode()
        assert line, f"the stream ended after {found}"
        name, _, value = line.rstrip("\n").partition(": ")
        if name == "id":
            number = int(value.rpartition("-")[2])
        elif name == "event":
            kind = value
        elif name == "data":
            found.append((number, kind))
    return found


if __name__ == "__main__":
    raise_file_limit()
    alone = Served()

    def say_port(server: Server) -> None:
        sys.stdout.write(f"{alone.port}\n")
        sys.stdout.flush()

    serve(alone.server, alone._sock, say_port)
    alone.readers.close()
    sys.stdout.write("ended\n")
