"""Clocks of special procedures (特别程序): each suspension of a case has one of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.cases import SUSPENDED, CaseState, Suspension
from detector.event import ACTION
from detector.instants import ClockBand, Solver, variants
from detector.particulars import of_results
from detector.runs import Turn
from detector.values import ABSENT
from detector.workcalendar import NEVER, WorkCalendar

_ENDS = of_results("not_accepted", "returned", "withdrawn", "void")


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
        """Solve the instants of suspensions that were just opened."""
        known = [(n, one) for n, one in begun if one.days_granted != ABSENT]
        if not (self.bands and known):
            return
        state, some = turn.state, [one for _, one in known]
        row = state.rows(turn.cases[[n for n, _ in known]])
        since = np.array([one.begun_at for one in some])
        for mine, places in variants(state, row, since, self.bands[0], self.solver.calendar):
            those = [some[place] for place in places.tolist()]
            instants = self._instants([b.of(mine) for b in self.bands], those)
            for one, instant in zip(those, instants, strict=True):
                one.instant, one.raised = instant, [0] * len(instant)

    def bands_of(self, state: CaseState, case: int, begun_at: int) -> list[ClockBand]:
        """The bands as the rule is set for a suspension of a case, none where it is off."""
        if not self.bands:
            return []
        row, since = state.rows(np.array([case])), np.array([begun_at])
        some = variants(state, row, since, self.bands[0], self.solver.calendar)
        return [b.of(mine) for mine, _ in some for b in self.bands]

    def _solved(self, state: CaseState, case: int, one: Suspension) -> list[int]:
        return self._instants(self.bands_of(state, case, one.begun_at), [one])[0]

    def _instants(self, bands: list[ClockBand], some: list[Suspension]) -> list[list[int]]:
        """When each of these suspensions crosses each band, NEVER those that do not raise."""
        out = np.full((len(some), len(bands)), NEVER)
        for k, one in enumerate(bands):
            if one.band.tier is not None:
                out[:, k] = self.solver.of_suspensions(some, one.band)
        told: list[list[int]] = out.tolist()
        return told

    def fire(self, state: CaseState, case: int, upto: int) -> list[Overrun]:
        """Raise every band of a case's suspensions whose instant is at most `upto`."""
        moves: list[Overrun] = []
        for one in state.suspensions.get(case, ()):
            for k, at in enumerate(one.instant):
                if at <= upto and at < one.until and not one.raised[k]:
                    one.raised[k] = at
                    moves.append(self._move(k, case, at, one))
                    above = max(one.raised[k + 1 :], default=0)
                    if above:
                        moves.append(self._move(k, case, at, one, "superseded", above))
                    for lower in () if above else range(k):
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
            for n in np.flatnonzero(closes & _ENDS[result]).tolist():
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

    def redate_all(self, state: CaseState, before: Sequence[ClockBand], at: int) -> list[Overrun]:
        """Take over suspensions whose bands were those `before`, and date those that go on anew."""
        columns = {(b.rule_id, b.band.code): k for k, b in enumerate(before)}
        was = [columns.get((b.rule_id, b.band.code)) for b in self.bands]
        moves: list[Overrun] = []
        for case, some in state.suspensions.items():
            for one in some:
                if one.days_granted == ABSENT:
                    continue
                known = bool(one.instant)
                one.instant, one.raised = (
                    [nothing if k is None or not known else told[k] for k in was]
                    for told, nothing in ((one.instant, NEVER), (one.raised, 0))
                )
                if one.until == NEVER:
                    moves += self._redate(state, case, one, at)
        return moves

    def _redate(self, state: CaseState, case: int, one: Suspension, since: int) -> list[Overrun]:
        one.instant = self._solved(state, case, one) or [NEVER] * len(self.bands)
        pairs = zip(one.raised, one.instant, strict=True)
        lost = [k for k, (raised, at) in enumerate(pairs) if raised and raised != at]
        moves = [self._move(k, case, one.raised[k], one, "limit_changed", since) for k in lost]
        for k in lost:
            one.raised[k] = 0
        left = [k for k, at in enumerate(one.raised) if at]
        if lost and left and left[-1] < lost[-1]:
            moves.append(self._move(left[-1], case, one.raised[left[-1]], one, None, since))
        return moves

    def covered(self, state: CaseState, old: WorkCalendar, new: WorkCalendar) -> list[Overrun]:
        """What was raised at tier 0 in a year that only the new calendar covers: raised again."""
        moves: list[Overrun] = []
        for case, some in state.suspensions.items() if self.bands else ():
            for one in some:
                if not any(one.raised):
                    continue
                bands = self.bands_of(state, case, one.begun_at)
                for k, (band, at) in enumerate(zip(bands, one.raised, strict=False)):
                    if not at or not band.band.tier:
                        continue
                    if old.provisional(at) and not new.provisional(at):
                        moves.append(self._move(k, case, at, one))
                        above = max(one.raised[k + 1 :], default=0)
                        if above:
                            moves.append(self._move(k, case, at, one, "superseded", above))
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
            for n in suspended.nonzero()[0].tolist():
                for one in state.suspensions.get(int(cases[n]), ()):
                    for at, raised in zip(one.instant, one.raised, strict=True):
                        if not raised and at < one.until:
                            due[n] = min(due[n], at)
        return due
