"""The outbox (发件箱): messages that wait, and what became of them.

The engine puts messages in with the batch that caused them; from then on delivery alone moves them,
one transaction a step. Adapters stand in `detector.ledger.outbox` (SQLite) and `detector.testing`;
both obey the laws of `tests/outbox_laws.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from detector.ledger.messages import (
    BEGUN,
    DEAD,
    DELIVERED,
    DIGEST,
    DROPPED,
    GROUPED,
    NO_ANSWER,
    REACHES,
    RECEIPTS_MAX,
    RESENT,
    SENDING,
    SENT,
    SETTLED,
    STATES,
    TAKEN,
    TELLS,
    TOLD,
    WAITING,
    Added,
    Attempt,
    Heard,
    Moved,
    Overtaken,
    Row,
    Submit,
    Write,
)

__all__ = [
    "BEGUN",
    "DEAD",
    "DELIVERED",
    "DIGEST",
    "DROPPED",
    "GROUPED",
    "NO_ANSWER",
    "REACHES",
    "RECEIPTS_MAX",
    "RESENT",
    "SENDING",
    "SENT",
    "SETTLED",
    "STATES",
    "TAKEN",
    "TELLS",
    "TOLD",
    "WAITING",
    "Added",
    "Attempt",
    "Heard",
    "Moved",
    "Outbox",
    "Overtaken",
    "Row",
    "Submit",
    "Write",
]


class Outbox(Protocol):
    """What may be asked of an outbox, by one thread. Each question costs no more than its answer:
    none walks over what is settled. All raise `LedgerError` where the file cannot be used."""

    def due(self, now_us: int, limit: int) -> list[Row]:
        """What waits and is due, the longest due first."""

    def next_due(self, after_us: int) -> int | None:
        """When the first of those that wait is due that is not due at an instant."""

    def rows(self, message_ids: Sequence[str]) -> dict[str, Row]:
        """Messages by id; those that are not there are left out."""

    def contents(self, message_ids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """Text and document of messages."""

    def family(self, message_id: str) -> list[Row]:
        """All that was made of a message of the engine's, by id: itself, its other channels, and
        that to the duty officer."""

    def by_gateway(self, channel: str, gateway_id: str) -> Row | None:
        """The message that a gateway calls so, the latest where there are several."""

    def members(self, digest_id: str, after: str, limit: int) -> list[Row]:
        """Messages that a digest tells of, in the order of their ids, those behind `after`."""

    def endings(self, notice_ids: Iterable[str]) -> dict[str, str]:
        """Of these notices those that have ended: their state."""

    def told(self, notice_ids: Iterable[str]) -> set[tuple[str, str]]:
        """(notice, person) where a message of the notice may have reached the person, or is on its
        way within a digest."""

    def submits(self, since_us: int) -> list[Submit]:
        """What was handed to gateways since, in any order."""

    def write(self, write: Write) -> None:
        """Do all of it, durably, or raise and do nothing. A message that is added again is left as
        it is. Raises `Overtaken` where one does not stand as `before` says (state, attempts)."""

    def recover(self, now_us: int) -> int:
        """Whatever was being sent when delivery ended had no answer: it waits again, due now, and
        its attempt is `unknown`. That is no failure of a gateway, so of several attempts the last
        counts no more; where it was the only one, it may still have arrived. How many they were."""

    def hear(self, told: Sequence[Heard]) -> None:
        """Receipts have come: keep them, durably. Raises `LedgerError` where too many wait."""

    def receipts(self, after: int, limit: int) -> list[tuple[int, Heard]]:
        """(number, receipt) of those behind a number that nobody has done with, oldest first."""

    def untold(self, limit: int) -> list[tuple[int, Attempt]]:
        """(number, what the engine has not heard of), oldest first; of equal verdicts on a message
        only the first."""

    def tell_upto(self, number: int, now_us: int) -> None:
        """The engine has heard of everything up to this number."""

    def dead(self, after: str, limit: int) -> list[Row]:
        """Dead letters, in the order of their ids, those behind `after`."""

    def resend(self, message_id: str, now_us: int) -> bool:
        """A dead letter waits again, with no attempt counted; False where it is none."""

    def count(self) -> dict[str, int]:
        """How many there are that are not settled, by state; and how many are dead."""

    def late(self, before_us: int, limit: int) -> list[Row]:
        """What waits or is being sent and was due before an instant, the longest due first."""

    def stalled(self, before_us: int, limit: int) -> list[tuple[str, int | None]]:
        """Open notices without a next instant, or with one before an instant."""

    def close(self) -> None:
        """Let go of it."""
