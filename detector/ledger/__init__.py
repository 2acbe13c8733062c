"""The ledger (台账): inputs and all that they caused, committed together or not at all.

A ledger is one shard's append-only journal, chained by hash, with what each batch of it caused:
findings and their moves, refusals, counts. The journal is the truth; every other table can be
derived from it again (`replay.verify` does). Adapters stand beside this file; all obey the laws of
`tests/ledger_laws.py`. Source of the layout: measurements with fsync on, see ARCHITECTURE.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from detector.ledger.epochs import EpochReading, EpochRow
from detector.ledger.verdicts import VerdictReading, VerdictRow
from detector.ledger.watching import Watching
from detector.verdict import Withdrawn

RAISED = "raised"  # code of the move that brings a finding's document
SHARD = "all"  # the embedded ledger has one shard: every subject


class LedgerError(Exception):
    """The ledger cannot do what was asked; the message says what and how to mend it."""


class Conflict(LedgerError):
    """Somebody else has written since: this writer's state is worth nothing and must go."""


class Busy(LedgerError):
    """Another process holds the ledger's write lock; nothing was written, it may be tried again."""


@dataclass(frozen=True)
class Position:
    """How far a journal goes: frames, inputs, and the hash of the last frame (32 bytes)."""

    seq: int = 0
    next_event: int = 0
    hash: bytes = bytes(32)


@dataclass(frozen=True)
class Frame:
    """One row of the journal: at most `journal.FRAME_INPUTS_MAX` inputs, packed."""

    seq: int  # from 1, without gaps
    first_event: int  # number of its first input, from 0
    n: int
    at_lo: int  # least and greatest received_at, µs UTC
    at_hi: int
    hash: bytes  # sha256(hash of the frame before ‖ canonical bytes)
    data: bytes  # canonical bytes, zstd
    back: bytes  # each input's distance to the one before it of its case, zstd
    seal: bytes  # sha256 over all the columns above: finds a changed byte that no other check reads


@dataclass(frozen=True)
class Move:
    """A finding that was raised (`code` "raised", with its document) or whose standing changed."""

    finding_id: str
    code: str  # raised, a reason of Withdrawn, or "" where it stands again
    actor: str
    at: str
    rule: str = ""
    department: str | None = None
    case_id: str | None = None
    item: str | None = None
    operator: str | None = None
    at_us: int = 0
    tier: int = 0
    muted: str | None = None
    doc: bytes | None = None  # the finding as JSON, its standing left out


@dataclass(frozen=True)
class Refusal:
    """A line that was not taken: when it came, its number in its body, why, and its text."""

    received_at: int
    line: int
    field: str
    error: str
    text: str


@dataclass(frozen=True)
class Count:
    """How often a rule did not know (`kind` "undetermined") or might not speak ("muted")."""

    kind: str
    rule: str
    reason: str
    item: str | None
    department: str | None
    day: int  # local day, days since 1970-01-01
    n: int


@dataclass(frozen=True)
class NoticeRow:
    """A notice as it stands after a batch; times µs UTC."""

    notice_id: str
    subject_kind: str
    subject: str
    department: str | None
    tier: int
    level: int
    state: str
    open: int  # 1 while somebody must still do something
    issued_us: int
    next_us: int | None
    doc: bytes


@dataclass(frozen=True)
class NoticeStep:
    """A move of a notice, with its actor and reason."""

    notice_id: str
    at_us: int
    actor: str
    before: str
    after: str
    reason: str
    text: str | None = None


@dataclass(frozen=True)
class NoticeHolds:
    """A notice took a finding; its place among those of the notice, from 0."""

    notice_id: str
    finding_id: str
    place: int


@dataclass(frozen=True)
class Post:
    """A message that is put into the outbox."""

    message_id: str
    notice_id: str
    person: str
    occasion: str
    tier: int
    level: int
    department: str | None
    at_us: int
    subject: str
    text: str
    doc: bytes
    due_us: int
    state: str = "waiting"
    attempts: int = 0


@dataclass
class NoticeWork:
    """What a batch did to notices."""

    rows: list[NoticeRow] = field(default_factory=list)
    steps: list[NoticeStep] = field(default_factory=list)
    holds: list[NoticeHolds] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.steps or self.posts)


@dataclass(frozen=True)
class Relay:
    """What a batch of a shard tells another: committed with it, sent on behind it."""

    seq: int  # the last frame of its batch
    target: str  # the other shard
    data: bytes


@dataclass
class Work:
    """All that one batch leaves: committed whole."""

    frames: list[Frame] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    notices: NoticeWork = field(default_factory=NoticeWork)
    relays: list[Relay] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    epochs: list[EpochRow] = field(default_factory=list)
    relayed: int = 0  # relays of frames up to this have arrived, and are forgotten
    offset: int | None = None  # where the shard's source goes on; None: where it did


