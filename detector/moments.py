"""Instants as people write them in letters: `2026年3月2日17时30分`, `2 March 2026, 17:30`.

A deadline loses its seconds: whoever acts within the minute that is told acts in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from detector.values import SECOND_US, LocalZone

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def wall(at_us: int, zone: LocalZone) -> datetime:
    """The district's wall clock; its time zone is not to be read from it."""
    return datetime.fromtimestamp(int(zone.local(at_us)) // SECOND_US, UTC)


def day(at_us: int, zone: LocalZone, language: str = "zh") -> str:
    """A date: `2026年3月2日`, `2 March 2026`."""
    return _date(wall(at_us, zone), language)


def minute(at_us: int, zone: LocalZone, language: str = "zh") -> str:
    """A deadline in full: `2026年3月2日17时30分`, `2 March 2026, 17:30`."""
    seen = wall(at_us, zone)
    if language == "zh":
        return f"{_date(seen, language)}{seen.hour}时{seen.minute:02d}分"
    return f"{_date(seen, language)}, {seen:%H:%M}"


def stamp(text: str) -> str:
    """A finding's `at` as a table shows it, on the wall clock that it bears, whole seconds:
    `2026-03-02 09:00:58`. What is no time is left as it is."""
    try:
        seen = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{seen:%Y-%m-%d %H:%M:%S}"


def _date(seen: datetime, language: str) -> str:
    if language == "zh":
        return f"{seen.year}年{seen.month}月{seen.day}日"
    return f"{seen.day} {MONTHS[seen.month - 1]} {seen.year}"


def short_days(days: Sequence[datetime], now: datetime | None, language: str = "zh") -> list[str]:
    """Dates in a row, each without what is clear by the one before it: `3月2日`, `8日`. The year is
    clear while it is that of `now`."""
    told: list[str] = []
    year, month = (now or days[0]).year if days else 0, 0
    for seen in days:
        other = seen.year != year
        if language != "zh":
            told.append(f"{seen.day} {MONTHS[seen.month - 1][:3]}" + f" {seen.year}" * other)
        elif other or seen.month != month:
            told.append(f"{seen.year}年" * other + f"{seen.month}月{seen.day}日")
        else:
            told.append(f"{seen.day}日")
        year, month = seen.year, seen.month
    return told
