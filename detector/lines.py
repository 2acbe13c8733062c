"""One line of NDJSON as a JSON object, within bounds, or a reason why it is none; and what many
lines give as columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from detector.event import FACTS, LINE_BYTES_MAX, Event, Refused
from detector.values import ABSENT, read_money
from detector.vocabulary import to_bytes

DEPTH_MAX = 64  # how deep a line may nest; no stack of a caller decides it
_object = msgspec.json.Decoder()
_raw_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KNOWN = frozenset(Event.__struct_fields__).union(("kind",), *FACTS.values())
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


def parse_line(text: bytes) -> dict[str, Any]:
    """One line as a JSON object. Raises `Refused` with the field `line`."""
    return _parse(text, _object)


def parse_own(text: bytes) -> dict[str, msgspec.Raw]:
    """One of our own lines, its fields as they are written. Raises `Refused` as `parse_line`."""
    return _parse(text, _raw_object)


def known_fields(line: Mapping[str, msgspec.Raw]) -> dict[str, Any]:
    """The values of the fields that we know; the others are not looked into. Raises `Refused`."""
    return {name: _field(name, value) for name, value in line.items() if name in _KNOWN}


def _parse(text: bytes, decoder: msgspec.json.Decoder[Any]) -> dict[str, Any]:
    if len(text) > LINE_BYTES_MAX:
        raise Refused("line", f"is longer than {LINE_BYTES_MAX} bytes")
    if depth(text) > DEPTH_MAX:
        raise Refused("line", "is nested too deep")
    try:
        text.decode()
        line = decoder.decode(text)
    except UnicodeDecodeError:
        raise Refused("line", "is not valid UTF-8") from None
    except msgspec.ValidationError:
        raise Refused("line", "is not a JSON object") from None
    except msgspec.MsgspecError as fault:
        raise Refused("line", f"is not JSON: {str(fault)[:120]}") from None
    if not isinstance(line, dict):
        raise Refused("line", "is not a JSON object")
    return line


def _field(name: str, value: msgspec.Raw) -> Any:
    try:
        return _object.decode(value)
    except msgspec.MsgspecError:
        raise Refused(name, "cannot be read") from None


def depth(text: bytes) -> int:
    """How deep a line nests, as far as its brackets outside texts tell."""
    if text.count(b"{") + text.count(b"[") <= DEPTH_MAX:
        return 0
    depth = deepest = 0
    for part in _BRACKETS.finditer(text):
        bracket = part.group()
        if bracket in (b"{", b"["):
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in (b"}", b"]"):
            depth -= 1
    return deepest


def amounts(values: list[str | int | float | None], unsure: np.ndarray) -> np.ndarray:
    """Money as fen; rows that do not read are marked."""
    out = np.full(len(values), ABSENT, np.int64)
    if values.count(None) == len(values):
        return out
    for row in [row for row, value in enumerate(values) if value is not None]:
        value = values[row]
        try:
            if value is not None and value != "":
                out[row] = read_money(value)
        except ValueError:
            unsure[row] = True
    return out


def ids(texts: list[str | None], unsure: np.ndarray) -> np.ndarray:
    """Ids as a bytes column; rows whose id is not surely sound are marked and left empty."""
    if not any(texts):
        return np.zeros(len(texts), "S1")
    whole = "".join([t or "" for t in texts])
    longest = max(len(t) for t in texts if t)
    if longest <= 128 and whole.isascii() and whole.isprintable() and " " not in whole:
        if len(whole) == longest * len(texts):
            return np.frombuffer(whole.encode(), f"S{longest}")
        return np.array([t.encode() if t else b"" for t in texts], dtype=np.bytes_)
    odd = [
        t and not (len(t) <= 128 and t.isascii() and t.isprintable() and " " not in t)
        for t in texts
    ]
    unsure |= np.array([bool(o) for o in odd], bool)
    return to_bytes(["" if o else (t or "") for t, o in zip(texts, odd, strict=True)])
