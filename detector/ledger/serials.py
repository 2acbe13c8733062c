"""Serial numbers of documents in a database: each in a transaction of its own.

The lock is taken before the last number is read, so whoever else asks waits: no number is given
twice, and one that was not committed was not used up. The table is written beside the journal,
never by it: what is printed changes no verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.engine import Dialect

from detector.ledger import LedgerError
from detector.ledger.sqlite import Connection, said
from detector.ledger.statement import SQLITE, Statement
from detector.ledger.tables import SERIALS

_COLUMNS = ("notice_id", "department", "year", "kind", "number", "at_us")
_c = SERIALS.c
_GIVEN = select(_c.department, _c.year, _c.number).where(
    _c.notice_id == bindparam("notice_id"), _c.kind == bindparam("kind")
)
_LAST = select(func.max(_c.number)).where(
    *(_c[name] == bindparam(name) for name in ("department", "year", "kind"))
)
_GIVE = insert(SERIALS).values({name: bindparam(name) for name in _COLUMNS})


class SqlSerials:
    """Gives numbers, over a connection of its own; threads may share it."""

    begin: str  # of a transaction, and
    lock = ""  # what takes the lock in it, where to begin is not enough

    def __init__(self, connect: Callable[[], Any], errors: type[Exception], dialect: Dialect):
        self._connection, self._errors = connect(), errors
        self._one = Lock()  # a connection has one transaction at a time
        self._given, self._last, self._give = (
            Statement(one, dialect) for one in (_GIVEN, _LAST, _GIVE)
        )

    def _renew(self) -> None:
        """Open the connection anew where it was lost."""

    def _said(self, fault: Exception) -> LedgerError:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()

    def number(self, notice_id: str, department: str, year: int, kind: str, at_us: int) -> int:
        """The number of a notice's document; see `detector.documents.serial.Serials`."""
        told = {"notice_id": notice_id, "department": department, "year": year, "kind": kind}
        with self._one:
            try:
                self._renew()
                self._connection.execute(self.begin)
            except self._errors as fault:
                raise self._said(fault) from fault
            try:
                if self.lock:
                    self._connection.execute(self.lock)
                number = self._number(told | {"at_us": at_us})
                self._connection.execute("COMMIT")
            except self._errors as fault:
                self._undo()
                raise self._said(fault) from fault
            except BaseException:
                self._undo()
                raise
        return number

    def given(self, notice_id: str, kind: str) -> tuple[str, int, int] | None:
        """(department, year, number) of a document that has one."""
        with self._one:
            try:
                self._renew()
                rows = self._rows(self._given, {"notice_id": notice_id, "kind": kind})
            except self._errors as fault:
                raise self._said(fault) from fault
        return (str(rows[0][0]), int(rows[0][1]), int(rows[0][2])) if rows else None

    def _number(self, told: dict[str, Any]) -> int:
        """Look and give, within a transaction."""
        if rows := self._rows(self._given, told):
            return int(rows[0][2])
        number = int(self._rows(self._last, told)[0][0] or 0) + 1
        self._connection.execute(self._give.text, self._give.row(told | {"number": number}))
        return number

    def _rows(self, statement: Statement, told: dict[str, Any]) -> list[Any]:
        return list(self._connection.execute(statement.text, statement.row(told)))

    def _undo(self) -> None:
        """Roll back; where even that fails the file's own recovery does it at the next opening."""
        try:
            self._connection.execute("ROLLBACK")
        except self._errors:
            self._connection.close()


class SqliteSerials(SqlSerials):
    """Gives numbers out of a ledger file."""

    begin = "BEGIN IMMEDIATE"

    def __init__(self, connect: Callable[[], Connection], errors: type[Exception]) -> None:
        super().__init__(connect, errors, SQLITE)

    def _said(self, fault: Exception) -> LedgerError:
        return said(fault)
