"""A notice as JSON: what the interface shows, systems receive, and `notices.ndjson` holds."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from detector.explain import Teller, stamps_of
from detector.notice import Notice, NoticeMove
from detector.workcalendar import NEVER, WorkCalendar, Zone

_encode = msgspec.json.Encoder().encode


def document(notice: Notice, next_at: int, teller: Teller) -> bytes:
    """All keys always present, stamps on the district's wall clock; findings and history, which
    grow, stand beside it."""
    n, calendar = notice, teller.calendar
    instants = {
        "issued_at": n.issued_at, "acknowledge_by": n.acknowledge_by, "answer_by": n.answer_by,
        "finish_by": n.finish_by, "next_at": next_at,
    }  # fmt: skip
    told: dict[str, Any] = {
        "notice_id": n.notice_id, "tier": n.tier, "state": n.shown, "level": n.level,
        "subject_kind": n.subject_kind, "subject": n.subject, "department": n.department,
        "district": teller.district, "item": n.item, "recipients": n.recipients,
        "orphan": n.orphan or None, "issues": n.issues, "raise_to": n.raise_to or None,
        "by_hand": n.by_hand or None,
        **stamps(instants, calendar.zone), "provisional": _provisional(instants, calendar),
    }  # fmt: skip
    return _encode(told)


def whole(doc: bytes, findings: list[str], history: list[dict[str, Any]]) -> bytes:
    """A document with what its notice holds and how it went."""
    return doc[:-1] + b"," + _encode({"findings": findings, "history": history})[1:]


def told_move(move: NoticeMove, zone: Zone) -> dict[str, Any]:
    """One line of a history."""
    return {
        "at": stamp(move.at, zone), "actor": move.actor, "from": move.before or None,
        "to": move.after or None, "reason": move.reason, "text": move.text or None,
    }  # fmt: skip


def stamps(instants: dict[str, int], zone: Zone) -> dict[str, str | None]:
    """The same as `stamp` of each, asked at once: there are many notices in a flood."""
    told: dict[str, str | None] = dict.fromkeys(instants)
    known = [name for name, at in instants.items() if at != NEVER]
    told.update(
        zip(known, stamps_of(zone, np.array([instants[n] for n in known], np.int64)), strict=True)
    )
    return told


def _provisional(instants: dict[str, int], calendar: WorkCalendar) -> bool:
    """Whether one of them lies where make-up workdays may be missing."""
    known = [at for at in instants.values() if at < NEVER]
    return bool(calendar.provisional(np.array(known, np.int64)).any())


def stamp(at: int, zone: Zone) -> str | None:
    """RFC 3339 on a zone's wall clock; none where the instant never comes."""
    return None if at == NEVER else stamps_of(zone, np.array([at]))[0]
