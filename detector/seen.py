"""Which (case, event_id) were met before, and with what content: a hash table as numpy columns.

A table that is full is given up for one twice as large, a slice at a time, so that no batch waits
for all of it. Until the last slice the former table is asked too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

_EMPTY = np.uint64(0)
_SMALL = 16  # below this a plain loop is quicker than whole columns
_MOVED_A_KEY = 4  # slots of the former table for each key that is entered; 2 are just enough
_LAID_A_KEY = 40  # slots of the next table for each key, once few are free; 32 are just enough


class Former(NamedTuple):
    """The table before, while it is given up. Its keys stay as they were, and what changes is
    written there too: a key that it has can be read there until the end."""

    keys: np.ndarray
    content: np.ndarray


class _Next(NamedTuple):
    """The table that is to come. Fresh memory is had page by page as it is first written to, which
    costs more than the batch that would meet all of it at once: it is written to ahead."""

    keys: np.ndarray
    content: np.ndarray
    owner: np.ndarray


class Seen:
    """64-bit keys with a 64-bit content each, open addressing, doubled at half load."""

    moved_least = 256  # slots of the former table that are given up at a time

    def __init__(self, size: int = 1 << 12) -> None:
        self._former: Former | None = None
        self._moved = 0  # slots of it that were given up
        self._next: _Next | None = None
        self._laid = 0  # slots of it that are ready
        self._keys = np.zeros(size, np.uint64)
        self._content = np.zeros(size, np.uint64)
        self._owner = np.zeros(size, np.int32)  # row of the batch that claims a fresh slot
        self.count = 0
        self.versions: dict[int, set[int]] = {}  # key → contents that it no longer stands for

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        tables: list[np.ndarray] = [self._keys, self._content, self._owner]
        tables += [*(self._former or ()), *(self._next or ())]
        return sum(table.nbytes for table in tables)

    def columns(self) -> dict[str, np.ndarray]:
        """What it holds, `versions` and `count` left out."""
        nothing = np.zeros(0, np.uint64)
        former = self._former or Former(nothing, nothing)
        return {
            "keys": self._keys, "content": self._content, "moved": np.array([self._moved]),
            "former_keys": former.keys, "former_content": former.content,
        }  # fmt: skip

    def restore(self, columns: Mapping[str, np.ndarray], count: int) -> None:
        """Be what `columns` gave."""
        self._keys, self._content, self.count = columns["keys"], columns["content"], count
        self._owner = np.zeros(len(self._keys), np.int32)
        former = Former(columns["former_keys"], columns["former_content"])
        self._former = former if len(former.keys) else None
        self._moved = int(columns["moved"][0])

    def add(self, keys: np.ndarray, content: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Enter a batch in order. Returns (first, equal): `first` where the key is new, `equal`
        where it is not and the content is that of the first. Both bool, one a row."""
        keys = np.where(keys == _EMPTY, np.uint64(1), keys)
        content = np.where(content == _EMPTY, np.uint64(1), content)
        if (self.count + len(keys)) * 2 > len(self._keys):
            self._grow(self.count + len(keys))
        self._move(max(_MOVED_A_KEY * len(keys), self.moved_least))
        if self.count * 16 > len(self._keys) * 7:  # it is given up at eight
            self._lay(max(_LAID_A_KEY * len(keys), self.moved_least))
        self._bring(keys)
        if len(keys) < _SMALL:
            return self._add_few(keys, content)
        slots, first = self._claim(keys)
        self._content[slots[first]] = content[first]
        self.count += int(first.sum())
        held = self._content[slots]
        for row in np.flatnonzero(held == _EMPTY).tolist():  # refused before, sent again
            if not self._content[slots[row]]:
                self._put(int(slots[row]), int(content[row]))
                first[row] = True
        return first, ~first & (self._content[slots] == content)

    def void(self, keys: np.ndarray) -> None:
        """These events were refused after all: they may be mended and sent again."""
        for key in keys.tolist():
            self._put(self._slot_of(key or 1), 0)

    def had(self, key: int, content: int) -> bool:
        """Did this key stand for that content before it was replaced?"""
        return (content or 1) in self.versions.get(key, ())

    def replace(self, keys: np.ndarray, content: np.ndarray) -> None:
        """Keys that are known stand for this content from now on; the old one is remembered."""
        for key, value in zip(keys.tolist(), content.tolist(), strict=True):
            slot = self._slot_of(key or 1)
            old, new = int(self._content[slot]), value or 1
            if old not in (0, new):
                self.versions.setdefault(key, set()).add(old)
            self._put(slot, new)

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
                self._put(slot, value)
                first[row] = True
            else:
                equal[row] = int(self._content[slot]) == value
        return first, equal

    def _slot(self, key: int) -> int:
        return _slot_in(self._keys, key)

    def _slot_of(self, key: int) -> int:
        """The slot of a key that may still stand in the former table alone."""
        if self._former is not None:
            self._bring(np.array([key], np.uint64))
        return self._slot(key)

    def _put(self, slot: int, value: int) -> None:
        """Another content for a key that was known before."""
        self._content[slot] = value
        if self._former is not None:
            key = int(self._keys[slot])
            place = _slot_in(self._former.keys, key)
            if self._former.keys[place]:
                self._former.content[place] = value

    def find(self, key: int) -> int | None:
        """The content that a key stands for, None where it is new or was refused. From any thread:
        of keys that nobody enters at the same time."""
        key = key or 1
        keys, held = self._keys, self._content
        while len(keys) != len(held):  # it grew this very moment
            keys, held = self._keys, self._content
        former = self._former  # read last: it is there before the new table is
        if former is not None:  # a key that is being moved is whole there
            place = _slot_in(former.keys, key)
            if former.keys[place]:
                return int(former.content[place]) or None
        slot = _slot_in(keys, key)
        return int(held[slot]) or None if keys[slot] else None

    # -- growth -----------------------------------------------------------------------------------

    def _grow(self, wanted: int) -> None:
        """Room for so many keys: an empty table, into which the one before is moved by and by."""
        self._move(len(self._keys))
        size = len(self._keys)
        while wanted * 2 > size:
            size *= 2
        if self._next is not None and len(self._next.keys) != size:
            self._next = None  # so many came at once
        if self._next is None:
            self._next, self._laid = _blank(size), 0
        self._lay(size)
        self._former, self._moved = Former(self._keys, self._content), 0
        self._keys, self._content, self._owner = self._next
        self._next = None

    def _lay(self, slots: int) -> None:
        """Make so many slots more of the next table ready."""
        if self._next is None:
            self._next, self._laid = _blank(2 * len(self._keys)), 0
        for column in self._next:
            column[self._laid : self._laid + slots] = 0
        self._laid += slots

    def _move(self, slots: int) -> None:
        """Move so many slots of the former table on."""
        if self._former is None:
            return
        keys, content = self._former
        some = slice(self._moved, self._moved + slots)
        full = np.flatnonzero(keys[some]) + self._moved
        self._enter(keys[full], content[full])
        self._moved += slots
        if self._moved >= len(keys):
            self._former = None

    def _bring(self, keys: np.ndarray) -> None:
        """Move those of these keys that the former table has before it is their turn."""
        if self._former is None:
            return
        table, content = self._former
        slots = _slots_in(table, keys)
        known = table[slots] == keys
        self._enter(keys[known], content[slots[known]])

    def _enter(self, keys: np.ndarray, content: np.ndarray) -> None:
        """Take over keys; one that stands here already keeps the content that it has here."""
        slots, first = self._claim(keys)
        self._content[slots[first]] = content[first]


def _blank(size: int) -> _Next:
    """A table that nobody has written to yet."""
    return _Next(np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.int32))


def _slot_in(table: np.ndarray, key: int) -> int:
    """Where a key stands, or where it would."""
    mask = len(table) - 1
    slot = key & mask
    while table[slot] and int(table[slot]) != key:
        slot = (slot + 1) & mask
    return slot


def _slots_in(table: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The same of many."""
    mask = len(table) - 1
    slots = (keys & np.uint64(mask)).astype(np.int64)
    todo = np.arange(len(keys))
    while len(todo):
        held = table[slots[todo]]
        todo = todo[(held != keys[todo]) & (held != _EMPTY)]
        slots[todo] = (slots[todo] + 1) & mask
    return slots
