"""The live stream's middle: each event is encoded once, and all viewers are sent the same bytes.

An event's id is `epoch-number`, the number of the ledger's move, so that a viewer who comes back
(`Last-Event-ID`) is told exactly what came after it. The law: from the instant of joining, a
viewer's queue brings every number above `Viewer.after` and no other; what lies between its last id
and that is owed from the ring or the ledger. All but `heard` runs in the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice

import msgspec

from detector.ledger import RAISED, Move
from detector.web.settings import Settings

BEAT = b":\n\n"
_encode = msgspec.json.Encoder().encode


def encode_event(epoch: str, number: int, move: Move) -> bytes:
    """A move as a server-sent event: `finding` with its document, or `change` of standing."""
    if move.code == RAISED:
        assert move.doc is not None
        return b"id: %b-%d\nevent: finding\ndata: %b\n\n" % (epoch.encode(), number, move.doc)
    told = {"finding_id": move.finding_id, "reason": move.code or "stands"}
    data = _encode(told | {"actor": move.actor, "at": move.at})
    return b"id: %b-%d\nevent: change\ndata: %b\n\n" % (epoch.encode(), number, data)


def encode_resync(epoch: str, number: int, reason: str) -> bytes:
    """Says that events up to `number` were left out: take the lists again."""
    data = _encode({"reason": reason})
    return b"id: %b-%d\nevent: resync\ndata: %b\n\n" % (epoch.encode(), number, data)


class Viewer:
    """One open stream: what it is still to be sent, and whether it was given up."""

    def __init__(self, after: int, slot: int) -> None:
        self.after, self.slot = after, slot
        self.ended = False
        self.cut = False  # fell too far behind: the frames left are not sent
        self.abort: Callable[[], None] | None = None  # drops a connection that takes no bytes
        self.queued_bytes = 0
        self._queue: deque[bytes] = deque()
        self._waker: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, frame: bytes) -> None:
        """Queue a frame."""
        self._queue.append(frame)
        self.queued_bytes += len(frame)
        self._wake()

    def end(self) -> None:
        """No more frames after those queued; none at all where it was cut."""
        self.ended = True
        if self.cut:
            self._queue.clear()
        self._wake()

    def _wake(self) -> None:
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    async def next(self) -> bytes | None:
        """The next frame; None at the end."""
        while not self._queue:
            if self.ended:
                return None
            self._waker = asyncio.get_running_loop().create_future()
            await self._waker
        frame = self._queue.popleft()
        self.queued_bytes -= len(frame)
        return frame


class Hub:
    """All viewers, and the ring of the latest events, which is fed also when nobody listens."""

    def __init__(self, epoch: str, settings: Settings) -> None:
        self.epoch, self.settings = epoch, settings
        self.sent = 0  # the latest number that viewers were sent
        self.events = self.cuts = self.resyncs = 0
        self._heard = 0  # the latest number at all
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=settings.ring_max)
        self._pending: list[bytes] = []
        self._viewers: set[Viewer] = set()
        self.loop: asyncio.AbstractEventLoop | None = None  # None: not begun yet, or closed
        self._window: asyncio.TimerHandle | None = None
        self._beats: asyncio.TimerHandle | None = None
        self._beat_number = self._joined = 0

    def start(self, last: int) -> None:
        """Begin in the running loop; `last` is the number of the ledger's latest move."""
        self.loop = asyncio.get_running_loop()
        self.sent = self._heard = last
        self._beats = self.loop.call_later(1, self._beat)

    def close(self) -> None:
        """End all streams, and take no more viewers."""
        self.loop = None
        for timer in (self._window, self._beats):
            if timer is not None:
                timer.cancel()
        self._flush()
        for viewer in list(self._viewers):
            viewer.end()
        self._viewers.clear()

    # -- from the engine --------------------------------------------------------------------------

    def heard(self, moves: list[tuple[int, Move]]) -> None:
        """The service's listener, called in the engine's thread after a commit."""
        loop = self.loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(self.publish, moves)
        except RuntimeError:  # the loop ended meanwhile, and all viewers with it
            self.loop = None

    def publish(self, moves: Iterable[tuple[int, Move]]) -> None:
        """Tell all viewers; at once after a pause, joined with others within a window."""
        if self.loop is None:
            return
        for number, move in moves:
            if number <= self._heard:
                continue  # was in the ledger already when we began
            if number != self._heard + 1:
                self._lost(number - 1)
            self._heard = number
            event = encode_event(self.epoch, number, move)
            self._ring.append((number, event))
            self._pending.append(event)
            self.events += 1
        if self._window is None and self._pending:
            self._flush()
            self._window = self.loop.call_later(self.window_s, self._window_over)

    def _lost(self, number: int) -> None:
        """Events up to `number` never came here; whoever listens must know."""
        self._ring.clear()
        self._pending = [encode_resync(self.epoch, number, "events were missed")]
        self.resyncs += 1

    @property
    def window_s(self) -> float:
        """How long events are joined: what 1,000 viewers cost is bounded, few wait for nothing."""
        bounds = self.settings
        wanted = len(self._viewers) * bounds.window_viewer_s
        return min(max(wanted, bounds.window_s_min), bounds.window_s_max)

    def _window_over(self) -> None:
        self._window = None
        if self._pending and self.loop is not None:
            self._flush()
            self._window = self.loop.call_later(self.window_s, self._window_over)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        self.sent = self._heard
        if not self._viewers or not pending:
            return
        frame = b"".join(self._affordable(pending))
        for viewer in list(self._viewers):
            self._give(viewer, frame)

    def _affordable(self, events: list[bytes]) -> list[bytes]:
        """All events, or the newest that so many viewers can be sent, behind a resync."""
        bounds = self.settings
        room = bounds.window_bytes_all // len(self._viewers)
        room = min(max(room, bounds.window_bytes_min), bounds.window_bytes_max)
        if sum(map(len, events)) <= room:
            return events
        kept = len(events)
        while kept and room >= len(events[kept - 1]):
            kept -= 1
            room -= len(events[kept])
        self.resyncs += 1
        number = self._heard - (len(events) - kept)
        return [encode_resync(self.epoch, number, "too many at once"), *events[kept:]]

    def _give(self, viewer: Viewer, frame: bytes) -> None:
        bounds = self.settings
        if len(viewer) and (
            len(viewer) >= bounds.viewer_queue_max
            or viewer.queued_bytes + len(frame) > bounds.viewer_queue_bytes_max
        ):
            self._viewers.discard(viewer)
            self.cuts += 1
            viewer.cut = True
            viewer.end()
            if viewer.abort is not None:
                viewer.abort()
            return
        viewer.put(frame)

    def _beat(self) -> None:
        """A comment to a share of the viewers each second, to each every `heartbeat_s`."""
        if self.loop is None:
            return
        self._beats = self.loop.call_later(1, self._beat)
        self.beat()

    def beat(self) -> None:
        """The next share's turn."""
        self._beat_number += 1
        slot = self._beat_number % self.settings.heartbeat_s
        for viewer in [v for v in self._viewers if v.slot == slot]:
            self._give(viewer, BEAT)

    # -- from the streams -------------------------------------------------------------------------

    def join(self) -> Viewer | None:
        """A new viewer, who is sent all that comes from now on; None when there is no room."""
        if self.loop is None or len(self._viewers) >= self.settings.viewers_max:
            return None
        self._joined += 1
        viewer = Viewer(self.sent, self._joined % self.settings.heartbeat_s)
        self._viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Forget a viewer."""
        self._viewers.discard(viewer)
        viewer.end()

    @property
    def viewers(self) -> int:
        """How many look on."""
        return len(self._viewers)

    def number_of(self, event_id: str) -> int | None:
        """The number in an id of this epoch; None where it names no event of this ledger."""
        epoch, _, number = event_id.rpartition("-")
        if epoch != self.epoch or not (number.isascii() and number.isdigit()) or len(number) > 18:
            return None
        return int(number) if int(number) <= self._heard else None

    def from_ring(self, after: int, upto: int) -> list[bytes] | None:
        """Events of after < number <= upto; None where the ring does not reach back so far."""
        if after >= upto:
            return []
        if not self._ring or self._ring[0][0] > after + 1:
            return None
        first = self._ring[0][0]
        return [e for _, e in islice(self._ring, after + 1 - first, upto + 1 - first)]
