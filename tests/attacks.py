"""Attacks on what is learned, day by day through the same guard as live: what they move, what stops
them, and when drift is seen. `python tests/attacks.py docs` writes tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.learning.epochs import EpochBook, Guard
from detector.learning.shelf import load_learners
from detector.learnkit import (
    BIT,
    CODED,
    EXAMPLE_DAY,
    FLAGS,
    NOT_GIVEN,
    NUMBERS,
    SECOND,
    Model,
    Rows,
    rows_of,
)

LEAST_S = 1_800  # 99 of 100 honest records take at least this long
SPREAD = 0.6  # standard deviation of the logarithm of honest times
A_DAY = 60  # honest records a day
CLERKS = 6
BEGINS = 60  # the day on which an attack begins
KEY = ("01", "permit", "accept", "survey", "")
FLOOR_S, CAP_S = 300, 4 * 3_600
Times = tuple[np.ndarray, np.ndarray]  # seconds, clerk


@dataclass(frozen=True)
class Attack:
    """One way to move a limit: what a day brings, by the days since it began (negative: before)."""

    name: str
    zh: str
    en: str
    days: int
    brings: Callable[[int, np.random.Generator], Times]


@dataclass(frozen=True)
class Day:
    """How one day began: seconds, 0 where there is no limit."""

    day: int  # since the attack began
    true_s: int  # below which one of a hundred of that day's records lies
    proposed_s: int
    in_force_s: int
    stopped: str  # what held the proposal back


@dataclass
class Course:
    """An attack as it went."""

    attack: Attack
    days: list[Day] = field(default_factory=list)
    drifts: list[tuple[int, str]] = field(default_factory=list)  # day, series

    @property
    def drifted(self) -> int | None:
        """The first day on which drift was seen, None if never."""
        return self.drifts[0][0] if self.drifts else None


# --- what a day brings ---------------------------------------------------------------------------


def honest(rng: np.random.Generator, n: int = A_DAY) -> Times:
    """Records of all clerks in turn."""
    middle = LEAST_S * np.exp(2.326 * SPREAD)
    return middle * np.exp(SPREAD * rng.standard_normal(n)), np.arange(n) % CLERKS


def slow_poison(day: int, rng: np.random.Generator) -> Times:
    """One clerk of six gets 1 % faster every week."""
    seconds, clerk = honest(rng)
    return np.where(clerk == 0, seconds * 0.99 ** (max(day, 0) / 7), seconds), clerk


def poisoned_office(day: int, rng: np.random.Generator) -> Times:
    """All six do."""
    seconds, clerk = honest(rng)
    return seconds * 0.99 ** (max(day, 0) / 7), clerk


def _flood(day: int, rng: np.random.Generator, people: int) -> Times:
    seconds, clerk = honest(rng)
    if day != 0:
        return seconds, clerk
    fakes = rng.integers(20, 60, 10_000), 100 + np.arange(10_000) % people
    return np.append(seconds, fakes[0]), np.append(clerk, fakes[1])


def flood_by_one(day: int, rng: np.random.Generator) -> Times:
    """On one day 10,000 fakes of under a minute, by one operator."""
    return _flood(day, rng, 1)


def flood_by_three(day: int, rng: np.random.Generator) -> Times:
    """The same by three."""
    return _flood(day, rng, 3)


def lone_faker(day: int, rng: np.random.Generator) -> Times:
    """A work that two clerks alone do, always in under a minute."""
    return rng.integers(20, 60, A_DAY).astype(float), np.arange(A_DAY) % 2


def lazy(day: int, rng: np.random.Generator) -> Times:
    """From a day on everything takes three times as long."""
    seconds, clerk = honest(rng)
    return seconds * (3 if day >= 0 else 1), clerk


ATTACKS = (
    Attack(
        "slow-poison", "慢性投毒：六名经办人中一人每周快百分之一，持续两年",
        "Slow poison: one clerk of six, 1 % faster a week for two years", 730, slow_poison,
    ),
    Attack(
        "poisoned-office", "全科室慢性投毒：六人每周快百分之一，持续两年",
        "A whole office, 1 % faster a week for two years", 730, poisoned_office,
    ),
    Attack(
        "flood-by-one", "一人一天伪造一万条", "10,000 fakes on one day, by one operator", 120,
        flood_by_one,
    ),
    Attack(
        "flood-by-three", "三人一天伪造一万条", "10,000 fakes on one day, by three operators", 120,
        flood_by_three,
    ),
    Attack(
        "lone-faker", "某环节只有两人办理，从来作假",
        "A work of two clerks, faked from the beginning", 120, lone_faker,
    ),
    Attack(
        "lazy-department", "某部门自某日起全部慢三倍",
        "A department three times as slow from a day on", 240, lazy,
    ),
)  # fmt: skip


def shown(times: Times) -> Rows:
    """The day as a learner of single steps is shown it."""
    seconds, clerk = times
    n = len(seconds)
    columns = {name: np.full(n, -1) for name in CODED}
    columns |= {name: np.full(n, NOT_GIVEN) for name in NUMBERS}
    columns |= {name: np.zeros(n, bool) for name in FLAGS}
    words: dict[str, Sequence[str | None]] = dict.fromkeys(CODED, ())
    for name, text in zip(("kind", "item", "previous_step", "step"), KEY, strict=False):
        columns[name], words[name] = np.zeros(n, np.int64), (text,)
    columns["operator"] = clerk
    words["operator"] = [f"P{c}" for c in range(int(clerk.max()) + 1)]
    columns["gap"] = np.rint(seconds).astype(np.int64) * SECOND
    return Rows(columns, words)


# --- day by day ----------------------------------------------------------------------------------


def run(attack: Attack, seed: int = 1) -> Course:
    """The learner of paces, the guard and the learner of drift over the whole attack. Nobody
    approves anything."""
    cards = {name: shelved.learner for name, shelved in load_learners().items()}
    pace, drift = (_made(cards[name]) for name in ("pace", "drift"))
    book = EpochBook("pace", 1, Guard(FLOOR_S, CAP_S))
    rng, course = np.random.default_rng(seed), Course(attack)
    for n in range(-BEGINS, attack.days):
        day = EXAMPLE_DAY + BEGINS + n + 1
        times = attack.brings(n, rng)
        rows = shown(times)
        scores = pace.score(rows)
        share = int(np.count_nonzero(scores.known & (scores.bits > 6 * BIT))) * 1_000 // len(rows)
        pace.learn(rows)
        watched = [*pace.watch(), ("", "alarms", share)]
        proposed = pace.publish(day)
        book.begin(day, 0, proposed, len(rows))
        for whose in _drifted(drift, day, watched):
            course.drifts.append((n, whose))
            book.freeze(day, 0, {whose or "*": "drift"}, "oriole", "drift")
        pace.enforce([book.force[key] for key in sorted(book.force)])
        one = {limit.key: limit for limit in proposed}.get(KEY)
        held = book.force.get(KEY)
        course.days.append(Day(
            n, round(float(np.quantile(times[0], 0.01))), one.value if one else 0,
            held.value if held else 0, _stopped(book, one.value if one else 0),
        ))  # fmt: skip
    return course


def _made(card: object) -> Model:
    return card.make({p.name: p.default for p in card.params})  # type: ignore[attr-defined]


def _drifted(drift: Model, day: int, watched: list[tuple[str, str, int]]) -> Iterator[str]:
    rows = rows_of([{"series": f"{whose} {what}", "value": v} for whose, what, v in watched])
    drift.learn(rows)
    drift.publish(day)
    scores = drift.score(rows)
    for n in np.flatnonzero(scores.known & (scores.bits >= BIT)).tolist():
        yield watched[n][0]


def _stopped(book: EpochBook, proposed: int) -> str:
    """What stands between the proposal and its being in force."""
    if not proposed:
        return "people"
    held = book.force.get(KEY)
    if book.frozen:
        return "drift"
    if KEY in book.waiting:
        old, new = held.value if held else 0, book.waiting[KEY].value
        far = abs(new - old) * 1_000 > book.guard.step_permille * old
        return "step" if far else "total"
    return "floor" if proposed < FLOOR_S else "cap" if proposed > CAP_S else ""
