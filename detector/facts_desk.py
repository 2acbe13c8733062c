"""Judges what facts tell (事实): one ordered walk over facts, fines, sources and clocks, at the
watermark.

At one instant facts come first, in their order, then what the cases' shards handed on, then clocks:
an instant of a clock is reached once everything that was received in it has been taken. A fact is
taken once everything received before it was, and every clock before it has fired.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Any, TypeVar

import msgspec

from detector.district import Person
from detector.event import Fact
from detector.explain import Teller
from detector.feeds import Feeds, FeedState
from detector.fines import Fine
from detector.handed import Handed
from detector.shelf import Rulebook
from detector.sources import Heard, OneStamp
from detector.subjects import Said
from detector.treasury import Due, Treasury, TreasuryState
from detector.values import ABSENT
from detector.voices import KINDS, Told, Voice, Voices
from detector.volumes import LimitOf, Volumes, VolumeState
from detector.watch import Watch, WatchState
from detector.workcalendar import NEVER, WorkCalendar

Key = tuple[str, ...]
Turned = TypeVar("Turned", Fine, OneStamp)
VOICE, WATCH, TREASURY, VOLUME, FEED = range(5)  # clocks of one instant fire in this order


class FactState(msgspec.Struct):
    """All that is remembered of facts: plain dictionaries, for facts are few."""

    facts: list[tuple[int, int, Fact]] = []  # a heap: (received_at, number, fact)
    fines: list[tuple[int, int, str, str, int, Fine]] = []  # a heap: in order of judgement
    heard: list[tuple[int, Heard]] = []  # a heap
    stamped: list[tuple[int, int, str, str, int, OneStamp]] = []  # a heap, as fines
    clocks: list[tuple[int, int, Key]] = []  # a heap: (instant, whose, which)
    held: int = 0  # so many of these were given a number
    said: Said = set()
    voices: dict[str, dict[str, Voice]] = {}  # kind → fact_id
    watch: WatchState = msgspec.field(default_factory=WatchState)
    treasury: TreasuryState = msgspec.field(default_factory=TreasuryState)
    volumes: VolumeState = msgspec.field(default_factory=VolumeState)
    feeds: FeedState = msgspec.field(default_factory=FeedState)

    def dump(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def load(cls, data: bytes) -> FactState:
        """The state of `dump`."""
        return msgspec.msgpack.decode(data, type=cls)


class FactsDesk:
    """The rules over facts of a rulebook, ready to judge. Holds no state."""

    def __init__(
        self, rulebook: Rulebook, people: Mapping[str, Person], calendar: WorkCalendar,
        teller: Teller, lateness_us: int,
    ) -> None:  # fmt: skip
        self.lateness_us = lateness_us
        self.voices = {k: Voices(k, rulebook.of(k), calendar, teller) for k in KINDS}
        days = [c for c in rulebook.of("supervisor") if c.rule.per == "day"]
        self.watch = Watch(days, people, calendar, teller)
        months = rulebook.of("department")
        fines, volumes = ([c for c in months if c.rule.per == per] for per in ("fines", "volume"))
        self.treasury = Treasury(fines, calendar, teller)
        self.volumes = Volumes(volumes, calendar, teller)
        self.feeds = Feeds(rulebook.of("source"), calendar, teller)

    def hold(self, state: FactState, facts: Sequence[Fact]) -> None:
        """Facts wait for their turn. None of them was taken before (`KnownFacts`)."""
        for fact in sorted(facts, key=_place):
            if self._wants(fact):
                heappush(state.facts, (fact.received_at, state.held, fact))
                state.held += 1

    def hold_handed(self, state: FactState, handed: Handed) -> None:
        """What a shard of cases hands on waits for its turn. Fines of one case come in the order
        of its events."""
        for fine in handed.fines:
            heappush(state.fines, self._turn(state, fine))
        for one in handed.stamped:
            heappush(state.stamped, self._turn(state, one))
        for heard in handed.heard:
            heappush(state.heard, (heard.received_at, heard))

    def _turn(self, state: FactState, one: Turned) -> tuple[int, int, str, str, int, Turned]:
        state.held += 1
        at = one.instant(self.lateness_us)
        return at, one.recorded_at, one.event_id, one.case_id, state.held, one

    def advance(
        self, state: FactState, watermark: int, limit_of: LimitOf, now: int = ABSENT
    ) -> Iterator[tuple[int, Told]]:
        """Judge everything up to the watermark: since when something is known, and what is told.
        `limit_of` knows what was learned.

        Facts received in the instant behind it are taken too, for nothing can come before them any
        more. A clock of which we learn late is known since then, and nothing since before `now`.
        """
        while True:
            heaps: tuple[list[Any], ...] = (
                state.facts, state.heard, state.fines, state.stamped, state.clocks,
            )  # fmt: skip
            waiting = [(heap[0][0], rank) for rank, heap in enumerate(heaps) if heap]
            at, rank = min(waiting, default=(NEVER, 0))
            if at > watermark + (rank == 0):
                return
            now = max(now, at)
            if rank == 0:
                yield now, self._take(state, heappop(state.facts)[2], limit_of)
            elif rank == 1:
                ends = self.feeds.hear(state.feeds, heard := heappop(state.heard)[1])
                if ends is not None:
                    heappush(state.clocks, (ends, FEED, (heard.source,)))
            elif rank == 2:
                fine = heappop(state.fines)[-1]
                said, due = self.treasury.decide(state.treasury, fine, at, state.said)
                _push(state, due)
                yield now, said
            elif rank == 3:
                one = heappop(state.stamped)[-1]
                yield now, self.feeds.close(state.feeds, one, state.said)
            else:
                yield now, self._fire(state, *heappop(state.clocks), limit_of)

    def conclude(self, state: FactState, at: int) -> Told:
        """The run is over: what nobody can know any more."""
        return self.watch.conclude(state.watch, at, state.said)

    def take_over(self, before: FactsDesk, state: FactState, upto: int) -> Told:
        """Judge from here on what another desk judged up to an instant: what the change tells."""
        state.fines = [self._anew(one) for one in state.fines]
        state.stamped = [self._anew(one) for one in state.stamped]
        heapify(state.fines)
        heapify(state.stamped)
        state.clocks, told = [], Told()
        for kind, voices in self.voices.items():
            held = state.voices.get(kind, {})
            some, due = voices.take_over(held, before.voices[kind], upto)
            told += some
            for at, name, band in due:
                heappush(state.clocks, (at, VOICE, (kind, name, str(band))))
        ends = self.watch.take_over(state.watch, upto)
        if ends is not None:
            heappush(state.clocks, (ends, WATCH, ()))
        _push(state, self.treasury.take_over(state.treasury, before.treasury, upto))
        for at, month in self.volumes.take_over(state.volumes, before.volumes):
            heappush(state.clocks, (at, VOLUME, month))
        for at, source in self.feeds.take_over(state.feeds):
            heappush(state.clocks, (at, FEED, (source,)))
        return told

    def _anew(self, waiting: tuple[Any, ...]) -> Any:
        """Its turn by this desk's lateness."""
        return (waiting[-1].instant(self.lateness_us), *waiting[1:])

    def _wants(self, fact: Fact) -> bool:
        if fact.kind == "treasury" or fact.kind in self.voices:
            return True
        return self.watch.wants(fact) or self.volumes.wants(fact)

    def _take(self, state: FactState, fact: Fact, limit_of: LimitOf) -> Told:
        if fact.kind in self.voices:
            return self._hear(state, fact)
        if fact.kind == "volume":
            return self._count(state, fact, limit_of)
        if fact.kind == "treasury":
            told, due = self.treasury.receive(state.treasury, fact, state.said)
            _push(state, due)
            return told
        told, begins = self.watch.enter(state.watch, fact, state.said)
        if begins is not None:
            heappush(state.clocks, (begins, WATCH, ()))
        return told

    def _hear(self, state: FactState, fact: Fact) -> Told:
        held = state.voices.setdefault(fact.kind, {})
        told, due = self.voices[fact.kind].enter(held, fact)
        for at, band in due:
            heappush(state.clocks, (at, VOICE, (fact.kind, fact.fields["fact_id"], str(band))))
        return told

    def _count(self, state: FactState, fact: Fact, limit_of: LimitOf) -> Told:
        gap = partial(self.treasury.stands, state.treasury)
        told, due = self.volumes.enter(state.volumes, fact, gap, limit_of, state.said)
        if due is not None:
            heappush(state.clocks, (due[0], VOLUME, due[1]))
        return told

    def _fire(self, state: FactState, at: int, whose: int, which: Key, limit_of: LimitOf) -> Told:
        if whose == VOICE:
            kind, name, band = which
            return self.voices[kind].fire(state.voices[kind], name, int(band), state.said)
        if whose == WATCH:
            told, following = self.watch.fire(state.watch, state.said)
            heappush(state.clocks, (following, WATCH, ()))
            return told
        if whose == FEED:
            told, ends = self.feeds.ring(state.feeds, which[0], state.said)
            if ends is not None:
                heappush(state.clocks, (ends, FEED, which))
            return told
        month = (which[0], which[1], which[2])
        if whose == TREASURY:
            return self.treasury.fire(state.treasury, which[3], month, state.said)
        gap = self.treasury.stands(state.treasury, month)
        return self.volumes.judge(state.volumes, month, at, gap, limit_of, state.said)


def _push(state: FactState, due: Iterable[Due]) -> None:
    for at, rule, month in due:
        heappush(state.clocks, (at, TREASURY, (*month, rule)))


def _place(fact: Fact) -> tuple[int, int]:
    return fact.received_at, fact.position
