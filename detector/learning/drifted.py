"""What is told of a drift (漂移), as one line of the journal: written here, and read again by who
shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

ORIOLE = "oriole"  # who freezes limits that drifted
RULE = "rule:"  # how the name of a rule's series begins
THOUSAND = 1_000
# What is watched of the world: a span of working time, in hundredths of an octave above one second.
SPANS = ("fast", "middle")
# Or how many of a thousand: a learner's surprises among steps, a rule's findings among cases.
SHARES = ("alarms", "findings")
KINDS = (*SPANS, *SHARES)
_NUMBERS = (
    "after_milli", "before_milli", "bits", "bound_milli", "days_after", "days_before", "raised",
    "since",
)  # fmt: skip
_LINE = re.compile(
    r"(?:drift: (?P<whose>.+): )?(?P<what>\w+): "
    + "; ".join(rf"{name} (?P<{name}>-?\d+)" for name in _NUMBERS),
    re.ASCII | re.DOTALL,
)


@dataclass(frozen=True)
class Drifted:
    """A mean that changed: of what, since when, from what to what."""

    whose: str  # the learner, an item's code, or `rule:` and the rule; "" where the line names none
    what: str  # of `KINDS`
    since: int  # the first day after the change (days since 1970)
    days_before: int  # days with a number before and after it
    days_after: int
    before: float  # seconds of working time, or how many of a thousand
    after: float


def drift_told(told: Mapping[str, object]) -> str:
    """Why a series drifted, in one line."""
    return "; ".join(f"{name} {told[name]}" for name in sorted(told))


def drift_read(line: str) -> Drifted | None:
    """What a line tells of a drift, None where it tells of none."""
    found = _LINE.fullmatch(line)
    if found is None or found["what"] not in KINDS:
        return None
    what = found["what"]
    before, after = (_amount(what, int(found[f"{n}_milli"])) for n in ("before", "after"))
    return Drifted(
        found["whose"] or "", what, int(found["since"]), int(found["days_before"]),
        int(found["days_after"]), before, after,
    )  # fmt: skip


def _amount(what: str, milli: int) -> float:
    """Thousandths of the series' unit, in the unit that people use."""
    number = milli / THOUSAND
    return float(2 ** (number / 100)) if what in SPANS else number
