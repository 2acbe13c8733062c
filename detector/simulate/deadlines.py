"""When each case should have been closed, and when each of its clocks crosses an edge."""

from __future__ import annotations

import numpy as np

from detector.simulate.deeds import is_one
from detector.simulate.plan import GRANTED_DAYS
from detector.simulate.rows import Rows, Truth
from detector.simulate.stream import US
from detector.simulate.suspensions import Suspensions
from detector.workcalendar import NEVER


class Deadlines:
    """The deadlines of accepted cases (one element a case): instants in µs UTC."""

    def __init__(self, r: Rows) -> None:
        self.r, s, plan = r, r.s, r.plan
        listed = ~is_one(r.deed, "unlisted")
        self.accept = np.flatnonzero(r.does("accept") & listed)  # row of each
        self.case = s.case[self.accept]
        self._cases = int(s.case.max(initial=0)) + 1
        self.close = self.row_of(r.does("close"))[self.case]
        self.suspensions = Suspensions(r, self._cases)
        start = s.occurred[self.accept] * US
        promised, statutory = plan.promised_days[s.item], plan.statutory_days[s.item]
        day = r.calendar.day_us
        self.soon = self.crossing(self.accept, start, (promised[self.accept] - 1) * day, "left")
        self.over = self.crossing(self.accept, start, promised[self.accept] * day, "right")
        over = self.crossing(self.accept, start, statutory[self.accept] * day, "right")
        self.statutory = np.where(statutory[self.accept] > 0, over, NEVER)

    def row_of(self, mask: np.ndarray) -> np.ndarray:
        """The last such row of each case, -1 for none."""
        rows = np.full(self._cases, -1)
        found = np.flatnonzero(mask)
        rows[self.r.s.case[found]] = found
        return rows

    def by_case(self, instants: np.ndarray) -> np.ndarray:
        """An instant of each accepted case as one of each case, `NEVER` for none."""
        told = np.full(self._cases, NEVER)
        told[self.case] = instants
        return told

    def crossing(
        self, rows: np.ndarray, start: np.ndarray, amount: np.ndarray, side: str
    ) -> np.ndarray:
        """When so much working time has gone by since `start`, what the case of each row was
        suspended not counted: the earliest instant that reaches it, or the latest that does not
        exceed it."""
        calendar, occurred = self.r.calendar, self.r.s.occurred
        begun, case = calendar.work(start), self.r.s.case[rows]
        ended, credit = begun.copy(), np.zeros(len(rows), np.int64)
        most = GRANTED_DAYS * calendar.day_us
        for suspends, resumes in self.suspensions.of_case:
            some = np.flatnonzero(suspends[case] >= 0)
            suspend, resume = suspends[case[some]], resumes[case[some]]
            begin = np.maximum(calendar.work(occurred[suspend] * US), ended[some])
            end = calendar.work(occurred[resume] * US)
            took = np.where(resume >= 0, np.clip(end - begin, 0, most), most)
            elapsed = begin - begun[some] - credit[some]
            counts = elapsed < amount[some] if side == "left" else elapsed <= amount[some]
            credit[some] += np.where(counts, took, 0)
            ended[some] = np.maximum(begin, np.where(resume >= 0, end, begin + most))
        at = calendar.at(begun + amount + credit, side)
        return np.maximum(at, start) if side == "left" else at

    def close_on_time(self) -> None:
        """Some cases are closed at the instant of a deadline: that is in time."""
        r, rng = self.r, self.r.rng
        deed = r.deed[self.accept]
        for name, at in (("closed_at_signal", self.soon), ("closed_at_promise", self.over)):
            some = np.flatnonzero(is_one(deed, name) & (self.close >= 0))
            r.shift(self.close[some], at[some] // US)
        some = np.flatnonzero(is_one(deed, "late_close") & (self.close >= 0))
        early = rng.integers(60, 3_600, len(some))
        r.shift(self.close[some], self.over[some] // US - early)

    def tell(self, truth: Truth, until_us: int) -> None:
        """What stands at the end: a deadline that passed while the case was open."""
        s = self.r.s
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
            tell_clock(self.r, truth, rule, self.accept[some], tier, at[some])


def tell_clock(
    r: Rows, truth: Truth, rule: str, rows: np.ndarray, tier: int, at: np.ndarray
) -> None:
    """A band that stands, gently where the calendar is not known yet."""
    known = ~r.calendar.provisional(at)
    truth.tell(rule, rows[known], tier, at[known])
    truth.tell(rule, rows[~known], 0, at[~known])
