"""Judges what facts tell (事实): one ordered walk over facts, fines and clocks, at the watermark.

At one instant facts come first, in their order, then fines, then clocks: an instant of a clock is
reached once everything that was received in it has been taken. A fact is taken once everything
received before it was, and every clock before it has fired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

import msgspec

from detector.district import Person
from detector.event import Fact
from detector.explain import Teller
from detector.shelf import Rulebook
from detector.subjects import Said
from detector.voices import KINDS, Told, Voice, Voices
from detector.watch import Watch, WatchState
from detector.workcalendar import WorkCalendar

Key = tuple[str, ...]
VOICE, WATCH = range(2)  # clocks of one instant fire in this order


class FactState(msgspec.Struct):
    """All that is remembered of facts: plain dictionaries, for facts are few."""

    facts: list[tuple[int, int, Fact]] = []  # a heap: (received_at, number, fact)
    clocks: list[tuple[int, int, Key]] = []  # a heap: (instant, whose, which)
    held: int = 0  # so many facts were given a number
    said: Said = set()
    voices: dict[str, dict[str, Voice]] = {}  # kind → fact_id
    watch: WatchState = msgspec.field(default_factory=WatchState)

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
        teller: Teller,
    ) -> None:  # fmt: skip
        self.voices = {
            kind: Voices(kind, rules, calendar, teller)
            for kind in KINDS
            if (rules := rulebook.of(kind))
        }
        self.watch = Watch(rulebook.of("supervisor"), people, calendar, teller)

    def hold(self, state: FactState, facts: Sequence[Fact]) -> None:
        """Facts wait for their turn. None of them was taken before (`KnownFacts`)."""
        for fact in sorted(facts, key=_place):
            if self._wants(fact):
                heappush(state.facts, (fact.received_at, state.held, fact))
                state.held += 1

    def advance(self, state: FactState, watermark: int) -> Told:
        """Judge everything up to the watermark; facts received in the instant behind it, too, for
        nothing can come before them any more."""
        told = Told()
        while True:
            fact_at = state.facts[0][0] if state.facts else None
            clock_at = state.clocks[0][0] if state.clocks else None
            if fact_at is not None and (clock_at is None or fact_at <= clock_at):
                if fact_at > watermark + 1:
                    return told
                told += self._take(state, heappop(state.facts)[2])
            elif clock_at is not None and clock_at <= watermark:
                told += self._fire(state, *heappop(state.clocks)[1:])
            else:
                return told

    def conclude(self, state: FactState, at: int) -> Told:
        """The run is over: what nobody can know any more."""
        return self.watch.conclude(state.watch, at, state.said)

    def _wants(self, fact: Fact) -> bool:
        return fact.kind in self.voices or self.watch.wants(fact)

    def _take(self, state: FactState, fact: Fact) -> Told:
        if fact.kind in self.voices:
            return self._hear(state, fact)
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

    def _fire(self, state: FactState, whose: int, which: Key) -> Told:
        if whose == VOICE:
            kind, name, band = which
            return self.voices[kind].fire(state.voices[kind], name, int(band), state.said)
        told, following = self.watch.fire(state.watch, state.said)
        heappush(state.clocks, (following, WATCH, ()))
        return told


def _place(fact: Fact) -> tuple[int, int]:
    return fact.received_at, fact.position
