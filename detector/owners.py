"""Which worker has a shard, as the ledger says; believed for a while, for it seldom changes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

from detector.adapters import machine
from detector.ledger import LedgerError

BELIEVED_S = 5.0


class Owners:
    """Asked from any thread. `reader` opens questions to a shard's ledger."""

    def __init__(self, reader: Callable[[str], Any]) -> None:
        self._reader = reader
        self._held: dict[str, tuple[str, float]] = {}  # address, and until when it is believed

    def of(self, shard: str) -> str:
        """The address of its worker. Raises `LedgerError`, also where nobody has it."""
        owner, until = self._held.get(shard, ("", 0.0))
        if machine.seconds() > until:
            with closing(self._reader(shard)) as reader:
                owner = reader.owner()
            if not owner:
                raise LedgerError("no worker has it now")
            self._held[shard] = owner, machine.seconds() + BELIEVED_S
        return owner

    def forget(self, shard: str) -> None:
        """Its worker does not answer: another may have it."""
        self._held.pop(shard, None)
