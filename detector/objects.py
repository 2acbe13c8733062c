"""The middle road: lines as msgspec objects, objects as columns.

It decodes a whole block and checks it column by column; it accepts a strict subset of what
`event.read` accepts and leaves each line that it is not sure of to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from detector.columns import (
    AMOUNTS,
    CARRIED,
    CHANNEL,
    EXTRAS,
    INSTANTS,
    NO_CODE,
    SOURCE,
    Inputs,
    Words,
    content_hash,
    extras_hash,
)  # fmt: skip
from detector.event import (
    ACTION,
    DAYS_MAX,
    LINE_BYTES_MAX,
    LIST_ITEMS_MAX,
    TEXT_CHARS_MAX,
    Reading,
)  # fmt: skip
from detector.lines import DEPTH_MAX, amounts, depth, ids
from detector.particulars import said
from detector.stamps import read_times
from detector.values import ABSENT

_Text = Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]
_List = Annotated[list[_Text], Meta(max_length=LIST_ITEMS_MAX)]
_Days = Annotated[int, Meta(ge=0, le=DAYS_MAX)]
_Money = str | int | float


class _Line(msgspec.Struct, gc=False):
    """A case event as it stands in a line, types checked, texts not yet read."""

    case_id: str
    action: Literal[
        "apply", "preaccept", "accept", "step", "return", "correct", "corrected", "suspend",
        "resume", "decide", "pay", "issue", "deliver", "close",
    ]  # fmt: skip
    item: str
    department: str
    occurred_at: str
    recorded_at: str
    event_id: str | None = None
    received_at: str | None = None
    kind: Literal["case"] | None = None
    district: str | None = None
    step: str | None = None
    operator: str | None = None
    source: str | None = None
    result: str | None = None
    channel: str | None = None
    grade: str | None = None
    party_kind: str | None = None
    supersedes: str | None = None
    reason: _Text | None = None
    title: _Text | None = None
    relief_reason: _Text | None = None
    documents: _List | None = None
    fields: _List | None = None
    factors: _List | None = None
    fee_due: _Money | None = None
    fee_paid: _Money | None = None
    fine: _Money | None = None
    days_granted: _Days | None = None
    promised_days: _Days | None = None
    statutory_days: _Days | None = None
    due_at: str | None = None
    offence_at: str | None = None
    procedure: Literal[
        "hearing", "tender", "auction", "inspection", "testing", "quarantine", "appraisal",
        "expert_review", "extension", "publicity",
    ] | None = None  # fmt: skip
    imported: bool | None = None


_GET = {name: attrgetter(name) for name in _Line.__struct_fields__}
_TOLD = attrgetter(*EXTRAS)
_SAID = attrgetter("result", "reason", "documents", "fields")
_NOTHING = (None,) * len(EXTRAS)
_CODES = (  # field, its vocabulary, the least code that is surely sound
    ("case_id", "case", 0), ("item", "item", 0), ("department", "department", 0),
    ("step", "step", NO_CODE), ("operator", "operator", NO_CODE),
    ("procedure", "other", NO_CODE),
)  # fmt: skip
_lines = msgspec.json.Decoder(_Line)
_FEW = 64  # lines decoded together where the whole block cannot be
_NEWLINE, _OPEN, _CLOSE, _LIST = b"\n{}["


class Objects:
    """The middle road of one decoder; a line that bears one of `marks` is not for it."""

    def __init__(self, words: Words, marks: Sequence[bytes], unknown: frozenset[str]) -> None:
        self.words = words
        self.marks = marks
        self.unknown = unknown

    def read(
        self, block: bytes, places: np.ndarray | range, how: Reading
    ) -> tuple[Inputs | None, np.ndarray]:
        """Rows of the plain lines of a block that stand at `places`, and which lines are not."""
        decoded = self._whole(block)
        if decoded is None:
            rows, decoded, slow = self._by_line(block.split(b"\n"))
        else:
            rows, slow = np.arange(len(decoded)), np.zeros(0, np.int64)
        if not len(rows):
            return None, slow
        inputs, unsure = self._columns(decoded, np.asarray(places)[rows], how)
        if unsure.any():
            slow = np.union1d(slow, rows[unsure])
            inputs = inputs.take(~unsure)
        return inputs, slow

    def _whole(self, block: bytes) -> list[_Line] | None:
        """Every line of the block as an object, None where some line is not plain."""
        if any(mark in block for mark in self.marks):
            return None
        if not block.endswith(b"\n"):
            block += b"\n"
        letters = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(letters == _NEWLINE)
        begins = np.concatenate([[0], ends[:-1] + 1])
        if int((ends - begins).max()) > LINE_BYTES_MAX or int((ends - begins).min()) < 2:
            return None
        # an object to a line: decode_lines alone would take objects across and beside line ends
        if (letters[begins] != _OPEN).any() or (letters[ends - 1] != _CLOSE).any():
            return None
        if self._nests(block, letters, ends):
            return None
        try:
            if not block.isascii():
                block.decode()  # msgspec does not look into the fields that it passes over
            decoded = _lines.decode_lines(block)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return decoded if len(decoded) == len(ends) else None

    def _nests(self, block: bytes, letters: np.ndarray, ends: np.ndarray) -> bool:
        """May a line nest deeper than `DEPTH_MAX`: by the brackets it holds."""
        brackets = [np.zeros(0, np.int64)]
        if block.count(b"{") > len(ends):
            brackets.append(np.flatnonzero(letters == _OPEN))
        if b"[" in block:
            brackets.append(np.flatnonzero(letters == _LIST))
        counts = np.bincount(np.searchsorted(ends, np.concatenate(brackets)), minlength=1)
        return int(counts.max()) > DEPTH_MAX

    def _by_line(self, lines: list[bytes]) -> tuple[np.ndarray, list[_Line], np.ndarray]:
        """Rows that decode as plain case events, their objects, and the rows that do not.

        A few lines at a time, so that one that is not plain costs few others the quick road.
        """
        good: list[int] = []
        objects: list[_Line] = []
        slow: list[int] = []
        for begin in range(0, len(lines), _FEW):
            few = lines[begin : begin + _FEW]
            whole = self._whole(b"\n".join(few)) if len(lines) > _FEW else None
            if whole is not None and len(whole) == len(few):
                good += range(begin, begin + len(few))
                objects += whole
                continue
            for row, text in enumerate(few, begin):
                one = _plain(text) if len(text) <= LINE_BYTES_MAX else None
                if one is None or any(mark in text for mark in self.marks):
                    slow.append(row)
                else:
                    good.append(row)
                    objects.append(one)
        return np.array(good, np.int64), objects, np.array(slow, np.int64)

    def _columns(
        self, lines: list[_Line], positions: np.ndarray, how: Reading
    ) -> tuple[Inputs, np.ndarray]:
        """Objects as columns, and a mask of the rows to be read one by one instead."""
        words = self.words
        column: dict[str, Any] = {"position": positions}
        unsure = np.zeros(len(lines), bool)
        for name, vocabulary, least in _CODES:
            codes = getattr(words, vocabulary).encode(list(map(_GET[name], lines)))
            column["case" if name == "case_id" else name] = codes
            unsure |= codes < least
        actions = map(ACTION.__getitem__, map(_GET["action"], lines))
        column["action"] = np.fromiter(actions, np.int8, len(lines))
        column["step"] = np.where(column["step"] < 0, column["action"], column["step"])
        for name in INSTANTS:
            column[name], unread = read_times(list(map(_GET[name], lines)), how.zone)
            if name != "received_at" or how.stamp is None:
                unsure |= unread
        _clock(column, unsure, how)
        for name in ("fee_due", "fee_paid"):
            column[name] = amounts(list(map(_GET[name], lines)), unsure)
        for name in AMOUNTS[2:]:
            days = list(map(_GET[name], lines))
            column[name] = np.full(len(lines), ABSENT, np.int64)
            if days.count(None) < len(days):
                column[name] = np.array([ABSENT if d is None else d for d in days], np.int64)
        column["event_id"] = ids(list(map(_GET["event_id"], lines)), unsure)
        column["supersedes"] = ids(list(map(_GET["supersedes"], lines)), unsure)
        flags = list(map(_GET["imported"], lines))
        column["imported"] = np.zeros(len(lines), bool)
        if flags.count(None) < len(flags):
            column["imported"] = np.array([flag is True for flag in flags], bool)
        carried = [words.other.encode(list(map(_GET[name], lines))) for name in CARRIED]
        column |= {"source": carried[SOURCE], "channel": carried[CHANNEL]}
        for codes in carried:
            unsure |= codes < NO_CODE
        column["fine"] = column["offence_at"] = np.full(len(lines), ABSENT, np.int64)
        extras, column["relief"] = _extras(lines, unsure)
        column["told"] = _told(lines, words)
        column["content"] = content_hash(words, column, carried, extras)
        return Inputs(words=words, unknown=self.unknown, **column), unsure


def _clock(column: dict[str, np.ndarray], unsure: np.ndarray, how: Reading) -> None:
    """Fill in `received_at`; rows without their times or far after the clock are unsure."""
    occurred, recorded = column["occurred_at"], column["recorded_at"]
    received = column["received_at"]
    if how.stamp is None:
        received = np.where(received == ABSENT, recorded, received)
    else:
        received = np.full(len(recorded), how.stamp, np.int64)
    column["received_at"] = received
    latest = received + how.ahead_us_max
    unsure |= (occurred == ABSENT) | (recorded == ABSENT)
    unsure |= (occurred > latest) | (recorded > latest)


def _plain(text: bytes) -> _Line | None:
    if depth(text) > DEPTH_MAX:
        return None
    try:
        text.decode()
        return _lines.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _extras(lines: list[_Line], unsure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of the seldom fields, and who gave a relief reason; the rarest are read one by one."""
    out, relief = np.zeros(len(lines), np.uint64), np.zeros(len(lines), bool)
    given = [row for row, told in enumerate(map(_TOLD, lines)) if told != _NOTHING]
    for row in given:
        x = lines[row]
        if (
            x.grade
            or x.party_kind
            or x.supersedes
            or x.factors
            or x.offence_at
            or x.fine is not None
        ):
            unsure[row] = True
            continue
        relief[row] = bool(x.relief_reason)
        out[row] = extras_hash(
            None, None, None, x.reason or None, x.title or None, x.relief_reason or None,
            tuple(x.documents or ()), tuple(x.fields or ()), (), ABSENT, ABSENT,
        )  # fmt: skip
    return out, relief


def _told(lines: list[_Line], words: Words) -> np.ndarray:
    """Codes of what the lines say in words; of a grade or factors they are read one by one."""
    codes = np.full(len(lines), NO_CODE, np.int32)
    given = [n for n, told in enumerate(map(_SAID, lines)) if told != (None, None, None, None)]
    if given:
        texts = [
            said(
                x.result, x.reason, None, None, tuple(x.documents or ()), tuple(x.fields or ()), ()
            )
            for x in map(lines.__getitem__, given)
        ]
        codes[given] = words.told.encode(texts)
    return codes
