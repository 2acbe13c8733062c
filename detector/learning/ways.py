"""Beginnings of cases (前缀), numbered: each is another one and a step more.

Cases of an item begin alike, so what a learner says of a beginning is asked once an epoch, and a
whole column of cases goes a step on at once. The numbers are this process's own and in no file:
whatever is forgotten here is numbered again when it is needed, and nobody's answer changes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from detector.quick import loaded, of_cases

BEGINNING_MAX = 64  # steps; what goes on longer has one number, and nobody is asked about it
WAYS_MAX = 1 << 16  # numbered at a time: some 100 bytes each; beyond, all are numbered anew
DEEP = 0  # the number of whatever is longer
LOST = -(1 << 31)  # of a case: it must be walked again
_SHIFT, _MIX = 32, 0x9E3779B97F4A7C15  # the golden ratio: consecutive keys lie apart
_EMPTY, _ROOM = LOST << _SHIFT, 8  # a place without a key; so many places a key
Ask = Callable[[np.ndarray], np.ndarray]  # numbers → what is said of each


def root(items: np.ndarray) -> np.ndarray:
    """What stands before the first step of cases, by the codes of their items."""
    return -2 - items.astype(np.int64)


class Ways:
    """A tree of beginnings, and what was said of each in the epoch in force."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """No beginning has a number."""
        self.known = 1  # `DEEP`
        self.before, self.step, self.depth = (np.zeros(1_024, np.int64) for _ in range(3))
        self._table(1 << 12)
        self.said: dict[str, np.ndarray] = {}

    def _table(self, size: int) -> None:
        """An empty table with open addressing, a power of two."""
        self._keys, self._nodes = np.full(size, _EMPTY), np.zeros(size, np.int32)
        self._entries, self._drop = 0, np.uint64(64 - (size.bit_length() - 1))

    @property
    def full(self) -> bool:
        """Are there so many that they should be forgotten?"""
        return self._entries > WAYS_MAX

    def go(self, before: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The numbers of these beginnings and a step more (codes); new ones get theirs."""
        keys = (before << _SHIFT) + steps + 1  # a step that was not given is -1
        at = self._places(keys)
        told, held = self._nodes[at], self._keys[at]
        rest, new = np.flatnonzero(held != keys), list[int]()
        while len(rest):  # beside their place, or nowhere
            free = held[rest] == _EMPTY
            new += rest[free].tolist()
            rest = rest[~free]
            at[rest] = (at[rest] + 1) & (len(self._keys) - 1)
            told[rest], held[rest] = self._nodes[at[rest]], self._keys[at[rest]]
            rest = rest[held[rest] != keys[rest]]
        for row in new:
            told[row] = self._find(int(keys[row]))
        return told

    def walk(self, before: np.ndarray, steps: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """The same after each of several steps: those of run n, which goes on from `before[n]`,
        from `begins[n]` to `begins[n + 1]`."""
        if loaded():
            return self._walk(before, np.ascontiguousarray(steps, np.int64), begins)
        told, sizes = np.empty(len(steps), np.int32), np.diff(begins)
        at = begins[:-1]
        while len(at):
            told[at] = before = self.go(before, steps[at])
            on = np.flatnonzero(sizes > 1)
            at, sizes, before = at[on] + 1, sizes[on] - 1, before[on].astype(np.int64)
        return told

    def _walk(self, before: np.ndarray, steps: np.ndarray, begins: np.ndarray) -> np.ndarray:
        told = np.empty(len(steps), np.int64)
        state = np.array([self.known, self._entries, 0, 0, 0, BEGINNING_MAX, _ROOM])
        while state[2] < len(before):
            state[4] = self._drop
            tree = self.before, self.step, self.depth
            of_cases().walk(told, before, steps, begins, (self._keys, self._nodes), tree, state)
            self.known, self._entries = state[:2].tolist()
            if self.known == len(self.depth):
                self._lengthen()
            elif _ROOM * (self._entries + 1) > len(self._keys):
                self._widen()
        return told.astype(np.int32)

    def _places(self, keys: np.ndarray) -> np.ndarray:
        return (keys.view(np.uint64) * np.uint64(_MIX) >> self._drop).view(np.int64)

    def _find(self, key: int) -> int:
        """One that was not there when its column was looked up."""
        at = (key * _MIX % (1 << 64)) >> int(self._drop)
        while self._keys[at] != key:
            if self._keys[at] == _EMPTY:
                return self._add(key, at)
            at = (at + 1) & (len(self._keys) - 1)
        return int(self._nodes[at])

    def _add(self, key: int, at: int) -> int:
        before, node = key >> _SHIFT, DEEP
        depth = int(self.depth[before]) + 1 if before > 0 else 1
        if before != DEEP and depth <= BEGINNING_MAX:
            node = self.known
            if node == len(self.depth):
                self._lengthen()
            self.before[node], self.step[node] = before, (key & ((1 << _SHIFT) - 1)) - 1
            self.depth[node], self.known = depth, node + 1
        self._keys[at], self._nodes[at] = key, node
        self._entries += 1
        if _ROOM * self._entries > len(self._keys):
            self._widen()
        return node

    def _lengthen(self) -> None:
        """Room for twice as many beginnings."""
        for name in ("before", "step", "depth"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros_like(column)]))

    def _widen(self) -> None:
        """Twice the room, so that few lie beside their place."""
        full = self._keys != _EMPTY
        keys, nodes = self._keys[full].tolist(), self._nodes[full].tolist()
        self._table(2 * len(self._keys))
        self._entries = len(keys)
        at_first = self._places(np.array(keys)).tolist()
        for at, key, node in zip(at_first, keys, nodes, strict=True):
            while self._keys[at] != _EMPTY:
                at = (at + 1) & (len(self._keys) - 1)
            self._keys[at], self._nodes[at] = key, node

    def spelled(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each beginning its steps, one behind the other: (steps, item of each step, where
        each begins), in codes."""
        sizes = self.depth[nodes]
        begins = np.concatenate([[0], np.cumsum(sizes)])
        steps, at, place = np.empty(begins[-1], np.int64), nodes.astype(np.int64), begins[1:] - 1
        items = np.empty(len(nodes), np.int64)
        of = np.arange(len(nodes))
        while len(of):
            steps[place] = self.step[at]
            at = self.before[at]
            items[of[at < 0]] = -2 - at[at < 0]
            on = at > 0
            of, at, place = of[on], at[on], place[on] - 1
        return steps, np.repeat(items, sizes), begins

    def ask(self, who: str, nodes: np.ndarray, ask: Ask) -> np.ndarray:
        """What a learner says of each beginning; it is asked about what it has not been asked of
        since `turn`, and never of what is too long (0)."""
        said = self.said.get(who)
        if said is None or len(said) < self.known:
            more = np.full(2 * self.known, -1, np.int64)
            more[DEEP] = 0
            if said is not None:
                more[: len(said)] = said
            said = self.said[who] = more
        told = said[nodes]
        new = told < 0
        if new.any():
            fresh = np.unique(nodes[new])
            said[fresh] = ask(fresh)
            told = said[nodes]
        return told

    def turn(self) -> None:
        """Another epoch: everything is asked anew."""
        self.said = {}

    def bytes_used(self) -> int:
        """All columns."""
        columns = (self.before, self.step, self.depth, self._keys, self._nodes)
        return sum(c.nbytes for c in (*columns, *self.said.values()))
