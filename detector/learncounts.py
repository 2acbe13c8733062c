"""Histograms by key, and by how many persons: what learners of amounts and durations count in.

A key is a tuple of texts. Nothing depends on the order in which it is counted, and `spell` gives
equal bytes for equal counts.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

PEOPLE = 8  # persons that are told apart for one key
NO_DAY = 1 << 40
NO_ONE = np.uint64((1 << 64) - 1)  # above every hash
COMPACT_ROWS = 1 << 20  # gathered one by one before equal ones are added up
Key = tuple[str, ...]


class Spelled(msgspec.Struct):
    """Counts as they are written down: by key, rising; of each its used bins, rising."""

    keys: list[Key]
    used: bytes  # uint16 a key: so many of its bins are used
    bins: bytes  # uint16
    counts: bytes  # uint32
    people: bytes  # uint64, `PEOPLE` a key
    since: bytes = b""  # int64 a key, days
    until: bytes = b""


class Crowd:
    """The smallest hashes of who was met at each slot: as many persons as are told apart."""

    def __init__(self) -> None:
        self.least = np.full((16, PEOPLE), NO_ONE)

    def meet(self, slots: np.ndarray, hashes: np.ndarray) -> None:
        """These were there; whoever comes first, the smallest hashes stay."""
        small = np.flatnonzero(hashes < self.least[slots, -1])
        slots, hashes = slots[small], hashes[small]
        new = ~(self.least[slots] == hashes[:, None]).any(axis=1)
        if not new.any():
            return
        slots, hashes = slots[new], hashes[new]
        mine = np.unique(slots)
        where = np.concatenate([np.repeat(mine, PEOPLE), slots])
        whose = np.concatenate([self.least[mine].ravel(), hashes])
        order = np.lexsort((whose, where))
        where, whose = where[order], whose[order]
        first = np.ones(len(where), bool)
        first[1:] = (where[1:] != where[:-1]) | (whose[1:] != whose[:-1])
        where, whose = where[first], whose[first]
        place = np.arange(len(where)) - np.searchsorted(where, where)
        kept = place < PEOPLE
        self.least[mine] = NO_ONE
        self.least[where[kept], place[kept]] = whose[kept]

    def grow(self, slots: int) -> None:
        """Have room for so many slots."""
        self.least = grown(self.least, slots, NO_ONE)

    def sizes(self, slots: int) -> np.ndarray:
        """How many persons each of the first slots met."""
        return np.asarray((self.least[:slots] != NO_ONE).sum(axis=1))


class Gathered:
    """Observations since the last publication: only what was seen, as (key, bin) one by one."""

    def __init__(self, bins: int) -> None:
        self.width = bins
        self.slots: dict[Key, int] = {}
        self.crowd = Crowd()
        self._codes = np.zeros(0, np.int64)  # slot · width + bin, rising
        self._counts = np.zeros(0, np.int64)
        self._fresh: list[np.ndarray] = []
        self._rows = 0

    def slot(self, key: Key) -> int:
        """The place of a key, made where it is new."""
        return self.slots.setdefault(key, len(self.slots))

    def count(self, slots: np.ndarray, bins: np.ndarray) -> None:
        """One observation each."""
        self._fresh.append(slots * self.width + bins)
        self._rows += len(slots)
        if self._rows > COMPACT_ROWS:
            self.all()

    def meet(self, slots: np.ndarray, hashes: np.ndarray) -> None:
        """Who made them."""
        self.crowd.grow(len(self.slots))
        self.crowd.meet(slots, hashes)

    def all(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Slots, bins and how often each was seen."""
        if self._fresh:
            codes, counts = np.unique(np.concatenate(self._fresh), return_counts=True)
            every = np.concatenate([self._codes, codes])
            self._codes, place = np.unique(every, return_inverse=True)
            many = np.concatenate([self._counts, counts])
            self._counts = np.zeros(len(self._codes), np.int64)
            np.add.at(self._counts, place, many)
            self._fresh, self._rows = [], 0
        return self._codes // self.width, self._codes % self.width, self._counts

    def spell(self) -> Spelled:
        """Everything, by key."""
        keys = sorted(self.slots)
        order = np.array([self.slots[key] for key in keys], np.int64)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        slots, bins, counts = self.all()
        place = np.argsort(rank[slots] * self.width + bins) if len(slots) else slots
        used = np.bincount(rank[slots], minlength=len(keys))
        self.crowd.grow(len(keys))
        return Spelled(
            keys, _bytes(used, "<u2"), _bytes(bins[place], "<u2"), _bytes(counts[place], "<u4"),
            _bytes(self.crowd.least[order], "<u8"),
        )  # fmt: skip

    def read(self, told: Spelled) -> None:
        """Into an empty one, what `spell` told."""
        self.slots = {tuple(key): n for n, key in enumerate(told.keys)}
        slots, bins, counts = _rows_of(told)
        self._codes, self._counts = slots * self.width + bins, counts
        self.crowd.grow(len(told.keys))
        self.crowd.least[: len(told.keys)] = _people_of(told)

    def bytes_used(self) -> int:
        """About so much memory."""
        arrays = (self._codes, self._counts, self.crowd.least, *self._fresh)
        return sum(a.nbytes for a in arrays) + 250 * len(self.slots)


