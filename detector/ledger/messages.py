"""A message of the outbox as the ledger holds it, and what may be written of it at once."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

WAITING, SENDING, GROUPED = "waiting", "sending", "grouped"
SENT, DELIVERED, DROPPED, DEAD = "sent", "delivered", "dropped", "dead"
STATES = (WAITING, SENDING, GROUPED, SENT, DELIVERED, DROPPED, DEAD)
SETTLED = (GROUPED, SENT, DELIVERED, DROPPED, DEAD)  # nothing is due any more
REACHES = (WAITING, SENDING, SENT, DELIVERED)  # it has arrived, or still may

RECEIPTS_MAX = 100_000  # that may wait at once
BEGUN, TOLD = "begun", "told"  # verdicts of our own: an attempt begins; receipts were handed on
TELLS = ("sent", "delivered", "failed", "read", "dead")  # verdicts that the engine hears of
TAKEN = ("sent", "delivered", "unknown")  # after such an attempt somebody may have read it
NO_ANSWER = "no_answer"  # why a message is tried again that may have been taken
RESENT = "resent"  # why a dead letter waits again
DIGEST = "digest"


class Row(msgspec.Struct, frozen=True):
    """A message as the outbox holds it, without its text. Times µs UTC."""

    message_id: str
    seq: int
    notice_id: str  # "" of a digest
    person: str
    occasion: str
    tier: int
    level: int
    department: str | None
    at_us: int
    subject: str
    due_us: int | None
    state: str = WAITING
    channel: str | None = None
    attempts: int = 0
    reason: str | None = None
    digest_id: str | None = None
    gateway_id: str | None = None
    settled_us: int | None = None


class Attempt(msgspec.Struct, frozen=True):
    """An attempt that begins or ends, or a receipt: a line of a log that only grows."""

    message_id: str
    at_us: int
    channel: str
    verdict: str
    code: str = ""
    detail: str = ""


class Heard(msgspec.Struct, frozen=True):
    """What a gateway says of a message, written down before the gateway is answered."""

    at_us: int
    channel: str
    status: str  # delivered, failed, read
    message_id: str = ""  # our key, or
    gateway_id: str = ""  # the gateway's own name for it
    code: str = ""


class Added(msgspec.Struct, frozen=True):
    """A message that delivery itself puts in: for another channel, the duty officer, a digest."""

    row: Row
    text: str
    doc: bytes


class Moved(msgspec.Struct, frozen=True):
    """A message as it was when it was looked at, and as it shall be."""

    before: Row
    after: Row


@dataclass
class Write:
    """What is written in one transaction, or not at all."""

    moved: list[Moved] = field(default_factory=list)
    added: list[Added] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)  # numbers of receipts that are done with

    def __bool__(self) -> bool:
        return bool(self.moved or self.added or self.attempts or self.heard)


class Submit(msgspec.Struct, frozen=True):
    """That a message was handed to a gateway: what caps count."""

    at_us: int
    person: str
    channel: str


class Overtaken(Exception):
    """A message has moved since it was looked at; nothing was written. Look again."""
