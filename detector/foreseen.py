"""What recording some events now would come to (事前查询): events of several cases, judged as one
batch by the rules that block, each on its own state before it. What a row comes to depends on that
row alone, so whoever waits together is answered together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from detector.account import cleared_by
from detector.advance import Before, Step
from detector.columns import Inputs, Words, from_events
from detector.engine import Engine
from detector.evaluate import Batch, Raised, judge
from detector.event import Event, Refused
from detector.flows import Flows
from detector.glimpse import Glimpse, Holders, holders_in, ids_of, rows_in
from detector.officers import Officers
from detector.rulekit import UNITS
from detector.shelf import Configured
from detector.values import DAY_US
from detector.verdict import Finding, Text

WALL_UNITS = ("s", "min", "hours")  # of time that passes by itself: to wait clears what is short
_NEW = 1 << 62  # references of the events themselves begin here, behind those of every copy


@dataclass(frozen=True)
class Unknown:
    """A blocking rule that cannot judge the event, and why."""

    rule: str
    reason: str


@dataclass(frozen=True)
class Clears:
    """The smallest change that would clear a finding; `begin`: it is clear from then on, µs UTC."""

    rule: str
    text: Text
    begin: int | None = None


@dataclass
class Verdict:
    """What recording the event now would come to, as far as blocking rules go."""

    findings: list[Finding] = field(default_factory=list)
    undetermined: list[Unknown] = field(default_factory=list)
    clears: list[Clears] = field(default_factory=list)
    duplicate: bool = False  # it was recorded before: nothing would follow
    refused: Refused | None = None  # it would not be taken at all

    @property
    def allow(self) -> bool:
        """Nothing that may speak stands against it."""
        return self.refused is None and not self.blocking

    @property
    def blocking(self) -> list[Finding]:
        """The findings that may speak."""
        return [f for f in self.findings if f.muted is None]


@dataclass(frozen=True)
class Means:
    """What events are judged by: rules, and words of one's own with the flows against them."""

    engine: Engine
    rules: Sequence[Configured]
    words: Words
    flows: Flows
    blank: np.ndarray  # the row of a case that nobody knows
    officers: Officers


