"""The learner of shapes: equal to a slow second writing, by windows of whole days, in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from case_logs import Told, days_of_cases, maker, play, rows
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.counting.amounts import amount
from detector.counting.halfspaces import DEPTH, LEAVES, TREES
from detector.learning.shelf import load_learners, models_folder
from detector.learnkit import SECOND, Model
from detector.locked import load_file

LEARNER = load_learners()["shape"].learner
SHAPE: Any = load_file(models_folder() / "shape.py").module
MAKE = maker(LEARNER, cases_least=3, window_cases=6)
DIMENSIONS = tuple(SHAPE.SHAPE)
CUTS = (
    [6, 5, 0, 2, 1, 2, 2, 4],
    [19, 7, 41, 57, 33, 26, 2, 3],
)  # of the first tree: a replay must cut as it always did
Vector = tuple[int, ...]


def case(gap_s: int = 3_600, events: int = 4, **told: Any) -> Told:
    """A closed case of the item."""
    common = {"item": "permit", "kind": "01"} | told
    return [
        {"step": f"s{n}", "operator": f"P{n}", "gap": gap_s * SECOND} | common
        for n in range(events)
    ]


# --- the second writing ------------------------------------------------------------------------


def place(value: int, unit: int) -> int:
    """On a scale of four steps an octave above the unit, 0 below it."""
    scale = [round(unit * 2 ** (n / 4)) for n in range(128)]
    return sum(edge <= value for edge in scale)


def vector(told: Told) -> Vector:
    """A case's shape, dimension by dimension."""
    gaps = [row.get("gap") or 0 for row in told]
    values = (
        place(sum(gaps), SECOND), place(max(gaps), SECOND), len(told),
        len({row["step"] for row in told} - {None}),
        len({row.get("operator") for row in told} - {None}),
        sum(row.get("returns", False) for row in told),
        place(sum(row.get("paid_fen") or 0 for row in told), 100),
        place(max(row.get("fine_fen") or 0 for row in told), 100),
    )  # fmt: skip
    return tuple(min(v, most) for v, (*_, most) in zip(values, SHAPE.SHAPE.values(), strict=True))


def crowd(shape: Vector, cases: Sequence[Vector]) -> int:
    """Mass around a shape, tree by tree, from the root down until a node holds a tenth or less."""
    total = 0
    for tree in range(TREES):
        node, depth, here = 1, 0, list(cases)
        while len(here) * 10 > len(cases) and depth < DEPTH:
            d, cut = int(SHAPE.HALVES.dimension[tree, node]), int(SHAPE.HALVES.cut[tree, node])
            right = shape[d] >= cut
            here = [one for one in here if (one[d] >= cut) == right]
            node, depth = 2 * node + right, depth + 1
        total += len(here) << depth
    return total


def slow_bits(shape: Vector, cases: Sequence[Vector]) -> int:
    """By how few of the cases stand as lonely."""
    mine = crowd(shape, cases)
    k = sum(crowd(one, cases) <= mine for one in cases)
    return round(-1000 * math.log2((k + 0.5) / (len(cases) + 1)))


def windows(days: Sequence[Sequence[Told]], item: str, full: int) -> list[Vector]:
    """The reference of one item after whole days."""
    reference: list[Vector] = []
    current: list[Vector] = []
    for day in days:
        mine = [vector(told) for told in day if told[0].get("item", "") == item or item == "*"]
        if len(reference) < full:
            reference = reference + mine
        else:
            current = current + mine
        if len(current) >= full:
            reference, current = current, []
    return reference


@settings(max_examples=40)
@given(days_of_cases(7))
def test_bits_are_those_of_the_second_writing(days: list[list[Told]]) -> None:
    model = play(MAKE, days)
    asked = [told for day in days for told in day][:8]
    scores = model.score(rows(asked))
    for n, told in enumerate(asked):
        item = told[0].get("item", "*")
        reference = windows(days, item, 6)
        if len(reference) < 3:
            reference = windows(days, "*", 6)
        assert bool(scores.known[n]) == (len(reference) >= 3)
        if scores.known[n]:
            assert abs(int(scores.bits[n]) - slow_bits(vector(told), reference)) <= 1


