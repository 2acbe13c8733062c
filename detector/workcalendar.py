"""Working time of a district: office hours, holidays, make-up workdays, in columns. 工作日历

Instants are int64 microseconds UTC since 1970-01-01, amounts of work int64 microseconds. Methods
take scalars or arrays of integers and answer numpy arrays of the broadcast shape (scalar: ()).

W(t) is the working time from 1990-01-01 local to instant t, counted on the wall clock, so a day
whose clock changes has its office hours all the same: where the clock repeats itself W stands
still the first time; where it skips W jumps, and all that is skipped comes at the end of the skip.
Within the table (save, on the right, at that very end)
    t > add(a, w, "right")  ⟺  between(a, t) > w
    t >= add(a, w, "left")  ⟺  between(a, t) >= w
"""

import hashlib
import json
import re
import warnings
from bisect import bisect_left, bisect_right
from calendar import timegm
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cache, partial
from itertools import pairwise
from types import ModuleType
from typing import Any, TypeGuard, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import ArrayLike, NDArray

Column = NDArray[np.int64]
Bits = NDArray[np.bool_]
Pairs = Sequence[Sequence[int]]
V = TypeVar("V", int, Column)  # one element, or a block of them: one formula serves both

NEVER = int(np.iinfo(np.int64).max)  # an instant that does not come
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
FEW_ROWS = 2_048  # up to so many numpy spends more on its calls than a kernel on the elements
BLOCK_ROWS = 8_192  # so that a block's temporaries stay in a core's own cache
_TABLE = np.arange("1990-01-01", "2101-01-01", dtype="M8[D]")
_DAYS = _TABLE.astype(np.int64)
_FIRST, _END = int(_DAYS[0]), int(_DAYS[-1]) + 1
_COVERED_TO = {"CN": 2026}
_SIDES = ("left", "right")
_INT64 = np.dtype(np.int64)
_SPAN = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)", re.ASCII)


_kernels: ModuleType | None = None  # the same formulas in compiled code, once they are loaded


def hasten(kernels: ModuleType | None) -> None:
    """From now on compute with these kernels (`worktime`), None: without any."""
    global _kernels
    _kernels = kernels


def _low(a: V, b: int | V) -> V:
    return min(a, b) if isinstance(a, int) else np.minimum(a, b)


def _high(a: V, b: int | V) -> V:
    return max(a, b) if isinstance(a, int) else np.maximum(a, b)


