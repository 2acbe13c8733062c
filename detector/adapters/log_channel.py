"""The dry run (演练) as a channel: messages are written to the log, numbers and names masked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detector.delivery import Outcome, Outgoing, Receipt


class LogOut:
    """Delivers to the log, at once."""

    def __init__(self, name: str, log: Callable[..., Any]) -> None:
        self.name, self._log = name, log

    async def send(self, message: Outgoing) -> Outcome:
        """Write it down."""
        self._log(
            "message", message_id=message.message_id, to=masked(message.to),
            occasion=message.occasion, tier=message.tier, subject=message.subject,
        )  # fmt: skip
        return Outcome("delivered", "logged")

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """A log says nothing back."""
        raise ValueError("the log has no callback")

    async def close(self) -> None:
        """Nothing is held."""


def masked(number: str) -> str:
    """`139****0001`."""
    return f"{number[:3]}****{number[-4:]}" if len(number) > 7 else "****" if number else ""
