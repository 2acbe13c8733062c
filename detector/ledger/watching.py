"""What boards ask of a ledger: figures that are added up where the rows lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from detector.ledger import Count, NoticeQuery, NoticeRow


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


@dataclass(frozen=True)
class Delivered:
    """A message about a notice, and what became of it so far; times µs UTC."""

    person: str
    occasion: str
    channel: str | None
    state: str
    reason: str | None
    at_us: int
    settled_us: int | None
    attempts: int


class Watching(Protocol):
    """The figures' questions; a part of `detector.ledger.Reading`."""

    def open_counts(self, department: str | None = None) -> list[OpenCount]:
        """Open notices by department, tier and level; of all departments, or of one."""

    def due_notices(self, query: NoticeQuery) -> list[NoticeRow]:
        """Open notices, those to which something happens next first; of the query all but its
        cursor. Behind them as many to which nothing will happen before somebody acts, those issued
        last first."""

    def hour_counts(
        self, begin_us: int, end_us: int, department: str | None = None
    ) -> list[HourCount]:
        """Standing findings of `begin_us` <= at < `end_us`, by hour and rule."""

    def deliveries(self, notice_id: str, limit: int) -> list[Delivered]:
        """Messages about a notice, the latest first."""

    def rule_counts(
        self, begin_us: int, department: str | None = None, operator: str | None = None
    ) -> dict[str, int]:
        """Standing findings by rule, of those at or after an instant."""

    def cases_from(self, prefix: str, limit: int) -> list[str]:
        """Cases with findings whose number begins so, in order."""

    def counts_after(self, number: int) -> tuple[int, list[Count]]:
        """Counts that were committed after a number, added up; and the latest number."""
