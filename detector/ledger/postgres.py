"""The ledger of a scale-out on PostgreSQL: one shard a writer, one call a batch.

A batch's rows go as arrays of their columns to `ledger_commit` (migration 0003): one statement,
hence a transaction of its own, that does nothing where the shard does not stand where the writer
thinks. So a writer that was given up for dead and comes back fails, whatever it believes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Select
from sqlalchemy.dialects import registry
from sqlalchemy.engine import Dialect

from detector.ledger import (
    Conflict,
    LedgerError,
    Position,
    Work,
    after,
)
from detector.ledger.journal import contents_among
from detector.ledger.notice_questions import HOLDS, NOTICE, POST, STEP
from detector.ledger.postgres_arrays import columns
from detector.ledger.questions import COUNT, FINDING, FRAME, MOVE, REFUSAL, RELAY, SqlReader
from detector.ledger.standings import STANDING, standings
from detector.ledger.statement import clean
from detector.ledger.verdicts_sql import VERDICT

POSTGRES: Dialect = registry.load("postgresql.psycopg")()
_LOST = ("OperationalError", "InterfaceError", "ConnectionTimeout")
ELSEWHERE = "OR001"  # what `ledger_commit` raises where the shard stands elsewhere
_TABLES = (
    FRAME,
    MOVE,
    FINDING,
    ("finding_id", *STANDING),
    REFUSAL,
    COUNT,
    NOTICE,
    STEP,
    HOLDS,
    POST,
    RELAY,
    VERDICT,
    ("doc",),  # of epochs: `ledger_commit` reads the rest from it
    ("seq",),  # of contents
)
_TYPES = {  # of arrays, by column; all others are texts
    "bigint": "seq first_event at_lo at_hi number at_us received_at issued_us next_us due_us",
    "integer": "n tier line day level open place attempts",
    "bytea": "hash data back seal doc",
}
_TYPE_OF = {name: kind for kind, names in _TYPES.items() for name in names.split()}
_COLUMNS = [(names, [_TYPE_OF.get(name, "text") for name in names]) for names in _TABLES]


class Connection(Protocol):
    """What is asked of a driver's connection, which commits each statement by itself."""

    def execute(self, query: Any, params: Any = None, *, binary: bool = False) -> Any: ...

    def cursor(self) -> Any: ...

    @property
    def closed(self) -> bool: ...

    def close(self) -> None: ...


Connect = Callable[[], Connection]


class Renewed:
    """A connection that was lost with its server is opened anew when it is next needed."""

    _connect: Connect
    _connection: Connection

    def _renew(self) -> None:
        if self._connection.closed:
            self._connection = self._connect()


class PostgresReader(Renewed, SqlReader):
    """Questions to one shard's ledger, over a connection of one's own."""

    dialect = POSTGRES

    def __init__(self, connect: Connect, errors: type[Exception], shard: str) -> None:
        self._connect, self._errors, self.shard = connect, errors, shard
        self._connection = connect()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def kept(self, text: str | None) -> str | None:
        """A text as the database keeps it."""
        return clean(text)

    def rows_of(self, wanted: Select[Any]) -> Iterator[Any]:
        """The rows of a question, one after the other."""
        return iter(self._ask(wanted))

    def _run(self, text: str, params: Any = ()) -> list[Any]:
        self._renew()
        try:
            return list(self._connection.execute(text, params, binary=True))
        except self._errors as fault:
            raise said(fault) from fault


class PostgresLedger(PostgresReader):
    """The one writer of a shard whose tables exist."""

    def __init__(self, connect: Connect, errors: type[Exception], shard: str) -> None:
        super().__init__(connect, errors, shard)
        first = (
            "INSERT INTO position (shard, seq, next_event, hash) VALUES (%s, 0, 0, %s)"
            " ON CONFLICT DO NOTHING RETURNING seq"
        )
        self._run(first, (shard, bytes(32)))
        self._moves = self.last_move()

    def reader(self) -> PostgresReader:
        """A view of its own for another thread."""
        return PostgresReader(self._connect, self._errors, self.shard)

    def owned_by(self, owner: str) -> None:
        """Say where the shard's worker answers questions."""
        told = "UPDATE position SET owner = %s WHERE shard = %s RETURNING seq"
        self._run(told, (owner, self.shard))

    def begin(self) -> None:
        """Nothing is held: who has written meanwhile is found at the commit."""

    def abandon(self) -> None:
        """Nothing is held."""

    def commit(self, before: Position, work: Work) -> Position:
        """Write a batch and make it durable; see `Ledger.commit`."""
        new = after(before, work.frames)
        told: list[Any] = [self.shard, before.seq, new.seq, new.next_event, new.hash]
        raised, changed = standings(work.moves, self._moves)
        tables: tuple[Sequence[Any], ...] = (
            work.frames, work.moves, raised, changed, work.refusals, work.counts,
            work.notices.rows, work.notices.steps, work.notices.holds, work.notices.posts,
            work.relays, work.verdicts, work.epochs,
            [{"seq": seq} for seq in contents_among(work.frames)],
        )  # fmt: skip
        for rows, (names, kinds) in zip(tables, _COLUMNS, strict=True):
            told += columns(rows, names, kinds)
        self._run(_COMMIT, (*told, self._moves, work.offset, work.relayed))
        self._moves += len(work.moves)
        return new


def said(fault: Exception) -> LedgerError:
    """A driver's complaint in the ledger's words, without what was written."""
    state = getattr(fault, "sqlstate", None) or ""
    if state == ELSEWHERE:
        return Conflict("the ledger stands at another frame: another has written")
    if state == "53100":
        return LedgerError("the database's disk is full: free space there")
    if state == "25006":
        return LedgerError("the database is read-only")
    name = type(fault).__name__
    if state.startswith(("08", "57P")) or (not state and name in _LOST):
        return LedgerError("the database cannot be reached")
    return LedgerError(f"the database refuses: {name} {state}".rstrip())


def _call() -> str:
    """Everything goes as the database keeps it (`%b`), which halves what a batch costs."""
    marks = ["%b::text", *["%b::bigint"] * 3, "%b::bytea"]
    marks += [f"%b::{kind}[]" for _, kinds in _COLUMNS for kind in kinds]
    return f"SELECT ledger_commit({', '.join(marks)}, %b::bigint, %b::bigint, %b::bigint)"


_COMMIT = _call()
