"""Instants as people read them on a page, on the district's clock, and working time left."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from detector.values import SECOND_US, read_time
from detector.web.words import Words
from detector.workcalendar import DAY_US, WorkCalendar

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
WINDOWS = 24  # working spans ahead that a page is told
LOOK_DAYS = 30  # how far ahead they are looked for


class Times:
    """Times of one district in one language."""

    def __init__(self, calendar: WorkCalendar, t: Words) -> None:
        self.calendar, self.t = calendar, t

    def us(self, stamp: str | None) -> int | None:
        """µs UTC of a stamp."""
        return read_time(stamp, self.calendar.zone) if stamp else None

    def at(self, at: int | str | None, seconds: bool = True) -> str:
        """An instant, `2026-01-26 09:12:16` on the district's clock."""
        if isinstance(at, str):
            at = self.us(at)
        if at is None:
            return "—"
        told = datetime.fromtimestamp(int(self.calendar.zone.local(at)) // SECOND_US, UTC)
        return told.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")

    def shown(self, value: object) -> object:
        """A value of evidence: a stamp on the district's clock, anything else as it is."""
        if isinstance(value, str) and STAMP.match(value):
            return self.at(value)
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    def span(self, us: int) -> str:
        """A span of time in its two greatest units."""
        told = self._parts(abs(us) // SECOND_US, ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
        return ("−" if us < 0 else "") + self.t("span.join").join(told[:2])

    def took(self, seconds: int) -> str:
        """Seconds of work as hours, minutes and seconds: a day of work is not one of the clock."""
        told = self._parts(seconds, ("h", 3_600), ("m", 60), ("s", 1))
        return self.t("span.join").join(told)

    def _parts(self, rest: int, *units: tuple[str, int]) -> list[str]:
        told = list[str]()
        for name, size in units:
            many, rest = divmod(rest, size)
            if many or (name == "s" and not told):
                told.append(self.t(f"span.{name}", n=f"{many:,}"))
        return told

    def left(self, clock: int, until: int) -> str:
        """Working time from the clock to an instant, in working days and hours."""
        return self.worked(int(self.calendar.between(clock, until)))

    def worked(self, us: int) -> str:
        """Working time (µs) in working days and hours."""
        days, rest = divmod(abs(us), self.calendar.day_us)
        if not days:
            return self.span(us)
        hours = rest // 3_600_000_000
        told = [self.t("span.wd.one" if days == 1 else "span.wd", n=days)]
        told += [self.t("span.h", n=hours)] if hours else []
        return ("−" if us < 0 else "") + self.t("span.join").join(told)


def windows(calendar: WorkCalendar, clock: int) -> list[tuple[int, int]]:
    """The next spans of working time, as milliseconds UTC: within them a countdown runs."""
    told: list[tuple[int, int]] = []
    day = int(calendar.day(clock))
    for one in range(day, day + LOOK_DAYS):
        if not calendar.works(one):
            continue
        for begin, end in calendar.hours:
            first, last = (int(calendar.zone.utc(one * DAY_US + t)) for t in (begin, end))
            if last > clock:
                told.append((first // 1000, last // 1000))
        if len(told) >= WINDOWS:
            break
    return told[:WINDOWS]
