"""Parquet logs, slice by slice: whole columns at a time, and unsure rows one by one as dicts.

A row's number in the file, from 1, is its line. What polars cannot read costs the rows around it
as little as halving finds out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from detector.columns import join
from detector.decode import Decoded, Decoder
from detector.event import Refusal
from replay.mapping import Mapping, own_names
from replay.readers.cells import plain_rows, regular
from replay.readers.columnar import Columns
from replay.readers.lookups import present
from replay.readers.pages import Contents, Lost
from replay.readers.rows import (
    EVENTS_OF_A_ROW,
    Rows,
    check_columns,
    check_own_names,
    cut_off,
)
from replay.readers.streams import Damaged, ReplayError, Source

SLICE_ROWS = 65_536
_ROWS_AT_ONCE = 4_096  # of those that are read one by one
_LOST_ROWS_MIN = 1_024  # so far an unreadable stretch is narrowed down
_UNPACKED_BYTES_MAX = 1 << 36
# A panic of polars' is no Exception, and says of a damaged file what its errors say of others.
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def open_parquet(
    source: Source, decoder: Decoder, mapping: Mapping | None, share: tuple[int, int],
    slice_rows: int = SLICE_ROWS,
) -> Iterator[Decoded]:  # fmt: skip
    """Checks the columns now, reads later. Raises `ReplayError`."""
    try:
        table = _Table(source)
    except Damaged as fault:
        return iter(cut_off(decoder, fault, share))
    if mapping is None:
        check_own_names(table.names, str(source.path))
        mapping = own_names(table.names)
    else:
        check_columns(mapping, table.names, str(source.path))
    return _Reader(table, decoder, mapping).read(share, slice_rows)


class _Table:
    """The rows of one file, to be had in slices. Raises `Damaged` where nothing can be had."""

    def __init__(self, source: Source) -> None:
        self._unpacked = _unpacked(source) if source.packing else None
        path = Path(self._unpacked.name) if self._unpacked else source.path
        try:
            self._contents = Contents(path)
        except OSError as fault:
            reason = fault.strerror or fault
            raise ReplayError(f"{source.path}: cannot be read: {reason}") from None
        self.names, self.rows = self._contents.names, self._contents.rows
        self._scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        self._wanted: list[str] = []
        self._lost: list[Lost] = []

    def want(self, names: list[str]) -> None:
        """Choose the columns that slices are to have."""
        self._wanted, self._lost = names, self._contents.lost(names)

    def slices(self, begin: int, end: int) -> Iterator[tuple[int, pl.DataFrame | str]]:
        """Rows in as many pieces as damage demands; for a lost piece, what is wrong with it."""
        for first, last, reason in self._lost:
            if first < end and last > begin:
                yield from self._read(begin, first)
                begin = max(begin, first)
                yield begin, f"rows {begin + 1} to {min(last, end)} cannot be read: {reason}"
                begin = min(last, end)
        yield from self._read(begin, end)

    def _read(self, begin: int, end: int) -> Iterator[tuple[int, pl.DataFrame | str]]:
        if begin >= end:
            return
        found: pl.DataFrame | str
        try:
            found = self._scan.select(self._wanted).slice(begin, end - begin).collect()
        except _UNREADABLE as fault:
            if end - begin > _LOST_ROWS_MIN:
                half = (begin + end) // 2
                yield from self._read(begin, half)
                yield from self._read(half, end)
                return
            found = f"rows {begin + 1} to {end} cannot be read: {_said(fault)}"
        yield begin, found


def _said(fault: BaseException) -> str:
    return str(fault).strip().split("\n")[0][:200]


def _unpacked(source: Source) -> IO[bytes]:
    """The file as polars must have it: unpacked, and on disk."""
    file = tempfile.NamedTemporaryFile(prefix="oriole-", suffix=".parquet")  # noqa: SIM115
    size = 0
    for piece in source.pieces():
        size += len(piece)
        if size > _UNPACKED_BYTES_MAX:
            raise ReplayError(f"{source.path}: unpacks to more than {_UNPACKED_BYTES_MAX} bytes")
        file.write(piece)
    file.flush()
    return file


class _Reader:
    """One pass over a Parquet file whose columns are known."""

    def __init__(self, table: _Table, decoder: Decoder, mapping: Mapping) -> None:
        self.table, self.decoder, self.mapping = table, decoder, mapping
        self.names = list(mapping.uses())
        self.rows = Rows(decoder, mapping, self.names, typed=True)
        privacy = self.rows.privacy
        self.columns = [Columns(decoder, mapping, r, privacy) for r in mapping.recipes]
        self.secret = [name for name in table.names if privacy[name]]

    def read(self, share: tuple[int, int], slice_rows: int) -> Iterator[Decoded]:
        """Judges the slices of this share, one after another."""
        ends = self._ends(slice_rows) if self.mapping.per_case else np.zeros(0, np.int64)
        self.table.want(list(dict.fromkeys([*self.names, *self.secret])))
        for number, begin in enumerate(range(0, self.table.rows, slice_rows)):
            if number % share[1] != share[0]:
                continue
            end = min(begin + slice_rows, self.table.rows)
            for first, frame in self.table.slices(begin, end):
                if isinstance(frame, str):
                    decoded = self.decoder.decode(b"")
                    lost = Refusal(self.decoder.file, first + 1, "file", frame, "")
                    decoded.refusals.append(lost)
                else:
                    decoded = self._judged(regular(frame), first, ends)
                yield decoded

    def _ends(self, slice_rows: int) -> np.ndarray:
        """The last row of each case, in order, counted from 0."""
        case = self.mapping.base.columns.get("case_id")
        if case is None:
            return np.array([self.table.rows - 1])
        self.table.want([case])
        parts: list[pl.DataFrame] = []
        for begin in range(0, self.table.rows, slice_rows):
            end = min(begin + slice_rows, self.table.rows)
            for first, frame in self.table.slices(begin, end):
                if not isinstance(frame, str):
                    numbered = frame.select(pl.col(case).alias("case")).with_row_index("row", first)
                    parts.append(numbered.group_by("case").agg(pl.col("row").max()))
        if not parts:
            return np.zeros(0, np.int64)
        last = pl.concat(parts).group_by("case").agg(pl.col("row").max())
        return np.sort(last["row"].to_numpy().astype(np.int64))

    def _judged(self, frame: pl.DataFrame, first: int, ends: np.ndarray) -> Decoded:
        """The events of a slice: of whole columns where that is sure, else row by row."""
        parts, slow = [], []
        for j, (columns, maker) in enumerate(zip(self.columns, self.rows.makers, strict=True)):
            rows = np.arange(frame.height)
            if maker.recipe.per == "case":
                rows = ends[(ends >= first) & (ends < first + frame.height)] - first
            if j and maker.recipe.when:
                rows = rows[present(frame[maker.recipe.when])[rows]]
            part = frame if len(rows) == frame.height else frame[rows]
            inputs, unsure = columns.read(part, (rows + first + 1) * EVENTS_OF_A_ROW + j)
            parts.append(inputs.take(~unsure) if unsure.any() else inputs)
            slow += [(row, j) for row in rows[unsure].tolist()]
        decoded = self._one_by_one(frame, first, sorted(slow))
        inputs = join([*parts, decoded.inputs] if len(decoded.inputs) else parts)
        if len(parts) > 1 or len(decoded.inputs):
            inputs = inputs.take(np.argsort(inputs.position, kind="stable"))
        inputs.facts = decoded.inputs.facts
        decoded.inputs = inputs
        decoded.dropped += sum(frame[name].count() for name in self.secret)
        return decoded

    def _one_by_one(self, frame: pl.DataFrame, first: int, slow: list[tuple[int, int]]) -> Decoded:
        """Rows that the columns were not sure of, each with the recipe, as lines."""
        told: list[Decoded] = []
        for begin in range(0, len(slow), _ROWS_AT_ONCE):
            some = slow[begin : begin + _ROWS_AT_ONCE]
            cells = plain_rows(frame.select(self.names)[[row for row, _ in some]])
            made: list[dict[str, Any]] = []
            for (_, j), row in zip(some, cells, strict=True):
                made += self.rows.makers[j].lines([row])
            at = np.array(some, np.int64)
            lines = at[:, 0] + first + 1
            told.append(self.rows.judge(made, lines, lines * EVENTS_OF_A_ROW + at[:, 1]))
        if len(told) == 1:
            return told[0]
        facts = [fact for one in told for fact in one.inputs.facts]
        decoded = self.decoder.decode(b"")
        if told:
            decoded.inputs = join([one.inputs for one in told])
            decoded.inputs.facts = facts
            decoded.refusals = [refusal for one in told for refusal in one.refusals]
            decoded.dropped = sum(one.dropped for one in told)
        return decoded
