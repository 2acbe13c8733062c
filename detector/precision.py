"""How often a rule is right (准确率), by what people have found of its findings.

The share of confirmed among confirmed and false alarms, with the Wilson interval at 95 %: for few
verdicts it is wide, and it never leaves 0 to 1000 ‰. Justified findings (确有其事而有理由) are
counted apart: the rule was right about the fact, and the case was right all the same. All is whole
numbers, rounded once; where nobody has said anything there is no share, which is not 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isqrt
from typing import Any

from detector.ledger.verdicts import CONFIRMED, FALSE_ALARM, JUSTIFIED, VerdictCount

# The square of the normal distribution's 97.5 % quantile, 1.959964, as a fraction.
_Z2, _Z2_ONE = 3_841_458_820_694, 10**12
_FINE = 10**12  # parts of a whole in which the root is taken


@dataclass(frozen=True)
class Precision:
    """Findings by the verdict that counts for them."""

    confirmed: int = 0
    false_alarm: int = 0
    justified: int = 0

    def __add__(self, other: Precision) -> Precision:
        return Precision(
            self.confirmed + other.confirmed, self.false_alarm + other.false_alarm,
            self.justified + other.justified,
        )  # fmt: skip

    @property
    def judged(self) -> int:
        """How many the share is of: justified ones are apart."""
        return self.confirmed + self.false_alarm

    @property
    def n(self) -> int:
        """How many findings have a verdict."""
        return self.judged + self.justified

    @property
    def share(self) -> int | None:
        """‰ confirmed, None where nothing was judged."""
        return _rounded(self.confirmed * 1_000, self.judged) if self.judged else None

    @property
    def interval(self) -> tuple[int, int] | None:
        """‰ between which the rule's own share lies, None where nothing was judged."""
        return wilson(self.confirmed, self.judged) if self.judged else None

    def told(self) -> dict[str, Any]:
        """As JSON; the share and its interval in ‰, null before the first verdict."""
        low, high = self.interval or (None, None)
        return {
            "verdicts": self.n, CONFIRMED: self.confirmed, FALSE_ALARM: self.false_alarm,
            JUSTIFIED: self.justified, "share_permille": self.share,
            "share_permille_min": low, "share_permille_max": high,
        }  # fmt: skip


@dataclass(frozen=True)
class Place:
    """The precision of a rule among one department's cases of one item."""

    item: str | None
    department: str | None
    precision: Precision

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {"item": self.item, "department": self.department, **self.precision.told()}


def wilson(k: int, n: int) -> tuple[int, int]:
    """The interval at 95 % of a share of which `k` of `n` > 0 were seen, in ‰, both ends rounded
    to the nearest."""
    # (2k + z² ± z·√(z² + 4k(n-k)/n)) / (2(n + z²)), in parts of 1/_Z2_ONE
    under = _Z2 * _Z2 * n + 4 * k * (n - k) * _Z2 * _Z2_ONE
    root = isqrt(under * _FINE * _FINE // n)
    middle = (2 * k * _Z2_ONE + _Z2) * _FINE
    whole = 2 * (n * _Z2_ONE + _Z2) * _FINE
    return _rounded((middle - root) * 1_000, whole), _rounded((middle + root) * 1_000, whole)


def _rounded(part: int, whole: int) -> int:
    return (2 * part + whole) // (2 * whole)


def by_rule(counts: Iterable[VerdictCount]) -> dict[str, Precision]:
    """Of every rule that has a verdict."""
    told: dict[str, Precision] = {}
    for one in counts:
        told[one.rule] = told.get(one.rule, Precision()) + _of(one)
    return told


def by_place(counts: Iterable[VerdictCount], rule: str) -> list[Place]:
    """Of one rule by item and department, those with the most verdicts first."""
    told: dict[tuple[str | None, str | None], Precision] = {}
    for one in counts:
        if one.rule == rule:
            place = (one.item, one.department)
            told[place] = told.get(place, Precision()) + _of(one)
    order = sorted(told.items(), key=lambda p: (-p[1].n, p[0][0] or "", p[0][1] or ""))
    return [Place(*place, precision) for place, precision in order]


def _of(one: VerdictCount) -> Precision:
    return Precision(**{one.verdict: one.n})
