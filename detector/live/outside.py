"""What the engine's thread is given: its bounds, and what it asks of the world."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

from detector.ledger import Refusal, Relay
from detector.live.shard import Shard


@dataclass(frozen=True)
class Limits:
    """Bounds of the queue and of a batch."""

    queue_bodies_max: int = 1_024
    queue_bytes_max: int = 64 << 20
    batch_bytes_max: int = 8 << 20  # some 25,000 lines; one body is always taken
    retry_after_s: int = 1
    offsets_max: int = 200  # records of the source that leave nothing before that is written down
    notice_s: float = 0.1  # … while something found waits to become a notice
    tick_s: float = 1.0  # how long to wait for bodies before the wall clock is asked
    soon_s: float = 0.02  # never less, however many limits follow one another
    rest_s: float = 0.0  # between the begins of two batches: small ones cost most of their time


class Outside(NamedTuple):
    """What the thread asks of the world; wired in the composition root."""

    now: Callable[[], int] | None  # µs UTC under --clock wall, None under --clock events
    seconds: Callable[[], float]  # a clock that only measures
    room: Callable[[], bool]  # is there room on the disk for another batch
    committed: Callable[[Shard], None]  # after each commit, in the engine's thread
    failed: Callable[[BaseException], None]  # the thread has ended by this fault
    relay: Callable[[list[Relay]], None] = lambda relays: None  # to other shards, behind a commit
    comes_again: bool = False  # what leaves nothing comes again after a restart
    alone: AbstractContextManager[object] = (
        nullcontext()
    )  # held while it judges, not while it writes
    speaks: bool = True  # else nobody is told of notices: it was done before
    refused: Callable[[list[Refusal]], None] = lambda refusals: None  # behind a commit
