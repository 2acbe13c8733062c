"""The quick road: what the kernels of `scan` need, and what becomes of what they found.

The kernels take a text that they know by its entry in a table of this lane; a table is a cache of
the vocabularies and may be forgotten at any time. Codes are given by the vocabularies alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any, NamedTuple

import msgspec
import numpy as np

from detector.columns import AMOUNTS, CARRIED, CODED, INSTANTS, Inputs, Words, extras_hash
from detector.event import (
    ACTIONS,
    CODE_BYTES_MAX,
    DAYS_MAX,
    LINE_BYTES_MAX,
    LIST_ITEMS_MAX,
    PROCEDURES,
    TEXT_CHARS_MAX,
    Reading,
)  # fmt: skip
from detector.particulars import said
from detector.stamps import MONTH_DAY
from detector.values import ABSENT, EARLIEST_US, LATEST_US
from detector.workcalendar import Zone, hasten

_TOLD = ("reason", "title", "relief_reason", "documents", "fields")
_UNTOLD = ("grade", "party_kind", "supersedes", "factors", "fine", "offence_at")  # if empty only
FIELDS = (
    "case_id", *CODED[1:-1], *CARRIED, *_TOLD, *INSTANTS, *AMOUNTS, "imported", "action", "kind",
    "event_id", *_UNTOLD,
)  # fmt: skip
_ACTION, _CARRIED = FIELDS.index("action"), ("source", "channel")
_WORDS_MAX = 1 << 21  # entries of a table before it is forgotten
_TOLD_MAX = 1 << 14
_ROW_BYTES_MIN = 100  # no line with all that it needs is shorter
_TAGS = re.compile(rb"[\x01-\x06]")


if find_spec("numba") is None:  # else it would be missed late, after many lines
    raise ImportError("numba is not installed: run `make setup`, or install requirements.lock")


@cache
def kernels() -> ModuleType:
    """The compiled functions; to load them takes most of a second, so it is done where it pays.
    From then on working time is computed in compiled code too."""
    from detector import scan, worktime

    hasten(worktime)
    return scan


def loaded() -> bool:
    """Has this process the kernels already?"""
    return kernels.cache_info().currsize > 0


@cache
def of_learning() -> ModuleType:
    """The compiled functions of learners, which take them where `loaded`."""
    from detector import learnwork

    return learnwork


@cache
def of_cases() -> ModuleType:
    """Those of learners of whole cases."""
    from detector import casework

    return casework


class Scanned(NamedTuple):
    """What came of a block: rows, and the lines left to the slow road with their numbers."""

    inputs: Inputs | None
    rest: bytes
    numbers: np.ndarray


class _Table:
    """Known texts by hash and bytes, and a number that each stands for."""

    def __init__(self, number: type[np.integer[Any]]) -> None:
        self.slots = np.zeros(1 << 9, np.uint64)
        self.heads = np.zeros((1 << 8, 4), np.int64)  # place in the arena, length, kind, hash
        self.arena = np.zeros(1 << 12, np.uint8)
        self._address = self.arena.ctypes.data
        self.used = np.zeros(4, np.int64)  # entries, bytes, longest id of a block, edition
        self.numbers = np.zeros(1 << 8, number)

    def __len__(self) -> int:
        return int(self.used[0])

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
        """As the kernels take it: slots, heads, the arena's address, counts."""
        return self.slots, self.heads, self._address, self.used

    def make_room(self, entries: int, size: int) -> None:
        """For so many more texts of so many bytes together: nothing grows inside a kernel."""
        entries += len(self)
        size += int(self.used[1]) + 16
        if size > len(self.arena):
            self.arena = _grown(self.arena, size)
            self._address = self.arena.ctypes.data
        if entries > len(self.heads):
            self.heads = _grown(self.heads, entries)
            self.numbers = _grown(self.numbers, entries)
            self.slots = np.zeros(1 << (2 * len(self.heads) - 1).bit_length(), np.uint64)
            kernels().replant(self.parts)

    def enter(self, texts: Sequence[str], kind: int, numbers: Sequence[int]) -> None:
        """Texts that stand for these numbers."""
        parts = [text.encode() for text in texts]
        self.make_room(len(parts), sum(map(len, parts)) + len(parts))
        letters = np.frombuffer(b"".join(parts) + bytes(16), np.uint8)
        begin = len(self)
        kernels().enter(self.parts, letters.ctypes.data, np.cumsum([len(p) for p in parts]), kind)
        self.numbers[begin : len(self)] = numbers

    def text(self, begin: int, end: int) -> bytes:
        """The texts of these entries, a newline after each."""
        last = self.used[1] if end == len(self) else self.heads[end, 0]
        return self.arena[self.heads[begin, 0] : last].tobytes()


