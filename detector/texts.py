"""The kernels' table of known texts: which entry a text of a kind has. Functions for compiled code.

A table is slots (the upper half of a hash and an entry), heads (an entry's place in the arena,
length, kind, hash), the arena's address, and counts (entries, bytes, two for its owner). Equal
hashes are never taken for equal texts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detector.compiled import inner, load, peek, put

PROBES_MAX = 64  # a text that would stand farther from its place is left to the slow road

_U = np.uint64
_GOLDEN, _STIR = _U(0x9E3779B97F4A7C15), _U(0xBF58476D1CE4E5B9)
_TAG, _LOW, _ONE, _ZERO = _U(0xFFFFFFFF00000000), _U(0xFFFFFFFF), _U(1), _U(0)


@inner
def mix(value: Any, salt: int) -> Any:
    """As `vocabulary.mix`."""
    mixed = value * (_U(salt + 1) * _GOLDEN | _ONE)
    mixed ^= mixed >> _U(29)
    mixed *= _STIR
    return mixed ^ (mixed >> _U(32))


@inner
def hash_text(p: int, length: int) -> Any:
    """As `vocabulary.hash_texts` of these bytes."""
    total, place = _ZERO, 8
    while length >= 8:
        total += mix(load(p), place)
        p += 8
        length -= 8
        place = place + 1 if place < 55 else 8
    if length:
        total += mix(load(p) & ((_ONE << _U(8 * length)) - _ONE), place)
    return mix(total, 7)


@inner
def _same(p: int, q: int, length: int) -> bool:
    while length >= 8:
        if load(p) != load(q):
            return False
        p += 8
        q += 8
        length -= 8
    mask = (_ONE << _U(8 * length)) - _ONE
    return (load(p) ^ load(q)) & mask == _ZERO


@inner
def _home(mixed: Any, kind: int, size: int) -> Any:
    return np.int64((mixed ^ _U(kind) * _GOLDEN) & _U(size - 1))


@inner
def find(
    slots: np.ndarray, heads: np.ndarray, arena: int, used: np.ndarray,
    p: int, length: int, kind: int, mixed: Any, add: bool,
) -> Any:  # fmt: skip
    """Entry of a text of a kind, a new one if `add`; -1 where there is none."""
    place = _home(mixed, kind, len(slots))
    for _ in range(PROBES_MAX):
        slot = slots[place]
        if slot == _ZERO:
            if not add:
                return -1
            entry, at = used[0], arena + used[1]
            heads[entry, 0], heads[entry, 1], heads[entry, 2] = used[1], length, kind
            heads[entry, 3] = np.int64(mixed)
            for i in range(length):
                put(at + i, peek(p + i))
            put(at + length, 10)
            used[0], used[1] = entry + 1, used[1] + length + 1
            slots[place] = (mixed & _TAG) | _U(entry + 1)
            return entry
        if slot & _TAG == mixed & _TAG:
            entry = np.int64(slot & _LOW) - 1
            fits = heads[entry, 1] == length and heads[entry, 2] == kind
            if fits and _same(arena + heads[entry, 0], p, length):
                return entry
        place = (place + 1) & (len(slots) - 1)
    return -1


@inner
def entry_of(table: Any, spot: np.ndarray, key: int, kind: int, add: bool) -> Any:
    """A code's entry in the table (-1 none) and the hash of its text."""
    slots, heads, arena, used = table
    p, length = spot[key, 0], spot[key, 1] - spot[key, 0]
    mixed = hash_text(p, length)
    return find(slots, heads, arena, used, p, length, kind, mixed, add), mixed


@inner
def forget(table: Any, known: Any) -> None:
    """Take out what was added after so many entries and bytes were known, the latest first."""
    slots, heads, _, used = table
    while used[0] > known[0]:
        used[0] -= 1
        entry = used[0]
        mixed = _U(heads[entry, 3])
        place = _home(mixed, heads[entry, 2], len(slots))
        while slots[place] & _LOW != _U(entry + 1):
            place = (place + 1) & (len(slots) - 1)
        slots[place] = _ZERO
    used[1] = known[1]


@inner
def enter_all(table: Any, texts: int, ends: np.ndarray, kind: int) -> None:
    """Add texts that lie one behind the other, each up to its end."""
    slots, heads, arena, used = table
    p = texts
    for end in ends:
        length = texts + end - p
        find(slots, heads, arena, used, p, length, kind, hash_text(p, length), True)
        p += length


@inner
def plant_all(table: Any) -> None:
    """Fill empty slots from the heads: after the table grew."""
    slots, heads, _, used = table
    for entry in range(used[0]):
        mixed = _U(heads[entry, 3])
        place = _home(mixed, heads[entry, 2], len(slots))
        while slots[place] != _ZERO:
            place = (place + 1) & (len(slots) - 1)
        slots[place] = (mixed & _TAG) | _U(entry + 1)
