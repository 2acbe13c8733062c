"""The catalogue as columns: what an item is, where a step stands in its flow, which duty it is."""

from __future__ import annotations

import numpy as np

from detector.catalogue import Catalogue
from detector.columns import NO_CODE, Vocabulary, Words
from detector.values import ABSENT


class Flows:
    """A catalogue compiled against the vocabularies of a stream."""

    def __init__(self, catalogue: Catalogue, words: Words) -> None:
        items = list(catalogue.items.values())
        codes = words.item.encode([i.code for i in items])
        size = int(codes.max(initial=-1)) + 2  # the last row stands for every unlisted item
        self.duties = Vocabulary()
        self._size = size
        self._listed = np.zeros(size, bool)
        self._on_the_spot = np.zeros(size, bool)
        self._numbers = {
            name: np.full(size, ABSENT, np.int64)
            for name in ("fee_fen", "promised_days", "statutory_days")
        }
        most = max((len(i.incompatible) for i in items), default=0)
        self._pairs = np.full((size, max(most, 1), 2), NO_CODE, np.int32)
        places: dict[int, tuple[int, int]] = {}
        for item, code in zip(items, codes.tolist(), strict=True):
            self._listed[code] = True
            self._on_the_spot[code] = item.kind == "on_the_spot"
            for name, column in self._numbers.items():
                value = getattr(item, name)
                column[code] = ABSENT if value is None else value
            for n, pair in enumerate(item.incompatible):
                self._pairs[code, n] = self.duties.encode(pair)
            for place, step in enumerate(item.steps):
                key = code << 32 | words.step.code(step.code)
                places[key] = (place, self.duties.code(step.duty))
        self._keys = np.array(sorted(places), np.int64)
        ordered = [places[k] for k in self._keys.tolist()]
        self._place = np.array([p for p, _ in ordered], np.int16)
        self._duty = np.array([d for _, d in ordered], np.int32)

    def row(self, item: np.ndarray) -> np.ndarray:
        """Index of each item code into the columns below."""
        return np.where((item >= 0) & (item < self._size), item, self._size - 1)

    def listed(self, item: np.ndarray) -> np.ndarray:
        """Is the item in the catalogue."""
        return self._listed[self.row(item)]

    def on_the_spot(self, item: np.ndarray) -> np.ndarray:
        """Is it an on-the-spot item (即办件)."""
        return self._on_the_spot[self.row(item)]

    def number(self, name: str, item: np.ndarray) -> np.ndarray:
        """`fee_fen`, `promised_days` or `statutory_days`; `ABSENT` where the catalogue has none."""
        return self._numbers[name][self.row(item)]

    def place_and_duty(self, item: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the step stands in the item's flow (int16) and its duty (int32); -1 for none."""
        if not len(self._keys):
            return np.full(len(item), -1, np.int16), np.full(len(item), NO_CODE, np.int32)
        keys = item.astype(np.int64) << 32 | step
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[at] == keys
        return np.where(found, self._place[at], -1), np.where(found, self._duty[at], NO_CODE)

    def partners(self, item: np.ndarray, duty: np.ndarray) -> np.ndarray:
        """The duties that may not be held beside each row's own: (rows, pairs), -1 for none."""
        pairs = self._pairs[self.row(item)]
        mine = duty[:, None]
        known = mine != NO_CODE
        other = np.where(pairs[:, :, 0] == mine, pairs[:, :, 1], NO_CODE)
        other = np.where((pairs[:, :, 1] == mine) & known, pairs[:, :, 0], other)
        return np.where(known, other, NO_CODE)
