"""Clocks of special procedures (特别程序): each suspension of a case has one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.cases import SUSPENDED, CaseState, Suspension
from detector.event import ACTION
from detector.instants import ClockBand, Solver, variants
from detector.particulars import RESULT
from detector.runs import Turn
from detector.values import ABSENT
from detector.workcalendar import NEVER

_ENDS = [RESULT[name] for name in ("not_accepted", "returned", "withdrawn", "void")]


@dataclass
class Overrun:
    """A band that a suspension crossed, or whose standing changed."""

    band: int
    case: int
    at: int
    event: int  # reference of the suspension
    procedure: int
    days: int
    begun_at: int
    code: str | None = ""  # "": raised; None: it stands again
    since: int = 0


class Procedures:
    """The bands of the rule about special procedures, on every suspension."""

    def __init__(self, bands: Sequence[ClockBand], solver: Solver) -> None:
        self.bands = list(bands)
        self.solver = solver

    def enter(self, turn: Turn, begun: list[tuple[int, Suspension]]) -> None:
        """Solve the instants of suspensions that were just opened, as the rule is set for their
        cases."""
        calendar = self.solver.calendar
        for n, one in begun if self.bands else ():
            if one.days_granted == ABSENT:
                continue
            row, since = turn.state.rows(turn.cases[n : n + 1]), np.array([one.begun_at])
            some = variants(turn.state, row, since, self.bands[0], calendar)
            bands = [b.of(mine).band for mine, _ in some for b in self.bands]
            one.instant = [
                self.solver.of_suspension(one, b) if b.tier is not None else NEVER for b in bands
            ]
            one.raised = [0] * len(bands)

    def fire(self, state: CaseState, case: int, upto: int) -> list[Overrun]:
        """Raise every band of a case's suspensions whose instant is at most `upto`."""
        moves: list[Overrun] = []
        for one in state.suspensions.get(case, ()):
            for k, at in enumerate(one.instant):
                if at <= upto and at < one.until and not one.raised[k]:
                    one.raised[k] = at
                    moves.append(self._move(k, case, at, one))
                    for lower in range(k):
                        if one.raised[lower] and not any(one.raised[lower + 1 : k]):
                            was = one.raised[lower]
                            moves.append(self._move(lower, case, was, one, "superseded", at))
        return moves

    def end(self, turn: Turn, ended: list[tuple[int, Suspension]]) -> list[Overrun]:
        """Stop the clocks of suspensions that were ended, and those of cases that ended unlawfully
        or unfinished."""
        closes = turn.action == ACTION["close"]
        if closes.any() and turn.state.suspensions:
            result = turn.inputs.words.told.result(turn.inputs.told[turn.rows])
            for n in np.flatnonzero(closes & np.isin(result, _ENDS)).tolist():
                some = turn.state.suspensions.get(int(turn.cases[n]), ())
                ended = ended + [(n, one) for one in some]
        moves: list[Overrun] = []
        for n, one in ended:
            if one.until == NEVER:
                one.until = int(turn.recorded[n])
                received = int(turn.inputs.received_at[turn.rows[n]])
                moves += self._withdraw(one, int(turn.cases[n]), received)
        return moves

    def _withdraw(self, one: Suspension, case: int, since: int) -> list[Overrun]:
        moves, lost = [], [k for k, at in enumerate(one.raised) if at and at >= one.until]
        for k in lost:
            moves.append(self._move(k, case, one.raised[k], one, "closed_in_time", since))
            one.raised[k] = 0
        left = [k for k, at in enumerate(one.raised) if at]
        if lost and left:
            moves.append(self._move(left[-1], case, one.raised[left[-1]], one, None, since))
        return moves

    def _move(
        self, k: int, case: int, at: int, one: Suspension, code: str | None = "", since: int = 0
    ) -> Overrun:
        return Overrun(
            k, case, at, one.event, one.procedure, one.days_granted, one.begun_at, code, since
        )

    def due(self, state: CaseState, cases: np.ndarray) -> np.ndarray:
        """The earliest instant of each case's suspensions that has not fired."""
        due = np.full(len(cases), NEVER)
        if self.bands and state.suspensions:
            suspended = (state.table["flags"][cases] & SUSPENDED) != 0
            for n in np.flatnonzero(suspended).tolist():
                for one in state.suspensions.get(int(cases[n]), ()):
                    for at, raised in zip(one.instant, one.raised, strict=True):
                        if not raised and at < one.until:
                            due[n] = min(due[n], at)
        return due
