"""Delivery in a world that fails: crashes at any step, lost commits, silent gateways, odd clocks.

Everything follows from a seed. The outbox and what gateways took survive a crash, nothing else
does. At the end each message has arrived once, or says why not; nothing waits for ever.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from delivery_kit import DAY, HOOK, HOUR, MINUTE, MONDAY, OTHER, SMS, district, line_of
from outbox_laws import notice, post
from virtual_loop import VirtualLoop

from detector.delivery import Outcome, Outgoing, Receipt
from detector.delivery.desk import Given
from detector.delivery.letterbox import heard_of
from detector.delivery.outbox import (
    DEAD,
    DELIVERED,
    DIGEST,
    DROPPED,
    GROUPED,
    REACHES,
    SENT,
    SETTLED,
    Row,
)
from detector.delivery.passing import root_of
from detector.delivery.postman import Means, Postman
from detector.delivery.stages import STAGES
from detector.ledger import LedgerError, NoticeWork, Post, Work
from detector.notice import ENDED
from detector.testing import MemoryLedger, MemoryOutbox

CRASHES_MAX = 6
TROUBLE_S = 20_000.0  # so long everything may fail; then the world is good
END_S = 20 * 86_400.0
PEOPLE = ("P1", "P2", "P3", "P4", "*")
REASONS = (
    "notice_closed", "never_told", "overtaken", "no_channel", "no_listener", "broadcast_only",
    "readdressed", "channel_gone",
)  # fmt: skip


class Crash(SystemExit):
    """The process is gone."""


class World:
    """What is outside of the process, and the dice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.mono_s, self.wall_us = 0.0, MONDAY
        self.crashes = self.dice.randint(0, CRASHES_MAX)
        self.steps = self._until_crash()
        self.jumps = self.dice.random() < 0.3
        self.dead = False
        self.taken: dict[str, list[Outgoing]] = {}  # by key: what a receiver got
        self.receipts: list[tuple[float, str, Receipt]] = []
        self.answered = set[str]()  # messages whose arrival a gateway was thanked for
        self.told = Counter[tuple[str, str]]()
        self.logged = Counter[str]()
        self.ended: dict[str, float] = {}

    def _until_crash(self) -> int:
        return int(self.dice.expovariate(1 / 60)) if self.crashes else -1

    def step(self) -> None:
        """Something that may be the last that happens."""
        if self.dead:
            raise asyncio.CancelledError
        self.steps -= 1
        if self.steps == 0:
            self.crashes -= 1
            self.dead = True
            raise Crash

    def rise(self) -> None:
        """A process starts anew, after a while."""
        self.dead, self.steps = False, self._until_crash()
        self.advance(self.dice.choice((0.1, 5.0, 400.0)))

    def advance(self, seconds: float) -> None:
        """Let time pass; now and then the wall clock jumps."""
        self.mono_s += seconds
        self.wall_us += round(seconds * 1e6)
        if self.jumps and self.trouble and self.dice.random() < 0.01:
            self.wall_us += self.dice.choice((-DAY, -HOUR, -MINUTE, MINUTE, HOUR, DAY))

    @property
    def trouble(self) -> bool:
        """May anything still fail."""
        return self.mono_s < TROUBLE_S


class Disk(MemoryOutbox):
    """The outbox on a disk: a commit may be lost, or done and never heard of."""

    def __init__(self, ledger: MemoryLedger, world: World) -> None:
        super().__init__(ledger)
        self._world = world

    def _written(self, write: Callable[[], Any]) -> Any:
        self._world.step()
        if self._world.trouble and self._world.dice.random() < 0.02:
            raise LedgerError("the ledger is locked by another process")
        told = write()
        self._world.step()
        return told

    def hear(self, told):
        return self._written(lambda: MemoryOutbox.hear(self, told))

    def write(self, write):
        return self._written(lambda: MemoryOutbox.write(self, write))

    def recover(self, now_us):
        return self._written(lambda: MemoryOutbox.recover(self, now_us))

    def tell_upto(self, number, now_us):
        return self._written(lambda: MemoryOutbox.tell_upto(self, number, now_us))

    def due(self, now_us, limit):
        self._world.step()
        return super().due(now_us, limit)


