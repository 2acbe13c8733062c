"""One case: what was taken of it, its timeline, and what earlier timelines had raised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from detector.event import Event

from .events import EVENT_RULES
from .setting import OFinding, Setting, ids
from .timeline import Timeline


def content(e: Event) -> Event:
    """What an event says: a step that repeats the action is none, and receipt is no content."""
    step = None if e.step == e.action else e.step
    return msgspec.structs.replace(e, step=step, received_at=0)


class Case:
    """Takes the events of one case in the order of judgement."""

    def __init__(self, how: Setting, undetermined: Counter[tuple[str, str]]) -> None:
        self.how = how
        self.undetermined = undetermined
        self.noted: set[tuple[str, str]] = set()  # what the clock rules counted, once a case
        self.contents: dict[str | None, list[Event]] = {}  # of every event taken, the last one last
        self.taken = 0
        self.timeline = Timeline(how)
        self.corrected: dict[str, OFinding] = {}

    def take(self, e: Event) -> str | tuple[str, str]:
        """Judge one event: "judged", "duplicate", or the field and error of its refusal."""
        known = self.contents.get(e.event_id, [])
        if any(content(k) == content(e) for k in known):
            return "duplicate"
        if known and e.supersedes != e.event_id:
            return "event_id", "conflicting_duplicate"
        if e.supersedes and e.supersedes not in ids(*self.timeline.events):
            return "supersedes", "names no event of this case"
        if self.taken >= self.how.case_events_max:
            return "case_id", "case_events_max"
        self.contents.setdefault(e.event_id, []).append(e)
        self.taken += 1
        if e.supersedes:
            self.correct(e)
        for rule, reason in self.timeline.judge(e):
            if rule not in EVENT_RULES:
                if (rule, reason) in self.noted:
                    continue
                self.noted.add((rule, reason))
            self.undetermined[rule, reason] += 1
        return "judged"

    def correct(self, e: Event) -> None:
        """Judge the case again from its timeline without the event that `e` corrects."""
        old, self.timeline = self.timeline, Timeline(self.how)
        old.advance(e.received_at - 1)
        for finding in old.findings.values():
            finding.withdrawn = "corrected"
        self.corrected |= old.findings
        for other in old.events:
            if other.event_id != e.supersedes:
                self.timeline.judge(other)

    def findings(self, watermark: int) -> dict[str, OFinding]:
        self.timeline.advance(watermark)
        return self.corrected | self.timeline.findings


def taken(events: Sequence[Event], how: Setting) -> list[Event]:
    """Those that are judged, in that order: neither duplicates nor refused. All have an id."""
    judged: list[Event] = []
    for e in sorted(events, key=lambda e: e.received_at):
        mine = [x for x in judged if x.case_id == e.case_id]
        known = [x for x in mine if x.event_id == e.event_id]
        if any(content(x) == content(e) for x in known):
            continue
        if known and e.supersedes != e.event_id:
            continue
        if e.supersedes and e.supersedes not in ids(*standing(mine)):
            continue
        if len(mine) < how.case_events_max:
            judged.append(e)
    return judged


def standing(events: Sequence[Event]) -> list[Event]:
    """The events of a case without those that later ones of them correct."""
    left: list[Event] = []
    for e in events:
        left = [x for x in left if x.event_id != e.supersedes] + [e]
    return left
