"""Delivery (发送): what was put into the outbox with a batch goes out, once, or says why not.

A message is put into the outbox in the transaction of the inputs that caused it. Here it passes the
stages, in their order; each either lets it go on or drops it with a reason. What a gateway answers
is recorded, and told to the engine as a receipt, which is an input like any other.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import msgspec

from detector.notice import EVERYBODY as EVERYBODY

QUERY = ":query"  # among the headers of a callback: the query of its address; no header is so named

Verdict = Literal["sent", "delivered", "refused", "retry", "unknown"]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One message as a channel is given it."""

    message_id: str  # the idempotency key: a retry bears the same
    to: str  # telephone number or e-mail address; "" where the channel itself is the address
    subject: str  # one line, Chinese
    text: str  # Chinese, plain, without signature
    occasion: str  # issued, raised, reminder, withdrawn, digest …
    tier: int
    at_us: int  # µs UTC: the instant of what it tells
    link: str = ""  # where its recipient may answer; already in `text`
    doc: dict[str, Any] = {}  # the notice as JSON, for webhooks


class Outcome(msgspec.Struct, frozen=True):
    """What became of one attempt.

    `sent`: the gateway has it, and will say later whether it arrived. `delivered`: it has arrived.
    `refused`: it never will, by the gateway's own word. `retry`: it was certainly not taken.
    `unknown`: no answer, it may have been taken; tried again under the same key.
    """

    verdict: Verdict
    code: str = ""  # the gateway's own
    detail: str = ""  # no personal data, no secret
    gateway_id: str = ""  # what the gateway calls it, for its receipts
    retry_after_s: int | None = None  # where the gateway asks for patience


class Receipt(msgspec.Struct, frozen=True):
    """What a gateway says later of a message, by our key or by its own name for it."""

    status: Literal["delivered", "failed", "read"]
    message_id: str = ""
    gateway_id: str = ""
    code: str = ""


class Channel(Protocol):
    """One way out. Adapters stand under `detector/adapters/`, one foreign package each."""

    name: str

    async def send(self, message: Outgoing) -> Outcome:
        """Try once, bounded in time. Never raises for what a gateway or the network does."""

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """What a callback to `/receipts/<name>` says. Raises `ValueError` where it is not genuine
        or cannot be read; a channel without callbacks always does."""

    async def close(self) -> None:
        """Let go of connections."""


class Listens(Protocol):
    """A channel that is told receipts over its own connection (SMPP)."""

    async def heard(self) -> Receipt:
        """The next receipt; waits."""
