"""Distinct cases by person, place and bucket of time, as rows of numbers that stand for texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from detector.counting.packing import packed
from detector.learnkit import Rows

COMPACT_ROWS = 1 << 20  # gathered before rows that came twice are dropped
WHO, WHERE, BUCKET, CASE = range(4)  # columns
Told = list[tuple[int, list[str]]]  # bucket, the texts of its cases


class Sizes(NamedTuple):
    """What each person's buckets came to: columns of equal length, and people by number."""

    who: np.ndarray  # one a bucket: the place of its person among `people`
    cases: np.ndarray  # so many distinct cases
    people: list[tuple[str, str]]  # name, and the place where most of the cases were


class Buckets:
    """What was gathered since the last publication. Nothing depends on the order it came in."""

    def __init__(self) -> None:
        self.people: dict[str, int] = {}  # persons and places: text → number
        self.cases: dict[str, int] = {}
        self._sorted = np.zeros((0, 4), np.int64)  # each distinct row once
        self._fresh: list[np.ndarray] = []
        self._rows = 0  # of those

    def add(self, rows: Rows, buckets: np.ndarray) -> None:
        """Take up each row's case in its bucket."""
        columns = [
            _numbers(self.people, rows, "operator"), _numbers(self.people, rows, "department"),
            buckets, _numbers(self.cases, rows, "case"),
        ]  # fmt: skip
        self._fresh.append(np.stack(columns, axis=1))
        self._rows += len(rows)
        if self._rows > COMPACT_ROWS:
            self.all()

    def all(self) -> np.ndarray:
        """Each distinct row once, by person, place, bucket and case."""
        if self._fresh:
            self._sorted = _distinct(np.concatenate([self._sorted, *self._fresh]))
            self._fresh, self._rows = [], 0
        return self._sorted

    def sizes(self) -> Sizes:
        """How many cases each person's buckets hold, and where each person did most."""
        rows, names = self.all(), list(self.people)
        rank = np.empty(len(names), np.int64)
        rank[[self.people[name] for name in sorted(names)]] = np.arange(len(names))
        begins = _begins(rows[:, :BUCKET])
        who, where = rows[begins, WHO], rows[begins, WHERE]
        order = np.lexsort((rank[where], -np.diff(begins, append=len(rows)), who))
        most = order[_begins(who[order])]
        told = [(names[w], names[d]) for w, d in zip(who[most], where[most], strict=True)]
        anywhere = _distinct(rows[:, [WHO, BUCKET, CASE]])
        begins = _begins(anywhere[:, :2])
        place = np.searchsorted(who[most], anywhere[begins, 0])
        return Sizes(place, np.diff(begins, append=len(anywhere)), told)

    def spell(self) -> list[tuple[str, str, Told]]:
        """Everything in texts, in order: equal for equal cases."""
        names, cases = list(self.people), list(self.cases)
        held: dict[tuple[str, str], dict[int, list[str]]] = {}
        for who, where, bucket, case in self.all().tolist():
            key = names[who], names[where]
            held.setdefault(key, {}).setdefault(bucket, []).append(cases[case])
        return [
            (*key, [(bucket, sorted(texts)) for bucket, texts in sorted(told.items())])
            for key, told in sorted(held.items())
        ]

    def read(self, told: Sequence[tuple[str, str, Told]]) -> None:
        """Into an empty one, what `spell` told."""
        people, cases = self.people, self.cases
        rows = [
            (
                people.setdefault(who, len(people)), people.setdefault(where, len(people)),
                bucket, cases.setdefault(case, len(cases)),
            )
            for who, where, buckets in told
            for bucket, texts in buckets
            for case in texts
        ]  # fmt: skip
        self._fresh, self._rows = [np.array(rows, np.int64).reshape(-1, 4)], len(rows)

    def bytes_used(self) -> int:
        """About so much memory."""
        rows = sum(part.nbytes for part in (self._sorted, *self._fresh))
        return rows + 150 * (len(self.people) + len(self.cases))


def _numbers(numbers: dict[str, int], rows: Rows, name: str) -> np.ndarray:
    """A column in numbers of one's own; a text that is new gets the next one."""
    codes = rows[name] + 1  # places in a vocabulary, behind one for nobody: no need to sort
    met = np.zeros(int(codes.max(initial=0)) + 1, bool)
    met[codes] = True
    there = np.flatnonzero(met)
    texts = rows.texts(name, there - 1)
    told = np.empty(len(met), np.int64)
    told[there] = [numbers.setdefault(text, len(numbers)) for text in texts]
    return told[codes]


def _distinct(rows: np.ndarray) -> np.ndarray:
    """Each row once, rising by the first column, then the second, and so on."""
    if not len(rows):
        return rows
    least = rows.min(axis=0)
    bits = [int(most).bit_length() for most in rows.max(axis=0) - least]
    if sum(bits) > 62:
        rows = rows[np.lexsort(rows.T[::-1])]
        return rows[_begins(rows)]
    one = packed(rows - least, bits)  # sorted in a tenth of the time
    one.sort()
    one = one[_begins(one)]
    told = np.empty((len(one), len(bits)), np.int64)
    for n in reversed(range(len(bits))):
        told[:, n] = (one & ((1 << bits[n]) - 1)) + least[n]
        one >>= bits[n]
    return told


def _begins(rows: np.ndarray) -> np.ndarray:
    """Where each run of equal rows begins."""
    new = np.ones(len(rows), bool)
    changed = rows[1:] != rows[:-1]
    new[1:] = changed if changed.ndim == 1 else changed.any(axis=1)
    return np.flatnonzero(new)
