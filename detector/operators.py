"""The state of every operator: the last ten minutes, the usual pace, the running burst.

Records of an operator come from many case shards and wait here until the watermark has passed their
judging instant, so no interleaving can change a verdict (docs/judging.md §5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from detector.calm import Calm
from detector.columns import NO_CODE, Inputs, Words
from detector.effects import Effects
from detector.evaluate import Raised, Undetermined, judge_cautiously, places
from detector.explain import Change, Teller
from detector.flows import Flows
from detector.records import COLUMNS, Held, Records, join_records, judging_order, settle_ties
from detector.shelf import Configured
from detector.values import ABSENT
from detector.verdict import Finding, finding_id
from detector.walk import WINDOW_US, Memory, Rows, Walk
from detector.workcalendar import WorkCalendar

__all__ = ["Desk", "Memory", "OperatorState"]

EVENTS_MAX = 256  # ids listed in one finding
HELD, CALM = "held_", "calm_"  # how columns of the two that wait are named


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

    def columns(self) -> dict[str, np.ndarray]:
        """What `memory` does not know yet, for `restore`."""
        held = self.held.all()
        told = {}
        if held:
            records = join_records(held)
            told = {f"{HELD}{name}": getattr(records, name) for name in COLUMNS}
        if self.calm is not None:
            told |= {f"{CALM}{name}": column for name, column in self.calm.columns().items()}
        return told

    def restore(self, columns: Mapping[str, np.ndarray]) -> None:
        """Be what `columns` gave: with the same memory it goes on as that one does."""
        if f"{HELD}operator" in columns:
            self.hold(Records(self.words, *(columns[f"{HELD}{name}"] for name in COLUMNS)))
        some = {n.removeprefix(CALM): c for n, c in columns.items() if n.startswith(CALM)}
        self.calm = Calm.restored(some, self.words) if some else None

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

    def typed(self, flows: Flows, inputs: Inputs, effects: Effects) -> None:
        """What operators typed, as far as it counts for them, goes to their shard."""
        if not self.rules:
            return
        if not inputs.operators_known:
            self._unknown("operator_unknown", inputs, np.arange(len(inputs)), effects)
            return
        counts = (inputs.operator >= 0) & ~inputs.imported
        counts &= ~flows.on_the_spot(inputs.item)
        coarse = counts & self.calendar.date_only(inputs.recorded_at)
        if coarse.any():
            self._unknown("date_only", inputs, coarse.nonzero()[0], effects)
        rows = np.flatnonzero(counts & ~coarse)
        if len(rows):
            effects.records.append(
                Records(inputs.words, *(getattr(inputs, name)[rows] for name in COLUMNS))
            )

    def _unknown(self, reason: str, inputs: Inputs, rows: np.ndarray, effects: Effects) -> None:
        effects.undetermined += [
            Undetermined(c.rule.id, reason, "event", inputs, rows) for c in self.rules
        ]

    def judge(self, state: OperatorState, records: Records) -> Iterator[tuple[Any, int]]:
        """Findings, changes and undetermined rows of released records, in their order; and since
        when each is known."""
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
        if parts:
            yield from self._enter(state, join_records(parts))
            for one in people.tolist():
                calm.note(one, state.times_of(one))

    def settle(self, state: OperatorState) -> None:
        """Enter into memory whatever is at its ease; it raises nothing."""
        calm, state.calm = state.calm, None
        if calm is not None and len(calm):
            for _ in self._enter(state, join_records(calm.all())):
                pass

    def _enter(self, state: OperatorState, records: Records) -> Iterator[tuple[Any, int]]:
        """Enter records into memory, and say what they raise. Each operator's are in order."""
        stale = _stale(state, records)
        if stale.any():
            late = stale.nonzero()[0]
            for c in self.rules:
                yield Undetermined(c.rule.id, "too_late", "event", records, late), ABSENT
            records = records.take(np.flatnonzero(~stale))
            if not len(records):
                return
        order = np.argsort(records.operator, kind="stable")
        rows = Rows(records, order, self.calendar)
        walk = Walk(rows, self.least)
        begins = rows.begins
        back = np.logical_or.reduceat(rows.back, begins).tolist()
        runs_at = [*np.searchsorted(rows.runs.begin, begins).tolist(), len(rows.runs.begin)]
        people, ends = rows.operator[begins].tolist(), [*begins[1:].tolist(), len(order)]
        for n, (begin, end) in enumerate(zip(begins.tolist(), ends, strict=True)):
            memory = state.memory.get(people[n])
            if memory is None:
                memory = state.memory[people[n]] = Memory()
            if back[n] or (memory.last is not None and rows.recorded[begin] < memory.last):
                walk.tangled(memory, begin, end)
            else:
                walk.rising(memory, begin, end, rows.runs.part(runs_at[n], runs_at[n + 1]))
        walk.loud.sort(key=lambda x: x[0])
        for configured in self.rules:
            yield from self._raise(configured, records, walk, state.held.lateness_us)

    def _raise(
        self, configured: Configured, records: Records, walk: Walk, lateness_us: int
    ) -> Iterator[tuple[Any, int]]:
        loud = walk.loud
        if not loud:
            return
        rows = np.array([x[0] for x in loud])
        made = {
            "cases_in_window": np.array([x[1] for x in loud], np.int64),
            "usual_twice": np.array([x[2] for x in loud], np.int64),
        }
        view = OperatorView(OperatorBatch(records, self.calendar), rows, made)
        memory_of = {x[0]: x[3] for x in loud}

        def say(rule: str, reason: str, at: np.ndarray) -> Undetermined:
            return Undetermined(rule, reason, "event", records, at)

        for mine, some in configured.split(places(view)):
            for one in judge_cautiously(mine, view.subset(some), say):
                if not isinstance(one, Raised):
                    yield one, ABSENT
                    continue
                for row, told in self._tell(mine, one, memory_of, walk.shown):
                    judged = int(records.recorded_at[row]) + lateness_us
                    yield told, max(judged, int(records.received_at[row]))

    def _tell(
        self,
        configured: Configured,
        raised: Raised,
        memory_of: dict[int, Memory],
        shown: dict[int, Any],
    ) -> Iterator[tuple[int, Finding | Change]]:
        """Each band once a burst, with its row; a higher band supersedes the lower."""
        view, records = raised.view, raised.view.batch.inputs
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
            yield row, finding
            for old in lower:
                yield row, Change("superseded", "oriole", at[n], old)


def _stale(state: OperatorState, records: Records) -> np.ndarray:
    """Records that trail their operator's latest by ten minutes or more: nobody counts them."""
    stale = np.zeros(len(records), bool)
    order = np.argsort(records.operator, kind="stable")
    operator, recorded = records.operator[order], records.recorded_at[order]
    new = np.ones(len(order), bool)
    new[1:] = operator[1:] != operator[:-1]
    begins = new.nonzero()[0]
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
