"""Working time in compiled code: the formulas of `workcalendar`, one instant after the other.

`zone`: instants of the clock's changes, their readings on the wall clock, a NEVER behind both, and
the offsets, one more than changes. `days`: work done before each day, each working day's opening,
and the pauses: begin since the opening, work done by then, length. `ends`: the instants at which
the table starts and ends, the opening in a day, its first day, a working day's µs and all work.
"""

from __future__ import annotations

from typing import Any

from detector.compiled import COLUMN, GIVEN, NUMBER, TABLE, brief, inner, together

NEVER = (1 << 63) - 1
LOW, HIGH = -NEVER // 2, NEVER // 2
DAY_US = 86_400_000_000
ZONE = together(COLUMN, COLUMN, COLUMN)
CALENDAR = together(ZONE, together(COLUMN, COLUMN, TABLE), COLUMN)


@inner
def _upto(marks: Any, t: int, side: int) -> int:
    """Count of the marks at or before t; with side 0, before t. A NEVER behind them is none."""
    low, high = 0, len(marks) - 1
    if high and t > marks[high - 1]:  # as nearly all are
        return high
    while low < high:
        middle = (low + high) >> 1
        if marks[middle] < t or (side and marks[middle] == t):
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _look(table: Any, row: int) -> int:
    return table[min(max(row, 0), len(table) - 1)]


@inner
def _steady(t: int, zone: Any) -> int:
    clock, wall, offset = zone
    i = _upto(clock, t, 1)
    return min(t + offset[i], wall[i])


@inner
def _when(local: int, side: int, zone: Any) -> int:
    clock, wall, offset = zone
    i = _upto(wall, local, side)
    return min(local - offset[i], clock[i])


@inner
def _position(t: int, calendar: Any) -> int:
    zone, (before, _, pauses), ends = calendar
    local = _steady(min(max(t, ends[0]), ends[1]), zone)
    day = local // DAY_US
    worked = local - day * DAY_US - ends[2]
    for k in range(len(pauses) - 1, -1, -1):
        worked -= min(max(worked - pauses[k, 0], 0), pauses[k, 2])
    row = day - ends[3]
    return min(_look(before, row) + max(worked, 0), _look(before, row + 1))


@inner
def _instant(w: int, side: int, calendar: Any) -> int:
    zone, (_, opening, pauses), ends = calendar
    day_us, total = ends[4], ends[5]
    w = min(max(w, 0), total + 1)
    if w > total - side:
        return NEVER
    row = (w - 1 + side) // day_us
    rest = w - row * day_us
    local = _look(opening, row + 1) + rest
    for k in range(len(pauses)):
        if rest > pauses[k, 1] or (side and rest == pauses[k, 1]):
            local += pauses[k, 2]
    return _when(local, side, zone)


@brief(COLUMN, GIVEN, ZONE)
def local(out: Any, t: Any, zone: Any) -> None:
    """The wall clock at each instant."""
    clock, _, offset = zone
    for k in range(len(out)):
        one = min(max(t[k], LOW), HIGH)
        out[k] = one + offset[_upto(clock, one, 1)]


@brief(COLUMN, GIVEN, ZONE)
def utc(out: Any, local: Any, zone: Any) -> None:
    """The instant of each reading."""
    _, wall, offset = zone
    for k in range(len(out)):
        one = min(max(local[k], LOW), HIGH)
        out[k] = one - offset[_upto(wall, one, 1)]


@brief(COLUMN, GIVEN, CALENDAR)
def work(out: Any, t: Any, calendar: Any) -> None:
    """W of each instant."""
    for k in range(len(out)):
        out[k] = _position(t[k], calendar)


@brief(COLUMN, GIVEN, NUMBER, CALENDAR)
def at(out: Any, w: Any, side: int, calendar: Any) -> None:
    """The instant at each position."""
    for k in range(len(out)):
        out[k] = _instant(w[k], side, calendar)


@brief(COLUMN, GIVEN, GIVEN, CALENDAR)
def between(out: Any, a: Any, b: Any, calendar: Any) -> None:
    """Work from each a to its b."""
    for k in range(len(out)):
        out[k] = _position(b[k], calendar) - _position(a[k], calendar)


@brief(COLUMN, GIVEN, GIVEN, NUMBER, CALENDAR)
def add(out: Any, t: Any, work_us: Any, side: int, calendar: Any) -> None:
    """The instant so much work after each t."""
    end, limit = calendar[2][1], calendar[2][5] + 1
    for k in range(len(out)):
        w = _position(t[k], calendar) + min(max(work_us[k], -limit), limit)
        out[k] = NEVER if t[k] >= end else _instant(w, side, calendar)
