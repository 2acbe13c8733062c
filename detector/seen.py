"""Which (case, event_id) were met before, and with what content: a hash table as numpy columns."""

from __future__ import annotations

import numpy as np

_EMPTY = np.uint64(0)
_SMALL = 16  # below this a plain loop is quicker than whole columns


class Seen:
    """64-bit keys with a 64-bit content each, open addressing, doubled at half load."""

    def __init__(self, size: int = 1 << 12) -> None:
        self._keys = np.zeros(size, np.uint64)
        self._content = np.zeros(size, np.uint64)
        self._owner = np.zeros(size, np.int32)  # row of the batch that claims a fresh slot
        self.count = 0
        self.versions: dict[int, set[int]] = {}  # key → contents that it no longer stands for

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self._keys.nbytes + self._content.nbytes + self._owner.nbytes

    def add(self, keys: np.ndarray, content: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Enter a batch in order. Returns (first, equal): `first` where the key is new, `equal`
        where it is not and the content is that of the first. Both bool, one a row."""
        keys = np.where(keys == _EMPTY, np.uint64(1), keys)
        content = np.where(content == _EMPTY, np.uint64(1), content)
        while (self.count + len(keys)) * 2 > len(self._keys):
            self._grow()
        if len(keys) < _SMALL:
            return self._add_few(keys, content)
        slots, first = self._claim(keys)
        self._content[slots[first]] = content[first]
        self.count += int(first.sum())
        held = self._content[slots]
        for row in np.flatnonzero(held == _EMPTY).tolist():  # refused before, sent again
            if not self._content[slots[row]]:
                self._content[slots[row]] = content[row]
                first[row] = True
        return first, ~first & (self._content[slots] == content)

    def void(self, keys: np.ndarray) -> None:
        """These events were refused after all: they may be mended and sent again."""
        for key in keys.tolist():
            self._content[self._slot(key or 1)] = _EMPTY

    def had(self, key: int, content: int) -> bool:
        """Did this key stand for that content before it was replaced?"""
        return (content or 1) in self.versions.get(key, ())

    def replace(self, keys: np.ndarray, content: np.ndarray) -> None:
        """Keys that are known stand for this content from now on; the old one is remembered."""
        for key, value in zip(keys.tolist(), content.tolist(), strict=True):
            slot = self._slot(key or 1)
            old, new = int(self._content[slot]), value or 1
            if old not in (0, new):
                self.versions.setdefault(key, set()).add(old)
            self._content[slot] = new

    def _claim(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The slot of each key, and which rows were the first to claim theirs."""
        mask = np.uint64(len(self._keys) - 1)
        slots = (keys & mask).astype(np.int64)
        first = np.zeros(len(keys), bool)
        todo = np.arange(len(keys), dtype=np.int32)
        while len(todo):
            here = slots[todo]
            held = self._keys[here]
            free = held == _EMPTY
            if free.any():
                claim = todo[free]
                at = slots[claim]
                self._keys[at[::-1]] = keys[claim[::-1]]  # of several, the earliest row stays
                self._owner[at[::-1]] = claim[::-1]
                won = self._owner[at] == claim
                first[claim[won]] = True
                held = self._keys[here]
            miss = held != keys[todo]
            todo = todo[miss]
            slots[todo] = (slots[todo] + 1) & int(mask)
        return slots, first

    def _add_few(self, keys: np.ndarray, content: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, equal = np.zeros(len(keys), bool), np.zeros(len(keys), bool)
        for row, (key, value) in enumerate(zip(keys.tolist(), content.tolist(), strict=True)):
            slot = self._slot(key)
            if not self._keys[slot]:
                self._keys[slot], self._content[slot] = key, value
                first[row] = True
                self.count += 1
            elif not self._content[slot]:  # refused before, sent again
                self._content[slot] = value
                first[row] = True
            else:
                equal[row] = int(self._content[slot]) == value
        return first, equal

    def _slot(self, key: int) -> int:
        mask = len(self._keys) - 1
        slot = key & mask
        while self._keys[slot] and int(self._keys[slot]) != key:
            slot = (slot + 1) & mask
        return slot

    def find(self, key: int) -> int | None:
        """The content that a key stands for, None where it is new or was refused. From any thread:
        of keys that nobody enters at the same time."""
        keys, held = self._keys, self._content
        while len(keys) != len(held):  # it grew this very moment
            keys, held = self._keys, self._content
        mask, key = len(keys) - 1, key or 1
        slot = key & mask
        while keys[slot] and int(keys[slot]) != key:
            slot = (slot + 1) & mask
        return int(held[slot]) or None if keys[slot] else None

    def _grow(self) -> None:
        """Twice as much room, laid out aside: who looks on sees the old one or the new one."""
        full = self._keys != _EMPTY
        keys, content = self._keys[full], self._content[full]
        wider = Seen(len(self._keys) * 2)
        slots, _ = wider._claim(keys)
        wider._content[slots] = content
        self._keys, self._content, self._owner = wider._keys, wider._content, wider._owner
        self.count = len(keys)
