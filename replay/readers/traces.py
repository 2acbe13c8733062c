"""What the tags of an XES document say: events as rows, with the attributes of their trace.

Attributes may be written after the events of their trace, so a trace's events wait for its end, but
never more than `TRACE_EVENTS_MAX` of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from xml.parsers.expat import XMLParserType

from replay.readers.rows import NAMES_KEPT_MAX, Chunk, Privacy

CASE = "case:"  # before the name of a trace's attribute
CHUNK_ROWS = 4_096
TRACE_EVENTS_MAX = 16_384
DEPTH_MAX = 64
_UNUSED, _SECRET = -1, -2
_EXPONENT_MAX = 20
_FLOAT = re.compile(r"-?\d+\.\d+E-?\d{1,3}", re.ASCII)


class Stop(Exception):
    """The document goes beyond a bound, or is none of ours; `str()` says how."""


class Names:
    """The columns of a log: attributes that it declares, or that occur in it."""

    def __init__(self, parser: XMLParserType) -> None:
        self.names: dict[str, None] = {}
        self.events = 0
        self._path: list[str] = []
        self._scope = ""
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        inside = self._path[1:]
        self._path.append(name)
        if len(self._path) > DEPTH_MAX:
            raise Stop(f"it nests deeper than {DEPTH_MAX} levels")
        if inside == [] and name == "global":
            self._scope = attributes.get("scope", "")
        elif name == "event" and inside in ([], ["trace"]):
            self.events += 1
        elif "key" in attributes:
            if inside in (["trace", "event"], ["event"]):
                self.names[attributes["key"]] = None
            elif inside == ["trace"]:
                self.names[CASE + attributes["key"]] = None
            elif inside == ["global"]:
                scope = CASE if self._scope == "trace" else ""
                self.names[scope + attributes["key"]] = None

    def _end(self, name: str) -> None:
        self._path.pop()


class _Places(dict[str, int]):
    """Attribute → the cell that it fills, or one of the two below."""

    def __init__(self, names: Sequence[str], scope: str, privacy: Privacy) -> None:
        super().__init__()
        self._columns, self._scope, self._privacy = list(names), scope, privacy

    def __missing__(self, attribute: str) -> int:
        column = self._scope + attribute
        if self._privacy[column]:
            at = _SECRET
        else:
            at = self._columns.index(column) if column in self._columns else _UNUSED
        if len(self) < NAMES_KEPT_MAX:
            self[attribute] = at
        return at


class Traces:
    """Collects the events of a document; `ready` holds full chunks, cut by the document alone."""

    def __init__(self, parser: XMLParserType, names: Sequence[str], privacy: Privacy) -> None:
        self.ready: list[Chunk] = []
        self._parser = parser
        self._empty = [None] * len(names)
        self._of_event = _Places(names, "", privacy)
        self._of_trace = _Places(names, CASE, privacy)
        self._chunk = Chunk()
        self._depth = 0
        self._row: list[Any] | None = None  # the open event
        self._event_depth = self._event_line = 0
        self._trace: dict[int, str] | None = None  # cells of the open trace
        self._trace_line = 0
        self._last: list[Any] | None = None  # the latest event of the open trace
        self._begin = 0  # the row of the chunk at which the open trace begins
        self._place = 0  # of the latest row: its line, or more where rows share one
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def finish(self) -> list[Chunk]:
        """The chunks that are left; an open trace counts as ended."""
        if self._trace is not None:
            self._end_trace()
        self._cut(1)
        return self.ready

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth = depth = self._depth + 1
        row = self._row
        if row is not None:
            if depth == self._event_depth + 1 and "value" in attributes:
                at = self._of_event[attributes.get("key", "")]
                if at >= 0:
                    value = attributes["value"]
                    row[at] = value if name != "float" else _plain(value)
                elif at == _SECRET:
                    self._chunk.dropped += 1
        elif name == "event" and depth == (2 if self._trace is None else 3):
            self._row, self._event_depth = self._empty.copy(), depth
            self._event_line = self._parser.CurrentLineNumber
        elif self._trace is not None:
            if depth == 3 and "value" in attributes:
                at = self._of_trace[attributes.get("key", "")]
                if at >= 0:
                    self._trace[at] = _plain(attributes["value"])
                elif at == _SECRET:
                    self._chunk.dropped += 1
        elif name == "trace" and depth == 2:
            self._trace, self._last, self._begin = {}, None, len(self._chunk.rows)
            self._trace_line = self._parser.CurrentLineNumber
        elif depth == 1 and name != "log":
            raise Stop("it is no XES log: its root is no <log>")
        if depth > DEPTH_MAX:
            raise Stop(f"it nests deeper than {DEPTH_MAX} levels")

    def _end(self, name: str) -> None:
        depth = self._depth
        self._depth = depth - 1
        if self._row is not None:
            if depth == self._event_depth:
                self._last, self._row = self._row, None
                self._place = max(self._event_line, self._place + 1)
                self._add(self._last, self._event_line)
                if self._trace is None or len(self._chunk.rows) - self._begin >= TRACE_EVENTS_MAX:
                    self._fill()
                    self._cut(CHUNK_ROWS)
        elif self._trace is not None and depth == 2:
            self._end_trace()

    def _add(self, row: list[Any], line: int) -> None:
        self._chunk.rows.append(row)
        self._chunk.lines.append(line)
        self._chunk.places.append(self._place)

    def _end_trace(self) -> None:
        rows = self._chunk.rows
        if len(rows) == self._begin:  # no event, or none since the latest cut
            if self._last is None:
                self._last, self._event_line = self._empty.copy(), self._trace_line
                self._place = max(self._trace_line, self._place + 1)
            self._chunk.bare.append(len(rows))
            self._add(self._last.copy(), self._event_line)
        self._fill()
        self._chunk.ends.append(len(rows) - 1)
        self._trace = None
        self._cut(CHUNK_ROWS)

    def _fill(self) -> None:
        """Give the open trace's events its attributes."""
        for at, value in (self._trace or {}).items():
            for row in self._chunk.rows[self._begin :]:
                row[at] = value
        self._begin = len(self._chunk.rows)

    def _cut(self, rows_min: int) -> None:
        if len(self._chunk.rows) >= rows_min:
            self.ready.append(self._chunk)
            self._chunk, self._begin = Chunk(), 0


def _plain(value: str) -> str:
    """A value as it is; Java writes large floats as 1.0E7, which no amount looks like."""
    if not _FLOAT.fullmatch(value):
        return value
    number = Decimal(value)
    return format(number, "f") if abs(number.adjusted()) <= _EXPONENT_MAX else value
