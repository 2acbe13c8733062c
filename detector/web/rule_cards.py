"""Rules as pages and interface show them: the card as this district has set it, and its figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from detector.ledger import Count, Reading
from detector.ledger.verdicts import VerdictCount
from detector.precision import Precision, by_place, by_rule
from detector.rulekit import UNITS, Band
from detector.shelf import Configured
from detector.web.who import Who

DAYS = 30  # of a rule's figures
Reasons = list[tuple[str, int]]


def rule_counts(
    reader: Reading, since_us: int, who: Who, operator: str | None = None
) -> dict[str, int]:
    """Standing findings by rule since an instant, of what somebody may see."""
    if who.departments is None:
        return reader.rule_counts(since_us, None, operator)
    told = Counter[str]()
    for code in who.departments:
        told.update(reader.rule_counts(since_us, code, operator))
    return dict(told)


def verdict_counts(reader: Reading, who: Who) -> list[VerdictCount]:
    """Findings by their verdicts, of what somebody may see."""
    return [one for one in reader.verdict_counts() if who.sees(one.department)]


def row(c: Configured, many: dict[str, int]) -> dict[str, Any]:
    """A rule in a list."""
    tiers = sorted({band.tier for band in c.rule.bands if band.tier is not None})
    return {
        "id": c.rule.id, "family": c.rule.family, "mode": c.mode, "n": many.get(c.rule.id, 0),
        "tiers": tiers, "subject": c.rule.subject, "exempt": len(c.exemptions),
        "overrides": len(c.overrides),
    }  # fmt: skip


def brief(c: Configured, many: dict[str, int], precisions: dict[str, Precision]) -> dict[str, Any]:
    """A rule in the interface's list: `row`, what one calls it, and how often it is right."""
    told = row(c, many)
    return {
        "id": told.pop("id"), "edition": c.rule.edition, "zh": c.rule.zh, "en": c.rule.en, **told,
        "precision": precisions.get(c.rule.id, Precision()).told(),
    }  # fmt: skip


def card(
    c: Configured, many: dict[str, int], counts: Iterable[Count], found: list[VerdictCount],
    who: Who,
) -> dict[str, Any]:  # fmt: skip
    """One rule: its whole card, what it found and how often that was right, and why it did not
    know or might not speak."""
    rule, (_, unit_zh, unit_en) = c.rule, UNITS[c.rule.unit]
    unknown, muted = why(counts, rule.id, who)
    return brief(c, many, by_rule(found)) | {
        "basis": rule.basis, "unit": {"code": rule.unit, "zh": unit_zh, "en": unit_en},
        "sentence": {"zh": rule.sentence_zh, "en": rule.sentence_en},
        "actions": list(rule.actions), "mutes": list(rule.mutes),
        "bands": [_band(band) for band in rule.bands],
        "params": [
            {"name": p.name, "value": getattr(c.params, p.name), "default": p.default,
             "unit": p.unit, "about": p.about}
            for p in rule.params
        ],
        "undetermined": dict(unknown), "muted": dict(muted),
        "trial": c.trial.told() if c.trial else None,
        "precision_by": [one.told() for one in by_place(found, rule.id)],
    }  # fmt: skip


def _band(band: Band) -> dict[str, Any]:
    edge = band.edge if math.isfinite(band.edge) else None  # the first one begins nowhere
    return {"code": band.code, "edge": edge, "tier": band.tier, "zh": band.zh, "en": band.en}


def why(counts: Iterable[Count], rule: str, who: Who) -> tuple[Reasons, Reasons]:
    """How often a rule did not know, and might not speak: by reason, the most frequent first."""
    told = {"undetermined": Counter[str](), "muted": Counter[str]()}
    for one in counts:
        if one.rule == rule and who.sees(one.department):
            told[one.kind][one.reason] += one.n
    return told["undetermined"].most_common(), told["muted"].most_common()
