"""A batch as columns: one row a case event, texts as codes into growing vocabularies.

Codes are a matter of this process: they never reach a finding, a sort order or a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np

from detector.event import ACTION, ACTIONS, Event, Fact, sound_code
from detector.values import ABSENT

NO_CODE = -1  # a text that was not given
_UNTAKEN = -2  # a text that no code may be (too long, control characters): decided line by line


class _Index(dict[Any, int]):
    """text → code; a text not met before gets the next code if `sound` lets it."""

    def __init__(self, words: list[str]) -> None:
        super().__init__({None: NO_CODE, "": NO_CODE})
        self.words = words
        for code, word in enumerate(words):
            self[word] = code

    def __missing__(self, word: str) -> int:
        if not sound_code(word):
            return _UNTAKEN
        code = self[word] = len(self.words)
        self.words.append(word)
        return code


class Vocabulary:
    """The distinct texts of one column, in order of first sight, and their stable hashes."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.words: list[str] = list(words)
        self._index = _Index(self.words)
        self._hashes = np.zeros(0, np.uint64)  # grown by halves, filled up to `_hashed`
        self._hashed = 0

    def __len__(self) -> int:
        return len(self.words)

    def code(self, word: str | None) -> int:
        """The code of one text, given on first sight."""
        return self._index[word]

    def find(self, word: str | None) -> int:
        """The code of a text, `NO_CODE` where it was never seen."""
        return self._index.get(word, NO_CODE)

    def encode(self, texts: Sequence[str | None]) -> np.ndarray:
        """Codes (int32) of a column; -1 absent, -2 not a sound code."""
        if not any(texts):
            return np.full(len(texts), NO_CODE, np.int32)
        return np.fromiter(map(self._index.__getitem__, texts), np.int32, len(texts))

    def texts(self, codes: np.ndarray) -> list[str | None]:
        """The texts of a column of codes."""
        words = self.words
        return [words[c] if c >= 0 else None for c in codes.tolist()]

    def hashes(self, codes: np.ndarray) -> np.ndarray:
        """Stable 64-bit hashes (uint64) of a column of codes, 0 where absent."""
        known = len(self.words)
        if self._hashed < known:
            new = hash_texts(to_bytes(self.words[self._hashed : known]))
            if known > len(self._hashes):
                grown = np.zeros(known + known // 2, np.uint64)
                grown[: self._hashed] = self._hashes[: self._hashed]
                self._hashes = grown
            self._hashes[self._hashed : known] = new
            self._hashed = known
        if not known:
            return np.zeros(len(codes), np.uint64)
        return np.where(codes >= 0, self._hashes[np.maximum(codes, 0)], np.uint64(0))


@dataclass
class Words:
    """The vocabularies of a stream. Steps begin with the actions, the default of a step."""

    case: Vocabulary = field(default_factory=Vocabulary)
    item: Vocabulary = field(default_factory=Vocabulary)
    department: Vocabulary = field(default_factory=Vocabulary)
    step: Vocabulary = field(default_factory=lambda: Vocabulary(ACTIONS))
    operator: Vocabulary = field(default_factory=Vocabulary)
    other: Vocabulary = field(default_factory=Vocabulary)  # carried, not judged: district, source …


CODED = ("case", "item", "department", "step", "operator", "procedure")
_VOCABULARY = {name: name for name in CODED} | {"procedure": "other"}
INSTANTS = ("occurred_at", "recorded_at", "received_at", "due_at")
AMOUNTS = ("fee_due", "fee_paid", "days_granted", "promised_days", "statutory_days")
FLAGS = ("relief", "imported")


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
    relief: np.ndarray  # bool: a relief reason was given
    imported: np.ndarray
    content: np.ndarray  # uint64 hash of all that the line says but `received_at`
    supersedes: np.ndarray  # bytes (S), empty where nothing is superseded
    position: np.ndarray  # int64: place in the source
    operators_known: bool = True
    facts: list[Fact] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.case)

    def take(self, rows: np.ndarray | slice) -> Inputs:
        """These rows (an index array, mask or slice); facts stay behind."""
        picked = {name: getattr(self, name)[rows] for name in ARRAYS}
        return replace(self, facts=[], **picked)

    def event_key(self) -> np.ndarray:
        """Stable 64-bit hash of (case, event_id)."""
        return _mix(self.words.case.hashes(self.case), 1) ^ _mix(hash_texts(self.event_id), 2)


