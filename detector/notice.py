"""A notice (监察通知): its states, what may be done in each, and what it is told by.

The table is pure data: an act or an event of the machine leads from a state to a state, or is not
allowed there. `detector.notice_desk` walks it in the order of time (docs/notices.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from detector.workcalendar import NEVER

_encode = msgspec.json.Encoder().encode

PENDING, MUTED, ISSUED, DELIVERED = "pending", "muted", "issued", "delivered"
ACKNOWLEDGED, ANSWERED, ACCEPTED, REJECTED = "acknowledged", "answered", "accepted", "rejected"
REISSUED, APPEALED, UPHELD, REFERRED = "reissued", "appealed", "upheld", "referred"
CLOSED, WITHDRAWN, LIFTED, EXEMPTED = "closed", "withdrawn", "lifted", "exempted"
SUPERSEDED, NONE = "superseded", ""

WAITING = (PENDING, MUTED)  # nobody has been told yet
UNANSWERED = (ISSUED, ACKNOWLEDGED, REISSUED, UPHELD)  # `delivered` is told apart
OPEN = (*WAITING, *UNANSWERED, ANSWERED, ACCEPTED, APPEALED, REFERRED)
ENDED = (CLOSED, WITHDRAWN, LIFTED, EXEMPTED, SUPERSEDED)
STATES = (*OPEN, DELIVERED, REJECTED, *ENDED)

TIER_MAX = 4
ORDERED = 2  # 督办: from this tier on a notice is an order, and an official document
SYSTEM = "oriole"
REASONS_TOLD = 3
EVERYBODY = "*"  # the person of a message that no one in particular receives: webhooks, robots


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does to a notice: where it may be done, where it leads ("": it stays)."""

    from_: tuple[str, ...]
    to: str
    reason: str
    needs: tuple[str, ...] = ()  # fields that must be given


ACTS: Mapping[str, Act] = {
    "issue": Act((PENDING,), ISSUED, "released"),
    "acknowledge": Act((ISSUED, REISSUED, UPHELD), ACKNOWLEDGED, "acknowledged"),
    "answer": Act(UNANSWERED, ANSWERED, "answered", ("text",)),
    "accept": Act((ANSWERED,), ACCEPTED, "accepted"),
    "reject": Act((ANSWERED,), REISSUED, "answer_rejected", ("text",)),
    "urge": Act((*UNANSWERED, ANSWERED, ACCEPTED), ISSUED, "urged", ("text",)),
    "assign": Act(OPEN, NONE, "assigned", ("person",)),
    "lift": Act(OPEN, LIFTED, "lifted_by_hand", ("reason",)),
    "exempt": Act(OPEN, EXEMPTED, "exempted", ("reason", "until")),
    "appeal": Act(
        (ISSUED, ACKNOWLEDGED, ANSWERED, REISSUED, ACCEPTED), APPEALED, "appealed", ("text",)
    ),
    "decide_appeal": Act((APPEALED, REFERRED), NONE, "", ("decision",)),
    "withdraw": Act(OPEN, WITHDRAWN, "withdrawn_by_hand", ("reason",)),
    "escalate": Act((*UNANSWERED, ANSWERED, ACCEPTED, APPEALED), NONE, "escalated"),
    "close": Act((ACKNOWLEDGED, ANSWERED, ACCEPTED), CLOSED, "finished"),
}
ORDER = "order"  # a notice by hand: the act that begins one
ORDER_NEEDS = ("subject_kind", "subject", "tier", "text")
DECISIONS = {  # of an appeal: where it leads, and why
    "withdraw": (WITHDRAWN, "appeal_granted"),
    "uphold": (UPHELD, "appeal_refused"),
    "refer": (REFERRED, "appeal_referred"),
}
SUBJECT_KINDS = (
    "case", "operator", "department", "supervisor", "source", "complaint", "consultation",
)  # fmt: skip


class Entry(msgspec.Struct):
    """A finding as a notice holds it."""

    rule: str
    tier: int
    at: int  # µs UTC
    zh: str  # the offence and the band that was reached
    en: str
    stands: bool = True


