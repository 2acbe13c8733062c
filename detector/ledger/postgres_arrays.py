"""A batch's columns as PostgreSQL keeps arrays: spelled out here, since a driver asks of each value
what it is, and of an empty list it cannot know, so that it would prepare the call over and over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Any

from detector.ledger.statement import clean

_HEAD = Struct("!5i")  # dimensions, may some be NULL, type of the elements; how many, from which on
_LENGTH, _BIGINT, _INTEGER = Struct("!i").pack, Struct("!iq").pack, Struct("!ii").pack
_NULL = _LENGTH(-1)


class Array(bytes):
    """An array in the database's own form."""


def _bytes(value: bytes) -> bytes:
    return _LENGTH(len(value)) + value


def _text(value: str) -> bytes:
    return _bytes(clean(value).encode())


_TYPES: dict[str, tuple[int, Callable[[Any], bytes]]] = {  # its number in every database, a value
    "bigint": (20, lambda value: _BIGINT(8, value)),
    "integer": (23, lambda value: _INTEGER(4, value)),
    "bytea": (17, _bytes),
    "text": (25, _text),
}
_EMPTY = {kind: Array(Struct("!3i").pack(0, 0, number)) for kind, (number, _) in _TYPES.items()}


def array(values: Sequence[Any], kind: str) -> Array:
    """Values of one of `_TYPES`, None among them."""
    if not values:
        return _EMPTY[kind]
    number, spell = _TYPES[kind]
    told = [_NULL if value is None else spell(value) for value in values]
    return Array(_HEAD.pack(1, int(_NULL in told), number, len(told), 1) + b"".join(told))


def columns(rows: Iterable[Any], names: Sequence[str], kinds: Sequence[str]) -> list[Array]:
    """The columns of rows, which are dictionaries or have attributes."""
    told = [row if isinstance(row, dict) else vars(row) for row in rows]
    return [
        array([row[name] for row in told], kind) for name, kind in zip(names, kinds, strict=True)
    ]
