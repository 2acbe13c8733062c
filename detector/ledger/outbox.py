"""The outbox in a database: statements over a connection of its own, beside the engine's writer.

The engine inserts; here rows move. Each write is one short transaction, in which what was looked at
is compared with what is there: in a ledger file under the write lock, begun with `BEGIN IMMEDIATE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from detector.ledger import SHARD, LedgerError
from detector.ledger.messages import (
    DEAD,
    RECEIPTS_MAX,
    SENDING,
    TOLD,
    Attempt,
    Heard,
    Overtaken,
    Row,
    Submit,
    Write,
)
from detector.ledger.outbox_sql import CHANGES, IN_SQLITE, MOST, PAGE, Spelled
from detector.ledger.sqlite import Connection, said
from detector.ledger.statement import Statement


class SqlOutbox:
    """The outbox of a database whose tables exist; see `detector.delivery.outbox.Outbox`."""

    sql: Spelled
    shard: str  # of what delivery itself puts in
    begin: str  # how a transaction begins that writes
    _connection: Any
    _errors: type[Exception]
    _within = False  # a transaction

    def _in_turn(self) -> None:
        """Let nobody else number receipts until the transaction ends: they are read in order."""

    def _renew(self) -> None:
        """Open the connection anew where it was lost; never within a transaction."""

    def _said(self, fault: Exception) -> LedgerError:
        raise NotImplementedError

    def _all(self, statement: Statement, rows: Sequence[Any]) -> int:
        """Execute for each row; how many rows of the table that was in all."""
        raise NotImplementedError

    def _do(self, statement: Statement, **told: Any) -> int:
        return int(self._connection.execute(statement.text, statement.row(told)).rowcount)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # -- questions ------------------------------------------------------------------------------

    def due(self, now_us: int, limit: int) -> list[Row]:
        """What waits and is due, the longest due first."""
        return self._rows(self.sql.DUE, now=now_us, most=limit)

    def next_due(self, after_us: int) -> int | None:
        """When the first of those that wait is due that is not due at an instant."""
        return next((int(row[0]) for row in self._ask(self.sql.NEXT, after=after_us)), None)

    def rows(self, message_ids: Sequence[str]) -> dict[str, Row]:
        """Those of these messages that are there."""
        return {row.message_id: row for row in self._rows(self.sql.ROWS, names=_list(message_ids))}

    def contents(self, message_ids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """Text and document of messages."""
        told = self._ask(self.sql.CONTENTS, names=_list(message_ids))
        return {name: (text, doc) for name, text, doc in told}

    def family(self, message_id: str) -> list[Row]:
        """All that was made of a message of the engine's, by id."""
        spans = {f"lo{n}": message_id + mark for n, mark in enumerate("~!", 1)}
        spans |= {f"hi{n}": message_id + chr(ord(mark) + 1) for n, mark in enumerate("~!", 1)}
        return self._rows(self.sql.FAMILY, which=message_id, **spans)

    def by_gateway(self, channel: str, gateway_id: str) -> Row | None:
        """The message that a gateway calls so."""
        return next(iter(self._rows(self.sql.CALLED, which=gateway_id, channel=channel)), None)

    def members(self, digest_id: str, after: str, limit: int) -> list[Row]:
        """Messages that a digest tells of, by id."""
        return self._rows(self.sql.MEMBERS, which=digest_id, after=after, most=limit)

    def endings(self, notice_ids: Iterable[str]) -> dict[str, str]:
        """Of these notices those that have ended: their state."""
        return dict(self._ask(self.sql.ENDINGS, names=_list(notice_ids)))

    def told(self, notice_ids: Iterable[str]) -> set[tuple[str, str]]:
        """(notice, person) where a message may have reached the person, or is on its way."""
        return {(n, p) for n, p in self._ask(self.sql.TOLD_OF, names=_list(notice_ids))}

    def submits(self, since_us: int) -> list[Submit]:
        """What was handed to gateways since. The log grows in the order of time, so it is read from
        its end, until a whole page is older."""
        told: list[Submit] = []
        last = 1 << 62
        while True:
            page = self._ask(self.sql.SUBMITS, last=last)
            told += [Submit(*row[1:]) for row in page if row[1] > since_us]
            if len(page) < PAGE or all(row[1] <= since_us for row in page):
                return told
            last = page[-1][0]

    def untold(self, limit: int) -> list[tuple[int, Attempt]]:
        """(number, what the engine has not heard of), oldest first."""
        mark = self._ask(self.sql.MARK)
        rows = self._ask(self.sql.UNTOLD, after=int(mark[0][0]) if mark else 0, most=limit)
        return [(row[0], Attempt(*row[1:])) for row in rows]

    def dead(self, after: str, limit: int) -> list[Row]:
        """Dead letters, by id."""
        return self._rows(self.sql.LETTERS, after=after, most=limit)

    def count(self) -> dict[str, int]:
        """How many there are that are not settled, by state; and how many are dead."""
        gone = int(self._ask(self.sql.GONE)[0][0])
        return dict(self._ask(self.sql.OPEN)) | ({DEAD: gone} if gone else {})

    def late(self, before_us: int, limit: int) -> list[Row]:
        """What waits or is being sent and was due before an instant."""
        return self._rows(self.sql.LATE, before=before_us, most=limit)

    def stalled(self, before_us: int, limit: int) -> list[tuple[str, int | None]]:
        """Open notices without a next instant, or with one before an instant."""
        told = [
            *self._ask(self.sql.LOST, most=limit),
            *self._ask(self.sql.PAST, before=before_us, most=limit),
        ]
        return [(name, at) for name, at in told[:limit]]

    # -- writes ---------------------------------------------------------------------------------

    def write(self, write: Write) -> None:
        """Do all of it, durably, or raise and do nothing."""
        with self._transaction():
            moves = [_change(m.before, m.after) for m in write.moved]
            if moves and self._all(self.sql.MOVE, moves) != len(moves):
                raise Overtaken
            given = {"shard": self.shard}
            added = [_told(a.row) | given | {"text": a.text, "doc": a.doc} for a in write.added]
            self._all(self.sql.ADD, added)
            self._all(self.sql.LOG, [_told(one) for one in write.attempts])
            self._all(self.sql.DONE, [{"number": n} for n in write.heard])

    def recover(self, now_us: int) -> int:
        """Whatever was being sent when delivery ended waits again."""
        with self._transaction():
            held = self._rows(self.sql.LATE, before=1 << 62, most=MOST)
            rows = [row for row in held if row.state == SENDING]
            lost = [
                Attempt(r.message_id, now_us, r.channel or "", "unknown", "interrupted")
                for r in rows
            ]
            self._do(self.sql.AGAIN, now=now_us)
            self._all(self.sql.LOG, [_told(one) for one in lost])
        return len(rows)

    def hear(self, told: Sequence[Heard]) -> None:
        """Receipts have come: keep them, durably."""
        with self._transaction():
            self._in_turn()
            if self._ask(self.sql.CROWD)[0][0] + len(told) > RECEIPTS_MAX:
                raise LedgerError("too many receipts wait")
            self._all(self.sql.HEAR, [_told(one) for one in told])

    def receipts(self, after: int, limit: int) -> list[tuple[int, Heard]]:
        """(number, receipt) of those behind a number, oldest first."""
        rows = self._ask(self.sql.INBOX, after=after, most=limit)
        return [(row[0], Heard(*row[1:])) for row in rows]

    def tell_upto(self, number: int, now_us: int) -> None:
        """The engine has heard of everything up to this number."""
        mark = Attempt("", now_us, "", TOLD, str(number))
        with self._transaction():
            self._do(self.sql.LOG, **_told(mark))

    def resend(self, message_id: str, now_us: int) -> bool:
        """A dead letter waits again, with no attempt counted."""
        with self._transaction():
            return bool(self._do(self.sql.RESEND, which=message_id, now=now_us))

    # -- how it is asked ------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._renew()
            self._connection.execute(self.begin)
        except self._errors as fault:
            raise self._said(fault) from fault
        self._within = True
        try:
            yield
            self._connection.execute("COMMIT")
        except self._errors as fault:
            self._undo()
            raise self._said(fault) from fault
        except BaseException:
            self._undo()
            raise
        finally:
            self._within = False

    def _undo(self) -> None:
        """Roll back; where even that fails the file's own recovery does it at the next opening."""
        try:
            self._connection.execute("ROLLBACK")
        except self._errors:
            self._connection.close()

    def _ask(self, statement: Statement, **told: Any) -> list[Any]:
        try:
            if not self._within:
                self._renew()
            return list(self._connection.execute(statement.text, statement.row(told)))
        except self._errors as fault:
            raise self._said(fault) from fault

    def _rows(self, statement: Statement, **told: Any) -> list[Row]:
        return [Row(*row) for row in self._ask(statement, **told)]


class SqliteOutbox(SqlOutbox):
    """The outbox in a ledger file."""

    sql, shard, begin = IN_SQLITE, SHARD, "BEGIN IMMEDIATE"

    def __init__(self, connect: Callable[[], Connection], errors: type[Exception]) -> None:
        self._connection, self._errors = connect(), errors

    def _said(self, fault: Exception) -> LedgerError:
        return said(fault)

    def _all(self, statement: Statement, rows: Sequence[Any]) -> int:
        if not rows:
            return 0
        told = self._connection.executemany(statement.text, [statement.row(row) for row in rows])
        return int(told.rowcount)


def _list(names: Iterable[str]) -> str:
    return msgspec.json.encode([name for name in names if "\0" not in name]).decode()


def _told(struct: Row | Attempt | Heard) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _change(before: Row, after: Row) -> dict[str, Any]:
    told: dict[str, Any] = {f"new_{name}": getattr(after, name) for name in CHANGES}
    return told | {"which": before.message_id, "was": before.state, "tried": before.attempts}
