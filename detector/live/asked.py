"""Asked beforehand (事前查询): a shard at work answers what would come of an event, beside the
thread that judges.

What answers is the state after all that is committed: a case of the batch in hand is waited for
until that batch is durable, any other is copied at once. Who asks in the same turn of the event
loop is judged together. Nothing is entered or kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import msgspec

from detector.beforehand import Beforehand, Question
from detector.cases import CaseState
from detector.event import Refused
from detector.gate_limits import GateLimits
from detector.glimpse import Glimpse, Unsteady, look
from detector.live import Unjudged
from detector.live.glance import Glance, Hand
from detector.live.shard import Shard
from detector.values import ABSENT

WAITING_MAX = 256  # requests that wait for the batch in hand

TOGETHER_MAX = 16  # that are judged together: the first shall not wait long for the last

Told = bytes | Refused | Unjudged | Hand  # an answer, a refusal, or what must be over first
_encode = msgspec.json.Encoder().encode


def _steady(cases: CaseState, name: str, key: int) -> Glimpse | None:
    """What is seen of a case, looked at once more where something moved. Raises `Unsteady`."""
    try:
        return look(cases, name, key)
    except Unsteady:
        return look(cases, name, key)


class AtWork(Protocol):
    """A shard with the thread that judges."""

    shard: Shard
    glance: Glance

    @property
    def state(self) -> str:
        """As `Service.state`."""


@dataclass(frozen=True, eq=False)
class Asking:
    """Who waits for a verdict."""

    line: bytes
    stamp: int | None  # when it came, µs UTC; None: as the line says
    said: asyncio.Future[Told]


class Asked:
    """Answers in one event loop: implements `detector.live.Beforehand`."""

    def __init__(self, work: AtWork, now: Callable[[], int] | None) -> None:
        self._work, self._now = work, now
        self._own: Beforehand | None = None
        self._asking: list[Asking] = []  # since the loop's last turn
        self._waiting = 0

    @property
    def limits(self) -> GateLimits:
        """What the district in force says."""
        return self._work.shard.engine.district.gate

    async def ask(self, line: bytes, at: int | None = None) -> bytes:
        """The verdict on the event of a line; see `detector.live.Beforehand`. `at`: when it came
        to the cluster's door, µs UTC."""
        stamp, loop = self._now() if self._now is not None else at, asyncio.get_running_loop()
        while True:
            said: asyncio.Future[Told] = loop.create_future()
            self._asking.append(Asking(line, stamp, said))
            loop.call_soon(self._turn)  # whoever asks in this turn of the loop is judged with us
            told = await said
            if isinstance(told, Hand):
                await self._over(told)
            elif isinstance(told, bytes):
                return told
            else:
                raise told

    def _turn(self) -> None:
        """Answer who waits: some together, which costs each less. As many turns come as ask."""
        some, self._asking = self._asking[:TOGETHER_MAX], self._asking[TOGETHER_MAX:]
        some = [one for one in some if not one.said.done()]  # others have given up
        if some:
            self._answer(some)

    def _answer(self, some: Sequence[Asking]) -> None:
        try:
            told = self.at_once([(one.line, one.stamp) for one in some])
        except Exception as fault:  # a defect, which costs none but who met it
            if len(some) == 1:
                some[0].said.set_exception(fault)
                return
            for one in some:
                self._answer([one])
            return
        for one, answer in zip(some, told, strict=True):
            one.said.set_result(answer)

    def at_once(self, asked: Sequence[tuple[bytes, int | None]]) -> list[Told]:
        """The answers to lines with their stamps, or what must be over first."""
        work, hand = self._work, self._work.glance.hand
        if work.state != "ready":
            return [Unjudged(f"the engine is {work.state}") for _ in asked]
        shard = work.shard
        own, floor, cases = self._rules_of(shard), shard.floor, shard.state.cases
        told: list[Told] = [hand for _ in asked]
        seen: list[tuple[int, int, Question, Glimpse | None]] = []  # place, now …
        for place, (line, stamp) in enumerate(asked):
            now = floor if stamp is None else max(stamp, floor)
            try:
                one = own.read(line, stamp, now, floor)
                if stamp is None and floor != ABSENT:
                    own.near(one, floor)
            except Refused as fault:
                told[place] = fault
                continue
            name = one.event.case_id
            if hand.holds(shard.words.case.find(name)):
                continue
            with suppress(Unsteady):
                seen.append((place, now, one, _steady(cases, name, one.key)))
        if work.glance.hand is not hand:
            return told  # what was copied may have been changed meanwhile
        verdicts = own.judge([one for _, _, one, _ in seen], [s for *_, s in seen], cases.officers)
        for (place, now, _, _), verdict in zip(seen, verdicts, strict=True):
            told[place] = _encode(own.document(verdict, now))
        return told

    def _rules_of(self, shard: Shard) -> Beforehand:
        if self._own is None or self._own.engine is not shard.engine:
            self._own = Beforehand(shard.engine)
        return self._own

    async def _over(self, hand: Hand) -> None:
        """Wait until the batch in hand is durable. Raises `Unjudged` where too many wait."""
        if self._waiting >= WAITING_MAX:
            raise Unjudged("too many wait for the batch in hand")
        loop, glance = asyncio.get_running_loop(), self._work.glance
        done: asyncio.Future[None] = loop.create_future()

        def settle() -> None:
            if not done.done():
                done.set_result(None)

        def call() -> None:  # in the engine's thread
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(settle)

        self._waiting += 1
        try:
            glance.wait(hand, done, call)
            await done
        finally:
            self._waiting -= 1
            glance.forget(done)
