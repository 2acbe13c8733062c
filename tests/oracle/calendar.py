"""Working time on the wall clock of one zone, found by walking from day to day."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import cast
from zoneinfo import ZoneInfo

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1)
EPOCH_ORDINAL = EPOCH.toordinal()
MICROSECOND = timedelta(microseconds=1)


class Calendar:
    """Working time on the wall clock of one zone, found by walking from day to day."""

    def __init__(
        self, zone: str, hours: Sequence[tuple[int, int]], is_working: Callable[[date], bool]
    ) -> None:
        self.zone = ZoneInfo(zone)
        self.hours = [(start * SECOND, end * SECOND) for start, end in hours]
        self.day_us = sum(end - start for start, end in self.hours)
        self.works = lru_cache(None)(lambda day: is_working(date.fromordinal(day + EPOCH_ORDINAL)))

    def moment(self, instant: int) -> datetime:
        return datetime.fromtimestamp(instant // SECOND, self.zone)

    def wall(self, instant: int) -> int:
        """Microseconds that the wall clock shows, counted from 1970-01-01T00:00 on the wall."""
        return instant + offset(self.moment(instant))

    def clock(self, instant: int) -> int:
        """The wall clock by which work is counted, which never goes back: where the clocks are
        set back, it waits at the hour that comes twice until that comes for the second time."""
        moment, minute = self.moment(instant), timedelta(minutes=1)
        if not comes_again(moment):
            return instant + offset(moment)
        moment = moment.replace(second=0)
        while comes_again(moment - minute):
            moment -= minute
        return (moment.replace(tzinfo=None) - EPOCH) // MICROSECOND

    def later(self, wall: int) -> int:
        """The instant of a stamp on the wall clock; in a gap or a fold, the later one."""
        shown = EPOCH + timedelta(microseconds=wall)
        return max(wall - offset(shown.replace(tzinfo=self.zone, fold=fold)) for fold in (0, 1))

    def instant(self, wall: int, reached: bool) -> int:
        """The earliest instant at which the clock of work has reached this reading, or the latest
        at which it is not beyond it; the end of the gap for a reading that the clock skips."""
        guess = self.later(wall)
        if self.clock(guess - 1) < self.clock(guess) == wall < self.clock(guess + 1):
            return guess
        instants = range(wall - DAY, wall + DAY)
        first = instants[bisect_left(instants, wall, key=self.clock)]
        if reached or self.clock(first) > wall:
            return first
        return instants[bisect_right(instants, wall, key=self.clock) - 1]

    def day(self, instant: int) -> date:
        return date.fromordinal(self.wall(instant) // DAY + EPOCH_ORDINAL)

    def length(self, day: int) -> int:
        return self.day_us if self.works(day) else 0

    def worked(self, wall: int) -> int:
        """Working time on the wall clock's day until then."""
        day, now = divmod(wall, DAY)
        if not self.works(day):
            return 0
        return sum(max(0, min(now, end) - start) for start, end in self.hours)

    def signed(self, start: int, end: int) -> int:
        """Working time between two instants, below zero when the second is the earlier one."""
        if end < start:
            return -self.signed(end, start)
        first, last = self.clock(start), self.clock(end)
        between = sum(self.length(day) for day in range(first // DAY, last // DAY))
        return between + self.worked(last) - self.worked(first)

    def working(self, start: int, end: int) -> int:
        """Working time between two instants, 0 when the second is not later."""
        return max(0, self.signed(start, end))

    def add(self, instant: int, amount: int, reached: bool) -> int:
        """The earliest instant that reaches this much working time after the given one, or the
        latest that does not exceed it; the amount may be negative."""
        wall = self.clock(instant)
        day, left = wall // DAY, amount + self.worked(wall)

        def lies_beyond(length: int) -> bool:
            return left > length if reached else left >= length

        while not lies_beyond(0):
            day -= 1
            left += self.length(day)
        while lies_beyond(self.length(day)):
            left -= self.length(day)
            day += 1
        for start, end in self.hours:
            if not lies_beyond(end - start):
                return self.instant(day * DAY + start + left, reached)
            left -= end - start
        raise AssertionError("the day is longer than its hours")


def offset(moment: datetime) -> int:
    """Microseconds that the wall clock is ahead of UTC."""
    return cast(timedelta, moment.utcoffset()) // MICROSECOND


def comes_again(moment: datetime) -> bool:
    """Whether the wall clock will show this a second time."""
    return moment.fold == 0 and offset(moment.replace(fold=1)) < offset(moment)
