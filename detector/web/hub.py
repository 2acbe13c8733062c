"""One encoded frame, many viewers: findings and their moves as server-sent events.

Every event has an id `epoch-number`: the ledger's name, and the number of the move in it. Frames
are joined for a while that grows with the number of viewers, so that a few see a finding at once
and a thousand cost a bounded share of a core. The ring is fed even when nobody listens. A viewer
that falls behind is cut, and comes back with its last id.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from detector.ledger import RAISED, Move

RING_MAX = 4_096  # events
QUEUE_FRAMES_MAX = 256
QUEUE_BYTES_MAX = 4 << 20
WINDOW_MIN_S, WINDOW_MAX_S, WINDOW_A_VIEWER_S = 0.01, 0.2, 0.0002
RESUME_MAX = 20_000  # moves read from the ledger for one viewer
PAGE = 1_000
HEARTBEAT_S = 15.0

Past = Callable[[int, int], Awaitable[list[tuple[int, Move]]]]  # moves after a number, so many


class Viewer:
    """One open stream. Frames are shared bytes: a queue holds references."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._arrival = asyncio.Event()
        self.gone = False

    def push(self, frame: bytes) -> None:
        """Give it a frame; it is cut when it has too many that it did not take."""
        self._frames.append(frame)
        self._bytes += len(frame)
        if len(self._frames) > QUEUE_FRAMES_MAX or self._bytes > QUEUE_BYTES_MAX:
            self.cut()
        self._arrival.set()

    def cut(self) -> None:
        """It is to come again."""
        self.gone = True
        self._frames.clear()
        self._arrival.set()

    async def next(self) -> bytes | None:
        """What has come, joined; a heartbeat when nothing does; None when it was cut."""
        if not self._frames and not self.gone:
            self._arrival.clear()
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._arrival.wait()
            except TimeoutError:
                return b":\n\n"
        if self.gone:
            return None
        joined = b"".join(self._frames)
        self._frames.clear()
        self._bytes = 0
        return joined


class Hub:
    """Belongs to one event loop; `publish` is called in it."""

    def __init__(self, epoch: str, last: int, past: Past) -> None:
        self.epoch, self.last, self._past = epoch, last, past
        self.viewers: set[Viewer] = set()
        self._ring: deque[tuple[int, bytes]] = deque(maxlen=RING_MAX)
        self._pending: list[bytes] = []
        self._flushed_at = 0.0
        self._armed: asyncio.TimerHandle | None = None
        self.closed = False

    @property
    def window_s(self) -> float:
        """How long frames are joined."""
        wanted = len(self.viewers) * WINDOW_A_VIEWER_S
        return min(max(wanted, WINDOW_MIN_S), WINDOW_MAX_S)

    def publish(self, moves: list[tuple[int, Move]]) -> None:
        """Moves with their numbers, in order; to the ring always, to viewers soon."""
        for number, move in moves:
            frame = self.frame(number, move)
            self._ring.append((number, frame))
            if self.viewers:
                self._pending.append(frame)
        self.last = moves[-1][0]
        if self._pending and self._armed is None:
            loop = asyncio.get_running_loop()
            delay = self._flushed_at + self.window_s - loop.time()
            if delay <= 0:
                self._flush()
            else:
                self._armed = loop.call_later(delay, self._flush)

    def frame(self, number: int, move: Move) -> bytes:
        """A move as one event."""
        head = f"id: {self.epoch}-{number}\nevent: "
        if move.code == RAISED:
            return head.encode() + b"finding\ndata: " + (move.doc or b"{}") + b"\n\n"
        told = {"finding_id": move.finding_id, "reason": move.code or None}
        data = msgspec.json.encode(told | {"actor": move.actor, "at": move.at})
        return head.encode() + b"change\ndata: " + data + b"\n\n"

    def _flush(self) -> None:
        self._armed = None
        self._flushed_at = asyncio.get_running_loop().time()
        frame = b"".join(self._pending)
        self._pending.clear()
        for viewer in [*self.viewers]:
            viewer.push(frame)
            if viewer.gone:
                self.viewers.discard(viewer)

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        for viewer in self.viewers:
            viewer.cut()
        self.viewers.clear()

    async def stream(self, last_id: str | None) -> AsyncIterator[bytes]:
        """What one viewer is sent: what it missed since `last_id`, then what comes."""
        viewer = Viewer()
        joined_at = self._join(viewer)
        try:
            yield b"retry: 1000\n\n"
            async for part in self._missed(last_id, joined_at):
                yield part
            while (frame := await viewer.next()) is not None:
                yield frame
        finally:
            self.viewers.discard(viewer)

    def _join(self, viewer: Viewer) -> int:
        """Let it in; the number up to which nothing will be sent to it any more."""
        if self._pending:
            if self._armed:
                self._armed.cancel()
            self._flush()  # what came before it is for those who were there
        if not self.closed:
            self.viewers.add(viewer)
        else:
            viewer.cut()
        return self.last

    async def _missed(self, last_id: str | None, upto: int) -> AsyncIterator[bytes]:
        """Events after `last_id` up to a number: from the ring, else from the ledger."""
        if not last_id:
            return
        epoch, _, number = last_id.rpartition("-")
        if epoch != self.epoch or not number.isdigit() or int(number) > upto:
            yield self._resync(upto)
            return
        after = int(number)
        if upto - after > RESUME_MAX:
            yield self._resync(upto)
            return
        while after < upto:  # the ring moves on while the ledger is read: ask anew each time
            first = self._ring[0][0] if self._ring else upto + 1
            if after + 1 >= first:
                yield b"".join(frame for n, frame in self._ring if after < n <= upto)
                return
            moves = await self._past(after, min(PAGE, min(first - 1, upto) - after))
            if not moves:
                return
            yield b"".join(self.frame(n, move) for n, move in moves)
            after = moves[-1][0]

    def _resync(self, upto: int) -> bytes:
        """The viewer is to read everything anew, and to go on from here."""
        return f"id: {self.epoch}-{upto}\nevent: resync\ndata: {upto}\n\n".encode()
