"""`oriole serve`: the API apart from the workers. A composition root.

It keeps nothing: bodies go to the broker, questions to the ledger, what is new comes by Redis, and
from the ledger where Redis is away. Any number of these may run beside each other.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from detector.account import account
from detector.adapters import machine
from detector.adapters.asks import Refused, ask_worker
from detector.adapters.kafka import Out, Sender
from detector.cluster.gate import Gate, Headers
from detector.cluster.layout import CASE, Layout, name_of, partitions_of
from detector.columns import Words
from detector.counted import Counted
from detector.decode import Decoder
from detector.engine import Engine
from detector.event import Reading as LineReading
from detector.front_gate import Elsewhere
from detector.front_tally import Tallies
from detector.ledger import Held, LedgerError, Reading
from detector.live import Entry, Figures, Listener, Say, Unavailable
from detector.live.contents import InForce, contents_until, judge_of
from detector.live.intake import cleaned
from detector.owners import Owners
from detector.places import DatabasePlace
from detector.registry import names_of
from detector.serve import SWITCH_S
from detector.values import iso_time
from detector.verdict import Finding
from detector.web.inside import SECRET, token, told_entries
from detector.web.settings import Settings as Bounds

if TYPE_CHECKING:
    from detector.registry import Registry
    from detector.web.api import Web

TICK_S = 0.5  # how late a limit, or what waits for the slowest shard, may come
LOOK_S = 0.5
Log = Callable[..., Any]


@dataclass(frozen=True)
class Settings:
    """What `oriole serve` was told."""

    ledger: str
    broker: str
    data: Path
    redis: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    wall: bool = True
    body_timeout_s: float = 30.0
    behind_proxy: bool = False
    scan_command: str = ""  # looks at files of answers for viruses
    attachments_days: int = 0  # files are kept after their notice's last move; 0: for ever
    public_url: str = ""  # by which browsers come, where that is not the loopback


class Front:
    """The middle of the service: implements `detector.live.Service` over broker and ledger."""

    def __init__(self, settings: Settings, log: Log) -> None:
        """Raises `LedgerError`."""
        self.settings, self.log = settings, log
        self.deferred, self.wall = True, settings.wall
        self.state = "starting"
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], None] = lambda: None
        first = self.reader(name_of(CASE, 0))
        frame = next(iter(first.frames(1, 1)), None)
        if frame is None:
            raise LedgerError("the database holds no shard yet: run `oriole migrate`")
        self.epoch = frame.hash.hex()[:12]
        self.content: InForce = contents_until(first, 1 << 62)[-1]
        first.close()
        if self.content.content.shards is None:
            raise LedgerError("the database was made for one shard: run `oriole run --ledger`")
        self.layout = Layout(*self.content.content.shards)
        self.shards: Sequence[str] = tuple(self.layout.shards())
        self.figures, self.listeners = Figures(), list[Listener]()
        self._engines = dict[str, Engine]()  # by the digest of their content
        self.district = self.content.content.load()
        reads = LineReading(self.district.calendar.zone)
        decoder = Decoder(Words(), reads, drop=self.district.privacy_drop)
        self.gate = Gate(
            self.layout, self._give, machine.wall_us if settings.wall else None,
            partial(cleaned, decoder),
        )  # fmt: skip
        self.secret = machine.link_secret(settings.data)
        owners = Owners(self.reader)
        self.tallies = Tallies(self.layout, owners, self.secret, log)
        self.beforehand = Elsewhere(
            self.layout, owners, lambda: self.district.gate, self.secret,
            machine.wall_us if settings.wall else None,
        )  # fmt: skip
        self._sender: Sender | None = None
        self._loop = asyncio.new_event_loop()
        self._begun = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def engine(self) -> Engine:
        """The engine that was in force at the start."""
        return self._engine_of(self.content)

    def reader(self, shard: str) -> Any:
        """Questions to a shard, over a connection of its own."""
        return DatabasePlace(self.settings.ledger, shard).reader()

    # -- the service ------------------------------------------------------------------------------

    def submit(self, body: bytes, say: Say) -> None:
        """Send a body on; see `Service.submit`. Its answer comes once the broker has it."""
        if self.state != "ready":
            raise Unavailable(f"the service is {self.state}", 503, None)
        self.gate.submit(body, say)
        self.figures.accepted = self.gate.taken  # what the broker has so far

    def waiting(self) -> tuple[int, int]:
        """Bodies and bytes that the broker does not have yet."""
        return self.gate.waiting()

    def timeline(self, case_id: str, reader: Reading) -> list[Entry] | None:
        """The judged inputs of a case, as the worker of its shard tells them."""
        shard = name_of(CASE, int(partitions_of([case_id.encode()], self.layout.cases)[0]))
        with closing(self.reader(shard)) as mine:
            owner = mine.owner()
        if not owner:
            raise LedgerError(f"{shard}: no worker has it now")
        query = {"shard": shard, "case": case_id}
        try:
            told = ask_worker(f"{owner}/timeline", query, {SECRET: token(self.secret)})
        except Refused as fault:
            raise LedgerError(f"{shard}: {fault}") from None
        return None if told is None else told_entries(told)

    def account(self, held: Held) -> dict[str, Any] | None:
        """How a finding came about by what was in force then, as the journal of its shard says."""
        found = msgspec.json.decode(held.doc, type=Finding)
        with closing(self.reader(held.shard)) as mine:
            contents = contents_until(mine, held.seq)
        engine = judge_of(
            contents, lambda n: self._engine_of(contents[n]), held.seq, found.rulebook
        )
        told = account(found, engine.district, engine.rulebook)
        return told.told() if told else None

    def _engine_of(self, one: InForce) -> Engine:
        """The engine of a content; few have judged, and many findings are asked about."""
        engine = self._engines.get(one.digest)
        if engine is None:
            engine = self._engines[one.digest] = one.content.engine()
        return engine

    def tally(self, rule: str) -> Counted:
        """What was counted of a rule's raw values, as all workers of cases tell it."""
        return self.tallies.of(rule)

    def cases(self) -> int:
        """Nobody here counts cases: the workers do."""
        return 0

    def about(self) -> dict[str, Any]:
        """District, rulebook and shards, for people."""
        return {
            "district": {"code": self.district.code, "name": self.district.name},
            "time_zone": self.district.time_zone,
            "rulebook": self.engine().rulebook.digest,
            "content": self.content.digest,
            "guarded": self.content.content.guarded,
            "clock": iso_time(self.now()),
            "shards": {"case": self.layout.cases, "operator": self.layout.operators},
            "lag_records": dict(self.gate.lags),
        }

    def now(self) -> int:
        """The clock of deadlines."""
        return machine.wall_us()

    # -- the broker's thread ----------------------------------------------------------------------

    def start(self) -> None:
        """Connect. Raises `LedgerError` where the broker cannot be had."""
        self._thread.start()
        self._begun.wait()
        if self.failure is not None:
            raise LedgerError(f"the broker cannot be had: {self.failure}")
        self.state = "ready"

    def stop(self) -> None:
        """Write what was taken, then end."""
        self.beforehand.close()
        self.tallies.close()
        self.state = "stopping"
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self.state = "stopped"

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._work())
        except Exception as fault:
            self._failed(fault)
        finally:
            self._begun.set()
            self._loop.close()

    async def _work(self) -> None:
        sender = Sender(self.settings.broker, self._failed)
        await sender.start()
        self._sender = sender
        self._begun.set()
        tasks = [self._loop.create_task(one) for one in (self._ticks(), self._looks())]
        await self._stop.wait()
        for one in tasks:
            one.cancel()
        await sender.stop()

    def _give(
        self, records: Sequence[tuple[str, int, bytes, Headers]], kept: Callable[[list[int]], None]
    ) -> None:
        assert self._sender is not None
        self._sender.give([Out(*one) for one in records], kept)

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.gate.tick()
            self.figures.clock_us = self.now()

    async def _looks(self) -> None:
        """How far the shards are behind; a ledger that cannot be asked is said, and asked again."""
        reader: Any = None
        while True:
            try:
                reader = reader or self.reader(self.shards[0])
                self.gate.look(await self._loop.run_in_executor(None, reader.offsets))
            except LedgerError as fault:
                self.log("ledger_unreachable", reason=str(fault))
            await asyncio.sleep(LOOK_S)

    def _failed(self, fault: BaseException) -> None:
        self.failure, self.state = fault, "failed"
        self.log("failed", error=f"{type(fault).__name__}: {fault}")
        self.on_failure()


