"""NDJSON logs: our own lines, which go to the decoder as they are, or foreign ones with a mapping.

With a mapping, a line that names its `kind` is one of ours all the same: facts of a district can be
replayed beside a foreign log.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detector.decode import Decoded, Decoder
from detector.event import LINE_BYTES_MAX, Refused
from detector.lines import parse_line
from replay.mapping import Mapping
from replay.readers.rows import EVENTS_OF_A_ROW, Chunk, Rows, check_columns, cut_off
from replay.readers.streams import BLOCK_BYTES, Block, Damaged, Source, blocks

_NAMES_MAX = 1_000  # of a foreign log, kept for a message


def open_ndjson(
    source: Source, decoder: Decoder, mapping: Mapping | None, share: tuple[int, int],
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Decoded]:  # fmt: skip
    """Checks a mapping's columns now, reads later. Raises `ReplayError`."""
    if mapping is None:
        source.check()
        return _own(source, decoder, share, block_bytes)
    _check(source, mapping, block_bytes)
    return _foreign(source, decoder, mapping, share, block_bytes)


def _own(
    source: Source, decoder: Decoder, share: tuple[int, int], block_bytes: int
) -> Iterator[Decoded]:
    try:
        for block in blocks(source, block_bytes, share):
            yield _decoded(decoder, block.data, block.line)
    except Damaged as fault:
        yield from cut_off(decoder, fault, share)


def _decoded(decoder: Decoder, data: bytes, line: int) -> Decoded:
    decoded = decoder.decode(data, line)
    decoded.inputs.position = decoded.inputs.position * EVENTS_OF_A_ROW
    return decoded


def _check(source: Source, mapping: Mapping, block_bytes: int) -> None:
    """Every column that the mapping names must occur in some line."""
    wanted, seen = set(mapping.uses()), dict[str, None]()
    try:
        for block in blocks(source, block_bytes):
            for text in block.data.split(b"\n"):
                line = _line(text.strip())
                if line is None or "kind" in line:
                    continue
                wanted.difference_update(line)
                if not wanted:
                    return
                if len(seen) < _NAMES_MAX:
                    seen.update(dict.fromkeys(line))
    except Damaged:
        return  # what is missing may stand in the rest
    if seen:
        check_columns(mapping, set(mapping.uses()) - wanted | seen.keys(), str(source.path))


def _line(text: bytes) -> dict[str, Any] | None:
    try:
        return parse_line(text)
    except Refused:
        return None


def _foreign(
    source: Source, decoder: Decoder, mapping: Mapping, share: tuple[int, int], block_bytes: int
) -> Iterator[Decoded]:
    names = list(mapping.uses())
    rows = Rows(decoder, mapping, names, typed=True)
    number, damage = 0, None
    try:
        for block in blocks(source, block_bytes, (0, 1) if mapping.per_case else share):
            number = block.number
            chunk, own = _sorted_out(block, names, rows)
            rows.note(chunk)
            if number % share[1] == share[0]:
                yield rows.decode(chunk)
                if own:
                    yield _decoded(decoder, own, block.line)
    except Damaged as fault:
        damage = fault
    yield from rows.tail(number + 1, share)
    if damage:
        yield from cut_off(decoder, damage, share)


def _sorted_out(block: Block, names: list[str], rows: Rows) -> tuple[Chunk, bytes]:
    """The foreign lines as rows, and the block with nothing but our own lines in it."""
    chunk, own = Chunk(), []
    for place, raw in enumerate(block.data.split(b"\n")):
        own.append(b"")
        text = raw.strip() if len(raw) <= LINE_BYTES_MAX else raw[: LINE_BYTES_MAX + 1]
        if not text:
            continue
        try:
            line = parse_line(text)
        except Refused as fault:
            chunk.refusals.append(rows.decoder.refusal(block.line + place, fault, text))
            continue
        if "kind" in line:
            own[-1] = text
            continue
        chunk.dropped += sum(map(rows.privacy.__getitem__, line))
        chunk.rows.append([_cell(line.get(name)) for name in names])
        chunk.lines.append(block.line + place)
    return chunk, b"\n".join(own) if any(own) else b""


def _cell(value: Any) -> Any:
    """Plain values and lists of texts; anything else as a list of no text, which no field takes."""
    if isinstance(value, dict):
        return [[]]
    if isinstance(value, list) and not all(isinstance(one, str) for one in value):
        return [[]]
    return value
