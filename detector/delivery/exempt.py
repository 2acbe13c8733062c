"""Stage 2, exempt (免发): nobody hears of what is over, nor of its end who never heard of it."""

from __future__ import annotations

from detector.delivery.duty import readdress
from detector.delivery.outbox import Row
from detector.delivery.passing import Facts, Passing, is_duty
from detector.notice import ENDED

NOTICE_CLOSED, NEVER_TOLD = "notice_closed", "never_told"


def exempt(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """Those that still tell something."""
    on = []
    for row in rows:
        reason = idle(row, facts)
        if not reason:
            on.append(row)
            continue
        if reason == NEVER_TOLD and not is_duty(row.message_id):
            _tell_duty(row, facts, out)
        out.drop(row, reason)
    return on


def idle(row: Row, facts: Facts) -> str:
    """Why a message need not be sent any more; "" where it must."""
    if not row.notice_id:  # a digest
        return ""
    if row.occasion in ENDED:
        return "" if (row.notice_id, row.person) in facts.told else NEVER_TOLD
    return NOTICE_CLOSED if row.notice_id in facts.endings else ""


def _tell_duty(row: Row, facts: Facts, out: Passing) -> None:
    """Where the duty officer heard of it in that person's stead, the end is told there too."""
    if (row.notice_id, facts.duty) in facts.told:
        readdress(row, NEVER_TOLD, facts, out)
