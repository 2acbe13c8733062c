"""Verdicts of a ledger in memory; a part of `detector.testing.MemoryLedger`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from detector.ledger import Held, Move
from detector.ledger.verdicts import NONE, VerdictCount, VerdictRow


class MemoryVerdicts:
    """Keeps them in a list, and finds out which counts whenever it is asked."""

    _held: dict[str, tuple[Move, Held]]
    _verdicts: list[VerdictRow]

    def keep_verdicts(self, rows: Sequence[VerdictRow]) -> None:
        """Those of a batch."""
        self._verdicts += rows

    def verdicts_of(self, finding_id: str) -> list[VerdictRow]:
        """All on one finding; the last of them counts."""
        mine = [row for row in self._verdicts if row.finding_id == finding_id]
        return sorted(mine, key=lambda row: row.place)

    def latest_verdicts(self, findings: Sequence[str]) -> dict[str, VerdictRow]:
        """The one that counts of each of these findings that has any."""
        told = {name: self.verdicts_of(name) for name in findings}
        return {name: some[-1] for name, some in told.items() if some}

    def verdict_counts(self) -> list[VerdictCount]:
        """Findings by the verdict that counts for each, those without one left out."""
        many = Counter(
            (move.rule, move.item, move.department, told)
            for name, (move, _) in self._held.items()
            if (told := self.verdict_of(name)) != NONE
        )
        order = sorted(many.items(), key=lambda one: [(p is not None, p) for p in one[0]])
        return [VerdictCount(*key, n) for key, n in order]

    def stray_verdicts(self, limit: int) -> list[VerdictRow]:
        """Those on findings that the ledger does not know, the latest first."""
        some = [row for row in self._verdicts if row.finding_id not in self._held]
        return sorted(some, key=lambda row: row.place, reverse=True)[:limit]

    def all_verdicts(self) -> Iterator[VerdictRow]:
        """Every one, by `fact_id`."""
        return iter(sorted(self._verdicts, key=lambda row: row.fact_id))

    def verdict_of(self, finding_id: str) -> str:
        """The one that counts for a finding; `none` where nobody has said."""
        told = self.verdicts_of(finding_id)
        return told[-1].verdict if told else NONE
