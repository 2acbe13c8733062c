"""All that a learner file may import: the kit by which limits are learned from the record.

A learner *gathers* what it is shown, and *publishes* at the beginning of a day: only then does what
it says change. It scores by what it last published, never by what it is just being shown; so a
score is a pure function of the days before. A score has no legal basis: rules read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from detector.learncounts import NO_DAY as NO_DAY
from detector.learncounts import PEOPLE as PEOPLE
from detector.learncounts import Counts as Counts
from detector.learncounts import Gathered as Gathered
from detector.learncounts import Key as Key
from detector.learncounts import Spelled as Spelled
from detector.learncounts import grown as grown

NOT_GIVEN = -(1 << 63)  # of a number that the line does not give
NOBODY = -1  # of a code: the line does not give it
BIT = 1_000  # scores are whole thousandths of a bit
EXAMPLE_DAY = 20_454  # local day of an example's first rows: 2026-01-01
SECOND = 1_000_000  # times are microseconds

# What a learner is shown. Codes stand for texts (`Rows.texts`); times µs UTC, money fen.
CODED = (
    "item", "kind", "department", "operator", "step", "previous_step", "previous_operator",
    "channel", "case", "series",
)  # fmt: skip
NUMBERS = (
    "recorded_at", "received_at",
    "day",  # local day of the record: days since 1970
    "gap",  # working time since the case's record before (µs), not given where nobody can know
    "paid_fen", "fine_fen", "value",
)  # fmt: skip
FLAGS = (
    "accepts", "closes", "returns",
    "apart",  # by a service account, an import, or an item done on the spot: no person's pace
)  # fmt: skip
SEES = ("step", "case", "series")


@dataclass
class Rows:
    """What a learner is shown, as columns of equal length: of `CODED`, `NUMBERS` and `FLAGS`.

    A learner of cases is shown whole cases: the steps of each lie side by side in order of arrival,
    those of case n from row `begins[n]` up to row `begins[n + 1]`.
    """

    columns: Mapping[str, np.ndarray]
    words: Mapping[str, Sequence[str | None]]  # coded column → the texts behind its codes
    begins: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.columns[name]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @property
    def cases(self) -> int:
        """How many cases there are, of whole cases."""
        return len(self.begins) - 1

    def text(self, name: str, code: int) -> str:
        """The text behind a code, "" where nothing is given."""
        return (self.words[name][code] or "") if code >= 0 else ""

    def texts(self, name: str, codes: np.ndarray) -> list[str]:
        """The texts behind some codes, as `text` tells them."""
        words = self.words[name]
        return [(words[code] or "") if code >= 0 else "" for code in codes.tolist()]

    def take(self, rows: np.ndarray) -> Rows:
        """Some rows, of single steps (an index array or a mask)."""
        return Rows({n: c[rows] for n, c in self.columns.items()}, self.words)


@dataclass
class Scores:
    """What a learner says of each row, or of each case where it sees cases.

    `bits`: how surprising, in thousandths of a bit (6 bits: one in 64). `limit`: what it publishes
    for such a row, in the unit of the learner. Both mean something only where `known`.
    """

    known: np.ndarray  # bool
    bits: np.ndarray  # int64
    limit: np.ndarray  # int64; times in µs
    tell: Callable[[int], dict[str, Any]]  # the reasons of one row, as evidence; asked seldom


class Limit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One number that a learner would put into force, and what it rests on."""

    key: tuple[str, ...]  # of what: names by the learner's `keys`, "*" for any
    value: int  # in the learner's unit
    n: int  # so many observations
    people: int  # by so many persons
    since: int  # local day of the first and the last of them (days since 1970)
    until: int
    pooled: str = ""  # the wider group that it leans on, where its own observations are few
    ordinary: tuple[tuple[int, int], ...] = ()  # what is ordinary: (value, observations up to it)


@dataclass(frozen=True)
class Param:
    """A number of a learner, with its unit and bounds."""

    name: str
    default: int
    unit: str
    about: str
    least: int = 0
    most: int = 10**9


