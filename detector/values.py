"""Times and money as they are written, read into integers, one value at a time.

Times become int64 microseconds UTC, money integer fen. These are the reference readings: the
whole-column readers accept a strict subset of the same forms and hand every other text here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Protocol

import numpy as np

ABSENT = int(np.iinfo(np.int64).min)  # a time or an amount that was not given
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
EARLIEST_US = 631_152_000 * SECOND_US  # 1990-01-01T00:00:00Z
LATEST_US = 4_102_444_800 * SECOND_US  # 2100-01-01T00:00:00Z
MONEY_FEN_MAX = 10**13  # a hundred billion yuan: more is a slip of the keyboard

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?"
    r"(Z|z|[+-]\d{2}:\d{2})?)?",
    re.ASCII,
)
_NATIONAL = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2}))?", re.ASCII)
_MONEY = re.compile(r"(\d{1,16})(?:\.(\d{1,2})0*)?|(\d{1,16})\.0*", re.ASCII)
EPOCH_DAY = date(1970, 1, 1).toordinal()


def date_of(day: int) -> date:
    """The date of a local day (days since 1970)."""
    return date.fromordinal(day + EPOCH_DAY)


def day_of_date(told: date) -> int:
    """The local day (days since 1970) of a date."""
    return told.toordinal() - EPOCH_DAY


class Zone(Protocol):
    """What a stamp without offset needs: the district's wall clock turned to UTC."""

    def utc(self, local: int) -> np.ndarray: ...


def read_time(text: str, zone: Zone) -> int:
    """Microseconds UTC of an RFC 3339, national (YYYYMMDDThhmmss) or naive stamp.

    Naive stamps are read in the district's zone; gaps and folds resolve to the later instant.
    Digits beyond the microsecond are cut. Raises ValueError with a short reason.
    """
    text = text.strip()
    iso = _ISO.fullmatch(text)
    if iso:
        year, month, day, hour, minute, second, fraction, offset = iso.groups()
    else:
        national = _NATIONAL.fullmatch(text)
        if not national:
            raise ValueError("is not a time: write 2026-03-02T09:00:00+08:00")
        year, month, day, hour, minute, second = national.groups()
        fraction = offset = None
    local = _wall(int(year), int(month), int(day), int(hour or 0), int(minute or 0))
    if int(second or 0) > 59:
        raise ValueError("has a second beyond 59")
    local += int(second or 0) * SECOND_US + int(((fraction or "") + "000000")[:6])
    if offset is None:
        instant = int(zone.utc(local))
    elif offset in "Zz":
        instant = local
    else:
        shift_minutes = int(offset[1:3]) * 60 + int(offset[4:6])
        if int(offset[4:6]) > 59 or shift_minutes > 18 * 60:
            raise ValueError("has an impossible offset")
        instant = local - (1 if offset[0] == "+" else -1) * shift_minutes * 60 * SECOND_US
    if not EARLIEST_US <= instant < LATEST_US:
        raise ValueError("lies before 1990 or after 2100")
    return instant


def _wall(year: int, month: int, day: int, hour: int, minute: int) -> int:
    try:
        days = date(year, month, day).toordinal() - EPOCH_DAY
    except ValueError:
        raise ValueError("names a day that the calendar does not have") from None
    if hour > 23 or minute > 59:
        raise ValueError("names an hour that the day does not have")
    return (days * 1440 + hour * 60 + minute) * 60 * SECOND_US


def read_money(value: str | int | float) -> int:
    """Fen of an amount in yuan with at most two decimals. Raises ValueError with a short reason."""
    if isinstance(value, bool):
        raise ValueError("is not an amount")
    if isinstance(value, int):
        if value < 0:
            raise ValueError("is negative")
        if value * 100 > MONEY_FEN_MAX:
            raise ValueError("is larger than any fee or fine")
        return value * 100
    text = repr(value) if isinstance(value, float) else value.strip()
    match = _MONEY.fullmatch(text)
    if not match:
        if text.startswith("-"):
            raise ValueError("is negative")
        if re.fullmatch(r"\d+\.\d{3,}", text, re.ASCII):
            raise ValueError("has more than two decimals")
        raise ValueError("is not an amount in yuan: write 300 or 300.50")
    whole, cents, bare = match.groups()
    fen = int(whole or bare) * 100 + int(((cents or "") + "00")[:2])
    if fen > MONEY_FEN_MAX:
        raise ValueError("is larger than any fee or fine")
    return fen


def show_time(instant_us: int, zone: LocalZone) -> str:
    """The instant on the district's wall clock, for sentences: `2026-03-02 09:00:58`."""
    local = int(zone.local(instant_us))
    moment = datetime.fromtimestamp(local // SECOND_US, UTC)
    fraction = local % SECOND_US
    text = moment.strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def iso_time(instant_us: int) -> str:
    """The instant in UTC as RFC 3339, the form of every file we write."""
    moment = datetime.fromtimestamp(instant_us // SECOND_US, UTC)
    fraction = instant_us % SECOND_US
    text = moment.isoformat()[:19]
    return f"{text}.{fraction:06d}Z" if fraction else f"{text}Z"


class LocalZone(Zone, Protocol):
    """A zone that also tells the wall clock of an instant, and when its offset changes."""

    @property
    def changes(self) -> Sequence[tuple[int, int]]: ...  # (instant, offset from then on), µs

    def local(self, utc: int) -> np.ndarray: ...
