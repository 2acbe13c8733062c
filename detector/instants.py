"""When each band of each clock of a case is crossed, solved from the case's row.

An instant is solved once, when something moves it; from then on it is only compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.cases import SUSPENDED, CaseState, Suspension
from detector.rulekit import Band, Clock, Params
from detector.runs import START
from detector.values import ABSENT, DAY_US
from detector.workcalendar import NEVER, WorkCalendar


@dataclass(frozen=True)
class ClockBand:
    """One raising band of a clock rule; its place in the list is its column in the case table."""

    rule: int  # index of the rule among the clock rules
    rule_id: str
    band: Band
    clock: Clock
    params: Params

    @property
    def days(self) -> int:
        """The limit in days that the rule itself sets."""
        return int(getattr(self.params, self.clock.limit))


PROMISE = ClockBand(
    -1, "", Band("overdue", 0, 2, exclusive=True), Clock("promised_days", "due_at"), Params()
)


class Solver:
    """Solves instants on a district's calendar."""

    def __init__(self, calendar: WorkCalendar) -> None:
        self.calendar = calendar

    def of_case(
        self, state: CaseState, cases: np.ndarray, row: np.ndarray, bands: Sequence[ClockBand]
    ) -> np.ndarray:
        """Bands of one rule on acceptance → close: (cases, bands), NEVER where not crossed."""
        calendar, day = self.calendar, self.calendar.day_us
        clock = bands[0].clock
        start = np.where(row["accept_event"] >= 0, row["accept_occurred_at"], ABSENT)
        begun = start != ABSENT
        start_work = calendar.work(np.where(begun, start, 0))
        days = limit_days(state, row, clock)
        due = row["due_at"] if clock.due else np.full(len(cases), ABSENT)
        has_due = due != ABSENT
        known = begun & (has_due | (days != ABSENT))
        target = calendar.work(np.where(has_due, due, 0)) if clock.due else start_work
        limit = np.where(has_due, target - start_work, np.where(known, days, 0) * day)
        stated = np.where(has_due, row["due_stated"], 0)
        out = np.full((len(cases), len(bands)), NEVER, np.int64)
        for n, one in enumerate(bands):
            band = one.band
            goal = start_work + share_of(limit, band.share) + round(band.edge * day)
            credited = self._credited(state, cases, row, start_work, goal, known, stated, band)
            solved = self._solve(credited, band)
            plain_due = has_due & (credited == goal)
            if band.edge == 0 and band.share == 1:
                solved = np.where(plain_due, due, solved)
            if not band.exclusive:  # nothing is reached before the clock starts
                solved = np.where(plain_due, solved, np.maximum(solved, start))
            out[:, n] = np.where(known & (credited != NEVER), solved, NEVER)
        return out

    def of_step(
        self, state: CaseState, cases: np.ndarray, row: np.ndarray, bands: Sequence[ClockBand]
    ) -> np.ndarray:
        """Bands on the step that a case is held in, while the case itself is in time."""
        start = row["held_from"]
        runs = start != ABSENT
        limit = state.flows.next_limit[np.where(runs, row["held_entry"], 0)]
        known = runs & (limit != ABSENT)
        out = np.full((len(cases), len(bands)), NEVER, np.int64)
        some = np.flatnonzero(known)
        if not len(some):
            return out
        cases, row, start, limit = cases[some], row[some], start[some], limit[some]
        start_work = self.calendar.work(start)
        known, stated = np.ones(len(some), bool), np.zeros(len(some), np.int64)
        promise = self.of_case(state, cases, row, [PROMISE])[:, 0]
        for n, one in enumerate(bands):
            band = one.band
            goal = (
                start_work + share_of(limit, band.share) + round(band.edge * self.calendar.day_us)
            )
            credited = self._credited(state, cases, row, start_work, goal, known, stated, band)
            solved = self._solve(credited, band)
            solved = solved if band.exclusive else np.maximum(solved, start)
            out[some, n] = np.where((credited != NEVER) & (solved <= promise), solved, NEVER)
        return out

    def of_days(self, kind: str, row: np.ndarray, bands: Sequence[ClockBand]) -> np.ndarray:
        """Bands of so many days after the start of a run: working days, or those on the wall."""
        start = row[START[kind]]
        known = start != ABSENT
        start = np.where(known, start, 0)
        out = np.full((len(row), len(bands)), NEVER, np.int64)
        for n, one in enumerate(bands):
            if kind == "stall":
                zone = self.calendar.zone
                days = round((one.days * one.band.share + one.band.edge) * DAY_US)
                solved = zone.utc(zone.local(start) + days)
            else:
                solved = self.after(start, one)
            out[:, n] = np.where(known, solved, NEVER)
        return out

    def after(self, start: np.ndarray, one: ClockBand) -> np.ndarray:
        """A band of working days after each start."""
        days = one.days * one.band.share + one.band.edge
        goal = self.calendar.work(start) + round(days * self.calendar.day_us)
        solved = self._solve(goal, one.band)
        return solved if one.band.exclusive else np.maximum(solved, start)

    def of_suspension(self, one: Suspension, band: Band) -> int:
        """A band on one special procedure: working days after its begin."""
        limit = one.days_granted * self.calendar.day_us
        goal = one.begun_work + round(limit * band.share) + round(band.edge * self.calendar.day_us)
        solved = int(self._solve(np.array([goal]), band)[0])
        return solved if band.exclusive else max(solved, one.begun_at)

    def _solve(self, goal: np.ndarray, band: Band) -> np.ndarray:
        return self.calendar.at(goal, "right" if band.exclusive else "left")

    def _credited(
        self, state: CaseState, cases: np.ndarray, row: np.ndarray, start_work: np.ndarray,
        goal: np.ndarray, known: np.ndarray, stated: np.ndarray, band: Band,
    ) -> np.ndarray:  # fmt: skip
        """The goal moved by suspensions; NEVER where one stops the clock for good."""
        suspended = np.flatnonzero(known & ((row["flags"] & SUSPENDED) != 0))
        if not len(suspended):
            return goal
        goal = goal.copy()
        for n in suspended.tolist():
            some = [s for s in state.suspensions[int(cases[n])] if s.order > stated[n]]
            goal[n] = self._credit(some, int(start_work[n]), int(goal[n]), band.exclusive)
        return goal

    def _credit(self, some: list[Suspension], cursor: int, goal: int, exclusive: bool) -> int:
        day = self.calendar.day_us
        for one in sorted(some, key=_by_begin) if len(some) > 1 else some:
            begin = max(one.begun_work, cursor)
            if begin > goal or (begin == goal and not exclusive):
                break  # the edge was crossed before
            if one.days_granted == ABSENT:
                return NEVER
            counted = granted = one.days_granted * day
            if one.ended_work is not None:
                counted = min(max(0, one.ended_work - begin), granted)
            goal += counted
            cursor = begin + counted
        return goal


def limit_days(state: CaseState, row: np.ndarray, clock: Clock) -> np.ndarray:
    """The limit in working days: the last one stated, else the item's; `ABSENT` if unknown."""
    stated = row[clock.limit].astype(np.int64)
    return np.where(stated >= 0, stated, state.flows.number(clock.limit, row["accept_item"]))


def share_of(limit: np.ndarray, share: float) -> np.ndarray:
    """So much of a limit (µs), whole microseconds."""
    if share == 1:
        return limit
    return np.asarray(limit * round(share * 1_000) // 1_000)


def _by_begin(one: Suspension) -> tuple[int, int]:
    return one.begun_at, one.order
