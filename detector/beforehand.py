"""Would this event break a blocking rule (事前查询)? One event is judged before it is recorded, on
a copy of what is known of its case: by the same rules, in the same sentences. Nothing is kept.

Only event rules with the mark `blocking` are asked. A finding that is muted, exempt or of a rule in
shadow is told and blocks nothing; what a rule cannot know is told too, and is never a silent yes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from fnmatch import translate
from typing import Any

import msgspec
import numpy as np

from detector.account import cleared_by
from detector.advance import Before, Step
from detector.cases import blank_row
from detector.columns import Inputs, Vocabulary, Words, from_events
from detector.engine import Engine
from detector.evaluate import Batch, Raised, judge
from detector.event import Event, Fact, Reading, Refused, read
from detector.event_ids import EventIds
from detector.flows import Flows
from detector.glimpse import Glimpse, translated
from detector.lines import known_fields, parse_own
from detector.officers import Officers
from detector.rulekit import UNITS
from detector.shelf import Configured
from detector.values import ABSENT, DAY_US, iso_time
from detector.verdict import Finding, Text

WALL_UNITS = ("s", "min", "hours")  # of time that passes by itself: to wait clears what is short
CORRECTION = "correction"  # undetermined: a correction has its whole case judged anew
WORDS_MAX = 200_000  # that requests may teach before all of them are forgotten


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


@dataclass(frozen=True)
class Question:
    """An event that is asked about, and the same as the only row of a batch, without content."""

    event: Event
    row: Inputs

    def content(self, words: Words) -> int:
        """What tells it from others of its id; seldom asked for."""
        return int(from_events([self.event], words).content[0]) or 1

    @property
    def key(self) -> int:
        """Of case and event id, as `Seen` knows them; 0 where it bears no id."""
        return 0 if self.event.event_id is None else int(self.row.event_key()[0])


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
        return self.refused is None and all(f.muted is not None for f in self.findings)


class Beforehand:
    """An engine's blocking rules, and words of their own: for one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.rules = [c for c in engine.event_rules if c.blocking]
        drop = "|".join(map(translate, engine.district.privacy_drop))
        self._drops = re.compile(drop or r"(?!)").match
        self._forget()

    def _forget(self) -> None:
        self.words = Words()
        self.flows = Flows(self.engine.district.catalogue, self.words)

    def read(self, line: bytes, stamp: int | None, now: int, floor: int = ABSENT) -> Question:
        """The event of one line, in words of our own: what it does not say of its times is `now`.

        `stamp`: when it arrives (µs UTC), None where the line says so itself; `floor`: the earliest
        instant at which an input may still arrive. Raises `Refused`.
        """
        words = self.words
        if sum(map(len, (words.operator, words.other, words.told, words.step))) > WORDS_MAX:
            self._forget()
        district = self.engine.district
        how = Reading(district.calendar.zone, district.limits.clock_jump_days_max, stamp)
        told, drops = parse_own(line), self._drops
        fields = known_fields({name: v for name, v in told.items() if not drops(name)})
        if not fields.get("recorded_at") and now != ABSENT:
            fields["recorded_at"] = iso_time(now)
        event = _read(fields, how)
        if isinstance(event, Fact):
            raise Refused("kind", "only an event of a case can be asked about")
        event.received_at = max(event.received_at, floor)
        self.words.case = Vocabulary()  # the only case that there is
        return Question(event, from_events([event], self.words, hashed=False))

    def near(self, question: Question, floor: int) -> None:
        """An event that says itself when it came may not leap ahead. Raises `Refused`."""
        days = self.engine.district.limits.clock_jump_days_max
        if question.event.received_at > floor + days * DAY_US:
            raise Refused("received_at", "clock_jump: lies too far after the clock")

    def judge(self, question: Question, seen: Glimpse | None, officers: Officers) -> Verdict:
        """The verdict on an event that `read` gave, on what was seen of its case."""
        verdict, event = Verdict(), question.row
        if seen is not None and self._known(question, seen, verdict):
            return verdict
        if event.supersedes[0]:
            verdict.undetermined = [Unknown(c.rule.id, CORRECTION) for c in self.rules]
            return verdict
        case = self._case(event, seen)
        batch = case.batch(event, self, officers)
        for configured in self.rules:
            told = list(self._told(configured, batch, case.ids))
            verdict.findings += [one for one in told if isinstance(one, Finding)]
            verdict.undetermined += [one for one in told if isinstance(one, Unknown)]
        blocking = [f for f in verdict.findings if f.muted is None]
        verdict.clears = [self._clears(f, event, case, officers) for f in blocking]
        return verdict

    def _known(self, question: Question, seen: Glimpse, verdict: Verdict) -> bool:
        """Was the event recorded before, or can it not be: then no rule is asked."""
        limit, event = self.engine.district.limits.case_events_max, question.event
        known = event.event_id is not None and seen.content is not None
        if known and question.content(self.words) in {seen.content, *seen.versions}:
            verdict.duplicate = True
        elif known and event.supersedes != event.event_id:
            verdict.refused = Refused("event_id", "conflicting_duplicate")
        elif int(seen.row["events"][0]) >= limit:
            verdict.refused = Refused("case_id", f"case_events_max: the case has {limit} events")
        return verdict.duplicate or verdict.refused is not None

    def _case(self, event: Inputs, seen: Glimpse | None) -> _Case:
        if seen is None:
            ids = EventIds()
            blank = blank_row(len(self.engine.clocks.bands))
            return _Case(blank, {}, ids, ids.add(event.event_id))
        row, more, ids = translated(seen, self.words)
        return _Case(row, {0: more} if more else {}, ids, ids.add(event.event_id))

    def _told(
        self, configured: Configured, batch: Batch, ids: EventIds
    ) -> Iterable[Finding | Unknown]:
        for one in judge(configured, batch):
            if not isinstance(one, Raised):
                yield from [Unknown(one.rule, one.reason)] * min(1, len(one.rows))
                continue
            try:
                found: list[Finding] = self.engine.teller.tell(one, ids.texts)
            except Exception as fault:  # as the engine says it
                yield Unknown(one.rule.rule.id, f"rule_error: {type(fault).__name__}")
            else:
                yield from found

    def _clears(self, finding: Finding, event: Inputs, case: _Case, officers: Officers) -> Clears:
        """Where waiting is enough, since when it is enough; proven by judging it then."""
        configured = next(c for c in self.rules if c.rule.id == finding.rule)
        begin = _enough(finding, int(event.recorded_at[0]))
        if begin is not None:
            at = np.array([begin])
            received = np.maximum(event.received_at, at)
            later = replace(event, recorded_at=at, received_at=received)
            told = self._told(configured, case.batch(later, self, officers), case.ids)
            if not any(isinstance(one, Finding) and one.muted is None for one in told):
                return Clears(finding.rule, self._spoken(begin, int(event.recorded_at[0])), begin)
        return Clears(finding.rule, cleared_by(finding, configured.rule))

    def _spoken(self, begin: int, recorded: int) -> Text:
        stamp = self.engine.teller.stamps(np.array([begin]))[0]
        zone = self.engine.calendar.zone
        same = int(zone.local(begin)) // DAY_US == int(zone.local(recorded)) // DAY_US
        shown = stamp[11:-6] if same else stamp[:-6].replace("T", " ")
        return Text(f"{shown} 起可办理", f"may be filed from {shown} on")

    def document(self, verdict: Verdict, now: int) -> dict[str, Any]:
        """A verdict as it is answered: JSON that `encode` writes."""
        teller = self.engine.teller

        def stamp(at: int) -> str:
            return teller.stamps(np.array([at]))[0]

        told: dict[str, Any] = {
            "allow": verdict.allow,
            "decided_by": "rules",
            "clock": stamp(now),
            "findings": [_hypothetical(f) for f in verdict.findings],
            "undetermined": [vars(one) for one in verdict.undetermined],
            "clears": [
                {"rule": c.rule, "from": None if c.begin is None else stamp(c.begin),
                 "text": c.text}
                for c in verdict.clears
            ],
            "duplicate": verdict.duplicate,
        }  # fmt: skip
        if verdict.refused is not None:
            told["refused"] = vars(verdict.refused)
        return told