ARRAYS = tuple(
    f.name for f in fields(Inputs) if f.name not in ("words", "operators_known", "facts")
)


def join(parts: Sequence[Inputs]) -> Inputs:
    """Several batches over the same vocabularies as one, in this order."""
    if len(parts) == 1:
        return parts[0]
    arrays = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ARRAYS}
    facts = [fact for part in parts for fact in part.facts]
    known = all(p.operators_known for p in parts)
    return Inputs(words=parts[0].words, operators_known=known, facts=facts, **arrays)


def from_events(
    events: Sequence[Event], words: Words, positions: Sequence[int] | None = None,
    facts: Sequence[Fact] = (), operators_known: bool = True,
) -> Inputs:  # fmt: skip
    """Events that were read one by one, as columns."""
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
    for name in INSTANTS + AMOUNTS:
        column[name] = np.array([getattr(e, name) for e in events], np.int64)
    column["step"] = np.where(column["step"] < 0, column["action"], column["step"])
    carried = [words.other.encode([getattr(e, n) for e in events]) for n in CARRIED]
    extras = np.array([extras_hash(*(getattr(e, n) for n in EXTRAS)) for e in events], np.uint64)
    column["content"] = content_hash(words, column, carried, extras)
    return Inputs(words=words, operators_known=operators_known, facts=list(facts), **column)


CARRIED = ("district", "source", "result", "channel")  # coded for the content hash alone
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
    total = _mix(extras, 3)
    for name in ("item", "department", "step", "operator", "procedure"):
        total += _mix(getattr(words, _VOCABULARY[name]).hashes(column[name]), 5 + CODED.index(name))
    for place, codes in enumerate(carried):
        if (codes >= 0).any():
            total += _mix(words.other.hashes(codes), 12 + place)
    numbers = ("action", "occurred_at", "recorded_at", "due_at", *AMOUNTS, "imported")
    for place, name in enumerate(numbers):
        values = column[name].astype(np.int64)
        empty = ABSENT if name in INSTANTS + AMOUNTS else 0
        if (values != empty).any():
            values = np.where(values == empty, 0, values ^ 0x5BD1E995)
            total += _mix(values.view(np.uint64), 20 + place)
    return total


_ODD = (np.arange(1, 64, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)


def _mix(values: np.ndarray, salt: int) -> np.ndarray:
    """Spread 64-bit values; 0 stays 0, so what was not given adds nothing."""
    mixed = values * _ODD[salt]
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    return mixed


def to_bytes(texts: Sequence[str]) -> np.ndarray:
    """Texts as a fixed-width bytes column (S); they hold no NUL."""
    if not texts:
        return np.zeros(0, "S1")
    return np.array([t.encode() for t in texts], dtype=np.bytes_)


def hash_texts(texts: np.ndarray) -> np.ndarray:
    """Stable 64-bit hash (uint64) of a bytes column, the same whatever the column's width."""
    rows, width = len(texts), texts.dtype.itemsize
    wide = -(-width // 8) * 8
    if wide != width:
        texts = texts.astype(f"S{wide}")
    parts = np.ascontiguousarray(texts).view(np.uint64).reshape(rows, wide // 8)
    total = np.zeros(rows, np.uint64)
    for place in range(parts.shape[1]):
        total += _mix(parts[:, place], place % 48 + 8)
    return _mix(total, 7)