class Model:
    """One learner at work. Order inside a day does not matter to it: it counts."""

    early = False  # of a learner of cases: it says something before a case is closed

    def __init__(self, params: Mapping[str, int]) -> None:
        self.params = params

    def score(self, rows: Rows) -> Scores:
        """What was published says of these rows. Changes nothing."""
        raise NotImplementedError

    def score_open(self, rows: Rows) -> Scores:
        """What was published says of beginnings of cases (items and steps are shown, nothing else):
        of each only what its last step decides for good. Changes nothing; asked of `early` ones."""
        raise NotImplementedError

    def learn(self, rows: Rows) -> None:
        """Gather these rows; what `score` says stays as it is."""
        raise NotImplementedError

    def publish(self, day: int) -> list[Limit]:
        """The day (days since 1970) begins: what was gathered counts from here on. The limits that
        it would now put into force, by key; a learner without limits says none."""
        raise NotImplementedError

    def watch(self) -> list[tuple[str, str, int]]:
        """What the day that ends tells of the world, where a lasting change must be noticed: (whose
        limits rest on it, what is measured, a number). Asked before `publish`."""
        return []

    def published(self) -> bytes:
        """All by which it scores, as canonical bytes."""
        return self.freeze()

    def enforce(self, limits: Sequence[Limit]) -> None:
        """These limits are in force from here on: those proposed may have waited or been cut."""

    def freeze(self) -> bytes:
        """All that it knows, as canonical bytes: equal knowledge gives equal bytes."""
        raise NotImplementedError

    def thaw(self, data: bytes) -> None:
        """Know what `freeze` gave, and nothing else."""
        raise NotImplementedError

    def bytes_used(self) -> int:
        """About how much memory it holds."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Learner:
    """One learner's card: what it learns from, within which bounds, and how it is made."""

    id: str
    edition: int
    zh: str
    en: str
    basis: str  # published source, or "ours"
    sees: str  # of `SEES`: single steps, whole cases at their close, or numbers of each day
    make: Callable[[Mapping[str, int]], Model]
    keys: tuple[str, ...] = ()  # what its limits are told by
    unit: str = ""  # of its limits
    floor: int = 0  # which no limit ever crosses; a district may draw them closer
    cap: int = 1 << 53
    told_only: bool = False  # no rule raises by its limits: no jump of them waits for a person
    monthly: bool = False  # a limit is of the month that begins after its last day: each is taken
    params: tuple[Param, ...] = ()
    bytes_a_key: int = 0  # memory that one key takes at most
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class Example:
    """A story that is test and documentation at once: rows shown day after day, what is asked
    afterwards, and what the learner must say of it."""

    title: str
    days: tuple[tuple[Mapping[str, Any], ...], ...]  # each day its rows (`case` joins those of one)
    asked: tuple[Mapping[str, Any], ...]
    known: bool
    bits_least: int = 0  # of the last row or case asked, thousandths of a bit
    bits_most: int = 1 << 62
    limit_least: int = -(1 << 62)
    limit_most: int = 1 << 62


def row(**told: Any) -> dict[str, Any]:
    """A row of an example: texts, numbers and flags by the names of the columns."""
    return told


def rows_of(told: Sequence[Mapping[str, Any]], cases: bool = False) -> Rows:
    """Rows told one by one as columns; what a row does not tell is not given. `cases`: rows that
    name the same `case` belong together, in order of their first."""
    places: dict[Any, int] = {}
    for one in told:
        places.setdefault(one.get("case"), len(places))
    if cases:
        told = sorted(told, key=lambda one: places[one.get("case")])
    columns: dict[str, np.ndarray] = {}
    words: dict[str, list[str | None]] = {}
    for name in CODED:
        texts = [one.get(name) for one in told]
        known = {text: n for n, text in enumerate(dict.fromkeys(t for t in texts if t is not None))}
        words[name] = list(known)
        columns[name] = np.array([known.get(text, NOBODY) for text in texts], np.int64)
    for name in NUMBERS:
        columns[name] = np.array([one.get(name, NOT_GIVEN) for one in told], np.int64)
    for name in FLAGS:
        columns[name] = np.array([one.get(name, False) for one in told], bool)
    sizes = np.bincount([places[one.get("case")] for one in told], minlength=len(places))
    begins = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64) if cases else np.zeros(1, int)
    return Rows(columns, words, begins)


class LearnerFault(Exception):
    """A learner file that cannot be taken, with the reason."""


def check_learner(learner: Learner) -> None:
    """Raise `LearnerFault` unless the card is whole."""
    if learner.sees not in SEES:
        raise LearnerFault(f"{learner.id}: sees {learner.sees}; known: {', '.join(SEES)}")
    if not learner.examples:
        raise LearnerFault(f"{learner.id}: has no example")
    if not learner.bytes_a_key:
        raise LearnerFault(f"{learner.id}: states no bound of its memory")
    for one in learner.params:
        if not one.least <= one.default <= one.most:
            raise LearnerFault(f"{learner.id}: {one.name} lies outside its own bounds")


def text_hash(text: str) -> int:
    """A 64-bit number that stands for a text, the same everywhere."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
