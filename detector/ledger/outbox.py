"""The outbox in a ledger file: statements over a connection of its own, beside the engine's writer.

The engine inserts; here rows move. Each write is one short transaction, begun with `BEGIN
IMMEDIATE`, so what was looked at is compared with what is there under the write lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from detector.ledger import SHARD, LedgerError
from detector.ledger import outbox_sql as sql
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
from detector.ledger.sqlite import Connection, said
from detector.ledger.statement import Statement as _Statement


class SqliteOutbox:
    """The outbox of a ledger file whose tables exist; see `detector.delivery.outbox.Outbox`."""

    def __init__(self, connect: Callable[[], Connection], errors: type[Exception]) -> None:
        self._connection, self._errors = connect(), errors

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # -- questions ------------------------------------------------------------------------------

    def due(self, now_us: int, limit: int) -> list[Row]:
        """What waits and is due, the longest due first."""
        return self._rows(sql.DUE, now=now_us, most=limit)

    def next_due(self, after_us: int) -> int | None:
        """When the first of those that wait is due that is not due at an instant."""
        return next((int(row[0]) for row in self._ask(sql.NEXT, after=after_us)), None)

    def rows(self, message_ids: Sequence[str]) -> dict[str, Row]:
        """Those of these messages that are there."""
        return {row.message_id: row for row in self._rows(sql.ROWS, names=_list(message_ids))}

    def contents(self, message_ids: Sequence[str]) -> dict[str, tuple[str, bytes]]:
        """Text and document of messages."""
        told = self._ask(sql.CONTENTS, names=_list(message_ids))
        return {name: (text, doc) for name, text, doc in told}

    def family(self, message_id: str) -> list[Row]:
        """All that was made of a message of the engine's, by id."""
        spans = {f"lo{n}": message_id + mark for n, mark in enumerate("~!", 1)}
        spans |= {f"hi{n}": message_id + chr(ord(mark) + 1) for n, mark in enumerate("~!", 1)}
        return self._rows(sql.FAMILY, which=message_id, **spans)

    def by_gateway(self, channel: str, gateway_id: str) -> Row | None:
        """The message that a gateway calls so."""
        return next(iter(self._rows(sql.CALLED, which=gateway_id, channel=channel)), None)

    def members(self, digest_id: str, after: str, limit: int) -> list[Row]:
        """Messages that a digest tells of, by id."""
        return self._rows(sql.MEMBERS, which=digest_id, after=after, most=limit)

    def endings(self, notice_ids: Iterable[str]) -> dict[str, str]:
        """Of these notices those that have ended: their state."""
        return dict(self._ask(sql.ENDINGS, names=_list(notice_ids)))

    def told(self, notice_ids: Iterable[str]) -> set[tuple[str, str]]:
        """(notice, person) where a message may have reached the person, or is on its way."""
        return {(n, p) for n, p in self._ask(sql.TOLD_OF, names=_list(notice_ids))}

    def submits(self, since_us: int) -> list[Submit]:
        """What was handed to gateways since. The log grows in the order of time, so it is read from
        its end, until a whole page is older."""
        told: list[Submit] = []
        last = 1 << 62
        while True:
            page = self._ask(sql.SUBMITS, last=last)
            told += [Submit(*row[1:]) for row in page if row[1] > since_us]
            if len(page) < sql.PAGE or all(row[1] <= since_us for row in page):
                return told
            last = page[-1][0]

    def untold(self, limit: int) -> list[tuple[int, Attempt]]:
        """(number, what the engine has not heard of), oldest first."""
        mark = self._ask(sql.MARK)
        rows = self._ask(sql.UNTOLD, after=int(mark[0][0]) if mark else 0, most=limit)
        return [(row[0], Attempt(*row[1:])) for row in rows]

    def dead(self, after: str, limit: int) -> list[Row]:
        """Dead letters, by id."""
        return self._rows(sql.LETTERS, after=after, most=limit)

    def count(self) -> dict[str, int]:
        """How many there are that are not settled, by state; and how many are dead."""
        gone = int(self._ask(sql.GONE)[0][0])
        return dict(self._ask(sql.OPEN)) | ({DEAD: gone} if gone else {})

    def late(self, before_us: int, limit: int) -> list[Row]:
        """What waits or is being sent and was due before an instant."""
        return self._rows(sql.LATE, before=before_us, most=limit)

    def stalled(self, before_us: int, limit: int) -> list[tuple[str, int | None]]:
        """Open notices without a next instant, or with one before an instant."""
        told = [
            *self._ask(sql.LOST, most=limit),
            *self._ask(sql.PAST, before=before_us, most=limit),
        ]
        return [(name, at) for name, at in told[:limit]]

    # -- writes ---------------------------------------------------------------------------------

    def write(self, write: Write) -> None:
        """Do all of it, durably, or raise and do nothing."""
        with self._transaction():
            many = self._connection.executemany
            if write.moved:
                rows = [sql.MOVE.row(_change(m.before, m.after)) for m in write.moved]
                if many(sql.MOVE.text, rows).rowcount != len(rows):
                    raise Overtaken
            if write.added:
                added = [_told(a.row) | {"text": a.text, "doc": a.doc} for a in write.added]
                many(sql.ADD.text, [sql.ADD.row(one | {"shard": SHARD}) for one in added])
            if write.attempts:
                many(sql.LOG.text, [sql.LOG.row(_told(one)) for one in write.attempts])
            if write.heard:
                many(sql.DONE.text, [sql.DONE.row({"number": n}) for n in write.heard])

    def recover(self, now_us: int) -> int:
        """Whatever was being sent when delivery ended waits again."""
        with self._transaction():
            rows = [
                row for row in self._rows(sql.LATE, before=1 << 62, most=-1) if row.state == SENDING
            ]
            lost = [
                Attempt(r.message_id, now_us, r.channel or "", "unknown", "interrupted")
                for r in rows
            ]
            self._connection.execute(sql.AGAIN.text, sql.AGAIN.row({"now": now_us}))
            self._connection.executemany(sql.LOG.text, [sql.LOG.row(_told(one)) for one in lost])
        return len(rows)

    def hear(self, told: Sequence[Heard]) -> None:
        """Receipts have come: keep them, durably."""
        with self._transaction():
            if self._ask(sql.CROWD)[0][0] + len(told) > RECEIPTS_MAX:
                raise LedgerError("too many receipts wait")
            self._connection.executemany(sql.HEAR.text, [sql.HEAR.row(_told(one)) for one in told])

    def receipts(self, after: int, limit: int) -> list[tuple[int, Heard]]:
        """(number, receipt) of those behind a number, oldest first."""
        rows = self._ask(sql.INBOX, after=after, most=limit)
        return [(row[0], Heard(*row[1:])) for row in rows]

    def tell_upto(self, number: int, now_us: int) -> None:
        """The engine has heard of everything up to this number."""
        mark = Attempt("", now_us, "", TOLD, str(number))
        with self._transaction():
            self._connection.execute(sql.LOG.text, sql.LOG.row(_told(mark)))

    def resend(self, message_id: str, now_us: int) -> bool:
        """A dead letter waits again, with no attempt counted."""
        told = sql.RESEND.row({"which": message_id, "now": now_us})
        with self._transaction():
            return bool(self._connection.execute(sql.RESEND.text, told).rowcount)

    # -- how it is asked ------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except self._errors as fault:
            raise said(fault) from fault
        try:
            yield
            self._connection.execute("COMMIT")
        except self._errors as fault:
            self._undo()
            raise said(fault) from fault
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        """Roll back; where even that fails the file's own recovery does it at the next opening."""
        try:
            self._connection.execute("ROLLBACK")
        except self._errors:
            self._connection.close()

    def _ask(self, statement: _Statement, **told: Any) -> list[Any]:
        try:
            return list(self._connection.execute(statement.text, statement.row(told)))
        except self._errors as fault:
            raise said(fault) from fault

    def _rows(self, statement: _Statement, **told: Any) -> list[Row]:
        return [Row(*row) for row in self._ask(statement, **told)]


def _list(names: Iterable[str]) -> str:
    return msgspec.json.encode(list(names)).decode()


def _told(struct: Row | Attempt | Heard) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _change(before: Row, after: Row) -> dict[str, Any]:
    told: dict[str, Any] = {f"new_{name}": getattr(after, name) for name in sql.CHANGES}
    return told | {"which": before.message_id, "was": before.state, "tried": before.attempts}
