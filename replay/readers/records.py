"""Blocks of CSV → records, each with its line, and what is no sound record with the reason.

A quoted cell may hold line ends. A record over several lines is taken only if it closes within
`LINE_BYTES_MAX`, with the header's number of cells and its quotes in pairs; otherwise the line that
opens it is refused alone and reading goes on at the next one, so that a forgotten quote costs its
neighbours nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

from detector.event import LINE_BYTES_MAX
from replay.readers.streams import has_long_line


@dataclass(frozen=True)
class Fault:
    """A line that is no record."""

    line: int  # from 1
    error: str
    text: str


@dataclass
class Records:
    """What one block held."""

    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # on which each row begins, from 1
    faults: list[Fault] = field(default_factory=list)

    def add(self, line: int, row: list[str]) -> None:
        """A sound record."""
        self.rows.append(row)
        self.lines.append(line)

    def refuse(self, line: int, error: str, data: bytes) -> None:
        """A line that is none."""
        self.faults.append(Fault(line, error, data[:LINE_BYTES_MAX].decode("utf-8", "replace")))


class Cutter:
    """Cuts the blocks of one file, in order; the first record is its header."""

    def __init__(self) -> None:
        self.header: list[str] = []
        self._carry = b""  # lines of a record that does not end in its block
        self._line = 1  # of the first of them

    def may_skip(self, data: bytes) -> bool:
        """Whether nothing that follows depends on this block."""
        return bool(self.header) and not self._carry and b'"' not in data

    def cut(self, data: bytes, line: int) -> Records:
        """The records that begin in this block of whole lines; one that does not end there comes
        with the next."""
        if self._carry:
            data, line = self._carry + data, self._line
            self._carry = b""
        elif self.header and b"\0" not in data and not has_long_line(data):
            records = self._at_once(data, line)
            if records:
                return records
        records = Records()
        self._line_by_line(data, line, records, at_end=False)
        return records

    def finish(self) -> Records:
        """The records that were left when the file ended."""
        records, data = Records(), self._carry
        self._carry = b""
        self._line_by_line(data, self._line, records, at_end=True)
        return records

    def _at_once(self, data: bytes, line: int) -> Records | None:
        """All records, if each is one line of sound text."""
        try:
            reader = csv.reader(io.StringIO(data.decode(), newline="\n"), strict=True)
            rows = list(reader)
        except (csv.Error, UnicodeDecodeError):
            return None
        if reader.line_num != len(rows):
            return None
        width = len(self.header)
        if width > 1 and all(len(row) == width for row in rows):
            return Records(rows, list(range(line, line + len(rows))))
        records, texts = Records(), data.split(b"\n")
        for place, row in enumerate(rows):
            if texts[place].strip():
                self._judge(records, line + place, row, texts[place])
        return records

    def _judge(self, records: Records, line: int, row: list[str], data: bytes) -> bool:
        """Take a record if it has the header's width; the first one is the header."""
        if not self.header:
            self.header = row
        elif len(row) == len(self.header):
            records.add(line, row)
        else:
            records.refuse(line, f"has {len(row)} cells, not {len(self.header)}", data)
            return False
        return True

    def _line_by_line(self, data: bytes, line: int, records: Records, at_end: bool) -> None:
        lines = data.removesuffix(b"\n").split(b"\n")
        at = 0
        while at < len(lines):
            taken = self._record(lines, at, line + at, records, at_end)
            if records.faults and not self.header:
                self.header = [""]  # what should be one cannot be read
            if not taken:
                self._carry, self._line = b"\n".join([*lines[at:], b""]), line + at
                return
            at += taken

    def _record(
        self, lines: list[bytes], at: int, line: int, records: Records, at_end: bool
    ) -> int:
        """Judge the record that begins at `lines[at]`; how many lines that settles, 0 = not yet."""
        data = lines[at]
        error = _unsound(data)
        if error or not data.strip():
            if error:
                records.refuse(line, error, data)
            return 1
        feed = _Feed(lines, at)
        reader = csv.reader(feed, strict=True)
        try:
            row = next(reader)
        except csv.Error as fault:
            if feed.ran_out and not at_end:
                return 0
            unclosed = "unexpected end" in str(fault) or reader.line_num > 1
            error = "has a quote that does not close" if unclosed else f"is not CSV: {fault}"
            records.refuse(line, error, data)
            return 1
        taken = int(reader.line_num)
        if taken > 1 and sum(text.count(b'"') for text in lines[at : at + taken]) % 2:
            records.refuse(line, "has a quote that does not close", data)
            return 1
        return taken if self._judge(records, line, row, data) else 1


class _Feed:
    """Lines for one record, as long as they are sound and not too many."""

    def __init__(self, lines: list[bytes], at: int) -> None:
        self._lines, self._at, self._bytes = lines, at, 0
        self.ran_out = False  # the reader asked for a line beyond the block

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._at == len(self._lines):
            self.ran_out = True
            raise StopIteration
        data = self._lines[self._at]
        self._bytes += len(data) + 1
        if self._bytes > LINE_BYTES_MAX + 1 or _unsound(data):
            raise StopIteration
        self._at += 1
        return data.decode() + "\n"


def _unsound(data: bytes) -> str | None:
    """Why a line is no text that could be part of a record."""
    if len(data) > LINE_BYTES_MAX:
        return f"is longer than {LINE_BYTES_MAX} bytes"
    if b"\0" in data:
        return "holds a NUL"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "is not valid UTF-8"
    return None
