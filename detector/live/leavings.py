"""What a batch leaves behind, in the ledger's words: moves of findings, refusals, counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from detector.columns import NO_CODE
from detector.effects import Effects
from detector.engine import Engine
from detector.evaluate import Undetermined
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
    for unknown in effects.undetermined:
        for item, department, day, n in _grouped(unknown, calendar):
            key = ("undetermined", unknown.rule, unknown.reason, item, department, day)
            counts[key] = counts.get(key, 0) + n
    for one in effects.moves:
        if isinstance(one, Finding) and one.muted:
            day = int(calendar.day(read_time(one.at, calendar.zone)))
            told = ("muted", one.rule, one.muted, one.item, one.department, day)
            counts[told] = counts.get(told, 0) + 1
    return [Count(*key, n) for key, n in counts.items()]


def _grouped(
    unknown: Undetermined, calendar: WorkCalendar
) -> Iterable[tuple[str | None, str | None, int, int]]:
    source, rows = unknown.source, unknown.rows
    items, departments = source.item[rows], source.department[rows]
    days = calendar.day(source.recorded_at[rows])
    if len(rows) > 1:
        # two columns at a time, so that no code is too large for its place
        pairs = departments.astype(np.int64) << 20 | np.asarray(days, np.int64)
        keys = items.astype(np.int64) << 32 | np.unique(pairs, return_inverse=True)[1]
        _, first, n = np.unique(keys, return_index=True, return_counts=True)
    else:
        first, n = np.zeros(1, np.int64), np.ones(1, np.int64)
    for at, many in zip(first.tolist(), n.tolist(), strict=True):
        yield (
            _word(source.words.item.words, int(items[at])),
            _word(source.words.department.words, int(departments[at])),
            int(days[at]), many,
        )  # fmt: skip


def _word(words: Sequence[str], code: int) -> str | None:
    return None if code == NO_CODE else words[code]
