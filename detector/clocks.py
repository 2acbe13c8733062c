"""Clock rules: raise each band of each open case at the exact instant at which it is crossed.

A band's instant is solved once, when something moves it (acceptance, a limit, a suspension, the
next step, the close), not polled. Firing compares instants with the watermark.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.cases import SUSPENDED, CaseState, Suspension
from detector.columns import of_actions
from detector.event import ACTION
from detector.instants import ClockBand, Solver, variants
from detector.procedures import Overrun, Procedures
from detector.runs import KINDS, START, Turn
from detector.values import ABSENT
from detector.workcalendar import NEVER, WorkCalendar

CLOSED, MOVED, LIMIT = "closed_in_time", "suspended", "limit_changed"
SUPERSEDED = "superseded"


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


Move = Fired | Moved | Overrun
_SUSPENDS = of_actions("suspend", "resume")


class Clocks:
    """The clock bands of a rulebook on a district's calendar."""

    def __init__(self, bands: Sequence[ClockBand], calendar: WorkCalendar) -> None:
        self.solver = Solver(calendar)
        self.calendar = calendar
        self.bands = [b for b in bands if b.clock.kind != "procedure"]
        overruns = [b for b in bands if b.clock.kind == "procedure"]
        self.procedures = Procedures(overruns, self.solver)
        self.of_rule = [
            [k for k, b in enumerate(self.bands) if b.rule == rule]
            for rule in sorted({b.rule for b in self.bands})
        ]
        self.kinds: dict[str, list[list[int]]] = {}  # kind → groups of columns, a group a rule
        for group in self.of_rule:
            self.kinds.setdefault(self.bands[group[0]].clock.kind, []).append(group)
        self._stalls = [k for group in self.kinds.get("stall", ()) for k in group]

    # -- firing -------------------------------------------------------------------------------

    def fire(self, state: CaseState, cases: np.ndarray, upto: np.ndarray | int) -> list[Move]:
        """Raise every band of these cases whose instant is at most `upto`."""
        table = state.table
        moves: list[Move] = []
        instant, raised = table["instant"][cases], table["raised"][cases]
        if self._stalls:
            self._settle_stalls(state, cases, instant, raised, upto)
        last = np.minimum(np.asarray(upto).reshape(-1, 1), NEVER - 1)
        fresh = (raised == 0) & (instant <= last)
        raised[fresh] = instant[fresh]
        some = fresh.any(axis=0)
        for k in some.nonzero()[0].tolist():
            moves.append(Fired(k, cases[fresh[:, k]], instant[fresh[:, k], k]))
        table["raised"][cases] = raised
        for group in self.of_rule:
            for place, k in enumerate(group[:-1]) if some[group].any() else ():
                above = group[place + 1 :]
                topped = (raised[:, k] != 0) & (raised[:, above] != 0).any(axis=1)
                news = fresh[:, k] | fresh[:, above].any(axis=1)
                settled = ((raised[:, above] != 0) & ~fresh[:, above]).any(axis=1) & ~fresh[:, k]
                topped &= news & ~settled
                if topped.any():
                    at = raised[topped, k]
                    # by the first of the higher bands, however many are crossed at once
                    higher = raised[topped][:, above]
                    since = np.where(higher == 0, NEVER, higher).min(axis=1)
                    moves.append(Moved(k, cases[topped], at, SUPERSEDED, since))
        if self.procedures.bands and state.suspensions:
            latest = np.broadcast_to(np.asarray(upto), len(cases)).tolist()
            for case, end in zip(cases.tolist(), latest, strict=True):
                moves += self.procedures.fire(state, case, end)
        self._next_due(state, cases)
        return moves

    def _settle_stalls(
        self, state: CaseState, cases: np.ndarray, instant: np.ndarray, raised: np.ndarray,
        upto: np.ndarray | int,
    ) -> None:  # fmt: skip
        """A stall's instant is kept as it was first solved, since every event only puts it off; it
        is solved anew when it seems to be due."""
        columns = self._stalls
        due = ((raised[:, columns] == 0) & (instant[:, columns] < NEVER)).any(axis=1)
        due &= (instant[:, columns].min(axis=1) <= upto) & (state.table["close_event"][cases] < 0)
        if due.any():
            instant[due] = self._with_stalls(state, cases[due], instant[due])
            state.table["instant"][cases] = instant

    def _with_stalls(self, state: CaseState, cases: np.ndarray, instant: np.ndarray) -> np.ndarray:
        for group in self.kinds["stall"]:
            instant[:, group] = self.solved(state, cases, state.rows(cases), "stall", group)
        return instant

    def fire_due(self, state: CaseState, upto: int) -> list[Move]:
        """Raise whatever is due by `upto`, over all cases."""
        if state.earliest_due > upto:
            return []
        cases = state.due_by(upto)
        moves = self.fire(state, cases, upto) if len(cases) else []
        state.due_by(upto)  # nothing is due any more: how early the next will be
        return moves

    # -- what moves a clock -------------------------------------------------------------------

    def redate(self, turn: Turn) -> list[Move]:
        """Solve the instants anew of the cases that these events (just applied) may have moved."""
        touched = np.zeros(len(turn.rows), bool)
        moves: list[Move] = []
        for kind, (enter, actions) in KINDS.items():  # remembered also where no rule asks
            if not turn.has(*actions):
                continue
            ends, begins = enter(turn)
            groups = self.kinds.get(kind)
            if groups:
                moves += self._runs(turn, kind, groups, ends, begins, touched)
        moved = _moves_a_clock(turn)
        ended: list[tuple[int, Suspension]] = []
        if moved.any():
            begun, ended = self._suspend(turn)
            self.procedures.enter(turn, begun)
            moves += self._redate(turn, moved.nonzero()[0])
        moves += self.procedures.end(turn, ended)
        touched |= moved | (turn.action == ACTION["close"])
        if touched.any():
            self._next_due(turn.state, turn.cases[touched])
        return moves

    def _runs(
        self, turn: Turn, kind: str, groups: list[list[int]], ends: np.ndarray,
        begins: np.ndarray, touched: np.ndarray,
    ) -> list[Move]:  # fmt: skip
        """Runs of one kind that these events end and begin."""
        table, moves = turn.state.table, list[Move]()
        columns = [k for group in groups for k in group]
        if kind == "stall":  # a later record only puts it off, unless something was raised
            first = begins & (turn.before["latest_recorded_at"] == ABSENT)
            loud = (turn.before["raised"][:, columns] != 0).any(axis=1)
            ends, begins = ends & (loud | turn.first_close), first | (begins & loud)
        some = (ends | begins).nonzero()[0]
        if not len(some):
            return moves
        touched[some] = True
        cases, recorded = turn.cases[some], turn.recorded[some]
        instant, raised = table["instant"][cases], table["raised"][cases]
        if kind == "stall" and turn.first_close[some].any():
            closes = turn.first_close[some]
            instant[closes] = self._with_stalls(turn.state, cases[closes], instant[closes])
        if raised.any():
            old = raised.copy()
            late = (old != 0) & (old >= recorded[:, None]) & ends[some][:, None]
            lost = np.zeros_like(late)
            lost[:, columns] = late[:, columns]
            raised[lost] = 0
            if lost.any():
                since = turn.inputs.received_at[turn.rows[some]]
                moves += self.withdraw(groups, cases, old, raised, lost, since, CLOSED)
        starts, stops = begins[some], ends[some] & ~begins[some]
        begun = cases[starts]
        row = turn.state.rows(begun)
        for group in groups:
            told = instant[:, group]
            told[stops[:, None] & (told >= recorded[:, None])] = NEVER
            if len(begun):
                solved = self.solved(turn.state, begun, row, kind, group)
                told[starts] = self.within(turn.state, begun, row, kind, solved)
                raised[:, group] = np.where(starts[:, None], 0, raised[:, group])
            instant[:, group] = told
        table["instant"][cases], table["raised"][cases] = instant, raised
        return moves

    def solved(
        self, state: CaseState, cases: np.ndarray, row: np.ndarray, kind: str, group: list[int]
    ) -> np.ndarray:
        """Instants of one rule's bands, as it is set for each case: (cases, bands of the group).
        `row`: the rows of these cases."""
        bands = [self.bands[k] for k in group]
        configured = bands[0].configured
        if configured is None or not configured.overrides:
            return self._solved_alike(state, cases, row, kind, bands)
        out = np.full((len(cases), len(bands)), NEVER)
        for one, some in variants(state, row, row[START[kind]], bands[0], self.calendar):
            mine = [b.of(one) for b in bands]
            part = self._solved_alike(state, cases[some], row.take(some), kind, mine)
            part[:, [b.band.tier is None for b in mine]] = NEVER
            out[some] = part
        return out

    def within(
        self, state: CaseState, cases: np.ndarray, row: np.ndarray, kind: str, solved: np.ndarray
    ) -> np.ndarray:
        """Instants that may raise: before the close, and of a step while the case is in time."""
        if kind in ("case", "step"):
            good = solved < row["close_recorded_at"][:, None]
            if kind == "step" and (solved < NEVER).any():
                good &= solved <= self.solver.of_promise(state, cases, row)[:, None]
            return np.where(good, solved, NEVER)
        return solved

    def _solved_alike(
        self, state: CaseState, cases: np.ndarray, row: np.ndarray, kind: str,
        bands: list[ClockBand],
    ) -> np.ndarray:  # fmt: skip
        if kind == "case":
            return self.solver.of_case(state, cases, row, bands)
        if kind == "step":
            return self.solver.of_step(state, cases, row, bands)
        return self.solver.of_days(kind, row, bands)

    def _redate(self, turn: Turn, moved: np.ndarray) -> list[Move]:
        """Bands that rest on acceptance, limits and suspensions, and those that end with them."""
        state, inputs, rows = turn.state, turn.inputs, turn.rows[moved]
        cases = inputs.case[rows]
        instant = state.table["instant"][cases]
        close = state.table["close_recorded_at"][cases]
        # a plain close only cuts off what follows
        solve = (inputs.action[rows] != ACTION["close"]) | turn.step.limited[rows]
        old = state.table["raised"][cases]
        lost = np.zeros_like(old, bool)
        groups = [g for kind in ("case", "step") for g in self.kinds.get(kind, ())]
        some = cases[solve]
        row = state.rows(some)
        for group in groups:
            raised, before = old[:, group], instant[:, group]
            kind = self.bands[group[0]].clock.kind
            told = np.where(before < close[:, None], before, NEVER)
            holds = (raised == told) | (kind == "step")  # a step's run ends with the close
            if len(some):
                solved = self.solved(state, some, row, kind, group)
                told[solve] = within = self.within(state, some, row, kind, solved)
                # what a step raised while its case was in time is not undone by a promise
                holds[solve] = raised[solve] == (solved if kind == "step" else within)
            instant[:, group] = told
            lost[:, group] = (raised != 0) & ~holds
        state.table["instant"][cases] = instant
        state.table["raised"][cases] = raised = np.where(lost, 0, old)
        moves: list[Move] = []
        if lost.any():
            action, since = inputs.action[rows], inputs.received_at[rows]
            codes = np.where(action == ACTION["close"], 0, np.where(_SUSPENDS[action], 1, 2))
            for number, code in enumerate((CLOSED, MOVED, LIMIT)):
                some = codes == number
                if (lost & some[:, None]).any():
                    moves += self.withdraw(
                        groups, cases[some], old[some], raised[some], lost[some], since[some], code
                    )
        return moves

    def withdraw(
        self, groups: list[list[int]], cases: np.ndarray, old: np.ndarray, raised: np.ndarray,
        lost: np.ndarray, since: np.ndarray, code: str,
    ) -> list[Move]:  # fmt: skip
        """Findings that no longer hold, and the lower ones that stand again."""
        moves: list[Move] = []
        for group in groups:
            for place, k in enumerate(group):
                hit, above = lost[:, k], group[place + 1 :]
                if hit.any():
                    moves.append(Moved(k, cases[hit], old[hit, k], code, since[hit]))
                again = (raised[:, k] != 0) & lost[:, above].any(axis=1)
                again &= (raised[:, above] == 0).all(axis=1)
                if again.any():
                    moves.append(Moved(k, cases[again], raised[again, k], None, since[again]))
        return moves

    def _suspend(
        self, turn: Turn
    ) -> tuple[list[tuple[int, Suspension]], list[tuple[int, Suspension]]]:
        """Enter suspensions begun and ended by these events; both with the place of the event."""
        state, inputs = turn.state, turn.inputs
        begun: list[tuple[int, Suspension]] = []
        ended: list[tuple[int, Suspension]] = []
        if not turn.has("suspend", "resume"):
            return begun, ended
        suspends, some = turn.action == ACTION["suspend"], _SUSPENDS[turn.action].nonzero()[0]
        work = self.calendar.work(inputs.occurred_at[turn.rows[some]]).tolist()
        for n, at in zip(some.tolist(), work, strict=True):
            row, case = int(turn.rows[n]), int(turn.cases[n])
            procedure = int(inputs.procedure[row])
            if suspends[n]:
                one = Suspension(
                    int(inputs.occurred_at[row]), at, int(inputs.days_granted[row]), procedure,
                    int(state.table["events"][case]), int(turn.step.refs[row]),
                )  # fmt: skip
                state.suspensions.setdefault(case, []).append(one)
                state.table["flags"][case] |= SUSPENDED
                begun.append((n, one))
                continue
            for one in state.suspensions.get(case, ()):
                if one.ended_work is None and one.procedure == procedure:
                    one.ended_work = max(one.begun_work, at)
                    one.ended_at = int(inputs.occurred_at[row])
                    ended.append((n, one))
                    break
        return begun, ended

    def settle_due(self, state: CaseState) -> None:
        """How early the next instant of every case will be, whatever was noted of it before."""
        self._next_due(state, np.arange(len(state.table)))

    def _next_due(self, state: CaseState, cases: np.ndarray) -> None:
        pending = np.where(state.table["raised"][cases] == 0, state.table["instant"][cases], NEVER)
        due = pending.min(axis=1, initial=NEVER)
        if self.procedures.bands and state.suspensions:
            due = np.minimum(due, self.procedures.due(state, cases))
        state.set_due(cases, due)


def _moves_a_clock(turn: Turn) -> np.ndarray:
    """Does it begin, end or move the clock of acceptance → close."""
    moves = turn.step.limited[turn.rows] | turn.first_close
    if turn.has("accept"):
        moves |= (turn.action == ACTION["accept"]) & (turn.before["accept_event"] < 0)
    if turn.has("suspend", "resume"):
        moves |= _SUSPENDS[turn.action]
    return moves
