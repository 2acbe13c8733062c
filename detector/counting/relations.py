"""Relations of steps inside cases of one kind, counted exactly: order, repeat, predecessor.

Steps are whole numbers from `FIRST` up; smaller ones (edges, steps beyond the cap) have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from detector.quick import loaded, of_learning

FIRST = 2
WAYS_MAX = 4_096  # sequences that are remembered, some 1 kB each, 7 kB the longest
KINDS = ORDER, LAST_ORDER, REPEAT, MISSING = "order", "last_order", "repeat", "missing_before"
NEXT, START, WHO = "next", "start", "who"
_WHO_ZH = {"operator": "这位经办人", "department": "这个部门"}
_WORDS = {
    ORDER: (
        "环节“{step}”先于“{other_step}”：两者都有的 {n} 件中仅 {k} 件如此",
        'step "{step}" came before "{other_step}": so in only {k} of {n} cases with both',
    ),
    LAST_ORDER: (
        "环节“{other_step}”之后不再有“{step}”：两者都有的 {n} 件中仅 {k} 件如此",
        'no step "{step}" after the last "{other_step}": so in only {k} of {n} cases with both',
    ),
    REPEAT: (
        "环节“{step}”重复：有此环节的 {n} 件中仅 {k} 件重复",
        'step "{step}" was repeated: so in only {k} of {n} cases that have it',
    ),
    MISSING: (
        "环节“{step}”之前应有“{other_step}”，{n} 件中仅 {k} 件没有",
        'step "{step}" without "{other_step}" before it: so in only {k} of {n} cases',
    ),
    NEXT: (
        "环节“{other_step}”之后紧接“{step}”：{n} 次中仅 {k} 次如此",
        'step "{step}" directly after "{other_step}": so in only {k} of {n} times',
    ),
    START: (
        "办件从环节“{step}”开始：{n} 件中仅 {k} 件如此",
        'the case begins with step "{step}": so in only {k} of {n} cases',
    ),
    WHO: (
        "环节“{step}”由{what}办理：{n} 次中仅 {k} 次如此",
        'step "{step}" was worked by this {what}: so in only {k} of {n} times',
    ),
}


class Way(NamedTuple):
    """Each distinct step of a sequence: is it repeated, where is it first, and where last."""

    once: np.ndarray
    twice: np.ndarray
    first: np.ndarray
    last: np.ndarray


class Related(NamedTuple):
    """One relation of a case: `k` of `n` cases that could have it have it."""

    kind: str
    step: int
    other: int  # of an order: what came later; of a missing predecessor: what is missing
    k: int
    n: int


class Odds(NamedTuple):
    """Odds of every relation of an item's steps, 1 where nothing is known."""

    first: np.ndarray  # (a, b): the first a before the first b
    last: np.ndarray
    missing: np.ndarray  # no a before the first b
    repeat: np.ndarray


