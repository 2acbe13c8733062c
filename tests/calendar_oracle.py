"""The working calendar from first principles, second by second: slow and obvious.

Its own reading of holidays and zones, a flag for every second of the wall clock, a running sum,
and a search. Nothing of `detector.workcalendar` is used but what `mismatches` is given to judge.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
SECOND_US = 1_000_000
DAY_S = 86_400


class Calendar(Protocol):
    """What is judged: microseconds in, microseconds out."""

    def between(self, a: Column, b: Column, /) -> Column: ...
    def work(self, t: Column, /) -> Column: ...
    def add(self, t: Column, work_us: Column, side: str, /) -> Column: ...


@dataclass(frozen=True)
class District:
    """The words of a district.toml that a calendar is made of."""

    base: str
    zone: str
    hours: Sequence[tuple[str, str]]
    off: Collection[date] = ()
    work: Collection[date] = ()


@cache
def country(base: str) -> holidays.HolidayBase:
    """The library's table with all its years, so that holidays moved across a new year are in."""
    return holidays.country_holidays(base, years=range(1989, 2102))


def is_worked(district: District, day: date) -> bool:
    """Exceptions first, then make-up workdays, weekends, holidays."""
    if day in district.off or day in district.work:
        return day in district.work
    if district.base in ("none", "weekends"):
        return district.base == "none" or day.isoweekday() <= 5
    table = country(district.base)
    if day in table.weekend_workdays:
        return True
    return not table.is_weekend(day) and day not in table


class Oracle:
    """Work done by every second (UTC) of some days, counted on the wall clock of the district."""

    def __init__(self, district: District, first: date, days: int = 120) -> None:
        self.district, self.first, self.days = district, first, days
        # A day on either side, so that every instant in the range has a wall clock reading.
        opening = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1)
        self.second = int(opening.timestamp())
        self.flags = self._wall_clock_flags()
        self.clock = self._wall_clock()[DAY_S:-DAY_S]
        self.second += DAY_S
        done = np.zeros(self.flags.size + 1, np.int32)
        np.cumsum(self.flags, out=done[1:])
        self.done = done[self.clock]
        self.edges = self._edges()

    def _wall_clock_flags(self) -> Column:
        """Is it office hours, for every second that the wall clock shows, or skips."""
        flags = np.zeros((self.days + 2) * DAY_S, np.bool_)
        zone = ZoneInfo(self.district.zone)
        for k in range(self.days + 2):
            day = self.first + timedelta(days=k - 1)
            if not is_worked(self.district, day) or is_skipped(zone, day):
                continue
            for begin, end in self.district.hours:
                flags[k * DAY_S + seconds(begin) : k * DAY_S + seconds(end)] = True
        return flags

    def _wall_clock(self) -> Column:
        """The wall clock at every second UTC; where it goes back, it waits there beforehand."""
        zone = ZoneInfo(self.district.zone)
        clock = np.arange(self.flags.size, dtype=np.int32)
        for k in range(0, clock.size, 3_600):
            hour = range(self.second + k, self.second + k + 3_600)
            if shift(zone, hour[0]) == shift(zone, hour[-1]):
                clock[k : k + 3_600] += shift(zone, hour[0])
            else:
                clock[k : k + 3_600] += np.array([shift(zone, s) for s in hour], np.int32)
        if (np.diff(clock[::1_800]) < 1_800).any():
            back = clock[::-1]
            np.minimum.accumulate(back, out=back)
        return clock

    def between(self, a: Column, b: Column) -> Column:
        """Working seconds between two seconds, counted from the first of the range."""
        return self.done[b] - self.done[a]

    def add(self, t: Column, work: Column, side: str) -> Column:
        """The first second with as much work done (left), or the last with no more (right).

        Where the clock skips that position, the second at the end of the skip.
        """
        position = (self.done[t] + work).astype(np.int32)
        if side == "left":
            return np.searchsorted(self.done, position)
        last = np.searchsorted(self.done, position, "right") - 1
        goes_on = (self.done[last] == position) & self.flags[self.clock[last]]
        return last + ~goes_on

    def instants(self, rng: np.random.Generator, count: int) -> Column:
        """Seconds of the range, half of them at or beside one where something changes."""
        near = rng.choice(self.edges, count) + rng.choice([-3_600, -1_800, -1, 0, 1, 1_800], count)
        anywhere = rng.integers(0, self.done.size, count)
        return np.clip(np.where(rng.random(count) < 0.5, near, anywhere), 0, self.done.size - 1)

    def _edges(self) -> Column:
        """Openings, closings and clock changes; all of them are at whole minutes."""
        minutes = self.clock[::60]
        opened = np.diff(self.flags[minutes].astype(np.int8)) != 0
        changes = np.flatnonzero(opened | (np.diff(minutes) != 60)) * 60
        return np.append(changes, self.done.size // 2)  # where nothing changes, any will do


def is_skipped(zone: ZoneInfo, day: date) -> bool:
    """Whether the zone never had this day: no hour of it comes back from UTC unharmed."""
    hours = (datetime(day.year, day.month, day.day, hour, tzinfo=zone) for hour in range(24))
    return all(hour.astimezone(UTC).astimezone(zone).date() != day for hour in hours)


def shift(zone: ZoneInfo, second: int) -> int:
    """Offset of the zone at a second since the epoch."""
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def seconds(text: str) -> int:
    """HH:MM as seconds of the day."""
    hour, minute = text.split(":")
    return int(hour) * 3_600 + int(minute) * 60


def mismatches(calendar: Calendar, oracle: Oracle, rng: np.random.Generator, pairs: int) -> int:
    """How many of so many random pairs the calendar answers otherwise than the oracle."""
    a, b = oracle.instants(rng, pairs), oracle.instants(rng, pairs)
    t, u = ((oracle.second + x) * SECOND_US for x in (a, b))
    work = oracle.between(a, b)
    wrong = calendar.between(t, u) != work * np.int64(SECOND_US)
    # Work that ends at b, or a little beside it.
    work = work + rng.choice([0, 0, -1, 1, -1_800, 1_800], pairs)
    for side in ("left", "right"):
        want = oracle.add(a, work, side)
        inside = (want > 0) & (want < oracle.done.size - 1)
        got = calendar.add(t, work * np.int64(SECOND_US), side)
        wrong |= inside & (got != (oracle.second + want) * SECOND_US)
    return int(wrong.sum())
