"""One shard at work in a worker: its ledger, its runner, and where its partition goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from detector.cluster.layout import DEPARTMENT, OPERATOR, parts_of
from detector.cluster.packing import LINE, RECEIVED, WATERMARK
from detector.cluster.shards import at_work
from detector.known import tick_line
from detector.ledger import Ledger, LedgerError, Move, Refusal, Relay
from detector.live import Answer, Figures, Unreadable
from detector.live.arrivals import Waiting
from detector.live.intake import as_lines
from detector.live.outside import Limits, Outside
from detector.live.recovery import Recovered, recover
from detector.live.runner import Runner
from detector.live.snapshotter import Snapshotter
from detector.values import SECOND_US

RELAYS_MAX = 64  # batches that were told and have not arrived yet
# Shards that others feed are told a little by each of their commits, and rest between two batches.
REST_S = {OPERATOR: 0.05, DEPARTMENT: 0.1}


@dataclass(frozen=True)
class Means:
    """What a desk asks of the world. All are called from the engine's thread."""

    seconds: Callable[[], float]
    room: Callable[[], bool]
    say: Callable[[str, dict[str, object]], None]
    relay: Callable[[Sequence[Relay], Callable[[], None]], None]  # and what to call on arrival
    moved: Callable[[str, list[tuple[int, Move]]], None]
    refused: Callable[[str, list[Refusal]], None]
    failed: Callable[[BaseException], None]
    # One shard of a process judges at a time: several at once would wait for one interpreter's lock
    # at each step, at more than twice the cost.
    alone: AbstractContextManager[object] = field(default_factory=threading.Lock)


class Desk:
    """A shard that was recovered, and its thread."""

    def __init__(self, name: str, ledger: Ledger, folder: Path, means: Means) -> None:
        """Raises `LedgerError`."""
        self.name, self.ledger, self._means = name, ledger, means
        begun = means.seconds()
        snapshots = folder / name
        self.recovered: Recovered = recover(ledger, snapshots, kind=at_work(name))
        self.recovered_s = means.seconds() - begun
        self.next = ledger.offset() or 0  # the offset of the record that comes next
        self.done = self.next  # … of the first that is not durable yet
        self._snapshots = Snapshotter(snapshots, means.seconds, means.say)
        self._snapshots.began(self.recovered.shard)
        self._room = threading.BoundedSemaphore(RELAYS_MAX)
        self.telling = 0  # batches that were told and have not arrived
        self.lag = 0  # records that are not durable yet, as far as is known
        outside = Outside(
            None, means.seconds, means.room, self._snapshots.consider, means.failed,
            self._relay, True, means.alone, refused=lambda some: means.refused(name, some),
        )  # fmt: skip
        limits = Limits(rest_s=REST_S.get(parts_of(name)[0], 0.0))
        self.runner = Runner(self.recovered.shard, ledger, outside, limits)
        self.runner.listeners.append(lambda moves: means.moved(name, moves))
        self._idle = threading.Condition()
        self._open = 0
        left = ledger.relays()  # of a life before this one
        self.runner.start()
        if left:
            self._relay(left)

    def take(self, record: Taken, done: Callable[[], None]) -> bool:
        """The next record of the partition; False where it was taken before. One that is not yet
        due must not be given: those before it would be lost."""
        if record.offset < self.next:
            return False
        assert record.offset == self.next
        self.next += 1
        bodies = record.bodies()
        with self._idle:
            self._open += 1

        def settled(answer: object) -> None:
            if not isinstance(answer, Answer):  # it was not judged, and must not count as done
                self._means.failed(LedgerError(f"{self.name}: record {record.offset}: {answer}"))
                return
            self.done = record.offset + 1
            with self._idle:
                self._open -= 1
                self._idle.notify_all()
            done()

        some = [Waiting(data, stamp, _nothing, self.next, True) for data, stamp in bodies[:-1]]
        data, stamp = bodies[-1]
        self.runner.feed([*some, Waiting(data, stamp, settled, self.next, True)])
        return True

    @property
    def figures(self) -> Figures:
        """What its runner has done."""
        return self.runner.figures

    @property
    def gauges(self) -> dict[str, float]:
        """How it stands."""
        watermark = self.runner.shard.state.cases.watermark
        return {
            "lag_records": self.lag, "watermark_seconds": max(watermark, 0) / SECOND_US,
            "relays_waiting": self.telling, "offset": self.done,
            "recovered_seconds": self.recovered_s, "queue_bytes": self.runner.waiting()[1],
        }  # fmt: skip

    def drain(self, timeout_s: float) -> bool:
        """Wait until all that was taken is durable; whether it is."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._open, timeout_s)

    def still_ours(self) -> None:
        """Raises `LedgerError` where another has written since."""
        if self.ledger.position() != self.runner.shard.position:
            raise LedgerError(f"{self.name}: another has written to its ledger")

    def close(self) -> None:
        """Judge what was taken, leave a snapshot to whoever comes next, let go of the ledger."""
        self.runner.stop()
        if self.runner.state == "stopped":
            self.runner.flush()
            self._snapshots.close(self.runner.shard)
        self.ledger.close()

    def _relay(self, relays: Sequence[Relay]) -> None:
        if not relays:
            return
        self._room.acquire()
        self.telling += 1
        seq = relays[-1].seq

        def arrived() -> None:
            self.runner.relayed = max(self.runner.relayed, seq)
            self.telling -= 1
            self._room.release()

        self._means.relay(relays, arrived)


@dataclass(frozen=True)
class Taken:
    """A record of a partition, as it was read."""

    offset: int
    value: bytes
    headers: Mapping[str, bytes]
    appended_us: int

    def bodies(self) -> list[tuple[bytes, int | None]]:
        """What the shard receives: lines with the stamp of their arrival, and a tick."""
        told: list[tuple[bytes, int | None]] = []
        if self.value:
            told.append((_lines(self.value), self._stamp()))
        at = self.headers.get(WATERMARK, b"")
        if at.isdigit() and len(at) < 17:
            told.append((tick_line(int(at)), None))
        return told or [(b"", None)]

    def _stamp(self) -> int | None:
        """A foreign producer's lines arrived when the broker took them."""
        told = self.headers.get(RECEIVED, b"")
        if told == LINE:
            return None
        return int(told) if told.isdigit() and len(told) < 17 else self.appended_us


def _lines(value: bytes) -> bytes:
    """The value as lines; what can be read as none is one line, which will be refused."""
    try:
        return as_lines(value)
    except Unreadable:
        return value.replace(b"\n", b" ") + b"\n"


def _nothing(answer: object) -> None:
    """Only the last body of a record is waited for."""
