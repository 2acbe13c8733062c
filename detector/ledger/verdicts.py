"""What people have found of findings (核实): rows of the ledger, of which the last one counts.

A verdict is kept as it came, with the batch that brought it; none is ever changed or taken away.
Of several on one finding the last by (`at`, `fact_id`) counts, whatever order they came in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

CONFIRMED, FALSE_ALARM, JUSTIFIED = "confirmed", "false_alarm", "justified"
VERDICTS = (CONFIRMED, FALSE_ALARM, JUSTIFIED)
NONE = "none"  # of a query: what nobody has looked at yet


@dataclass(frozen=True)
class VerdictRow:
    """What somebody found of a finding; `at_us` µs UTC."""

    fact_id: str
    finding_id: str
    verdict: str
    by: str
    at_us: int
    reason: str | None = None

    @property
    def place(self) -> tuple[int, str]:
        """Its place among those on its finding; the greatest counts."""
        return self.at_us, self.fact_id


@dataclass(frozen=True)
class VerdictCount:
    """How many findings of one rule, item and department a verdict counts for."""

    rule: str
    item: str | None
    department: str | None
    verdict: str
    n: int


class VerdictReading(Protocol):
    """The questions about verdicts; a part of `detector.ledger.Reading`."""

    def verdicts_of(self, finding_id: str) -> list[VerdictRow]:
        """All on one finding; the last of them counts."""

    def latest_verdicts(self, findings: Sequence[str]) -> dict[str, VerdictRow]:
        """The one that counts of each of these findings that has any."""

    def verdict_counts(self) -> list[VerdictCount]:
        """Findings by the verdict that counts for each, those without one left out."""

    def stray_verdicts(self, limit: int) -> list[VerdictRow]:
        """Those on findings that the ledger does not know, the latest first."""

    def all_verdicts(self) -> Iterator[VerdictRow]:
        """Every one, by `fact_id`."""
