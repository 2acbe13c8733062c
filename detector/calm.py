"""Operators at their ease: records that can raise nothing wait here, many for one entry in memory.

A record is calm when it comes in order and fewer than `back` others of its operator lie within the
window before it. To enter it later is to judge it in a later batch, which changes no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from detector.columns import Words
from detector.records import COLUMNS, Records

LONG_AGO = -(1 << 62)
ROWS_AN_OPERATOR = 128  # calm records for each operator that is entered out of turn
_ROOM = 1_024


class Calm:
    """The latest times of each operator, and the calm records that memory does not know yet."""

    def __init__(self, back: int, window_us: int) -> None:
        self.back, self.window_us = back, window_us
        self._tail = np.zeros((0, back), np.int64)  # the latest `back` times of each operator
        self._known = np.zeros(0, bool)  # whose tail is the truth
        self._latest = np.zeros(0, np.int64)  # place of each operator's latest row, -1 for none
        self._since = np.zeros(0, np.int64)  # rows of an operator at earlier places are memory's
        self._rows: Records | None = None  # room for rows, the first `_count` are filled
        self._before = np.zeros(0, np.int64)  # place of the row before, of the same operator
        self._count = self._live = 0
        self._turn = self._owed = 0

    def __len__(self) -> int:
        return self._live

    def columns(self) -> dict[str, np.ndarray]:
        """What it holds, for `restored`: rows in the order in which they lie."""
        rows = {name: getattr(some, name) for some in self.all() for name in COLUMNS}
        turn = np.array([self.back, self.window_us, self._turn, self._owed])
        return rows | {"tail": self._tail.ravel(), "known": self._known, "turn": turn}

    @classmethod
    def restored(cls, columns: Mapping[str, np.ndarray], words: Words) -> Calm:
        """What gave these columns."""
        back, window_us, turn, owed = columns["turn"].tolist()
        calm, people = cls(back, window_us), len(columns["known"])
        calm._tail, calm._known = columns["tail"].reshape(people, back), columns["known"]
        calm._latest, calm._since = np.full(people, -1), np.zeros(people, np.int64)
        calm._turn, calm._owed = turn, owed
        if "operator" in columns:
            calm._lay(Records(words, *(columns[name] for name in COLUMNS)))
        return calm

    # -- what is calm ---------------------------------------------------------------------------

    def sift(self, records: Records, times_of: Callable[[int], Sequence[int]]) -> np.ndarray:
        """Keep what is calm of records sorted by operator; the codes of the operators who are not.

        `times_of` tells the latest times of an operator whom only memory knows.
        """
        operator, recorded, back = records.operator, records.recorded_at, self.back
        new = _firsts(operator)
        begins = np.flatnonzero(new)
        people = operator[begins]
        self._meet(people, times_of)
        if not back:
            return people
        # Each operator's latest times, then the new ones: `back` places before is `back` ago.
        ends = np.append(begins[1:], len(operator))
        heads = begins + np.arange(len(begins)) * back
        at = np.arange(len(operator)) + np.cumsum(new) * back
        times = np.empty(len(operator) + len(begins) * back, np.int64)
        times[heads[:, None] + np.arange(back)] = self._tail[people]
        times[at] = recorded
        loud = (recorded - times[at - back] < self.window_us) | (recorded < times[at - 1])
        calm = ~np.logical_or.reduceat(loud, begins)
        tails = (heads + ends - begins)[calm, None] + np.arange(back)
        self._tail[people[calm]] = times[tails]
        if calm.all():
            self._keep(records)
            return people[:0]
        self._keep(records.take(np.repeat(calm, ends - begins)))
        return people[~calm]

    def note(self, operator: int, times: Sequence[int]) -> None:
        """An operator's latest times (rising), as memory has them now."""
        some = times[-self.back :] if self.back else ()
        self._known[operator] = True
        self._tail[operator] = LONG_AGO
        self._tail[operator, self.back - len(some) :] = some

    def _meet(self, people: np.ndarray, times_of: Callable[[int], Sequence[int]]) -> None:
        have, most = len(self._known), int(people[-1]) + 1
        if most > have:
            more = max(most, 2 * have) - have
            self._tail = np.concatenate([self._tail, np.full((more, self.back), LONG_AGO)])
            self._known = np.append(self._known, np.zeros(more, bool))
            self._latest = np.append(self._latest, np.full(more, -1))
            self._since = np.append(self._since, np.zeros(more, np.int64))
        for one in people[~self._known[people]].tolist():
            self.note(one, times_of(one))

    # -- what waits -----------------------------------------------------------------------------

    def due(self) -> np.ndarray:
        """Operators whose turn it is to be entered, so that what waits stays bounded."""
        turns, self._owed = divmod(self._owed, ROWS_AN_OPERATOR)
        if not turns:
            return np.zeros(0, np.int64)
        waiting = np.flatnonzero(self._latest >= 0)
        at = np.searchsorted(waiting, self._turn)
        some = np.concatenate([waiting[at:], waiting[:at]])[:turns]
        self._turn = int(some[-1]) + 1 if len(some) else 0
        return some

    def withdraw(self, operators: np.ndarray) -> list[Records]:
        """The rows that wait for these operators, each one's in order; they wait no longer."""
        places, at = [], self._latest[operators]
        at = at[at >= 0]
        while len(at):
            places.append(at)
            at = self._before[at]
            at = at[at >= 0]
        self._latest[operators] = -1
        self._since[operators] = self._count
        if not places or self._rows is None:
            return []
        rows = np.sort(np.concatenate(places))
        self._live -= len(rows)
        return [self._rows.take(rows)]

    def all(self) -> list[Records]:
        """All rows that wait, each operator's in order."""
        rows = self._rows
        return [] if rows is None or not self._live else [rows.take(self._alive(rows))]

    def _alive(self, rows: Records) -> np.ndarray:
        filled = rows.operator[: self._count]
        return np.flatnonzero(np.arange(self._count) >= self._since[filled])

    def _keep(self, records: Records) -> None:
        size, operator = len(records), records.operator
        if not size:
            return
        rows = self._make_room(records)
        begin, end = self._count, self._count + size
        for name in COLUMNS:
            getattr(rows, name)[begin:end] = getattr(records, name)
        places = np.arange(begin, end)
        new = _firsts(operator)
        before = places - 1
        before[new] = self._latest[operator[new]]
        self._before[begin:end] = before
        last = np.append(new[1:], True)
        self._latest[operator[last]] = places[last]
        self._count, self._live, self._owed = end, self._live + size, self._owed + size

    def _lay(self, records: Records) -> None:
        """Take over rows of several batches, each operator's in order, where none wait."""
        size = self._count = self._live = len(records)
        room = max(_ROOM, size * 3 // 2)
        self._rows = _with_room(records, np.arange(size), room, records.event_id.dtype.itemsize)
        order = np.argsort(records.operator, kind="stable")
        operator = records.operator[order]
        new = _firsts(operator)
        self._before = np.zeros(room, np.int64)
        self._before[order[1:]] = order[:-1]
        self._before[order[new]] = -1
        last = np.append(new[1:], True)
        self._latest[operator[last]] = order[last]

    def _make_room(self, records: Records) -> Records:
        """Room for further rows: what waits no longer goes first, then the columns grow."""
        rows, room = self._rows, len(self._before)
        rows = records.take(slice(0, 0)) if rows is None else rows
        width = max(rows.event_id.dtype.itemsize, records.event_id.dtype.itemsize)
        wider = width > rows.event_id.dtype.itemsize
        if wider or self._count + len(records) > room:
            kept = self._alive(rows)
            if wider or self._live + len(records) > room // 2:
                room = max(_ROOM, room * 3 // 2, self._live + len(records))
            moved = np.append(np.full(self._count, -1), -1)  # the last: before the first is none
            moved[kept] = np.arange(len(kept))
            self._latest = moved[self._latest]
            self._before = np.append(moved[self._before[kept]], np.zeros(room - len(kept), int))
            self._since[:] = 0
            self._count = len(kept)
            rows = _with_room(rows, kept, room, width)
        self._rows = rows
        return rows


def _with_room(rows: Records, kept: np.ndarray, room: int, width: int) -> Records:
    """Some rows at the head of columns of so many, ids so many bytes wide."""
    columns = []
    for name in COLUMNS:
        old = getattr(rows, name)
        column = np.empty(room, f"S{width}" if name == "event_id" else old.dtype)
        column[: len(kept)] = old[kept]
        columns.append(column)
    return Records(rows.words, *columns)


def _firsts(operator: np.ndarray) -> np.ndarray:
    """Which rows are the first of their operator, in rows sorted by operator."""
    new = np.ones(len(operator), bool)
    np.not_equal(operator[1:], operator[:-1], out=new[1:])
    return new
