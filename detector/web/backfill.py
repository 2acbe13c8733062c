"""What the ledger holds and the hub did not hear, or a viewer has missed.

Several shards are heard over a network that may leave out anything, so the ledger is looked at
again and again: what is missing is told from there, at the latest a second after it was committed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from detector.ledger import LedgerError, Move
from detector.web.event_ids import Numbers, covers, encode_event
from detector.web.hub import Hub
from detector.web.problems import Problem
from detector.web.readers import Readers

PAGE = 500  # moves read for a viewer at a time
FILL_PAGE = 50  # moves read for all viewers at a time: a frame of them can be afforded
_log = logging.getLogger("oriole.web")


class Backfill:
    """A hub's view of its ledger."""

    def __init__(self, hub: Hub, readers: Readers) -> None:
        self.hub, self.readers = hub, readers
        self.filled = 0  # moves that were told from the ledger because they were not heard
        self._looking = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look at the ledger from now on; in the running loop."""
        self._task = asyncio.create_task(self._run())

    def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()

    # -- questions --------------------------------------------------------------------------------

    async def last(self) -> Numbers:
        """Of each shard, the number of its latest move."""
        told = await self.readers.ask(lambda reader: reader.last_moves())
        return tuple(told.get(shard, 0) for shard in self.hub.shards)

    async def page(self, place: int, after: int, limit: int) -> list[tuple[int, Move]]:
        """(number, move) of what came after that number of a shard, oldest first."""
        shard = self.hub.shards[place]
        return await self.readers.ask(lambda reader: reader.moves_of(shard, after, limit))

    # -- for all viewers --------------------------------------------------------------------------

    async def _run(self) -> None:
        hub, wait_s = self.hub, self.hub.settings.poll_s
        while True:
            hub.gap.clear()
            try:
                await self.look()
                await self.fill()
            except Exception as fault:  # whatever it is: the viewers wait, and it may pass
                _log.warning("what the stream misses cannot be read: %s", fault)
                await asyncio.sleep(wait_s)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(hub.gap.wait(), wait_s)

    async def look(self) -> None:
        """See how far the ledger goes."""
        self.hub.known = await self.last()

    async def fill(self) -> None:
        """Tell all viewers what was not heard, a page a window; a gap too large is said."""
        hub = self.hub
        while behind := hub.behind():
            for place, heard, known in behind:
                page: list[tuple[int, Move]] = []
                if known - heard <= hub.settings.catch_up_max:
                    page = await self.page(place, heard, min(FILL_PAGE, known - heard))
                if page:
                    hub.publish(page, place)
                else:
                    hub.skip(place, known)
                self.filled += len(page)
            await asyncio.sleep(hub.window_s)

    # -- for one viewer ---------------------------------------------------------------------------

    async def reach(self, numbers: Numbers) -> str | None:
        """Wait until here, too, all was sent that a viewer has seen elsewhere; why that cannot be
        said."""
        hub = self.hub
        if covers(hub.sent, numbers):
            return None
        try:
            async with asyncio.timeout(hub.settings.reach_s):
                async with self._looking:  # many come at once when another hub has gone
                    if not covers(hub.known, numbers):
                        await self.look()
                if not covers(hub.known, numbers):
                    return "another ledger"
                hub.gap.set()
                while hub.loop is not None and not covers(hub.sent, numbers):
                    await asyncio.sleep(hub.settings.window_s_max)
        except (LedgerError, Problem, TimeoutError):
            return "the ledger cannot be read"
        return None

    async def missed(self, after: Numbers, upto: Numbers) -> AsyncIterator[bytes]:
        """The events between, shard by shard. Raises `LedgerError` and `Problem`."""
        numbers = list(after)
        for place, last in enumerate(upto):
            while numbers[place] < last:
                after_this = numbers[place]
                page = await self.page(place, after_this, min(PAGE, last - after_this))
                if not page or page[-1][0] != after_this + len(page):
                    raise LedgerError("it has lost moves")
                events = []
                for number, move in page:
                    numbers[place] = number
                    events.append(encode_event(self.hub.line(numbers), move))
                yield b"".join(events)
