"""Stage 10, record (记录): what became of an attempt, what is said of it later, who hears of it.

The log of attempts is the list of what the engine must hear of; how far it has is in it too. So a
receipt is told at least once, and the engine knows those that it had.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detector.delivery import EVERYBODY, Outcome
from detector.delivery.duty import CHANNEL_DEAD, readdress
from detector.delivery.outbox import (
    DEAD,
    DELIVERED,
    NO_ANSWER,
    REACHES,
    SENDING,
    SENT,
    WAITING,
    Attempt,
    Heard,
    Outbox,
    Row,
)
from detector.delivery.passing import Facts, Passing, sibling
from detector.delivery.route import ways
from detector.delivery.send import again_us
from detector.values import iso_time

ATTEMPTS_MAX = "attempts_max"
READ = "read"  # why a delivered message is delivered: somebody has opened it
MEMBERS_PAGE = 1_000


def outcome(row: Row, told: Outcome, facts: Facts, family: Sequence[Row], out: Passing) -> None:
    """An attempt has ended. Where a receipt was faster, the answer is only written down."""
    out.log(row, told.verdict, told.code, told.detail)
    if row.state != SENDING:
        return
    known = {"gateway_id": told.gateway_id or row.gateway_id}
    if told.verdict in (SENT, DELIVERED):
        _settle(row, told.verdict, None, out, **known)
    elif told.verdict == "refused":
        _die(row, f"refused: {told.code}", facts, family, out)
    elif row.attempts >= facts.district.channels.delivery.attempts_max:
        _die(row, f"{ATTEMPTS_MAX}: {told.code}", facts, family, out)
    else:
        delay = again_us(row.message_id, row.attempts, told.retry_after_s)
        reason = NO_ANSWER if told.verdict == "unknown" else told.code or told.verdict
        after = msgspec.structs.replace(
            row, state=WAITING, due_us=out.now_us + delay, reason=reason, **known
        )
        out.move(row, after)


def receipt(row: Row, told: Heard, facts: Facts, family: Sequence[Row], out: Passing) -> str:
    """A gateway says what became of a message; why that changes nothing, "" where it does."""
    if row.state not in (SENDING, SENT, DELIVERED, DEAD) and not row.attempts:
        return "never_sent"
    if told.status == "failed":
        return _failed(row, told, facts, family, out)
    if row.state == DELIVERED and (told.status != READ or row.reason == READ):
        return "known"
    out.log(row, told.status, told.code)
    _settle(row, DELIVERED, READ if told.status == READ else None, out)
    return ""


def _failed(row: Row, told: Heard, facts: Facts, family: Sequence[Row], out: Passing) -> str:
    """It was taken and will never arrive: another channel of its route has its turn."""
    if row.state == DELIVERED:
        return "has_arrived"
    if row.state == DEAD:
        return "known"
    out.log(row, "failed", told.code)
    used = {one.channel for one in family}
    other = next((name for name in ways(row, facts)[0] if name not in used), None)
    if other is None:
        _die(row, f"failed: {told.code}", facts, family, out)
        return ""
    out.copy(sibling(row, other, out.now_us), row.message_id)
    _settle(row, DEAD, f"failed: {told.code}, by {other} instead", out)
    return ""


def _die(row: Row, reason: str, facts: Facts, family: Sequence[Row], out: Passing) -> None:
    """No attempt is left. Where the person is not reached by another channel either, the duty
    officer hears of it."""
    _settle(row, DEAD, reason, out)
    out.log(row, DEAD, reason)
    if row.person == EVERYBODY:
        out.loud.append((row, reason))
    elif any(one.state in REACHES and one.message_id != row.message_id for one in family):
        return
    elif not readdress(row, CHANNEL_DEAD, facts, out):
        out.loud.append((row, reason))


def _settle(row: Row, state: str, reason: str | None, out: Passing, **more: str | None) -> None:
    after = msgspec.structs.replace(
        row, state=state, due_us=None, reason=reason, settled_us=out.now_us, **more
    )
    out.move(row, after)


def lines(outbox: Outbox, told: Sequence[Attempt]) -> list[bytes]:
    """What the engine hears: a line a message; of a digest one for each that it tells of."""
    said = []
    for one in told:
        said.append(_line(one.message_id, one))
        after = ""
        while page := outbox.members(one.message_id, after, MEMBERS_PAGE):
            said += [_line(row.message_id, one) for row in page]
            after = page[-1].message_id
    return said


def _line(message_id: str, one: Attempt) -> bytes:
    told = {
        "kind": "receipt", "message_id": message_id, "status": one.verdict,
        "at": iso_time(one.at_us),
    }  # fmt: skip
    return msgspec.json.encode(told)
