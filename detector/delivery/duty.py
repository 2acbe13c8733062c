"""The duty officer (值班员) gets what cannot reach the one it was meant for, and hears why."""

from __future__ import annotations

from detector.delivery import EVERYBODY
from detector.delivery.outbox import Row
from detector.delivery.passing import DUTY_MARK, Facts, Passing, fresh, is_duty, root_of
from detector.phrases import REASONS

CHANNEL_DEAD, NO_CHANNEL = "channel_dead", "no_channel"
WORDS = {  # besides those of `phrases`
    "channel_unknown": "发送渠道未配置",
    "no_route": "未配置发送路由",
    "never_told": "此前未能通知本人",
}


def readdress(row: Row, reason: str, facts: Facts, out: Passing) -> bool:
    """Put in the same message for the duty officer, once; False where that is impossible."""
    if row.person in (EVERYBODY, facts.duty) or is_duty(row.message_id) or not facts.duty:
        return False
    mine = fresh(
        row, out.now_us, message_id=root_of(row.message_id) + DUTY_MARK, person=facts.duty,
        channel=None, reason=reason,
    )  # fmt: skip
    out.copy(mine, row.message_id, before(row, reason, facts))
    return True


def before(row: Row, reason: str, facts: Facts) -> str:
    """What stands in front of a text that was meant for somebody else."""
    person = facts.district.people.get(row.person)
    why = REASONS[reason].zh if reason in REASONS else WORDS.get(reason, reason)
    return f"未能送达{person.name if person else row.person}（{why}）："


def lose(row: Row, reason: str, facts: Facts, out: Passing) -> None:
    """A message that has no way out goes to the duty officer; where even that is impossible it is
    dropped, and somebody hears of it."""
    if readdress(row, reason, facts, out):
        out.drop(row, f"readdressed: {reason}")
        return
    out.drop(row, NO_CHANNEL)
    out.loud.append((row, reason))
