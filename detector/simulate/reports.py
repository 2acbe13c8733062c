"""What other systems of the county report, line by line, and what is true of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import numpy as np

from detector.simulate.county import County
from detector.simulate.rows import Truth
from detector.simulate.stream import US

DAY_S = 86_400
EAST_S = 8 * 3_600  # how far the county's wall clock is ahead of UTC


class Offence(NamedTuple):
    """A line of the truth about a subject that is no case."""

    rule: str
    subject_kind: str
    subject: str
    at: int  # seconds UTC
    tier: int
    item: str | None = None
    value: int | None = None


@dataclass
class Reports:
    """Facts and their truth. None arrives after the last event, so that a replay of the events
    ends at the same instant with the facts or without them."""

    county: County
    facts: list[dict[str, Any]] = field(default_factory=list)
    offences: list[Offence] = field(default_factory=list)
    rows: Truth = field(default_factory=Truth)  # events that break a rule, as the facts tell

    def add(self, kind: str, number: int, received: int, **told: Any) -> bool:
        """Write a fact down if it arrives before the end; whether it does."""
        if received > self.last:
            return False
        given = {name: value for name, value in told.items() if value is not None}
        name = {"kind": kind, "fact_id": f"{kind}-{number:09d}"}
        self.facts.append(name | given | {"received_at": stamp(received)})
        return True

    @property
    def last(self) -> int:
        """When the last event arrives."""
        return int(self.county.stream.received[-1])

    def tell(
        self, rule: str, kind: str, subject: str, at: int, tier: int,
        item: str | None = None, value: int | None = None,
    ) -> None:  # fmt: skip
        """This stands at the end; gently where the calendar is not known yet."""
        if self.county.plan.district.calendar.provisional(at * US):
            tier = 0
        self.offences.append(Offence(rule, kind, subject, at, tier, item, value))

    def lines(self) -> bytes:
        """All facts as NDJSON, by `received_at`."""
        told = sorted(self.facts, key=lambda fact: (fact["received_at"], fact["fact_id"]))
        return b"".join(msgspec.json.encode(fact) + b"\n" for fact in told)

    def truth(self) -> bytes:
        """The truth about subjects: {rule, subject_kind, subject, at, tier}, and item and value
        where several may be true of a subject at once."""
        told = sorted(self.offences, key=lambda o: (o.rule, o.at, o.subject, o.item or ""))
        return b"".join(msgspec.json.encode(_line(one)) + b"\n" for one in told)


def _line(one: Offence) -> dict[str, Any]:
    told = one._asdict() | {"at": stamp(one.at)}
    return {name: value for name, value in told.items() if value is not None}


def stamp(seconds: int) -> str:
    """Seconds UTC on the county's wall clock."""
    local = datetime.fromtimestamp(seconds + EAST_S, UTC)
    return local.strftime("%Y-%m-%dT%H:%M:%S+08:00")


def day_of(seconds: int) -> str:
    """The local day."""
    return stamp(seconds)[:10]


def midnight(seconds: int) -> int:
    """The first instant of the local day."""
    return (seconds + EAST_S) // DAY_S * DAY_S - EAST_S


def month_after(month: str, number: int) -> int:
    """The first instant of that day of the month after a month (`YYYY-MM`)."""
    days = (np.datetime64(month, "M") + 1).astype("M8[D]").astype(int) + number - 1
    return int(days) * DAY_S - EAST_S


def yuan(fen: int) -> str:
    """Fen as the decimal text of an amount in yuan."""
    return f"{fen // 100}.{fen % 100:02d}"


def dealt(names: Iterable[str], count: int, rng: np.random.Generator) -> list[str]:
    """So many names in any order, each as often as any other."""
    deck = list(names)
    rounds = [rng.permutation(len(deck)) for _ in range(-(-count // len(deck)))]
    return [deck[n] for one in rounds for n in one][:count]
