"""When each case should have been closed, and the cases that are closed at that very instant."""

from __future__ import annotations

import numpy as np

from detector.event import ACTION
from detector.simulate.offences import Truth, is_one
from detector.simulate.plan import GRANTED_DAYS, Plan
from detector.simulate.stream import US, Cases, Stream
from detector.workcalendar import NEVER


class Deadlines:
    """The deadlines of accepted cases (one element a case): instants in µs UTC."""

    def __init__(self, plan: Plan, stream: Stream) -> None:
        self.plan, self.s = plan, stream
        action = plan.action[stream.item, stream.slot]
        self.accept = np.flatnonzero(action == ACTION["accept"])  # row of each
        self.case = stream.case[self.accept]
        self.item = stream.item[self.accept]
        self.close = self._row_of(action == ACTION["close"])
        self.suspend = self._row_of(action == ACTION["suspend"])
        self.resume = self._row_of(action == ACTION["resume"])
        calendar = plan.district.calendar
        start = stream.occurred[self.accept] * US
        self.start_work = calendar.work(start)
        promised, statutory = plan.promised_days[self.item], plan.statutory_days[self.item]
        day = calendar.day_us
        credit = self._credit(start)
        soon = calendar.at(self.start_work + (promised - 1) * day + credit, "left")
        self.soon = np.maximum(soon, start)
        self.over = calendar.at(self.start_work + promised * day + credit, "right")
        over = calendar.at(self.start_work + statutory * day + credit, "right")
        self.statutory = np.where(statutory > 0, over, NEVER)

    def _row_of(self, mask: np.ndarray) -> np.ndarray:
        """The row of such an event of each accepted case, -1 for none."""
        rows = np.full(int(self.s.case.max(initial=0)) + 1, -1)
        found = np.flatnonzero(mask)
        rows[self.s.case[found]] = found
        return rows[self.case]

    def _credit(self, start: np.ndarray) -> np.ndarray:
        """Working time that a suspension gives back: at most what was granted."""
        calendar, occurred = self.plan.district.calendar, self.s.occurred * US
        begin = np.maximum(calendar.work(occurred[self.suspend]), calendar.work(start))
        took = np.maximum(calendar.work(occurred[self.resume]) - begin, 0)
        took = np.minimum(took, GRANTED_DAYS * calendar.day_us)
        return np.where((self.suspend >= 0) & (self.resume >= 0), took, 0)

    def close_on_time(self, cases: Cases, rng: np.random.Generator) -> None:
        """Some cases are closed at the instant of a deadline: that is in time."""
        deed = cases.deed[self.case]
        for name, at in (("closed_at_signal", self.soon), ("closed_at_promise", self.over)):
            some = np.flatnonzero(is_one(deed, name) & (self.close >= 0))
            self._close(some, at[some] // US)
        some = np.flatnonzero(is_one(deed, "late_close") & (self.close >= 0))
        early = rng.integers(60, 3_600, len(some))
        self._close(some, self.over[some] // US - early)
        rows = self.close[some]
        self.s.received[rows] = self.over[some] // US + rng.integers(600, 86_400, len(some))

    def _close(self, some: np.ndarray, at: np.ndarray) -> None:
        rows = self.close[some]
        later = at > self.s.recorded[rows - 1] + 120
        rows, at = rows[later], at[later]
        self.s.recorded[rows] = self.s.occurred[rows] = at
        self.s.received[rows] = at

    def tell(self, truth: Truth, until_us: int) -> None:
        """What stands at the end: a deadline that passed while the case was open."""
        s = self.s
        closed = np.where(self.close >= 0, s.recorded[self.close] * US, NEVER)
        speaks = ~s.imported[self.accept]
        open_until = np.minimum(closed, until_us + 1)
        over = speaks & (self.over < open_until)
        soon = speaks & (self.soon < open_until) & ~over
        past = speaks & (self.statutory < open_until)
        for rule, some, at, tier in (
            ("overdue_promise", soon, self.soon, 0),
            ("overdue_promise", over, self.over, 2),
            ("overdue_statutory", past, self.statutory, 3),
        ):
            known = ~self.plan.district.calendar.provisional(np.where(some, at, 0))
            truth.tell(rule, self.accept[some & known], tier, at[some & known])
            truth.tell(rule, self.accept[some & ~known], 0, at[some & ~known])
