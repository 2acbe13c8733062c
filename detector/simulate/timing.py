"""What is done at the very instant of a limit, and hours at which nobody should work."""

from __future__ import annotations

import numpy as np

from detector.simulate.deadlines import Deadlines
from detector.simulate.deeds import ISSUED_LAST
from detector.simulate.plan import SECOND
from detector.simulate.rows import Rows
from detector.simulate.runs import SILENT_DAYS, Runs
from detector.simulate.stream import US

HOUR_S, DAY_S = 3_600, 86_400
CLEAR_S = 7_200  # between a record out of hours and the next of its case


def issue_last(r: Rows) -> None:
    """Some licences are issued when the case is closed already."""
    rows = r.some(*ISSUED_LAST, where=r.does("close"))
    r.swap(rows[r.does("issue")[rows - 1]])


def hear_at_once(r: Rows) -> None:
    """Some second procedures begin before the first has ended."""
    plan, s = r.plan, r.s
    second = plan.group[s.item, s.slot] == SECOND
    r.swap(r.some("heard_at_once", where=r.does("suspend") & second))


def to_the_second(r: Rows, deadlines: Deadlines, runs: list[Runs]) -> None:
    """Some work is done at the instant of a limit: that is in time."""
    deadlines.close_on_time()
    by_rule = {some.rule: some for some in runs}
    acceptance, licence = by_rule["overdue_acceptance"], by_rule["overdue_issue"]
    _at(r, acceptance, "accepted_at_limit", r.does("accept"), 0)
    _at(r, licence, "issued_at_limit", r.does("issue"), 0)
    step, procedure = by_rule["overdue_step"], by_rule["overdue_procedure"]
    _at(r, step, "step_at_signal", r.does("step", "decide"), 0, early_s=2)
    _at(r, step, "step_to_the_end", r.does("step", "decide"), 1)
    _at(r, procedure, "resumed_at_signal", r.does("resume"), 0)
    _at(r, procedure, "resumed_at_end", r.does("resume"), 1)
    closes = r.some("touched_in_time", where=r.does("close"))
    at = r.s.recorded[closes - 1] + SILENT_DAYS * DAY_S
    works = r.calendar.work((at + 1) * US) > r.calendar.work(at * US)
    r.shift(closes[works], at[works])


def _at(r: Rows, runs: Runs, name: str, stops: np.ndarray, band: int, early_s: int = 1) -> None:
    """Stop a run of each case with this deed at the instant of a band, or so little before it."""
    at = np.zeros(len(r.rows), np.int64)
    ended = runs.stop >= 0
    at[runs.stop[ended]] = runs.bands[band][1][ended] // US
    sane = (at > 0) & (at < 1 << 40)
    rows = r.one(name, where=stops & sane)
    r.shift(rows, at[rows] - r.rng.integers(0, early_s, len(rows)))


def out_of_hours(r: Rows, latest: np.ndarray) -> None:
    """Some records are typed long after closing or before opening, some just not long enough."""
    s, calendar = r.s, r.calendar
    local = calendar.zone.local(s.recorded * US) // US
    work = calendar.work((s.recorded - local % DAY_S + DAY_S) * US)
    closing, opening = calendar.at(work, "left") // US, calendar.at(work, "right") // US
    free = s.recorded + np.minimum(r.until_next(r.rows), 1 << 40) - CLEAR_S
    begin, end = closing + HOUR_S + 1, np.minimum(opening - HOUR_S - 1, free)
    rows = r.one("after_hours", where=r.typed & (begin < end))
    wait = (r.rng.random(len(rows)) ** 2 * (end[rows] - begin[rows])).astype(np.int64)
    at = begin[rows] + wait
    s.recorded[rows] = at + calendar.date_only(at * US)  # midnight would say no more than the day
    r.truth.tell("off_hours", rows, 0)
    at = np.where(r.rng.random(len(s)) < 0.6, closing + HOUR_S, opening - HOUR_S)
    fits = (at < free) & (at <= latest) & (at > s.recorded)
    rows = r.one("hour_after_closing", where=r.typed & fits)
    s.recorded[rows] = at[rows]


def arrive(r: Rows) -> None:
    """When each record reaches us: most at once, some days later, yet in the order of the case."""
    s, rng = r.s, r.rng
    s.received = s.recorded.copy()
    spare = np.minimum(r.until_next(r.rows), 6 * DAY_S)
    rows = r.some("late_receipt", where=r.rows >= 0)
    rows = rows[rng.random(len(rows)) < 0.3]
    delay = rng.integers(600, 6 * HOUR_S, len(rows))
    s.received[rows] += np.where(delay < spare[rows], delay, 0)
    rows = r.some("late_close", where=r.does("close"))
    s.received[rows] += rng.integers(2 * HOUR_S, DAY_S, len(rows))
    rows = r.one("exchanged_late", where=spare > DAY_S + 60)
    s.received[rows] += rng.integers(DAY_S + 1, spare[rows])
    r.truth.tell("late_exchange", rows, 0)
    rows = r.one("exchanged_in_a_day", where=spare > DAY_S + 60)
    s.received[rows] += DAY_S
