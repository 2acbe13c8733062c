"""XES logs (IEEE 1849): traces and events as rows, streamed; a mapping says what they mean.

A trace's attribute `x` is the column `case:x`, an event's the column `x`. Attributes of attributes
and lists say nothing that a mapping could name and are passed over. Documents that define entities
are refused whole; so is, from there on, what is no XML or beyond the bounds below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Never
from xml.parsers import expat

from detector.decode import Decoded, Decoder
from replay.mapping import Mapping
from replay.readers.rows import Rows, check_columns, cut_off
from replay.readers.streams import Damaged, ReplayError, Source
from replay.readers.traces import CASE, Names, Stop, Traces

_PIECE_BYTES = 1 << 16
_TAG_BYTES_MAX = 1 << 20  # expat holds a tag until it is complete
_NAMES_MAX = 1_000
# The standard says what these are: a log that lacks one has lost it, the mapping is no slip.
_STANDARD = (
    "concept:name concept:instance time:timestamp lifecycle:transition lifecycle:model"
    " org:resource org:group org:role identity:id cost:total cost:currency cost:drivers"
).split()
_STANDARD += [CASE + name for name in _STANDARD]


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
    parser = _parser(source)
    names = Names(parser)
    try:
        for _ in _parsed(source, parser, piece_bytes):
            if wanted <= names.names.keys() or len(names.names) > _NAMES_MAX:
                return
    except Damaged:
        return  # what is missing may stand in the rest
    if names.events:
        check_columns(mapping, names.names, str(source.path), _STANDARD)


def _parser(source: Source) -> expat.XMLParserType:
    """A parser for one document, which may have no document type."""

    def refuse(*_: object) -> Never:
        reason = "has a document type (DTD), which no log needs: remove it"
        raise ReplayError(f"{source.path}: {reason}")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    return parser


def _parsed(source: Source, parser: expat.XMLParserType, piece_bytes: int) -> Iterator[None]:
    """Feeds the file to the parser, a piece a step. Raises `Damaged` where it breaks."""
    fed = 0
    try:
        for piece in source.pieces(piece_bytes):
            fed += len(piece)
            parser.Parse(piece, False)
            if fed - parser.CurrentByteIndex > _TAG_BYTES_MAX:
                raise Stop(f"it holds a tag of more than {_TAG_BYTES_MAX} bytes")
            yield
        parser.Parse(b"", True)
    except Damaged as fault:
        raise Damaged(fault.reason, parser.CurrentLineNumber) from None
    except Stop as fault:
        raise Damaged(str(fault), parser.CurrentLineNumber) from None
    except expat.ExpatError as fault:
        raise Damaged(f"it is no XML here: {expat.ErrorString(fault.code)}", fault.lineno) from None
    except (LookupError, ValueError) as fault:  # an encoding that nobody knows
        raise Damaged(f"its encoding cannot be read: {fault}") from None


def _read(
    source: Source, decoder: Decoder, mapping: Mapping, share: tuple[int, int], piece_bytes: int
) -> Iterator[Decoded]:
    names = list(mapping.uses())
    rows = Rows(decoder, mapping, names)
    parser = _parser(source)
    traces = Traces(parser, names, rows.privacy)
    number, damage = 0, None
    parsed = _parsed(source, parser, piece_bytes)
    more = True
    while more:
        try:
            next(parsed)
            ready = traces.ready
        except StopIteration:
            more, ready = False, traces.finish()
        except Damaged as fault:
            more, ready, damage = False, traces.finish(), fault
        for chunk in ready:
            if number % share[1] == share[0]:
                yield rows.decode(chunk)
            number += 1
        ready.clear()
    if damage:
        yield from cut_off(decoder, damage, share)
