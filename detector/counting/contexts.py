"""How often each value was seen in each context, in sorted columns; surprise with back-off.

A context is a whole number below 2**45, a value one below 2**18; the two packed make the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detector.quick import loaded, of_learning

VALUE_BITS = 18
Known = tuple[np.ndarray, ...]  # what compiled code looks up in (`learnwork`)


class Found(NamedTuple):
    """What is known of each (context, value) asked: columns of equal length."""

    total: np.ndarray  # observations in the context
    distinct: np.ndarray  # values seen there
    seen: np.ndarray  # observations of this value there


class Contexts:
    """Counts by context and value: exact, additive, in any order the same."""

    def __init__(self) -> None:
        self.keys, self.counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._sum()

    def _sum(self) -> None:
        begins = np.flatnonzero(np.diff(self.keys >> VALUE_BITS, prepend=-1))
        self._ends = np.append(begins, len(self.keys))  # where each context begins, and all end
        self.contexts = self.keys[begins] >> VALUE_BITS
        self.distinct = np.diff(self._ends)
        empty = np.zeros(0, np.int64)
        self.totals = np.add.reduceat(self.counts, begins) if len(begins) else empty
        self._owner: np.ndarray | None = None  # of each key; made when it is first asked for
        self._known: Known | None = None  # made when compiled code first asks for it

    @property
    def owner(self) -> np.ndarray:
        """The place of each key's context."""
        if self._owner is None:
            self._owner = np.repeat(np.arange(len(self.distinct), dtype=np.int32), self.distinct)
        return self._owner

    def add(self, contexts: np.ndarray, values: np.ndarray, weights: np.ndarray) -> None:
        """Count each value in its context, so many times."""
        every = np.repeat(contexts << VALUE_BITS | values, weights)  # to sort is less than to place
        if loaded():
            every.sort()
            keys, counts = np.empty((2, len(self.keys) + len(every)), np.int64)
            used = np.zeros(1, np.int64)
            of_learning().merge(keys, counts, used, self.keys, self.counts, every)
            self.keys, self.counts = keys[: used[0]].copy(), counts[: used[0]].copy()
        else:
            keys, counts = np.unique(every, return_counts=True)
            at = np.searchsorted(self.keys, keys)
            known = _equal(self.keys, at, keys)
            self.counts[at[known]] += counts[known]
            self.keys = np.insert(self.keys, at[~known], keys[~known])
            self.counts = np.insert(self.counts, at[~known], counts[~known])
        self._sum()

    def find(
        self, contexts: np.ndarray, values: np.ndarray, cases: np.ndarray | None = None
    ) -> Found:
        """What is known of each pair. `cases`, one number a row: what the rows of the same case
        added is taken off again, so that each case is judged by the others."""
        keys = contexts << VALUE_BITS | values
        if not len(self.keys):
            return Found(*(np.zeros(len(keys), np.int64) for _ in range(3)))
        where = np.searchsorted(self.keys, keys)
        counted = _equal(self.keys, where, keys)
        where = np.minimum(where, len(self.keys) - 1)
        at = self.owner[where]  # the key's context, or that of the key beside its place
        other = np.flatnonzero(self.contexts[at] != contexts)
        at[other] = self.owner[np.maximum(where[other] - 1, 0)]
        seen = self.contexts[at] == contexts
        told = self.totals[at] * seen, self.distinct[at] * seen, self.counts[where] * counted
        found = Found(*told)
        if cases is None or not len(keys):
            return found
        own = _own(cases, contexts, keys, found.seen)
        return Found(*(np.maximum(c - o, 0) for c, o in zip(found, own, strict=True)))

    def once(self, context: int, value: int) -> tuple[int, int]:
        """Observations in one context, and of one value there."""
        first = int(np.searchsorted(self.contexts, context))
        if first == len(self.contexts) or self.contexts[first] != context:
            return 0, 0
        key = context << VALUE_BITS | value
        at = int(np.searchsorted(self.keys, key))
        seen = self.counts[at] if at < len(self.keys) and self.keys[at] == key else 0
        return int(self.totals[first]), int(seen)

    def known(self) -> Known:
        """All counts, with a table by which a context is found at once."""
        if self._known is None:
            places = np.full((2 << len(self.contexts).bit_length(), 2), -1)
            of_learning().enter(places, self.contexts)
            self._known = places, self._ends, self.totals, self.keys, self.counts
        return self._known

    def alone(self, values: np.ndarray, cases: np.ndarray) -> np.ndarray:
        """Which rows have a value that no other case has shown, in whatever context (a mask).
        `cases`: one number a row; the rows of a case are all that it added."""
        seen = self.keys & ((1 << VALUE_BITS) - 1)
        many = np.zeros(1 << VALUE_BITS, np.int64)
        np.add.at(many, seen, self.counts)
        mine = np.unique(cases << VALUE_BITS | values, return_inverse=True, return_counts=True)
        return np.asarray(many[values] <= mine[2][mine[1]])

    def drop(self, contexts: np.ndarray) -> None:
        """Forget these contexts (a mask over `self.contexts`)."""
        keep = ~np.repeat(contexts, self.distinct)
        self.keys, self.counts = self.keys[keep], self.counts[keep]
        self._sum()

    def freeze(self) -> tuple[bytes, bytes]:
        """Keys and counts as little-endian bytes."""
        return self.keys.astype("<i8").tobytes(), self.counts.astype("<i8").tobytes()

    def thaw(self, keys: bytes, counts: bytes) -> None:
        """Hold what `freeze` gave."""
        self.keys = np.frombuffer(keys, "<i8").astype(np.int64)
        self.counts = np.frombuffer(counts, "<i8").astype(np.int64)
        self._sum()

    def bytes_used(self) -> int:
        """Memory of all columns."""
        columns = [
            self.keys, self.counts, self.contexts, self.totals, self.distinct, self._ends
        ]  # fmt: skip
        columns += [] if self._owner is None else [self._owner]
        columns += [] if self._known is None else [self._known[0]]
        return sum(column.nbytes for column in columns)


