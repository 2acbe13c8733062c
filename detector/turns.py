"""The rows of a batch in rounds: each sees the state that the one before it of its case left."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class Turns:
    """Rows in rounds: the first event of each case, then the second, and so on."""

    def __init__(self, case: np.ndarray) -> None:
        self._rows = len(case)
        if self._rows < 2:
            self._rank, self._order, self.most = None, None, self._rows
            return
        keys = case.astype(np.int64) << 32 | np.arange(self._rows)
        keys.sort()  # all differ, so the quickest sort will do
        ordered = keys >> 32
        begins = np.ones(self._rows, bool)
        np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
        self._rank, self._order, self.most = None, None, 1
        if not begins.all():
            places = np.arange(self._rows)
            self._rank = places - np.maximum.accumulate(np.where(begins, places, 0))
            self._order = keys & 0xFFFFFFFF
            self.most = int(self._rank.max()) + 1

    def __iter__(self) -> Iterator[np.ndarray]:
        """Row numbers of each round."""
        if self._rank is None or self._order is None:
            if self._rows:
                yield np.arange(self._rows)
            return
        few = self.most < 1 << 15  # short numbers are sorted by their digits
        by_rank = np.argsort(self._rank.astype(np.int16) if few else self._rank, kind="stable")
        ends = np.cumsum(np.bincount(self._rank))
        yield from np.split(self._order[by_rank], ends[:-1])
