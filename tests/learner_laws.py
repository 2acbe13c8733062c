"""The laws that every learner keeps: one list, run over every file of `models/`.

A law takes a learner, a story (days of rows) and a source of chance, and raises AssertionError.
"""

from __future__ import annotations

import gc
import random
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from detector.learning.stories import fault_of
from detector.learnkit import (
    CODED,
    EXAMPLE_DAY,
    FLAGS,
    NOT_GIVEN,
    NUMBERS,
    SECOND,
    Learner,
    Limit,
    Model,
    Rows,
    Scores,
    rows_of,
    text_hash,
)

Row = dict[str, Any]
Story = Sequence[Sequence[Row]]  # days of rows
Law = Callable[[Learner, Story, random.Random], None]
DAY_US = 86_400 * SECOND
KEYS_MANY, KEYS_FEW = 20_000, 30
FLOOR_BYTES = 8 << 20  # beside its keys a learner may hold so much


# --- a learner at work ---------------------------------------------------------------------------


def fresh(learner: Learner) -> Model:
    """It with its default parameters."""
    return learner.make({p.name: p.default for p in learner.params})


def units(learner: Learner, rows: Sequence[Row]) -> list[list[Row]]:
    """What may be cut and mixed: rows, or whole cases where the learner sees cases."""
    if learner.sees != "case":
        return [[one] for one in rows]
    cases: dict[Any, list[Row]] = {}
    for one in rows:
        cases.setdefault(one.get("case"), []).append(one)
    return list(cases.values())


def shown(learner: Learner, rows: Sequence[Row]) -> Rows:
    """Rows as the engine shows them: its codes are narrow."""
    told = rows_of(rows, learner.sees == "case")
    narrow = {name: told[name].astype(np.int32) for name in CODED}
    return Rows({**told.columns, **narrow}, told.words, told.begins)


def learn(model: Model, learner: Learner, parts: Sequence[Sequence[Row]]) -> None:
    """Show it some units at once."""
    rows = [one for part in parts for one in part]
    model.learn(shown(learner, rows))


def begin(model: Model, day: int) -> list[Limit]:
    """The day begins: all that is proposed comes into force."""
    limits = model.publish(EXAMPLE_DAY + day)
    model.enforce(limits)
    return limits


def lived(learner: Learner, story: Story, days: int | None = None) -> Model:
    """A learner that was shown the days, each at once."""
    model = fresh(learner)
    for n, rows in enumerate(story[:days], 1):
        learn(model, learner, units(learner, rows))
        begin(model, n)
    return model


def said(model: Model, learner: Learner, rows: Sequence[Row]) -> list[Any]:
    """What it says of each row or case: None, or bits, limit and reasons."""
    scores: Scores = model.score(shown(learner, rows))
    assert len(scores.known) == len(scores.bits) == len(scores.limit)
    return [
        (int(scores.bits[n]), int(scores.limit[n]), scores.tell(n)) if known else None
        for n, known in enumerate(scores.known.tolist())
    ]


def asked(story: Story) -> list[Row]:
    """Rows to be scored: those of the last days."""
    return [one for rows in story[-3:] for one in rows]


def alike(one: Any, other: Any, what: str) -> None:
    """Two learners know or say the same."""
    assert one == other, f"{what}: {one!r} / {other!r}"[:2_000]


def cut(parts: list[Any], rng: random.Random) -> Iterator[list[Any]]:
    """The same in pieces, empty ones among them."""
    at = 0
    while at < len(parts):
        size = rng.choice((0, 1, 2, 7, len(parts)))
        yield parts[at : at + size]
        at += size


# --- laws ----------------------------------------------------------------------------------------


def score_before_learn(learner: Learner, story: Story, rng: random.Random) -> None:
    """What is shown changes nothing that is said until the next day begins, and nor does asking."""
    model = lived(learner, story, len(story) - 1)
    before, held = said(model, learner, asked(story)), model.freeze()
    alike(held, model.freeze(), "bytes after a question")
    learn(model, learner, units(learner, story[-1]))
    alike(before, said(model, learner, asked(story)), "score before and after learning")


def row_is_batch(learner: Learner, story: Story, rng: random.Random) -> None:
    """A row alone, or a case, is scored as it is among others."""
    model, parts = lived(learner, story), units(learner, asked(story))
    together = said(model, learner, [one for part in parts for one in part])
    alone = [told for part in parts for told in said(model, learner, part)]
    alike(together, alone, "batch and row")


def any_cut(learner: Learner, story: Story, rng: random.Random) -> None:
    """How the rows of a day are cut does not matter, nor to what is watched for drift."""
    whole, model = fresh(learner), fresh(learner)
    for n, rows in enumerate(story, 1):
        learn(whole, learner, units(learner, rows))
        for piece in cut(units(learner, rows), rng):
            learn(model, learner, piece)
        alike(whole.watch(), model.watch(), "watched, whole and cut")
        alike(begin(whole, n), begin(model, n), "limits, whole and cut")
    alike(whole.freeze(), model.freeze(), "whole and cut")