class Foreseen:
    """Some events, each with what was seen of its case (None: nothing)."""

    def __init__(
        self, means: Means, events: Sequence[Event], seen: Sequence[Glimpse | None]
    ) -> None:
        self._means = means
        self._inputs = from_events(events, means.words, hashed=False)
        self._states = rows_in(means.words, seen, means.blank)
        self._holders = holders_in(means.words, seen)
        self._texts = ids_of(seen)
        self._texts |= {_NEW + row: one.event_id or "" for row, one in enumerate(events)}

    def judge(self, verdicts: Sequence[Verdict]) -> None:
        """Enter what comes of each event into its verdict."""
        batch = self._batch(range(len(verdicts)), self._inputs)
        for configured in self._means.rules:
            for row, one in self._told(configured, batch):
                if isinstance(one, Finding):
                    verdicts[row].findings.append(one)
                else:
                    verdicts[row].undetermined.append(one)
        self._clear(verdicts)

    def _batch(self, rows: Sequence[int], inputs: Inputs) -> Batch:
        """Inputs of these events, on the states before them."""
        means, every = self._means, np.arange(len(rows))
        before = Before(len(rows), self._states.dtype)
        before.gather(self._states, np.array(rows, np.int64), every)
        step = Step(inputs, means.flows, np.array(rows, np.int64) + _NEW)
        held = self._holders
        more: dict[int, Holders] = {n: held[row] for n, row in enumerate(rows) if row in held}
        calendar = means.engine.calendar
        return Batch(inputs, step, before, more, means.flows, calendar, means.officers)

    def _told(
        self, configured: Configured, batch: Batch
    ) -> Iterator[tuple[int, Finding | Unknown]]:
        """What one rule says, by row."""
        for one in judge(configured, batch):
            if isinstance(one, Raised):
                yield from self._findings(one)
            else:
                for row in dict.fromkeys(one.rows.tolist()):
                    yield row, Unknown(one.rule, one.reason)

    def _findings(self, one: Raised) -> Iterator[tuple[int, Finding | Unknown]]:
        rows = one.view.rows[one.at].tolist()
        try:
            found = self._means.engine.teller.tell(one, self._spelled)
        except Exception as fault:  # as the engine says it; it costs its own event alone
            if len(set(rows)) == 1:
                yield rows[0], Unknown(one.rule.rule.id, f"rule_error: {type(fault).__name__}")
                return
            for row in dict.fromkeys(rows):
                yield from self._findings(_part(one, one.view.rows[one.at] == row))
        else:
            yield from zip(rows, found, strict=True)

    def _spelled(self, refs: np.ndarray) -> list[str]:
        return [self._texts[ref] for ref in refs.tolist()]

    # -- what would clear it ----------------------------------------------------------------------

    def _clear(self, verdicts: Sequence[Verdict]) -> None:
        """Say of each finding that blocks what would clear it."""
        recorded = self._inputs.recorded_at.tolist()
        waits: dict[str, list[tuple[int, int]]] = {}  # rule → row, and since when it is enough
        for row, verdict in enumerate(verdicts):
            for finding in verdict.blocking:
                begin = _enough(finding, recorded[row])
                if begin is not None:
                    waits.setdefault(finding.rule, []).append((row, begin))
        rules = {c.rule.id: c for c in self._means.rules}
        proven = {rule: self._proven(rules[rule], some) for rule, some in waits.items()}
        for row, verdict in enumerate(verdicts):
            for finding in verdict.blocking:
                begin = _enough(finding, recorded[row])
                if begin is not None and (row, begin) in proven[finding.rule]:
                    one = Clears(finding.rule, self._from(begin, recorded[row]), begin)
                else:
                    one = Clears(finding.rule, cleared_by(finding, rules[finding.rule].rule))
                verdict.clears.append(one)

    def _proven(
        self, configured: Configured, waits: list[tuple[int, int]]
    ) -> set[tuple[int, int]]:  # fmt: skip
        """Where waiting is enough: proven by judging the events then."""
        rows, begins = [row for row, _ in waits], np.array([begin for _, begin in waits])
        later = self._inputs
        if rows != [*range(len(later))]:
            later = later.take(np.array(rows))
        received = np.maximum(later.received_at, begins)
        later = replace(later, recorded_at=begins, received_at=received)
        told = self._told(configured, self._batch(rows, later))
        still = {n for n, one in told if isinstance(one, Finding) and one.muted is None}
        return {wait for n, wait in enumerate(waits) if n not in still}

    def _from(self, begin: int, recorded: int) -> Text:
        """Since when it may be filed, with its day where that is another."""
        teller, zone = self._means.engine.teller, self._means.engine.calendar.zone
        stamp = teller.stamps(np.array([begin]))[0]
        same = int(zone.local(begin)) // DAY_US == int(zone.local(recorded)) // DAY_US
        shown = stamp[11:-6] if same else stamp[:-6].replace("T", " ")
        return Text(f"{shown} 起可办理", f"may be filed from {shown} on")


def _part(one: Raised, keep: np.ndarray) -> Raised:
    """Some of the rows that raised."""
    view, some = one.view.subset(keep), keep.nonzero()[0]
    muted = [one.muted[n] for n in some.tolist()]
    value, limit, band = one.value[some], one.limit[some], one.band[some]
    return Raised(one.rule, view, np.arange(len(view)), value, limit, band, muted)


def _enough(finding: Finding, recorded: int) -> int | None:
    """When as much time has passed as the limit asks for, where that is what is short (µs UTC)."""
    if finding.unit not in WALL_UNITS or finding.limit is None or finding.value >= finding.limit:
        return None
    divisor = UNITS[finding.unit][0]
    return recorded + round(finding.limit * divisor) - round(finding.value * divisor)
