"""Goes through an operator's records in order of judgement, and remembers what they leave.

Where cases crowd it goes record by record, elsewhere in strides.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from detector.pace import Pace, Runs, runs_of
from detector.records import Records
from detector.values import SECOND_US
from detector.workcalendar import WorkCalendar

WINDOW_US = 600 * SECOND_US
STRETCH = 24  # rows in order from which on they are not taken one by one


@dataclass
class Memory:
    """What is remembered of one operator."""

    last: int | None = None  # greatest recorded_at counted
    window: list[tuple[int, str, str, int]] = field(
        default_factory=list
    )  # recorded, event, case, code
    burst: tuple[str, str] = ("", "")  # case and event that began the running burst
    raised: dict[tuple[str, tuple[str, str]], tuple[int, list[str]]] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)

    def begin_burst(self, event: tuple[int, str, str, int]) -> None:
        """This record begins a burst of its own."""
        self.burst = (event[2], event[1])

    def raise_band(
        self, rule: str, burst: tuple[str, str], band: int, found: str
    ) -> list[str] | None:
        """Note that a burst reached a band; ids of the lower findings, None if it had before."""
        self.raised = {k: v for k, v in self.raised.items() if k[1] in (burst, self.burst)}
        level, ids = self.raised.get((rule, burst), (0, []))
        if level >= band:
            return None
        self.raised[(rule, burst)] = (band, [found])
        return ids


class Rows:
    """Released records sorted by operator, with what the walk needs of each."""

    def __init__(self, records: Records, order: np.ndarray, calendar: WorkCalendar) -> None:
        self.records, self.order = records, order
        self.operator, self.case = records.operator[order], records.case[order].astype(np.int64)
        self.recorded = records.recorded_at[order]
        self.bucket = calendar.zone.local(self.recorded) // WINDOW_US
        self.workday, self.works = calendar.workday(self.recorded)
        new = np.ones(len(order), bool)
        new[1:] = self.operator[1:] != self.operator[:-1]
        self.begins = np.flatnonzero(new)
        gap = np.zeros(len(order), np.int64)
        gap[1:] = self.recorded[1:] - self.recorded[:-1]
        self.back = (gap < 0) & ~new  # recorded before their predecessor
        places = np.arange(len(order))
        self.pause = np.maximum.accumulate(np.where((gap >= WINDOW_US) & ~new, places, -1))
        self.runs = runs_of(self.operator, self.bucket, self.workday, self.works, self.case)

    def settle_pauses(self, begin: int, late_by: np.ndarray) -> None:
        """Pauses of one operator's rows from `begin` on, where some are out of order: by how much
        each is earlier than the latest before it (negative: later)."""
        places = np.arange(begin, begin + len(late_by))
        pause = np.where(late_by <= -WINDOW_US, places, -1)
        self.pause[begin : begin + len(late_by)] = np.maximum.accumulate(pause)

    def runs_between(self, begin: int, end: int) -> Runs:
        """The runs of some rows of one operator that are in order."""
        columns = (self.operator, self.bucket, self.workday, self.works, self.case)
        runs = runs_of(*(column[begin:end] for column in columns))
        runs.begin += begin
        return runs

    def crowded(self, least: int) -> np.ndarray:
        """Rows whose window may hold `least` records, by these rows alone."""
        near = np.zeros(len(self.order), bool)
        back = least - 1
        if len(near) > back:
            same = self.operator[back:] == self.operator[: len(near) - back]
            near[back:] = same & (
                self.recorded[back:] - self.recorded[: len(near) - back] < WINDOW_US
            )
        return near

    def event(self, place: int) -> tuple[int, str, str, int]:
        """A record as the window keeps it."""
        case = int(self.case[place])
        event = self.records.event_id[self.order[place]].decode()
        return int(self.recorded[place]), event, self.records.words.case.words[case], case


def _calm_from(memory: Memory, rows: Rows, begin: int, end: int, least: int) -> int:
    """How many of the first rows may share a window with what is remembered."""
    if memory.last is None or not memory.window:
        return 0
    first = rows.recorded[begin : min(end, begin + least - 1)].tolist()
    times = [w[0] for w in memory.window[-(least - 1) :]] + first
    held = len(times) - len(first)
    back = least - 1
    crowded = [
        n - held
        for n in range(max(back, held), len(times))
        if times[n] - times[n - back] < WINDOW_US
    ]
    return max(crowded, default=-1) + 1


def _strides(near: np.ndarray, begin: int, calm: int, end: int) -> Iterator[tuple[int, int, bool]]:
    """Stretches of rows that crowd, or do not: all before `calm` do."""
    crowded = near[begin:end].copy()
    crowded[: calm - begin] = True
    edges = np.flatnonzero(crowded[1:] != crowded[:-1]) + 1 + begin
    for a, b in pairwise([begin, *edges.tolist(), end]):
        yield a, b, bool(crowded[a - begin])


class Walk:
    """Goes through an operator's rows: one by one where cases crowd, else in strides."""

    def __init__(self, rows: Rows, least: int) -> None:
        self.rows, self.least = rows, least
        self._near = rows.crowded(least)
        self.loud: list[tuple[int, int, int, Memory]] = []  # record, cases, twice the usual, memory
        self.shown: dict[int, tuple[tuple[str, str], list[tuple[int, str, str, int]]]] = {}

    def tangled(self, memory: Memory, begin: int, end: int) -> None:
        """An operator's rows of which some come after a later one: those one by one, and what lies
        between them as if it had come by itself."""
        rows = self.rows
        mine = rows.recorded[begin:end]
        first = mine[0] if memory.last is None else memory.last
        late_by = np.maximum.accumulate(np.append(first, mine))[:-1] - mine
        rows.settle_pauses(begin, late_by)
        late = late_by > 0
        edges = np.flatnonzero(late[1:] != late[:-1]) + 1 + begin
        for a, b in pairwise([begin, *edges.tolist(), end]):
            if not late[a - begin] and b - a >= STRETCH:
                self.rising(memory, a, b, rows.runs_between(a, b))
                continue
            for place in range(a, b):
                self.one(memory, place, None)

    def rising(self, memory: Memory, begin: int, end: int, runs: Runs) -> None:
        """An operator's rows in order of time, none before what is remembered."""
        rows, near = self.rows, self._near
        runs = memory.pace.continued(runs, rows.case, end)
        calm = begin + _calm_from(memory, rows, begin, end, self.least)
        for a, b, crowded in _strides(near, begin, calm, end):
            if crowded:
                for place in range(a, b):
                    self.one(memory, place, runs)
            else:
                self.over(memory, a, b)
        memory.pace.absorb(runs, rows.case, end)

    def over(self, memory: Memory, begin: int, end: int) -> None:
        """Remember rows that cannot raise anything."""
        rows, last = self.rows, int(self.rows.recorded[end - 1])
        pause = int(rows.pause[end - 1])
        if memory.last is None or int(rows.recorded[begin]) >= memory.last + WINDOW_US:
            pause = max(pause, begin)
        if pause >= begin:
            memory.begin_burst(rows.event(pause))
        memory.last = last
        kept = [w for w in memory.window if w[0] > last - WINDOW_US]
        first = begin + int(
            np.searchsorted(rows.recorded[begin:end], last - WINDOW_US, side="right")
        )
        memory.window = sorted(kept + [rows.event(place) for place in range(first, end)])

    def one(self, memory: Memory, place: int, runs: Runs | None) -> None:
        """Remember one row and note it where its window holds `least` cases or more.

        Without `runs` the row's bucket is entered here.
        """
        rows, record = self.rows, int(self.rows.order[place])
        event = rows.event(place)
        at, last = event[0], memory.last
        if last is None or at >= last + WINDOW_US:
            memory.begin_burst(event)
        memory.last = last = at if last is None else max(last, at)
        if memory.window and memory.window[0][0] <= last - WINDOW_US:
            memory.window = [w for w in memory.window if w[0] > last - WINDOW_US]
        insort(memory.window, event)
        workday, works = int(rows.workday[place]), bool(rows.works[place])
        if runs is None:
            memory.pace.enter(int(rows.bucket[place]), workday if works else -1, event[3])
        cases = len({w[3] for w in memory.window})
        if cases >= self.least:
            usual = memory.pace.usual_twice(workday, works, runs)
            self.loud.append((record, cases, usual, memory))
            self.shown[record] = (memory.burst, list(memory.window))
