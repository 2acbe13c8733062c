"""Subjects that are no events (a person, a department's month), as rules see and tell them.

A row is a plain dictionary: `key` (of what "once" means), `subject`, `department`, `item`, `at`
(the instant of the judgement), `since` (the local day by whose settings it is judged), the columns
that the rule may read, and `by_calendar` False where no working day decides. Of what a learner
published: `is_ordinary`, and `learned`, which goes into the evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from detector.columns import NO_CODE, Words
from detector.evaluate import Raised, Undetermined, judge_cautiously
from detector.explain import Change, Teller
from detector.rulekit import LEARNED_TIER_MOST
from detector.shelf import Configured
from detector.verdict import Finding
from detector.workcalendar import WorkCalendar

Row = Mapping[str, Any]
Said = set[tuple[str, str, str]]  # (rule, reason, key): each is said once
ACTOR = "oriole"
ORDINARY = "ordinary_range"  # why a fall within what is ordinary for its month is muted


@dataclass
class Subjects:
    """Subjects as columns. `recorded_at` is the instant of the judgement (µs UTC)."""

    words: Words
    kind: str
    subject: list[str]
    item: np.ndarray
    department: np.ndarray
    recorded_at: np.ndarray


def subjects_of(kind: str, rows: Sequence[Row]) -> Subjects:
    """The columns that every subject has."""
    words = Words()
    return Subjects(
        words, kind, [row["subject"] for row in rows],
        words.item.encode([row.get("item") for row in rows]),
        words.department.encode([row["department"] for row in rows]),
        np.array([row["at"] for row in rows], np.int64),
    )  # fmt: skip


@dataclass
class SubjectBatch:
    """Subjects that are judged together, and what judging them needs."""

    inputs: Subjects
    calendar: WorkCalendar
    told: Sequence[Row]


class SubjectView:
    """The columns that a rule over subjects sees."""

    def __init__(self, batch: SubjectBatch, rows: np.ndarray) -> None:
        self.batch, self.rows = batch, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        if name in ("item", "department", "recorded_at"):
            return getattr(self.batch.inputs, name)[self.rows]
        if name == "step":  # no subject is of one
            return np.full(len(self), NO_CODE)
        values = [self.batch.told[row][name] for row in self.rows.tolist()]
        if values and isinstance(values[0], str):
            column = np.empty(len(values), object)
            column[:] = values
            return column
        return np.array(values, np.bool_ if values and isinstance(values[0], bool) else np.int64)

    def subset(self, keep: np.ndarray) -> SubjectView:
        """The same columns for some of the rows."""
        return SubjectView(self.batch, self.rows[keep])


@dataclass
class Judged:
    """Findings by row, the rows that nobody can judge, and what is to be said of these."""

    findings: dict[int, Finding] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)
    told: list[Undetermined] = field(default_factory=list)
    asked: set[int] = field(default_factory=set)  # the rows for which the rule is not off


class Standing(msgspec.Struct):
    """The findings of one matter that is judged again and again: one of them stands at a time."""

    stands: str = ""
    raised: dict[str, bool] = {}  # finding → may it speak
    tier: int = 0  # of the one that stands, as it was raised

    @property
    def loud(self) -> bool:
        """Does a finding stand that is not muted."""
        return self.raised.get(self.stands, False)

    def settle(self, found: Finding | None, since: str) -> list[Finding | Change]:
        """The latest judgement came to this finding, or to none."""
        name = found.finding_id if found else ""
        graver = found is not None and found.tier > self.tier  # its year is covered only now
        self.tier = found.tier if found else 0
        if found and name == self.stands and graver:
            self.raised[name] = found.muted is None
            return [found]
        if name == self.stands:
            return []
        moves: list[Finding | Change] = []
        if self.stands:
            moves.append(Change("corrected", ACTOR, since, self.stands))
        if found and name in self.raised:
            moves.append(Change("", ACTOR, since, name))
        elif found:
            self.raised[name] = found.muted is None
            moves.append(found)
        self.stands = name
        return moves


class Bench:
    """Judges subjects by one rule of the rulebook that measures."""

    def __init__(self, configured: Configured, calendar: WorkCalendar, teller: Teller) -> None:
        self.configured, self.calendar, self.teller = configured, calendar, teller

    @property
    def rule_id(self) -> str:
        """The rule by which it judges."""
        return self.configured.rule.id

    def judge(self, rows: Sequence[Row], said: Said) -> Judged:
        """Every row answered; `said` takes up what is told of it."""
        judged, kind = Judged(), self.configured.rule.subject
        if not rows:
            return judged
        source = subjects_of(kind, rows)
        view = SubjectView(SubjectBatch(source, self.calendar, rows), np.arange(len(rows)))

        def say(rule: str, reason: str, at: np.ndarray) -> Undetermined:
            return Undetermined(rule, reason, "subject", source, at)

        def note(unknown: Undetermined) -> None:
            judged.unknown.update(unknown.rows.tolist())
            judged.told += once(unknown, [row["key"] for row in rows], said)

        places = ((r.get("item"), r["department"], None, r["since"]) for r in rows)
        for configured, part in self.configured.split(places):
            judged.asked.update(part.tolist())
            for one in judge_cautiously(configured, view.subset(part), say):
                if isinstance(one, Undetermined):
                    note(one)
                    continue
                try:
                    judged.findings |= self._tell(one, rows)
                except Exception as fault:  # a rule at fault is said, as when it judges
                    note(say(self.rule_id, f"rule_error: {type(fault).__name__}", one.view.rows))
        return judged

    def judge_again(
        self, row: Row, standing: Standing, said: Said
    ) -> list[Finding | Change | Undetermined]:
        """One matter anew: what that moves. What nobody can know, or asks any more, leaves the
        standing as it is."""
        judged = self.judge([row], said)
        told: list[Finding | Change | Undetermined] = list(judged.told)
        if judged.asked and not judged.unknown:
            since = self.teller.stamps(np.array([row["at"]]))[0]
            told += standing.settle(judged.findings.get(0), since)
        return told

    def _tell(self, raised: Raised, rows: Sequence[Row]) -> dict[int, Finding]:
        rule, view = raised.rule.rule, raised.view
        words = view.batch.inputs.words
        evidence = self.teller.evidence(rule.evidence, view, lambda name: getattr(words, name))
        at = self.teller.stamps(view["recorded_at"])
        told = {}
        for n, place in enumerate(view.rows.tolist()):
            row, band = rows[place], int(raised.band[n])
            provisional = row.get("by_calendar", True) and self.calendar.provisional(row["at"])
            reached, value = rule.bands[band], int(raised.value[n])
            named = {**row, "value": value, "band": reached.code}
            ordinary = row.get("is_ordinary") and (reached.tier or 0) <= LEARNED_TIER_MOST
            told[place] = self.teller.finding(
                raised.rule, band, rule.subject, row["subject"], [named[c] for c in rule.cause],
                at[n], value, int(raised.limit[n]), tuple(row.get("events", ())),
                {name: c[n] for name, c in evidence.items()} | row.get("learned", {}),
                raised.muted[n] or (ORDINARY if ordinary else None),
                {"department": row["department"], "item": row.get("item")},
                min(reached.tier or 0, 0) if provisional else None,
            )  # fmt: skip
        return told


def once(unknown: Undetermined, keys: Sequence[str], said: Said) -> list[Undetermined]:
    """What was not said before of these rows; `keys` names each row of the source."""
    fresh = []
    for row in unknown.rows.tolist():
        mark = (unknown.rule, unknown.reason, keys[row])
        if mark not in said:
            said.add(mark)
            fresh.append(row)
    if not fresh:
        return []
    rows = np.array(fresh)
    return [Undetermined(unknown.rule, unknown.reason, unknown.per, unknown.source, rows)]
