"""The processes of many items (流程), each with its own steps, relations and gate.

Every step of every item has a *slot*, a number of its own; so whole batches of many items are
looked up at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from detector.counting.alike import Alike
from detector.counting.caselog import EDGE, Coded, series_of
from detector.counting.gate import Gate
from detector.counting.relations import FIRST, Relations
from detector.quick import loaded, of_learning

T = TypeVar("T")
SLOTS_MAX, STEPS_MAX, MEMO_MAX = 1 << 17, 256, 65_536
ELSE = FIRST - 1  # of an item's steps: one that is not told apart
UNKNOWN = -1  # slot of an item that was never counted
Gated = tuple[int, int, int, int]  # what `Gate` is made of


class Held(msgspec.Struct):
    """One item, as it is written down."""

    name: int
    slots: list[int]
    places: list[int]
    cases: int
    columns: list[bytes]


class Item:
    """One power item's own process."""

    def __init__(self, name: int, slots: list[int], gated: Gated) -> None:
        self.name, self.slots = name, slots
        self.places: dict[int, int] = {}  # number of a step's text → its number here
        self.cases = 0
        self.pairs = Relations()
        self.gate = Gate(*gated)
        self.memo: dict[tuple[bytes, int], int] = {}

    def bits(self, way: bytes, own: int) -> int:
        """Of the pairs of steps, remembered: most cases go one of a few ways."""
        key = (way, own)
        bits = self.memo.get(key)
        if bits is None:
            if len(self.memo) >= MEMO_MAX:
                self.memo.clear()
            steps = np.frombuffer(way, np.int64)
            self.memo[key] = bits = self.pairs.bits(steps, own)
        return bits

    def freeze(self) -> Held:
        """As it is written down."""
        columns = [c.astype("<i8").tobytes() for c in (*self.pairs.columns(), self.gate.epochs)]
        return Held(self.name, self.slots, list(self.places), self.cases, columns)

    def bytes_used(self) -> int:
        """Counts, and what is remembered of ways already judged."""
        counts = self.pairs.bytes_used() + self.gate.epochs.nbytes
        return counts + sum(200 + len(steps) for steps, _ in self.memo)

    def thaw(self, told: Held) -> None:
        """As it was written down."""
        self.places = {step: n for n, step in enumerate(told.places, FIRST)}
        self.cases = told.cases
        *pairs, epochs = (np.frombuffer(c, "<i8").astype(np.int64) for c in told.columns)
        self.pairs.thaw(len(told.slots), pairs)
        self.gate.thaw(epochs.reshape(-1, self.gate.epochs.shape[1]))


class Placed(NamedTuple):
    """Cases by their item's own numbers. A slot is a step of an item, that of `EDGE` the item."""

    begins: np.ndarray
    case: np.ndarray  # of each event
    items: list[Item | None]  # each that occurs
    which: np.ndarray  # of each case, its place there
    local: np.ndarray
    slot: np.ndarray
    item_slot: np.ndarray
    values: np.ndarray

    def only(self, cases: Sequence[int] | np.ndarray) -> Placed:
        """Some of the cases, in this order."""
        sizes = np.diff(self.begins)[cases]
        begins = np.concatenate([[0], np.cumsum(sizes)])
        case = np.repeat(np.arange(len(cases)), sizes)
        here = np.arange(len(case)) + (self.begins[cases] - begins[:-1])[case]
        return Placed(
            begins, case, self.items, self.which[cases],
            self.local[here], self.slot[here], self.item_slot[here], self.values[here],
        )  # fmt: skip

    def one(self, case: int) -> Placed:
        """A single case, as `only` tells it."""
        begin, end = self.begins[case : case + 2].tolist()
        here = slice(begin, end)
        return Placed(
            np.array([0, end - begin]), self.case[here] - case, self.items,
            self.which[case : case + 1], self.local[here], self.slot[here],
            self.item_slot[here], self.values[here],
        )  # fmt: skip

    def alike(self, attribute: int) -> tuple[np.ndarray, np.ndarray]:
        """Cases of one item that have equal steps and equal values of an attribute: of each case
        the number of its group, and of each group its first case."""
        heads = np.full(len(self.begins) - 1, UNKNOWN)
        there = np.flatnonzero(np.diff(self.begins))
        heads[there] = self.item_slot[self.begins[there]]
        events = np.column_stack([self.local, self.values[:, attribute]])
        group = Alike().numbers(*series_of(heads, events, self.begins))
        return group, np.unique(group, return_index=True)[1]

    def each(self, what: Callable[[Item], T], none: T) -> np.ndarray:
        """Of each case what its item is asked, or `none` where it was never counted."""
        told = [none if one is None else what(one) for one in self.items]
        return np.array([*told, none])[self.which]

    def ways(self) -> list[bytes]:
        """The steps of each case, in bytes."""
        steps = self.local.tobytes()
        ends = (self.local.itemsize * self.begins).tolist()
        return [steps[begin:end] for begin, end in pairwise(ends)]