def surprises(
    held: Sequence[Contexts], columns: Sequence[np.ndarray], values: np.ndarray,
    cases: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Bits of each value by its contexts, one of each of `held`: of three, from the general to the
    specific; of six, the least by the first two alone, or with two on either side besides. `cases`:
    as `find` has it."""
    if cases is None and loaded():
        return np.asarray(np.min([-np.log2(p) for p in _chances(held, columns, values)], axis=0))
    found = [h.find(c, values, cases) for h, c in zip(held, columns, strict=True)]
    return np.asarray(np.min([surprise(chain) for chain in _chains(found)], axis=0))


def _chains(found: list[Found]) -> list[list[Found]]:
    if len(found) == 3:
        return [found]
    return [found[:2], found[:4], found[:2] + found[4:]]


def _chances(
    held: Sequence[Contexts], columns: Sequence[np.ndarray], values: np.ndarray
) -> list[np.ndarray]:
    """Chances of each value by each chain, in compiled code."""
    along, p = of_learning().along, np.empty(len(values))

    def go(p: np.ndarray, *steps: int) -> np.ndarray:
        for n in steps:
            along(p, columns[n], values, VALUE_BITS, int(n == 0), held[n].known())
        return p

    if len(held) == 3:
        return [np.abs(go(p, 0, 1, 2))]
    go(p, 0, 1)
    return [np.abs(one) for one in (p, go(p.copy(), 2, 3), go(p.copy(), 4, 5))]


def surprise(chain: Sequence[Found]) -> np.ndarray:
    """Bits of each value by its contexts from the general to the specific (Witten and Bell 1991);
    a context that was never seen ends its chain."""
    p = 1 / (chain[0].distinct + 1)
    seen = np.ones(len(p), bool)
    for total, distinct, count in chain:
        seen &= total > 0
        p = np.where(seen, (count + distinct * p) / np.maximum(total + distinct, 1), p)
    return np.asarray(-np.log2(p))


def _equal(sorted_keys: np.ndarray, at: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Whether the key lies where `searchsorted` would put it."""
    if not len(sorted_keys):
        return np.zeros(len(keys), bool)
    return np.asarray(sorted_keys[np.minimum(at, len(sorted_keys) - 1)] == keys)


def _own(cases: np.ndarray, contexts: np.ndarray, keys: np.ndarray, count: np.ndarray) -> Found:
    """What the rows of each one's case added, row by row."""
    order = np.lexsort((keys, cases))
    by_case, by_key = cases[order], keys[order]
    key_begins, times = _groups(by_case, by_key)
    context_begins, rows = _groups(by_case, contexts[order])
    alone = np.zeros(len(order), np.int64)  # values that nobody but this case brought there
    alone[key_begins] = times >= count[order][key_begins]
    own = Found(
        np.repeat(rows, rows),
        np.repeat(np.add.reduceat(alone, context_begins), rows),
        np.repeat(times, times),
    )
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return Found(*(column[back] for column in own))


def _groups(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each run of equal rows begins, and how long it is."""
    new = np.ones(len(columns[0]), bool)
    new[1:] = np.any([c[1:] != c[:-1] for c in columns], axis=0)
    begins = np.flatnonzero(new)
    return begins, np.diff(begins, append=len(new))
