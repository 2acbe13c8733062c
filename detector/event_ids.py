"""Ids of events that the state still refers to, kept once each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Moving(NamedTuple):
    """How far references are given anew. Whoever reads rows beside the thread that does it looks at
    this before and after: it is another object whenever something moved."""

    former: np.ndarray | None = None  # ids behind references of rows that are still to come
    begin: int = 0  # rows before it have their new references
    end: int = 0  # those up to it are in work


class EventIds:
    """Ids of events that some row still refers to, as one bytes column; a reference is an index."""

    def __init__(self) -> None:
        self._ids = np.zeros(1024, "S16")
        self.count = 0
        self.moving = Moving()

    def add(self, ids: np.ndarray) -> np.ndarray:
        """References (int64) of new ids."""
        end = self.count + len(ids)
        width = max(self._ids.dtype.itemsize, ids.dtype.itemsize)
        if end > len(self._ids) or width > self._ids.dtype.itemsize:
            grown = np.zeros(
                max(end, len(self._ids) * (2 if end > len(self._ids) else 1)), f"S{width}"
            )
            if width == self._ids.dtype.itemsize:  # as numbers: others run meanwhile
                grown.view(np.uint8)[: self.count * width] = self._ids[: self.count].view(np.uint8)
            else:
                grown[: self.count] = self._ids[: self.count]
            self._ids = grown
        self._ids[self.count : end] = ids
        self.count = end
        return np.arange(end - len(ids), end)

    def texts(self, refs: np.ndarray) -> list[str]:
        """The ids behind references, each at least 0."""
        return [i.decode() for i in self._ids[refs].tolist()]

    def spelled(self, refs: np.ndarray, row: int) -> list[str] | None:
        """As `texts`, of a row's references; None while that row is in work. From any thread."""
        former, begin, end = self.moving
        if former is not None and begin <= row < end:
            return None
        ids = self._ids if former is None or row < begin else former
        return [i.decode() for i in ids[refs].tolist()]

    def keep(self, used: np.ndarray) -> np.ndarray:
        """Forget all but `used` (bool, one a reference) and give the new reference of each."""
        new = np.cumsum(used) - 1
        kept = self._ids[: self.count][used]
        self.moving = Moving(self._ids)
        self._ids, self.count = kept.copy(), len(kept)
        return new
