"""When each band of each clock of a case is crossed, solved from the case's row.

An instant is solved once, when something moves it; from then on it is only compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detector.cases import SUSPENDED, CaseState, Suspension
from detector.rulekit import Band, Clock
from detector.runs import START
from detector.shelf import Configured
from detector.values import ABSENT, DAY_US
from detector.workcalendar import NEVER, WorkCalendar


@dataclass(frozen=True)
class ClockBand:
    """One raising band of a clock rule; its place in the list is its column in the case table."""

    rule: int  # index of the rule among the clock rules
    rule_id: str
    band: Band
    clock: Clock
    configured: Configured | None  # the rule as it is set for the cases at hand

    @property
    def days(self) -> int:
        """The limit in days that the rule itself sets."""
        assert self.configured is not None
        return int(getattr(self.configured.params, self.clock.limit))

    def of(self, configured: Configured) -> ClockBand:
        """The same band as other settings of the rule have it."""
        code = self.band.code
        band = next(b for b in configured.rule.bands if b.code == code)
        return replace(self, band=band, configured=configured)


PROMISE = ClockBand(
    -1, "", Band("overdue", 0, 2, exclusive=True), Clock("promised_days", "due_at"), None
)


def variants(
    state: CaseState, row: np.ndarray, since: np.ndarray, band: ClockBand, calendar: WorkCalendar
) -> Iterator[tuple[Configured, np.ndarray]]:
    """The settings of a clock rule for each case, by its item and department, on the local day on
    which its clock began; those where the rule is off are left out."""
    configured = band.configured
    assert configured is not None
    if not configured.overrides:
        yield configured, np.arange(len(row))
        return
    items = state.words.item.texts(row["accept_item"])
    departments = state.words.department.texts(row["accept_department"])
    days = calendar.day(np.where(since == ABSENT, 0, since)).tolist()
    told = zip(items, departments, days, strict=True)
    yield from configured.split((item, department, None, day) for item, department, day in told)


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
        known = begun & (days != ABSENT)
        limit, stated = np.where(known, days, 0) * day, np.zeros(len(cases), np.int64)
        due, some_due = row["due_at"], False
        if clock.due:
            has_due = due != ABSENT
            some_due = bool(has_due.any())
        if some_due:
            known |= begun & has_due
            target = calendar.work(np.where(has_due, due, 0))
            limit = np.where(has_due, target - start_work, limit)
            stated = np.where(has_due, row["due_stated"], 0)
        suspended = known & ((row["flags"] & SUSPENDED) != 0)
        out = np.full((len(cases), len(bands)), NEVER, np.int64)
        for n, one in enumerate(bands):
            band = one.band
            goal = start_work + share_of(limit, band) + round(band.edge * day)
            credited = self._credited(state, cases, start_work, goal, suspended, stated, band)
            solved = self._solve(credited, band)
            plain_due = has_due & (credited == goal) if some_due else np.False_
            if some_due and band.edge == 0 and band.share == 1:
                solved = np.where(plain_due, due, solved)
            if not band.exclusive:  # nothing is reached before the clock starts
                solved = np.where(plain_due, solved, np.maximum(solved, start))
            out[:, n] = np.where(known & (credited != NEVER), solved, NEVER)
        return out

    def of_step(
        self, state: CaseState, cases: np.ndarray, row: np.ndarray, bands: Sequence[ClockBand]
    ) -> np.ndarray:
        """Bands on the step that a case is held in."""
        start = row["held_from"]
        runs = start != ABSENT
        limit = state.flows.next_limit[np.where(runs, row["held_entry"], 0)]
        known = runs & (limit != ABSENT)
        out = np.full((len(cases), len(bands)), NEVER, np.int64)
        some = known.nonzero()[0]
        if not len(some):
            return out
        cases, start, limit = cases[some], start[some], limit[some]
        start_work = self.calendar.work(start)
        suspended = (row["flags"][some] & SUSPENDED) != 0
        stated = np.zeros(len(some), np.int64)
        for n, one in enumerate(bands):
            band = one.band
            goal = start_work + share_of(limit, band) + round(band.edge * self.calendar.day_us)
            credited = self._credited(state, cases, start_work, goal, suspended, stated, band)
            solved = self._solve(credited, band)
            solved = solved if band.exclusive else np.maximum(solved, start)
            out[some, n] = np.where(credited != NEVER, solved, NEVER)
        return out

    def of_promise(self, state: CaseState, cases: np.ndarray, row: np.ndarray) -> np.ndarray:
        """The last instant at which each case is in time with its promise, NEVER without one."""
        return self.of_case(state, cases, row, [PROMISE])[:, 0]

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

    def of_suspensions(self, some: Sequence[Suspension], band: Band) -> np.ndarray:
        """A band on each of these special procedures: working days after its begin."""
        told = [(one.days_granted, one.begun_work, one.begun_at) for one in some]
        days, begun_work, begun_at = np.array(told, np.int64).T
        limit = share_of(days * self.calendar.day_us, band)
        goal = begun_work + limit + round(band.edge * self.calendar.day_us)
        solved = self._solve(goal, band)
        return solved if band.exclusive else np.maximum(solved, begun_at)

    def _solve(self, goal: np.ndarray, band: Band) -> np.ndarray:
        return self.calendar.at(goal, "right" if band.exclusive else "left")

    def _credited(
        self, state: CaseState, cases: np.ndarray, start_work: np.ndarray, goal: np.ndarray,
        suspended: np.ndarray, stated: np.ndarray, band: Band,
    ) -> np.ndarray:  # fmt: skip
        """The goal moved by suspensions; NEVER where one stops the clock for good."""
        rows = suspended.nonzero()[0].tolist()
        if not rows:
            return goal
        goal = goal.copy()
        for n in rows:
            some = [s for s in state.suspensions[int(cases[n])] if s.order > stated[n]]
            goal[n] = self._credit(some, int(start_work[n]), int(goal[n]), band.exclusive)
        return goal

    def _credit(self, some: list[Suspension], cursor: int, goal: int, exclusive: bool) -> int:
        for begin, end in pauses(some, cursor, self.calendar.day_us):
            if begin > goal or (begin == goal and not exclusive):
                break  # the edge was crossed before
            if end == NEVER:
                return NEVER
            goal += end - begin
        return goal


def pauses(some: Iterable[Suspension], cursor: int, day_us: int) -> Iterator[tuple[int, int]]:
    """The stretches of working time after `cursor` (µs) that suspensions take out, in order; the
    end is `NEVER` where neither an end nor days were said."""
    for one in sorted(some, key=_by_begin):
        begin = max(one.begun_work, cursor)
        if one.days_granted == ABSENT:
            yield begin, NEVER
            return
        counted = granted = one.days_granted * day_us
        if one.ended_work is not None:
            counted = min(max(0, one.ended_work - begin), granted)
        cursor = begin + counted
        yield begin, cursor


def limit_days(state: CaseState, row: np.ndarray, clock: Clock) -> np.ndarray:
    """The limit in working days: the last one stated, else the item's; `ABSENT` if unknown."""
    stated = row[clock.limit].astype(np.int64)
    return np.where(stated >= 0, stated, state.flows.number(clock.limit, row["accept_item"]))


def share_of(limit: np.ndarray, band: Band) -> np.ndarray:
    """A band's share of limits (µs): the first whole microsecond that reaches it, or the last that
    does not exceed it."""
    if band.share == 1:
        return limit
    thousandths = limit * round(band.share * 1_000)
    return np.asarray(thousandths // 1_000 if band.exclusive else -(-thousandths // 1_000))


def _by_begin(one: Suspension) -> tuple[int, int]:
    return one.begun_at, one.order
