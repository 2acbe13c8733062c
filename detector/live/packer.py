"""Journal frames in the making: a thread packs and chains them while their inputs are judged."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from detector.ledger import Frame, Position, after
from detector.ledger.journal import Block, Packed, canonical, compress, finish_frame, frames_of

Packing = list[tuple[int, Future[Packed]]]  # inputs of each frame, and the frame in the making


class Packer:
    """One thread; frames come out in the order in which they were asked for."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "pack")

    def begin(self, blocks: Sequence[Block], previous: bytes) -> Packing:
        """Start on the frames of these blocks, behind a frame of that hash."""
        packing: Packing = []
        before: Future[Packed] | None = None
        for frame in frames_of(blocks):
            before = self._thread.submit(_pack, frame, before, previous)
            packing.append((sum(block.n for block in frame), before))
        return packing

    def close(self) -> None:
        """Take no more."""
        self._thread.shutdown(wait=False)


def finish(packing: Packing, before: Position, at: np.ndarray, back: np.ndarray) -> list[Frame]:
    """The frames once their inputs were judged; the columns are those of all their inputs."""
    frames: list[Frame] = []
    position, begin = before, 0
    for n, packed in packing:
        part = slice(begin, begin + n)
        frames.append(finish_frame(position, packed.result(), at[part], back[part]))
        position = after(position, frames[-1:])
        begin += n
    return frames


def _pack(blocks: list[Block], before: Future[Packed] | None, first: bytes) -> Packed:
    return compress(canonical(blocks), first if before is None else before.result().hash)
