"""The embedded ledger on SQLite: one transaction a batch, WAL, every commit synced.

Statements are written with SQLAlchemy Core against `tables` and handed, with their parameters, to
the driver's own connection: that costs a third of going through SQLAlchemy at each commit. The
connection may be of any driver with `execute` and `executemany`, so the laws of lost writes run the
very same code on a file system that loses them. Opening files is the affair of `sqlite_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import BigInteger, Select, bindparam, delete, func, update
from sqlalchemy.dialects.sqlite import insert as upsert

from detector.ledger import (
    SHARD,
    Busy,
    Conflict,
    LedgerError,
    Move,
    Position,
    Work,
    after,
)
from detector.ledger.epochs_sql import EPOCH
from detector.ledger.journal import contents_among
from detector.ledger.notice_questions import HOLDS, NOTICE, POST, STEP
from detector.ledger.questions import COUNT, FINDING, FRAME, MOVE, REFUSAL, RELAY, SqlReader
from detector.ledger.standings import STANDING, standings
from detector.ledger.statement import SQLITE
from detector.ledger.statement import Statement as _Statement
from detector.ledger.statement import rows_of as _rows
from detector.ledger.tables import (
    CONTENTS,
    COUNTS,
    EPOCHS,
    FINDINGS,
    JOURNAL,
    MOVES,
    NOTICE_FINDINGS,
    NOTICE_MOVES,
    NOTICES,
    OUTBOX,
    POSITION,
    REFUSALS,
    RELAYS,
    VERDICTS,
)
from detector.ledger.verdicts_sql import VERDICT


class Connection(Protocol):
    """What is asked of a driver's connection; it must not open transactions by itself."""

    def execute(self, sql: str, params: Any = ()) -> Any: ...

    def executemany(self, sql: str, params: Iterable[Any]) -> Any: ...

    def close(self) -> None: ...


_ADVANCE = (
    update(POSITION)
    .values(
        seq=bindparam("new_seq"),
        next_event=bindparam("new_next"),
        hash=bindparam("new_hash"),
        offset=func.coalesce(bindparam("new_offset", type_=BigInteger), POSITION.c.offset),
    )
    .where(POSITION.c.shard == SHARD, POSITION.c.seq == bindparam("old_seq"))
)
_STAND = (
    update(FINDINGS)
    .values({n: bindparam(f"new_{n}") for n in STANDING})
    .where(FINDINGS.c.finding_id == bindparam("which"))
)


_NEW_FRAME = _rows(JOURNAL, FRAME)
_NEW_CONTENT = _rows(CONTENTS, ("seq",))
_NEW_MOVE = _rows(MOVES, ("number", "seq", *MOVE))
_NEW_REFUSAL = _rows(REFUSALS, ("seq", *REFUSAL))
_NEW_COUNT = _rows(COUNTS, ("seq", *COUNT))
_NEW_RELAY = _rows(RELAYS, RELAY)
_ARRIVED = _Statement(
    delete(RELAYS).where(RELAYS.c.shard == SHARD, RELAYS.c.seq <= bindparam("relayed"))
)