class Notice(msgspec.Struct, kw_only=True):
    """A notice as the engine holds it while it is open. Instants µs UTC, `NEVER` where none is."""

    notice_id: str
    subject_kind: str
    subject: str
    department: str | None
    item: str | None
    operator: str | None
    tier: int = 0
    level: int = 1  # 1 department, 2 control centre
    state: str = NONE
    delivered: bool = False
    issued_at: int = 0  # the latest time that it was issued
    issues: int = 0
    acknowledge_by: int = NEVER
    answer_by: int = NEVER
    finish_by: int = NEVER
    finish_from: int = 0  # since when the limit to finish runs
    until: int = NEVER  # the limit to answer that an urging named itself
    urge_by: int = NEVER  # by then level 1 must have done something
    waits: int = NEVER  # for a decision: of an answer, an appeal, a release, or until a mute ends
    raise_to: int = 0  # the tier to which people may raise it; 0: no raise waits
    release_by: int = NEVER  # by then they should have decided about that
    repeat_at: int = NEVER  # when it is said again that it stands open
    said: set[str] = set()  # deadlines that were told since it was issued
    acted: bool = False  # level 1 has done something since it was issued
    by_hand: str = ""  # what the supervisor wrote who issued it
    assigned: str = ""
    recipients: list[str] = []
    orphan: str = ""  # why it goes to the duty officer
    findings: dict[str, Entry] = {}
    loud: dict[str, str] = {}  # findings about supervisors that rest on it, and when they were due

    @property
    def open(self) -> bool:
        """Must somebody still do something."""
        return self.state not in ENDED

    @property
    def shown(self) -> str:
        """The state as people see it: whether it has arrived is part of it."""
        told = self.delivered and self.state in (ISSUED, REISSUED)
        return DELIVERED if told else self.state

    def standing(self) -> list[Entry]:
        """The findings that stand, the gravest first, then the earliest."""
        some = [one for one in self.findings.values() if one.stands]
        return sorted(some, key=lambda one: (-one.tier, one.at, one.rule))


class NoticeMove(msgspec.Struct, frozen=True):
    """A notice that moved: who, when, from where to where, and why."""

    notice_id: str
    at: int
    actor: str
    before: str
    after: str
    reason: str
    text: str = ""


class Summary(msgspec.Struct, frozen=True):
    """A notice as a message tells of it."""

    notice_id: str
    state: str
    tier: int
    level: int
    subject_kind: str
    subject: str
    department: str | None
    item: str | None
    standing: int  # findings
    reasons: tuple[tuple[str, str], ...]  # of the gravest, Chinese and English
    issued_at: int
    acknowledge_by: int
    answer_by: int
    finish_by: int
    by_hand: str


class Send(msgspec.Struct, frozen=True):
    """A message that is to go out: to whom and what it tells."""

    message_id: str
    person: str
    occasion: str
    at: int
    reason: str
    by: str
    said: str
    notice: Summary


def notice_id(subject_kind: str, subject: str, cause: str) -> str:
    """The same subject and first finding always make the same notice."""
    return hashlib.sha256(_encode([subject_kind, subject, cause])).hexdigest()[:32]


def summary(notice: Notice, tier: int = 0) -> Summary:
    """What a message tells of a notice as it stands, or as it would at another tier."""
    n, standing = notice, notice.standing()
    told = dict.fromkeys((one.zh, one.en) for one in standing[:REASONS_TOLD])
    return Summary(
        n.notice_id, n.shown, tier or n.tier, n.level, n.subject_kind, n.subject, n.department,
        n.item, len(standing), tuple(told), n.issued_at, n.acknowledge_by, n.answer_by, n.finish_by,
        n.by_hand,
    )  # fmt: skip


def instant(at: int) -> int | None:
    """An instant as it is written: none that never comes."""
    return None if at == NEVER else at


def canonical(notice: Notice) -> bytes:
    """The line that the digest is taken over: no delivery, recipient, text or history."""
    n = notice
    return _encode(
        [
            n.notice_id, n.tier, n.level, n.state, sorted(n.findings), n.issued_at,
            instant(n.acknowledge_by), instant(n.answer_by), instant(n.finish_by),
        ]
    )  # fmt: skip


def allowed(act: str, state: str, raise_to: int = 0) -> bool:
    """May this be done to a notice in this state, as it is held or as it is shown. A raise that
    waits may be issued, and keeps a notice from being closed."""
    if raise_to and act in ("issue", "close"):
        return act == "issue"
    return (ISSUED if state == DELIVERED else state) in ACTS[act].from_
