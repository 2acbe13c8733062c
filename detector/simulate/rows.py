"""The truth, and the rows of a stream that a deed may lay its hands on."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from detector.event import ACTION
from detector.simulate.deeds import acts, is_one
from detector.simulate.plan import NOBODY, Plan
from detector.simulate.stream import US, Cases, Stream

APART_S = 120  # least seconds between a record that was moved and the one before


@dataclass
class Truth:
    """Lines of the truth as columns: rule, row of the event (or -1 and the instant), tier."""

    rules: list[str] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    instants: list[np.ndarray] = field(default_factory=list)  # µs UTC, of clock rules
    tiers: list[int] = field(default_factory=list)

    def tell(self, rule: str, rows: np.ndarray, tier: int, at: np.ndarray | None = None) -> None:
        """These rows break a rule; for a clock rule `at` says when, and the row names the case."""
        if len(rows):
            self.rules.append(rule)
            self.rows.append(rows)
            self.tiers.append(tier)
            self.instants.append(np.full(len(rows), -1) if at is None else at)


class Rows:
    """A stream whose rows stand by case and slot, and what is known of each row."""

    def __init__(
        self, plan: Plan, cases: Cases, stream: Stream, truth: Truth, rng: np.random.Generator
    ) -> None:
        self.plan, self.s, self.truth, self.rng = plan, stream, truth, rng
        self.calendar = plan.district.calendar
        self.deed = cases.deed[stream.case]
        self.outcome = cases.outcome[stream.case]
        self.rows = np.arange(len(stream))
        self.cases = len(cases.deed)
        self.first = np.concatenate([[True], stream.case[1:] != stream.case[:-1]])
        self.last = np.concatenate([self.first[1:], [True]])
        self.begins = np.maximum.accumulate(np.where(self.first, self.rows, 0))
        self.look()

    def look(self) -> None:
        """See what the rows are, again after some of them changed places."""
        s, plan = self.s, self.plan
        self.action = plan.action[s.item, s.slot]
        self.duty = plan.duty[s.item, s.slot]
        self.place = plan.flow.place[s.item, s.slot]
        accepts = np.where(self.action == ACTION["accept"], self.rows, self.begins)
        self.accept = np.maximum.accumulate(accepts)  # of each row from its acceptance on
        self.typed = s.operator != NOBODY
        self.after = self.rows > self.accept

    def does(self, *actions: str) -> np.ndarray:
        """Rows of these actions."""
        return acts(self.action, *actions)

    def some(self, *names: str, where: np.ndarray) -> np.ndarray:
        """Rows of cases with such a deed; `where` narrows them."""
        return np.flatnonzero(is_one(self.deed, *names) & where)

    def one(self, *names: str, where: np.ndarray) -> np.ndarray:
        """One row of each case with such a deed, chosen among `where`."""
        rows = self.some(*names, where=where)
        order = self.rng.permutation(len(rows))
        _, chosen = np.unique(self.s.case[rows[order]], return_index=True)
        return np.sort(rows[order][chosen])

    def until_next(self, rows: np.ndarray) -> np.ndarray:
        """Seconds until the next record of the case, very many where there is none."""
        after = np.minimum(rows + 1, len(self.rows) - 1)
        told = self.s.recorded[after] - self.s.recorded[rows]
        return np.where(self.last[rows], np.iinfo(np.int64).max, told)

    def swap(self, rows: np.ndarray) -> None:
        """These and the rows before them change places: who does what, not when."""
        for column in (self.s.operator, self.s.slot):
            column[rows], column[rows - 1] = column[rows - 1].copy(), column[rows].copy()
        self.look()

    def shift(self, rows: np.ndarray, at_s: np.ndarray, apart_s: int = APART_S) -> None:
        """Record these, one a case, at another time; what comes after moves by as much working
        time. Those stay that would come too soon after their predecessor."""
        s = self.s
        kept = at_s >= s.recorded[rows - 1] + apart_s
        rows, at_s = rows[kept], at_s[kept]
        work = self.calendar.work
        moved = (work(at_s * US) - work(s.recorded[rows] * US)) // US
        lag = s.recorded[rows] - s.occurred[rows]
        by = np.zeros(len(self.rows), np.int64)
        by[rows] = moved
        tail = np.zeros(len(self.rows), bool)
        tail[rows] = True
        for _ in range(self.plan.action.shape[1]):  # down the rows of each case
            down = np.flatnonzero(tail[:-1] & ~self.first[1:] & ~tail[1:]) + 1
            by[down], tail[down] = by[down - 1], True
        tail[rows] = False
        moving = np.flatnonzero(tail)
        for column in (s.recorded, s.occurred):
            column[moving] = self.calendar.at(work(column[moving] * US) + by[moving] * US) // US
        s.recorded[rows] = at_s
        s.occurred[rows] = at_s - lag