class SimChannel:
    """A gateway: what it took it knows by its key, and takes it no second time."""

    def __init__(self, name: str, world: World) -> None:
        self.name, self.world = name, world

    async def send(self, message: Outgoing) -> Outcome:
        """Answer, or not."""
        world = self.world
        world.step()
        how = world.dice.choices(
            ("good", "retry", "hang", "silent", "late", "refuse", "fault"),
            (60, 12, 6, 8, 6, 4, 2) if world.trouble else (1, 0, 0, 0, 0, 0, 0),
        )[0]
        await asyncio.sleep(world.dice.uniform(0.01, 0.5))
        if how == "retry":
            return Outcome("retry", "429", retry_after_s=world.dice.choice((None, 5, 60)))
        if how == "refuse":
            return Outcome("refused", "17")
        if how == "hang":
            await asyncio.sleep(1_000)
        if how == "fault":
            raise OSError("the adapter is at fault")
        self._take(message)
        world.step()
        if how == "silent":
            await asyncio.sleep(1_000)
        if how == "late":
            await asyncio.sleep(20)
        return Outcome("sent", "0", gateway_id=f"g{message.message_id}")

    def _take(self, message: Outgoing) -> None:
        world = self.world
        world.taken.setdefault(message.message_id, []).append(message)
        if len(world.taken[message.message_id]) > 1:
            return
        for _ in range(world.dice.choice((0, 1, 1, 2))):
            status: Any = world.dice.choices(("delivered", "failed", "read"), (8, 1, 1))[0]
            told = Receipt(status, message.message_id)
            if world.dice.random() < 0.5:
                told = Receipt(status, gateway_id=f"g{message.message_id}")
            at = world.mono_s + world.dice.choice((0.0, 1.0, 30.0, 5_000.0))
            world.receipts.append((at, self.name, told))

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """Receipts come otherwise here."""
        raise ValueError("no callback")

    async def close(self) -> None:
        """Nothing is held."""


@dataclass
class Plan:
    """What the engine commits, and when."""

    at_s: list[tuple[float, list[Post], list[Any]]] = field(default_factory=list)


def plan_of(world: World) -> Plan:
    """Notices that begin, are repeated, end; now and then a flood."""
    dice, plan = world.dice, Plan()
    flood = dice.random() < 0.3
    for n in range(dice.randint(8, 40) if flood else dice.randint(2, 10)):
        name, person = f"n{n}", "P1" if flood and dice.random() < 0.8 else dice.choice(PEOPLE)
        tier, at = dice.choice((1, 1, 2, 3)), 50.0 if flood else dice.uniform(0, 9_000)
        told = {"person": person, "tier": 1 if flood else tier}
        occasions = ["issued"]
        if dice.random() < 0.3:
            occasions.append(dice.choice(("reminder", "raised", "urged")))
        if dice.random() < 0.4:
            occasions.append(dice.choice(("withdrawn", "lifted", "closed")))
        for k, occasion in enumerate(occasions, 1):
            posts = [post(f"{name}.{k}", 0, occasion=occasion, **told)]
            state = occasion if occasion in ENDED else "issued"
            plan.at_s.append((at, posts, [notice(name, state)]))
            at += dice.choice((0.0, 0.5, 60.0, 4_000.0))
    plan.at_s.sort(key=lambda one: one[0])
    return plan


