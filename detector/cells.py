"""Cells (计数格): raw values counted by limit, department, week and bin, and the latest rows.

Bins are log-linear: below 32 grains one a grain, above it sixteen an octave, so a bin is at most
1/16 of its value wide. Every edge between bins is a limit for which the counts are exact, and each
row keeps on which side of the limit in force it lies, so they are exact there too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from detector.values import DAY_US

WEEKS = 53  # that are kept, the newest included
REFERENCES = 3  # rows that are remembered of a limit, department, bin and side: the latest
DEPARTMENTS_MAX = 4_094  # counted by name; what comes later is one department, without a name
CELLS_MAX = 4_000_000  # 64 MB; beyond it the oldest weeks are forgotten

WEEK_BITS, SIDE_BITS, BIN_BITS, DEPARTMENT_BITS = 13, 1, 10, 12
GROUP_SHIFT = WEEK_BITS + SIDE_BITS + BIN_BITS + DEPARTMENT_BITS
DEPARTMENT_SHIFT = GROUP_SHIFT - DEPARTMENT_BITS
WEEK_MASK = (1 << WEEK_BITS) - 1
CODED = ("case", "item", "step", "department")  # columns of `ROW` that are codes of texts
_ONE = int(np.array([1.0]).view(np.int64)[0] >> 48) - 1  # behind it the bin of one grain
_MONDAY = 3  # days from the Monday of week 0 to 1970-01-01
_LATE_BITS = 46  # of µs: two years
_SPREAD = 0x9E3779B97F4A7C1
ROW = np.dtype(
    [("key", "<i8"), ("at", "<i8"), ("value", "<i8"), ("tie", "<i8")]
    + [(name, "<i4") for name in CODED]
)


def bins_of(grains: np.ndarray) -> np.ndarray:
    """The bin of each whole number of grains (int64, not negative)."""
    bits = grains.astype(np.float64).view(np.int64) >> 48  # exponent and four bits behind it
    return np.where(grains > 0, bits - _ONE, 0)


def bin_of(grains: int) -> int:
    """As `bins_of`, of one number."""
    power = grains.bit_length() - 1
    return (((1023 + power) << 4) | ((grains << 4 >> power) & 15)) - _ONE if grains else 0


def least_of(bins: np.ndarray) -> np.ndarray:
    """The fewest grains of each of these bins."""
    lower = ((bins + _ONE) << 48).view(np.float64)
    return np.where(bins > 0, lower, 0).astype(np.int64)


def _all_edges() -> np.ndarray:
    octaves = [np.arange(16, 32, dtype=np.int64) << n for n in range(45)]
    return np.concatenate([np.arange(16, dtype=np.int64), *octaves])


EDGES = _all_edges()  # in grains: limits at which bins meet, rising


class Cells(NamedTuple):
    """Counts by key, and the latest rows of every bin; never written to once it is made."""

    keys: np.ndarray  # int64, rising
    counts: np.ndarray  # int64
    latest: np.ndarray  # of `ROW`


NOTHING = Cells(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, ROW))


def week_of(day: Any) -> Any:
    """The week, from Monday, of a day since 1970-01-01, a Thursday; both counted from 0."""
    return np.maximum(day + _MONDAY, 0) // 7


def newest_week(*keys: np.ndarray) -> int:
    """The latest week of some keys, 0 where there is none."""
    return max((int((some & WEEK_MASK).max()) for some in keys if len(some)), default=0)


def oldest_week(newest: int) -> int:
    """The first week that is kept, counting back from the newest."""
    return newest - WEEKS + 1


def settled(cells: Cells, rows: np.ndarray, newest: int | None = None) -> Cells:
    """Cells with more rows counted in, weeks forgotten that are too old. `newest`: the week that
    counts back from, where these are not all there are."""
    if newest is None:
        newest = newest_week(cells.keys, rows["key"])
    oldest = oldest_week(newest)
    rows = rows[(rows["key"] & WEEK_MASK) >= oldest]
    rows = rows[np.argsort(rows["key"])]
    begins = np.flatnonzero(np.diff(rows["key"], prepend=-1))
    keys, counts = rows["key"][begins], np.diff(begins, append=len(rows))
    keys, counts = _merged(cells, keys, counts)
    weeks = keys & WEEK_MASK
    if len(keys) > CELLS_MAX:
        many = np.cumsum(np.bincount(weeks)[::-1])[::-1]  # cells from a week on
        oldest = max(oldest, int((many <= CELLS_MAX).argmax()))
    if len(keys) and int(weeks.min()) < oldest:
        fresh = weeks >= oldest
        keys, counts = keys[fresh], counts[fresh]
    latest = np.concatenate([cells.latest, latest_of(rows)])
    latest = latest[(latest["key"] & WEEK_MASK) >= oldest]
    order = np.argsort(latest["key"] >> WEEK_BITS, kind="stable")  # two sorted runs
    return Cells(keys, counts, latest_of(latest[order]))


def _merged(cells: Cells, keys: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both, each key once: new ones are put in their places."""
    if not len(cells.keys):
        return keys, counts
    place = np.searchsorted(cells.keys, keys)
    known = cells.keys[np.minimum(place, len(cells.keys) - 1)] == keys
    held = cells.counts.copy()
    held[place[known]] += counts[known]
    fresh = ~known
    return (
        np.insert(cells.keys, place[fresh], keys[fresh]),
        np.insert(held, place[fresh], counts[fresh]),
    )


def latest_of(rows: np.ndarray) -> np.ndarray:
    """The latest few rows of every limit, department and bin, of rows that are in order of these.

    The same rows whatever their order, and whoever has counted them: by week, so that what is
    forgotten first is kept last; by instant; and of one instant by a hash of what the lines say.
    """
    if not len(rows):
        return rows
    bins = rows["key"] >> WEEK_BITS
    begins = np.flatnonzero(np.diff(bins, prepend=-1))
    segment = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(rows)))
    late, tie = _lateness(rows), tie_of(rows)
    kept = np.zeros(len(rows), bool)
    for _ in range(REFERENCES):
        most = np.maximum.reduceat(late, begins)[segment]
        best = _highest(tie, segment, np.flatnonzero((late == most) & (most >= 0)))
        kept[best] = True
        late[best] = -1
    return rows[kept]


def tie_of(rows: np.ndarray) -> np.ndarray:
    """What chooses among rows of one instant (int64): a function of what they say."""
    return np.asarray(rows["tie"] ^ rows["value"] * _SPREAD)


def _lateness(rows: np.ndarray) -> np.ndarray:
    """A number that rises with the week, and in it with the instant. No zone is a day apart."""
    week = rows["key"] & WEEK_MASK
    within = rows["at"] - (7 * week - _MONDAY - 1) * DAY_US
    return np.asarray(week << _LATE_BITS | np.clip(within, 0, (1 << _LATE_BITS) - 1))


def _highest(tie: np.ndarray, segment: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Of some rows one a segment: the one whose tie is highest."""
    begins = np.flatnonzero(np.diff(segment[rows], prepend=-1))
    if len(begins) == len(rows):
        return rows
    some = tie[rows]
    most = np.repeat(np.maximum.reduceat(some, begins), np.diff(begins, append=len(rows)))
    best = rows[some == most]
    return np.asarray(best[np.diff(segment[best], prepend=-1) != 0])
