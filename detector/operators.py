"""The state of every operator: the last ten minutes, the usual pace, the running burst.

Records of an operator come from many case shards and wait here until the watermark has passed their
judging instant, so no interleaving can change a verdict (docs/judging.md §5).
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from detector.columns import NO_CODE, Words
from detector.evaluate import Raised, Undetermined, judge_view
from detector.explain import Change, Teller
from detector.shelf import Configured
from detector.values import SECOND_US
from detector.verdict import Finding, finding_id
from detector.workcalendar import WorkCalendar

WINDOW_US = 600 * SECOND_US
USUAL_DAYS = 20  # working days that the usual pace is taken from
USUAL_BUCKETS_MIN = 20
EVENTS_MAX = 256  # ids listed in one finding


@dataclass
class Records:
    """What operators typed, as columns: codes, ids, times µs UTC."""

    words: Words
    operator: np.ndarray
    case: np.ndarray
    item: np.ndarray
    department: np.ndarray
    event_id: np.ndarray
    recorded_at: np.ndarray
    received_at: np.ndarray

    def __len__(self) -> int:
        return len(self.operator)

    def take(self, rows: np.ndarray) -> Records:
        """These rows."""
        return Records(self.words, *(getattr(self, n)[rows] for n in COLUMNS))


COLUMNS = ("operator", "case", "item", "department", "event_id", "recorded_at", "received_at")


def join_records(parts: list[Records]) -> Records:
    """Several sets of records over the same vocabularies as one."""
    columns = [np.concatenate([getattr(p, n) for p in parts]) for n in COLUMNS]
    return Records(parts[0].words, *columns)


@dataclass
class Memory:
    """What is remembered of one operator."""

    last: int | None = None  # greatest recorded_at counted
    window: list[tuple[int, str, str, int]] = field(default_factory=list)  # recorded, event, case, code
    burst: tuple[str, str] = ("", "")  # case and event that began the running burst
    raised: dict[tuple[str, tuple[str, str]], tuple[int, list[str]]] = field(default_factory=dict)
    open: dict[int, tuple[int, set[int]]] = field(default_factory=dict)  # bucket → working day, cases
    usual: deque[tuple[int, int]] = field(default_factory=deque)  # (working day, cases) of old buckets

    def begin_burst(self, event: tuple[int, str, str, int]) -> None:
        """This record begins a burst of its own."""
        self.burst = (event[2], event[1])

    def raise_band(self, rule: str, burst: tuple[str, str], band: int, found: str) -> list[str] | None:
        """Note that a burst reached a band; ids of the lower findings, None if it had before."""
        self.raised = {k: v for k, v in self.raised.items() if k[1] in (burst, self.burst)}
        level, ids = self.raised.get((rule, burst), (0, []))
        if level >= band:
            return None
        self.raised[(rule, burst)] = (band, [found])
        return ids

    def usual_twice(self, workday: int, works: bool) -> int:
        """Twice the median of the buckets of the working days before (a half stays whole)."""
        newest = workday - 1 if works else workday
        oldest = newest - USUAL_DAYS + 1
        counts = [n for d, n in self.usual if oldest <= d <= newest]
        counts += [len(c) for d, c in self.open.values() if oldest <= d <= newest]
        if len(counts) < USUAL_BUCKETS_MIN:
            return 2
        counts.sort()
        return counts[(len(counts) - 1) // 2] + counts[len(counts) // 2]

    def enter_bucket(self, bucket: int, workday: int, works: bool, case: int) -> None:
        """Count a case in its ten minutes; buckets that can take no more are closed."""
        if bucket not in self.open:
            for old in [b for b in self.open if b < bucket - 1]:
                closed_day, cases = self.open.pop(old)
                if closed_day >= 0:
                    self.usual.append((closed_day, len(cases)))
            while self.usual and self.usual[0][0] < workday - USUAL_DAYS - 1:
                self.usual.popleft()
            self.open[bucket] = (workday if works else -1, set())
        self.open[bucket][1].add(case)


class OperatorState:
    """All that is remembered of operators."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.held: list[Records] = []
        self.memory: dict[int, Memory] = {}

    def hold(self, records: Records) -> None:
        """Take records in; they wait for the watermark."""
        if len(records):
            self.held.append(records)

    def release(self, upto: int, lateness_us: int) -> Records | None:
        """Records whose judging instant is at most `upto`, in the order in which they are judged."""
        if not self.held:
            return None
        held = join_records(self.held) if len(self.held) > 1 else self.held[0]
        instant = np.maximum(held.recorded_at + lateness_us, held.received_at)
        ready = instant <= upto
        self.held = [held.take(~ready)] if not ready.all() else []
        if not ready.any():
            return None
        out, instant = held.take(ready), instant[ready]
        order = np.lexsort((out.recorded_at, instant))
        return out.take(_settle_ties(out, instant, order))


