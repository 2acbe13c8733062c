"""Would these events break a blocking rule (事前查询)? Each is judged before it is recorded, on a
copy of what is known of its case: by the same rules, in the same sentences. Nothing is kept.

Only event rules with the mark `blocking` are asked. A finding that is muted, exempt or of a rule in
shadow is told and blocks nothing; what a rule cannot know is told too, and is never a silent yes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import Any

import msgspec
import numpy as np

from detector.cases import blank_row
from detector.columns import Vocabulary, Words, event_key, from_events
from detector.engine import Engine
from detector.event import Event, Fact, Reading, Refused, read
from detector.flows import Flows
from detector.foreseen import Foreseen, Means, Unknown, Verdict
from detector.glimpse import Glimpse
from detector.lines import known_fields, parse_own
from detector.officers import Officers
from detector.values import ABSENT, DAY_US, iso_time
from detector.verdict import Finding

CORRECTION = "correction"  # undetermined: a correction has its whole case judged anew
WORDS_MAX = 200_000  # that requests may teach before all of them are forgotten


@dataclass(frozen=True)
class Question:
    """An event that is asked about."""

    event: Event

    def content(self, words: Words) -> int:
        """What tells it from others of its id; seldom asked for."""
        return int(from_events([self.event], words).content[0]) or 1

    @property
    def key(self) -> int:
        """Of case and event id, as `Seen` knows them; 0 where it bears no id."""
        event = self.event
        return 0 if event.event_id is None else event_key(event.case_id, event.event_id)


class Beforehand:
    """An engine's blocking rules, and words of their own: for one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.rules = [c for c in engine.event_rules if c.blocking]
        drop = "|".join(map(translate, engine.district.privacy_drop))
        self._drops = re.compile(drop).match if drop else None
        self._blank = blank_row(len(engine.clocks.bands))
        self._forget()

    def _forget(self) -> None:
        self.words = Words()
        self.flows = Flows(self.engine.district.catalogue, self.words)

    def read(self, line: bytes, stamp: int | None, now: int, floor: int = ABSENT) -> Question:
        """The event of one line: what it does not say of its times is `now`.

        `stamp`: when it arrived (µs UTC), None where the line says so itself; `floor`: the earliest
        instant at which an input may still arrive. Raises `Refused`.
        """
        district = self.engine.district
        how = Reading(district.calendar.zone, district.limits.clock_jump_days_max, stamp)
        told, drops = parse_own(line), self._drops
        if drops is not None:
            told = {name: value for name, value in told.items() if not drops(name)}
        fields = known_fields(told)
        if not fields.get("recorded_at") and now != ABSENT:
            fields["recorded_at"] = iso_time(now)
        event = _read(fields, how)
        if isinstance(event, Fact):
            raise Refused("kind", "only an event of a case can be asked about")
        event.received_at = max(event.received_at, floor)
        return Question(event)

    def near(self, question: Question, floor: int) -> None:
        """An event that says itself when it came may not leap ahead. Raises `Refused`."""
        days = self.engine.district.limits.clock_jump_days_max
        if question.event.received_at > floor + days * DAY_US:
            raise Refused("received_at", "clock_jump: lies too far after the clock")

    def judge(
        self, asked: Sequence[Question], seen: Sequence[Glimpse | None], officers: Officers
    ) -> list[Verdict]:
        """The verdicts on events that `read` gave, each by itself, on what was seen of its case."""
        words = self.words
        if sum(map(len, (words.operator, words.other, words.told, words.step))) > WORDS_MAX:
            self._forget()
        self.words.case = Vocabulary()  # of those that are asked about, and no more
        verdicts = [Verdict() for _ in asked]
        open_: list[int] = []
        for at, (one, known, verdict) in enumerate(zip(asked, seen, verdicts, strict=True)):
            if known is not None and self._known(one, known, verdict):
                continue
            if one.event.supersedes:
                verdict.undetermined = [Unknown(c.rule.id, CORRECTION) for c in self.rules]
            else:
                open_.append(at)
        if open_:
            events, glimpses = [asked[at].event for at in open_], [seen[at] for at in open_]
            means = Means(self.engine, self.rules, self.words, self.flows, self._blank, officers)
            Foreseen(means, events, glimpses).judge([verdicts[at] for at in open_])
        return verdicts

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


def _hypothetical(finding: Finding) -> dict[str, Any]:
    """A finding that was not recorded. It would bear this id if the event bore an id."""
    told: dict[str, Any] = msgspec.to_builtins(finding)
    if not all(finding.events):
        told["finding_id"] = None
    return told | {"hypothetical": True, "blocks": finding.muted is None}
