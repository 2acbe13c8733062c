"""Every law holds for every learner of the folder, and rejects one that breaks it on purpose."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import learner_laws as laws
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learner_laws import LAWS, OF_ITSELF, Law, county, stories

from detector.learning.shelf import load_learners
from detector.learnkit import NOT_GIVEN, Example, Learner, Limit, Model, Rows, Scores, row

SHELF = {name: shelved.learner for name, shelved in load_learners().items()}
ANY_ROWS = [law for law in LAWS if law not in OF_ITSELF]


class Counting(Model):
    """A sound learner, to be broken: how often each item was seen."""

    def __init__(self, params: Mapping[str, int]) -> None:
        super().__init__(params)
        self.held: dict[str, int] = {}
        self.shown: dict[str, int] = {}
        self.until = 0

    def score(self, rows: Rows) -> Scores:
        counts = [self.held.get(rows.text("item", c), 0) for c in rows["item"].tolist()]
        limit = np.array(counts, np.int64)
        return Scores(limit > 0, limit * 0, limit, lambda n: {"seen": int(limit[n])})

    def learn(self, rows: Rows) -> None:
        for code in rows["item"].tolist():
            self.shown[rows.text("item", code)] = self.shown.get(rows.text("item", code), 0) + 1

    def publish(self, day: int) -> list[Limit]:
        for item, n in self.shown.items():
            self.held[item] = self.held.get(item, 0) + n
        self.shown, self.until = {}, day - 1
        return [
            Limit(key=(k,), value=n, n=n, people=1, since=self.until, until=self.until)
            for k, n in sorted(self.held.items())
        ]

    def freeze(self) -> bytes:
        return msgspec.msgpack.encode(
            (sorted(self.held.items()), sorted(self.shown.items()), self.until)
        )

    def thaw(self, data: bytes) -> None:
        held, shown, self.until = msgspec.msgpack.decode(data)
        self.held, self.shown = dict(map(tuple, held)), dict(map(tuple, shown))

    def bytes_used(self) -> int:
        return 250 * (len(self.held) + len(self.shown))


class Hasty(Counting):
    """Speaks of what it was just shown."""

    def learn(self, rows: Rows) -> None:
        super().learn(rows)
        self.held |= {item: self.held.get(item, 0) + n for item, n in self.shown.items()}


class Crowded(Counting):
    """Scores by who else is asked about."""

    def score(self, rows: Rows) -> Scores:
        told = super().score(rows)
        return replace(told, bits=told.bits + len(rows))


class ByBatch(Counting):
    """Counts how often it was shown something, not how much."""

    def learn(self, rows: Rows) -> None:
        for code in np.unique(rows["item"]).tolist():
            self.shown[rows.text("item", code)] = self.shown.get(rows.text("item", code), 0) + 1


class FirstSeen(Counting):
    """Remembers its items as they came."""

    def freeze(self) -> bytes:
        return msgspec.msgpack.encode((list(self.held.items()), sorted(self.shown.items()), 0))

    def publish(self, day: int) -> list[Limit]:
        return [replace_until(one, day) for one in super().publish(day)]


def replace_until(one: Limit, day: int) -> Limit:
    """The limit as of the day before."""
    return msgspec.structs.replace(one, since=day - 1, until=day - 1)


class ByCode(Counting):
    """Takes a code for what it stands for."""

    def learn(self, rows: Rows) -> None:
        for code in rows["item"].tolist():
            self.shown[f"item {code}"] = self.shown.get(f"item {code}", 0) + 1


class Forgetful(Counting):
    """Freezes what it published and not what it was shown since."""

    def freeze(self) -> bytes:
        return msgspec.msgpack.encode((sorted(self.held.items()), [], self.until))


class Trusting(Counting):
    """Expects every number to be there."""

    def learn(self, rows: Rows) -> None:
        if (rows["gap"] == NOT_GIVEN).all():
            raise ValueError("no gap")
        super().learn(rows)


class Restless(Counting):
    """Counts days by being told of them."""

    def publish(self, day: int) -> list[Limit]:
        self.held = {item: n + 1 for item, n in self.held.items()}
        return super().publish(day)


class Undated(Counting):
    """Says that it saw the day that only begins."""

    def publish(self, day: int) -> list[Limit]:
        return [replace_until(one, day + 1) for one in super().publish(day)]


class Hoarding(Counting):
    """Keeps every row that it saw."""

    def __init__(self, params: Mapping[str, int]) -> None:
        super().__init__(params)
        self.all: list[Any] = []

    def learn(self, rows: Rows) -> None:
        super().learn(rows)
        self.all += [rows.columns[n].copy() for n in rows.columns]

    def bytes_used(self) -> int:
        return super().bytes_used() + laws.size_of(self.all)


SOUND = Learner(
    id="counting", edition=1, zh="计数", en="counting", basis="ours", sees="step", make=Counting,
    keys=("item",), bytes_a_key=500,
    examples=(Example("one", ((row(item="a"),),), (row(item="a"),), True, limit_least=1),),
)  # fmt: skip


def _broken(make: type[Counting]) -> Learner:
    return replace(SOUND, id=make.__name__, make=make)


REJECTED: list[tuple[Law, Learner]] = [
    (laws.score_before_learn, _broken(Hasty)),
    (laws.row_is_batch, _broken(Crowded)),
    (laws.any_cut, _broken(ByBatch)),
    (laws.any_order, _broken(FirstSeen)),
    (laws.any_shards, _broken(ByCode)),
    (laws.freeze_goes_on, _broken(Forgetful)),
    (laws.missing_never_raises, _broken(Trusting)),
    (laws.publish_again, _broken(Restless)),
    (laws.limits_are_sound, _broken(Undated)),
    (laws.examples_hold, replace(SOUND, examples=(replace(SOUND.examples[0], known=False),))),
    (laws.memory_is_bounded, _broken(Hoarding)),
]


def _named(law: Law) -> str:
    return law.__name__


# Memory takes seconds a learner: very many keys.
OVER_A_COUNTY = [
    pytest.param(
        law, one, id=f"{law.__name__}-{one.id}",
        marks=[pytest.mark.slow] if law is laws.memory_is_bounded else [],
    )
    for law in LAWS
    for one in (*SHELF.values(), SOUND)
]  # fmt: skip


@pytest.mark.parametrize(("law", "learner"), OVER_A_COUNTY)
def test_the_law_holds_over_a_county(law, learner):
    law(learner, county(learner), random.Random(1))


@pytest.mark.parametrize("learner", [*SHELF.values(), SOUND], ids=lambda one: one.id)
@pytest.mark.parametrize("law", ANY_ROWS, ids=_named)
@settings(max_examples=10)
@given(story=stories(), seed=st.integers(0, 99))
def test_the_law_holds_over_any_rows(law, learner, story, seed):
    law(learner, story, random.Random(seed))


@pytest.mark.parametrize(("law", "learner"), REJECTED, ids=lambda one: getattr(one, "__name__", ""))
def test_the_law_rejects_a_broken_learner(law, learner):
    with pytest.raises((AssertionError, ValueError)):
        law(learner, county(learner), random.Random(1))


def test_no_law_goes_without_a_broken_learner():
    assert [law for law, _ in REJECTED] == list(LAWS)


@pytest.mark.parametrize("name", SHELF)
def test_the_county_gives_each_learner_something_to_say(name):
    learner = SHELF[name]
    story = county(learner)
    told = laws.said(laws.lived(learner, story), learner, laws.asked(story))
    assert any(one is not None for one in told)
