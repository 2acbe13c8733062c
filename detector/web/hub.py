"""The live stream's middle: each event is encoded once, and all viewers are sent the same bytes.

Each shard numbers its moves from 1 by itself, and an event's id says how far each was sent, so that
a viewer who comes back to any hub of the same ledger (`Last-Event-ID`) is told exactly what came
after it. The law: from the instant of joining, a viewer's queue brings of every shard every number
above `Viewer.after` and no other; what lies between its last id and that is owed from the ring or
the ledger. All but `heard`, `heard_of` and `lost` runs in the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from detector.ledger import SHARD, Move
from detector.web.event_ids import (
    Numbers,
    encode_event,
    encode_resync,
    id_line,
    line_of,
    renumbered,
)
from detector.web.settings import Settings

BEAT = b":\n\n"


class Viewer:
    """One open stream: what it is still to be sent, and whether it was given up."""

    def __init__(self, after: Numbers, slot: int, watches: bool = False) -> None:
        self.after, self.slot = after, slot
        self.watches = watches  # is sent the board's figures too
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

    def __init__(self, epoch: str, settings: Settings, shards: Sequence[str] = (SHARD,)) -> None:
        self.epoch, self.settings, self.shards = epoch, settings, tuple(shards)
        self.embedded = self.shards == (SHARD,)  # an engine of this process tells every move
        self._places = {shard: place for place, shard in enumerate(self.shards)}
        self.sent: Numbers = (0,) * len(self.shards)  # the latest that viewers were sent
        self.events = self.cuts = self.resyncs = 0
        self._heard = list(self.sent)  # the latest that are in the ring, or wait for their window
        self.known = self.sent  # the latest in the ledger, when it was last looked at
        self.gap = asyncio.Event()  # the ledger may hold what was not heard
        self._ring: deque[tuple[int, int, bytes]] = deque(maxlen=settings.ring_max)
        self._pending: list[bytes] = []
        self._viewers: set[Viewer] = set()
        self.loop: asyncio.AbstractEventLoop | None = None  # None: not begun yet, or closed
        self._window: asyncio.TimerHandle | None = None
        self._beats: asyncio.TimerHandle | None = None
        self._beat_number = self._joined = 0

    def start(self, last: Numbers) -> None:
        """Begin in the running loop; `last`: of each shard, its latest move in the ledger."""
        self.loop = asyncio.get_running_loop()
        self.sent = self.known = last
        self._heard = list(last)
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

    # -- from other threads -----------------------------------------------------------------------

    def heard(self, moves: list[tuple[int, Move]]) -> None:
        """The embedded service's listener, called in the engine's thread after a commit."""
        self._in_loop(self.publish, moves)

    def heard_of(self, shard: str, moves: list[tuple[int, Move]]) -> None:
        """Consecutive moves of a shard that were committed somewhere; some may never come here,
        come twice or come late."""
        self._in_loop(self.take, shard, moves)

    def lost(self) -> None:
        """Who tells what is heard may have left something out."""
        self._in_loop(self.gap.set)

    def _in_loop(self, call: Callable[..., Any], *told: Any) -> None:
        loop = self.loop
        if loop is None:
            return
        try:
            loop.call_soon_threadsafe(call, *told)
        except RuntimeError:  # the loop ended meanwhile, and all viewers with it
            self.loop = None

    # -- what is sent -----------------------------------------------------------------------------

    def take(self, shard: str, moves: Sequence[tuple[int, Move]]) -> None:
        """Tell all viewers, unless moves before these are missing: then all are for the ledger to
        tell, in their order."""
        place = self._places.get(shard)
        fresh = [] if place is None else [one for one in moves if one[0] > self._heard[place]]
        if place is None or not fresh:
            return
        if fresh[0][0] == self._heard[place] + 1:
            self.publish(fresh, place)
        else:
            self.gap.set()

    def behind(self) -> list[tuple[int, int, int]]:
        """(place, heard, known) of the shards of which the ledger holds more than was heard."""
        both = enumerate(zip(self._heard, self.known, strict=True))
        return [(place, heard, known) for place, (heard, known) in both if heard < known]

    def publish(self, moves: Iterable[tuple[int, Move]], place: int = 0) -> None:
        """Tell all viewers of a shard's moves, of which a hole will not be filled any more; at once
        after a pause, joined with others within a window."""
        if self.loop is None:
            return
        for number, move in moves:
            if number <= self._heard[place]:
                continue  # was in the ledger already when we began, or comes twice
            if number != self._heard[place] + 1:
                self._skip(place, number - 1)
            self._heard[place] = number
            event = encode_event(self.line(self._heard), move)
            self._ring.append((place, number, event))
            self._pending.append(event)
            self.events += 1
        self._send_soon()

    def skip(self, place: int, number: int) -> None:
        """A shard's moves up to this number will not be told: whoever listens must know."""
        if number > self._heard[place]:  # else they were heard meanwhile
            self._skip(place, number)
            self._send_soon()

    def _skip(self, place: int, number: int) -> None:
        self._heard[place] = number
        self._ring.clear()
        self._pending = [encode_resync(self.line(self._heard), "events were missed")]
        self.resyncs += 1

    def line(self, numbers: Iterable[int]) -> bytes:
        """How an event with this id begins."""
        return id_line(self.epoch, numbers)

    @property
    def window_s(self) -> float:
        """How long events are joined: what 1,000 viewers cost is bounded, few wait for nothing."""
        bounds = self.settings
        wanted = len(self._viewers) * bounds.window_viewer_s
        return min(max(wanted, bounds.window_s_min), bounds.window_s_max)

    def _send_soon(self) -> None:
        if self._window is None and self._pending and self.loop is not None:
            self._flush()
            self._window = self.loop.call_later(self.window_s, self._window_over)

    def _window_over(self) -> None:
        self._window = None
        self._send_soon()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        self.sent = tuple(self._heard)
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
        return [encode_resync(line_of(events[kept - 1]), "too many at once"), *events[kept:]]

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

    def join(self, watches: bool = False) -> Viewer | None:
        """A new viewer, who is sent all that comes from now on, and of the board whatever is shown;
        None when there is no room."""
        if self.loop is None or len(self._viewers) >= self.settings.viewers_max:
            return None
        self._joined += 1
        viewer = Viewer(self.sent, self._joined % self.settings.heartbeat_s, watches)
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

    @property
    def watchers(self) -> int:
        """How many of them watch the board."""
        return sum(viewer.watches for viewer in self._viewers)

    def show(self, frame: bytes) -> None:
        """Send the board's figures to all who watch it: behind what they were sent before."""
        for viewer in [v for v in self._viewers if v.watches]:
            self._give(viewer, frame)

    def from_ring(self, after: Numbers, upto: Numbers) -> list[bytes] | None:
        """The events after `after`, up to `upto`, which covers it, with the ids of who stood there;
        None where the ring does not reach back so far."""
        owed = sum(upto) - sum(after)
        found: list[tuple[int, int, bytes]] = []
        for event in reversed(self._ring):
            if len(found) == owed:
                break
            if after[event[0]] < event[1] <= upto[event[0]]:
                found.append(event)
        if len(found) < owed:
            return None
        found.reverse()
        numbers, told = list(after), [data for _, _, data in found]
        for at, (place, number, data) in enumerate(found):
            numbers[place] = number
            line = self.line(numbers)
            if data.startswith(line):
                break  # from here on the viewer stands where all others stood
            told[at] = renumbered(data, line)
        return told
