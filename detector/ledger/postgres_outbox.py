"""The outbox and the numbers of documents in PostgreSQL, beside the workers of a scale-out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.ledger import LedgerError
from detector.ledger.outbox import SqlOutbox
from detector.ledger.outbox_sql import Spelled
from detector.ledger.postgres import POSTGRES, Connect, Renewed, said
from detector.ledger.serials import SqlSerials
from detector.ledger.statement import Statement

DELIVERY = "delivery"  # the shard of what delivery itself puts in
_IN_POSTGRES = Spelled(POSTGRES)


class PostgresOutbox(Renewed, SqlOutbox):
    """The outbox of all shards of a database."""

    sql, shard, begin = _IN_POSTGRES, DELIVERY, "BEGIN"

    def __init__(self, connect: Connect, errors: type[Exception]) -> None:
        self._connect, self._errors = connect, errors
        self._connection = connect()

    def _in_turn(self) -> None:
        self._connection.execute("LOCK TABLE receipts IN SHARE ROW EXCLUSIVE MODE")

    def _said(self, fault: Exception) -> LedgerError:
        return said(fault)

    def _all(self, statement: Statement, rows: Sequence[Any]) -> int:
        if not rows:
            return 0
        with self._connection.cursor() as cursor:
            cursor.executemany(statement.text, [statement.row(row) for row in rows])
            return int(cursor.rowcount)


class PostgresSerials(Renewed, SqlSerials):
    """Gives numbers to all servers of a database."""

    begin, lock = "BEGIN", "LOCK TABLE serials IN SHARE ROW EXCLUSIVE MODE"

    def __init__(self, connect: Connect, errors: type[Exception]) -> None:
        super().__init__(connect, errors, POSTGRES)
        self._connect = connect

    def _said(self, fault: Exception) -> LedgerError:
        return said(fault)
