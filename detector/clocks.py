"""Clock rules: the exact instant at which each band of each open case is crossed.

A band's instant is solved once, when something moves it (acceptance, a limit, a suspension, the
close), not polled. Firing compares instants with the watermark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.cases import SUSPENDED, CaseState, Suspension
from detector.columns import Inputs
from detector.event import ACTION
from detector.rulekit import Band, Clock
from detector.values import ABSENT
from detector.workcalendar import NEVER, WorkCalendar

CLOSED, MOVED, LIMIT = "closed_in_time", "suspended", "limit_changed"
SUPERSEDED = "superseded"
_STATED = ("due_at", "promised_days", "statutory_days")  # limits that an event may name


@dataclass(frozen=True)
class ClockBand:
    """One raising band of a clock rule; its place in the list is its column in the case table."""

    rule: int  # index of the rule among the clock rules
    rule_id: str
    band: Band
    clock: Clock


@dataclass
class Fired:
    """Cases whose band was crossed (columns of equal length)."""

    band: int
    case: np.ndarray
    at: np.ndarray


@dataclass
class Moved:
    """Findings of a band whose standing changed; `code` None: it stands again."""

    band: int
    case: np.ndarray
    at: np.ndarray  # the instant that names the finding
    code: str | None
    since: np.ndarray  # when we learnt of it


class Clocks:
    """The clock bands of a rulebook on a district's calendar."""

    def __init__(self, bands: Sequence[ClockBand], calendar: WorkCalendar) -> None:
        self.bands = list(bands)
        self.calendar = calendar
        self.of_rule = [
            [k for k, b in enumerate(self.bands) if b.rule == rule]
            for rule in sorted({b.rule for b in self.bands})
        ]

    def fire(
        self, state: CaseState, cases: np.ndarray, upto: np.ndarray | int
    ) -> list[Fired | Moved]:
        """Raise every band of these cases whose instant is at most `upto`."""
        table = state.table
        moves: list[Fired | Moved] = []
        fresh = np.zeros((len(cases), len(self.bands)), bool)
        instant, raised = table["instant"][cases], table["raised"][cases]
        for k in range(len(self.bands)):
            due = (raised[:, k] == 0) & (instant[:, k] <= upto) & (instant[:, k] < NEVER)
            if due.any():
                fresh[:, k] = due
                raised[due, k] = instant[due, k]
                moves.append(Fired(k, cases[due], instant[due, k]))
        table["raised"][cases] = raised
        for group in self.of_rule:
            for place, k in enumerate(group):
                above = group[place + 1 :]
                topped = (raised[:, k] != 0) & (raised[:, above] != 0).any(axis=1)
                news = fresh[:, k] | fresh[:, above].any(axis=1)
                settled = ((raised[:, above] != 0) & ~fresh[:, above]).any(axis=1) & ~fresh[:, k]
                topped &= news & ~settled
                if topped.any():
                    at = raised[topped, k]
                    since = raised[topped][:, above].max(axis=1)
                    moves.append(Moved(k, cases[topped], at, SUPERSEDED, since))
        self._next_due(state, cases)
        return moves

    def fire_due(self, state: CaseState, upto: int) -> list[Fired | Moved]:
        """Raise whatever is due by `upto`, over all cases."""
        if state.earliest_due > upto:
            return []
        cases = state.due_by(upto)
        moves = self.fire(state, cases, upto) if len(cases) else []
        state.due_by(upto)  # nothing is due any more: how early the next will be
        return moves

    def redate(
        self, state: CaseState, inputs: Inputs, rows: np.ndarray, before: np.ndarray
    ) -> list[Fired | Moved]:
        """Solve the instants anew of the cases that these rows (just applied) may have moved."""
        rows = rows[_moves_a_clock(inputs, rows, before)]
        if not len(rows) or not self.bands:
            return []
        cases = inputs.case[rows]
        self._suspend(state, inputs, rows)
        instant = self._instants_after(state, inputs, rows)
        old = state.table["raised"][cases]
        lost = (old != 0) & (old != instant)
        state.table["instant"][cases] = instant
        state.table["raised"][cases] = raised = np.where(lost, 0, old)
        self._next_due(state, cases)
        return self._withdraw(inputs, rows, old, raised, lost) if lost.any() else []

    def _instants_after(self, state: CaseState, inputs: Inputs, rows: np.ndarray) -> np.ndarray:
        """The instants after these rows: a plain close only cuts off what lies behind it."""
        row = state.rows(inputs.case[rows])
        solve = inputs.action[rows] != ACTION["close"]
        for name in _STATED:
            solve |= getattr(inputs, name)[rows] != ABSENT
        instant = row["instant"]
        instant = np.where(instant < row["close_recorded_at"][:, None], instant, NEVER)
        if solve.any():
            instant[solve] = self.instants(state, inputs.case[rows[solve]])
        return instant

    def instants(self, state: CaseState, cases: np.ndarray) -> np.ndarray:
        """When each band of each case is crossed, NEVER where it is not: (cases, bands)."""
        calendar, day = self.calendar, self.calendar.day_us
        row = state.rows(cases)
        start = np.where(row["accept_event"] >= 0, row["accept_occurred_at"], ABSENT)
        begun = start != ABSENT
        start_work = calendar.work(np.where(begun, start, 0))
        out = np.full((len(cases), len(self.bands)), NEVER, np.int64)
        for group in self.of_rule:
            clock = self.bands[group[0]].clock
            days = self.limit_days(state, row, clock)
            due = row["due_at"] if clock.due else np.full(len(cases), ABSENT)
            has_due = due != ABSENT
            known = begun & (has_due | (days != ABSENT))
            base = np.where(has_due, calendar.work(np.where(has_due, due, 0)), 0)
            base = np.where(has_due, base, start_work + np.where(known, days, 0) * day)
            for k in group:
                band = self.bands[k].band
                goal = base + round(band.edge * day)
                credited = self._credited(state, cases, row, start_work, goal, known, has_due, band)
                solved = calendar.at(
                    np.where(credited == NEVER, goal, credited),
                    "right" if band.exclusive else "left",
                )
                if band.edge == 0:
                    solved = np.where(has_due & (credited == goal), due, solved)
                if not band.exclusive:  # nothing is reached before the clock starts
                    plain_due = has_due & (credited == goal)
                    solved = np.where(plain_due, solved, np.maximum(solved, start))
                good = known & (credited != NEVER) & (solved < row["close_recorded_at"])
                out[:, k] = np.where(good, solved, NEVER)
        return out

    def limit_days(self, state: CaseState, row: np.ndarray, clock: Clock) -> np.ndarray:
        """The limit in working days: the last one stated, else the item's; `ABSENT` if unknown."""
        stated = row[clock.limit].astype(np.int64)
        return np.where(stated >= 0, stated, state.flows.number(clock.limit, row["accept_item"]))

    def _credited(
        self, state: CaseState, cases: np.ndarray, row: np.ndarray, start_work: np.ndarray,
        goal: np.ndarray, known: np.ndarray, has_due: np.ndarray, band: Band,
    ) -> np.ndarray:  # fmt: skip
        """The goal moved by suspensions; NEVER where one stops the clock for good."""
        suspended = np.flatnonzero(known & ((row["flags"] & SUSPENDED) != 0))
        if not len(suspended):
            return goal
        goal = goal.copy()
        for n in suspended.tolist():
            stated = int(row["due_stated"][n]) if has_due[n] else 0
            some = [s for s in state.suspensions[int(cases[n])] if s.order > stated]
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

    def _suspend(self, state: CaseState, inputs: Inputs, rows: np.ndarray) -> None:
        """Enter suspensions begun and ended by these rows."""
        action = inputs.action[rows]
        suspend, resume = action == ACTION["suspend"], action == ACTION["resume"]
        rows, suspend = rows[suspend | resume], suspend[suspend | resume]
        work = self.calendar.work(inputs.occurred_at[rows]).tolist()
        for row, begins, at in zip(rows.tolist(), suspend.tolist(), work, strict=True):
            case, procedure = int(inputs.case[row]), int(inputs.procedure[row])
            if begins:
                one = Suspension(
                    int(inputs.occurred_at[row]), at, int(inputs.days_granted[row]), procedure,
                    int(state.table["events"][case]), int(state.table["previous_event"][case]),
                )  # fmt: skip
                state.suspensions.setdefault(case, []).append(one)
                state.table["flags"][case] |= SUSPENDED
                continue
            for one in state.suspensions.get(case, ()):
                if one.ended_work is None and one.procedure == procedure:
                    one.ended_work = max(one.begun_work, at)
                    break

    def _withdraw(
        self,
        inputs: Inputs,
        rows: np.ndarray,
        old: np.ndarray,
        raised: np.ndarray,
        lost: np.ndarray,
    ) -> list[Fired | Moved]:
        action = inputs.action[rows]
        moves: list[Fired | Moved] = []
        suspension = (action == ACTION["suspend"]) | (action == ACTION["resume"])
        codes = np.where(action == ACTION["close"], 0, np.where(suspension, 1, 2))
        for k in range(len(self.bands)):
            for number, code in enumerate((CLOSED, MOVED, LIMIT)):
                hit = lost[:, k] & (codes == number)
                if hit.any():
                    at = old[hit, k]
                    moves.append(
                        Moved(k, inputs.case[rows[hit]], at, code, inputs.received_at[rows[hit]])
                    )
        for group in self.of_rule:
            for place, k in enumerate(group):
                above = group[place + 1 :]
                again = (raised[:, k] != 0) & lost[:, above].any(axis=1)
                again &= (raised[:, above] == 0).all(axis=1)
                if again.any():
                    at, since = raised[again, k], inputs.received_at[rows[again]]
                    moves.append(Moved(k, inputs.case[rows[again]], at, None, since))
        return moves

    def _next_due(self, state: CaseState, cases: np.ndarray) -> None:
        pending = np.where(state.table["raised"][cases] == 0, state.table["instant"][cases], NEVER)
        due = pending.min(axis=1, initial=NEVER)
        state.set_due(cases, due)


def _by_begin(one: Suspension) -> tuple[int, int]:
    return one.begun_at, one.order


def _moves_a_clock(inputs: Inputs, rows: np.ndarray, before: np.ndarray) -> np.ndarray:
    action = inputs.action[rows]
    first = (action == ACTION["accept"]) & (before["accept_event"] < 0)
    first |= (action == ACTION["close"]) & (before["close_event"] < 0)
    first |= (action == ACTION["suspend"]) | (action == ACTION["resume"])
    for name in _STATED:
        first |= getattr(inputs, name)[rows] != ABSENT
    return first
