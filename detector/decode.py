"""NDJSON bytes → columns and refusals: the one seam through which lines come in.

Three roads, each a strict subset of the next: the kernels of `quick`, the objects of `objects`, and
`event.read`, which says what a line means. Whatever one is not sure of goes to the next. So the
verdict on a line depends on the line alone, and one bad line costs its neighbours nothing.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from detector.columns import Inputs, Words, from_events, join
from detector.event import LINE_BYTES_MAX, Event, Fact, Reading, Refusal, Refused, read
from detector.lines import known_fields, parse_line, parse_own
from detector.objects import Objects
from detector.quick import Lane, loaded

SCAN_AFTER = 1 << 24
_FEW = 16  # lines that are read one by one sooner than as columns


class Decoded(msgspec.Struct):
    """What came out of one block of lines."""

    inputs: Inputs
    refusals: list[Refusal]
    dropped: int = 0  # fields removed for privacy


class Decoder:
    """Decodes blocks of lines of one source into one set of vocabularies."""

    def __init__(
        self, words: Words, how: Reading, file: str = "-", drop: Sequence[str] = (),
        unknown: frozenset[str] = frozenset(), scan_after: int | None = SCAN_AFTER,
    ) -> None:  # fmt: skip
        self.words = words
        self.how = how
        self.file = file
        self.drop = tuple(drop)
        self.unknown = unknown  # columns that the source has not
        self.scan_after = scan_after  # bytes; 0: the kernels from the first line on; None: never
        # a cheap look over the bytes: only a block that may hold such a name is searched by line
        begins = [pattern.split("*")[0] for pattern in drop]
        self._drop_marks = [b'"' + begin.encode() for begin in begins]
        if drop:  # a name may be written with escapes
            self._drop_marks.append(b"\\u00" if "".join(begins).isascii() else b"\\u")
        self._objects = Objects(words, self._drop_marks, unknown)
        self._lane: Lane | None = None

    def decode(
        self, block: bytes, first_line: int = 1, first_position: int | None = None
    ) -> Decoded:
        """Columns of the lines of `block`; line numbers count from `first_line`."""
        if first_position is None:
            first_position = first_line
        lane = self._open_lane(len(block))
        if lane is None:
            numbers: np.ndarray | range = range(block.count(b"\n") + 1)
            return self._slowly([], block, numbers, first_line, first_position)
        scanned = lane.read(block, self.how, first_position)
        parts = [] if scanned.inputs is None else [scanned.inputs]
        if parts and not scanned.rest:
            return Decoded(parts[0], [])
        return self._slowly(parts, scanned.rest, scanned.numbers, first_line, first_position)

    def _open_lane(self, size: int) -> Lane | None:
        """The quick road, once it pays."""
        if self._lane is None and self.scan_after is not None:
            self.scan_after -= size
            if self.scan_after <= 0 or loaded():
                self._lane = Lane(self.words, self.drop, self.unknown)
        return self._lane

    def _slowly(
        self, parts: list[Inputs], block: bytes, numbers: np.ndarray | range, first_line: int,
        first_position: int,
    ) -> Decoded:  # fmt: skip
        """The rows of the quick road with what the slower ones make of the lines that it left."""
        lines: list[bytes] = block.split(b"\n")
        slow = np.arange(len(lines))
        if not parts or len(lines) > _FEW:
            inputs, slow = self._objects.read(block, np.asarray(numbers) + first_position, self.how)
            if inputs is not None:
                parts.append(inputs)
        events, places, facts, refusals, dropped = [], [], [], [], 0
        for row in slow.tolist():
            text = lines[row][: LINE_BYTES_MAX + 1]  # what lies beyond is never looked at
            text = text.strip() if len(text) <= LINE_BYTES_MAX else text
            if not text:
                continue
            number = int(numbers[row])
            try:
                one, gone = self._read(text)
                dropped += gone
            except Refused as fault:
                refusals.append(self.refusal(first_line + number, fault, text))
                continue
            if isinstance(one, Fact):
                one.position = first_position + number
                facts.append(one)
            else:
                events.append(one)
                places.append(first_position + number)
        if events or not parts:
            parts.append(from_events(events, self.words, places, [], self.unknown))
        inputs = join(parts)
        if len(parts) > 1:
            inputs = inputs.take(np.argsort(inputs.position, kind="stable"))
        inputs.facts = facts
        return Decoded(inputs, refusals, dropped)

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
        if self.may_drop(text):
            try:
                kept = msgspec.json.encode(self.without_dropped(parse_line(text))).decode()
            except Refused:
                kept = "withheld: it may name a reporter and cannot be read"
        return Refusal(self.file, number, fault.field, fault.error, kept)
