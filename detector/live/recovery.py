"""Bring a shard back: the newest snapshot that fits, then the journal that follows, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from detector.engine import Engine
from detector.ledger import Frame, LedgerError, Position, Reading, after
from detector.ledger.content import Content, read_content
from detector.ledger.journal import blocks_of, checked
from detector.live import snapshot
from detector.live.shard import Arrived, Shard, arrived

BATCH_INPUTS = 16_384


@dataclass
class Recovered:
    """A shard that stands at the end of its ledger, and how it got there."""

    shard: Shard
    content: Content
    snapshot_seq: int = 0  # 0: from the first frame
    replayed: int = 0  # inputs
    passed_over: list[str] = field(default_factory=list)  # snapshots that could not be used


def recover(
    ledger: Reading, snapshots: Path | None, say: Callable[[int], None] = lambda done: None,
    make: Callable[[Content], Engine] = Content.engine,
) -> Recovered:  # fmt: skip
    """The shard of a begun ledger. Raises `LedgerError` naming what does not fit."""
    content = first_content(ledger)
    recovered = _from_snapshot(ledger, snapshots, content, lambda: make(content))
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


def first_content(ledger: Reading) -> Content:
    """What the ledger was begun with. Raises `LedgerError`."""
    frame = next(iter(ledger.frames(1, 1)), None)
    if frame is None:
        raise LedgerError("the ledger is empty")
    blocks = blocks_of(checked(frame, Position()))
    if not blocks or not blocks[0].content:
        raise LedgerError("journal frame 1: does not hold the district and the rulebook")
    return read_content(blocks[0].data)


def _from_snapshot(
    ledger: Reading, folder: Path | None, content: Content, engine: Callable[[], Engine]
) -> Recovered:
    passed_over = []
    for path in snapshot.found(folder) if folder else ():
        try:
            shard = snapshot.load(path, content.digest(), engine)
            _fits(shard.position, ledger)
        except snapshot.Torn as fault:
            passed_over.append(f"{path.name}: {fault}")
            continue
        return Recovered(shard, content, shard.position.seq, 0, passed_over)
    shard = Shard(engine())
    first = next(iter(ledger.frames(1, 1)))
    shard.position = after(Position(), [first])
    return Recovered(shard, content, 0, 0, passed_over)


def _fits(position: Position, ledger: Reading) -> None:
    frame = next(iter(ledger.frames(position.seq, position.seq)), None)
    if frame is None or after(Position(), [frame]) != position:
        raise snapshot.Torn("stands at no place of this journal")


@dataclass
class Batch:
    """Some frames as inputs to be judged together."""

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
        position = after(position, [frame])
        try:
            parts.append(shard.reread(text))
        except ValueError as fault:
            raise LedgerError(f"journal frame {frame.seq}: {fault}") from None
        if parts[-1].n != frame.n:
            raise LedgerError(f"journal frame {frame.seq}: n: does not count its inputs")
        if sum(part.n for part in parts) >= inputs_max:
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
