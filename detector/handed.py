"""What the cases' shards hand to the one that judges facts: fines, and what tells of sources."""

from __future__ import annotations

import msgspec

from detector.fines import Fine
from detector.sources import Heard, OneStamp


class Handed(msgspec.Struct):
    """Few objects a batch, in the order of its rows."""

    fines: list[Fine] = []
    heard: list[Heard] = []
    stamped: list[OneStamp] = []

    def __bool__(self) -> bool:
        return bool(self.fines or self.heard or self.stamped)

    def add(self, more: Handed) -> None:
        """Take up what another batch handed on."""
        self.fines += more.fines
        self.heard += more.heard
        self.stamped += more.stamped
