"""Readers of history: a file of any known format → chunks of columns and refusals.

Chunks are cut by the file alone, so that `n` processes may share one file: each reads those whose
running number leaves its own number when divided by `n`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from detector.decode import Decoded, Decoder
from replay.mapping import Mapping
from replay.readers.csv import open_csv
from replay.readers.ndjson import open_ndjson
from replay.readers.parquet import open_parquet
from replay.readers.streams import ReplayError, Source
from replay.readers.xes import open_xes

__all__ = ["ReplayError", "read"]

_OPEN = {
    ".ndjson": open_ndjson,
    ".jsonl": open_ndjson,
    ".csv": open_csv,
    ".parquet": open_parquet,
    ".xes": open_xes,
}


def read(
    path: Path, decoder: Decoder, mapping: Mapping | None = None, share: tuple[int, int] = (0, 1)
) -> Iterator[Decoded]:
    """The chunks of a log that fall to `share` = (number, of how many).

    `position` of a row is its line × 16 + j: j = 0 the row itself, 1 … the events it emits. Raises
    `ReplayError` at once for what no reading can mend; what is wrong with the data is refused line
    by line. A decoder without a file name is given that of the path.
    """
    source = Source(path)
    opener = _OPEN.get(source.format)
    if opener is None:
        known = " ".join(_OPEN)
        raise ReplayError(f"{path}: its format is not known: use {known}, each also .gz or .zst")
    if decoder.file == "-":
        decoder.file = str(path)
    return opener(source, decoder, mapping, share)
