"""Redis: the live push of a scale-out, and a shelf of hot figures. The ledger is the truth.

Workers put committed moves into one stream, and every serving process follows its end. Whatever
Redis loses, drops or never gets is found in the ledger by whoever misses it, so nothing here waits
for Redis, tries again or raises. One installation a database: names are fixed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from detector.ledger import Move

STREAM = "oriole:moves"
SHELF = "oriole:shelf:"
ENTRIES_MAX = 10_000  # kept of the stream, about
ENTRY_MOVES_MAX = 100
WAITING_MOVES_MAX = 10_000  # of a worker, more than that go by the ledger
READ_ENTRIES = 100
TIMEOUT_S = 1.0
SHELF_TIMEOUT_S = 0.1  # to connect, and again to answer
PAUSE_S = 1.0  # a Redis that is away is asked no more often
BLOCK_MS = 200  # how long a read waits, and so does whoever ends it
BEGIN = b"0-0"

Moves = list[tuple[int, Move]]
Fields = dict[bytes, bytes]
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Move]).decode


def _client(url: str, timeout_s: float) -> redis.Redis:
    """A client that tries once. `ValueError` where the URL is none."""
    return redis.Redis.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_timeout=timeout_s, protocol=2,
        socket_connect_timeout=timeout_s,
    )  # fmt: skip


class _Breaker:
    """Who asks may ask, unless it was in vain a moment ago; then one may try."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds, self._next_s = seconds, 0.0
        self._open, self._one = False, threading.Lock()

    def may(self) -> bool:
        """Whether to ask."""
        with self._one:
            if not self._open:
                return True
            now = self._seconds()
            if now < self._next_s:
                return False
            self._next_s = now + PAUSE_S
            return True

    def failed(self) -> None:
        """It was in vain."""
        with self._one:
            self._open, self._next_s = True, self._seconds() + PAUSE_S

    def worked(self) -> None:
        """There was an answer."""
        self._open = False


class Fanout:
    """A worker's end: tells what was committed, if it can be told at once."""

    def __init__(self, url: str, seconds: Callable[[], float] = time.monotonic) -> None:
        self.told = self.dropped = 0  # moves
        self._client, self._breaker = _client(url, TIMEOUT_S), _Breaker(seconds)
        self._queue: deque[tuple[str, Moves]] = deque()
        self._waiting = 0  # moves in the queue
        self._arrival = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="fanout", daemon=True)
        self._thread.start()

    def tell(self, shard: str, moves: Moves) -> None:
        """Consecutive moves of a shard, committed; from any thread. Neither waits nor raises."""
        with self._arrival:
            if self._closing or self._waiting + len(moves) > WAITING_MOVES_MAX:
                self.dropped += len(moves)
                return
            self._queue.append((shard, moves))
            self._waiting += len(moves)
            self._arrival.notify()

    def close(self) -> None:
        """Tell what waits, if Redis is there."""
        with self._arrival:
            self._closing = True
            self._arrival.notify()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while True:
            with self._arrival:
                while not self._queue and not self._closing:
                    self._arrival.wait()
                some, count = list(self._queue), self._waiting
                self._queue.clear()
                self._waiting = 0
            if not some:
                return
            if self._breaker.may() and self._send(some):
                self.told += count
            else:
                with self._arrival:
                    self.dropped += count

    def _send(self, some: list[tuple[str, Moves]]) -> bool:
        pipe = self._client.pipeline(transaction=False)
        for shard, moves in some:
            for begin in range(0, len(moves), ENTRY_MOVES_MAX):
                part = moves[begin : begin + ENTRY_MOVES_MAX]
                data = _encode([move for _, move in part])
                fields: dict[Any, Any] = {"shard": shard, "first": part[0][0], "moves": data}
                pipe.xadd(STREAM, fields, maxlen=ENTRIES_MAX, approximate=True)
        try:
            pipe.execute()
        except redis.RedisError:
            self._breaker.failed()
            return False
        self._breaker.worked()
        return True


class Tail:
    """A serving process's end: hears what is told from now on. `lost`: something may have been
    told that was not heard. Both are called in a thread of its own."""

    def __init__(
        self, url: str, heard: Callable[[str, Moves], None], lost: Callable[[], None]
    ) -> None:
        self.listens = False  # whether Redis is there
        self._client, self._heard, self._lost = _client(url, TIMEOUT_S), heard, lost
        self._last: bytes | None = None  # the id of the last entry; None: there was no answer yet
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tail", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._closing.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._begin()
                while not self._closing.is_set():
                    self._read()
            except redis.RedisError:
                if self.listens:
                    self.listens = False
                    self._lost()
                self._closing.wait(PAUSE_S)

    def _begin(self) -> None:
        """Go on behind what was heard last, at first behind what is there."""
        end: Any = self._client.xrevrange(STREAM, count=1)
        if self._last is None:
            self._last = end[0][0] if end else BEGIN
        self.listens = True
        self._lost()  # until here nobody listened

    def _read(self) -> None:
        """Hear what comes. Where the last entry is gone by then, others may be gone as well; where
        nothing comes behind it, the stream has begun anew, perhaps with lesser ids."""
        last = self._last
        assert last is not None
        pipe = self._client.pipeline(transaction=False)
        pipe.xrange(STREAM, last, last, count=1)
        pipe.xread({STREAM: last}, count=READ_ENTRIES, block=BLOCK_MS)
        there, streams = pipe.execute()
        for number, fields in streams[0][1] if streams else ():
            self._hear(fields)
            self._last = number
        if not there and last != BEGIN:
            self._last = BEGIN if self._last == last else self._last
            self._lost()

    def _hear(self, fields: Fields) -> None:
        try:
            shard, first = fields[b"shard"].decode(), int(fields[b"first"])
            moves = _decode(fields[b"moves"])
        except (KeyError, ValueError):  # somebody else's; msgspec's errors are of this kind
            self._lost()
            return
        self._heard(shard, list(enumerate(moves, first)))


class Shelf:
    """Figures that many ask for, kept for a while; where Redis is away there are none."""

    def __init__(self, url: str, seconds: Callable[[], float] = time.monotonic) -> None:
        self._client, self._breaker = _client(url, SHELF_TIMEOUT_S), _Breaker(seconds)

    def get(self, key: str) -> bytes | None:
        """What was put there, while it keeps."""
        return self._ask(lambda: self._client.get(SHELF + key))

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep it for so long."""
        self._ask(lambda: self._client.set(SHELF + key, value, px=max(round(ttl_s * 1e3), 1)))

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _ask(self, question: Callable[[], Any]) -> Any:
        if not self._breaker.may():
            return None
        try:
            answer = question()
        except redis.RedisError:
            self._breaker.failed()
            return None
        self._breaker.worked()
        return answer
