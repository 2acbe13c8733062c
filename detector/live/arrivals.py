"""What waits for the engine's thread: bodies, each with the stamp of its arrival, and changes of
what judges. Bounded; bodies come in from any thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from detector.live import Say, Unavailable
from detector.live.contents import Change
from detector.live.outside import Limits
from detector.values import ABSENT


class Waiting(NamedTuple):
    """A body in the queue."""

    body: bytes
    stamp: int | None  # when it arrived, µs UTC; None: as its lines say
    say: Say
    offset: int | None = None  # where its source goes on behind it
    lines: bool = False  # it is lines already, whatever it begins with


class Changing(NamedTuple):
    """A change in the queue."""

    change: Change
    say: Callable[[list[str] | Unavailable], None]


class Turn(NamedTuple):
    """What the thread does next."""

    changing: Changing | None
    bodies: list[Waiting]
    last: bool  # nothing is left, and nothing more will come


class Arrivals:
    """The queue of a service. `state`: starting, ready, stopping, stopped or failed."""

    def __init__(
        self, limits: Limits, now: Callable[[], int] | None, seconds: Callable[[], float]
    ) -> None:
        """`seconds`: a clock that only measures."""
        self.state = "starting"
        self.stamp = ABSENT  # the latest that was given
        self.behind_us = 0  # by how much the machine's clock lies behind it
        self._limits, self._now, self._seconds = limits, now, seconds
        self._begun = seconds() - limits.rest_s  # the latest turn with bodies
        self._queue: deque[Waiting] = deque()
        self._changing: deque[Changing] = deque()
        self._bytes = 0
        self._arrival = threading.Condition()
        self._stopping = False

    def _open(self) -> None:
        if self.state != "ready":
            raise Unavailable(f"the service is {self.state}", 503, None)

    def submit(self, body: bytes, say: Say) -> None:
        """Queue a body that arrives now. Raises `Unavailable`."""
        limits = self._limits
        with self._arrival:
            self._open()
            if (
                len(self._queue) >= limits.queue_bodies_max
                or self._bytes + len(body) > limits.queue_bytes_max
            ):
                raise Unavailable("the queue is full", 429, limits.retry_after_s)
            self._put([Waiting(body, self._arrive(), say)])

    def feed(self, bodies: Sequence[Waiting]) -> None:
        """Queue bodies of a source that stamps and bounds them itself. Raises `Unavailable`."""
        with self._arrival:
            self._open()
            self._put(bodies)

    def change(self, one: Changing) -> None:
        """Queue a change. Raises `Unavailable`."""
        with self._arrival:
            self._open()
            self._changing.append(one)
            self._arrival.notify()

    def _put(self, bodies: Sequence[Waiting]) -> None:
        self._queue += bodies
        self._bytes += sum(len(one.body) for one in bodies)
        self._arrival.notify()

    def _arrive(self) -> int | None:
        """The stamp of a body that arrives now: never before one that was given."""
        if self._now is None:
            return None
        now = self._now()
        self.stamp = max(self.stamp, now)
        self.behind_us = self.stamp - now
        return self.stamp

    def waiting(self) -> tuple[int, int]:
        """Bodies and bytes in the queue."""
        return len(self._queue), self._bytes

    def close(self) -> None:
        """Take no more."""
        with self._arrival:
            self._stopping = True
            if self.state == "ready":
                self.state = "stopping"
            self._arrival.notify()

    def fail(self) -> tuple[list[Waiting], list[Changing]]:
        """Take no more; what was left."""
        with self._arrival:
            self.state = "failed"
            left = list(self._queue)
            self._queue.clear()
            self._bytes = 0
            return left, list(self._changing)

    # -- for the engine's thread ------------------------------------------------------------------

    def turn(self, patience: Callable[[], float]) -> Turn:
        """Wait for something to do, so long at most."""
        with self._arrival:
            if not self._queue and not self._stopping and not self._changing:
                self._arrival.wait(patience())
            self._rest()
            changing = self._changing.popleft() if self._changing else None
            bodies = [] if changing else self._some()
            return Turn(changing, bodies, self._stopping and not bodies and not changing)

    def _rest(self) -> None:
        """Let more come to the first body, as long as the last turn was not long ago."""
        rest = self._limits.rest_s
        while rest and self._queue and not self._stopping and not self._changing:
            left = self._begun + rest - self._seconds()
            if left <= 0 or self._bytes >= self._limits.batch_bytes_max:
                self._begun = self._seconds()
                return
            self._arrival.wait(left)

    def _some(self) -> list[Waiting]:
        bodies: list[Waiting] = []
        size = 0
        while self._queue:
            size += len(self._queue[0].body)
            if bodies and size > self._limits.batch_bytes_max:
                break
            bodies.append(self._queue.popleft())
            self._bytes -= len(bodies[-1].body)
        return bodies
