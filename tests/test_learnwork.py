"""What learners look up and count, compiled and in columns: one answer, to the last bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.columns import Words
from detector.counting import alike, beginnings, contexts, halfspaces, processes, relations, totals
from detector.counting.caselog import Coded
from detector.counting.contexts import VALUE_BITS, Contexts, surprises
from detector.counting.halfspaces import HalfSpaces
from detector.counting.processes import Placed, Processes
from detector.counting.relations import FIRST, Relations
from detector.learning import open_cases
from detector.learning.observed import CLOSES, COLUMNS, Observed
from detector.learning.open_cases import OpenCases
from detector.learnkit import NOT_GIVEN, Rows

T = TypeVar("T")

# Few contexts and values, so that they meet; the greatest of each, so that they fit.
CONTEXT = st.one_of(st.integers(0, 5), st.integers(0, 5).map(lambda n: n << 27), st.just(2**45 - 1))
VALUE = st.one_of(st.integers(0, 4), st.just(2**VALUE_BITS - 1))
COUNTED = st.lists(st.tuples(CONTEXT, VALUE, st.integers(1, 9)), max_size=40)
CHAINS = st.sampled_from((3, 6))


def both(module: ModuleType, told: Callable[[], T]) -> Iterator[T]:
    """What is told in columns, then in compiled code."""
    for compiled in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "loaded", lambda compiled=compiled: compiled)
            yield told()


def columns(rows: Sequence[tuple[int, ...]], many: int) -> list[np.ndarray]:
    """Rows of whole numbers as so many columns."""
    return list(np.array(rows, np.int64).reshape(-1, many).T)


def held(counted: list[tuple[int, int, int]]) -> Contexts:
    """Contexts that counted these."""
    told = Contexts()
    told.add(*columns(counted, 3))
    return told


@given(st.data(), CHAINS)
def test_compiled_code_says_what_columns_say(data: st.DataObject, many: int) -> None:
    known = [held(data.draw(COUNTED)) for _ in range(many)]
    row = st.tuples(VALUE, *(CONTEXT for _ in range(many)))
    value, *context = columns(data.draw(st.lists(row, max_size=60)), many + 1)
    slow, quick = both(contexts, lambda: surprises(known, context, value).tobytes())
    assert slow == quick


def test_every_context_of_a_full_table_is_found() -> None:
    every = np.arange(1 << 12, dtype=np.int64) << 18
    told = held([])
    told.add(every, every >> 18, np.ones(len(every), np.int64))
    _, bits = both(contexts, lambda: surprises([told] * 3, [every] * 3, every >> 18))
    # one value seen once, three times: (1 + p) / 2 from p = 1/2
    assert np.array_equal(bits, np.full(len(every), -np.log2(15 / 16)))


@given(st.lists(COUNTED, max_size=3))
def test_compiled_code_counts_what_columns_count(days: list[list[tuple[int, int, int]]]) -> None:
    def told() -> tuple[object, ...]:
        counted = Contexts()
        for day in days:
            counted.add(*columns(day, 3))
        return *counted.freeze(), counted.contexts.tolist(), counted.totals.tolist()

    slow, quick = both(contexts, told)
    assert slow == quick


STEPS = FIRST + 7  # below this number
WAYS = st.lists(st.lists(st.integers(0, STEPS - 1), max_size=8), max_size=12)


@given(WAYS, WAYS, st.integers(0, 2))
def test_compiled_code_relates_what_columns_relate(
    counted: list[list[int]], asked: list[list[int]], own: int
) -> None:
    def told() -> tuple[object, ...]:
        held = Relations()
        held.grow(STEPS)
        for times, way in enumerate(counted, 1):
            held.add(np.array(way, np.int64), times)
        bits = [held.bits(np.array(way, np.int64), own) for way in (*counted, *asked)]
        why = [held.tell(np.array(way, np.int64), own) for way in (*counted, *asked)]
        return bits, why, [column.tolist() for column in held.columns()]

    slow, quick = both(relations, told)
    assert slow == quick


@given(WAYS, st.lists(st.lists(st.integers(0, STEPS - 1), min_size=1, max_size=8), min_size=1))
def test_compiled_code_decides_what_columns_decide(
    counted: list[list[int]], asked: list[list[int]]
) -> None:
    held = Relations()
    held.grow(STEPS)
    for times, way in enumerate(counted, 1):
        held.add(np.array(way, np.int64), times)
    begins, local = np.cumsum([0, *map(len, asked)]), np.concatenate(asked)
    case = np.repeat(np.arange(len(asked)), np.diff(begins))
    none = np.zeros(len(local), np.int64)
    cases = Placed(begins, case, [None], 0 * begins[1:], local, none, none, none[:, None])
    mine = np.arange(len(asked))
    slow, quick = both(beginnings, lambda: beginnings.decided(held, cases, mine).tolist())
    assert slow == quick


NUMBERS = st.lists(st.tuples(st.integers(2, 5), st.lists(st.integers(2, 6), max_size=4)))


@given(NUMBERS, NUMBERS)
def test_compiled_code_places_where_columns_place(
    known: list[tuple[int, list[int]]], asked: list[tuple[int, list[int]]]
) -> None:
    def coded(cases: list[tuple[int, list[int]]]) -> Coded:
        steps = np.array([n for _, steps in cases for n in steps], np.int64)
        begins = np.cumsum([0, *(len(steps) for _, steps in cases)])
        item = np.array([item for item, _ in cases], np.int64)
        return Coded(begins, item, steps, steps[:, None])

    def told() -> list[list[int]]:
        held = Processes((4, 1, 1, 1))
        held.place(coded(asked))  # what is admitted later is found later
        held.admit(coded(known), np.ones(len(known), np.int64))
        place = held.place(coded(asked))
        return [column.tolist() for column in (place.local, place.slot, place.item_slot)]

    slow, quick = both(processes, told)
    assert slow == quick


TREES = HalfSpaces((128,) * 8)  # fewer or narrower dimensions cannot be halved so often


@given(st.lists(st.tuples(*(st.integers(0, 128) for _ in range(8)))))
def test_compiled_code_falls_to_the_same_leaves(points: list[tuple[int, ...]]) -> None:
    told = np.array(points, np.int16).reshape(-1, 8)
    slow, quick = both(halfspaces, lambda: TREES.leaves(told).tolist())
    assert slow == quick


@given(st.lists(st.tuples(st.sampled_from((1, 4, 100, 128)), st.integers(1, 99)), max_size=30))
def test_compiled_code_finds_leaves_as_crowded(points: list[tuple[int, int]]) -> None:
    leaves = TREES.leaves(np.array([[at] * 8 for at, _ in points], np.int16).reshape(-1, 8))
    times = np.array([many for _, many in points], np.int64)
    slow, quick = both(halfspaces, lambda: TREES.around(leaves, times).tolist())
    assert slow == quick


GIVEN = st.sampled_from((NOT_GIVEN, -5, 0, 7, 1 << 50))
RECORD = st.tuples(GIVEN, st.integers(-1, 2), st.integers(-1, 2), st.booleans(), GIVEN, GIVEN)


@given(st.lists(st.lists(RECORD, max_size=6), max_size=6))
def test_compiled_code_adds_up_what_columns_add_up(cases: list[list[tuple[int, ...]]]) -> None:
    every = columns([one for case in cases for one in case], len(totals.SHOWN))
    shown = dict(zip(totals.SHOWN, every, strict=True))
    rows = Rows(shown, {}, np.cumsum([0, *map(len, cases)]))
    slow, quick = both(totals, lambda: totals.totals(rows).tolist())
    assert slow == quick


SERIES = st.lists(st.lists(st.sampled_from((0, 1, 2, -1, 1 << 40)), max_size=4), max_size=12)


@given(st.lists(SERIES, max_size=4), st.lists(st.booleans(), min_size=4, max_size=4))
def test_series_are_numbered_in_order_of_their_coming(
    days: list[list[list[int]]], compiled: list[bool]
) -> None:
    """By whichever road, and by one after the other."""
    known: dict[tuple[int, ...], int] = {}
    told = alike.Alike()
    for day, quick in zip(days, compiled, strict=False):
        begins = np.cumsum([0, *map(len, day)])
        flat = np.array([n for one in day for n in one], np.int64)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(alike, "loaded", lambda quick=quick: quick)
            numbers = told.numbers(flat, begins).tolist()
        assert numbers == [known.setdefault(tuple(one), len(known)) for one in day]
    held = np.split(told.flat, told.begins[1:-1])[: len(known)]
    assert [tuple(one.tolist()) for one in held] == list(known)


def observed(told: list[tuple[int, bool]]) -> Observed:
    """Steps of cases, some of which close them."""
    columns: dict[str, np.ndarray] = {name: np.zeros(len(told), np.int64) for name in COLUMNS}
    columns["case"] = np.array([name for name, _ in told], np.int32)
    columns["marks"] = np.array([CLOSES * shut for _, shut in told], np.uint16)
    return Observed(Words(), **columns)


STEPS_OF = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=9)


@given(st.lists(STEPS_OF, max_size=4))
def test_compiled_code_follows_cases_as_columns_do(days: list[list[tuple[int, bool]]]) -> None:
    def told() -> list[list[list[int]]]:
        held, seen = OpenCases(), []
        for day in map(observed, days):
            seen.append([column.tolist() for column in (*held.add(day), *held.close(day))])
            columns, begins = held.end_day()
            seen.append(
                [columns["case"].tolist(), begins.tolist(), held.done.nonzero()[0].tolist()]
            )
        return seen

    slow, quick = both(open_cases, told)
    assert slow == quick
