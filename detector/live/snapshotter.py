"""When a snapshot is taken, and the thread that writes it while the engine goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from detector.live.shard import Shard
from detector.live.snapshot import Captured, Twin, capture, sizes, write

EVERY_INPUTS = 2_000_000
EVERY_S = 300.0


class Snapshotter:
    """Takes a snapshot after so many inputs or seconds, one at a time."""

    def __init__(
        self, folder: Path, seconds: Callable[[], float],
        say: Callable[[str, dict[str, object]], None],
        every_inputs: int = EVERY_INPUTS, every_s: float = EVERY_S,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.seconds, self.say = seconds, say
        self.every_inputs, self.every_s = every_inputs, every_s
        self.taken = 0
        self._writer = ThreadPoolExecutor(1, "snapshot")
        self._writing: Future[None] | None = None
        self._twin = Twin()
        self._since, self._at = 0, seconds()

    def began(self, shard: Shard) -> None:
        """The shard stands where its latest snapshot, or nothing, was."""
        self._since, self._at = shard.position.next_event, self.seconds()
        self._writing = self._writer.submit(self._prepare, sizes(shard))

    def _prepare(self, wanted: list[tuple[str, np.dtype[Any], int]]) -> None:
        for name, dtype, length in wanted:
            self._twin.expect(name, dtype, length)

    def consider(self, shard: Shard) -> None:
        """Take a snapshot if it is time; called between two batches."""
        news = shard.position.next_event - self._since
        if news >= self.every_inputs or (news and self.seconds() - self._at >= self.every_s):
            self.take(shard)

    def take(self, shard: Shard) -> None:
        """Take a snapshot now, unless the one before is still being written."""
        if self._writing is not None and not self._writing.done():
            return
        begun = self.seconds()
        captured = capture(shard, self._twin)
        self._since, self._at = shard.position.next_event, self.seconds()
        self._writing = self._writer.submit(self._write, captured, self._at - begun)

    def _write(self, captured: Captured, pause_s: float) -> None:
        begun = self.seconds()
        try:
            path = write(captured, self.folder)
        except OSError as fault:  # only a longer restart is lost
            self.say("snapshot_failed", {"error": fault.strerror or str(fault)})
            return
        finally:
            self._twin.grow()
        self.taken += 1
        told = {"file": path.name, "bytes": path.stat().st_size}
        spent = {"pause_s": round(pause_s, 4), "seconds": round(self.seconds() - begun, 3)}
        self.say("snapshot", told | spent)

    def close(self, shard: Shard) -> None:
        """Take a last one if anything came since, and see it written."""
        if self._writing is not None:
            self._writing.result()
        if shard.position.next_event > self._since:
            self.take(shard)
        self._writer.shutdown(wait=True)
