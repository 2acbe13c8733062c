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
        most = max([1, *(len(i.incompatible) for i in items)])
        for item, code in zip(items, codes.tolist(), strict=True):
            self._listed[code] = True
            self._on_the_spot[code] = item.kind == "on_the_spot"
            for name, column in self._numbers.items():
                value = getattr(item, name)
                column[code] = ABSENT if value is None else value
        steps = [words.step.code(s.code) for i in items for s in i.steps]
        self._width = max(steps, default=-1) + 2  # the last column stands for every other step
        self._entry = np.zeros(size * self._width, np.int32)  # 0: the step is in no flow
        entries = len(steps) + 1
        self.place = np.full(entries, -1, np.int16)  # where a step stands in its item's flow
        self.duty = np.full(entries, NO_CODE, np.int32)
        self.partners = np.full((entries, most), NO_CODE, np.int32)  # duties of other people
        entry = 0
        for item, code in zip(items, codes.tolist(), strict=True):
            pairs = [tuple(self.duties.encode(pair).tolist()) for pair in item.incompatible]
            for place, step in enumerate(item.steps):
                entry += 1
                self._entry[code * self._width + words.step.code(step.code)] = entry
                duty = self.duties.code(step.duty)
                self.place[entry], self.duty[entry] = place, duty
                for n, (one, other) in enumerate(pairs if duty != NO_CODE else ()):
                    if duty in (one, other):
                        self.partners[entry, n] = one if duty == other else other
        self.paired = (self.partners != NO_CODE).any(axis=1)

    def row(self, item: np.ndarray) -> np.ndarray:
        """Index of each item code into the columns below."""
        return np.minimum(item.astype(np.uint32), self._size - 1)

    def entry(self, item: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Index of each step in its item's flow into `place`, `duty`, `partners` and `paired`."""
        column = np.minimum(step.astype(np.uint32), self._width - 1)
        return self._entry[self.row(item).astype(np.int64) * self._width + column]

    def listed(self, item: np.ndarray) -> np.ndarray:
        """Is the item in the catalogue."""
        return self._listed[self.row(item)]

    def on_the_spot(self, item: np.ndarray) -> np.ndarray:
        """Is it an on-the-spot item (即办件)."""
        return self._on_the_spot[self.row(item)]

    def number(self, name: str, item: np.ndarray) -> np.ndarray:
        """`fee_fen`, `promised_days` or `statutory_days`; `ABSENT` where the catalogue has none."""
        return self._numbers[name][self.row(item)]
