"""A stride of learning: as far as somebody asks for what was learned, and at last to the watermark.

What facts tell is judged before a day is learned, for findings are numbers that learners watch; but
a month is judged by the range that was learned for it. So whoever judges facts asks here, and the
walk comes as far as the end of that month, in whatever strides the inputs are cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detector.effects import Effects
from detector.event import Fact
from detector.learning.desk import LearnDesk, LearnState
from detector.learning.epochs import DAYS_KEPT, Key
from detector.learnkit import Limit
from detector.values import DAY_US
from detector.verdict import Finding

Found = Sequence[tuple[str, int]]  # findings: rule, known since


class Stride:
    """Walks a district's learning; where it does not learn, no limit is known."""

    def __init__(self, desk: LearnDesk | None, state: LearnState | None, effects: Effects) -> None:
        self.at_work = None if desk is None or state is None else (desk, state)
        self.effects = effects
        self._noted = 0  # of the moves; what a walk finds is noted by itself
        self._on: dict[tuple[str, int], Mapping[Key, Limit]] = {}

    def hold(self, facts: Sequence[Fact], found: Found) -> None:
        """What a batch observed waits for its turn, as do acts among its facts. `found`: what
        other shards found."""
        if self.at_work is not None:
            desk, state = self.at_work
            desk.hold(state, self.effects.observed, facts, found)

    def limit_of(self, learner: str, key: Key, last_day: int, at: int) -> Limit | None:
        """The limit of a key that was in force at the end of a local day, as whoever judges at a
        later instant may know it: `DAYS_KEPT` days long, so that no cut decides."""
        if self.at_work is None:
            return None
        desk, state = self.at_work
        book, today = state.books.get(learner), int(desk.calendar.day(np.array([at]))[0])
        if book is None or today - last_day > DAYS_KEPT:
            return None
        if (learner, last_day) not in self._on:
            self.walk(int(desk.calendar.zone.utc((last_day + 1) * DAY_US)) - 1)
            self._on[learner, last_day] = book.on(last_day)
        return self._on[learner, last_day].get(key)

    def walk(self, watermark: int) -> None:
        """Learn, and judge by what was learned, up to the watermark."""
        if self.at_work is None:
            return
        (desk, state), effects = self.at_work, self.effects
        told = zip(effects.moves[self._noted :], effects.known[self._noted :], strict=True)
        desk.note(state, [(m.rule, at) for m, at in told if isinstance(m, Finding) and not m.muted])
        walked = desk.advance(state, watermark)
        effects.tell(walked.moves, walked.known)
        effects.undetermined += walked.undetermined
        effects.epochs += walked.epochs
        self._noted = len(effects.moves)
