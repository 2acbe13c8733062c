"""An operator's usual pace: distinct cases in the non-empty ten minutes of recent working days."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

USUAL_DAYS = 20  # working days that the usual pace is taken from
BUCKETS_A_DAY = 144
USUAL_BUCKETS_MIN = 20  # with fewer the usual is one case


@dataclass
class Runs:
    """Ten-minute buckets as runs of one operator's rows, in order (columns of equal length)."""

    begin: np.ndarray  # first row of each, in the arrays sorted by operator
    bucket: np.ndarray
    workday: np.ndarray  # ordinal of the working day, -1 on a day off
    cases: np.ndarray  # distinct cases

    def part(self, at: int, to: int) -> Runs:
        """The runs from number `at` up to `to`."""
        return Runs(
            self.begin[at:to], self.bucket[at:to], self.workday[at:to], self.cases[at:to].copy()
        )


def runs_of(
    operator: np.ndarray,
    bucket: np.ndarray,
    workday: np.ndarray,
    works: np.ndarray,
    case: np.ndarray,
) -> Runs:
    """Runs of rows sorted by operator and in order of time within each."""
    new = np.ones(len(operator), bool)
    new[1:] = (operator[1:] != operator[:-1]) | (bucket[1:] != bucket[:-1])
    begin = np.flatnonzero(new)
    sizes = np.diff(np.append(begin, len(operator)))
    cases = np.ones(len(begin), np.int64)
    many = sizes > 1
    if many.any():  # a case that comes twice in its ten minutes counts once
        run = np.repeat(np.arange(len(begin)), sizes)
        rows = many[run]
        pairs = np.sort(run[rows] << 32 | case[rows])
        first = np.concatenate([[True], pairs[1:] != pairs[:-1]])
        cases[many] = np.bincount(pairs[first] >> 32, minlength=len(begin))[many]
    days = np.where(works[begin], workday[begin], -1)
    return Runs(begin, bucket[begin], days, cases)


@dataclass
class Pace:
    """What is remembered of one operator's pace."""

    open: dict[int, tuple[int, set[int]]] = field(default_factory=dict)  # bucket → day, cases
    past: deque[tuple[int, int]] = field(
        default_factory=deque
    )  # (working day, cases) of the closed
    _asked: tuple[int, int, list[int]] | None = field(default=None, repr=False, compare=False)

    def enter(self, bucket: int, workday: int, case: int) -> None:
        """Count one case; buckets too old to take more are closed. Workday -1: a day off."""
        if bucket not in self.open:
            self._close_before(bucket - 1)
            self.open[bucket] = (workday, set())
        self.open[bucket][1].add(case)

    def renumbered(self, ordinals: Callable[[int], int], days: Callable[[int], int]) -> None:
        """Count working days as another calendar does: both give its ordinal or -1 for a day off,
        of an ordinal here, and of a local day. Of days that were off nothing is known that was
        closed."""
        self._asked = None
        past = [(ordinals(day), cases) for day, cases in self.past]
        self.past = deque((day, cases) for day, cases in past if day >= 0)
        self.open = {b: (days(b // BUCKETS_A_DAY), cases) for b, (_, cases) in self.open.items()}

    def _close_before(self, bucket: int) -> None:
        self._asked = None
        for old in sorted(b for b in self.open if b < bucket):
            day, cases = self.open.pop(old)
            if day >= 0:
                self.past.append((day, len(cases)))
        newest = self.past[-1][0] if self.past else 0
        while self.past and self.past[0][0] < newest - USUAL_DAYS:
            self.past.popleft()

    def usual_twice(self, workday: int, works: bool, runs: Runs | None = None) -> int:
        """Twice the median of the buckets of the working days before (a half stays whole).

        `runs` are buckets of this operator that were not absorbed yet.
        """
        newest = workday - 1 if works else workday
        oldest = newest - USUAL_DAYS + 1
        if self._asked is None or self._asked[:2] != (oldest, newest):  # a burst asks each time
            closed = sorted(n for d, n in self.past if oldest <= d <= newest)
            self._asked = oldest, newest, closed
        counts = self._asked[2].copy()
        taken = set() if runs is None else set(runs.bucket[:2].tolist())
        counts += [
            len(c) for b, (d, c) in self.open.items() if oldest <= d <= newest and b not in taken
        ]
        if runs is not None:
            within = (runs.workday >= oldest) & (runs.workday <= newest)
            counts += runs.cases[within].tolist()
        if len(counts) < USUAL_BUCKETS_MIN:
            return 2
        counts.sort()
        return counts[(len(counts) - 1) // 2] + counts[len(counts) // 2]

    def continued(self, runs: Runs, case: np.ndarray, end: int) -> Runs:
        """The runs; the first ones may go on with open buckets: their cases are counted whole."""
        for n in range(min(2, len(runs.begin))):
            held = self.open.get(int(runs.bucket[n]))
            if held is not None:
                stop = int(runs.begin[n + 1]) if n + 1 < len(runs.begin) else end
                runs.cases[n] = len(held[1] | set(case[runs.begin[n] : stop].tolist()))
        return runs

    def absorb(self, runs: Runs, case: np.ndarray, end: int) -> None:
        """Remember whole runs: all but the last two buckets are closed at once."""
        last = int(runs.bucket[-1])
        held = {b: self.open.pop(b, (0, set()))[1] for b in runs.bucket[:2].tolist()}
        self._close_before(last - 1)  # the one before may still take more
        kept = int((runs.bucket >= last - 1).argmax())
        closed = runs.workday[:kept].tolist()
        oldest = max(int(runs.workday.max()), 0) - USUAL_DAYS
        self.past += [
            (day, cases)
            for day, cases in zip(closed, runs.cases[:kept].tolist(), strict=True)
            if day >= oldest
        ]
        stops = [*runs.begin[kept + 1 :].tolist(), end]
        for n, stop in enumerate(stops, kept):
            bucket = int(runs.bucket[n])
            if bucket >= last - 1:
                mine = set(case[runs.begin[n] : stop].tolist())
                self.open[bucket] = int(runs.workday[n]), mine | held.get(bucket, set())