def _settle_ties(records: Records, instant: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Rows equal in both times go by event_id, then case_id: by their text, never by a code."""
    recorded, instant = records.recorded_at[order], instant[order]
    tie = (recorded[1:] == recorded[:-1]) & (instant[1:] == instant[:-1])
    if not tie.any():
        return order
    words, order = records.words.case.words, order.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], tie.view(np.int8), [0]])))
    for begin, end in zip(edges[::2].tolist(), (edges[1::2] + 1).tolist(), strict=True):
        run = order[begin:end].tolist()
        run.sort(key=lambda r: (bytes(records.event_id[r]), words[records.case[r]].encode()))
        order[begin:end] = run
    return order


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
                np.full(len(self), NO_CODE) if whole else getattr(self.batch.inputs, name)[self.rows]
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
        edges = [b.edge for c in rules for b in c.rule.bands if b.tier is not None]
        self.least = int(min(edges, default=5))  # no rule raises on fewer cases than this

    def judge(self, state: OperatorState, records: Records) -> list[Any]:
        """Findings, changes and undetermined rows of released records, in their order."""
        calendar = self.calendar
        buckets = calendar.zone.local(records.recorded_at) // WINDOW_US
        workdays, works = calendar.workday(records.recorded_at)
        rows = _Rows(records, buckets.tolist(), workdays.tolist(), works.tolist())
        order = np.argsort(records.operator, kind="stable")
        codes = records.operator[order]
        begins = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        quiet = self._quiet(records.recorded_at[order], codes)
        loud: list[tuple[int, int, int, Memory]] = []  # row, cases, usual, memory
        stale: list[int] = []
        shown: dict[int, tuple[tuple[str, str], list[tuple[int, str, str, int]]]] = {}
        ends = [*begins[1:].tolist(), len(codes)]
        order_list = order.tolist()
        for begin, end in zip(begins.tolist(), ends, strict=True):
            memory = state.memory.setdefault(int(codes[begin]), Memory())
            mine = order_list[begin:end]
            if quiet[begin:end].all() and _calm(memory, rows, mine, self.least):
                _pass_over(memory, rows, mine)
            else:
                _walk(memory, rows, mine, self.least, loud, stale, shown)
        out: list[Any] = []
        if stale:
            at = np.array(sorted(stale))
            out += [Undetermined(c.rule.id, "too_late", "event", records, at) for c in self.rules]
        for configured in self.rules:
            out += self._raise(configured, records, sorted(loud, key=lambda x: x[0]), shown)
        return out

    def _quiet(self, recorded: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Rows after which no window can hold `least` records, by this batch alone; in order."""
        back = self.least - 1
        quiet = np.ones(len(codes), bool)
        if len(codes) > back:
            near = (codes[back:] == codes[:-back]) & (recorded[back:] - recorded[:-back] < WINDOW_US)
            quiet[back:] = ~near
        if len(codes) > 1:
            quiet[1:] &= (codes[1:] != codes[:-1]) | (recorded[1:] >= recorded[:-1])
        return quiet

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
        say = lambda rule, reason, at: Undetermined(rule, reason, "event", records, at)  # noqa: E731
        try:
            judged = judge_view(configured, view, say)
        except Exception as fault:  # said for every row it was asked about, as for events
            return [say(configured.rule.id, f"rule_error: {type(fault).__name__}", rows)]
        for one in judged:
            if isinstance(one, Raised):
                out += self._tell(configured, one, memory_of, shown)
            else:
                out.append(one)
        return out

    def _tell(
        self, configured: Configured, raised: Raised, memory_of: dict[int, Memory], shown: dict[int, Any]
    ) -> list[Any]:
        """Each band once a burst; a higher band supersedes the lower."""
        view, records, out = raised.view, raised.view.batch.inputs, []
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
                "operator": subject, "department": words.department.texts(view["department"][n : n + 1])[0],
            }  # fmt: skip
            finding: Finding = self.teller.finding(
                configured, band, "operator", subject, [*burst, code], at[n], int(raised.value[n]),
                int(raised.limit[n]), tuple(w[1] for w in window[:EVENTS_MAX]),
                {name: column[n] for name, column in evidence.items()}
                | {"cases": sorted({w[2] for w in window[:EVENTS_MAX]})},
                raised.muted[n], spelled,
            )  # fmt: skip
            out.append(finding)
            out += [Change("superseded", "oriole", at[n], old) for old in lower]
        return out


