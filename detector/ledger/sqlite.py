"""The embedded ledger on SQLite: one transaction a batch, WAL, every commit synced.

Statements are written with SQLAlchemy Core against `tables` and handed, with their parameters, to
the driver's own connection: that costs a third of going through SQLAlchemy at each commit. The
connection may be of any driver with `execute` and `executemany`, so the laws of lost writes run the
very same code on a file system that loses them. Opening files is the affair of `sqlite_file`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from sqlalchemy import Select, and_, bindparam, func, null, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.sql import ClauseElement

from detector.ledger import (
    RAISED,
    SHARD,
    Busy,
    Conflict,
    Count,
    Frame,
    Held,
    LedgerError,
    Move,
    Position,
    Query,
    Refusal,
    Work,
    after,
)
from detector.ledger.sqlite_notices import (
    NEW_HOLDS,
    NEW_POST,
    NEW_STEP,
    PUT_NOTICE,
    NoticeReader,
)
from detector.ledger.statement import Statement as _Statement
from detector.ledger.statement import rows_of as _rows
from detector.ledger.tables import (
    COUNTS,
    FINDINGS,
    JOURNAL,
    MOVES,
    POSITION,
    REFUSALS,
)
from detector.verdict import Withdrawn

_PAGE = 64  # frames fetched at a time
_FRAME = ("seq", "first_event", "n", "at_lo", "at_hi", "hash", "data", "back", "seal")
_MOVE = ("finding_id", "code", "actor", "at", "doc")
_FINDING = (
    "finding_id", "number", "rule", "department", "case_id", "item", "operator", "at_us", "tier",
    "muted", "withdrawn", "withdrawn_actor", "withdrawn_at",
)  # fmt: skip
RAISED_COLUMNS = ("rule", "department", "case_id", "item", "operator", "at_us", "tier", "muted")
_REFUSAL = ("received_at", "line", "field", "error", "text")
_COUNT = ("kind", "rule", "reason", "item", "department", "day", "n")


class Connection(Protocol):
    """What is asked of a driver's connection; it must not open transactions by itself."""

    def execute(self, sql: str, params: Any = ()) -> Any: ...

    def executemany(self, sql: str, params: Iterable[Any]) -> Any: ...

    def close(self) -> None: ...


_ADVANCE = (
    update(POSITION)
    .values(seq=bindparam("new_seq"), next_event=bindparam("new_next"), hash=bindparam("new_hash"))
    .where(POSITION.c.shard == SHARD, POSITION.c.seq == bindparam("old_seq"))
)
_STAND = (
    update(FINDINGS)
    .values({n: bindparam(f"new_{n}") for n in ("withdrawn", "withdrawn_actor", "withdrawn_at")})
    .where(FINDINGS.c.finding_id == bindparam("which"))
)


_NEW_FRAME = _rows(JOURNAL, _FRAME)
_NEW_MOVE = _rows(MOVES, ("number", "seq", *_MOVE))
_NEW_REFUSAL = _rows(REFUSALS, ("seq", *_REFUSAL))
_NEW_COUNT = _rows(COUNTS, ("seq", *_COUNT))


