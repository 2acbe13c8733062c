"""Working-time pairs a second on one core: one `add` and one `between` each, at random instants.

The calendar is asked over 2015 to 2026. The oracle of the tests, which looks the same answers up
in a running sum of seconds and searches it, is asked over 120 days, and its building is not timed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from statistics import median
from time import perf_counter

import numpy as np

from detector.workcalendar import SECOND_US, build_calendar
from tests.calendar_oracle import District, Oracle

PAIRS = 1_000_000
RUNS = 5
HOURS = (("09:00", "12:00"), ("13:30", "17:30"))


def run() -> list[dict[str, object]]:
    """One row: pairs/s, median of five, and how many times the oracle's."""
    value, oracle = _pairs_per_s(_calendar()), _pairs_per_s(_oracle())
    return [
        {
            "name": "calendar",
            "value": round(value),
            "unit": "pairs/s",
            "against": "per_second_oracle",
            "ratio": round(value / oracle, 1),
        }
    ]


def _calendar() -> Callable[[], None]:
    calendar = build_calendar("CN", "Asia/Shanghai", HOURS)
    rng = np.random.default_rng(1)
    span = (np.array(["2015-01-01", "2027-01-01"], "M8[us]")).astype(np.int64)
    a, b = rng.integers(span[0], span[1], (2, PAIRS))
    work_us = rng.integers(-20 * calendar.day_us, 20 * calendar.day_us, PAIRS)

    def pairs() -> None:
        calendar.add(a, work_us)
        calendar.between(a, b)

    return pairs


def _oracle() -> Callable[[], None]:
    oracle = Oracle(District("CN", "Asia/Shanghai", HOURS), date(2021, 3, 1))
    rng = np.random.default_rng(1)
    day_s = build_calendar("CN", "Asia/Shanghai", HOURS).day_us // SECOND_US
    a, b = rng.integers(0, oracle.done.size, (2, PAIRS))
    work = rng.integers(-20 * day_s, 20 * day_s, PAIRS)

    def pairs() -> None:
        oracle.add(a, work, "right")
        oracle.between(a, b)

    return pairs


def _pairs_per_s(pairs: Callable[[], None]) -> float:
    def once() -> float:
        start = perf_counter()
        pairs()
        return PAIRS / (perf_counter() - start)

    once()
    return median(once() for _ in range(RUNS))
