"""A batch as columns: one row a case event, texts as codes into growing vocabularies.

Codes are a matter of this process: they never reach a finding, a sort order or a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from detector.event import ACTION, ACTIONS, Event, Fact
from detector.particulars import Particulars, said
from detector.values import ABSENT
from detector.vocabulary import (
    NO_CODE,
    Vocabulary,
    hash_text,
    hash_texts,
    mix,
    mix_one,
    to_bytes,
)

__all__ = ["NO_CODE", "Vocabulary", "hash_texts", "to_bytes"]


@dataclass
class Words:
    """The vocabularies of a stream. Steps begin with the actions, the default of a step."""

    case: Vocabulary = field(default_factory=Vocabulary)
    item: Vocabulary = field(default_factory=Vocabulary)
    department: Vocabulary = field(default_factory=Vocabulary)
    step: Vocabulary = field(default_factory=lambda: Vocabulary(ACTIONS))
    operator: Vocabulary = field(default_factory=Vocabulary)
    other: Vocabulary = field(default_factory=Vocabulary)  # carried, not judged: district, source …
    told: Particulars = field(default_factory=Particulars)  # result, reason, grade and lists


CODED = ("case", "item", "department", "step", "operator", "procedure", "told")
OTHERS = ("procedure", "source", "channel")
VOCABULARY = {name: name for name in CODED} | dict.fromkeys(OTHERS, "other")
INSTANTS = ("occurred_at", "recorded_at", "received_at", "due_at")
AMOUNTS = ("fee_due", "fee_paid", "days_granted", "promised_days", "statutory_days")
SELDOM = ("fine", "offence_at")  # an amount and an instant that few events give
NUMBERS = INSTANTS + AMOUNTS + SELDOM
FLAGS = ("relief", "imported")
UNKNOWN = ("operator", "reason", "documents", "fields")  # columns that a source may not have


@cache
def of_actions(*names: str) -> np.ndarray:
    """Which codes of `Inputs.action` are one of these (a mask by code)."""
    return np.isin(ACTIONS, names)


@dataclass
class Inputs:
    """Rows of case events in order of arrival. Times µs UTC, money fen; `ABSENT`: not given."""

    words: Words
    case: np.ndarray  # int32 codes, as the five below
    item: np.ndarray
    department: np.ndarray
    step: np.ndarray
    operator: np.ndarray
    procedure: np.ndarray
    source: np.ndarray  # int32 codes of `Words.other`
    channel: np.ndarray  # so too
    action: np.ndarray  # int8, index into event.ACTIONS
    event_id: np.ndarray  # bytes (S), empty where the source gave none
    occurred_at: np.ndarray  # int64, as all that follow
    recorded_at: np.ndarray
    received_at: np.ndarray
    due_at: np.ndarray
    fee_due: np.ndarray
    fee_paid: np.ndarray
    days_granted: np.ndarray
    promised_days: np.ndarray
    statutory_days: np.ndarray
    fine: np.ndarray
    offence_at: np.ndarray
    told: np.ndarray  # int32 codes of `Words.told`
    relief: np.ndarray  # bool: a relief reason was given
    imported: np.ndarray
    content: np.ndarray  # uint64 hash of all that the line says but `received_at`
    supersedes: np.ndarray  # bytes (S), empty where nothing is superseded
    position: np.ndarray  # int64: place in the source
    unknown: frozenset[str] = frozenset()  # of `UNKNOWN`: columns that the source has not
    facts: list[Fact] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.case)

    @property
    def operators_known(self) -> bool:
        """Does the source say who did the work."""
        return "operator" not in self.unknown

    def take(self, rows: np.ndarray | slice) -> Inputs:
        """These rows (an index array, mask or slice); facts stay behind."""
        picked = {name: getattr(self, name)[rows] for name in ARRAYS}
        return replace(self, facts=[], **picked)

    def event_key(self) -> np.ndarray:
        """Stable 64-bit hash of (case, event_id)."""
        return mix(self.words.case.hashes(self.case), 1) ^ mix(hash_texts(self.event_id), 2)


def event_key(case_id: str, event_id: str) -> int:
    """As `Inputs.event_key`, of one event."""
    return mix_one(hash_text(case_id), 1) ^ mix_one(hash_text(event_id), 2)


ARRAYS = tuple(f.name for f in fields(Inputs) if f.name not in ("words", "unknown", "facts"))


def join(parts: Sequence[Inputs]) -> Inputs:
    """Several batches over the same vocabularies as one, in this order."""
    if len(parts) == 1:
        return parts[0]
    arrays = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ARRAYS}
    facts = [fact for part in parts for fact in part.facts]
    unknown = frozenset().union(*(p.unknown for p in parts))
    return Inputs(words=parts[0].words, unknown=unknown, facts=facts, **arrays)


_numbers = attrgetter(*NUMBERS)


def from_events(
    events: Sequence[Event], words: Words, positions: Sequence[int] | None = None,
    facts: Sequence[Fact] = (), unknown: frozenset[str] = frozenset(), hashed: bool = True,
) -> Inputs:  # fmt: skip
    """Events that were read one by one, as columns; unless `hashed` without their content."""
    column: dict[str, Any] = {
        "action": np.array([ACTION[e.action] for e in events], np.int8),
        "event_id": to_bytes([e.event_id or "" for e in events]),
        "supersedes": to_bytes([e.supersedes or "" for e in events]),
        "relief": np.array([e.relief_reason is not None for e in events], bool),
        "imported": np.array([e.imported for e in events], bool),
        "position": np.array(range(len(events)) if positions is None else positions, np.int64),
    }
    for name in ("item", "department", "step", "operator"):
        column[name] = getattr(words, name).encode([getattr(e, name) for e in events])
    column["case"] = words.case.encode([e.case_id for e in events])
    column["procedure"] = words.other.encode([e.procedure for e in events])
    rows = np.array([_numbers(e) for e in events], np.int64).reshape(-1, len(NUMBERS))
    column |= zip(NUMBERS, np.ascontiguousarray(rows.T), strict=True)
    column["told"] = words.told.encode(
        [
            said(e.result, e.reason, e.grade, e.party_kind, e.documents, e.fields, e.factors)
            for e in events
        ]
    )
    column["step"] = np.where(column["step"] < 0, column["action"], column["step"])
    for name in ("source", "channel"):
        column[name] = words.other.encode([getattr(e, name) for e in events])
    if hashed:
        carried = [words.other.encode([getattr(e, n) for e in events]) for n in CARRIED]
        extras = [extras_hash(*(getattr(e, n) for n in EXTRAS)) for e in events]
        column["content"] = content_hash(words, column, carried, np.array(extras, np.uint64))
    else:
        column["content"] = np.zeros(len(events), np.uint64)
    return Inputs(words=words, unknown=unknown, facts=list(facts), **column)


CARRIED = ("district", "source", "result", "channel")  # coded for the content hash
SOURCE, CHANNEL = CARRIED.index("source"), CARRIED.index("channel")
EXTRAS = (
    "grade", "party_kind", "supersedes", "reason", "title", "relief_reason", "documents", "fields",
    "factors", "fine", "offence_at",
)  # fmt: skip
_NO_EXTRAS = (None,) * 6 + ((),) * 3 + (ABSENT, ABSENT)


@lru_cache(1 << 14)  # reasons repeat
def extras_hash(*extras: Any) -> int:
    """64-bit hash of the seldom fields of `EXTRAS`; 0 where none is given."""
    if extras == _NO_EXTRAS:
        return 0
    digest = hashlib.blake2b(msgspec.json.encode(extras), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def content_hash(
    words: Words, column: dict[str, np.ndarray], carried: Sequence[np.ndarray], extras: np.ndarray
) -> np.ndarray:
    """Stable 64-bit hash (uint64) of what each line says, `received_at` left out."""
    total = mix(extras, 3)
    for name in CODED[1:-1]:  # what is told is in the extras, but for the result
        total += mix(getattr(words, VOCABULARY[name]).hashes(column[name]), 5 + CODED.index(name))
    for place, codes in enumerate(carried):
        if (codes >= 0).any():
            total += mix(words.other.hashes(codes), 12 + place)
    numbers = ("action", "occurred_at", "recorded_at", "due_at", *AMOUNTS, "imported")
    for place, name in enumerate(numbers):
        values = column[name].astype(np.int64)
        empty = ABSENT if name in INSTANTS + AMOUNTS else 0
        if (values != empty).any():
            values = np.where(values == empty, 0, values ^ 0x5BD1E995)
            total += mix(values.view(np.uint64), 20 + place)
    return total
