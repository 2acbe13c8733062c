"""Epochs of a ledger in memory; a part of `detector.testing.MemoryLedger`."""

from __future__ import annotations

from collections.abc import Iterator

from detector.ledger.epochs import EpochRow


class MemoryEpochs:
    """Keeps them in a list."""

    _epochs: list[EpochRow]

    def epochs(self, learner: str | None = None, limit: int = 100) -> list[EpochRow]:
        """Those of a learner or of all, the latest first."""
        some = [row for row in self._epochs if learner in (None, row.learner)]
        return some[::-1][:limit]

    def all_epochs(self) -> Iterator[EpochRow]:
        """Every one, in their order."""
        return iter(list(self._epochs))