def _sane(t: V) -> V:
    """Far enough from both ends of int64 to take an offset; some 146,000 years remain."""
    return _low(_high(t, -NEVER // 2), NEVER // 2)


def _look(table: Column, row: V) -> V:
    return table.item(row) if isinstance(row, int) else table.take(row, mode="clip")


def _whole(numbers: ArrayLike) -> Column:
    return np.asarray(numbers).astype(np.int64, casting="safe", copy=False)


def _plain(x: ArrayLike) -> TypeGuard[Column]:
    return type(x) is np.ndarray and x.dtype == _INT64 and x.ndim == 1


def _each(
    formula: Callable[..., Any], inputs: Sequence[ArrayLike], name: str, *told: Any
) -> Column:
    """The formula over every element, which of a few a kernel of this name computes, `told` the
    tables; TypeError for an input that is not of integers."""
    first = inputs[0]
    if _kernels is not None and len(inputs) == 1 and _plain(first) and len(first) <= FEW_ROWS:
        out = np.empty(len(first), np.int64)  # as nearly all are
        getattr(_kernels, name)(out, first, *told)
        return out
    if all(type(x) is int for x in inputs):  # as where one instant is told: no call is cheaper
        return np.array(formula(*inputs), np.int64)
    columns = [_whole(x) for x in inputs]
    shape = columns[0].shape if len(columns) == 1 else np.broadcast(*columns).shape
    out = np.empty(shape, np.int64)
    if out.size == 1 and _kernels is None:  # Python's integers cost a tenth of numpy's there
        out.fill(formula(*(c.item() for c in columns)))
        return out
    rows = [(c if c.shape == shape else np.broadcast_to(c, shape)).reshape(-1) for c in columns]
    flat = out.reshape(-1)
    if _kernels is not None and out.size <= FEW_ROWS:
        getattr(_kernels, name)(flat, *rows, *told)
        return out
    for k in range(0, out.size, BLOCK_ROWS):
        flat[k : k + BLOCK_ROWS] = formula(*(r[k : k + BLOCK_ROWS] for r in rows))
    return out


class _Marks:
    """How many of a few rising instants lie before each of many, by a table of buckets."""

    def __init__(self, instants: list[int]) -> None:
        self.instants = instants
        self.next = np.array([*instants, NEVER])
        self._base, top = (instants[0], instants[-1]) if instants else (0, 0)
        # No bucket holds two marks; 2**40 µs are 12.7 days.
        self._shift = min([1 << 40, *np.diff(instants).tolist()]).bit_length() - 1
        starts = np.arange((top - self._base >> self._shift) + 1) << self._shift
        self._before = np.searchsorted(self.next[:-1], self._base + starts)

    def upto(self, t: V, side: int = 1) -> V:
        """Count of the marks at or before t; with side 0, before t."""
        if isinstance(t, int):
            return (bisect_left, bisect_right)[side](self.instants, t)
        if not self.instants or t.min() > self.instants[-1]:
            return np.full(1, len(self.instants))
        count = self._before.take(t - self._base >> self._shift, mode="clip")
        mark = self.next.take(count)
        return count + (t >= mark if side else t > mark)


@cache
def _changes(name: str) -> tuple[tuple[int, int], ...]:
    """(instant, offset from then on) in 1985..2110, the first being the start of 1985."""
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f'time_zone: "{name}" is unknown; write one as "Asia/Shanghai"') from error

    def offset(second: int) -> int:
        return timegm(datetime.fromtimestamp(second, zone).timetuple()) - second

    first, end = timegm((1985, 1, 1, 0, 0, 0)), timegm((2111, 1, 1, 0, 0, 0))
    found = [(first, offset(first))]
    for midnight in range(first + 86_400, end + 1, 86_400):
        while offset(midnight) != found[-1][1]:
            day = range(max(midnight - 86_400, found[-1][0]), midnight + 1)
            second = day[bisect_left(day, True, key=lambda s: offset(s) != found[-1][1])]
            found.append((second, offset(second)))
    return tuple((second * SECOND_US, shift * SECOND_US) for second, shift in found)


class Zone:
    """Offsets of an IANA zone in 1985..2110; the first and the last of them hold beyond."""

    def __init__(self, name: str, changes: Pairs | None = None) -> None:
        """`changes`: (instant, offset from then on), µs; None asks the system's zone files."""
        self.name = name
        self.changes = _changes(name) if changes is None else tuple((t, o) for t, o in changes)
        self._offset = np.array([o for _, o in self.changes])
        self._clock = _Marks([t for t, _ in self.changes[1:]])
        self._wall = _Marks([t + o for t, o in self.changes[1:]])
        self.tables = self._clock.next, self._wall.next, self._offset

    def local(self, utc: ArrayLike) -> Column:
        """Wall clock at an instant, in µs since its own 1970-01-01 00:00."""
        return _each(self._local, [utc], "local", self.tables)

    def utc(self, local: ArrayLike) -> Column:
        """Instant of a wall clock reading: where it comes twice the second, and where it is
        skipped the one that the offset before the skip gives (02:30 is 03:30): both the later."""
        return _each(self._utc, [local], "utc", self.tables)

    def steady(self, t: V) -> V:
        """Wall clock that stands still where the real one will repeat itself, never going back."""
        i = self._clock.upto(t)
        return _low(t + _look(self._offset, i), _look(self._wall.next, i))

    def when(self, local: V, side: int) -> V:
        """Inverse of `steady`: the latest instant that reads `local`, with side 0 the earliest."""
        i = self._wall.upto(local, side)
        return _low(local - _look(self._offset, i), _look(self._clock.next, i))

    def _local(self, t: V) -> V:
        t = _sane(t)
        return t + _look(self._offset, self._clock.upto(t))

    def _utc(self, t: V) -> V:
        t = _sane(t)
        return t - _look(self._offset, self._wall.upto(t))


class WorkCalendar:
    """Working-time arithmetic for 1990..2100 local, as whose ends all others count; immutable.

    An answer after 2100 is NEVER, and so is whatever is added to an instant after 2100; one before
    1990 is the start of 1990 ("left") or its first opening ("right").
    """

    def __init__(self, zone: Zone, hours: Pairs, working: Bits, covered_to: int | None) -> None:
        """`hours`: rising, disjoint µs of the day; `working`: a bit a day from 1990-01-01."""
        self.zone, self.covered_to = zone, covered_to
        self.hours = tuple((a, b) for a, b in hours)
        self.day_us = sum(b - a for a, b in self.hours)
        # A day that the zone never had (Samoa, 2011-12-30) cannot be worked.
        self._working = working & (zone.local(zone.utc(_DAYS * DAY_US)) // DAY_US == _DAYS)
        self._ordinal = np.cumsum(np.concatenate(([0], self._working, [0])))
        self._before = self._ordinal * self.day_us
        self._total = int(self._before[-1])
        # Row 0 closes where 1990 begins, the last row opens after 2100.
        opening, closing = self.hours[0][0], self.hours[-1][1]
        opened = _DAYS[self._working] * DAY_US + opening
        before = _FIRST * DAY_US - closing + opening
        self._opening = np.concatenate(([before], opened, [_END * DAY_US]))
        self._start, self._end = zone.when(_FIRST * DAY_US, 1), zone.when(_END * DAY_US, 1)
        # Of each pause: its begin since the opening, the work done by then, its length.
        done = np.cumsum([b - a for a, b in self.hours]).tolist()
        gaps = zip(pairwise(self.hours), done, strict=False)
        self._pauses = tuple((b - opening, d, c - b) for ((_, b), (c, _)), d in gaps)
        self._known_to = (
            timegm((covered_to + 1, 1, 1, 0, 0, 0)) * SECOND_US if covered_to else NEVER
        )
        pauses = np.array(self._pauses, np.int64).reshape(-1, 3)
        ends = int(self._start), int(self._end), opening, _FIRST, self.day_us, self._total
        days = self._before, self._opening, pauses
        self._tables = zone.tables, days, np.array(ends, np.int64)  # as the kernels take them

    def work(self, t: ArrayLike) -> Column:
        """W(t): working µs from 1990-01-01 local to t; rising, flat outside office hours."""
        return _each(self._position, [t], "work", self._tables)

    def at(self, w: ArrayLike, side: str = "right") -> Column:
        """Instant at position w: "right" the latest t with W(t) <= w, "left" the earliest with
        W(t) >= w. They differ where W is flat: closing time and next opening are one position."""
        s = _SIDES.index(side)
        return _each(partial(self._instant, side=s), [w], "at", s, self._tables)

    def between(self, a: ArrayLike, b: ArrayLike) -> Column:
        """Working µs from a to b; negative when b is the earlier."""

        def formula(x: Any, y: Any) -> Any:
            return self._position(y) - self._position(x)

        return _each(formula, [a, b], "between", self._tables)

    def add(self, t: ArrayLike, work_us: ArrayLike, side: str = "right") -> Column:
        """Instant `work_us` of working time after t (before, if negative); `side` as in `at`."""
        s, limit = _SIDES.index(side), self._total + 1

        def formula(t: Any, work_us: Any) -> Any:
            w = self._position(t) + _low(_high(work_us, -limit), limit)
            return self._instant(w + (t >= self._end) * 2 * limit, s)

        return _each(formula, [t, work_us], "add", s, self._tables)

    def workday(self, t: ArrayLike) -> tuple[Column, Bits]:
        """(working days begun since 1990, t's local day included; whether that day is one)."""
        row = self.day(t) - _FIRST + 1
        ordinal = np.asarray(self._ordinal.take(row, mode="clip"))
        return ordinal, np.asarray(ordinal > self._ordinal.take(row - 1, mode="clip"))

    def day_of_workday(self, ordinal: ArrayLike) -> Column:
        """Local day number of the working day that `workday` counts so."""
        return np.asarray(self._opening.take(_whole(ordinal), mode="clip") // DAY_US)

    def day(self, t: ArrayLike) -> Column:
        """Local day number: days since 1970-01-01."""
        return np.asarray(self.zone.local(t) // DAY_US)

    def works(self, day: int) -> bool:
        """Whether a local day (days since 1970) is a working day."""
        return _FIRST <= day < _END and bool(self._working[day - _FIRST])

    def date_only(self, t: ArrayLike) -> Bits:
        """Whether the wall clock is at exactly 00:00:00.000000."""
        return np.asarray(self.zone.local(t) % DAY_US == 0)

    def provisional(self, t: ArrayLike) -> Bits:
        """Whether t's local year is after `covered_to`, so that make-up workdays may be missing."""
        return np.asarray(self.zone.local(t) >= self._known_to)

    @property
    def first_day(self) -> int:
        """The first local day that the calendar knows."""
        return _FIRST

    @property
    def last_day(self) -> int:
        """The last local day that the calendar knows."""
        return _END - 1

    def content(self) -> dict[str, Any]:
        """All that the answers rest on, as JSON can hold it; `calendar_from` turns it back."""
        working = np.packbits(self._working).tobytes().hex()
        zone = {"zone": self.zone.name, "changes": self.zone.changes}
        return zone | {"hours": self.hours, "working": working, "covered_to": self.covered_to}

    def digest(self) -> str:
        """SHA-256, in hex, of the content as canonical JSON."""
        text = json.dumps(self.content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def _position(self, t: V) -> V:
        local = self.zone.steady(_low(_high(t, self._start), self._end))
        day = local // DAY_US
        worked = local - day * DAY_US - self.hours[0][0]
        for begin, _, length in reversed(self._pauses):
            worked = worked - _low(_high(worked - begin, 0), length)
        row = day - _FIRST
        return _low(_look(self._before, row) + _high(worked, 0), _look(self._before, row + 1))

    def _instant(self, w: V, side: int) -> V:
        w = _low(_high(w, 0), self._total + 1)
        row = (w - 1 + side) // self.day_us
        rest = w - row * self.day_us
        local = _look(self._opening, row + 1) + rest
        for _, done, length in self._pauses:
            local = local + (rest >= done if side else rest > done) * length
        return _high(self.zone.when(local, side), (w > self._total - side) * NEVER)


def build_calendar(
    base: str,
    zone_name: str,
    office_hours: Sequence[Sequence[str]],
    covered_to: int | None = None,
    off: Iterable[date] = (),
    work: Iterable[date] = (),
) -> WorkCalendar:
    """The calendar of a district.toml's `[calendar]`, `time_zone` and `office_hours`.

    `base`: an ISO country of the holidays library, make-up workdays included, "weekends" (free)
    or "none" (every day is worked). Beyond the library's years only weekends and fixed holidays
    apply; `covered_to` is its last whole year (default: 2026 for "CN", else None: no limit).
    ValueError names the key, its fault and the remedy.
    """
    working, off, work = _worked(base).copy(), sorted(off), sorted(work)
    for key, day in [("off", day) for day in off] + [("work", day) for day in work]:
        if not 1990 <= day.year <= 2100:
            raise ValueError(f"calendar.{key}: {day} is not within 1990 to 2100; take it out")
        if key == "work" and day in off:
            raise ValueError(f"calendar.work: {day} is in calendar.off too; keep one of them")
        working[np.datetime64(day) == _TABLE] = key == "work"
    if covered_to is None:
        covered_to = _COVERED_TO.get(base)
    elif not 1990 <= covered_to <= 2100:
        raise ValueError(f"calendar.covered_to: {covered_to}; write a year from 1990 to 2100")
    return WorkCalendar(Zone(zone_name), _spans(office_hours), working, covered_to)


def calendar_from(content: Mapping[str, Any]) -> WorkCalendar:
    """The calendar with this `content()`; asks neither holidays nor the system's zone files."""
    packed = np.frombuffer(bytes.fromhex(content["working"]), np.uint8)
    working = np.unpackbits(packed, count=_DAYS.size).astype(np.bool_)
    zone = Zone(content["zone"], content["changes"])
    return WorkCalendar(zone, content["hours"], working, content["covered_to"])


@cache
def _worked(base: str) -> Bits:
    if base in ("weekends", "none"):
        return np.is_busday(_TABLE, "1111100" if base == "weekends" else "1111111")
    from holidays import country_holidays, registry  # slow to import, and only needed here

    if base not in (names[1] for names in registry.COUNTRIES.values()):
        remedy = 'write an ISO 3166 code such as "CN", or "weekends", or "none"'
        raise ValueError(f'calendar.base: "{base}" is no country of the holidays library; {remedy}')
    with warnings.catch_warnings(action="ignore"):  # of years that the library does not know
        known = country_holidays(base, years=range(1990, 2101))
        return np.array([known.is_working_day(day) for day in _TABLE.tolist()])


def _spans(pairs: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for k, pair in enumerate(pairs):
        clock = _SPAN.fullmatch("-".join(map(str, pair)))
        times = clock.groups() if clock else ("00:00", "00:00")
        begin, end = (SECOND_US * 60 * (int(t[:2]) * 60 + int(t[3:])) for t in times)
        if begin >= end or any(begin < b and a < end for a, b in found):
            fault = "overlaps another" if begin < end else "is no span of a day"
            remedy = 'write HH:MM to HH:MM, up to 24:00, as ["09:00", "12:00"]'
            raise ValueError(f"office_hours[{k}]: {list(pair)} {fault}; {remedy}")
        found.append((begin, end))
    if not found:
        raise ValueError('office_hours: empty; write at least one span, as [["09:00", "17:30"]]')
    return sorted(found)
