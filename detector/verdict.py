"""Findings: what was found, why, and the ids and digest by which two runs are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

TIERS = ("提醒 remind", "预警 warn", "督办 urge", "整改 rectify", "约谈 account")


class Text(msgspec.Struct, frozen=True):
    """A sentence in the two languages of the screens."""

    zh: str
    en: str


class Reason(msgspec.Struct, frozen=True):
    """The band that was reached."""

    code: str
    zh: str
    en: str


class Withdrawn(msgspec.Struct, frozen=True):
    """Why a finding no longer stands, who said so, and when (microseconds UTC)."""

    reason: str  # superseded, closed_in_time, suspended, limit_changed, corrected
    actor: str
    at: str


class Finding(msgspec.Struct, kw_only=True):
    """One offence as it is kept, shown and written. All keys are always present."""

    finding_id: str
    rule: str
    edition: int
    family: str
    tier: int
    reason: Reason
    subject_kind: str
    subject: str
    case_id: str | None
    district: str
    department: str | None
    item: str | None
    step: str | None
    operator: str | None
    at: str
    value: int | float
    unit: str
    limit: int | float | None
    evidence: dict[str, Any]
    sentence: Text
    basis: str
    events: tuple[str, ...]
    rulebook: str
    muted: str | None = None
    withdrawn: Withdrawn | None = None

    @property
    def stands(self) -> bool:
        """Neither muted nor withdrawn nor superseded."""
        return self.muted is None and self.withdrawn is None


_encoder = msgspec.json.Encoder()


def finding_id(rule: str, subject_kind: str, subject: str, cause: Sequence[str | int]) -> str:
    """The same offence always has the same id: a hash of what it is about and what caused it."""
    return hashlib.sha256(_encoder.encode([rule, subject_kind, subject, *cause])).hexdigest()[:32]


def canonical(finding: Finding) -> bytes:
    """The line of a finding that the digest is taken over: what was judged, no text, no path."""
    f = finding
    return _encoder.encode(
        [
            f.finding_id, f.rule, f.edition, f.tier, f.reason.code, f.subject_kind, f.subject, f.at,
            f.value, f.limit, f.events, f.muted, f.withdrawn.reason if f.withdrawn else None,
        ]
    )  # fmt: skip


def digest(lines: Iterable[bytes]) -> str:
    """SHA-256 over canonical lines, which must come sorted by id."""
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line)
        whole.update(b"\n")
    return whole.hexdigest()


def show_number(value: int, divisor: int) -> int | float:
    """An engine integer in the unit people read; whole numbers stay whole."""
    whole, rest = divmod(value, divisor)
    return whole if rest == 0 else value / divisor