@dataclass
class _Rows:
    """Released records as plain lists, for the walk over the few operators that need one."""

    records: Records
    bucket: list[int]
    workday: list[int]
    works: list[bool]

    def __post_init__(self) -> None:
        self.recorded = self.records.recorded_at.tolist()
        self.case = self.records.case.tolist()

    def event(self, row: int) -> tuple[int, str, str, int]:
        """A record as the window keeps it."""
        case = self.case[row]
        event = self.records.event_id[row].decode()
        return self.recorded[row], event, self.records.words.case.words[case], case


def _calm(memory: Memory, rows: _Rows, mine: list[int], least: int) -> bool:
    """Do the first of these rows, with what is remembered, stay in order and below `least`?"""
    if memory.last is None:
        return True
    if rows.recorded[mine[0]] < memory.last:
        return False
    times = [w[0] for w in memory.window[-(least - 1) :]] + [rows.recorded[r] for r in mine[: least - 1]]
    back = least - 1
    return all(b - a >= WINDOW_US for a, b in zip(times, times[back:], strict=False))


def _pass_over(memory: Memory, rows: _Rows, mine: list[int]) -> None:
    """Remember rows that cannot raise anything."""
    recorded, last = rows.recorded, memory.last
    began = None
    for row in mine:
        at = recorded[row]
        if last is None or at >= last + WINDOW_US:
            began = row
        last = at
        memory.enter_bucket(rows.bucket[row], rows.workday[row], rows.works[row], rows.case[row])
    if began is not None:
        memory.begin_burst(rows.event(began))
    memory.last = last
    assert last is not None
    kept = [w for w in memory.window if w[0] > last - WINDOW_US]
    memory.window = kept + [rows.event(r) for r in mine if recorded[r] > last - WINDOW_US]


def _walk(
    memory: Memory, rows: _Rows, mine: list[int], least: int, loud: list[Any], stale: list[int],
    shown: dict[int, Any],
) -> None:  # fmt: skip
    """Remember rows one by one, noting those with `least` cases or more in their window."""
    for row in mine:
        at = rows.recorded[row]
        event = rows.event(row)
        if memory.last is not None and at <= memory.last - WINDOW_US:
            stale.append(row)
            continue
        if memory.last is None or at >= memory.last + WINDOW_US:
            memory.begin_burst(event)
        memory.last = at if memory.last is None else max(memory.last, at)
        if memory.window and memory.window[0][0] <= memory.last - WINDOW_US:
            memory.window = [w for w in memory.window if w[0] > memory.last - WINDOW_US]
        insort(memory.window, event)
        memory.enter_bucket(rows.bucket[row], rows.workday[row], rows.works[row], event[3])
        cases = len({w[3] for w in memory.window})
        if cases >= least:
            usual = memory.usual_twice(rows.workday[row], rows.works[row])
            loud.append((row, cases, usual, memory))
            shown[row] = (memory.burst, list(memory.window))