class Lane:
    """The quick road of one decoder: for one thread at a time."""

    def __init__(self, words: Words, drop: Sequence[str], unknown: frozenset[str]) -> None:
        self.words = words
        self.unknown = unknown
        plain = (words.case, words.item, words.department, words.step, words.operator)
        self._vocabularies = dict(enumerate(plain)) | {
            FIELDS.index(name): words.other for name in _CARRIED
        }
        self._keys, self._drops = _keys(drop), _drops(drop)
        self._lines = np.zeros(1 << 12, np.uint8)
        self._lines_at = self._lines.ctypes.data
        self._spot = np.zeros((len(FIELDS), 2), np.int64)
        self._key = np.zeros(kernels().TOLD_BYTES_MAX + 16, np.uint8)
        self._key_at = self._key.ctypes.data
        self._how: Reading | None = None
        self._bounds = np.zeros(0, np.int64)
        self._zone = np.zeros((0, 2), np.int64)
        self._begin()
        self._told = _Table(np.uint64)
        self._said = np.zeros(0, np.int32)  # codes of what the told say

    def _begin(self) -> None:
        """A table that knows nothing but what must be known beforehand."""
        self._known = _Table(np.int64)
        self._known.enter(ACTIONS, _ACTION, range(len(ACTIONS)))
        procedures = sorted(PROCEDURES)
        codes = self.words.other.encode(procedures).tolist()
        self._known.enter(procedures, FIELDS.index("procedure"), codes)

    def read(self, block: bytes, how: Reading, first_position: int) -> Scanned:
        """The block's plain lines as rows; the others as they stand."""
        scan, size = kernels(), len(block)
        lines = block.count(b"\n") + 1
        most = min(lines, size // _ROW_BYTES_MIN + 1)
        self._make_room(block, most)
        if how is not self._how:
            if self._how is None or how.zone is not self._how.zone:
                self._zone = _zone(how.zone.changes)
            self._how, self._bounds = how, _bounds(how)
        self._bounds[scan.FIRST] = first_position
        big = np.empty((scan.BIG, most), np.int64)
        small, tiny = np.empty((9, most), np.int32), np.empty((3, most), np.int8)
        slow = np.empty((3, min(lines, size // 2 + 1)), np.int64)
        out = (big, small, tiny, slow, self._spot, self._key_at)
        given = (self._bounds, self._keys, self._drops, MONTH_DAY, self._zone)
        known, told = self._known, self._told
        before = len(known), len(told)
        known.used[2] = 0
        rows, unsure = scan.scan(self._lines_at, size, given, known.parts, told.parts, out)
        self._learn(*before)
        slow = slow[:, :unsure]
        rest = [block[begin:end] for begin, end in zip(*slow[1:].tolist(), strict=True)]
        if not rows:
            return Scanned(None, b"\n".join(rest), slow[0])
        ids = np.zeros(rows, f"S{max(1, int(known.used[2]))}")
        letters = ids.view(np.uint8).reshape(rows, ids.dtype.itemsize)
        meant = self._said, told.numbers
        scan.finish(rows, known.numbers, meant, out, letters)
        return Scanned(self._inputs(big, small, tiny, ids), b"\n".join(rest), slow[0])

    def _make_room(self, block: bytes, rows: int) -> None:
        size, spare = len(block), kernels().SPARE
        if size + spare > len(self._lines):
            self._lines = np.zeros(max(size + spare, 2 * len(self._lines)), np.uint8)
            self._lines_at = self._lines.ctypes.data
        self._lines[:size] = np.frombuffer(block, np.uint8)
        self._lines[size : size + spare] = 0
        self._lines[size] = 10
        if len(self._known) > _WORDS_MAX:
            self._begin()
        if len(self._told) > _TOLD_MAX:
            self._told = _Table(np.uint64)
        self._known.make_room(6 * rows, size + 6 * rows)
        self._told.make_room(rows, size + 6 * rows)
        if len(self._said) < len(self._told.heads):
            self._said = _grown(self._said, len(self._told.heads))

    def _learn(self, words_before: int, told_before: int) -> None:
        """Ask the vocabularies for the codes of new texts; hash what was told for the first time.

        The order is that of first sight; a text that came in by another road has its code already.
        """
        known, told = self._known, self._told
        if len(known) > words_before:
            texts = known.text(words_before, len(known)).decode().split("\n")
            kinds = known.heads[words_before : len(known), 2]
            for kind in np.unique(kinds).tolist():
                entries = np.flatnonzero(kinds == kind)
                codes = self._vocabularies[kind].encode([texts[e] for e in entries.tolist()])
                known.numbers[entries + words_before] = codes
        for entry in range(told_before, len(told)):
            told.numbers[entry], text = _meant(told.text(entry, entry + 1)[:-1])
            self._said[entry] = self.words.told.encode([text])[0]

    def _inputs(
        self, big: np.ndarray, small: np.ndarray, tiny: np.ndarray, ids: np.ndarray
    ) -> Inputs:
        rows = len(ids)
        column: dict[str, Any] = dict(zip(INSTANTS + AMOUNTS, big[:, :rows], strict=False))
        column |= dict(zip((*CODED, *_CARRIED), small[:, :rows], strict=True))
        at, absent = kernels(), np.full(rows, ABSENT, np.int64)
        return Inputs(
            words=self.words, unknown=self.unknown, **column,
            fine=absent, offence_at=absent,
            action=tiny[0, :rows], relief=tiny[1, :rows].view(bool),
            imported=tiny[2, :rows].view(bool), event_id=ids, supersedes=np.zeros(rows, "S1"),
            content=big[at.CONTENT, :rows].view(np.uint64), position=big[at.POSITION, :rows],
        )  # fmt: skip


def _grown(array: np.ndarray, size: int) -> np.ndarray:
    out = np.zeros((max(size, 2 * len(array)), *array.shape[1:]), array.dtype)
    out[: len(array)] = array
    return out


def _meant(written: bytes) -> tuple[int, str | None]:
    """The hash of seldom texts that are written one after the other, each behind its tag, and the
    combination that they say."""
    values: list[Any] = [None] * (len(_TOLD) + 1)
    for tag, text in zip(_TAGS.findall(written), _TAGS.split(written)[1:], strict=True):
        value = msgspec.json.decode(text if text[:1] == b"[" else b'"' + text + b'"')
        values[tag[0] - 1] = tuple(value) if isinstance(value, list) else value
    reason, title, relief, documents, fields, result = values
    documents, fields = documents or (), fields or ()
    extras = extras_hash(
        None, None, None, reason, title, relief, documents, fields, (), ABSENT, ABSENT
    )
    return extras, said(result, reason, None, None, documents, fields, ())


def _bounds(how: Reading) -> np.ndarray:
    stamp = ABSENT if how.stamp is None else how.stamp
    told = (
        EARLIEST_US, LATEST_US, CODE_BYTES_MAX, TEXT_CHARS_MAX, LIST_ITEMS_MAX, DAYS_MAX,
        LINE_BYTES_MAX, stamp, how.ahead_us_max, 0,
    )  # fmt: skip
    return np.array(told, np.int64)


def _zone(changes: Sequence[tuple[int, int]]) -> np.ndarray:
    """The offset from a reading of the wall clock on, as `Zone.utc` has it: a row a change."""
    rows = [(instant + offset, offset) for instant, offset in changes]
    return np.array([(ABSENT, changes[0][1]), *rows[1:]], np.int64)


def _keys(drop: Sequence[str]) -> np.ndarray:
    """Field names by a hash of their letters (`written.field_of`): two words of letters and which
    field it is, 3 on; 1 where privacy drops it."""
    table, mask = np.zeros((128, 3), np.uint64), (1 << 64) - 1
    for field, name in enumerate(FIELDS):
        letters = name.encode().ljust(16, b"\0")
        first, second = (int.from_bytes(letters[i : i + 8], "little") for i in (0, 8))
        mixed = (first ^ (second * 0xBF58476D1CE4E5B9 & mask)) * 0x9E3779B97F4A7C15 & mask
        place = mixed >> 57
        while table[place, 2]:
            place = (place + 1) % 128
        dropped = any(fnmatchcase(name, pattern) for pattern in drop)
        table[place] = first, second, 1 if dropped else field + 3
    return table


def _drops(drop: Sequence[str]) -> np.ndarray:
    """How a name may begin that privacy drops: length and letters, a row a pattern."""
    out = np.zeros((len(drop), 256), np.uint8)
    for row, pattern in enumerate(drop):
        begin = pattern.split("*")[0].encode()[:255]
        out[row, 0] = len(begin)
        out[row, 1 : 1 + len(begin)] = np.frombuffer(begin, np.uint8)
    return out


_WARM = (
    b'{"case_id":"c","action":"apply","item":"i","department":"d","event_id":"e","fee_due":"1",'
    b'"occurred_at":"2026-03-02T09:00:00Z","recorded_at":"2026-03-02T09:00:00Z","reason":"r"}\n'
)


def warm() -> None:
    """Compile the kernels into their cache, or load them from it: seconds, or a fraction of one."""
    lane = Lane(Words(), (), frozenset())
    lane.read(_WARM * 300, Reading(Zone("UTC", ((0, 0),))), 1)
    of_learning()
    of_cases()
