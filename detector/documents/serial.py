"""文号: the serial numbers of official documents, by department, year and kind.

The pattern is the district's; the number is given by a ledger, once for a notice and kind, when the
document is first sent or printed. It is no part of what is judged, nor of the digest.
"""

from __future__ import annotations

import re
from typing import Protocol

from detector.moments import wall
from detector.values import LocalZone

KINDS = {2: "urge", 3: "rectify"}  # tiers whose notices are official documents
PATTERNS = {
    "urge": "{region}监督〔{year}〕{department}-{number}号",
    "rectify": "{region}监整〔{year}〕{department}-{number}号",
}
REGION, NEEDED = "region", ("year", "department", "number")
PATTERN_CHARACTERS_MAX = 100
_FIELD = re.compile(r"\{([^{}]*)\}")


class Serials(Protocol):
    """Gives numbers; every adapter obeys the laws of `tests/serial_laws.py`."""

    def number(self, notice_id: str, department: str, year: int, kind: str, at_us: int) -> int:
        """The number of a notice's document: the one that it has, else the next of this
        department, year and kind, from 1, without gaps. Durable once it is told.

        Raises `detector.ledger.LedgerError`, and then no number is used up.
        """

    def given(self, notice_id: str, kind: str) -> tuple[str, int, int] | None:
        """(department, year, number) of a document that has one: what a reprint bears, also in
        another year or after its department was renamed."""


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern, None where nothing is. Without year, department and number
    two documents could bear the same."""
    known = (REGION, *NEEDED)
    names = _FIELD.findall(pattern)
    if wrong := [name for name in names if name not in known]:
        return f"{{{wrong[0]}}} is none of " + ", ".join(f"{{{name}}}" for name in known)
    if re.search(r"[{}\x00-\x1f]", _FIELD.sub("", pattern)):
        return "has a brace or control character that belongs to no field"
    if missing := [name for name in NEEDED if name not in names]:
        return f"{{{missing[0]}}} is missing: two documents could bear the same number"
    if len(pattern) > PATTERN_CHARACTERS_MAX:
        return f"is longer than {PATTERN_CHARACTERS_MAX} characters"
    return None


def format_serial(pattern: str, region: str, year: int, department: str, number: int) -> str:
    """A serial number as it is printed: `示例区监督〔2026〕D07-3号`.

    Raises `ValueError` where the pattern is at fault.
    """
    if fault := pattern_fault(pattern):
        raise ValueError(f"serial pattern {pattern!r}: {fault}")
    told = {"region": region, "year": str(year), "department": department, "number": str(number)}
    return _FIELD.sub(lambda found: told[found[1]], pattern)


def serial_year(at_us: int, zone: LocalZone) -> int:
    """The year in which a document is numbered, by the district's wall clock."""
    return wall(at_us, zone).year
