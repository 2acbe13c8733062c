"""The other clocks of a case: application, licence, step, silence and special procedure.

A clock begins with an event and runs until another stops it. Which bands stand at the end is told
from the instants alone: those that came before the stop was recorded, the highest of each run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.event import ACTION
from detector.simulate.deadlines import Deadlines, tell_clock
from detector.simulate.deeds import GRANTED, NOT_ACCEPTED, VOID, WITHDRAWN, is_one
from detector.simulate.plan import GRANTED_DAYS
from detector.simulate.rows import Rows, Truth
from detector.simulate.stream import US
from detector.workcalendar import NEVER

APPLICATION_DAYS, ISSUE_DAYS, SILENT_DAYS = 2, 3, 90
DAY_US = 86_400 * US
STEPS_MAX = 64  # of a flow


@dataclass
class Runs:
    """Runs of one rule's clock (one element a run) and the instants of its bands, rising."""

    rule: str
    begin: np.ndarray  # row of the event of the run
    stop: np.ndarray  # row of the event that ends it, -1 for none
    bands: list[tuple[int, np.ndarray]]  # tier, instant L in µs UTC, NEVER for none

    def first(self) -> np.ndarray:
        """The instant of the lowest band."""
        return self.bands[0][1]

    def tell(self, r: Rows, truth: Truth, until_us: int) -> None:
        """The highest band of each run that came before the run was stopped."""
        stopped = np.where(self.stop >= 0, r.s.recorded[self.stop] * US, NEVER)
        open_until = np.minimum(stopped, until_us + 1)
        untold = ~r.s.imported[self.begin]
        for tier, at in reversed(self.bands):
            stands = untold & (at < open_until)
            untold &= ~stands
            tell_clock(r, truth, self.rule, self.begin[stands], tier, at[stands])


def following(r: Rows, mask: np.ndarray) -> np.ndarray:
    """The next marked row of the same case behind each row, -1 for none."""
    far = len(mask)
    marked = np.where(mask, r.rows, far)
    behind = np.minimum.accumulate(np.append(marked, far)[::-1])[::-1][1:]
    case = r.s.case
    same = (behind < far) & (case[np.minimum(behind, far - 1)] == case)
    return np.where(same, behind, -1)


def all_runs(r: Rows, deadlines: Deadlines) -> list[Runs]:
    """Every run of every clock."""
    return [
        applications(r), licences(r), steps(r, deadlines), silences(r), procedures(r, deadlines),
    ]  # fmt: skip


def _in_days(r: Rows, rows: np.ndarray, days: int, side: str = "right") -> np.ndarray:
    start = r.s.occurred[rows] * US
    at = r.calendar.add(start, days * r.calendar.day_us, side)
    return np.maximum(at, start) if side == "left" else at


def applications(r: Rows) -> Runs:
    """From an application, or its correction, to an answer."""
    answers = r.does("accept", "return", "correct", "decide", "close")
    before = r.action[r.accept] != ACTION["accept"]
    fresh = r.first | np.concatenate([[True], answers[:-1]])
    begin = np.flatnonzero(r.does("apply", "preaccept", "corrected") & before & fresh)
    more = ((1, 0), (2, 3), (3, 5))
    bands = [(tier, _in_days(r, begin, APPLICATION_DAYS + days)) for tier, days in more]
    return Runs("overdue_acceptance", begin, following(r, answers)[begin], bands)


def licences(r: Rows) -> Runs:
    """From a close that grants to the licence, where it was not issued before."""
    issues = r.does("issue")
    so_far = np.cumsum(issues)
    none_yet = so_far == (so_far - issues)[r.begins]
    has = (r.plan.action == ACTION["issue"]).any(axis=1)[r.s.item]
    grants = r.does("close") & (r.outcome == GRANTED) & ~is_one(r.deed, "unlisted")
    begin = np.flatnonzero(grants & none_yet & has)
    stop = following(r, issues)[begin]
    return Runs("overdue_issue", begin, stop, [(2, _in_days(r, begin, ISSUE_DAYS))])


def _rising(r: Rows, values: np.ndarray, most: int) -> np.ndarray:
    """Rows whose value (0 … most − 1) is greater than all before it in the case."""
    lifted = r.s.case.astype(np.int64) * most + values
    before = np.concatenate([[-1], np.maximum.accumulate(lifted)[:-1]])
    told: np.ndarray = lifted > before
    return told


def steps(r: Rows, deadlines: Deadlines) -> Runs:
    """From each step of the flow to the next, while the promise is kept."""
    closes = r.does("close")
    closed = np.cumsum(closes)
    open_yet = (closed == (closed - closes)[r.begins]) & ~is_one(r.deed, "unlisted")
    moves = _rising(r, r.place + 1, STEPS_MAX) & (r.place >= 0) & open_yet
    stop = following(r, moves | closes)
    held_s = r.plan.flow.held_s[r.s.item, r.s.slot]
    begin = np.flatnonzero(moves & (held_s > 0))
    start, limit = r.s.occurred[begin] * US, held_s[begin] * US
    over = deadlines.by_case(deadlines.over)[r.s.case[begin]]
    bands = []
    for tier, amount, side in ((0, limit * 4 // 5, "left"), (1, limit, "right")):
        at = deadlines.crossing(begin, start, amount, side)
        bands.append((tier, np.where(at <= over, at, NEVER)))
    return Runs("overdue_step", begin, stop[begin], bands)


def silences(r: Rows) -> Runs:
    """From each record to the next."""
    closes = r.does("close")
    closed = np.cumsum(closes)
    open_yet = closed == (closed - closes)[r.begins]
    since = r.s.recorded - int(r.s.recorded.min())
    touches = _rising(r, since, int(since.max()) + 1) & open_yet
    begin = np.flatnonzero(touches)
    stop = following(r, touches | closes)[begin]
    at = r.s.recorded[begin] * US + SILENT_DAYS * DAY_US
    return Runs("stalled_case", begin, stop, [(1, at)])


def procedures(r: Rows, deadlines: Deadlines) -> Runs:
    """From a suspension to its end, or to the end of a case that is given up."""
    begin = np.flatnonzero(r.does("suspend"))
    gives_up = r.does("close") & np.isin(r.outcome, [NOT_ACCEPTED, WITHDRAWN, VOID])
    end, given_up = deadlines.suspensions.end[begin], following(r, gives_up)[begin]
    first = (end >= 0) & ((given_up < 0) | (end < given_up))
    stop = np.where(first, end, given_up)
    bands = [
        (tier, _in_days(r, begin, GRANTED_DAYS + more, side))
        for tier, more, side in ((0, -2, "left"), (2, 0, "right"), (3, 1, "right"))
    ]
    return Runs("overdue_procedure", begin, stop, bands)


def latest(r: Rows, deadlines: Deadlines, runs: list[Runs]) -> np.ndarray:
    """Until when each row may be recorded (seconds UTC) before a clock speaks."""
    told = np.full(len(r.rows), NEVER)
    for some in runs:
        stopped = some.stop >= 0
        np.minimum.at(told, some.stop[stopped], some.first()[stopped])
    closed = deadlines.close >= 0
    np.minimum.at(told, deadlines.close[closed], deadlines.soon[closed])
    return told // US