class Sim:
    """One seed. `change`: what a test breaks."""

    def __init__(self, seed: int, **change: Any) -> None:
        self.world = World(seed)
        self.change = change
        self.ledger = MemoryLedger()
        self.outbox = change.get("disk", Disk)(self.ledger, self.world)
        self.plan = plan_of(self.world)
        two = self.world.dice.random() < 0.3
        ways = (SMS, OTHER, HOOK) if two else (SMS, HOOK)
        wait = self.world.dice.choice((0, 0, 2))
        self.place = district(*ways, group_wait_s=wait, attempts_max=7)
        self.postman: Postman | None = None
        self.lives = 0

    def run(self) -> list[str]:
        """Live and die until all is settled; what was found wrong."""
        while True:
            self.lives += 1
            loop = VirtualLoop(lambda: self.world.mono_s, self.world.advance)
            try:
                loop.run_until_complete(self._live())
                return self.faults()
            except Crash:
                pass
            finally:
                self.world.dead = True
                loop.bury()
                self.world.rise()

    async def _live(self) -> None:
        world = self.world
        kind = self.change.get("channel", SimChannel)
        channels = {one.name: kind(one.name, world) for one in self.place.channels.channels}
        given = Given(
            lambda: self.place, channels, lambda: world.wall_us, lambda: world.mono_s, self._log
        )
        self.postman = Postman(
            Means(
                lambda: self.outbox, given, self._tell, aside=_at_once, idle_s=300.0,
                stages=self.change.get("stages", STAGES),
            )
        )  # fmt: skip
        post = asyncio.ensure_future(self.postman.serve())
        others = asyncio.ensure_future(self._others(self.postman))
        await asyncio.wait((post, others), return_when=asyncio.FIRST_COMPLETED)
        if post.done():
            others.cancel()
        await post

    async def _others(self, postman: Postman) -> None:
        """The engine commits, gateways say what became of messages."""
        world = self.world
        while world.mono_s < END_S:
            while self.plan.at_s and self.plan.at_s[0][0] <= world.mono_s:
                _, posts, notices = self.plan.at_s.pop(0)
                self._commit(posts, notices)
                postman.wake()
            for one in [r for r in world.receipts if r[0] <= world.mono_s]:
                self._hear(one)
                postman.wake()
            if not self.plan.at_s and not world.receipts and not world.trouble and self._calm():
                break
            ahead = [a for a, *_ in [*self.plan.at_s, *world.receipts]]
            await asyncio.sleep(min(max(min(ahead, default=9e9) - world.mono_s, 0.01), 600.0))
        postman.stop_soon()

    def _hear(self, one: tuple[float, str, Receipt]) -> None:
        """The gateway says it until it is answered."""
        again = (self.world.mono_s + 60.0, *one[1:])
        self.world.receipts[self.world.receipts.index(one)] = again
        try:
            self.outbox.hear([heard_of(one[1], one[2], self.world.wall_us)])
        except LedgerError:
            return
        self.world.receipts.remove(again)
        if one[2].status != "failed" and one[2].message_id:
            self.world.answered.add(one[2].message_id)

    def _calm(self) -> bool:
        left = self.outbox.late(1 << 62, 1), self.outbox.untold(1), self.outbox.receipts(0, 1)
        return not any(left)

    def _commit(self, posts: list[Post], notices: list[Any]) -> None:
        now = self.world.wall_us
        dated = [Post(**(vars(p) | {"at_us": now, "due_us": now})) for p in posts]
        work = Work(notices=NoticeWork(rows=notices, posts=dated))
        self.ledger.commit(self.ledger.position(), work)

    def _tell(self, lines: list[bytes]) -> bool:
        self.world.step()
        if self.world.trouble and self.world.dice.random() < 0.2:
            return False
        self.world.told.update(line_of(one) for one in lines)
        return True

    def _log(self, what: str, **told: Any) -> None:
        self.world.logged[what] += 1

    # -- the verdict ----------------------------------------------------------------------------

    def faults(self) -> list[str]:
        """What was lost, doubled, stalled or told wrongly."""
        rows = self.outbox._all()
        told = [fault for row in rows.values() for fault in self._of(row, rows)]
        told += [
            f"deaf: {n}" for n in self.world.answered & rows.keys() if rows[n].state != DELIVERED
        ]
        return told + self._doubled(rows) + self._untold(rows) + self._ends(rows)

    def _of(self, row: Row, rows: dict[str, Row]) -> list[str]:
        if row.state not in SETTLED or row.due_us is not None:
            return [f"stalled: {row}"]
        if row.state in (SENT, DELIVERED) and row.message_id not in self.world.taken:
            return [f"lost: {row.message_id} is {row.state}, and nobody has it"]
        if row.state == GROUPED and (row.digest_id or "") not in rows:
            return [f"lost: {row.message_id} is in no digest"]
        if row.state == DROPPED and (row.reason or "").partition(":")[0] not in REASONS:
            return [f"dropped: {row.message_id}: {row.reason}"]
        if row.state == DEAD and not self._mourned(row, rows):
            return [f"lost: {row.message_id} is dead, and nobody hears of it: {row.reason}"]
        return []

    def _mourned(self, row: Row, rows: dict[str, Row]) -> bool:
        """A dead letter of a person has heirs: another channel (unless it had become idle to tell),
        or the duty officer. His own, and those of systems, stand in the list of dead letters."""
        if row.person in ("*", "Z"):
            return bool(row.reason)
        kin = [r for name, r in rows.items() if root_of(name) == root_of(row.message_id)]
        heirs = [r for r in kin if r.message_id != row.message_id]
        alive = any(
            r.state in REACHES
            or "!duty" in r.message_id
            or r.reason in ("notice_closed", "overtaken")
            for r in heirs
        )
        return bool(row.reason) and alive

    def _doubled(self, rows: dict[str, Row]) -> list[str]:
        told = []
        for row in rows.values():
            digest = row.digest_id or ""
            if digest in self.world.taken and row.message_id in self.world.taken:
                told.append(f"doubled: {row.message_id} went alone and with {digest}")
        for key, messages in self.world.taken.items():
            if key not in rows:
                told.append(f"doubled: {key} is a key of nobody")
            if len({one.text for one in messages}) > 1:
                told.append(f"doubled: {key} bore two texts")
        return told

    def _untold(self, rows: dict[str, Row]) -> list[str]:
        """The engine hears that a message has arrived, also of those within a digest."""
        told = []
        for row in rows.values():
            bearer = rows.get(row.digest_id or "", row) if row.state == GROUPED else row
            if bearer.state == DELIVERED and not (
                self.world.told[row.message_id, "delivered"]
                or self.world.told[row.message_id, "read"]
            ):
                told.append(f"untold: {row.message_id}")
        return told

    def _ends(self, rows: dict[str, Row]) -> list[str]:
        """Who was told of a notice hears of its end."""
        had = {(r.notice_id, r.person) for r in rows.values() if self._has(r)}
        return [
            f"unaware: {row.message_id}"
            for row in rows.values()
            if row.occasion in ENDED and row.reason == "never_told"
            and (row.notice_id, row.person) in had
        ]  # fmt: skip

    def _has(self, row: Row) -> bool:
        """Did the person get it: a gateway took it, and did not say that it failed."""
        failed = {one.message_id for one in self.outbox._log if one.verdict == "failed"}
        keys = {row.message_id, row.digest_id or ""} - failed
        return row.occasion != DIGEST and bool(keys & self.world.taken.keys())


async def _at_once(call: Callable[[], Any]) -> Any:
    return call()
