"""One worker of a scale-out: a composition root. It judges the partitions that its group gives it.

Whatever fails, the process ends and is started again by whoever watches it: memory may be ahead of
the ledger, and only a recovery puts them together again.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from detector.adapters import machine
from detector.adapters.faust_group import Group, Record
from detector.adapters.kafka import Ends, Out, Sender
from detector.cluster.desk import Desk, Means, Taken
from detector.cluster.layout import REFUSALS, name_of, parts_of, topic_of
from detector.counted import Counted
from detector.ledger import LedgerError, Move, Refusal, Relay
from detector.live import Entry
from detector.live.contents import read_contents
from detector.places import DatabasePlace
from detector.quick import warm
from detector.web.inside import inside_app
from detector.web.server import Aside
from detector.worker_watch import Stalled, Watch

WAITING_BYTES_MAX = 16 << 20  # of one partition, taken and not judged
DRAIN_S = 60.0
AGAIN_S = 1.0
ENDED = 1
EVERYWHERE = ("0.0.0.0", "::", "[::]")
ROOM_BYTES_MIN = 64 << 20
Log = Callable[..., Any]


@dataclass(frozen=True)
class Settings:
    """What `oriole worker` was told."""

    kind: str
    ledger: str
    broker: str
    data: Path
    redis: str = ""
    inside: str = "127.0.0.1:0"
    session_timeout_s: float = 10.0
    stall_s: float = 60.0


class Worker:
    """A member of the group of its kind: implements `detector.adapters.faust_group.Member`."""

    def __init__(self, settings: Settings, log: Log) -> None:
        """Raises `LedgerError`."""
        self.settings, self.log = settings, log
        self.topic = topic_of(settings.kind)
        _made_for_shards(settings.ledger)
        self.desks: dict[int, Desk] = {}
        self.loop = asyncio.get_running_loop()
        self._asked: dict[int, float] = {}  # partition → when it was read anew
        self._assigned = asyncio.Event()
        self._turn, self._changing = 0, asyncio.Lock()
        self.opening_since: float | None = None
        self._room = asyncio.Event()
        self._settled: list[Record] = []
        self._one = threading.Lock()
        self.sender = Sender(settings.broker, self.failed)
        self.ends = Ends(settings.broker)
        self.fanout = _fanout(settings.redis) if settings.redis else None
        self.group = Group(
            f"oriole-{settings.kind}", settings.broker, self.topic, settings.data / "faust", self,
            settings.session_timeout_s,
        )  # fmt: skip
        self.means = Means(
            machine.seconds, partial(machine.room, settings.data, ROOM_BYTES_MIN), self._say,
            self._relay, self._moved, self._refused, self.failed,
        )  # fmt: skip

        host, port = settings.inside.rsplit(":", 1)
        app = inside_app(
            lambda: {desk.name: desk for desk in list(self.desks.values())}, self._timeline,
            self._beforehand, self._tally, self.healthy, machine.link_secret(settings.data),
        )  # fmt: skip
        self.inside = Aside(app, host, int(port))
        reached = machine.name() if host in EVERYWHERE else host
        self.url = f"http://{reached}:{self.inside.port}"

    def healthy(self) -> bool:
        """Do all its shards go on."""
        return all(desk.runner.state == "ready" for desk in list(self.desks.values()))

    def _desk(self, shard: str) -> Desk | None:
        return next((one for one in list(self.desks.values()) if one.name == shard), None)

    async def _beforehand(self, shard: str, line: bytes, at: int | None) -> bytes | None:
        desk = self._desk(shard)
        return None if desk is None else await desk.runner.beforehand.ask(line, at)

    def _timeline(self, shard: str, case: str) -> list[Entry] | None:
        desk = self._desk(shard)
        if desk is None:
            return None
        with closing(DatabasePlace(self.settings.ledger, shard).reader()) as reader:
            return desk.runner.timeline(case, reader)

    def _tally(self, shard: str, rule: str) -> Counted | None:
        desk = self._desk(shard)
        counts = desk is not None and desk.runner.shard.state.cases.tally is not None
        return desk.runner.tally(rule) if desk is not None and counts else None

    async def start(self) -> None:
        """Join the group. Raises `Unreachable`."""
        self.inside.start()
        await self.sender.start()
        await self.ends.start()
        await self.group.start()

    async def stop(self) -> None:
        """Leave the group; what was taken is judged."""
        await self.group.stop()
        await self.revoked()
        await self._let_go(list(self.desks))
        await self.sender.stop()
        await self.ends.stop()
        if self.fanout:
            self.fanout.close()
        await self._apart(self.inside.stop)

    # -- the group's member -----------------------------------------------------------------------

    def position(self, partition: int) -> int | None:
        """Where a partition goes on, as its ledger says and what was taken since."""
        desk = self.desks.get(partition)
        return None if desk is None else desk.next

    async def take(self, record: Record) -> None:
        """Hand a record to its shard; waits while too much waits there."""
        await self._assigned.wait()  # what was fetched before we knew where to go on may come first
        desk = self.desks.get(record.partition)
        if desk is None:
            return  # it is another's now
        if record.offset > desk.next:
            await self._again(record.partition, desk)
            return
        self._asked.pop(record.partition, None)
        taken = Taken(record.offset, record.value, record.headers, record.appended_us)
        if not desk.take(taken, partial(self._done, record)):
            record.done()
        while desk.runner.waiting()[1] > WAITING_BYTES_MAX:
            self._room.clear()
            await self._room.wait()

    async def _again(self, partition: int, desk: Desk) -> None:
        """A record came too early: those before it were dropped on their way, and are read anew.
        faust may drop them once more, for what it had fetched moves its own mark behind our back;
        so we ask again while they do not come."""
        now = machine.seconds()
        if now - self._asked.get(partition, -AGAIN_S) >= AGAIN_S:
            self._asked[partition] = now
            self.log("read_again", shard=desk.name, offset=desk.next)
            await self.group.go_back(partition, desk.next)

    async def revoked(self) -> None:
        """Judge what was taken; the shards stay, for most of them come back at once."""
        self._assigned.clear()
        self._turn += 1  # whoever opens shards leaves off behind the one that he is at
        async with self._changing:
            for desk in list(self.desks.values()):
                if not await self._apart(desk.drain, DRAIN_S):
                    raise Stalled(f"{desk.name}: what was taken was not judged in {DRAIN_S:g} s")

    async def assigned(self, partitions: set[int]) -> bool:
        """Open the shards that are new, let go of the others; whether all are open, and were not
        revoked meanwhile."""
        turn = self._turn
        async with self._changing:
            if turn != self._turn:
                return False
            await self._let_go([n for n in self.desks if n not in partitions])
            for desk in self.desks.values():
                await self._apart(desk.still_ours)
            for number in sorted(partitions - self.desks.keys()):
                self.opening_since = machine.seconds()
                self.desks[number] = await self._apart(self._open, number)
                self.opening_since = None
                if turn != self._turn:
                    return False
            if partitions:
                await self._within(sorted(partitions))
            if turn != self._turn:
                return False
            self._assigned.set()
        owned = [desk.name for _, desk in sorted(self.desks.items())]
        self.log("assigned" if owned else "idle", shards=owned)
        return True

    def failed(self, fault: BaseException) -> None:
        """End at once: nothing that is in memory may be trusted."""
        self.log("failed", error=f"{type(fault).__name__}: {fault}", exc_info=fault)
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(ENDED)

    # -- desks ------------------------------------------------------------------------------------

    def _open(self, number: int) -> Desk:
        name = name_of(self.settings.kind, number)
        place = DatabasePlace(self.settings.ledger, name)
        ledger = place.shard_ledger()
        desk = Desk(name, ledger, self.settings.data / "snapshots", self.means)
        ledger.owned_by(self.url)
        self.log(
            "recovered", shard=name, snapshot_seq=desk.recovered.snapshot_seq,
            replayed=desk.recovered.replayed, seconds=round(desk.recovered_s, 3), offset=desk.next,
        )  # fmt: skip
        return desk

    async def _let_go(self, numbers: Sequence[int]) -> None:
        gone = [self.desks.pop(number) for number in numbers]
        await asyncio.gather(*(self._apart(desk.close) for desk in gone))

    async def _within(self, partitions: list[int]) -> None:
        """A record that the broker no longer has, or has not, cannot be judged."""
        begins = await self.ends.begins(self.topic, partitions)
        ends = await self.ends.ends(self.topic, partitions)
        for number in partitions:
            at = self.desks[number].next
            if not begins[number] <= at <= ends[number]:
                raise LedgerError(
                    f"{self.desks[number].name}: goes on at record {at} of its partition, which"
                    f" holds {begins[number]}–{ends[number]}: what lies between was deleted"
                )

    async def _apart(self, doing: Callable[..., Any], *told: Any) -> Any:
        return await self.loop.run_in_executor(None, doing, *told)

    # -- from the engines' threads ----------------------------------------------------------------

    def _done(self, record: Record) -> None:
        with self._one:
            self._settled.append(record)
            first = len(self._settled) == 1
        if first:
            self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        with self._one:
            some, self._settled = self._settled, []
        for record in some:
            record.done()
        self._room.set()

    def _say(self, what: str, told: dict[str, object]) -> None:
        self.log(what, **told)

    def _relay(self, relays: Sequence[Relay], arrived: Callable[[], None]) -> None:
        some = []
        for one in relays:
            kind, partition = parts_of(one.target)
            some.append(Out(topic_of(kind), partition, one.data))
        self.sender.give(some, lambda offsets: arrived())

    def _moved(self, shard: str, moves: list[tuple[int, Move]]) -> None:
        if self.fanout:
            self.fanout.tell(shard, moves)

    def _refused(self, shard: str, refusals: list[Refusal]) -> None:
        some = [msgspec.json.encode({"shard": shard} | vars(one)) for one in refusals]
        self.sender.give([Out(REFUSALS, 0, line) for line in some])


def _fanout(address: str) -> Any:
    from detector.adapters.redis_live import Fanout

    return Fanout(address, machine.seconds)


def _made_for_shards(ledger: str) -> None:
    """Raises `LedgerError` where a database was not."""
    with closing(DatabasePlace(ledger, name_of("case", 0)).reader()) as reader:
        if read_contents(reader, [1])[-1].content.shards is None:
            raise LedgerError("the database was not made for several shards: run `oriole migrate`")


async def serve(settings: Settings, log: Log, stop: asyncio.Event) -> None:
    """Work until `stop` is set. Raises `LedgerError` and `Unreachable`."""
    machine.calm_collector()
    warm()
    settings.data.mkdir(parents=True, exist_ok=True)
    worker = Worker(settings, log)
    watch = Watch(
        worker.ends, worker.topic, lambda: worker.desks, worker.failed,
        lambda: worker.group.broken, lambda: worker.opening_since, settings.stall_s,
    )  # fmt: skip
    await worker.start()
    watch.start()
    log("ready", shard=settings.kind, topic=worker.topic)
    await stop.wait()
    watch.stop()
    await worker.stop()
    log("stopped")
