"""What one batch caused: data that somebody else performs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from detector.evaluate import Undetermined
from detector.explain import Change
from detector.handed import Handed
from detector.records import Records
from detector.verdict import Finding


@dataclass
class Effects:
    """What one batch caused, in order."""

    moves: list[Finding | Change] = field(default_factory=list)
    undetermined: list[Undetermined] = field(default_factory=list)
    accepted: int = 0
    duplicates: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)  # row, field, error
    kept: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # rows that were judged
    records: list[Records] = field(default_factory=list)  # for the operators' shard
    handed: Handed = field(default_factory=Handed)  # for the shard that judges facts

    def add(self, told: Iterable[Finding | Change | Undetermined]) -> None:
        """What a desk says, each to its own list."""
        for one in told:
            if isinstance(one, Undetermined):
                self.undetermined.append(one)
            else:
                self.moves.append(one)
