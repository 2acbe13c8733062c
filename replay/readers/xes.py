"""XES logs (IEEE 1849): traces and events as rows, streamed; a mapping says what they mean.

A trace's attribute `x` is the column `case:x`, an event's the column `x`. Attributes of attributes
and lists say nothing that a mapping could name and are passed over. Documents that define entities
are refused whole; so is, from there on, what is no XML or beyond the bounds below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.parsers import expat

from detector.decode import Decoded, Decoder
from replay.mapping import Mapping
from replay.readers.rows import Chunk, Rows, check_columns, cut_off, is_dropped
from replay.readers.streams import Damaged, ReplayError, Source
from replay.readers.xmlrows import CASE, Log, Stop

_PIECE_BYTES = 1 << 16
_TAG_BYTES_MAX = 1 << 20  # expat holds a tag until it is complete
_CHUNK_ROWS = 4_096
_NAMES_MAX = 1_000
_STANDARD = tuple(  # the standard says what these are: that a log lacks one is no slip of the pen
    scope + name
    for scope in ("", CASE)
    for name in (
        "concept:name", "concept:instance", "time:timestamp", "lifecycle:transition",
        "lifecycle:model", "org:resource", "org:group", "org:role", "identity:id", "cost:total",
        "cost:currency",
    )
)  # fmt: skip


def open_xes(
    source: Source, decoder: Decoder, mapping: Mapping | None, share: tuple[int, int],
    piece_bytes: int = _PIECE_BYTES,
) -> Iterator[Decoded]:  # fmt: skip
    """Checks the mapping's columns now, reads later. Raises `ReplayError`."""
    if mapping is None:
        raise ReplayError(f"{source.path}: an XES log needs a mapping file: see examples/receipt")
    _check(source, mapping, piece_bytes)
    return _read(source, decoder, mapping, share, piece_bytes)


def _check(source: Source, mapping: Mapping, piece_bytes: int) -> None:
    """Every column that the mapping names must be declared by the log or occur in it."""
    wanted = set(mapping.uses()).difference(_STANDARD)
    log = Log((), ())
    log.listen()
    try:
        for _ in parsed(source, log, piece_bytes):
            if wanted <= log.names.keys() or len(log.names) > _NAMES_MAX:
                return
    except Damaged:
        return  # what is missing may stand in the rest
    if log.met:
        check_columns(mapping, [*log.names, *_STANDARD], str(source.path))


def parsed(source: Source, log: Log, piece_bytes: int) -> Iterator[int]:
    """Feed a file to the parser; yields the line it has come to after each piece.

    Raises `Damaged` where the XML or the file breaks, `ReplayError` for a document type.
    """
    parser = expat.ParserCreate()
    log.attach(parser)
    parser.StartDoctypeDeclHandler = _no_doctype(source)
    fed = 0
    try:
        for piece in source.pieces(piece_bytes):
            fed += len(piece)
            parser.Parse(piece, False)
            if fed - parser.CurrentByteIndex > _TAG_BYTES_MAX:
                raise Stop(f"it holds a tag of more than {_TAG_BYTES_MAX} bytes")
            yield parser.CurrentLineNumber
        parser.Parse(b"", True)
    except Damaged as fault:
        raise Damaged(fault.reason, parser.CurrentLineNumber) from None
    except Stop as fault:
        raise Damaged(str(fault), parser.CurrentLineNumber) from None
    except expat.ExpatError as fault:
        raise Damaged(f"it is no XML here: {expat.ErrorString(fault.code)}", fault.lineno) from None
    except (LookupError, ValueError) as fault:  # an encoding that nobody knows
        raise Damaged(f"its encoding cannot be read: {fault}") from None


def _no_doctype(source: Source) -> Callable[..., None]:
    def refuse(*_: object) -> None:
        reason = "has a document type (DTD), which a log does not need: remove it"
        raise ReplayError(f"{source.path}: {reason}")

    return refuse


def _read(
    source: Source, decoder: Decoder, mapping: Mapping, share: tuple[int, int], piece_bytes: int
) -> Iterator[Decoded]:
    names = list(mapping.uses())
    rows = Rows(decoder, mapping, names)
    lost = _Lost(decoder)
    log = Log(names, lost if decoder.drop else ())
    number, damage = 0, None

    def chunks(rows_min: int) -> Iterator[Decoded]:
        nonlocal number
        while len(log.done.rows) >= rows_min and (log.done.rows or rows_min):
            chunk = log.take(_CHUNK_ROWS)
            if number % share[1] == share[0]:
                yield rows.decode(chunk)
            number += 1

    try:
        for _ in parsed(source, log, piece_bytes):
            yield from chunks(_CHUNK_ROWS)
    except Damaged as fault:
        damage = fault
