"""What a batch leaves behind, in the ledger's words: moves of findings, refusals, counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import numpy as np

from detector.columns import NO_CODE
from detector.effects import Effects
from detector.engine import Engine
from detector.event import Fact
from detector.ledger import (
    RAISED,
    Count,
    Move,
    NoticeHolds,
    NoticeRow,
    NoticeStep,
    NoticeWork,
)
from detector.ledger.epochs import EpochRow
from detector.ledger.verdicts import VerdictRow
from detector.notice_doc import document
from detector.notice_walk import Walked
from detector.values import read_time
from detector.verdict import Finding
from detector.workcalendar import WorkCalendar

_encode = msgspec.json.Encoder().encode
ACTOR = "oriole"
VERDICT = "verdict"  # the kind of fact that says what somebody found of a finding


def moves_of(effects: Effects, calendar: WorkCalendar) -> list[Move]:
    """Findings and changes of standing, in their order."""
    return [
        _raised(one, calendar)
        if isinstance(one, Finding)
        else Move(one.finding_id, one.reason, one.actor, one.at)
        for one in effects.moves
    ]


def notices_of(walked: Walked, engine: Engine, asked: bool) -> NoticeWork:
    """What a batch did to notices, without messages. `asked`: somebody has ever acted on one."""
    deadlines, teller = engine.notice_desk.deadlines, engine.teller
    work = NoticeWork()
    for n in walked.touched.values():
        armed = deadlines.armed(n, asked) if n.open else None
        work.rows.append(
            NoticeRow(
                n.notice_id, n.subject_kind, n.subject, n.department, n.tier, n.level, n.shown,
                int(n.open), n.issued_at, armed, document(n, deadlines.next_at(n, asked), teller),
            )
        )  # fmt: skip
    work.steps = [
        NoticeStep(m.notice_id, m.at, m.actor, m.before, m.after, m.reason, m.text or None)
        for m in walked.moves
    ]
    work.holds = [NoticeHolds(*one) for one in walked.held]
    return work


def verdicts_of(facts: Iterable[Fact]) -> list[VerdictRow]:
    """The verdicts among the facts of a batch, in their order. They are kept, and judge nothing."""
    return [
        VerdictRow(
            fact.fields["fact_id"], fact.fields["finding_id"], fact.fields["verdict"],
            fact.fields["by"], fact.fields["at"], fact.fields["reason"],
        )
        for fact in facts
        if fact.kind == VERDICT
    ]  # fmt: skip


def epochs_of(effects: Effects) -> list[EpochRow]:
    """What learners put into force, in its order."""
    return [
        EpochRow(
            one.sha256, one.learner, one.day, one.at, one.cause, len(one.waiting), len(one.frozen),
            _encode(one),
        )
        for one in effects.epochs
    ]  # fmt: skip


def _raised(f: Finding, calendar: WorkCalendar) -> Move:
    return Move(
        f.finding_id, RAISED, ACTOR, f.at, f.rule, f.department, f.case_id, f.item, f.operator,
        read_time(f.at, calendar.zone), f.tier, f.muted, _encode(f),
    )  # fmt: skip


def counts_of(effects: Effects, calendar: WorkCalendar) -> list[Count]:
    """What was undetermined or muted, by rule, reason, item, department and local day."""
    counts: dict[tuple[str, str, str, str | None, str | None, int], int] = {}
    sources = dict[int, _Groups]()
    for unknown in effects.undetermined:
        groups = sources.get(id(unknown.source))
        if groups is None:
            groups = sources[id(unknown.source)] = _Groups(unknown.source, calendar)
        for told, n in groups.of(unknown.rows):
            key = ("undetermined", unknown.rule, unknown.reason, *told)
            counts[key] = counts.get(key, 0) + n
    for one in effects.moves:
        if isinstance(one, Finding) and one.muted:
            day = int(calendar.day(read_time(one.at, calendar.zone)))
            key = ("muted", one.rule, one.muted, one.item, one.department, day)
            counts[key] = counts.get(key, 0) + 1
    return [Count(*key, n) for key, n in counts.items()]


class _Groups:
    """The rows of a source by item, department and local day: many rules ask for the same."""

    def __init__(self, source: Any, calendar: WorkCalendar) -> None:
        items, departments = source.item.astype(np.int64), source.department.astype(np.int64)
        days = np.asarray(calendar.day(source.recorded_at), np.int64)
        # two columns at a time, so that no code is too large for its place
        pairs = np.unique(departments << 20 | days, return_inverse=True)[1]
        _, first, self._of = np.unique(items << 32 | pairs, return_index=True, return_inverse=True)
        columns = (column[first].tolist() for column in (items, departments, days))
        words = source.words
        self._told = [
            (_word(words.item.words, item), _word(words.department.words, department), day)
            for item, department, day in zip(*columns, strict=True)
        ]

    def of(self, rows: np.ndarray) -> Iterable[tuple[tuple[str | None, str | None, int], int]]:
        """The groups of some rows, and how many rows each has."""
        many = np.bincount(self._of[rows])
        met = np.flatnonzero(many)
        for group, n in zip(met.tolist(), many[met].tolist(), strict=True):
            yield self._told[group], n


def _word(words: Sequence[str], code: int) -> str | None:
    return None if code == NO_CODE else words[code]