def any_order(learner: Learner, story: Story, rng: random.Random) -> None:
    """Nor does the order of a day's rows or cases."""
    mixed = []
    for rows in story:
        parts = units(learner, rows)
        rng.shuffle(parts)
        mixed.append([one for part in parts for one in part])
    alike(lived(learner, story).freeze(), lived(learner, mixed).freeze(), "order and another")


def any_shards(learner: Learner, story: Story, rng: random.Random) -> None:
    """Nor from how many sources they come, each with codes of its own for the texts."""
    for shards in (2, 3):
        model = fresh(learner)
        for n, rows in enumerate(story, 1):
            dealt: list[list[Any]] = [[] for _ in range(shards)]
            for part in units(learner, rows):
                dealt[text_hash(str(part[0].get("case"))) % shards].append(part)
            pieces = [piece for parts in dealt for piece in cut(parts, rng)]
            rng.shuffle(pieces)
            for piece in pieces:
                learn(model, learner, piece)
            begin(model, n)
        alike(lived(learner, story).freeze(), model.freeze(), f"one source and {shards}")


def freeze_goes_on(learner: Learner, story: Story, rng: random.Random) -> None:
    """What was frozen and thawed, in the middle of a day or at its beginning, goes on as if it had
    never been."""
    whole, model = fresh(learner), fresh(learner)
    for n, rows in enumerate(story, 1):
        parts = units(learner, rows)
        half = rng.randint(0, len(parts))
        for piece in (parts[:half], parts[half:]):
            learn(whole, learner, piece)
            learn(model, learner, piece)
            model = _thawed(model, learner)
        alike(begin(whole, n), begin(model, n), "limits")
        model = _thawed(model, learner)
    alike(whole.freeze(), model.freeze(), "never frozen and thawed")
    alike(said(whole, learner, asked(story)), said(model, learner, asked(story)), "scores")


def _thawed(model: Model, learner: Learner) -> Model:
    again, data = fresh(learner), model.freeze()
    again.thaw(data)
    alike(data, again.freeze(), "bytes and bytes again")
    return again


def missing_never_raises(learner: Learner, story: Story, rng: random.Random) -> None:
    """Any column may be without a value, or all of them, or there may be no row."""
    gaps = [{name} for name in (*CODED, *NUMBERS, *FLAGS)]
    gaps += [set(CODED), set(NUMBERS), {*CODED, *NUMBERS, *FLAGS}]
    model = lived(learner, story, 2)
    rows = asked(story)[:40]
    for n, gap in enumerate(gaps, 3):
        lacking = [{k: v for k, v in one.items() if k not in gap} for one in rows]
        for told in (lacking, []):
            said(model, learner, told)
            learn(model, learner, units(learner, told))
        begin(model, n)
        said(model, learner, lacking)


def publish_again(learner: Learner, story: Story, rng: random.Random) -> None:
    """A day that begins twice says the same."""
    model = lived(learner, story, len(story) - 1)
    learn(model, learner, units(learner, story[-1]))
    limits, held = begin(model, len(story)), model.freeze()
    alike(limits, begin(model, len(story)), "limits")
    alike(held, model.freeze(), "bytes")


def limits_are_sound(learner: Learner, story: Story, rng: random.Random) -> None:
    """Limits come by key, each once, with as many names as the card has keys."""
    model = fresh(learner)
    for n, rows in enumerate(story, 1):
        learn(model, learner, units(learner, rows))
        limits = begin(model, n)
        keys = [one.key for one in limits]
        alike(len(set(keys)), len(keys), "keys, each once")
        assert all(len(key) == len(learner.keys) for key in keys), keys
        assert all(one.since <= one.until < EXAMPLE_DAY + n for one in limits), limits


def examples_hold(learner: Learner, story: Story, rng: random.Random) -> None:
    """The examples of the card say what is so."""
    faults = [(e.title, fault) for e in learner.examples if (fault := fault_of(learner, e))]
    assert not faults, faults


def memory_is_bounded(learner: Learner, story: Story, rng: random.Random) -> None:
    """It holds what the card states for a key: of very many keys, and of each further key that
    lives long and is seen often. What it says of its memory is about true."""
    many = _grown(learner, KEYS_MANY, 1, KEYS_MANY)
    held, stated = size_of(many), learner.bytes_a_key * KEYS_MANY + FLOOR_BYTES
    assert held <= stated, f"{KEYS_MANY} keys: {held:,} bytes; stated: {stated:,}"
    assert held <= 2 * many.bytes_used() + 100_000, f"{held:,} bytes; told: {many.bytes_used():,}"
    few, twice = (size_of(_grown(learner, n, 100, 5 * n)) for n in (KEYS_FEW, 2 * KEYS_FEW))
    a_key = (twice - few) / KEYS_FEW  # arrays grow by half at a time
    assert a_key <= 1.5 * learner.bytes_a_key, f"{a_key:,.0f} bytes a key"


def _grown(learner: Learner, keys: int, days: int, rows: int) -> Model:
    model = fresh(learner)
    for n in range(days):
        learn(model, learner, [[one] for one in crowd(learner, rows, keys, n)])
        begin(model, n + 1)
    return model


