"""Stage 9, send (发送): an attempt is written down before it begins, and bounded in time."""

from __future__ import annotations

import asyncio
import hashlib

import msgspec

from detector.channels import SMS
from detector.delivery import Channel, Outcome, Outgoing
from detector.delivery.outbox import BEGUN, SENDING, Row
from detector.delivery.passing import Facts, Passing
from detector.delivery.route import address
from detector.sms import shorten
from detector.wording import linked

SEND_S_MAX = 30
LEASE_US = 2 * SEND_S_MAX * 1_000_000
AGAIN_S = (30, 120, 600, 3_600, 14_400, 43_200)  # after the first attempt, the second …
JITTER = 0.2


def send(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """All of them begin; nobody goes on."""
    for row in rows:
        begun = msgspec.structs.replace(
            row, state=SENDING, attempts=row.attempts + 1, due_us=facts.now_us + LEASE_US
        )
        out.move(row, begun)
        out.log(begun, BEGUN, str(begun.attempts))
        out.begun.append(begun)
    return []


def outgoing(row: Row, content: tuple[str, bytes], link: str, facts: Facts) -> Outgoing:
    """A message as its channel is given it."""
    person = facts.district.people.get(row.person)
    kind = facts.kind(row.channel)
    text = linked(content[0], link)
    if kind in SMS:
        ways = facts.district.channels
        text = shorten(text, ways.signature(row.channel), ways.delivery.sms_parts_max)
    return Outgoing(
        message_id=row.message_id, to=address(person, kind) if person else "",
        subject=row.subject, text=text, occasion=row.occasion, tier=row.tier,
        at_us=row.at_us, link=link, doc=_object(content[1]),
    )  # fmt: skip


def _object(doc: bytes) -> dict[str, object]:
    told = msgspec.json.decode(doc)
    return told if isinstance(told, dict) else {"doc": told}


async def attempt(channel: Channel, message: Outgoing, timeout_s: float = SEND_S_MAX) -> Outcome:
    """Try once. What takes too long may have been taken."""
    try:
        return await asyncio.wait_for(channel.send(message), timeout_s)
    except TimeoutError:
        return Outcome("unknown", "timeout")


def again_us(message_id: str, attempts: int, retry_after_s: int | None = None) -> int:
    """How long to wait before another attempt after so many. The jitter follows from the message:
    many that failed together do not come back together, and a restart changes nothing."""
    told = hashlib.sha256(f"{message_id} {attempts}".encode()).digest()
    part = int.from_bytes(told[:8]) / (1 << 64)
    delay = AGAIN_S[min(attempts, len(AGAIN_S)) - 1] * (1 - JITTER + 2 * JITTER * part)
    return round(max(delay, retry_after_s or 0) * 1_000_000)
