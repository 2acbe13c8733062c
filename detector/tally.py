"""Tallies (计数) of raw values: what any limit that can be tried out would have raised (阈值试算).

While the engine judges, the raw value of every row that a tunable rule speaks to and can know is
counted, by the limit in force, department, local week of the record, and bin. Bins are log-linear:
below 32 grains one a grain, above it sixteen an octave, so a bin is at most 1/16 of its value wide.
Every edge between bins is a limit for which the counts are exact, and each row keeps on which side
of the limit in force it lies, so they are exact there too.

Tallies are a function of the journal, however it is cut. They stand in no finding and no digest.
What a correction replaces stays counted as it was judged first; the new record is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from detector.rulekit import Tuned
from detector.shelf import Configured
from detector.tried import Tried
from detector.values import DAY_US

if TYPE_CHECKING:
    from detector.evaluate import Batch
    from detector.view import View

WEEKS = 53  # that are kept, the newest included
REFERENCES = 3  # rows that are remembered of a limit, department and bin: the latest
LIMITS_MAX = 32  # of one rule, ever in force; rows under further ones are not counted
GROUPS_MAX = 1_024
DEPARTMENTS_MAX = 4_094  # counted by name; what comes later is one department, without a name
CELLS_MAX = 4_000_000  # 64 MB; beyond it the oldest weeks are forgotten
WAITING_MAX = 1 << 17  # rows that are not sorted in yet

_WEEK_BITS, _SIDE_BITS, _BIN_BITS, _DEPARTMENT_BITS = 13, 1, 10, 12
_GROUP_SHIFT = _WEEK_BITS + _SIDE_BITS + _BIN_BITS + _DEPARTMENT_BITS
_ONE = int(np.array([1.0]).view(np.int64)[0] >> 48) - 1  # behind it the bin of one grain
ROW = np.dtype(
    [("key", "<i8"), ("at", "<i8"), ("value", "<i8")]
    + [(name, "<i4") for name in ("case", "item", "step", "department")]
)


def bins_of(grains: np.ndarray) -> np.ndarray:
    """The bin of each whole number of grains (int64, not negative)."""
    bits = grains.astype(np.float64).view(np.int64) >> 48  # exponent and four bits behind it
    return np.where(grains > 0, bits - _ONE, 0)


def _bin_of(grains: int) -> int:
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


class Found(NamedTuple):
    """What was counted of one rule, taken apart: a row a cell, and the latest rows."""

    limit: np.ndarray  # in force, the engine's integers
    department: np.ndarray  # codes, -1 unknown, `DEPARTMENTS_MAX` all that came later
    bin: np.ndarray
    side: np.ndarray  # 1: raised by the limit in force
    week: np.ndarray  # local weeks since 1970, from Monday
    many: np.ndarray  # rows
    latest: np.ndarray  # of `ROW`
    latest_limit: np.ndarray

    def where(self, cells: np.ndarray, latest: np.ndarray) -> Found:
        """Some of the cells, and some of the latest rows (masks)."""
        return Found(*(one[cells] for one in self[:6]), *(one[latest] for one in self[6:]))


NOTHING = Cells(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, ROW))
Group = tuple[str, int]  # rule, limit in force


@dataclass
class Tally:
    """All that was counted; changed by the thread that judges, read from any."""

    groups: list[Group] = field(default_factory=list)  # grows, and is never changed
    faults: dict[str, str] = field(default_factory=dict)  # rules whose value could not be had
    uncounted: dict[str, int] = field(default_factory=dict)  # rows of a rule beyond `LIMITS_MAX`

    def __post_init__(self) -> None:
        self._number = {group: n for n, group in enumerate(self.groups)}
        # one tuple, so that who reads from beside never sees half a change
        self.held: tuple[Cells, np.ndarray, int] = (NOTHING, np.empty(0, ROW), 0)

    # -- the engine's side ------------------------------------------------------------------------

    def count(self, batch: Batch) -> None:
        """Count the rows of a batch that tunable rules have judged."""
        for configured, view in batch.tuned or ():
            try:
                rows = self._rows(configured, view)
            except Exception as fault:  # it is not hidden: the explorer says so
                self.faults[configured.rule.id] = type(fault).__name__
            else:
                if rows is not None:
                    self._add(rows)

    def _rows(self, configured: Configured, view: View) -> np.ndarray | None:
        """Rows of a view that count, None where there is none."""
        tried, rule = configured.tried, configured.rule
        assert tried is not None
        value = tried.value(view, configured.params)
        limit = tried.limit(configured, view)
        if len(value) == 1:
            return self._one(configured, view, int(value[0]), limit)
        near = _near(tried.tuned, value - tried.past, limit)
        if not near.any():
            return None
        if tried.tuned.applies is not None:
            near &= tried.tuned.applies(view, configured.params)
        kept = np.flatnonzero(near)
        for name in rule.stamps:
            kept = kept[~view.batch.calendar.date_only(view[name][kept])]
        limit = limit if isinstance(limit, int) else limit[kept]
        group = self._groups(rule.id, limit, len(kept))
        some = view.subset(kept)
        return _as_rows(tried, some, value[kept], limit, group)[group >= 0] if len(kept) else None

    def _one(
        self, configured: Configured, view: View, value: int, limit: int | np.ndarray
    ) -> np.ndarray | None:
        """As `_rows`, of a single row: most arrive alone, and columns would cost more than all."""
        tried, rule = configured.tried, configured.rule
        assert tried is not None
        tuned, apart = tried.tuned, value - tried.past
        limit = limit if isinstance(limit, int) else int(limit[0])
        below = tuned.worse == "below"
        if apart >= max(tuned.most, limit) if below else apart < min(tuned.least, limit):
            return None
        if tuned.applies is not None and not tuned.applies(view, configured.params)[0]:
            return None
        zone = view.batch.calendar.zone
        if any(zone.local(int(view[name][0])) % DAY_US == 0 for name in rule.stamps):
            return None
        group = self._group(rule.id, limit, 1)
        if group < 0:
            return None
        apart = max(apart, 0)
        side = (apart < limit) == below
        if not below:
            apart = min(apart, max(tuned.most, limit))
        at, department = int(view["recorded_at"][0]), int(view["department"][0])
        day = int(zone.local(min(at, int(view["received_at"][0])))) // DAY_US
        key = group << _DEPARTMENT_BITS | (min(department, DEPARTMENTS_MAX) + 1)
        key = (key << _BIN_BITS | _bin_of(apart // tuned.grain)) << _SIDE_BITS | side
        key = key << _WEEK_BITS | max(day + 3, 0) // 7
        codes = (int(view[name][0]) for name in ("case", "item", "step"))
        return np.array([(key, at, value, *codes, department)], ROW)

    def _groups(self, rule: str, limit: int | np.ndarray, length: int) -> np.ndarray:
        """The number of each row's group, -1 where there are too many; new ones in row order."""
        if isinstance(limit, int):
            return np.full(length, self._group(rule, limit, length))
        group = np.full(length, -1, np.int64)
        rest = np.arange(length)
        while len(rest):
            one = int(limit[rest[0]])
            same = limit[rest] == one
            group[rest[same]] = self._group(rule, one, int(same.sum()))
            rest = rest[~same]
        return group

    def _group(self, rule: str, limit: int, rows: int) -> int:
        number = self._number.get((rule, limit))
        if number is None:
            mine = sum(name == rule for name, _ in self.groups)
            if mine == LIMITS_MAX or len(self.groups) == GROUPS_MAX:
                self.uncounted[rule] = self.uncounted.get(rule, 0) + rows
                return -1
            number = self._number[rule, limit] = len(self.groups)
            self.groups.append((rule, limit))
        return number

    def _add(self, rows: np.ndarray) -> None:
        cells, waiting, filled = self.held
        if filled + len(rows) > len(waiting):
            cells = settled(cells, waiting[:filled]) if filled else cells
            waiting, filled = np.empty(max(WAITING_MAX, len(rows)), ROW), 0
        waiting[filled : filled + len(rows)] = rows
        self.held = (cells, waiting, filled + len(rows))

    # -- who reads --------------------------------------------------------------------------------

    def limits_of(self, rule: str) -> list[int]:
        """The limits under which rows of a rule were judged, rising."""
        return sorted(limit for name, limit in self.groups if name == rule)

    def of(self, rule: str) -> Found:
        """What was counted of a rule; from any thread."""
        cells, waiting, filled = self.held
        limits = np.array([limit for _, limit in self.groups], np.int64)
        mine = np.array([name == rule for name, _ in self.groups], bool)
        begins = np.flatnonzero(mine) << _GROUP_SHIFT
        spans = np.searchsorted(cells.keys, [begins, begins + (1 << _GROUP_SHIFT)])
        some = np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in spans.T)])
        news, latest = waiting[:filled], cells.latest
        told = settled(
            Cells(cells.keys[some], cells.counts[some], latest[_within(latest, mine)]),
            news[_within(news, mine)],
            newest_week(cells.keys, news["key"]),
        )
        return _taken_apart(told, limits)

    # -- snapshots --------------------------------------------------------------------------------

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it that is columns, as it lies."""
        cells, waiting, filled = self.held
        return {
            "tally_keys": cells.keys, "tally_counts": cells.counts, "tally_latest": cells.latest,
            "tally_waiting": waiting[:filled],
        }  # fmt: skip

    def told(self) -> list[Any]:
        """The rest, for JSON."""
        return [self.groups, self.faults, self.uncounted]

    @classmethod
    def load(cls, told: Sequence[Any], read: dict[str, np.ndarray]) -> Tally:
        """What `arrays` and `told` gave."""
        groups, faults, uncounted = told
        tally = cls([(rule, limit) for rule, limit in groups], dict(faults), dict(uncounted))
        cells = Cells(*(read[f"tally_{name}"] for name in ("keys", "counts", "latest")))
        waiting = read["tally_waiting"]
        tally.held = (cells, waiting, len(waiting))
        return tally


def _near(tuned: Tuned, apart: np.ndarray, limit: int | np.ndarray) -> np.ndarray:
    """Rows that some limit that can be tried would raise, or that the one in force did."""
    one = isinstance(limit, int)
    if tuned.worse == "below":
        return np.asarray(
            apart < (max(tuned.most, limit) if one else np.maximum(tuned.most, limit))
        )
    return np.asarray(apart >= (min(tuned.least, limit) if one else np.minimum(tuned.least, limit)))


def _as_rows(
    tried: Tried, view: View, value: np.ndarray, limit: int | np.ndarray, group: np.ndarray
) -> np.ndarray:
    tuned, calendar = tried.tuned, view.batch.calendar
    apart = np.maximum(value - tried.past, 0)
    below = apart < limit
    if tuned.worse == "above":
        apart = np.minimum(apart, np.maximum(tuned.most, limit))
    side = below if tuned.worse == "below" else ~below
    seen = np.minimum(view["recorded_at"], view["received_at"])  # no clock ahead of ours counts
    department = np.minimum(view["department"].astype(np.int64), DEPARTMENTS_MAX)
    key = group << _DEPARTMENT_BITS | (department + 1)
    key = key << _BIN_BITS | bins_of(apart // tuned.grain)
    key = key << _SIDE_BITS | side
    rows = np.empty(len(view), ROW)
    rows["key"] = key << _WEEK_BITS | week_of(calendar.day(seen))
    rows["at"], rows["value"] = view["recorded_at"], value
    for name in ("case", "item", "step", "department"):
        rows[name] = view[name]
    return rows


def week_of(day: Any) -> Any:
    """The week, from Monday, of a day since 1970-01-01, a Thursday; both counted from 0."""
    return np.maximum(day + 3, 0) // 7


def newest_week(*keys: np.ndarray) -> int:
    """The latest week of some keys, 0 where there is none."""
    mask = (1 << _WEEK_BITS) - 1
    return max((int((some & mask).max()) for some in keys if len(some)), default=0)


def settled(cells: Cells, rows: np.ndarray, newest: int | None = None) -> Cells:
    """Cells with more rows counted in, weeks forgotten that are too old. `newest`: the week that
    counts back from, where these are not all there are."""
    mask = (1 << _WEEK_BITS) - 1
    if newest is None:
        newest = newest_week(cells.keys, rows["key"])
    oldest = newest - WEEKS + 1
    rows = rows[(rows["key"] & mask) >= oldest]
    rows = rows[np.argsort(rows["key"])]
    begins = np.flatnonzero(np.diff(rows["key"], prepend=-1))
    keys, counts = rows["key"][begins], np.diff(begins, append=len(rows))
    keys, counts = _merged(cells, keys, counts)
    weeks = keys & mask
    if len(keys) > CELLS_MAX:
        many = np.cumsum(np.bincount(weeks)[::-1])[::-1]  # cells from a week on
        oldest = max(oldest, int((many <= CELLS_MAX).argmax()))
    if len(keys) and int(weeks.min()) < oldest:
        fresh = weeks >= oldest
        keys, counts = keys[fresh], counts[fresh]
    latest = np.concatenate([cells.latest, _latest(rows)])
    latest = latest[(latest["key"] & mask) >= oldest]
    order = np.argsort(latest["key"] >> _WEEK_BITS, kind="stable")  # two sorted runs
    return Cells(keys, counts, _latest(latest[order]))


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


def _latest(rows: np.ndarray) -> np.ndarray:
    """The latest few rows of every limit, department and bin, of rows that are in order of these;
    of an instant any, but the same whatever the order."""
    if not len(rows):
        return rows
    bins = rows["key"] >> _WEEK_BITS
    begins = np.flatnonzero(np.diff(bins, prepend=-1))
    lengths = np.diff(begins, append=len(rows))
    segment = np.repeat(np.arange(len(begins)), lengths)
    late = rows["at"] - int(rows["at"].min())
    late = np.minimum(late, (1 << 46) - 1) << 16 | _mixed(rows)  # 46 bits of µs are two years
    kept = np.zeros(len(rows), bool)
    for _ in range(REFERENCES):
        most = np.maximum.reduceat(late, begins)[segment]
        best = np.flatnonzero((late == most) & (most >= 0))
        best = best[np.diff(segment[best], prepend=-1) != 0]
        kept[best] = True
        late[best] = -1
    return rows[kept]


def _mixed(rows: np.ndarray) -> np.ndarray:
    """Sixteen bits of what else a row says, to choose among rows of one instant."""
    told = rows["value"] * 31 + rows["case"]
    told = (told * 31 + rows["step"]) * 31 + rows["item"]
    return np.asarray((told * 0x9E3779B97F4A7C1 >> 40) & 0xFFFF)


def _within(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Which rows are of some groups (a mask by number)."""
    number = rows["key"] >> _GROUP_SHIFT
    fits = number < len(groups)  # one that came while somebody reads is not known to them yet
    return fits & np.append(groups, False)[np.where(fits, number, -1)]


def _taken_apart(cells: Cells, limits: np.ndarray) -> Found:
    """Cells by what their keys are made of; `limits`: by the number of the group."""
    keys = cells.keys
    week = keys & ((1 << _WEEK_BITS) - 1)
    side = (keys >> _WEEK_BITS) & 1
    bins = (keys >> (_WEEK_BITS + _SIDE_BITS)) & ((1 << _BIN_BITS) - 1)
    department = (keys >> (_GROUP_SHIFT - _DEPARTMENT_BITS)) & ((1 << _DEPARTMENT_BITS) - 1)
    of = (limits[some >> _GROUP_SHIFT] for some in (keys, cells.latest["key"]))
    limit, latest_limit = of
    return Found(limit, department - 1, bins, side, week, cells.counts, cells.latest, latest_limit)
