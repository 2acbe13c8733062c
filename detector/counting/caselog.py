"""Whole cases gathered in an epoch, as numbers that stand for texts: the same in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from detector.counting.alike import Alike
from detector.learnkit import Rows

EDGE, NOT_GIVEN, OTHER, NAMED = 0, 1, 2, 3  # numbers from `NAMED` up stand for texts
NAMES_MAX = 1 << 18  # texts that have a number of their own; later ones are `OTHER`


Texts = Sequence[str | None]


class Coded(NamedTuple):
    """Cases as numbers; events that name no step are left out."""

    begins: np.ndarray  # events of case n from begins[n] up to begins[n + 1]
    item: np.ndarray  # one a case
    step: np.ndarray  # one an event
    values: np.ndarray  # a row an event, a column an attribute

    def events(self) -> np.ndarray:
        """The case of each event."""
        return np.repeat(np.arange(len(self.item)), np.diff(self.begins))

    def series(self) -> tuple[np.ndarray, np.ndarray]:
        """Each case as one series, its item and its events, one behind the other; and where each
        begins."""
        return series_of(self.item, np.column_stack([self.step, self.values]), self.begins)


def series_of(
    heads: np.ndarray, events: np.ndarray, begins: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each head and its rows of `events`, one behind the other; and where each head stands."""
    width = events.shape[1]
    first = width * begins + np.arange(len(begins))
    told = np.empty(first[-1], np.int64)
    told[first[:-1]] = heads
    inner = np.ones(len(told), bool)
    inner[first[:-1]] = False
    told[inner] = events.ravel()
    return told, first


