"""The dry run (演练) as a channel: messages are written to the log, numbers masked, links cut."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from detector.adapters.numbers import masked
from detector.delivery import Outcome, Outgoing, Receipt

_NUMBER = re.compile(r"(?<![\w-])\+?\d{8,18}[\dXx]?(?![\w-])", re.ASCII)  # telephone, identity
_LINK = re.compile(r"(?<=://)\S+")  # who has it may answer


class LogOut:
    """Delivers to the log, at once."""

    def __init__(self, name: str, log: Callable[..., Any]) -> None:
        self.name, self._log = name, log

    async def send(self, message: Outgoing) -> Outcome:
        """Write it down."""
        self._log(
            "message", message_id=message.message_id, to=masked(message.to),
            occasion=message.occasion, tier=message.tier, subject=message.subject,
            text=_NUMBER.sub(lambda found: masked(found[0]), _LINK.sub("…", message.text)),
        )  # fmt: skip
        return Outcome("delivered", "logged")

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """A log says nothing back."""
        raise ValueError("the log has no callback")

    async def close(self) -> None:
        """Nothing is held."""
