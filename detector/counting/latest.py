"""Histograms by name of the latest days (近日): one table for all names, not an array for each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.learnkit import grown

MOST = 255  # that one size counts on one day


class LatestDays:
    """Of each name what its latest days counted, oldest first; a day without any is no day."""

    def __init__(self, days: int, sizes: int) -> None:
        self.kept = days
        self.place: dict[str, int] = {}  # name → row of the columns
        self._many = np.zeros(0, np.int64)  # days
        self._days = np.zeros((0, 1), np.int32)
        self._counts = np.zeros((0, 1, sizes), np.uint8)
        self._sums = np.zeros((0, sizes), np.int64)  # of all days

    def __len__(self) -> int:
        return len(self.place)

    def add(self, names: Sequence[str], day: int, counts: np.ndarray) -> None:
        """What a day counted of each name [names, sizes]; a day that was told before goes on."""
        rows = np.array([self.place.setdefault(n, len(self.place)) for n in names], np.int64)
        self._room(len(self.place), 0)
        many = self._many[rows]
        again = (many > 0) & (self._days[rows, many - 1] == day)
        on = rows[again]
        before = self._counts[on, many[again] - 1]
        self._sums[on] -= before
        counts = counts.copy()
        counts[again] += before
        many = many + ~again
        over = many - self.kept
        for days in np.unique(over[over > 0]).tolist():
            self._forget(rows[over == days], days)
        many = np.minimum(many, self.kept)
        self._room(len(self.place), int(many.max(initial=0)))
        new = np.minimum(counts, MOST).astype(np.uint8)
        self._many[rows] = many
        self._days[rows, many - 1], self._counts[rows, many - 1] = day, new
        self._sums[rows] += new

    def _forget(self, rows: np.ndarray, days: int) -> None:
        """The oldest days of these."""
        self._sums[rows] -= self._counts[rows, :days].sum(axis=1, dtype=np.int64)
        self._days[rows, :-days] = self._days[rows, days:]
        self._counts[rows, :-days] = self._counts[rows, days:]

    def _room(self, names: int, days: int) -> None:
        self._many, self._sums = grown(self._many, names, 0), grown(self._sums, names, 0)
        self._days, self._counts = grown(self._days, names, 0), grown(self._counts, names, 0)
        if days > self._days.shape[1]:
            more = max(days, min(days + days // 4, self.kept)) - self._days.shape[1]
            self._days = np.pad(self._days, ((0, 0), (0, more)))
            self._counts = np.pad(self._counts, ((0, 0), (0, more), (0, 0)))

    def drop(self, before: int) -> list[str]:
        """Forget whose last day lies before this one; their names."""
        names, rows = list(self.place), np.arange(len(self.place))
        old = self._days[rows, self._many[rows] - 1] < before
        if not old.any():
            return []
        stay = np.flatnonzero(~old)
        for name in ("_many", "_days", "_counts", "_sums"):
            setattr(self, name, getattr(self, name)[stay])
        self.place = {names[n]: at for at, n in enumerate(stay.tolist())}
        return [names[n] for n in np.flatnonzero(old).tolist()]

    def sums(self, names: Sequence[str]) -> np.ndarray:
        """What all days of each name counted [names, sizes]."""
        return self._sums[[self.place[name] for name in names]]

    def spans(self, names: Sequence[str]) -> tuple[list[int], list[int]]:
        """The first and the last day of each name."""
        rows = np.array([self.place[name] for name in names], np.int64)
        return self._days[rows, 0].tolist(), self._days[rows, self._many[rows] - 1].tolist()

    def told(self, name: str) -> tuple[list[int], bytes]:
        """A name's days, and what they counted."""
        row = self.place[name]
        many = int(self._many[row])
        return self._days[row, :many].tolist(), self._counts[row, :many].tobytes()

    def read(self, told: Sequence[tuple[str, list[int], bytes]]) -> None:
        """Into an empty one, names, their days, and what they counted."""
        self.place = {name: row for row, (name, *_) in enumerate(told)}
        self._room(len(told), max((len(days) for _, days, _ in told), default=0))
        for row, (_, days, counts) in enumerate(told):
            many = self._many[row] = len(days)
            self._days[row, :many] = days
            self._counts[row, :many] = np.frombuffer(counts, np.uint8).reshape(many, -1)
        self._sums[:] = self._counts.sum(axis=1, dtype=np.int64)

    def bytes_used(self) -> int:
        """About so much memory."""
        columns = (self._many, self._days, self._counts, self._sums)
        return sum(column.nbytes for column in columns) + 150 * len(self.place)