class Held(msgspec.Struct, frozen=True):
    """A finding as the ledger holds it: its latest document and how it stands now."""

    doc: bytes
    number: int  # of the move that raised it
    seq: int  # the last frame of the batch that raised it
    withdrawn: Withdrawn | None
    shard: str = SHARD  # whose move and frame these are

    def json(self) -> bytes:
        """The finding as one JSON object, with its standing."""
        if self.withdrawn is None:
            return self.doc
        told = msgspec.json.encode(self.withdrawn)
        return self.doc[: -len(_STANDS)] + b'"withdrawn":' + told + b"}"


_STANDS = b'"withdrawn":null}'  # how a finding's document ends


@dataclass(frozen=True)
class Query:
    """Which findings: None is any. `cursor` is the (at_us, finding_id) to go on after."""

    department: str | None = None
    rule: str | None = None
    tier: int | None = None
    case_id: str | None = None
    operator: str | None = None
    state: str | None = None  # stands, withdrawn, muted
    begin_us: int | None = None
    end_us: int | None = None
    cursor: tuple[int, str] | None = None
    limit: int = 100
    item: str | None = None
    departments: tuple[str, ...] | None = None  # of no other; () is none at all
    verdict: str | None = None  # the one that counts; `none`: nobody has said


@dataclass(frozen=True)
class NoticeQuery:
    """Which notices: None is any. `cursor` is the (issued_us, notice_id) to go on after."""

    department: str | None = None
    tier: int | None = None
    level: int | None = None
    state: str | None = None  # a state, or `open`
    subject: str | None = None
    begin_us: int | None = None
    end_us: int | None = None
    cursor: tuple[int, str] | None = None
    limit: int = 100
    departments: tuple[str, ...] | None = None  # of no other; () is none at all
    rule: str | None = None  # that found something it holds


class Reading(Watching, VerdictReading, EpochReading, Protocol):
    """What may be asked of a ledger, from any thread that has a reader of its own."""

    shard: str  # whose ledger it is

    def position(self) -> Position:
        """How far the journal goes."""

    def offset(self) -> int | None:
        """Where the shard's source goes on, as the last batch says; None where none ever did."""

    def relays(self) -> list[Relay]:
        """What is not known to have arrived where it is told, oldest first."""

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        """Frames from `first` on, in order."""

    def contents(self) -> list[int]:
        """The frames that hold what judges from there on, oldest first; no other is read."""

    def frame_of(self, event: int) -> Frame | None:
        """The frame that holds an input, by the input's number."""

    def findings(self, query: Query) -> list[tuple[int, Held]]:
        """(at_us, finding), newest first."""

    def finding(self, finding_id: str) -> Held | None:
        """One finding."""

    def moves(
        self, after: int, limit: int, finding_id: str | None = None
    ) -> list[tuple[int, Move]]:
        """(number, move) of what came after that number, oldest first."""

    def moves_of(self, shard: str, after: int, limit: int) -> list[tuple[int, Move]]:
        """(number, move) of what came after that number of a shard, oldest first."""

    def last_move(self) -> int:
        """The number of the latest move, 0 where there is none."""

    def last_moves(self) -> dict[str, int]:
        """By shard, the number of its latest move."""

    def refusals(self, after: int, limit: int) -> list[tuple[int, Refusal]]:
        """(number, refusal), oldest first."""

    def counts(self) -> list[Count]:
        """Counts added up over all batches."""

    def totals(self, departments: tuple[str, ...] | None = None) -> dict[str, dict[str, int]]:
        """How many findings there are: {"standing" | "withdrawn" | "muted": {rule: n}}."""

    def notices(self, query: NoticeQuery) -> list[NoticeRow]:
        """Notices, those issued last first."""

    def notice(self, notice_id: str) -> NoticeRow | None:
        """One notice."""

    def notice_of(self, finding_id: str) -> list[str]:
        """The notices that hold a finding."""

    def notice_findings(self, notice_id: str, limit: int = 1 << 31) -> list[str]:
        """What a notice holds, in the order in which it took them."""

    def notice_steps(self, notice_id: str) -> list[NoticeStep]:
        """The history of a notice, oldest first."""

    def close(self) -> None:
        """Let go of it."""


class Ledger(Reading, Protocol):
    """The one writer of a ledger."""

    def begin(self) -> None:
        """Take the write lock before anything is judged. Raises `Busy`, having done nothing."""

    def abandon(self) -> None:
        """Give the write lock back without having written."""

    def commit(self, before: Position, work: Work) -> Position:
        """Write a batch and make it durable; the new position.

        Raises `Conflict` where the ledger does not stand at `before`, `LedgerError` where it cannot
        be written. After either nothing of `work` is there.
        """

    def reader(self) -> Reading:
        """A view of its own for another thread."""


def after(before: Position, frames: Sequence[Frame]) -> Position:
    """The position once these frames stand behind it."""
    if not frames:
        return before
    last = frames[-1]
    return Position(last.seq, last.first_event + last.n, last.hash)
