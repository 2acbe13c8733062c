"""What the blast-radius guard would have stopped (变更防护试算): `oriole replay --guard`.

A replay changes no rule, so nothing is silenced. It says which rules would have been, had each been
changed on the day before: department, hour, how many findings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from detector.shelf import Rulebook

HOUR_CHARS = 13  # of a local stamp, YYYY-MM-DDTHH


class _Raised(msgspec.Struct):
    rule: str
    at: str
    department: str | None = None
    muted: str | None = None


def floods(findings: Iterable[bytes], rulebook: Rulebook) -> list[dict[str, Any]]:
    """Hours in which a rule, but no clock, raised more than `blast_radius_max` in a department."""
    clocks = {c.rule.id for c in rulebook.rules if c.rule.clock is not None}
    counts: Counter[tuple[str, str, str]] = Counter()
    decode = msgspec.json.Decoder(_Raised).decode
    for line in findings:
        one = decode(line)
        if one.muted is None and one.rule not in clocks:
            counts[one.rule, one.department or "", one.at[:HOUR_CHARS]] += 1
    return [
        {"rule": rule, "department": department, "hour": hour, "findings": n}
        for (rule, department, hour), n in sorted(counts.items())
        if n > rulebook.blast_radius_max
    ]
