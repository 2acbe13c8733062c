"""Bring a shard back: the newest snapshot that fits, then the journal that follows, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from detector.ledger import Frame, LedgerError, Position, Reading, after
from detector.ledger.content import Content
from detector.ledger.journal import CONTENT, blocks_of, checked
from detector.live import snapshot
from detector.live.contents import Make, in_force, read_change, read_contents
from detector.live.shard import Arrived, Kind, Shard, arrived

BATCH_INPUTS = 16_384


@dataclass
class Recovered:
    """A shard that stands at the end of its ledger, and how it got there."""

    shard: Shard
    snapshot_seq: int = 0  # 0: from the first frame
    replayed: int = 0  # inputs
    passed_over: list[str] = field(default_factory=list)  # snapshots that could not be used


def recover(
    ledger: Reading, snapshots: Path | None, say: Callable[[int], None] = lambda done: None,
    make: Make = Content.engine, kind: Kind = Shard,
) -> Recovered:  # fmt: skip
    """The shard of a begun ledger. Raises `LedgerError` naming what does not fit."""
    recovered = _from_snapshot(ledger, snapshots, make, kind)
    shard = recovered.shard
    shard.ledger = ledger
    for batch in batches(shard, ledger.frames(shard.position.seq + 1)):
        effects = shard.judge(batch.arrived)
        shard.link(batch.arrived, effects)
        shard.position = batch.position
        recovered.replayed += batch.arrived.n
        say(recovered.replayed)
    if shard.position != ledger.position():
        raise LedgerError("the journal does not end where the ledger's position says")
    return recovered


def first_shard(ledger: Reading, make: Make = Content.engine, kind: Kind = Shard) -> Shard:
    """The shard behind the first frame, which holds what judges. Raises `LedgerError`."""
    frame = next(iter(ledger.frames(1, 1)), None)
    if frame is None:
        raise LedgerError("the ledger is empty")
    blocks = blocks_of(checked(frame, Position()))
    if not blocks or not blocks[0].content:
        raise LedgerError("journal frame 1: does not hold the district and the rulebook")
    try:
        first = read_change(blocks[0].data, None, make)
    except ValueError as fault:
        raise LedgerError(f"journal frame 1: {fault}") from None
    shard = kind(first.engine, None)
    shard.position, shard.ledger, shard.make = after(Position(), [frame]), ledger, make
    shard.contents = [in_force(1, 0, first.content)]
    return shard


def _from_snapshot(ledger: Reading, folder: Path | None, make: Make, kind: Kind) -> Recovered:
    passed_over = []
    for path in snapshot.found(folder) if folder else ():
        try:
            shard = snapshot.load(path, lambda frames: read_contents(ledger, frames), make, kind)
            _fits(shard.position, ledger)
        except snapshot.Torn as fault:
            passed_over.append(f"{path.name}: {fault}")
            continue
        return Recovered(shard, shard.position.seq, 0, passed_over)
    return Recovered(first_shard(ledger, make, kind), 0, 0, passed_over)


def _fits(position: Position, ledger: Reading) -> None:
    frame = next(iter(ledger.frames(position.seq, position.seq)), None)
    if frame is None or after(Position(), [frame]) != position:
        raise snapshot.Torn("stands at no place of this journal")


@dataclass
class Batch:
    """Some frames as inputs to be judged together; a change of what judges stands alone."""

    arrived: Arrived
    position: Position  # once they were judged


def batches(
    shard: Shard, frames: Iterator[Frame], inputs_max: int = BATCH_INPUTS
) -> Iterator[Batch]:
    """The frames behind a shard's position, checked and read, some at a time.

    The shard must have judged and linked one batch before the next is asked for.
    """
    parts: list[Arrived] = []
    position = shard.position
    for frame in frames:
        text = checked(frame, position)
        if parts and text.startswith(CONTENT):
            yield Batch(_together(parts, shard), position)
            parts = []
        position = after(position, [frame])
        try:
            parts.append(shard.reread(text))
        except ValueError as fault:
            raise LedgerError(f"journal frame {frame.seq}: {fault}") from None
        if parts[-1].n != frame.n:
            raise LedgerError(f"journal frame {frame.seq}: n: does not count its inputs")
        if parts[-1].change:
            yield Batch(parts.pop(), position)
        elif sum(part.n for part in parts) >= inputs_max:
            yield Batch(_together(parts, shard), position)
            parts = []
    if parts:
        yield Batch(_together(parts, shard), position)


def _together(parts: list[Arrived], shard: Shard) -> Arrived:
    place = 0
    for part in parts:
        part.inputs.position = part.inputs.position + place
        for fact in part.inputs.facts:
            fact.position += place
        place += part.n
    return arrived([p.inputs for p in parts], [], shard.words)
