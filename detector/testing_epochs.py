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

    def epochs_after(self, learner: str, number: int, limit: int) -> list[tuple[int, EpochRow]]:
        """Those of a learner behind a number, oldest first, each with its own."""
        return [one for one in self._numbered(learner) if one[0] > number][:limit]

    def epochs_before(
        self, learner: str, number: int | None, limit: int
    ) -> list[tuple[int, EpochRow]]:
        """Those of a learner before a number, the latest first."""
        some = [one for one in self._numbered(learner) if number is None or one[0] < number]
        return some[::-1][:limit]

    def _numbered(self, learner: str) -> list[tuple[int, EpochRow]]:
        return [(n, row) for n, row in enumerate(self._epochs, 1) if row.learner == learner]

    def all_epochs(self) -> Iterator[EpochRow]:
        """Every one, in their order."""
        return iter(list(self._epochs))
