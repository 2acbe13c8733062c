"""Messages of notices as they are put into the outbox: to whom, and in which words."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detector.district import District
from detector.engine import Engine
from detector.ladder import TIERS
from detector.ledger import Post
from detector.notice import EVERYBODY, Send, Summary, allowed, instant
from detector.notice_doc import stamps
from detector.verdict import Text
from detector.wording import Told, say

_encode = msgspec.json.Encoder().encode


def posts_of(sends: Iterable[Send], engine: Engine) -> list[Post]:
    """Every message that somebody may receive."""
    district = engine.district
    listens = district.channels.broadcasts()
    return [_post(s, engine) for s in sends if s.person != EVERYBODY or listens]


def _post(s: Send, engine: Engine) -> Post:
    subject, text = say(_told(s, engine.district), engine.calendar.zone)
    n = s.notice
    return Post(
        s.message_id, n.notice_id, s.person, s.occasion, n.tier, n.level, n.department, s.at,
        subject, text, _document(s, engine), s.at,
    )  # fmt: skip


def _told(s: Send, district: District) -> Told:
    n, rungs, people = s.notice, district.ladder.tiers, district.people
    rung = rungs[min(n.tier, len(rungs) - 1)]
    item = district.catalogue.items.get(n.item or "")
    by = people.get(s.by)
    return Told(
        notice_id=n.notice_id, occasion=s.occasion, tier=n.tier, level=n.level,
        subject_kind=n.subject_kind, subject=n.subject, tier_name=Text(rung.zh, rung.en),
        department=n.department, item_name=item.name if item else None, findings=n.standing,
        reasons=tuple(Text(zh, en) for zh, en in n.reasons),
        acknowledge_by=_still(n, n.acknowledge_by), answer_by=instant(n.answer_by),
        finish_by=instant(n.finish_by), at_us=s.at, by=by.name if by else s.by,
        said=s.said or n.by_hand, reason=s.reason,
    )  # fmt: skip


def _still(n: Summary, at: int) -> int | None:
    """A limit to acknowledge, as long as it is not met."""
    return instant(at) if allowed("acknowledge", n.state) else None


def _document(s: Send, engine: Engine) -> bytes:
    """What a system is told: the notice as it stood, and what happened."""
    n, zone = s.notice, engine.calendar.zone
    names = ("issued_at", "acknowledge_by", "answer_by", "finish_by")
    instants = stamps({"at": s.at} | {name: getattr(n, name) for name in names}, zone)
    return _encode(
        {
            "notice_id": n.notice_id, "occasion": s.occasion, "reason": s.reason,
            "at": instants.pop("at"), "actor": s.by, "tier": n.tier,
            "tier_name": TIERS[min(n.tier, len(TIERS) - 1)], "level": n.level, "state": n.state,
            "subject_kind": n.subject_kind, "subject": n.subject, "department": n.department,
            "district": engine.teller.district, "item": n.item, "findings": n.standing,
            "reasons": [{"zh": zh, "en": en} for zh, en in n.reasons], **instants,
        }
    )  # fmt: skip