class CaseLog:
    """Cases gathered, how often each, and the numbers of their texts.

    Texts that are new in an epoch get their lasting number at its end, in alphabetical order: so
    the order in which they came leaves no trace."""

    def __init__(self, attributes: Sequence[str]) -> None:
        self.attributes = tuple(attributes)
        self.names: dict[str, int] = {}
        self.settled = NAMED  # numbers below this one last
        self.cases = Alike()
        self.times = np.zeros(0, np.int64)  # how often each of them came
        self._tables: dict[tuple[str, bool], tuple[Texts, np.ndarray]] = {}

    def known(self, rows: Rows) -> Coded:
        """Cases in numbers that last; a text without one is `OTHER`."""

        def number(text: str) -> int:
            found = self.names.get(text, OTHER)
            return found if found < self.settled else OTHER

        return self._coded(rows, number, False)

    def gather(self, rows: Rows) -> Coded:
        """Take up cases; they are told in numbers of this epoch."""

        def number(text: str) -> int:
            return self.names.setdefault(text, NAMED + len(self.names))

        coded = self._coded(rows, number, True)
        there = np.flatnonzero(np.diff(coded.begins))  # they have events
        begins = np.append(coded.begins[there], coded.begins[-1])
        some = Coded(begins, coded.item[there], coded.step, coded.values)
        came = np.bincount(self.cases.numbers(*some.series()), minlength=len(self.cases))
        came[: len(self.times)] += self.times
        self.times = came
        return coded

    def lasting(self, coded: Coded) -> Coded:
        """What `gather` told, in numbers that last, as `known` would tell it."""
        item, step, values = (np.where(codes < self.settled, codes, OTHER) for codes in coded[1:])
        return Coded(coded.begins, item, step, values)

    def settle(self) -> tuple[list[str], np.ndarray, list[tuple[bytes, int]]]:
        """Texts in the order of their lasting numbers, the lasting number of each number of the
        epoch, and the cases in lasting numbers, four bytes each, in a fixed order. Changes
        nothing."""
        texts, lasting = self._settled()
        cases: dict[bytes, int] = {}
        every = lasting[self.cases.flat].astype("<i4").tobytes()
        ends = (4 * self.cases.begins).tolist()
        for (begin, end), times in zip(pairwise(ends), self.times.tolist(), strict=True):
            told = every[begin:end]
            cases[told] = cases.get(told, 0) + times
        return texts, lasting, sorted(cases.items())

    def _settled(self) -> tuple[list[str], np.ndarray]:
        old = list(self.names)
        stay = self.settled - NAMED
        texts = old[:stay] + sorted(old[stay:])
        place = {text: n for n, text in enumerate(texts, NAMED)}
        lasting = np.array([*range(NAMED), *(place[text] for text in old)], np.int64)
        lasting[lasting >= NAMES_MAX] = OTHER
        return texts, lasting

    def turn(self) -> tuple[Coded, np.ndarray, np.ndarray]:
        """The epoch ends: its cases, how often each came, and the lasting number of each number of
        the epoch. Nothing is gathered any more."""
        texts, lasting = self._settled()
        every, first, times = lasting[self.cases.flat], self.cases.begins, self.times
        self.names = {text: n for n, text in enumerate(texts, NAMED) if n < NAMES_MAX}
        self._forget(NAMED + len(self.names))
        width = 1 + len(self.attributes)
        item, events = every[first[:-1]], np.delete(every, first[:-1]).reshape(-1, width)
        begins = (first - np.arange(len(first))) // width
        return Coded(begins, item, events[:, 0], events[:, 1:]), times, lasting

    def _forget(self, settled: int) -> None:
        self.settled, self.cases, self.times = settled, Alike(), np.zeros(0, np.int64)
        self._tables = {}

    def thaw(self, texts: Sequence[str], settled: int, cases: Sequence[tuple[bytes, int]]) -> None:
        """Hold what `settle` told."""
        self.names = {text: n for n, text in enumerate(texts, NAMED)}
        self._forget(settled)
        flat = np.frombuffer(b"".join(case for case, _ in cases), "<i4").astype(np.int64)
        self.cases.numbers(flat, np.cumsum([0, *(len(case) // 4 for case, _ in cases)]))
        self.times = np.array([times for _, times in cases], np.int64)

    def bytes_used(self) -> int:
        """About so much memory."""
        tables = sum(table.nbytes for _, table in self._tables.values())
        return tables + 150 * len(self.names) + self.cases.bytes_used() + self.times.nbytes

    def _coded(self, rows: Rows, number: Callable[[str], int], new: bool) -> Coded:
        given = np.flatnonzero(rows["step"] >= 0)
        begins = np.searchsorted(given, rows.begins)
        cases = np.flatnonzero(np.diff(begins) > 0)
        item = np.full(rows.cases, OTHER)
        item[cases] = self._numbers(rows, "item", rows.begins[cases], number, new)
        if (item == NOT_GIVEN).any():
            item[item == NOT_GIVEN] = number("")
        values = [self._numbers(rows, name, given, number, new) for name in self.attributes]
        step = self._numbers(rows, "step", given, number, new)
        return Coded(begins, item, step, np.column_stack(values))

    def _numbers(
        self, rows: Rows, name: str, at: np.ndarray, number: Callable[[str], int], new: bool
    ) -> np.ndarray:
        """Some rows of a coded column, in numbers that stand for its texts. What a code stands for
        is asked once an epoch, as long as the batches share one list of texts."""
        codes, words = rows[name][at], rows.words[name]
        of, table = self._tables.get((name, new), (words, np.zeros(0, np.int64)))
        if of is not words:
            table = np.zeros(0, np.int64)
        if len(table) <= len(words):  # one more than there are texts: the last is for code -1
            table = np.concatenate([table[:-1], np.full(2 * len(words) + 2 - len(table), -1)])
            table[-1] = NOT_GIVEN
        told = table[codes]
        met = np.zeros(len(table), bool)
        met[codes[told < 0]] = True
        for code in np.flatnonzero(met).tolist():
            table[code] = number(rows.text(name, code))
        self._tables[name, new] = words, table
        return np.asarray(table[codes])