LAWS: tuple[Law, ...] = (
    score_before_learn, row_is_batch, any_cut, any_order, any_shards, freeze_goes_on,
    missing_never_raises, publish_again, limits_are_sound, examples_hold, memory_is_bounded,
)  # fmt: skip
OF_ITSELF = (examples_hold, memory_is_bounded)  # these need no story


# --- stories and sizes ---------------------------------------------------------------------------


def crowd(learner: Learner, rows: int, keys: int, day: int) -> list[Row]:
    """Rows of so many keys, each complete, no two of one case: ten kinds of power, and four keys of
    an item where that is not the whole key."""
    names = learner.keys or ("series", "operator", "item")
    told = []
    for n in range(rows):
        key = n % keys
        one: Row = {name: f"{name}-{key:06d}" for name in names}
        if len(names) > 1:
            one |= {"kind": f"{key // 4 % 10:02d}", "item": f"item-{key // 4}"}
        one |= {"case": f"{day}-{n}", "step": one.get("step", "survey"), "accepts": True}
        one |= {"recorded_at": (EXAMPLE_DAY + day) * DAY_US + n * SECOND, "gap": (n + 9) * SECOND}
        one |= {"value": n % 50, "day": EXAMPLE_DAY + day}
        told.append({"operator": f"P{n % 40}", "department": "D1", "item": "permit"} | one)
    return told


def size_of(root: object) -> int:
    """Bytes of an object and of all that it alone leads to."""
    seen, waiting, total = {id(root)}, [root], 0
    skipped = (type, types.ModuleType, types.FunctionType, types.MethodType)
    while waiting:
        one = waiting.pop()
        total += sys.getsizeof(one)
        for inner in gc.get_referents(one):
            if id(inner) not in seen and not isinstance(inner, skipped):
                seen.add(id(inner))
                waiting.append(inner)
    return total


STEPS = ("accept", "survey", "review", "decide", "close")


def county(learner: Learner, days: int = 62, seed: int = 1) -> Story:
    """Days in which a learner finds something to say: cases of two items, six operators, three
    departments; or series of which one changes."""
    rng = random.Random(seed)
    if learner.sees == "series":
        return [
            [
                {"series": f"s{n}", "value": rng.randint(8, 12) + 40 * (n == 0 and day > 20)}
                for n in range(3)
            ]
            for day in range(days)
        ]
    return [[one for n in range(6) for one in _case(rng, day, f"{day}-{n}")] for day in range(days)]


def _case(rng: random.Random, day: int, case: str) -> Iterator[Row]:
    """A case of a day, with a step that is missing or done twice now and then."""
    item = rng.choice(("permit", "fine"))
    steps = [s for s in STEPS for _ in range(rng.choice((1, 1, 1, 1, 0, 2)))] or ["accept"]
    at = (EXAMPLE_DAY + day) * DAY_US + 3_600 * SECOND
    last: Row = {}
    for step in steps:
        gap = round(rng.lognormvariate(7, 1)) * SECOND
        at += gap
        last = {
            "item": item, "kind": "01", "department": f"D{len(item) % 3}", "step": step,
            "operator": f"P{rng.randint(0, 5)}", "channel": rng.choice(("1", "2", None)),
            "case": case, "recorded_at": at, "received_at": at, "value": rng.randint(1, 9),
            "day": EXAMPLE_DAY + day,
            "gap": gap if last else NOT_GIVEN, "accepts": step == "accept",
            "closes": step == "close", "fine_fen": rng.randint(1, 10**6), "paid_fen": 0,
            "previous_step": last.get("step"), "previous_operator": last.get("operator"),
            "apart": rng.random() < 0.05,
        }  # fmt: skip
        yield last


_INSTANTS = (
    0,
    1,
    -5,
    EXAMPLE_DAY * DAY_US,
    EXAMPLE_DAY * DAY_US + 601 * SECOND,
    1 << 60,
    NOT_GIVEN,
)
_VALUES = (0, 1, -5, 17, 1 << 60, NOT_GIVEN, NOT_GIVEN + 1)
_DAYS = (*_VALUES, EXAMPLE_DAY, EXAMPLE_DAY + 1, EXAMPLE_DAY - 60, EXAMPLE_DAY - 900)
_GAPS = (0, 1, -5, 58 * SECOND, 3_600 * SECOND, 1 << 60, NOT_GIVEN)
_NUMBERS = {
    "recorded_at": _INSTANTS, "received_at": _INSTANTS, "day": _DAYS, "gap": _GAPS,
    "value": _VALUES,
}  # fmt: skip


def stories() -> st.SearchStrategy[Story]:
    """A few days of a few rows each, in which anything may be missing."""
    told: dict[str, Any] = {c: st.sampled_from((None, "a", "b", "乙", "")) for c in CODED}
    told |= {n: st.sampled_from(_NUMBERS.get(n, _GAPS)) for n in NUMBERS}
    told |= {f: st.booleans() for f in FLAGS}
    rows = st.lists(st.fixed_dictionaries({}, optional=told), max_size=8)
    return st.lists(rows, min_size=1, max_size=4)