class SqliteReader(SqlReader):
    """Questions to a ledger file, over a connection of one's own."""

    dialect, shard = SQLITE, SHARD

    def __init__(self, connect: Callable[[], Connection], errors: type[Exception]) -> None:
        self._connect, self._errors = connect, errors
        self._connection = connect()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Within, all questions see the ledger at one instant."""
        self._run("BEGIN")
        try:
            yield
        finally:
            self._run("ROLLBACK")

    def rows_of(self, wanted: Select[Any]) -> Iterator[Any]:
        """The rows of a question, one after the other."""
        made = _Statement(wanted)
        try:
            yield from self._connection.execute(made.text, made.row({}))
        except self._errors as fault:
            raise said(fault) from fault

    def _run(self, text: str, params: Any = ()) -> list[Any]:
        try:
            return list(self._connection.execute(text, params))
        except self._errors as fault:
            raise said(fault) from fault


class SqliteLedger(SqliteReader):
    """The one writer of a ledger file whose tables exist."""

    def __init__(self, connect: Callable[[], Connection], errors: type[Exception]) -> None:
        super().__init__(connect, errors)
        try:
            self._connection.execute(_FIRST.text, _FIRST.row({}))
        except errors as fault:
            raise said(fault) from fault
        self._moves = self.last_move()
        self._open = False

    def reader(self) -> SqliteReader:
        """A view of its own for another thread."""
        return SqliteReader(self._connect, self._errors)

    def begin(self) -> None:
        """Take the write lock before anything is judged. Raises `Busy`, having done nothing."""
        if not self._open:
            self._run("BEGIN IMMEDIATE")
            self._open = True

    def abandon(self) -> None:
        """Give the write lock back without having written."""
        if self._open:
            self._open = False
            self._run("ROLLBACK")

    def commit(self, before: Position, work: Work) -> Position:
        """Write a batch and make it durable; see `Ledger.commit`."""
        new = after(before, work.frames)
        self.begin()
        try:
            self._write(before, new, work)
            self._connection.execute("COMMIT")
            self._open = False
        except self._errors as fault:
            self._undo()
            raise said(fault) from fault
        except BaseException:
            self._undo()
            raise
        self._moves += len(work.moves)
        return new

    def _undo(self) -> None:
        """Roll back; where even that fails the file's own recovery does it at the next opening."""
        self._open = False
        try:
            self._connection.execute("ROLLBACK")
        except self._errors:
            self._connection.close()

    def _write(self, before: Position, new: Position, work: Work) -> None:
        run, many = self._connection.execute, self._connection.executemany
        told: dict[str, Any] = {
            "new_seq": new.seq, "new_next": new.next_event, "new_hash": new.hash,
        }  # fmt: skip
        told |= {"new_offset": work.offset, "old_seq": before.seq}
        run(_MOVE_ON.text, _MOVE_ON.row(told))
        if next(iter(run("SELECT changes()")))[0] != 1:
            raise Conflict(f"the ledger does not stand at frame {before.seq}: another has written")
        many(_NEW_FRAME.text, [_NEW_FRAME.row({"shard": SHARD} | vars(f)) for f in work.frames])
        if contents := contents_among(work.frames):
            many(
                _NEW_CONTENT.text, [_NEW_CONTENT.row({"shard": SHARD, "seq": n}) for n in contents]
            )
        if work.moves:
            self._write_moves(new.seq, work.moves)
        if work.relayed:
            run(_ARRIVED.text, _ARRIVED.row({"relayed": work.relayed}))
        if work.relays:
            many(_NEW_RELAY.text, [_NEW_RELAY.row({"shard": SHARD} | vars(r)) for r in work.relays])
        self._write_rest({"shard": SHARD, "seq": new.seq}, work)

    def _write_rest(self, given: dict[str, Any], work: Work) -> None:
        many, told = self._connection.executemany, work.notices
        written: tuple[tuple[_Statement, Sequence[Any]], ...] = (
            (_NEW_REFUSAL, work.refusals), (_NEW_COUNT, work.counts), (_PUT_NOTICE, told.rows),
            (_NEW_STEP, told.steps), (_NEW_HOLDS, told.holds), (_NEW_POST, told.posts),
            (_NEW_VERDICT, work.verdicts), (_NEW_EPOCH, work.epochs),
        )  # fmt: skip
        for statement, rows in written:
            if rows:
                many(statement.text, [statement.row(given | vars(row)) for row in rows])

    def _write_moves(self, seq: int, moves: list[Move]) -> None:
        """All moves, and where each finding stands after the last of its own."""
        many, given = self._connection.executemany, {"shard": SHARD, "seq": seq}
        told = [vars(m) | given | {"number": n} for n, m in enumerate(moves, self._moves + 1)]
        many(_NEW_MOVE.text, [_NEW_MOVE.row(row) for row in told])
        raised, changed = standings(moves, self._moves)
        if raised:
            many(_PUT.text, [_PUT.row(given | row) for row in raised])
        if changed:
            rows = [{f"new_{n}": row[n] for n in STANDING} | row for row in changed]
            many(_CHANGE.text, [_CHANGE.row(row | {"which": row["finding_id"]}) for row in rows])


def said(fault: Exception) -> LedgerError:
    """A driver's complaint in the ledger's words."""
    text = str(fault)
    if "locked" in text or "busy" in text.lower():
        return Busy("the ledger is locked by another process; end it, or wait")
    if "full" in text:
        return LedgerError("the disk is full: free space under the data folder")
    if "readonly" in text or "read-only" in text:
        return LedgerError("the ledger cannot be written: the file or its folder is read-only")
    if "malformed" in text or "not a database" in text:
        return LedgerError(f"the ledger file is damaged: {text}")
    return LedgerError(f"the ledger cannot be used: {text}")


def _put() -> _Statement:
    new = upsert(FINDINGS).values({n: bindparam(n) for n in ("shard", *FINDING)})
    told = {n: new.excluded[n] for n in FINDING if n != "finding_id"}
    return _Statement(new.on_conflict_do_update(index_elements=["finding_id"], set_=told))


_PUT, _CHANGE, _MOVE_ON = _put(), _Statement(_STAND), _Statement(_ADVANCE)
_FIRST = _Statement(
    upsert(POSITION)
    .values(shard=SHARD, seq=0, next_event=0, hash=bytes(32))
    .on_conflict_do_nothing()
)


def _put_notice() -> _Statement:
    new = upsert(NOTICES).values({n: bindparam(n) for n in ("shard", *NOTICE)})
    told = {n: new.excluded[n] for n in NOTICE if n != "notice_id"}
    return _Statement(new.on_conflict_do_update(index_elements=["notice_id"], set_=told))


def _hold() -> _Statement:
    new = upsert(NOTICE_FINDINGS).values({n: bindparam(n) for n in ("shard", *HOLDS)})
    return _Statement(new.on_conflict_do_nothing())


_PUT_NOTICE, _NEW_HOLDS = _put_notice(), _hold()
_NEW_STEP = _rows(NOTICE_MOVES, ("seq", *STEP))
_NEW_POST = _rows(OUTBOX, ("seq", *POST))
_NEW_VERDICT = _rows(VERDICTS, ("seq", *VERDICT))
_NEW_EPOCH = _rows(EPOCHS, ("seq", *EPOCH))