class Processes:
    """Items as they were admitted, and which item each slot belongs to."""

    def __init__(self, gated: Gated) -> None:
        self.gated = gated
        self.items: dict[int, Item] = {}
        self.owner = np.zeros(0, np.int64)
        self._known: tuple[np.ndarray, np.ndarray] | None = None  # made when it is first asked for

    def admit(self, coded: Coded, times: np.ndarray) -> None:
        """New items, and of each item's new steps the most frequent, as far as there is room."""
        events = coded.events()
        pairs, inverse = np.unique(coded.item[events] << 32 | coded.step, return_inverse=True)
        often = np.zeros(len(pairs), np.int64)
        np.add.at(often, inverse, times[events])
        slots, new = self.owner.tolist(), np.lexsort((pairs, -often, pairs >> 32))
        for pair in pairs[new].tolist():
            name, step = pair >> 32, pair & 0xFFFFFFFF
            item = self.items.get(name)
            if item is None and len(slots) + FIRST < SLOTS_MAX:
                item = self.items[name] = Item(name, [len(slots), len(slots) + 1], self.gated)
                slots += [name] * FIRST
            if item is None or step in item.places or len(item.places) >= STEPS_MAX:
                continue
            if len(slots) < SLOTS_MAX:
                item.places[step] = len(item.slots)
                item.slots.append(len(slots))
                slots.append(name)
        self.owner, self._known = np.array(slots, np.int64), None

    def place(self, coded: Coded) -> Placed:
        """Cases by the numbers that their items give to steps."""
        names, which = np.unique(coded.item, return_inverse=True)
        items = [self.items.get(name) for name in names.tolist()]
        events = coded.events()
        if loaded():
            columns = np.empty((3, len(events)), np.int64)
            known = self._places()
            cases = np.ascontiguousarray(coded.step), coded.begins
            of_learning().placed(columns, np.ascontiguousarray(coded.item), cases, *known)
        else:
            columns = self._columns(coded.item[events], coded.step)
        step, slot, item_slot = columns
        return Placed(coded.begins, events, items, which, step, slot, item_slot, coded.values)

    def _columns(self, items: np.ndarray, steps: np.ndarray) -> np.ndarray:
        pairs, inverse = np.unique(items << 32 | steps, return_inverse=True)
        told = []
        for pair in pairs.tolist():
            item = self.items.get(pair >> 32)
            local = item.places.get(pair & 0xFFFFFFFF, ELSE) if item else ELSE
            told.append(
                (local, *((item.slots[local], item.slots[EDGE]) if item else [UNKNOWN] * 2))
            )
        return np.array(told, np.int64).reshape(-1, 3)[inverse].T

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """A table by which compiled code finds each step of each item, and what it finds: rows of
        (step, slot, item's slot), the last of items that were never counted."""
        if self._known is None:
            keys, rows = list[int](), list[tuple[int, int, int]]()
            for item in self.items.values():
                edge = item.slots[EDGE]
                for step, local in ((EDGE, ELSE), *item.places.items()):
                    keys.append(item.name << 32 | step)
                    rows.append((local, item.slots[local], edge))
            places = np.full((2 << len(keys).bit_length(), 2), -1)
            of_learning().enter(places, np.array(keys, np.int64))
            self._known = places, np.array([*rows, (ELSE, UNKNOWN, UNKNOWN)], np.int64)
        return self._known

    def freeze(self) -> list[Held]:
        """All items, in the order of their admission."""
        return [item.freeze() for item in self.items.values()]

    def thaw(self, told: Sequence[Held]) -> None:
        """Hold these items and no others."""
        self.items = {one.name: Item(one.name, one.slots, self.gated) for one in told}
        self.owner, self._known = np.zeros(sum(len(one.slots) for one in told), np.int64), None
        for one in told:
            self.items[one.name].thaw(one)
            self.owner[one.slots] = one.name

    def bytes_used(self) -> int:
        """About so much memory."""
        items = self.items.values()
        known = sum(table.nbytes for table in self._known or ())
        return (
            self.owner.nbytes
            + known
            + sum(1_000 + 100 * len(i.slots) + i.bytes_used() for i in items)
        )