class Counts:
    """All that is counted, by key and by the groups that a key leans on. `wider`: the group of a
    key, None where there is none; a group's counts are those of all its keys."""

    def __init__(self, bins: int, wider: Callable[[Key], Key | None]) -> None:
        self.wider = wider
        self.slots: dict[Key, int] = {}
        self.keys: list[Key] = []
        self.bins = np.zeros((16, bins), np.uint32)
        self.crowd = Crowd()
        self.above = np.full(16, -1)  # the slot of its group
        self.since = np.full(16, NO_DAY)
        self.until = np.full(16, -NO_DAY)

    def __len__(self) -> int:
        return len(self.keys)

    def slot(self, key: Key) -> int:
        """The place of a key, made with its groups where it is new."""
        at = self.slots.get(key)
        if at is not None:
            return at
        group = self.wider(key)
        above = -1 if group is None else self.slot(group)
        at = self.slots[key] = len(self.keys)
        self.keys.append(key)
        self._grow(at + 1)
        self.above[at] = above
        return at

    def _grow(self, slots: int) -> None:
        if slots > len(self.bins):
            self.bins = grown(self.bins, slots, 0)
            self.crowd.grow(len(self.bins))
            self.above = grown(self.above, slots, -1)
            self.since = grown(self.since, slots, NO_DAY)
            self.until = grown(self.until, slots, -NO_DAY)

    def add(self, more: Gathered, day: int) -> np.ndarray:
        """Take up what was gathered; it was observed on this day. The slots that it touched."""
        there, bins, counts = more.all()
        own = np.array([self.slot(key) for key in more.slots], np.int64)
        touched = list[np.ndarray]()
        more.crowd.grow(len(own))
        here, who, met = own[there], own, more.crowd.least[: len(own)]
        while len(here):
            np.add.at(self.bins, (here, bins), counts.astype(np.uint32))
            mine = np.unique(who)
            self.since[mine] = np.minimum(self.since[mine], day)
            self.until[mine] = np.maximum(self.until[mine], day)
            told = met != NO_ONE
            self.crowd.meet(np.repeat(who, told.sum(axis=1)), met[told])
            touched.append(mine)
            up, wide = self.above[here], self.above[who] >= 0
            here, bins, counts = up[up >= 0], bins[up >= 0], counts[up >= 0]
            who, met = self.above[who[wide]], met[wide]
        return np.unique(np.concatenate(touched)) if touched else np.zeros(0, np.int64)

    def spell(self) -> Spelled:
        """Everything, by key."""
        keys = sorted(self.slots)
        order = np.array([self.slots[key] for key in keys], np.int64)
        used, bins, counts = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
        for begin in range(0, len(order), 4_096):  # so that no copy of all is held
            some = self.bins[order[begin : begin + 4_096]]
            rows, places = np.nonzero(some)
            used.append(np.bincount(rows, minlength=len(some)))
            bins.append(places)
            counts.append(some[rows, places])
        none = [np.zeros(0, np.int64)]
        return Spelled(
            keys, _bytes(np.concatenate(used or none), "<u2"),
            _bytes(np.concatenate(bins or none), "<u2"),
            _bytes(np.concatenate(counts or none), "<u4"),
            _bytes(self.crowd.least[order], "<u8"), _bytes(self.since[order], "<i8"),
            _bytes(self.until[order], "<i8"),
        )  # fmt: skip

    def read(self, told: Spelled) -> None:
        """Into an empty one, what `spell` told."""
        self._grow(len(told.keys))
        at = np.array([self.slot(tuple(key)) for key in told.keys], np.int64)
        slots, bins, counts = _rows_of(told)
        self.bins[at[slots], bins] = counts
        self.crowd.least[at] = _people_of(told)
        self.since[at] = np.frombuffer(told.since, "<i8")
        self.until[at] = np.frombuffer(told.until, "<i8")

    def bytes_used(self) -> int:
        """About so much memory."""
        arrays = (self.bins, self.crowd.least, self.above, self.since, self.until)
        return sum(a.nbytes for a in arrays) + 250 * len(self.keys)


def grown(array: np.ndarray, need: int, fill: int | np.uint64) -> np.ndarray:
    """The array with room for so many rows and some more."""
    if need <= len(array):
        return array
    more = np.full((need + need // 4, *array.shape[1:]), fill, array.dtype)
    more[: len(array)] = array
    return more


def _bytes(column: np.ndarray, kind: str) -> bytes:
    return np.ascontiguousarray(column).astype(kind).tobytes()


def _rows_of(told: Spelled) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    used = np.frombuffer(told.used, "<u2").astype(np.int64)
    slots = np.repeat(np.arange(len(used)), used)
    bins = np.frombuffer(told.bins, "<u2").astype(np.int64)
    return slots, bins, np.frombuffer(told.counts, "<u4").astype(np.int64)


def _people_of(told: Spelled) -> np.ndarray:
    return np.frombuffer(told.people, "<u8").reshape(-1, PEOPLE)
