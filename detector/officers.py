"""Certificates of officers (执法证): who may enforce the law on which days, as facts tell it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from detector.event import Fact
from detector.values import DAY_US, LocalZone

NO_CERTIFICATE = 40_178  # days: further than any two that an input may name lie apart


@dataclass
class Officers:
    """What was told of officers so far; only what was received before an event counts for it."""

    certificates: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    registers: dict[str, int] = field(default_factory=dict)  # department → its first fact

    def enter(self, facts: Iterable[Fact], zone: LocalZone) -> None:
        """Take up the facts about officers among these."""
        for fact in facts:
            if fact.kind != "officer":
                continue
            told, received = fact.fields, fact.received_at
            days = [int(zone.local(told[n])) // DAY_US for n in ("valid_from", "valid_to")]
            some = self.certificates.setdefault(told["person"], [])
            some.append((received, days[0], days[1]))
            first = self.registers.setdefault(told["department"], received)
            self.registers[told["department"]] = min(first, received)

    def registered(self, departments: list[str | None], received: np.ndarray) -> np.ndarray:
        """Had any officer of the department been told of before these instants."""
        first = [self.registers.get(d or "") for d in departments]
        pairs = zip(first, received.tolist(), strict=True)
        return np.array([at is not None and at < mine for at, mine in pairs], bool)

    def days_outside(
        self, people: list[str | None], days: np.ndarray, received: np.ndarray
    ) -> np.ndarray:
        """Days from each local day to the nearest that a certificate of the person covers."""
        out = np.full(len(people), NO_CERTIFICATE, np.int64)
        rows = zip(people, days.tolist(), received.tolist(), strict=True)
        for row, (person, day, mine) in enumerate(rows):
            for told, first, last in self.certificates.get(person or "", ()):
                if told < mine:
                    out[row] = min(out[row], max(0, first - day, day - last))
        return out
