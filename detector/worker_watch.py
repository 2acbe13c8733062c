"""The watchdog of a worker: without progress it ends, and is started again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping

from detector.adapters import machine
from detector.adapters.kafka import Ends, Unreachable
from detector.cluster.desk import Desk

LOOK_S = 2.0
OPENING_S = 1_800.0  # of one shard: a journal of some ten million inputs is read in that time


class Stalled(Exception):
    """Records wait, and none was judged for too long."""


class Watch:
    """Ends a worker that makes no progress: whose loop stands still, or whose shards do while
    records wait for them."""

    def __init__(
        self, ends: Ends, topic: str, desks: Callable[[], Mapping[int, Desk]],
        failed: Callable[[BaseException], None], broken: Callable[[], bool],
        opening_since: Callable[[], float | None], stall_s: float,
    ) -> None:  # fmt: skip
        self._ends, self._topic, self._desks = ends, topic, desks
        self._failed, self._broken, self._stall_s = failed, broken, stall_s
        self._opening_since = opening_since
        self._beat = machine.seconds()
        self._since: dict[int, tuple[int, float]] = {}  # done, since when
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._task.cancel()

    def _look(self) -> None:
        while not self._stopping.wait(LOOK_S):
            still = machine.seconds() - self._beat
            if still > self._stall_s:
                self._failed(Stalled(f"the loop has stood still for {still:.0f} s"))

    async def _run(self) -> None:
        while True:
            self._beat = machine.seconds()
            if self._broken():
                self._failed(Stalled("the group's member has ended"))
            try:
                await self.measure()
            except Unreachable:  # nobody knows whether records wait
                self._since.clear()
            await asyncio.sleep(LOOK_S)

    async def measure(self) -> None:
        """How far each shard is behind, and since when it is."""
        desks, now = dict(self._desks()), machine.seconds()
        if (since := self._opening_since()) is not None:  # until all are open, records wait
            self._since.clear()
            if now - since > OPENING_S:
                self._failed(Stalled(f"a shard has been opening for {now - since:.0f} s"))
            return
        if not desks:
            return
        ends = await self._ends.ends(self._topic, list(desks))
        for number, desk in desks.items():
            desk.lag = max(ends[number] - desk.done, 0)
            done, since = self._since.get(number, (-1, now))
            if done != desk.done or not desk.lag:
                self._since[number] = (desk.done, now)
            elif now - since > self._stall_s:
                self._failed(Stalled(f"{desk.name}: {desk.lag} records wait"))
