"""What of the live stream each viewer sees: frames are shared, and cut to size once a scope.

Viewers who see all are sent the hub's own bytes. For the others each frame is taken apart once, its
findings and changes are laid to their departments, and the parts of one scope are joined once; what
is left out leaves its id behind, so a viewer who comes back goes on from there.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from detector.ledger import Reading
from detector.web.readers import Readers
from detector.web.scopes import department_of, hidden
from detector.web.who import PERSONS, Who

FRAMES_KEPT = 64
_FINDING, _CHANGE, _BOARD = b"event: finding\n", b"event: change\n", b"event: board\n"
_DATA = b"\ndata: "
Scope = tuple[tuple[str, ...] | None, bool]


class _Changed(msgspec.Struct):
    finding_id: str = ""


class _Frame:
    """A frame taken apart: its events, whose each is (None: for all to see), and cuts of it."""

    def __init__(self, events: list[bytes], whose: list[tuple[bool, str | None]]) -> None:
        self.events, self.whose = events, whose
        self.cuts: dict[Scope, bytes] = {}


class Sight:
    """Cuts frames for viewers who do not see all."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._frames: OrderedDict[bytes, _Frame] = OrderedDict()

    async def cut(self, who: Who, frame: bytes) -> bytes:
        """What this viewer sees of a frame; "" where it is nothing. Raises `Problem`."""
        scope = (who.departments, who.may(PERSONS))
        if scope == (None, True) or not any(kind in frame for kind in (_FINDING, _CHANGE, _BOARD)):
            return frame
        held = self._frames.get(frame)
        if held is None:
            held = self._frames[frame] = await self._taken_apart(frame)
            while len(self._frames) > FRAMES_KEPT:
                self._frames.popitem(last=False)
        if scope not in held.cuts:
            held.cuts[scope] = _cut(held, scope)
        return held.cuts[scope]

    async def _taken_apart(self, frame: bytes) -> _Frame:
        events = [one + b"\n\n" for one in frame.split(b"\n\n") if one]
        names = [_changed(one) for one in events if _CHANGE in one]
        known: dict[str, str | None] = {}
        if names:
            known = await self._readers.ask(lambda reader: _departments(reader, names))
        whose: list[tuple[bool, str | None]] = []
        for one in events:
            if _FINDING in one:
                whose.append((True, department_of(_data(one))))
            elif _CHANGE in one:
                whose.append((True, known.get(_changed(one))))
            else:  # the board's figures are the whole district's
                whose.append((_BOARD in one, None))
        return _Frame(events, whose)


def _departments(reader: Reading, names: list[str]) -> dict[str, str | None]:
    told = {}
    for name in names:
        held = reader.finding(name)
        told[name] = department_of(held.doc) if held else None
    return told


def _cut(frame: _Frame, scope: Scope) -> bytes:
    departments, whole = scope
    told: list[bytes] = []
    left_out = b""
    for event, (bound, department) in zip(frame.events, frame.whose, strict=True):
        if bound and departments is not None and department not in departments:
            if event.startswith(b"id:"):
                left_out = event[: event.index(b"\n") + 1] + b"\n"  # its id alone
            continue
        left_out = b""
        told.append(event if whole or not bound else _masked(event))
    return b"".join([*told, left_out])


def _masked(event: bytes) -> bytes:
    at = event.index(_DATA) + len(_DATA)
    return event[:at] + hidden(event[at:].rstrip(b"\n")) + b"\n\n"


def _data(event: bytes) -> bytes:
    return event[event.index(_DATA) + len(_DATA) :].rstrip(b"\n")


def _changed(event: bytes) -> str:
    try:
        return msgspec.json.decode(_data(event), type=_Changed).finding_id
    except (msgspec.MsgspecError, ValueError):
        return ""