def run(settings: Settings, log: Log) -> int:
    """Serve until a signal; the exit code: 0, or 1 where the broker was lost.

    Raises `LedgerError`, and `OSError` where the port cannot be had.
    """
    from detector.adapters.scanner import scanner
    from detector.delivery.letterbox import Letterbox
    from detector.post import Ways
    from detector.registry import Registry
    from detector.web.api import Web, create_app
    from detector.web.attachments import ATTACHMENTS, Attachments
    from detector.web.links import Links
    from detector.web.readers import Readers
    from detector.web.server import Server, listen, raise_file_limit, serve

    raise_file_limit()
    sys.setswitchinterval(SWITCH_S)
    sock = listen(settings.host, settings.port)
    machine.calm_collector()
    settings.data.mkdir(parents=True, exist_ok=True)
    front = Front(settings, log)
    with ExitStack() as ends:
        place = DatabasePlace(settings.ledger)
        readers = Readers(lambda: front.reader(front.shards[0]))
        ends.callback(readers.close)
        links = Links(front.secret, front.district.channels.delivery.base_url)
        letterbox = Letterbox(
            place.outbox(), Ways(lambda: front.district, log, machine.seconds), front.now,
            lambda: None,
        )  # fmt: skip
        ends.callback(letterbox.close)
        serials = place.serials()
        ends.callback(serials.close)
        replies = place.replies()
        ends.callback(replies.close)
        registry = Registry(settings.ledger, settings.data)
        ends.callback(registry.close)
        web = Web(
            front, readers, front.district.calendar.zone, _bounds(front), links=links,
            letterbox=letterbox, papers=(serials, lambda: front.district), engine=front.engine,
            replies=replies,
            attachments=Attachments(settings.data / ATTACHMENTS, scanner(settings.scan_command)),
            doors=registry.doors(settings.host, settings.public_url, settings.behind_proxy),
        )  # fmt: skip
        server = Server(create_app(web), web, settings.host, sock.getsockname()[1])

        def leave() -> None:
            server.should_exit = True

        front.on_failure = leave
        front.start()
        _keep(front, web, registry, ends)
        ends.callback(front.stop)
        if settings.redis:
            _listen(settings.redis, web, ends)
        url = f"http://{settings.host}:{sock.getsockname()[1]}"
        serve(server, sock, lambda _: log("listening", url=url, shards=len(front.shards)))
    log("stopped")
    return 0 if front.failure is None else 1


def _keep(front: Front, web: Web, registry: Registry, ends: ExitStack) -> None:
    """Remove files of answers when they were kept long enough."""
    from detector.web.retention import Retention

    assert web.attachments is not None
    retention = Retention(
        web.attachments, lambda: front.reader(front.shards[0]), registry.audit, front.now,
        front.settings.attachments_days, front.log,
    )  # fmt: skip
    retention.start()
    ends.callback(retention.stop)


def _listen(redis: str, web: Web, ends: ExitStack) -> None:
    """What is new comes by Redis, and figures are kept there for all servers."""
    from detector.adapters.redis_live import Shelf, Tail  # optional, as what it speaks to

    web.shelf = shelf = Shelf(redis)
    ends.callback(shelf.close)
    tail = Tail(redis, heard=web.hub.heard_of, lost=web.hub.lost)
    ends.callback(tail.close)


def _bounds(front: Front) -> Bounds:
    settings, base_url = front.settings, front.district.channels.delivery.base_url
    return Bounds(
        body_timeout_s=settings.body_timeout_s, any_host=settings.behind_proxy,
        hosts=names_of(settings.host, settings.public_url, base_url),
    )  # fmt: skip
