"""The state of every operator: the last ten minutes, the usual pace, the running burst.

Records of an operator come from many case shards and wait here until the watermark has passed their
judging instant, so no interleaving can change a verdict (docs/judging.md §5).
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from detector.calm import Calm
from detector.columns import NO_CODE, Words
from detector.evaluate import Raised, Undetermined, judge_cautiously, places
from detector.explain import Change, Teller
from detector.pace import Pace, Runs, runs_of
from detector.records import Held, Records, join_records, judging_order, settle_ties
from detector.shelf import Configured
from detector.values import SECOND_US
from detector.verdict import Finding, finding_id
from detector.workcalendar import WorkCalendar

WINDOW_US = 600 * SECOND_US
EVENTS_MAX = 256  # ids listed in one finding


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


class OperatorState:
    """All that is remembered of operators: `memory`, and the records that are not entered yet."""

    def __init__(self, words: Words, lateness_us: int) -> None:
        self.words = words
        self.held = Held(lateness_us)  # until the watermark reaches them
        self.calm: Calm | None = None  # until their operator's turn comes
        self.memory: dict[int, Memory] = {}

    def hold(self, records: Records) -> None:
        """Take records in; they wait for the watermark."""
        self.held.hold(records)

    def waiting(self) -> Records | None:
        """All records that `memory` does not know yet: a state that has the same memory and holds
        these goes on as this one does."""
        parts = self.held.all()
        if self.calm is not None:
            parts = self.calm.all() + parts
        return join_records(parts) if parts else None

    def release(self, upto: int) -> Records | None:
        """Records whose judging instant is at most `upto`: by operator, in order of judgement."""
        released = self.held.release(upto)
        if released is None:
            return None
        records, instant = released
        order = judging_order(records, instant)
        return records.take(settle_ties(records, instant, order))

    def times_of(self, operator: int) -> list[int]:
        """When an operator's records of the last ten minutes were recorded, rising."""
        memory = self.memory.get(operator)
        return [] if memory is None else [w[0] for w in memory.window]


class OperatorView:
    """The columns that operator rules see: one row a record that may matter."""

    def __init__(self, batch: OperatorBatch, rows: np.ndarray, made: dict[str, np.ndarray]) -> None:
        self.batch, self.rows, self._made = batch, rows, made

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._made:
            whole = name in ("item", "step")  # a burst is of no one item or step
            self._made[name] = (
                np.full(len(self), NO_CODE)
                if whole
                else getattr(self.batch.inputs, name)[self.rows]
            )
        return self._made[name]

    def subset(self, keep: np.ndarray) -> OperatorView:
        """The same columns for some of the rows."""
        made = {name: column[keep] for name, column in self._made.items()}
        return OperatorView(self.batch, self.rows[keep], made)


@dataclass
class OperatorBatch:
    """Released records and what judging them needs."""

    inputs: Records
    calendar: WorkCalendar


