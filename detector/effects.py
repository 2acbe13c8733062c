"""What one batch caused: data that somebody else performs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

from detector.evaluate import Undetermined
from detector.explain import Change
from detector.handed import Handed
from detector.learning.epochs import Epoch
from detector.learning.observed import Observed
from detector.notice_walk import Walked
from detector.records import Records
from detector.verdict import Finding


@dataclass
class Effects:
    """What one batch caused, in order."""

    moves: list[Finding | Change] = field(default_factory=list)
    known: list[int] = field(default_factory=list)  # since when each move is known, µs UTC
    undetermined: list[Undetermined] = field(default_factory=list)
    accepted: int = 0
    duplicates: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)  # row, field, error
    kept: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))  # rows that were judged
    records: list[Records] = field(default_factory=list)  # for the operators' shard
    handed: Handed = field(default_factory=Handed)  # for the shard that judges facts
    closed: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)  # case, received_at
    notices: Walked = field(default_factory=Walked)
    observed: list[Observed] = field(default_factory=list)  # for who learns
    epochs: list[Epoch] = field(default_factory=list)  # limits that came into force
    # the case of each move (its code), and the row that it judges, -1 of a clock; None: nobody asks
    about: list[tuple[int, int]] | None = None

    def tell(
        self, moves: Sequence[Finding | Change], known: Sequence[int],
        cases: np.ndarray | None = None, rows: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Moves, and the instant since when each is known: it depends on the inputs alone.
        `cases`: the code of the case of each, where they are about cases; `rows`: of the batch."""
        self.moves += moves
        self.known += known
        if self.about is not None and cases is not None:
            judged = repeat(-1) if rows is None else rows.tolist()
            self.about += zip(cases.tolist(), judged, strict=False)

    def add(self, told: Iterable[Finding | Change | Undetermined], known: int) -> None:
        """What a desk says at an instant, each to its own list."""
        for one in told:
            if isinstance(one, Undetermined):
                self.undetermined.append(one)
            else:
                self.tell((one,), (known,))
