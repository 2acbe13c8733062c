"""Series of whole numbers, each distinct one kept once and numbered in order of its coming."""

from __future__ import annotations

import numpy as np

from detector.learnkit import grown
from detector.quick import loaded, of_cases


class Alike:
    """Numbers series of unequal length; two are alike where they are equal from end to end."""

    def __init__(self) -> None:
        self.many = 0
        self._flat, self._begins = np.zeros(64, np.int64), np.zeros(17, np.int64)
        self._places = np.full(32, -1)  # numbers by hash, a power of two, for compiled code
        self._planted = 0  # so many of them stand there
        self._known: dict[bytes, int] = {}  # without compiled code

    def __len__(self) -> int:
        return self.many

    @property
    def flat(self) -> np.ndarray:
        """All distinct series, one behind the other."""
        return self._flat[: self._begins[self.many]]

    @property
    def begins(self) -> np.ndarray:
        """Series n lies in `flat` from begins[n] up to begins[n + 1]."""
        return self._begins[: self.many + 1]

    def numbers(self, flat: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """The number of each series, which lie in `flat` as told; new ones get the next."""
        most = self.many + len(begins) - 1
        self._flat = grown(self._flat, len(self.flat) + len(flat), 0)
        self._begins = grown(self._begins, most + 1, 0)
        told = np.empty(len(begins) - 1, np.int64)
        if not loaded():
            return self._one_by_one(told, np.ascontiguousarray(flat), begins.tolist())
        if 2 * most > len(self._places):
            self._places, self._planted = np.full(2 << (2 * most).bit_length(), -1), 0
        held, used = (self._flat, self._begins), np.array([self.many])
        if self._planted < self.many:
            of_cases().plant(self._places, held, self._planted, self.many)
        of_cases().number(told, (flat, begins), held, used, self._places)
        self.many = self._planted = int(used[0])
        return told

    def _one_by_one(self, told: np.ndarray, flat: np.ndarray, begins: list[int]) -> np.ndarray:
        for n in range(len(self._known), self.many):  # those that compiled code met
            self._known[self._flat[self._begins[n] : self._begins[n + 1]].tobytes()] = n
        for n in range(len(told)):
            one = flat[begins[n] : begins[n + 1]]
            told[n] = at = self._known.setdefault(one.tobytes(), self.many)
            if at == self.many:
                begin = self._begins[at]
                self._begins[at + 1] = begin + len(one)
                self._flat[begin : begin + len(one)] = one
                self.many += 1
        return told

    def bytes_used(self) -> int:
        """About so much memory."""
        columns = self._flat.nbytes + self._begins.nbytes + self._places.nbytes
        return columns + 100 * len(self._known) + 8 * len(self.flat) * bool(self._known)