class Desk:
    """Judges operators' records by the operator rules of a rulebook."""

    def __init__(self, rules: list[Configured], calendar: WorkCalendar, teller: Teller) -> None:
        self.rules = rules
        self.calendar = calendar
        self.teller = teller
        edges = [b.edge for c in rules for b in c.all_bands if b.tier is not None]
        self.least = int(min(edges, default=5))  # no rule raises on fewer cases than this

    def judge(self, state: OperatorState, records: Records) -> list[Any]:
        """Findings, changes and undetermined rows of released records, in their order."""
        calm = state.calm
        if calm is None or calm.back != self.least - 1:
            if calm is not None and len(calm):
                records = join_records([*calm.all(), records])
                records = records.take(np.argsort(records.operator, kind="stable"))
            calm = state.calm = Calm(self.least - 1, WINDOW_US)
        stirred = calm.sift(records, state.times_of)
        parts = [records.take(np.isin(records.operator, stirred))] if len(stirred) else []
        people = np.union1d(stirred, calm.due())
        parts = calm.withdraw(people) + parts
        if not parts:
            return []
        told = self._enter(state, join_records(parts))
        for one in people.tolist():
            calm.note(one, state.times_of(one))
        return told

    def settle(self, state: OperatorState) -> None:
        """Enter into memory whatever is at its ease; it raises nothing."""
        calm, state.calm = state.calm, None
        if calm is not None and len(calm):
            self._enter(state, join_records(calm.all()))

    def _enter(self, state: OperatorState, records: Records) -> list[Any]:
        """Enter records into memory, and say what they raise. Each operator's are in order."""
        stale, out = _stale(state, records), list[Any]()
        if stale.any():
            late = np.flatnonzero(stale)
            out += [Undetermined(c.rule.id, "too_late", "event", records, late) for c in self.rules]
            records = records.take(np.flatnonzero(~stale))
            if not len(records):
                return out
        order = np.argsort(records.operator, kind="stable")
        rows = _Rows(records, order, self.calendar)
        near = rows.crowded(self.least)
        walk = _Walk(rows, self.least)
        begins = rows.begins
        some_near = np.logical_or.reduceat(near, begins).tolist()
        back = np.logical_or.reduceat(rows.back, begins).tolist()
        runs_at = [*np.searchsorted(rows.runs.begin, begins).tolist(), len(rows.runs.begin)]
        people, ends = rows.operator[begins].tolist(), [*begins[1:].tolist(), len(order)]
        for n, (begin, end) in enumerate(zip(begins.tolist(), ends, strict=True)):
            memory = state.memory.get(people[n])
            if memory is None:
                memory = state.memory[people[n]] = Memory()
            if back[n] or (memory.last is not None and rows.recorded[begin] < memory.last):
                for place in range(begin, end):
                    walk.one(memory, place, None)
                continue
            runs = rows.runs.part(runs_at[n], runs_at[n + 1])
            runs = memory.pace.continued(runs, rows.case, end)
            calm = begin + _calm_from(memory, rows, begin, end, self.least)
            strides = _strides(near, begin, calm, end) if some_near[n] or calm > begin else ()
            for a, b, crowded in strides or ((begin, end, False),):
                if crowded:
                    for place in range(a, b):
                        walk.one(memory, place, runs)
                else:
                    walk.over(memory, a, b)
            memory.pace.absorb(runs, rows.case, end)
        walk.loud.sort(key=lambda x: x[0])
        for configured in self.rules:
            out += self._raise(configured, records, walk.loud, walk.shown)
        return out

    def _raise(
        self, configured: Configured, records: Records, loud: list[Any], shown: dict[int, Any]
    ) -> list[Any]:
        if not loud:
            return []
        rows = np.array([x[0] for x in loud])
        made = {
            "cases_in_window": np.array([x[1] for x in loud], np.int64),
            "usual_twice": np.array([x[2] for x in loud], np.int64),
        }
        view = OperatorView(OperatorBatch(records, self.calendar), rows, made)
        memory_of = {x[0]: x[3] for x in loud}
        out: list[Any] = []

        def say(rule: str, reason: str, at: np.ndarray) -> Undetermined:
            return Undetermined(rule, reason, "event", records, at)

        for mine, some in configured.split(places(view)):
            for one in judge_cautiously(mine, view.subset(some), say):
                if isinstance(one, Raised):
                    out += self._tell(mine, one, memory_of, shown)
                else:
                    out.append(one)
        return out

    def _tell(
        self,
        configured: Configured,
        raised: Raised,
        memory_of: dict[int, Memory],
        shown: dict[int, Any],
    ) -> list[Finding | Change]:
        """Each band once a burst; a higher band supersedes the lower."""
        view, records = raised.view, raised.view.batch.inputs
        out: list[Finding | Change] = []
        words, at = records.words, self.teller.stamps(raised.view["recorded_at"])
        evidence = self.teller.evidence(configured.rule.evidence, view, lambda n: getattr(words, n))
        for n, row in enumerate(view.rows.tolist()):
            memory, band = memory_of[row], int(raised.band[n])
            burst, window = shown[row]
            subject = words.operator.words[int(view["operator"][n])]
            code = configured.rule.bands[band].code
            found = finding_id(configured.rule.id, "operator", subject, [*burst, code])
            lower = memory.raise_band(configured.rule.id, burst, band, found)
            if lower is None:
                continue
            spelled = {
                "operator": subject,
                "department": words.department.words[int(view["department"][n])],
            }  # fmt: skip
            finding = self.teller.finding(
                configured, band, "operator", subject, [*burst, code], at[n], int(raised.value[n]),
                int(raised.limit[n]), tuple(w[1] for w in window[:EVENTS_MAX]),
                {name: column[n] for name, column in evidence.items()}
                | {"cases": sorted({w[2] for w in window[:EVENTS_MAX]})},
                raised.muted[n], spelled,
            )  # fmt: skip
            out.append(finding)
            out += [Change("superseded", "oriole", at[n], old) for old in lower]
        return out


class _Rows:
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


def _stale(state: OperatorState, records: Records) -> np.ndarray:
    """Records that trail their operator's latest by ten minutes or more: nobody counts them."""
    stale = np.zeros(len(records), bool)
    order = np.argsort(records.operator, kind="stable")
    operator, recorded = records.operator[order], records.recorded_at[order]
    new = np.ones(len(order), bool)
    new[1:] = operator[1:] != operator[:-1]
    begins = np.flatnonzero(new)
    back = np.zeros(len(order), bool)
    back[1:] = (recorded[1:] < recorded[:-1]) & ~new[1:]
    odd = np.logical_or.reduceat(back, begins).tolist()
    ends = [*begins[1:].tolist(), len(order)]
    for n, (begin, end) in enumerate(zip(begins.tolist(), ends, strict=True)):
        memory = state.memory.get(int(operator[begin]))
        last = None if memory is None else memory.last
        if odd[n] or (last is not None and recorded[begin] < last):
            mine = recorded[begin:end]
            first = mine[0] if last is None else last
            latest = np.maximum.accumulate(np.concatenate([[first], mine]))[:-1]
            stale[order[begin:end]] = mine <= latest - WINDOW_US
    return stale


def _calm_from(memory: Memory, rows: _Rows, begin: int, end: int, least: int) -> int:
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


class _Walk:
    """Goes through an operator's rows: one by one where cases crowd, else in strides."""

    def __init__(self, rows: _Rows, least: int) -> None:
        self.rows, self.least = rows, least
        self.loud: list[tuple[int, int, int, Memory]] = []  # record, cases, twice the usual, memory
        self.shown: dict[int, tuple[tuple[str, str], list[tuple[int, str, str, int]]]] = {}

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
