"""The steps of cases that are not closed yet, so that a case can be shown whole at its close."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.learning.observed import CLOSES, Observed
from detector.quick import loaded, of_cases

KEPT = ("case", "item", "department", "operator", "step", "gap", "paid_fen", "fine_fen", "marks")
CASE_STEPS_MAX = 512  # of a longer case the first steps are not shown
_DTYPES = (
    np.int32, np.int32, np.int32, np.int32, np.int32, np.int64, np.int64, np.int64, np.uint16,
)  # fmt: skip
_COMPACT_LEAST = 1 << 14


class Added(NamedTuple):
    """Rows that were taken up, those of a case one behind the other (runs)."""

    rows: np.ndarray  # of what was observed
    begins: np.ndarray  # run n from begins[n] up to begins[n + 1]
    before: np.ndarray  # of each run, the place of the row before it of its case (-1: none)


class OpenCases:
    """Rows in order of arrival, each with the place of the one before it of its case (-1: none)."""

    def __init__(self) -> None:
        self.columns = {n: np.zeros(1_024, d) for n, d in zip(KEPT, _DTYPES, strict=True)}
        self.back = np.zeros(1_024, np.int64)
        self.used = 0
        self.dead = 0
        self.heads = np.full(1_024, -1, np.int64)  # by case
        self.done = np.zeros(1_024, bool)  # by case: it was closed once
        self.learned = np.zeros(1_024, bool)  # by case: it was shown to learners
        self.closed = np.zeros(0, np.int64)  # cases of the day that goes on

    def add(self, observed: Observed) -> Added:
        """Take steps up; what comes behind a case's first close is left out."""
        top = int(observed.case.max()) + 1
        if top > len(self.heads):
            self.heads = _grown(self.heads, top, -1)
            self.done = _grown(self.done, top, False)
            self.learned = _grown(self.learned, top, False)
        rows = self._taken_up(observed)
        need = self.used + len(rows)
        if need > len(self.back):
            self.back = _grown(self.back, need, -1)
            self.columns = {n: _grown(c, need, 0) for n, c in self.columns.items()}
        here = slice(self.used, need)
        for name in KEPT:
            self.columns[name][here] = getattr(observed, name)[rows]
        case = observed.case[rows]
        order = np.argsort(case, kind="stable")
        places = self.used + order
        back = np.empty(len(order), np.int64)
        back[1:] = places[:-1]
        new = np.ones(len(order), bool)
        new[1:] = case[order][1:] != case[order][:-1]
        back[new] = self.heads[case[order][new]]
        self.back[places] = back
        last = np.append(new[1:], True) if len(order) else new
        self.heads[case[order][last]] = places[last]
        self.used = need
        begins = np.flatnonzero(new)
        return Added(rows[order], np.append(begins, len(order)), back[begins])

    def _taken_up(self, observed: Observed) -> np.ndarray:
        """Rows that do not come behind the first close of their case."""
        if not loaded():
            return np.flatnonzero(~self.done[observed.case] & ~_behind_a_close(observed))
        rows, used = np.empty(len(observed), np.int64), np.zeros(1, np.int64)
        case = np.ascontiguousarray(observed.case)
        of_cases().take_up(rows, case, observed.marked(CLOSES), self.done, used)
        return rows[: used[0]]

    def begin_again(self, cases: np.ndarray) -> None:
        """A correction tells these cases anew: what was held of them is no more."""
        known = cases[cases < len(self.heads)]
        self.dead += len(self.steps_up_to(self.heads[known])[0])
        self.heads[known] = -1
        self.done[known] = False

    def close(self, observed: Observed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The cases that these steps close for the first time: rows of `observed` that do, and of
        each its steps (places here, one case behind the other) with where each case begins."""
        rows = np.flatnonzero(observed.marked(CLOSES) & ~self.done[observed.case])
        _, first = np.unique(observed.case[rows], return_index=True)
        rows = rows[np.sort(first)]
        cases = observed.case[rows]
        self.done[cases] = True
        self.closed = np.append(self.closed, cases)
        return rows, *self.steps_up_to(self.heads[cases])

    def steps_up_to(self, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The steps of cases up to these places (-1: none), one case behind the other, and where
        each begins."""
        if loaded():
            begins, last = np.zeros(len(last) + 1, np.int64), np.ascontiguousarray(last)
            of_cases().trace(begins, last, self.back, CASE_STEPS_MAX)
            steps = np.empty(begins[-1], np.int64)
            of_cases().follow(steps, begins, last, self.back)
            return steps, begins
        at, places, owner = last.copy(), [], []
        alive = np.arange(len(last))
        for _ in range(CASE_STEPS_MAX):
            alive = alive[at[alive] >= 0]
            if not len(alive):
                break
            places.append(at[alive])
            owner.append(alive)
            at[alive] = self.back[at[alive]]
        steps = np.concatenate(places[::-1]) if places else np.zeros(0, np.int64)
        of = np.concatenate(owner[::-1]) if owner else np.zeros(0, np.int64)
        order = np.argsort(of, kind="stable")
        begins = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=len(last)))])
        return steps[order], begins.astype(np.int64)

    def end_day(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """The cases that the day closed and nobody learned from before, whole; they and what was
        closed anew are forgotten."""
        cases = np.unique(self.closed)
        cases = cases[self.done[cases]]
        self.closed = np.zeros(0, np.int64)
        fresh = cases[~self.learned[cases]]
        steps, begins = self.steps_up_to(self.heads[fresh])
        columns = {name: column[steps] for name, column in self.columns.items()}
        self.dead += len(self.steps_up_to(self.heads[cases])[0])
        self.learned[fresh] = True
        self.heads[cases] = -1
        if self.used > _COMPACT_LEAST and self.dead * 2 > self.used:
            self._compact()
        return columns, begins

    def _compact(self) -> None:
        held, at = np.zeros(self.used, bool), self.heads[self.heads >= 0]
        while len(at):
            held[at] = True
            at = self.back[at]
            at = at[at >= 0]
        kept = np.flatnonzero(held)
        moved = np.full(self.used + 1, -1, np.int64)
        moved[kept] = np.arange(len(kept))
        for name, column in self.columns.items():
            self.columns[name] = column[kept]
        self.back = moved[self.back[kept]]  # of -1 the last, which is -1
        heads = self.heads >= 0
        self.heads[heads] = moved[self.heads[heads]]
        self.used, self.dead = len(kept), 0


def _behind_a_close(observed: Observed) -> np.ndarray:
    """Steps that come behind the first close of their case, among these (a mask)."""
    closes = np.flatnonzero(observed.marked(CLOSES))
    if not len(closes):
        return np.zeros(len(observed), bool)
    cases, first = np.unique(observed.case[closes], return_index=True)
    place = np.searchsorted(cases, observed.case).clip(0, len(cases) - 1)
    behind = np.arange(len(observed)) > closes[first][place]
    return np.asarray(behind & (cases[place] == observed.case))


def _grown(array: np.ndarray, need: int, fill: int | bool) -> np.ndarray:
    more = np.full(max(need, 2 * len(array)), fill, array.dtype)
    more[: len(array)] = array
    return more
