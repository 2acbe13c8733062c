"""Other channels by the apprise library (extra `[apprise]`), in a thread.

It tells success from failure, and no more: its True is `sent`, never `delivered`. Of several
addresses one that fails makes the whole `unknown`, for the others have it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from detector.delivery import Outcome, Outgoing, Receipt


class AppriseOut:
    """Some addresses that all get every message. Raises `ValueError` for one that is none."""

    def __init__(self, name: str, urls: Sequence[str]) -> None:
        import apprise

        self.name = name
        self._all: list[Any] = [apprise.Apprise.instantiate(one) for one in urls]
        if not all(self._all):
            raise ValueError("an address is none that apprise knows")
        for one in self._all:
            one.request_rate_per_sec = 0  # it would sleep; caps are delivery's
        self._one = asyncio.Lock()

    async def send(self, message: Outgoing) -> Outcome:
        """Try once; see `Channel.send`."""
        async with self._one:  # its objects are not made for two at a time
            return await asyncio.to_thread(self._notify, message)

    def _notify(self, message: Outgoing) -> Outcome:
        told = [bool(one.notify(body=message.text, title=message.subject)) for one in self._all]
        if all(told):
            return Outcome("sent", "true")
        return Outcome("unknown", "false", f"{told.count(False)} of {len(told)} failed")

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """apprise hears nothing back."""
        raise ValueError("apprise has no callback")

    async def close(self) -> None:
        """Nothing is held."""
