"""Whole cases gathered in an epoch, as numbers that stand for texts: the same in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

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

    def spelled(self) -> list[bytes]:
        """Each case in bytes: its item, and its events; four bytes a number."""
        items = self.item.astype("<i4").tobytes()
        events = np.column_stack([self.step, self.values]).astype("<i4").tobytes()
        ends = (4 * (1 + self.values.shape[1]) * self.begins).tolist()
        return [
            items[4 * n : 4 * n + 4] + events[begin:end]
            for n, (begin, end) in enumerate(pairwise(ends))
        ]


class CaseLog:
    """Cases gathered, how often each, and the numbers of their texts.

    Texts that are new in an epoch get their lasting number at its end, in alphabetical order: so
    the order in which they came leaves no trace."""

    def __init__(self, attributes: Sequence[str]) -> None:
        self.attributes = tuple(attributes)
        self.names: dict[str, int] = {}
        self.settled = NAMED  # numbers below this one last
        self.cases: dict[bytes, int] = {}
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
        for case in coded.spelled():
            if len(case) > 4:  # it has events
                self.cases[case] = self.cases.get(case, 0) + 1
        return coded

    def settle(self) -> tuple[list[str], np.ndarray, list[tuple[bytes, int]]]:
        """Texts in the order of their lasting numbers, the lasting number of each number of the
        epoch, and the cases in lasting numbers, in a fixed order. Changes nothing."""
        old = list(self.names)
        stay = self.settled - NAMED
        texts = old[:stay] + sorted(old[stay:])
        place = {text: n for n, text in enumerate(texts, NAMED)}
        lasting = np.array([*range(NAMED), *(place[text] for text in old)], np.int64)
        lasting[lasting >= NAMES_MAX] = OTHER
        cases: dict[bytes, int] = {}
        every = lasting[np.frombuffer(b"".join(self.cases), "<i4")].astype("<i4").tobytes()
        begin = 0
        for case, times in self.cases.items():
            end = begin + len(case)
            told, begin = every[begin:end], end
            cases[told] = cases.get(told, 0) + times
        return texts, lasting, sorted(cases.items())

    def turn(self) -> tuple[Coded, np.ndarray, np.ndarray]:
        """The epoch ends: its distinct cases, how often each came, and the lasting number of each
        number of the epoch. Nothing is gathered any more."""
        texts, lasting, cases = self.settle()
        self.names = {text: n for n, text in enumerate(texts, NAMED) if n < NAMES_MAX}
        self.settled, self.cases, self._tables = NAMED + len(self.names), {}, {}
        width = 1 + len(self.attributes)
        every = np.frombuffer(b"".join(case for case, _ in cases), "<i4").astype(np.int64)
        begins = np.cumsum([0, *(len(case) // 4 // width for case, _ in cases)])
        first = width * begins[:-1] + np.arange(len(cases))  # where each case's item stands
        item, events = every[first], np.delete(every, first).reshape(-1, width)
        times = np.array([times for _, times in cases], np.int64)
        return Coded(begins, item, events[:, 0], events[:, 1:]), times, lasting

    def thaw(self, texts: Sequence[str], settled: int, cases: Sequence[tuple[bytes, int]]) -> None:
        """Hold what `settle` told."""
        self.names = {text: n for n, text in enumerate(texts, NAMED)}
        self.settled, self.cases, self._tables = settled, dict(cases), {}

    def bytes_used(self) -> int:
        """About so much memory."""
        tables = sum(table.nbytes for _, table in self._tables.values())
        return tables + 150 * len(self.names) + sum(100 + len(case) for case in self.cases)

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
        for code in np.unique(codes[told < 0]).tolist():
            table[code] = number(rows.text(name, code))
        self._tables[name, new] = words, table
        return np.asarray(table[codes])
