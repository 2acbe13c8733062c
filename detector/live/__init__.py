"""The living service's middle: bodies come in, one engine thread judges and commits, answers.

What the web (or any other door) sees of it is in this file; `runner` is the thread, `shard` its
state, `intake` reads bodies, `recovery` brings a shard back from its ledger.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from detector.counted import Counted
from detector.gate_limits import GateLimits
from detector.ledger import Held, Move, Reading
from detector.tomlfile import Problem


class Fault(msgspec.Struct, frozen=True):
    """A line of a body that was refused."""

    line: int  # from 1
    field: str
    error: str


class Answer(msgspec.Struct, frozen=True):
    """What became of one body, said once it is durable."""

    accepted: int
    duplicates: int
    refused: list[Fault]


class Entry(msgspec.Struct, frozen=True):
    """One input of a case's timeline: its number in the journal, when it came, and its line."""

    number: int
    received_at: int  # µs UTC
    line: bytes


class Unavailable(Exception):
    """Nothing was judged or kept of this body; it may be sent again after `retry_after_s`."""

    def __init__(self, reason: str, status: int = 503, retry_after_s: int | None = 1) -> None:
        super().__init__(reason)
        self.reason, self.status, self.retry_after_s = reason, status, retry_after_s


class Unjudged(Exception):
    """Nobody could say in time what would come of an event; the message says why."""


class Untold(Exception):
    """A shard did not tell what is asked of all of them; the message says why."""

    def __init__(self, shard: str, reason: str) -> None:
        super().__init__(f"{shard}: {reason}")
        self.shard = shard


class Unreadable(Exception):
    """A body of which no line can be made out: neither NDJSON nor a JSON array of objects."""


@dataclass
class Figures:
    """What the service has done since it started; written by the engine thread alone."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    dropped: int = 0  # fields removed for privacy
    batches: int = 0
    frames: int = 0
    findings: Counter[str] = field(default_factory=Counter)  # raised, by rule
    changes: Counter[str] = field(default_factory=Counter)  # of standing, by reason
    undetermined: Counter[str] = field(default_factory=Counter)  # by rule
    muted: Counter[str] = field(default_factory=Counter)  # by rule
    commit_s: float = 0.0  # spent in commits
    judge_s: float = 0.0  # spent in decoding and judging
    clock_us: int = 0  # the engine's clock
    clock_back_us: int = 0  # by how much the machine's clock is behind the engine's
    snapshots: int = 0
    snapshot_seq: int = 0
    districts: int = 0  # changes of district or rulebook that were taken
    districts_refused: int = 0


class Reloaded(msgspec.Struct, frozen=True):
    """A district's folder that was taken: files that changed, the digest of what judges now."""

    changed: list[str]
    digest: str


class Reloading(Protocol):
    """The district's folder, which may be taken anew while the service runs."""

    problems: Sequence[Problem]  # why the folder, as it was last read, is not in force

    def reload(self) -> Reloaded:
        """Take the folder as it is now; waits. Raises `DistrictError`, `RuleFault` and
        `Unavailable`: then what was in force stays."""

    def rewrite(self, edit: Callable[[bytes], bytes]) -> Reloaded:
        """Edit the text of the folder's rulebook, and take it. Raises as `reload`, what `edit`
        raises, `OSError` where it cannot be written."""


Say = Callable[[Answer | Exception], None]  # called in the engine thread, once
Listener = Callable[[list[tuple[int, Move]]], None]  # moves with their numbers, after the commit


class Beforehand(Protocol):
    """Says what would come of an event if it were recorded now (`POST /gate`)."""

    @property
    def limits(self) -> GateLimits:
        """How long it may take, and what is answered where it takes longer."""

    async def ask(self, line: bytes) -> bytes:
        """The verdict as JSON (`detector.beforehand`), which is kept nowhere. Raises `Refused`
        where the line is no sound event, and `Unjudged`."""


class Service(Protocol):
    """Shards at work: one, or several elsewhere. `state`: starting, ready, stopping, stopped or
    failed."""

    state: str
    epoch: str  # names this ledger: a stream's ids are `epoch-number`
    shards: Sequence[str]  # whose moves there are; each numbers its own
    wall: bool  # its clock is that of the machine, which goes on by itself
    deferred: bool  # answers say that a body was taken, before it is judged
    figures: Figures
    listeners: list[Listener]  # are told of every move, where there is one shard

    @property
    def beforehand(self) -> Beforehand:
        """Who says what would come of an event."""

    def submit(self, body: bytes, say: Say) -> None:
        """Queue a body (NDJSON or a JSON array); `say` gets its answer, `Unreadable`, or
        `Unavailable`. Raises `Unavailable` at once (status 429) when the queue is full."""

    def waiting(self) -> tuple[int, int]:
        """Bodies and bytes in the queue."""

    def timeline(self, case_id: str, reader: Reading) -> list[Entry] | None:
        """The judged inputs of a case, oldest first; None where it is unknown."""

    def account(self, held: Held) -> dict[str, Any] | None:
        """How a finding came about (`detector.account`) by what was in force then; None where its
        rule was not."""

    def tally(self, rule: str) -> Counted:
        """What was counted of a rule's raw values, by all shards. Raises `Untold`."""

    def cases(self) -> int:
        """How many cases are known."""

    def about(self) -> dict[str, Any]:
        """District, rulebook and position, for people."""