def _read(fields: dict[str, Any], how: Reading) -> Event | Fact:
    """An event that does not say when it was done was done when it is recorded."""
    alone = not fields.get("occurred_at") and "recorded_at" in fields
    try:
        return read(fields | {"occurred_at": fields["recorded_at"]} if alone else fields, how)
    except Refused as fault:
        if alone and fault.field == "occurred_at":
            raise Refused("recorded_at", fault.error) from None
        raise


@dataclass(frozen=True)
class _Case:
    """One case before an event, in words of our own."""

    row: np.ndarray
    more: dict[int, list[tuple[int, int]]]
    ids: EventIds
    ref: np.ndarray  # of the event itself

    def batch(self, event: Inputs, own: Beforehand, officers: Officers) -> Batch:
        """The event as the only row of a batch."""
        only = np.zeros(1, np.int64)
        before = Before(1, self.row.dtype)
        before.gather(self.row, only, only)
        step = Step(event, own.flows, self.ref)
        return Batch(event, step, before, self.more, own.flows, own.engine.calendar, officers)


def _enough(finding: Finding, recorded: int) -> int | None:
    """When as much time has passed as the limit asks for, where that is what is short (µs UTC)."""
    if finding.unit not in WALL_UNITS or finding.limit is None or finding.value >= finding.limit:
        return None
    divisor = UNITS[finding.unit][0]
    return recorded + round(finding.limit * divisor) - round(finding.value * divisor)


def _hypothetical(finding: Finding) -> dict[str, Any]:
    """A finding that was not recorded. It would bear this id if the event bore an id."""
    told: dict[str, Any] = msgspec.to_builtins(finding)
    if not all(finding.events):
        told["finding_id"] = None
    return told | {"hypothetical": True, "blocks": finding.muted is None}
