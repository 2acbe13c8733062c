"""One line of NDJSON as a JSON object, within bounds, or a reason why it is none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from detector.event import FACTS, LINE_BYTES_MAX, Event, Refused

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
