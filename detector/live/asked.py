"""Asked beforehand (事前查询): a shard at work answers what would come of an event, beside the
thread that judges.

What answers is the state after all that is committed: a case of the batch in hand is waited for
until that batch is durable, any other is copied at once. Nothing is queued, entered or kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from detector.beforehand import Beforehand
from detector.cases import CaseState
from detector.gate_limits import GateLimits
from detector.glimpse import Glimpse, Unsteady, look
from detector.live import Unjudged
from detector.live.glance import Glance, Hand
from detector.live.shard import Shard
from detector.values import ABSENT

WAITING_MAX = 256  # requests that wait for the batch in hand

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


class Asked:
    """Answers in one event loop: implements `detector.live.Beforehand`."""

    def __init__(self, work: AtWork, now: Callable[[], int] | None) -> None:
        self._work, self._now = work, now
        self._own: Beforehand | None = None
        self._waiting = 0

    @property
    def limits(self) -> GateLimits:
        """What the district in force says."""
        return self._work.shard.engine.district.gate

    async def ask(self, line: bytes, at: int | None = None) -> bytes:
        """The verdict on the event of a line; see `detector.live.Beforehand`. `at`: when it came
        to the cluster's door, µs UTC."""
        stamp = self._now() if self._now is not None else at
        while True:
            told = self._at_once(line, stamp)
            if not isinstance(told, Hand):
                return told
            await self._over(told)

    def _at_once(self, line: bytes, stamp: int | None) -> bytes | Hand:
        """The answer, or what must be over first."""
        work, hand = self._work, self._work.glance.hand
        if work.state != "ready":
            raise Unjudged(f"the engine is {work.state}")
        shard = work.shard
        own = self._rules_of(shard)
        floor = shard.floor
        now = floor if stamp is None else max(stamp, floor)
        asked = own.read(line, stamp, now, floor)
        if stamp is None and floor != ABSENT:
            own.near(asked, floor)
        name = asked.event.case_id
        if hand.holds(shard.words.case.find(name)):
            return hand
        cases = shard.state.cases
        try:
            seen = _steady(cases, name, asked.key)
        except Unsteady:
            return hand
        if work.glance.hand is not hand:
            return hand  # it may have been changed while it was copied
        return _encode(own.document(own.judge(asked, seen, cases.officers), now))

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