class SqliteReader(NoticeReader):
    """Questions to a ledger file, over a connection of one's own."""

    def __init__(self, connect: Callable[[], Connection], errors: type[Exception]) -> None:
        self._connect, self._errors = connect, errors
        self._connection = connect()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _ask(self, statement: ClauseElement) -> list[Any]:
        made = _Statement(statement)
        return self._run(made.text, made.row({}))

    def _run(self, text: str, params: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return list(self._connection.execute(text, params))
        except self._errors as fault:
            raise said(fault) from fault

    def position(self) -> Position:
        """How far the journal goes."""
        c = POSITION.c
        rows = self._ask(select(c.seq, c.next_event, c.hash).where(c.shard == SHARD))
        return Position(*rows[0]) if rows else Position()

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        """Frames from `first` on, in order."""
        c = JOURNAL.c
        wanted = [c[name] for name in _FRAME]
        while True:
            some = select(*wanted).where(c.shard == SHARD, c.seq >= first).limit(_PAGE)
            if last is not None:
                some = some.where(c.seq <= last)
            rows = self._ask(some.order_by(c.seq))
            if not rows:
                return
            for row in rows:
                yield Frame(*row)
            first = rows[-1][0] + 1

    def frame_of(self, event: int) -> Frame | None:
        """The frame that holds an input, by the input's number."""
        rows = self._run(_FRAME_OF.text, _FRAME_OF.row({"event": event}))
        frame = Frame(*rows[0]) if rows else None
        return frame if frame and event < frame.first_event + frame.n else None

    def findings(self, query: Query) -> list[tuple[int, Held]]:
        """(at_us, finding), newest first."""
        f = FINDINGS.c
        wanted = _held().add_columns(f.at_us)
        for name in ("department", "rule", "tier", "case_id", "operator"):
            if getattr(query, name) is not None:
                wanted = wanted.where(f[name] == getattr(query, name))
        if query.begin_us is not None:
            wanted = wanted.where(f.at_us >= query.begin_us)
        if query.end_us is not None:
            wanted = wanted.where(f.at_us < query.end_us)
        wanted = _of_state(wanted, query.state)
        if query.cursor is not None:
            at, found = query.cursor
            wanted = wanted.where(or_(f.at_us < at, and_(f.at_us == at, f.finding_id < found)))
        wanted = wanted.order_by(f.at_us.desc(), f.finding_id.desc()).limit(query.limit)
        return [(row[6], _told(row)) for row in self._ask(wanted)]

    def finding(self, finding_id: str) -> Held | None:
        """One finding."""
        rows = self._ask(_held().where(FINDINGS.c.finding_id == finding_id))
        return _told(rows[0]) if rows else None

    def standings(self) -> Iterator[tuple[str, Withdrawn | None]]:
        """(id, standing) of every finding, by id."""
        f, last = FINDINGS.c, ""
        while True:
            wanted = select(f.finding_id, f.withdrawn, f.withdrawn_actor, f.withdrawn_at)
            wanted = wanted.where(f.finding_id > last).order_by(f.finding_id).limit(10_000)
            rows = self._ask(wanted)
            if not rows:
                return
            for found, *gone in rows:
                yield found, None if gone[0] is None else Withdrawn(*gone)
            last = rows[-1][0]

    def raised(self, findings: Sequence[str]) -> dict[str, Move]:
        """How findings stand in the ledger, as the moves that raised them last."""
        f, m = FINDINGS.c, MOVES.c
        told: dict[str, Move] = {}
        for begin in range(0, len(findings), 500):
            some = findings[begin : begin + 500]
            wanted = select(f.finding_id, m.actor, m.at, m.doc, *(f[n] for n in RAISED_COLUMNS))
            wanted = wanted.join_from(FINDINGS, MOVES, f.number == m.number)
            for found, actor, at, doc, *rest in self._ask(wanted.where(f.finding_id.in_(some))):
                columns = dict(zip(RAISED_COLUMNS, rest, strict=True))
                told[found] = Move(found, RAISED, actor, at, doc=doc, **columns)
        return told

    def moves(
        self, after: int, limit: int, finding_id: str | None = None, docs: bool = True
    ) -> list[tuple[int, Move]]:
        """(number, move) of what came after that number, oldest first; also without documents."""
        m = MOVES.c
        columns = [m[name] if docs or name != "doc" else null() for name in _MOVE]
        wanted = select(m.number, *columns).where(m.number > after)
        if finding_id is not None:
            wanted = wanted.where(m.finding_id == finding_id)
        rows = self._ask(wanted.order_by(m.number).limit(limit))
        return [(n, Move(i, code, actor, at, doc=doc)) for n, i, code, actor, at, doc in rows]

    def last_move(self) -> int:
        """The number of the latest move, 0 where there is none."""
        return int(self._ask(select(func.coalesce(func.max(MOVES.c.number), 0)))[0][0])

    def refusals(self, after: int, limit: int) -> list[tuple[int, Refusal]]:
        """(number, refusal), oldest first."""
        r = REFUSALS.c
        wanted = select(r.number, *(r[name] for name in _REFUSAL)).where(r.number > after)
        rows = self._ask(wanted.order_by(r.number).limit(limit))
        return [(row[0], Refusal(*row[1:])) for row in rows]

    def counts(self) -> list[Count]:
        """Counts added up over all batches."""
        c = COUNTS.c
        keys = [c[name] for name in _COUNT[:-1]]
        rows = self._ask(select(*keys, func.sum(c.n)).group_by(*keys).order_by(*keys))
        return [Count(*row) for row in rows]

    def totals(self) -> dict[str, dict[str, int]]:
        """How many findings there are: {"standing" | "withdrawn" | "muted": {rule: n}}."""
        f = FINDINGS.c
        told: dict[str, dict[str, int]] = {}
        for name, state in (("standing", "stands"), ("withdrawn", "withdrawn"), ("muted", "muted")):
            wanted = _of_state(select(f.rule, func.count()), state).group_by(f.rule)
            told[name] = {row[0]: row[1] for row in self._ask(wanted.order_by(f.rule))}
        return told


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
        told = {"new_seq": new.seq, "new_next": new.next_event, "new_hash": new.hash}
        run(_MOVE_ON.text, _MOVE_ON.row(told | {"old_seq": before.seq}))
        if next(iter(run("SELECT changes()")))[0] != 1:
            raise Conflict(f"the ledger does not stand at frame {before.seq}: another has written")
        many(_NEW_FRAME.text, [_NEW_FRAME.row({"shard": SHARD} | vars(f)) for f in work.frames])
        if work.moves:
            self._write_moves(new.seq, work.moves)
        self._write_rest({"shard": SHARD, "seq": new.seq}, work)

    def _write_rest(self, given: dict[str, Any], work: Work) -> None:
        many, told = self._connection.executemany, work.notices
        written: tuple[tuple[_Statement, Sequence[Any]], ...] = (
            (_NEW_REFUSAL, work.refusals), (_NEW_COUNT, work.counts), (PUT_NOTICE, told.rows),
            (NEW_STEP, told.steps), (NEW_HOLDS, told.holds), (NEW_POST, told.posts),
        )  # fmt: skip
        for statement, rows in written:
            if rows:
                many(statement.text, [statement.row(given | vars(row)) for row in rows])

    def _write_moves(self, seq: int, moves: list[Move]) -> None:
        """All moves, and where each finding stands after the last of its own."""
        many, number, rows = self._connection.executemany, self._moves, []
        raised: dict[str, dict[str, Any]] = {}
        changed: dict[str, dict[str, Any]] = {}
        for move in moves:
            number += 1
            given = {"shard": SHARD, "seq": seq, "number": number}
            rows.append(_NEW_MOVE.row(vars(move) | given))
            gone: dict[str, str | None] = {
                "withdrawn": None,
                "withdrawn_actor": None,
                "withdrawn_at": None,
            }
            if move.code == RAISED:
                raised[move.finding_id] = vars(move) | given | gone
                changed.pop(move.finding_id, None)
                continue
            if move.code:
                gone = {
                    "withdrawn": move.code,
                    "withdrawn_actor": move.actor,
                    "withdrawn_at": move.at,
                }
            if move.finding_id in raised:
                raised[move.finding_id] |= gone
            else:
                changed[move.finding_id] = {f"new_{k}": v for k, v in gone.items()}
        many(_NEW_MOVE.text, rows)
        if raised:
            many(_PUT.text, [_PUT.row(row) for row in raised.values()])
        if changed:
            many(_CHANGE.text, [_CHANGE.row(r | {"which": i}) for i, r in changed.items()])


def _held() -> Select[Any]:
    f, m = FINDINGS.c, MOVES.c
    standing = (f.withdrawn, f.withdrawn_actor, f.withdrawn_at)
    return select(m.doc, f.number, m.seq, *standing).join_from(
        FINDINGS, MOVES, f.number == m.number
    )


def _told(row: Any) -> Held:
    doc, number, seq, code, actor, at = row[:6]
    return Held(doc, number, seq, None if code is None else Withdrawn(code, actor, at))


def _of_state(wanted: Select[Any], state: str | None) -> Select[Any]:
    f = FINDINGS.c
    if state == "stands":
        return wanted.where(f.withdrawn.is_(None), f.muted.is_(None))
    if state == "withdrawn":
        return wanted.where(f.withdrawn.is_not(None), f.muted.is_(None))
    return wanted.where(f.muted.is_not(None)) if state == "muted" else wanted


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
    new = upsert(FINDINGS).values({n: bindparam(n) for n in ("shard", *_FINDING)})
    told = {n: new.excluded[n] for n in _FINDING if n != "finding_id"}
    return _Statement(new.on_conflict_do_update(index_elements=["finding_id"], set_=told))


_FRAME_OF = _Statement(
    select(*(JOURNAL.c[name] for name in _FRAME))
    .where(JOURNAL.c.shard == SHARD, JOURNAL.c.first_event <= bindparam("event"))
    .order_by(JOURNAL.c.first_event.desc())
    .limit(1)
)
_PUT, _CHANGE, _MOVE_ON = _put(), _Statement(_STAND), _Statement(_ADVANCE)
_FIRST = _Statement(
    upsert(POSITION)
    .values(shard=SHARD, seq=0, next_event=0, hash=bytes(32))
    .on_conflict_do_nothing()
)
