"""CSV logs: UTF-8, comma, double quotes (RFC 4180), a header, streamed."""

from __future__ import annotations

from collections.abc import Iterator

from detector.decode import Decoded, Decoder
from replay.mapping import Mapping, own_names
from replay.readers.records import Cutter, Records
from replay.readers.rows import Chunk, Rows, check_columns, check_own_names, cut_off
from replay.readers.streams import BLOCK_BYTES, Damaged, ReplayError, Source, blocks


def open_csv(
    source: Source, decoder: Decoder, mapping: Mapping | None, share: tuple[int, int],
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Decoded]:  # fmt: skip
    """Checks the header now, reads later. Raises `ReplayError`."""
    header = _header(source, block_bytes)
    if mapping is None:
        check_own_names(header, str(source.path))
        mapping = own_names(header)
    else:
        check_columns(mapping, header, str(source.path))
    return _Reader(source, decoder, mapping, header, share).read(block_bytes)


def _header(source: Source, block_bytes: int) -> list[str]:
    """The names in the first record, without blanks around them."""
    cutter, damage = Cutter(), ""
    try:
        for block in blocks(source, block_bytes):
            records = cutter.cut(block.data, block.line)
            if cutter.header or records.faults:
                break
        else:
            records = cutter.finish()
    except Damaged as fault:
        records, damage = cutter.finish(), f"is cut off or damaged: {fault.reason}"
    names = [name.strip() for name in cutter.header]
    if not any(names):
        why = [f"its header {fault.error}" for fault in records.faults] or [damage]
        reason = why[0] or "has no header: name the columns in its first line"
        raise ReplayError(f"{source.path}: {reason}")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ReplayError(f"{source.path}: its header names {', '.join(twice)} more than once")
    return names


class _Reader:
    """One pass over a CSV file whose header is known."""

    def __init__(
        self, source: Source, decoder: Decoder, mapping: Mapping, header: list[str],
        share: tuple[int, int],
    ) -> None:  # fmt: skip
        self.source, self.decoder, self.share = source, decoder, share
        self.rows = Rows(decoder, mapping, header)
        self.per_case = mapping.per_case
        self.lost = [n for n, name in enumerate(header) if self.rows.privacy[name]]

    def read(self, block_bytes: int) -> Iterator[Decoded]:
        """Chunks of this share, and after the last one what is made of each case's last row."""
        cutter, number, damage = Cutter(), 0, None
        try:
            for block in blocks(self.source, block_bytes):
                number = block.number
                if self.per_case or self.is_mine(number) or not cutter.may_skip(block.data):
                    yield from self.chunk(number, cutter.cut(block.data, block.line))
        except Damaged as fault:
            damage = fault
        yield from self.chunk(number + 1, cutter.finish())
        yield from self.rows.tail(number + 2, self.share)
        if damage:
            yield from cut_off(self.decoder, damage, self.share)

    def is_mine(self, number: int) -> bool:
        """Whether the chunk of this number falls to this share."""
        return number % self.share[1] == self.share[0]

    def chunk(self, number: int, records: Records) -> Iterator[Decoded]:
        """The records of one block."""
        lost = self.lost
        chunk = Chunk(records.rows, records.lines)
        self.rows.note(chunk)
        if self.is_mine(number) and (records.rows or records.faults):
            for fault in records.faults:
                chunk.refuse(self.decoder, fault.line, fault.error, fault.text, bool(lost))
            if lost:
                chunk.dropped = sum(bool(row[n]) for row in records.rows for n in lost)
            yield self.rows.decode(chunk)
