"""A made-up county, whole: honest work, deeds, arrival, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.district import District
from detector.event import ACTION
from detector.simulate.crowds import burst, disperse, stream_next
from detector.simulate.deadlines import Deadlines
from detector.simulate.offences import Deeds, Truth, is_one, shares
from detector.simulate.plan import Plan
from detector.simulate.stream import (
    US,
    Cases,
    Stream,
    begin_s,
    draw,
    joined,
    queue,
    to_clock,
)

MENDED_S = (120, 600)  # how soon a slip is noticed


@dataclass
class County:
    """A stream in order of arrival, and what is true of it."""

    plan: Plan
    cases: Cases
    stream: Stream  # by received, then case and slot
    truth: Truth  # rows of `stream`
    seed: int

    @property
    def until(self) -> int:
        """When a replay of it ends, seconds UTC: the last arrival and the district's lateness."""
        return int(self.stream.received[-1]) + self.plan.district.limits.lateness_s


def simulate(count: int, seed: int, days: int, district: District) -> County:
    """`count` cases that begin within `days` calendar days. Equal arguments give equal counties.

    Raises `ValueError` where the days hold no working day.
    """
    plan, truth = Plan(district), Truth()
    begin, end = _span(plan, days)
    plan.hire(count, max(int(end - begin), plan.day_s))
    cases, stream = draw(plan, count, seed, days, shares())
    rng = np.random.default_rng([seed, 3])
    queue(plan, stream, rng)
    to_clock(plan, stream, rng)
    Deeds(plan, cases, stream, truth, rng).all()
    stream.received = stream.recorded.copy()
    deadlines = Deadlines(plan, stream)
    deadlines.close_on_time(cases, rng)
    moved = burst(plan, cases, stream, truth, rng)
    disperse(plan, stream, moved)
    _come_late(cases, stream, rng)
    stream = _versions(plan, cases, stream, rng)
    order = np.lexsort((stream.slot, stream.case, stream.received))
    until = int(stream.received.max()) + district.limits.lateness_s
    deadlines.tell(truth, until * US)
    return _in_order(County(plan, cases, stream, truth, seed), order)


def _span(plan: Plan, days: int) -> tuple[int, int]:
    begin = begin_s(plan.district.calendar)
    told = plan.district.calendar.work(np.array([begin, begin + days * 86_400]) * US) // US
    return int(told[0]), int(told[1])


def _come_late(cases: Cases, stream: Stream, rng: np.random.Generator) -> None:
    """Some records reach us hours later, yet before the next one of their case."""
    rows = np.flatnonzero(is_one(cases.deed[stream.case], "late_receipt"))
    rows = rows[rng.random(len(rows)) < 0.3]
    delay = rng.integers(600, 6 * 3_600, len(rows))
    kept = stream.recorded[rows] + delay < stream_next(stream, rows)
    stream.received[rows[kept]] += delay[kept]


def _versions(plan: Plan, cases: Cases, stream: Stream, rng: np.random.Generator) -> Stream:
    """Slips that are corrected, and lines that are sent again, behind the rows they belong to."""
    deed = cases.deed[stream.case]
    slips = np.flatnonzero(
        is_one(deed, "mended") & (plan.action[stream.item, stream.slot] == ACTION["pay"])
    )
    delay = rng.integers(*MENDED_S, len(slips))
    kept = stream.recorded[slips] + delay + 120 < stream_next(stream, slips)
    slips, delay = slips[kept], delay[kept]
    mended = stream.take(slips)
    mended.version[:], mended.of[:] = 2, slips
    for column in (mended.recorded, mended.received):
        column += delay
    stream.paid[slips] += 10 * rng.integers(10, 1_000, len(slips))  # the slip
    again = np.flatnonzero(is_one(deed, "sent_twice") & (rng.random(len(stream)) < 0.3))
    twice = stream.take(again)
    twice.version[:], twice.of[:] = 1, again
    twice.received += rng.integers(1, 3_600, len(again))
    return joined([stream, mended, twice])


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
