"""What learners put into force (生效记录): rows of the ledger, one a learner and day or act."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class EpochRow:
    """An epoch as the ledger holds it; `at_us` µs UTC, `doc` its JSON."""

    sha256: str
    learner: str
    day: int  # local day, days since 1970-01-01
    at_us: int
    cause: str
    waits: int  # jumps that wait for a person
    frozen: int  # names whose limits stand still
    doc: bytes


class EpochReading(Protocol):
    """The questions about epochs; a part of `detector.ledger.Reading`."""

    def epochs(self, learner: str | None = None, limit: int = 100) -> list[EpochRow]:
        """Those of a learner or of all, the latest first."""

    def epochs_after(self, learner: str, number: int, limit: int) -> list[tuple[int, EpochRow]]:
        """Those of a learner behind a number (0: from the first), oldest first, each with its own;
        numbers rise in the order in which epochs were committed."""

    def epochs_before(
        self, learner: str, number: int | None, limit: int
    ) -> list[tuple[int, EpochRow]]:
        """Those of a learner before a number (None: up to the last), the latest first."""

    def all_epochs(self) -> Iterator[EpochRow]:
        """Every one, in their order."""
