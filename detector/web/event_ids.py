"""Ids of the live stream's events, and the events as bytes.

An id says what was sent up to and with its event: `epoch-n0.n1.…`, of each shard the number of its
latest move, in the hub's order of shards. A ledger with one shard has `epoch-number`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detector.ledger import RAISED, Move

DIGITS_MAX = 18  # of one number
Numbers = tuple[int, ...]  # of each shard, in the hub's order
_encode = msgspec.json.Encoder().encode


def id_line(epoch: str, numbers: Iterable[int]) -> bytes:
    """How an event begins."""
    return f"id: {epoch}-{'.'.join(map(str, numbers))}\n".encode()


def numbers_in(event_id: str, epoch: str, shards: int) -> Numbers | None:
    """The numbers of an id of this epoch; None where it is no such id."""
    of, _, told = event_id.rpartition("-")
    numbers = told.split(".")
    if of != epoch or len(numbers) != shards or not all(map(_is_number, numbers)):
        return None
    return tuple(map(int, numbers))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX


def covers(numbers: Numbers, others: Numbers) -> bool:
    """Whether all that was sent up to `others` was sent up to `numbers`."""
    return all(mine >= other for mine, other in zip(numbers, others, strict=True))


def encode_event(line: bytes, move: Move) -> bytes:
    """A move behind its id's line: `finding` with its document, or `change` of standing."""
    if move.code == RAISED:
        assert move.doc is not None
        return b"%bevent: finding\ndata: %b\n\n" % (line, move.doc)
    told = {"finding_id": move.finding_id, "reason": move.code or "stands"}
    return b"%bevent: change\ndata: %b\n\n" % (
        line, _encode(told | {"actor": move.actor, "at": move.at}),
    )  # fmt: skip


def encode_resync(line: bytes, reason: str) -> bytes:
    """Says that events up to this id were left out: take the lists again."""
    return b"%bevent: resync\ndata: %b\n\n" % (line, _encode({"reason": reason}))


def line_of(event: bytes) -> bytes:
    """The line with the id of an encoded event."""
    return event[: event.index(b"\n") + 1]


def renumbered(event: bytes, line: bytes) -> bytes:
    """The same event with another id."""
    return line + event[event.index(b"\n") + 1 :]
