"""Known events are a dictionary: however they are cut into batches, and however far a larger table
has taken over from a smaller one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.seen import _LAID_A_KEY, Seen, _Next

WORDS = st.integers(0, 40).filter(lambda key: key != 1)  # 0 is kept as 1
OPERATIONS = st.one_of(
    st.tuples(st.just("add"), st.lists(st.tuples(WORDS, st.integers(0, 2)), max_size=40)),
    st.tuples(st.just("void"), WORDS),
    st.tuples(st.just("replace"), st.tuples(WORDS, st.integers(1, 3))),
    st.tuples(st.just("keep"), st.none()),
)
STORIES = st.lists(OPERATIONS, max_size=12), st.integers(1, 2**40)


class Slow(Seen):
    """Gives up a former table as slowly as it may."""

    moved_least = 1

    def _move(self, slots: int) -> None:
        super()._move(min(slots, 2) if slots < len(self._keys) else slots)


class Whole(Seen):
    """Gives it up at once."""

    def _grow(self, wanted: int) -> None:
        super()._grow(wanted)
        self._move(len(self._keys))


class Forgets(Slow):
    """Broken: does not ask the former table."""

    def _bring(self, keys: np.ndarray) -> None:
        pass


class Loses(Slow):
    """Broken: forgets the former table behind its first slice."""

    def _move(self, slots: int) -> None:
        super()._move(slots)
        self._former = None


class Unwritten(Slow):
    """Broken: what changes is not written in the former table, where others look."""

    def _put(self, slot: int, value: int) -> None:
        self._content[slot] = value


def is_a_dictionary(kind: type[Seen], operations: list[Any], spread: int) -> None:
    """Raises `AssertionError` where it differs from one."""
    seen, known = kind(8), dict[int, int | None]()

    def column(values: list[int]) -> np.ndarray:
        return np.array(values, np.uint64) * np.uint64(spread)

    for name, told in operations:
        if name == "add":
            contents = np.array([c for _, c in told], np.uint64)
            first, equal = seen.add(column([k for k, _ in told]), contents)
            for row, (key, content) in enumerate(told):
                content = content or 1  # 0 stands for nothing
                assert first[row] == (known.get(key) is None)
                known[key] = known.get(key) or content
                assert equal[row] == (not first[row] and known[key] == content)
        elif name == "void" and told in known:
            seen.void(column([told]))
            known[told] = None
        elif name == "replace" and told[0] in known:
            seen.replace(column([told[0]]), np.array([told[1]], np.uint64))
            known[told[0]] = told[1]
        elif name == "keep":  # as a snapshot does
            kept = {name: held.copy() for name, held in seen.columns().items()}
            seen = kind(8)
            seen.restore(kept, len(known))
        for key in (0, *range(2, 41)):
            assert seen.find(int(column([key])[0])) == known.get(key)
    assert seen.count == len(known)


@settings(max_examples=200)
@pytest.mark.parametrize("kind", [Seen, Slow, Whole])
@given(*STORIES)
def test_it_is_a_dictionary(kind, operations, spread):
    is_a_dictionary(kind, operations, spread)


STORY = [
    ("add", [(key, 1) for key in (2, 3, 6, 7)]),
    ("add", [(4, 1), (5, 1)]),  # the table grows
    ("replace", (7, 3)),
    ("void", 6),
    ("add", [(2, 1), (3, 2), (6, 2), (7, 1)]),
    *[("add", [(key, 1), (7, 3)]) for key in range(8, 30)],
]


@pytest.mark.parametrize("kind", [Forgets, Loses, Unwritten])
def test_the_law_can_fail(kind):
    is_a_dictionary(Slow, STORY, 1)
    with pytest.raises(AssertionError):
        is_a_dictionary(kind, STORY, 1)


class Told(Seen):
    """Says how many slots it moves."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[int] = []

    def _move(self, slots: int) -> None:
        if self._former is not None:
            self.told.append(slots)
        super()._move(slots)


def test_no_batch_moves_a_whole_table():
    """A table is given up in slices, and is gone before the next one is full."""
    seen, numbers = Told(), np.arange(1, 100_001, dtype=np.uint64)
    keys = numbers * np.uint64(0x9E3779B97F4A7C15)
    for begin in range(0, len(keys), 100):
        some = keys[begin : begin + 100]
        assert seen.add(some, some)[0].all()
    assert max(seen.told) == 400 and seen.count == len(keys)
    assert not seen.add(keys, keys)[0].any()


# --- the table that is to come --------------------------------------------------------------------


class Unready(Seen):
    """Broken: a table is taken as memory gave it."""

    def _lay(self, slots: int) -> None:
        super()._lay(0)


def fill(kind: type[Seen], batch: int) -> Seen:
    """20,000 keys, so many a batch; each is new once."""
    seen, keys = kind(64), np.random.default_rng(5).permutation(20_000).astype(np.uint64) + 2
    for begin in range(0, len(keys), batch):
        some = keys[begin : begin + batch]
        first, _ = seen.add(some, some)
        assert first.all()
    assert all(seen.find(key) == key for key in keys[::97].tolist())
    return seen


@pytest.fixture
def used_memory(monkeypatch):
    """Memory that comes as somebody left it."""

    def blank(size: int) -> _Next:
        kinds = (np.uint64, np.uint64, np.int32)
        return _Next(*((np.arange(size) % 2 * 9).astype(kind) for kind in kinds))

    monkeypatch.setattr("detector.seen._blank", blank)


@pytest.mark.parametrize("batch", [7, 100, 20_000])
def test_a_table_is_empty_however_it_was_made_ready(used_memory, batch):
    fill(Seen, batch)


def test_a_table_that_was_not_made_ready_is_found(used_memory):
    with pytest.raises(AssertionError):
        fill(Unready, 100)


def test_no_batch_waits_for_a_whole_table():
    """When a large table takes over all of it has been written to, a slice a batch."""
    done: list[int] = []  # slots of large tables that were made ready at a time

    class Watched(Seen):
        def _lay(self, slots: int) -> None:
            laid = self._laid if self._next is not None else 0
            size = len(self._next.keys) if self._next is not None else 2 * len(self._keys)
            done.extend([min(slots, size - laid)] if laid < size >= 4_096 else [])
            super()._lay(slots)

    batch = 20
    fill(Watched, batch)
    assert sum(done) == 4_096 + 8_192 + 16_384 + 32_768 + 65_536
    assert max(done) == _LAID_A_KEY * batch