# --- the trees ---------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 200), min_size=8, max_size=8))
def test_every_shape_falls_to_one_leaf_of_each_tree(values: list[int]) -> None:
    shape = [min(v, int(most)) for v, most in zip(values, SHAPE.MOST, strict=True)]
    fallen = SHAPE.HALVES.leaves(SHAPE.np.array([shape]))[0].tolist()
    for tree in range(TREES):
        node = 1
        for _ in range(DEPTH):
            d = int(SHAPE.HALVES.dimension[tree, node])
            node = 2 * node + (shape[d] >= SHAPE.HALVES.cut[tree, node])
        assert fallen[tree] == tree * LEAVES + node - LEAVES


def test_the_cuts_are_fixed_and_use_every_dimension() -> None:
    assert sorted(Counter(SHAPE.HALVES.dimension[:, 1:].ravel().tolist())) == list(range(8))
    assert SHAPE.HALVES.dimension[0, 1:9].tolist() == CUTS[0]
    assert SHAPE.HALVES.cut[0, 1:9].tolist() == CUTS[1]


def test_a_cut_divides_what_its_node_holds() -> None:
    for tree in range(TREES):
        for node in range(2, 1 << DEPTH):
            up, mine = node // 2, SHAPE.HALVES.dimension[tree, node]
            if SHAPE.HALVES.dimension[tree, up] == mine:
                above = SHAPE.HALVES.cut[tree, node] > SHAPE.HALVES.cut[tree, up]
                assert above == bool(node % 2)


# --- levels, windows, memory -------------------------------------------------------------------


def bits(model: Model, told: Told) -> int | None:
    """What it says of a case, None where it does not know."""
    scores = model.score(rows([told]))
    return int(scores.bits[0]) if scores.known[0] else None


def test_the_narrowest_level_with_enough_cases_speaks() -> None:
    ways = [case(n) for n in range(3_000, 3_900, 4)]
    model = play(maker(LEARNER), [ways + [case(60, item="quick") for _ in range(200)]])
    assert model.score(rows([case()])).tell(0)["level"] == "item"
    assert model.score(rows([case(item="new")])).tell(0)["level"] == "kind"
    assert model.score(rows([case(item="new", kind="09")])).tell(0)["level"] == "county"
    assert (bits(model, case(60)) or 0) > 7_000
    assert (bits(model, case(60, item="quick")) or 0) < 1_000


def test_an_item_without_enough_cases_knows_nothing() -> None:
    assert bits(play(maker(LEARNER), [[case()] * 199]), case()) is None
    assert bits(play(maker(LEARNER), [[case()] * 200]), case()) is not None


def test_the_reference_moves_by_whole_windows() -> None:
    make = maker(LEARNER, window_cases=300)
    slow, fast = [case(3_600)] * 300, [case(60)] * 299
    assert (bits(play(make, [slow, fast]), case(60)) or 0) > 7_000
    assert (bits(play(make, [slow, fast, [case(60)]]), case(60)) or 0) < 1_000


def test_memory_is_capped() -> None:
    many = [case(5 * n, paid_fen=n * n, events=1 + n % 9) for n in range(6_000)]
    model = play(maker(LEARNER), [many, many])
    bits(model, case())
    held = max(len(w.counts) for w in model.reference.values())  # type: ignore[attr-defined]
    assert held <= 4_096
    assert model.bytes_used() <= 3 * LEARNER.bytes_a_key  # item, kind and county


# --- words -------------------------------------------------------------------------------------


def test_what_is_far_from_ordinary_is_told() -> None:
    model = play(maker(LEARNER), [[case(3_000 + n, paid_fen=2_500) for n in range(400)]])
    told = model.score(rows([case(3_200, paid_fen=250_000)])).tell(0)
    assert [one["what"] for one in told["unusual"]] == ["paid"]
    assert told["cases"] == 400
    assert told["why_zh"].startswith("缴费约 9,742 元（通常 91 元")
    assert "median 91 yuan" in told["why_en"]
    told = model.score(rows([case(20, events=3, paid_fen=2_500)])).tell(0)
    assert {one["what"] for one in told["unusual"]} >= {"work", "pause", "events"}
    assert all(one["low"] <= one["median"] <= one["high"] for one in told["unusual"])


@pytest.mark.parametrize(
    ("value", "unit", "zh", "en"),
    [
        (58, "s", "58 秒", "58 s"),
        (90, "s", "1.5 分钟", "1.5 min"),
        (7_200, "s", "2 小时", "2 h"),
        (0, "s", "0 秒", "0 s"),
        (123_456_700, "fen", "1,234,567 元", "1,234,567 yuan"),
        (32, "", "32+", "32+"),
    ],
)
def test_amounts_in_words(value: int, unit: str, zh: str, en: str) -> None:
    assert amount(value, unit, "+") == (zh, en)
