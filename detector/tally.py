"""Tallies (计数) of raw values: what any limit that can be tried out would have raised (阈值试算).

While the engine judges, the raw value of every row that a tunable rule speaks to and can know is
counted, by the limit in force, department, local week of the record, and bin (`cells`).

Tallies are a function of the journal, however it is cut. They stand in no finding and no digest.
What a correction replaces stays counted as it was judged first; the new record is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.cells import (
    BIN_BITS,
    CODED,
    DEPARTMENT_BITS,
    DEPARTMENTS_MAX,
    GROUP_SHIFT,
    NOTHING,
    ROW,
    SIDE_BITS,
    WEEK_BITS,
    Cells,
    bin_of,
    bins_of,
    newest_week,
    settled,
    week_of,
)
from detector.counted import Counted
from detector.rulekit import Tuned
from detector.shelf import Configured
from detector.tried import Tried
from detector.values import DAY_US

if TYPE_CHECKING:
    from detector.columns import Words
    from detector.evaluate import Batch
    from detector.view import View

LIMITS_MAX = 32  # of one rule, ever in force; rows under further ones are not counted
GROUPS_MAX = 1_024
WAITING_MAX = 1 << 17  # rows that are not sorted in yet

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
                rule, name = configured.rule.id, type(fault).__name__
                self.faults[rule] = min(name, self.faults.get(rule, name))
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
        key = group << DEPARTMENT_BITS | (min(department, DEPARTMENTS_MAX) + 1)
        key = (key << BIN_BITS | bin_of(apart // tuned.grain)) << SIDE_BITS | side
        key = key << WEEK_BITS | max(day + 3, 0) // 7
        codes = [int(view[name][0]) for name in CODED]
        tie = view.batch.inputs.words.case.hash_of(codes[0]) ^ int(view.given("content")[0])
        tie -= tie >> 63 << 64  # as a column of int64 has it
        return np.array([(key, at, value, tie, *codes)], ROW)

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

    def of(self, rule: str, words: Words) -> Counted:
        """What was counted of a rule; from any thread. `words`: what its codes mean."""
        cells, waiting, filled = self.held
        limits = [limit for _, limit in self.groups]
        mine = np.array([name == rule for name, _ in self.groups[: len(limits)]], bool)
        numbers = np.flatnonzero(mine)
        begins = numbers << GROUP_SHIFT
        spans = np.searchsorted(cells.keys, [begins, begins + (1 << GROUP_SHIFT)])
        some = np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in spans.T)])
        news, latest = waiting[:filled], cells.latest
        newest = newest_week(cells.keys, news["key"])
        told = settled(
            Cells(cells.keys[some], cells.counts[some], latest[_within(latest, mine)]),
            news[_within(news, mine)],
            newest,
        )
        place = np.cumsum(mine) - 1  # among the rule's own
        told = Cells(_renumbered(told.keys, place), told.counts, told.latest.copy())
        told.latest["key"] = _renumbered(told.latest["key"], place)
        return Counted(
            told, [limits[n] for n in numbers.tolist()],
            {name: getattr(words, name).words for name in CODED}, newest,
            self.faults.get(rule), self.uncounted.get(rule, 0),
        )  # fmt: skip

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
    key = group << DEPARTMENT_BITS | (department + 1)
    key = key << BIN_BITS | bins_of(apart // tuned.grain)
    key = key << SIDE_BITS | side
    rows = np.empty(len(view), ROW)
    rows["key"] = key << WEEK_BITS | week_of(calendar.day(seen))
    rows["at"], rows["value"], rows["tie"] = view["recorded_at"], value, _ties(view)
    for name in CODED:
        rows[name] = view[name]
    return rows


def _ties(view: View) -> np.ndarray:
    """A hash (int64) of each row's case and of all that its line says: the same in any process."""
    cases = view.batch.inputs.words.case.hashes(view["case"])
    return (cases ^ view.given("content")).view(np.int64)


def _within(rows: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Which rows are of some groups (a mask by number)."""
    number = rows["key"] >> GROUP_SHIFT
    fits = number < len(groups)  # one that came while somebody reads is not known to them yet
    return fits & np.append(groups, False)[np.where(fits, number, -1)]


def _renumbered(keys: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Keys with another number of the group."""
    return np.asarray(keys & ((1 << GROUP_SHIFT) - 1) | place[keys >> GROUP_SHIFT] << GROUP_SHIFT)
