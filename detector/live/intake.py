"""From a body's bytes to lines that are judged and journalled, and lines that are refused.

A body is NDJSON or a JSON array. What is journalled are its lines as they came, less refused ones
and what privacy drops; `decode` says what they mean, now and at every later reading.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby

import msgspec
import numpy as np

from detector.columns import Inputs
from detector.decode import Decoder
from detector.event import Fact, Refusal, Refused
from detector.known import FACT_IDS, TICK, KnownFacts
from detector.ledger.journal import Block
from detector.lines import parse_line
from detector.live import Unreadable
from detector.values import ABSENT, DAY_US

_array = msgspec.json.Decoder(list[msgspec.Raw])
_BLANK = b" \t\r\n"
WITHHELD = b'{"withheld":"it may name a reporter and cannot be read"}'


@dataclass
class Taken:
    """One body as it was read. Positions count its lines from `first_position`."""

    data: bytes  # its lines, each with its newline
    first_position: int
    stamp: int | None
    inputs: Inputs
    refusals: list[Refusal]
    dropped: int
    duplicates: int = 0  # facts that were known
    positions: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # of `inputs`
    floors: dict[int, int] = field(default_factory=dict)  # position → arrival that was put later

    @property
    def count(self) -> int:
        """How many lines the body has."""
        return self.data.count(b"\n")

    @cached_property
    def lines(self) -> list[bytes]:
        """Its lines, and an empty one behind the last."""
        return self.data.split(b"\n")


def as_lines(body: bytes) -> bytes:
    """The body as NDJSON whose last line ends. Raises `Unreadable`."""
    if body[:64].lstrip(_BLANK)[:1] == b"[":
        try:
            objects = _array.decode(body)
            return b"".join(msgspec.json.format(one, indent=-1) + b"\n" for one in objects)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Unreadable("the body begins as a JSON array and is none of objects") from None
    return body if body.endswith(b"\n") or not body else body + b"\n"


def take(decoder: Decoder, data: bytes, stamp: int | None, first_position: int) -> Taken:
    """Read the lines of one body that arrived at `stamp` (None: as they say themselves)."""
    decoder.how = msgspec.structs.replace(decoder.how, stamp=stamp)
    decoded = decoder.decode(data, 1, first_position)
    taken = Taken(data, first_position, stamp, decoded.inputs, decoded.refusals, decoded.dropped)
    _named_only(decoder, taken)
    if stamp is not None:
        _no_ticks(decoder, taken)
    return taken


def _named_only(decoder: Decoder, taken: Taken) -> None:
    """A live event must bear an id: by it a line that is sent again is known."""
    nameless = taken.inputs.event_id == b""
    if not nameless.any():
        return
    for position in taken.inputs.position[nameless].tolist():
        refuse(decoder, taken, position, "event_id", "is missing")
    _keep_rows(taken, ~nameless)


def _keep_rows(taken: Taken, rows: np.ndarray) -> None:
    """Only these events (a mask) stay, and all facts."""
    facts = taken.inputs.facts
    taken.inputs = taken.inputs.take(rows)
    taken.inputs.facts = facts


def drop_known_facts(decoder: Decoder, taken: Taken, known: KnownFacts) -> None:
    """Facts are taken once each, by the id of their kind; ticks have none."""
    fresh = []
    for fact in taken.inputs.facts:
        verdict = known.enter(fact)
        if verdict == "new":
            fresh.append(fact)
        elif verdict == "known":
            taken.duplicates += 1
        else:
            refuse(decoder, taken, fact.position, FACT_IDS[fact.kind][0], "conflicting_duplicate")
    taken.inputs.facts = fresh


def _no_ticks(decoder: Decoder, taken: Taken) -> None:
    """The wall clock ticks by itself: nobody else may move it."""
    facts = taken.inputs.facts
    for fact in [f for f in facts if f.kind == TICK]:
        refuse(decoder, taken, fact.position, "kind", "tick: is only taken under --clock events")
    taken.inputs.facts = [f for f in facts if f.kind != TICK]


def refuse(decoder: Decoder, taken: Taken, position: int, name: str, error: str) -> None:
    """Refuse a line that had been read."""
    place = position - taken.first_position
    taken.refusals.append(decoder.refusal(place + 1, Refused(name, error), taken.lines[place]))


def put_in_order(decoder: Decoder, taken: Taken, floor: int) -> int:
    """Let no input arrive before those that came before it: the clock never goes back.

    `floor` (µs UTC, `ABSENT` before any input) is the earliest instant at which an input may still
    arrive; the new one is returned. An input that says that it arrived earlier is taken to have
    arrived then; one that leaps more than `clock_jump_days_max` ahead is refused.
    """
    inputs = taken.inputs
    jump = decoder.how.clock_jump_days_max * DAY_US if taken.stamp is None else None
    at, ticks = inputs.received_at, np.zeros(len(inputs), bool)
    if inputs.facts:
        places = np.append(inputs.position, [fact.position for fact in inputs.facts])
        order = np.argsort(places, kind="stable")
        at = np.append(at, [fact.received_at for fact in inputs.facts])[order]
        ticks = np.append(ticks, [fact.kind == TICK for fact in inputs.facts])[order]
    floors = np.maximum.accumulate(np.append(floor, at + ticks))  # before each, behind the last
    before = floors[:-1]
    rising = bool((at >= before - ticks).all())
    if rising and (jump is None or bool(((at <= before + jump) | (before == ABSENT)).all())):
        return int(floors[-1])
    return _one_by_one(decoder, taken, floor, jump)


def _one_by_one(decoder: Decoder, taken: Taken, floor: int, jump: int | None) -> int:
    inputs = taken.inputs
    inputs.received_at = at = inputs.received_at.copy()
    rows: list[tuple[int, int | Fact]] = list(_placed(inputs.position))
    rows += [(fact.position, fact) for fact in inputs.facts]
    gone = np.zeros(len(at), bool)
    for position, one in sorted(rows, key=lambda row: row[0]):
        own = one.received_at if isinstance(one, Fact) else int(at[one])
        ticks = isinstance(one, Fact) and one.kind == TICK
        if jump is not None and floor != ABSENT and own > floor + jump:
            error = "clock_jump: lies too far after the clock"
            refuse(decoder, taken, position, "received_at", error)
            if isinstance(one, Fact):
                inputs.facts = [f for f in inputs.facts if f is not one]
            else:
                gone[one] = True
            continue
        arrived = max(own, floor - ticks)
        if arrived != own:
            taken.floors[position] = arrived
            if isinstance(one, Fact):
                one.received_at = arrived
            else:
                at[one] = arrived
        floor = max(floor, arrived + ticks)
    if gone.any():
        _keep_rows(taken, ~gone)
    return floor


def _placed(positions: np.ndarray) -> list[tuple[int, int]]:
    """Where each row stood in its body, and its number."""
    return [(position, row) for row, position in enumerate(positions.tolist())]


def blocks_of_body(decoder: Decoder, taken: Taken) -> list[Block]:
    """What is journalled of a body: the lines that were read, as they came."""
    n = len(taken.inputs) + len(taken.inputs.facts)
    if not n:
        return []
    if n == taken.count and not taken.dropped and not taken.floors:
        return [Block(taken.stamp, taken.data, n)]
    positions = [*taken.inputs.position.tolist(), *(f.position for f in taken.inputs.facts)]
    blocks = []
    for floor, run in groupby(sorted(positions), key=taken.floors.get):
        lines = [taken.lines[position - taken.first_position] for position in run]
        if taken.dropped:
            lines = [without_dropped(decoder, line) for line in lines]
        blocks.append(Block(taken.stamp, b"\n".join(lines) + b"\n", len(lines), floor))
    return blocks


def without_dropped(decoder: Decoder, line: bytes) -> bytes:
    """A line without the fields that the district does not let us keep."""
    if not decoder.may_drop(line):
        return line
    return msgspec.json.encode(decoder.without_dropped(parse_line(line)))


def cleaned(decoder: Decoder, lines: bytes) -> bytes:
    """Lines without what the district does not let us keep, wherever they go to; one that may hold
    it and cannot be read goes as `WITHHELD`, which is refused."""
    if not decoder.may_drop(lines):
        return lines
    parts = []
    for line in lines.split(b"\n"):
        try:
            parts.append(without_dropped(decoder, line))
        except Refused:
            parts.append(WITHHELD)
    return b"\n".join(parts)


def reread(decoder: Decoder, block: Block, first_position: int) -> Inputs:
    """The inputs of a journalled block, all of which were read before. Raises `ValueError`."""
    decoder.how = msgspec.structs.replace(decoder.how, stamp=block.stamp)
    decoded = decoder.decode(block.data, 1, first_position)
    inputs = decoded.inputs
    if decoded.refusals:
        fault = decoded.refusals[0]
        raise ValueError(f"line {fault.line}: {fault.field}: {fault.error}")
    if block.floor is not None:
        inputs.received_at = np.maximum(inputs.received_at, block.floor)
        for fact in inputs.facts:
            fact.received_at = max(fact.received_at, block.floor)
    return inputs