class Relations:
    """How many cases have a step, repeat it, and have it before another."""

    def __init__(self) -> None:
        self._shape(FIRST)

    def _shape(self, steps: int) -> None:
        self.having, self.repeating = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
        self.first = np.zeros((steps, steps), np.int64)  # the first a before the first b
        self.last = np.zeros((steps, steps), np.int64)  # the last a before the last b
        self._odds: dict[int, Odds] = {}  # by what is taken off; made when first asked for

    def grow(self, steps: int) -> None:
        """Room for steps below this number."""
        old, known = self.columns(), len(self.having)
        if known == steps:
            return
        self._shape(steps)
        self.having[:known], self.repeating[:known] = old[0], old[1]
        self.first[:known, :known], self.last[:known, :known] = old[2], old[3]

    def columns(self) -> tuple[np.ndarray, ...]:
        """All counts."""
        return self.having, self.repeating, self.first, self.last

    def bytes_used(self) -> int:
        """All counts and odds."""
        odds = (column for told in self._odds.values() for column in told)
        return sum(c.nbytes for c in (*self.columns(), *odds))

    def thaw(self, steps: int, columns: Sequence[np.ndarray]) -> None:
        """Hold these counts (flat), of steps below this number."""
        self.having, self.repeating = columns[0], columns[1]
        self.first, self.last = (c.reshape(steps, steps) for c in columns[2:])
        self._odds = {}

    def add(self, steps: np.ndarray, times: int) -> None:
        """Count a sequence of steps, so many cases of it."""
        self._odds = {}
        once, twice, first, last = _way(steps.tobytes())
        if loaded():
            of_learning().count_way(self.columns(), (once, first, last), times)
            return
        self.having[once] += times
        self.repeating[once] += times * twice
        square = once[:, None], once
        self.first[square] += times * (first[:, None] < first)
        self.last[square] += times * (last[:, None] < last)

    def bits(self, steps: np.ndarray, own: int = 0) -> int:
        """Thousandths of a bit of the most surprising relation, 0 where nothing is known.

        `own`: so many cases of this very sequence are taken off the counts first."""
        once, twice, first, last = _way(steps.tobytes())
        if not len(once):
            return 0
        if loaded():
            least = np.empty(1)
            of_learning().least_odds(least, (once, first, last), self.columns(), own)
            return int(np.rint(-1000 * np.log2(float(least[0]))))
        odds = self._odds_of(own)
        square, having = (once[:, None], once), self.having[once] > own
        told = [
            _least(odds.first[square], first[:, None] < first),
            _least(odds.last[square], last[:, None] < last),
        ]
        absent = np.ones((len(self.having), len(once)), bool)  # a not before the first b
        absent[once] = (first[:, None] > first) & having[:, None]
        told.append(_least(odds.missing[:, once], absent))
        told.append(_least(odds.repeat[once], twice))
        return int(np.rint(-1000 * np.log2(min(told))))

    def _odds_of(self, own: int) -> Odds:
        if own not in self._odds:
            having = self.having - own
            orders = [
                _odds(counts - own, (both := counts + counts.T - own), both > 0)
                for counts in (self.first, self.last)
            ]
            some = (self.having > 0)[:, None] & (having > 0)
            missing = _odds(having - self.first, having, some)
            repeat = _odds(self.repeating - own, having, having > 0)
            self._odds[own] = Odds(orders[0], orders[1], missing, repeat)
        return self._odds[own]

    def tell(self, steps: np.ndarray, own: int = 0) -> Related | None:
        """The relation that `bits` measured; None where nothing is known."""
        if loaded():
            once, _, first, last = _way(steps.tobytes())
            best = np.zeros(5, np.int64)
            of_learning().rarest(best, (once, first, last), self.columns(), own)
            kind, step, other, k, n = best.tolist()
            return Related(KINDS[kind], step, other, k, n) if n else None
        told = self._asked(steps, own)
        if not len(told):
            return None
        odds = (told[:, 3] + 0.5) / (told[:, 4] + 1)
        kind, step, other, k, n = told[int(np.argmin(odds))].tolist()
        return Related(KINDS[kind], step, other, k, n)

    def _asked(self, steps: np.ndarray, own: int) -> np.ndarray:
        """All relations of a sequence that had a chance, a row each: those of `Related`."""
        once, twice, first, last = _way(steps.tobytes())
        having = self.having.copy()
        having[once] -= own
        told = []
        for kind, counts, at in ((0, self.first, first), (1, self.last, last)):
            i, j = np.nonzero(at[:, None] < at)
            a, b = once[i], once[j]
            both = counts[a, b] + counts[b, a] - own
            told.append(np.stack([np.full(len(a), kind), a, b, counts[a, b] - own, both], axis=1))
        b = once[twice]
        again = [np.full(len(b), 2), b, b, self.repeating[b] - own, having[b]]
        told.append(np.stack(again, axis=1))
        absent = np.ones((len(having), len(once)), bool)  # a not before the first b
        absent[once] = first[:, None] > first
        a, i = np.nonzero(absent & (having > 0)[:, None])
        b = once[i]
        without = self.having[b] - self.first[a, b] - own
        told.append(np.stack([np.full(len(a), 3), b, a, without, having[b]], axis=1))
        rows = np.concatenate(told)
        rows = rows[rows[:, 4] > 0]
        rows[:, 3] = np.maximum(rows[:, 3], 0)
        return rows


def _odds(k: np.ndarray, n: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The odds of what `k` of `n` chances had; few chances give odds that say little, none 1."""
    return np.where(known, (np.maximum(k, 0) + 0.5) / (np.maximum(n, 0) + 1), 1.0)


def _least(odds: np.ndarray, where: np.ndarray) -> float:
    return float(np.min(odds, where=where, initial=1.0))


@lru_cache(WAYS_MAX)
def _way(steps: bytes) -> Way:
    """What a sequence of steps shows of itself, remembered: most cases go one of a few ways."""
    first, last = dict[int, int](), dict[int, int]()
    for at, step in enumerate(np.frombuffer(steps, np.int64).tolist()):
        if step >= FIRST:
            first.setdefault(step, at)
            last[step] = at
    once = sorted(first)
    begins, ends = (np.array([at[step] for step in once], np.int64) for at in (first, last))
    return Way(np.array(once, np.int64), begins < ends, begins, ends)


def in_words(kind: str, step: str, other: str, k: int, n: int, what: str = "") -> dict[str, Any]:
    """A relation as evidence, with a sentence in Chinese and in English. `what`: who works it."""
    zh, en = _WORDS[kind]
    told = {
        "step": step,
        "other_step": other,
        "k": f"{k:,}",
        "n": f"{n:,}",
        "what": _WHO_ZH.get(what),
    }
    why_zh = zh.format(**told)
    why_en = en.format(**told | {"what": what})
    relation = ORDER if kind == LAST_ORDER else NEXT if kind == START else kind
    numbers = {"step": step, "other_step": other, "k": k, "n": n}
    return {"relation": relation, **numbers, "why_zh": why_zh, "why_en": why_en}
