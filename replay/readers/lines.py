"""Single lines of a log, read again: what the engine refuses is kept with its text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from replay.readers.streams import Damaged, Source, blocks

_BY_LINE = (".ndjson", ".jsonl", ".csv")


def texts(path: Path, wanted: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """The lines with these numbers (from 1). Formats that have no lines give none."""
    source = Source(path)
    if source.format not in _BY_LINE:
        return
    last = max(wanted, default=0)
    try:
        for block in blocks(source):
            if block.line > last:
                return
            for number, text in enumerate(block.data.split(b"\n"), block.line):
                if number in wanted:
                    yield number, text.strip()
    except Damaged:
        return  # what is cut off was refused when it was read
