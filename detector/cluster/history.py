"""A ledger's inputs in the order in which they arrived, whichever shards they were journalled by:
what another number of shards is made of."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from detector.cluster.layout import CASE, DEPARTMENT, parts_of
from detector.cluster.packing import OFFICER
from detector.cluster.relay import BEGINS
from detector.cluster.shards import kind_of
from detector.known import TICK
from detector.ledger import Reading, after
from detector.ledger.content import Content
from detector.ledger.journal import Block, blocks_of, checked
from detector.live.recovery import first_shard
from detector.live.shard import Shard


@dataclass(frozen=True)
class Input:
    """One line as it was journalled, or a content that came into force."""

    at: int  # when it arrived, µs UTC
    line: bytes = b""  # empty: an instant that passed
    stamp: int | None = None
    floor: int | None = None
    content: Content | None = None


def history(readers: Sequence[tuple[str, Reading]]) -> Iterator[Input]:
    """All inputs of shards, by name; lines that shards told each other are left out. What stands in
    several journals (certificates, contents) comes from the first alone."""
    parts = []
    for place, (name, reader) in enumerate(readers):
        if name == "all" or parts_of(name)[0] in (CASE, DEPARTMENT):
            parts.append(_of_shard(reader, place))
    for _, _, one in heapq.merge(*parts, key=lambda row: row[:2]):
        yield one


def _of_shard(reader: Reading, place: int) -> Iterator[tuple[int, int, Input]]:
    """(arrival, place of the shard, input), in order; the first frame's content left out."""
    shard = first_shard(reader, kind=kind_of(reader))
    position = shard.position
    for frame in reader.frames(2):
        text = checked(frame, position)
        position = after(position, [frame])
        blocks = blocks_of(text)
        if blocks[0].content:
            some = shard.reread(text)
            assert some.change is not None
            shard.judge(some)
            if place == 0:
                content = some.change.content
                yield content.at, place, Input(content.at, content=content)
            shard.position = position
            continue
        for at, block in _lines(shard, blocks, place == 0):
            yield at, place, Input(at, block.data, block.stamp, block.floor)
        shard.position = position


def _lines(
    shard: Shard, blocks: Sequence[Block], first: bool
) -> Iterator[tuple[int, Block]]:  # fmt: skip
    """Each line as a block of its own, and when it arrived; a tick as an empty one. Certificates
    only from the first shard."""
    for block in blocks:
        singles = [
            Block(block.stamp, line, 1, block.floor)
            for line in block.data.splitlines(keepends=True)
            if not line.startswith(BEGINS)
        ]
        if not singles:
            continue
        whole = Block(block.stamp, b"".join(b.data for b in singles), len(singles), block.floor)
        for one, at, kind in zip(singles, *_arrivals(shard, whole), strict=True):
            if kind != OFFICER or first:
                yield at, Block(one.stamp, b"", 0) if kind == TICK else one


def _arrivals(shard: Shard, block: Block) -> tuple[list[int], list[str]]:
    """When the lines of a block arrived, and of what kind they are; "" for a case's event."""
    at, kinds = np.zeros(block.n, np.int64), [""] * block.n
    for inputs in shard.reread_block(block, 0):
        at[inputs.position] = inputs.received_at
        for fact in inputs.facts:
            at[fact.position] = fact.received_at
            kinds[fact.position] = fact.kind
    return at.tolist(), kinds
