"""What boards ask of a ledger: figures that are added up where the rows lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from detector.ledger import Count, NoticeRow


@dataclass(frozen=True)
class OpenCount:
    """How many notices are open, of one department, tier and level."""

    department: str | None
    tier: int
    level: int
    n: int


@dataclass(frozen=True)
class HourCount:
    """How many findings stand of one rule whose instant lies in an hour."""

    hour: int  # whole hours since 1970, UTC
    rule: str
    n: int


class Watching(Protocol):
    """The figures' questions; a part of `detector.ledger.Reading`."""

    def open_counts(self) -> list[OpenCount]:
        """Open notices by department, tier and level."""

    def due_notices(self, limit: int, department: str | None = None) -> list[NoticeRow]:
        """Open notices with a next instant, the nearest first."""

    def hour_counts(
        self, begin_us: int, end_us: int, department: str | None = None
    ) -> list[HourCount]:
        """Standing findings of `begin_us` <= at < `end_us`, by hour and rule."""

    def counts_after(self, number: int) -> tuple[int, list[Count]]:
        """Counts that were committed after a number, added up; and the latest number."""
