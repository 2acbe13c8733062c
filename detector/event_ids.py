"""Ids of events that the state still refers to, kept once each."""

from __future__ import annotations

import numpy as np


class EventIds:
    """Ids of events that some row still refers to, as one bytes column; a reference is an index."""

    def __init__(self) -> None:
        self._ids = np.zeros(1024, "S16")
        self.count = 0
        self.layout = 0  # odd while references are given anew: whoever reads beside must wait

    def add(self, ids: np.ndarray) -> np.ndarray:
        """References (int64) of new ids."""
        end = self.count + len(ids)
        width = max(self._ids.dtype.itemsize, ids.dtype.itemsize)
        if end > len(self._ids) or width > self._ids.dtype.itemsize:
            grown = np.zeros(
                max(end, len(self._ids) * (2 if end > len(self._ids) else 1)), f"S{width}"
            )
            grown[: self.count] = self._ids[: self.count]
            self._ids = grown
        self._ids[self.count : end] = ids
        self.count = end
        return np.arange(end - len(ids), end)

    def texts(self, refs: np.ndarray) -> list[str]:
        """The ids behind references, each at least 0."""
        return [i.decode() for i in self._ids[refs].tolist()]

    def keep(self, used: np.ndarray) -> np.ndarray:
        """Forget all but `used` (bool, one a reference) and give the new reference of each."""
        new = np.cumsum(used) - 1
        kept = self._ids[: self.count][used]
        self._ids, self.count = kept.copy(), len(kept)
        return new
