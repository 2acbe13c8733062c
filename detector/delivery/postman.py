"""The postman (邮差): carries what the desk gives out to its channels, in a thread of its own.

The loop wakes when something was committed, when an answer or a receipt has come, and else at the
earliest instant at which something is due. Answers of one channel never wait for another's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detector.delivery import Channel, Outcome
from detector.delivery.desk import CROWD, EARLY_LOOK_S, Desk, Figures, Given, Sending
from detector.delivery.letterbox import heard_of
from detector.delivery.outbox import Heard, Outbox, Overtaken
from detector.delivery.passing import Stage
from detector.delivery.send import SEND_S_MAX, attempt
from detector.delivery.stages import STAGES
from detector.delivery.teller import Aside, Tell, in_a_thread, tell_on
from detector.ledger import LedgerError

IDLE_S = 5.0  # it looks at least so often: a clock may jump, a wake may come from another process
CLOSING = "closing"  # the name of tasks that let go of a channel that is gone
PAUSE_S = 1.0  # after the file could not be used
STOP_S = 5.0
LOOK_S = 1.0  # how often figures of what waits are taken


@dataclass(frozen=True)
class Means:
    """How the postman speaks to the rest."""

    outbox: Callable[[], Outbox]  # opened in the postman's own thread
    given: Given
    tell: Tell  # receipts, as lines of input; False where the engine cannot take them now
    aside: Aside = in_a_thread
    failed: Callable[[BaseException], None] = lambda fault: None
    idle_s: float = IDLE_S
    stages: Sequence[Stage] = STAGES


class Postman:
    """Delivery of one data folder. `start` and `stop` it; `wake` it from any thread."""

    def __init__(self, means: Means) -> None:
        self.means, self.state = means, "starting"
        self.failure: BaseException | None = None
        self._inbox = list[Heard]()  # of channels that listen, not yet written down
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: asyncio.Event | None = None
        self._stopping = False
        self._tasks = set[asyncio.Task[Any]]()
        self._open: dict[str, tuple[Channel, asyncio.Task[Any] | None]] = {}  # and who hears it
        self._desk: Desk | None = None
        self._looks_s = 0.0
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)

    @property
    def figures(self) -> Figures:
        """What it has done so far."""
        return self._desk.figures if self._desk else Figures()

    def start(self) -> None:
        """Begin; what was being sent when delivery ended is tried again."""
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more, wait a little for what is under way, and let go of the channels."""
        self.stop_soon()
        self._ready.wait()
        self.wake()
        self._thread.join()

    def stop_soon(self) -> None:
        """The same without waiting."""
        self._stopping = True
        self.wake()

    def wake(self) -> None:
        """Something was committed."""
        loop, news = self._loop, self._news
        if loop is not None and news is not None and not loop.is_closed():
            loop.call_soon_threadsafe(news.set)

    def _run(self) -> None:
        try:
            asyncio.run(self.serve())
        except BaseException as fault:
            self.failure, self.state = fault, "failed"
            self._ready.set()
            self.means.failed(fault)
            raise

    # -- in the loop ----------------------------------------------------------------------------

    async def serve(self) -> None:
        """Deliver until it is stopped."""
        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        outbox = self.means.outbox()
        try:
            self._desk = desk = Desk(outbox, self.means.given, self.means.stages)
            await self._begin(desk)
            given = self.means.given
            telling = tell_on(outbox, self.means.tell, self.means.aside, given, desk.news)
            helpers = [self._spawn(telling)]
            self._listen_to(given.channels)
            self.state = "ready"
            self._ready.set()
            while not self._stopping:
                self._news.clear()
                await self._rest(self._turn(desk))
                for one in (*helpers, *self._hearing()):
                    if one.done():
                        one.result()  # a helper never ends by itself: its fault is ours
            await self._end(desk, helpers)
        finally:
            self._ready.set()
            outbox.close()
        self.state = "stopped"

    async def _begin(self, desk: Desk) -> None:
        """The engine may hold the file while it recovers."""
        while True:
            try:
                return desk.begin()
            except LedgerError as fault:
                self.means.given.log("outbox_waits", reason=str(fault))
                await asyncio.sleep(PAUSE_S)

    def _turn(self, desk: Desk) -> float:
        """One look; for how long there is nothing more to do."""
        try:
            self._hear(desk)
            for one in desk.turn():
                self._carry(desk, one)
            self._listen_to(self.means.given.channels)
            if self.means.given.seconds() >= self._looks_s:
                desk.look()
                self._looks_s = self.means.given.seconds() + LOOK_S
            return self._pause(desk)
        except Overtaken:
            return 0.0
        except LedgerError as fault:
            self.means.given.log("outbox_waits", reason=str(fault))
            return PAUSE_S

    def _hear(self, desk: Desk) -> None:
        """Write down what channels that listen were told; where that fails it is kept, and the
        rest goes on: a full letterbox is emptied by nothing else."""
        if not self._inbox:
            return
        try:
            desk.outbox.hear(self._inbox)
            self._inbox = []
        except LedgerError as fault:
            self.means.given.log("receipts_wait", reason=str(fault), waiting=len(self._inbox))

    def _pause(self, desk: Desk) -> float:
        now = self.means.given.now()
        waits = [self.means.idle_s]
        next_due = desk.outbox.next_due(now)
        crowded = desk.held > CROWD
        for at in (next_due, None if crowded else desk.look_us):
            if at is not None:
                waits.append((at - now) / 1e6)
        if desk.early:
            waits.append(EARLY_LOOK_S)
        if crowded:
            waits.append(desk.whole_s - self.means.given.seconds())
        elif desk.full:
            waits.append(0.0)
        return max(min(waits), 0.0)

    async def _rest(self, seconds: float) -> None:
        """Wait for news, or till it is time."""
        assert self._news is not None
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return

    def _carry(self, desk: Desk, one: Sending) -> None:
        """Hand a message to its channel; whatever that comes to is an outcome."""
        row, message, channel = one
        task = self._spawn(attempt(channel, message))

        def ended(task: asyncio.Task[Outcome]) -> None:
            if task.cancelled():
                return  # it stays as being sent, and is tried again at the next start
            fault = task.exception()
            if fault is not None:  # an adapter's own mistake must not stop the post
                self.means.given.log("channel_faulty", channel=channel.name, error=repr(fault))
            told = task.result() if fault is None else Outcome("unknown", "adapter_error")
            desk.ended(row, told)
            if self._news is not None:
                self._news.set()

        task.add_done_callback(ended)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _listen_to(self, channels: Mapping[str, Channel]) -> None:
        """Hear those that have receipts over connections of their own; let go of those that are no
        way any more, once what is under way by them has ended."""
        for name, channel in channels.items():
            held = self._open.get(name)
            if held is not None and held[0] is channel:
                continue
            self._leave(name)
            hearing = None
            if hasattr(channel, "heard"):
                hearing = self._spawn(self._listen(name, channel))
            self._open[name] = (channel, hearing)
        for name in self._open.keys() - channels.keys():
            self._leave(name)

    def _hearing(self) -> list[asyncio.Task[Any]]:
        return [one for _, one in self._open.values() if one is not None]

    def _leave(self, name: str) -> None:
        channel, hearing = self._open.pop(name, (None, None))
        if hearing is not None:
            hearing.cancel()
        if channel is not None:
            self._spawn(_closed_later(channel)).set_name(CLOSING)

    async def _listen(self, name: str, channel: Any) -> None:
        while True:
            told = await channel.heard()
            self._inbox.append(heard_of(name, told, self.means.given.now()))
            self.wake()

    async def _end(self, desk: Desk, helpers: list[asyncio.Task[Any]]) -> None:
        """Let what is under way end, for a while; record it; cancel the rest."""
        aside = (*helpers, *self._hearing())
        under_way = [t for t in self._tasks if t not in aside and t.get_name() != CLOSING]
        if under_way:
            await asyncio.wait(under_way, timeout=STOP_S)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._hear(desk)
        try:
            desk.record()
        except (LedgerError, Overtaken) as fault:
            self.means.given.log("outbox_waits", reason=str(fault))
        for channel, _ in self._open.values():
            await _closed(channel)


async def _closed_later(channel: Channel) -> None:
    try:
        await asyncio.sleep(SEND_S_MAX)  # what is under way by it ends first
    finally:
        await _closed(channel)


async def _closed(channel: Channel) -> None:
    try:
        await asyncio.wait_for(channel.close(), STOP_S)
    except (TimeoutError, OSError):
        return
