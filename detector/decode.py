"""NDJSON bytes → columns and refusals: the one seam through which lines come in.

The quick road decodes a whole block with msgspec and checks it column by column; it accepts a
strict subset of what `event.read` accepts, and each line it is not sure of goes there. So the
verdict on a line depends on the line alone, and one bad line costs its neighbours nothing.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from detector.columns import (
    AMOUNTS,
    CARRIED,
    EXTRAS,
    INSTANTS,
    NO_CODE,
    Inputs,
    Words,
    content_hash,
    extras_hash,
    from_events,
    join,
)  # fmt: skip
from detector.event import (
    ACTION,
    DAYS_MAX,
    LINE_BYTES_MAX,
    LIST_ITEMS_MAX,
    TEXT_CHARS_MAX,
    Event,
    Fact,
    Reading,
    Refusal,
    Refused,
    read,
)  # fmt: skip
from detector.lines import DEPTH_MAX, amounts, depth, ids, known_fields, parse_line, parse_own
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


class Decoded(msgspec.Struct):
    """What came out of one block of lines."""

    inputs: Inputs
    refusals: list[Refusal]
    dropped: int = 0  # fields removed for privacy


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


class Decoder:
    """Decodes blocks of lines of one source into one set of vocabularies."""

    def __init__(
        self, words: Words, how: Reading, file: str = "-", drop: Sequence[str] = (),
        unknown: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.words = words
        self.how = how
        self.file = file
        self.drop = tuple(drop)
        self.unknown = unknown  # columns that the source has not
        # a cheap look over the bytes: only a block that may hold such a name is searched by line
        self._drop_marks = [b'"' + pattern.split("*")[0].encode() for pattern in drop]
        if drop:
            self._drop_marks.append(b"\\u00")  # a name may be written with escapes

    def decode(
        self, block: bytes, first_line: int = 1, first_position: int | None = None
    ) -> Decoded:
        """Columns of the lines of `block`; line numbers count from `first_line`."""
        if first_position is None:
            first_position = first_line
        lines: list[bytes] = []
        decoded = self._whole(block)
        if decoded is None:
            lines = block.split(b"\n")
            rows, decoded, slow = self._by_line(lines)
        else:
            rows, slow = np.arange(len(decoded)), np.zeros(0, np.int64)
        parts, refusals = [], []
        if len(rows):
            inputs, unsure = self._columns(decoded, rows + first_position)
            if unsure.any():
                slow = np.union1d(slow, rows[unsure])
            parts.append(inputs.take(~unsure) if unsure.any() else inputs)
        events, places, facts, dropped = [], [], [], 0
        if len(slow):
            lines = lines or block.split(b"\n")
        for row in slow.tolist():
            text = lines[row][: LINE_BYTES_MAX + 1]  # what lies beyond is never looked at
            text = text.strip() if len(text) <= LINE_BYTES_MAX else text
            if not text:
                continue
            try:
                one, gone = self._read(text)
                dropped += gone
            except Refused as fault:
                refusals.append(self.refusal(first_line + row, fault, text))
                continue
            if isinstance(one, Fact):
                one.position = first_position + row
                facts.append(one)
            else:
                events.append(one)
                places.append(first_position + row)
        if events or facts or not parts:
            parts.append(from_events(events, self.words, places, facts, self.unknown))
        inputs = join(parts)
        if len(parts) > 1:
            order = np.argsort(inputs.position, kind="stable")
            facts = inputs.facts
            inputs = inputs.take(order)
            inputs.facts = facts
        return Decoded(inputs, refusals, dropped)

    def _whole(self, block: bytes) -> list[_Line] | None:
        """Every line of the block as an object, None where some line is not plain."""
        if any(mark in block for mark in self._drop_marks):
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
                if one is None or any(mark in text for mark in self._drop_marks):
                    slow.append(row)
                else:
                    good.append(row)
                    objects.append(one)
        return np.array(good, np.int64), objects, np.array(slow, np.int64)

    def _columns(self, lines: list[_Line], positions: np.ndarray) -> tuple[Inputs, np.ndarray]:
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
            column[name], unread = read_times(list(map(_GET[name], lines)), self.how.zone)
            if name != "received_at" or self.how.stamp is None:
                unsure |= unread
        self._clock(column, unsure)
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
        for codes in carried:
            unsure |= codes < NO_CODE
        column["fine"] = column["offence_at"] = np.full(len(lines), ABSENT, np.int64)
        extras, column["relief"] = _extras(lines, unsure)
        column["told"] = _told(lines, words)
        column["content"] = content_hash(words, column, carried, extras)
        return Inputs(words=words, unknown=self.unknown, **column), unsure

    def _clock(self, column: dict[str, np.ndarray], unsure: np.ndarray) -> None:
        """Fill in `received_at`; rows without their times or far after the clock are unsure."""
        occurred, recorded = column["occurred_at"], column["recorded_at"]
        received = column["received_at"]
        if self.how.stamp is None:
            received = np.where(received == ABSENT, recorded, received)
        else:
            received = np.full(len(recorded), self.how.stamp, np.int64)
        column["received_at"] = received
        latest = received + self.how.ahead_us_max
        unsure |= (occurred == ABSENT) | (recorded == ABSENT)
        unsure |= (occurred > latest) | (recorded > latest)

    def _read(self, text: bytes) -> tuple[Event | Fact, int]:
        """One line, by the reference road, and how many fields privacy removed from it."""
        line = parse_own(text)
        kept = {name: value for name, value in line.items() if not self._drops(name)}
        return read(known_fields(kept), self.how), len(line) - len(kept)

    def _drops(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.drop)

    def may_drop(self, text: bytes) -> bool:
        """May a line hold a field that the district does not let us keep: a cheap look."""
        return any(mark in text for mark in self._drop_marks)

    def without_dropped(self, line: Any) -> Any:
        """What a line says without the fields that the district does not let us keep."""
        if isinstance(line, dict):
            kept = ((k, v) for k, v in line.items() if not self._drops(k))
            return {k: self.without_dropped(v) for k, v in kept}
        return [self.without_dropped(v) for v in line] if isinstance(line, list) else line

    def refusal(self, number: int, fault: Refused, text: bytes) -> Refusal:
        """A refused line as it is kept: without what privacy drops."""
        kept = text[:LINE_BYTES_MAX].decode("utf-8", "replace")
        if any(mark in text for mark in self._drop_marks):
            try:
                kept = msgspec.json.encode(self.without_dropped(parse_line(text))).decode()
            except Refused:
                kept = "withheld: it may name a reporter and cannot be read"
        return Refusal(self.file, number, fault.field, fault.error, kept)


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
