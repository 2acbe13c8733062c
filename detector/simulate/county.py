"""A made-up county, whole: honest work, deeds, arrival, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.district import District
from detector.simulate.crowds import burst, disperse
from detector.simulate.deadlines import Deadlines
from detector.simulate.deeds import is_one
from detector.simulate.offences import offend
from detector.simulate.penalties import Rulings, fine, register
from detector.simulate.plan import Plan
from detector.simulate.process import proceed
from detector.simulate.rows import Rows, Truth
from detector.simulate.runs import all_runs, latest
from detector.simulate.sources import send, tell
from detector.simulate.stamps import stamp, upload_late
from detector.simulate.stream import US, Cases, Stream, begin_s, draw, joined, queue, to_clock
from detector.simulate.subtle import offend_subtly
from detector.simulate.timing import arrive, hear_at_once, issue_last, out_of_hours, to_the_second

MENDED_S = (120, 600)  # how soon a slip is noticed


@dataclass
class County:
    """A stream in order of arrival, and what is true of it."""

    plan: Plan
    cases: Cases
    stream: Stream  # by received, then case and slot
    truth: Truth  # rows of `stream`
    seed: int
    rulings: Rulings

    @property
    def until(self) -> int:
        """When a replay of it ends, seconds UTC: the last arrival and the district's lateness."""
        return int(self.stream.received[-1]) + self.plan.district.limits.lateness_s


def simulate(count: int, seed: int, days: int, district: District, subtle: float = 0) -> County:
    """`count` cases that begin within `days` calendar days. Equal arguments give equal counties.
    `subtle`: the share of cases with an offence that only a learned limit can tell.

    Raises `ValueError` where the days hold no working day.
    """
    plan, truth = Plan(district), Truth()
    begin, end = _span(plan, days)
    plan.hire(count, max(int(end - begin), plan.day_s))
    cases, stream = draw(plan, count, seed, days, subtle)
    rng = np.random.default_rng([seed, 3])
    queue(plan, stream, rng)
    to_clock(plan, stream, rng)
    rows = Rows(plan, cases, stream, truth, rng)
    rulings = Rulings(plan.items)
    _happen(rows, rulings)
    stream = _versions(rows)
    send(rows, stream)
    order = np.lexsort((stream.slot, stream.case, stream.received))
    _fall_due(rows, int(stream.received.max()) + district.limits.lateness_s)
    county = _in_order(County(plan, cases, stream, truth, seed, rulings), order)
    tell(plan, county.stream, truth, county.until)
    return county


def _happen(rows: Rows, rulings: Rulings) -> None:
    """All deeds, those of one case after those that move many, and when what is told of arrives."""
    issue_last(rows)
    hear_at_once(rows)
    offend(rows)
    offend_subtly(rows)
    stamp(rows)
    deadlines = Deadlines(rows)
    runs = all_runs(rows, deadlines)
    to_the_second(rows, deadlines, runs)
    until = latest(rows, deadlines, runs)
    out_of_hours(rows, until)
    moved = burst(rows, until)
    disperse(rows.plan, rows.s, moved)
    proceed(rows)
    fine(rows, rulings)
    register(rows)
    arrive(rows)
    upload_late(rows)


def _fall_due(rows: Rows, until: int) -> None:
    """What the clocks come to by the end (seconds UTC)."""
    deadlines = Deadlines(rows)
    deadlines.tell(rows.truth, until * US)
    for runs in all_runs(rows, deadlines):
        runs.tell(rows, rows.truth, until * US)


def _span(plan: Plan, days: int) -> tuple[int, int]:
    begin = begin_s(plan.district.calendar)
    told = plan.district.calendar.work(np.array([begin, begin + days * 86_400]) * US) // US
    return int(told[0]), int(told[1])


def _versions(r: Rows) -> Stream:
    """Slips that are corrected, and lines that are sent again, behind the rows they belong to."""
    stream, rng = r.s, r.rng
    slips = r.some("mended", where=r.does("pay"))
    fines = r.some("fine_mended", where=stream.fine > 0)
    slips, delay = _noticed(r, slips)
    fines, late = _noticed(r, fines)
    mended = stream.take(np.concatenate([slips, fines]))
    mended.version[:], mended.of[:] = 2, np.concatenate([slips, fines])
    mended.recorded[: len(slips)] += delay
    mended.received += np.concatenate([delay, late])
    stream.paid[slips] += 10 * rng.integers(10, 1_000, len(slips))  # the slip
    stream.fine[fines] *= 10  # a digit too many, noticed by the system that sends it
    _of_the_mended(r, fines, len(stream) + len(slips))
    again = np.flatnonzero(is_one(r.deed, "sent_twice") & (rng.random(len(stream)) < 0.3))
    twice = stream.take(again)
    twice.version[:], twice.of[:] = 1, again
    twice.received += rng.integers(1, 3_600, len(again))
    return joined([stream, mended, twice])


def _noticed(r: Rows, slips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those that are noticed before the case goes on, and after how long."""
    delay = r.rng.integers(*MENDED_S, len(slips))
    kept = delay + 120 < r.until_next(slips)
    return slips[kept], delay[kept]


def _of_the_mended(r: Rows, slips: np.ndarray, first: int) -> None:
    """What was true of slips is true of the rows in their place, from `first` on."""
    place = np.arange(len(r.s))
    place[slips] = first + np.arange(len(slips))
    r.truth.rows = [place[rows] for rows in r.truth.rows]


def _in_order(county: County, order: np.ndarray) -> County:
    """The stream by arrival; rows that others refer to are renumbered."""
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    stream = county.stream.take(order)
    named = stream.of >= 0
    stream.of[named] = place[stream.of[named]]
    county.truth.rows = [place[rows] for rows in county.truth.rows]
    county.stream = stream
    return county
