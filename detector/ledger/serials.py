"""Serial numbers of documents in a ledger file: each in a transaction of its own.

`BEGIN IMMEDIATE` takes the write lock before the last number is read, so whoever else asks waits:
no number is given twice, and one that was not committed was not used up. The table is written
beside the journal, never by it: what is printed changes no verdict.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from sqlalchemy import bindparam, func, insert, select

from detector.ledger.sqlite import Connection, said
from detector.ledger.statement import Statement
from detector.ledger.tables import SERIALS

_COLUMNS = ("notice_id", "department", "year", "kind", "number", "at_us")
_c = SERIALS.c
_GIVEN = Statement(
    select(_c.department, _c.year, _c.number).where(
        _c.notice_id == bindparam("notice_id"), _c.kind == bindparam("kind")
    )
)
_LAST = Statement(
    select(func.max(_c.number)).where(
        *(_c[name] == bindparam(name) for name in ("department", "year", "kind"))
    )
)
_GIVE = Statement(insert(SERIALS).values({name: bindparam(name) for name in _COLUMNS}))


class SqliteSerials:
    """Gives numbers out of a ledger file, over a connection of its own; threads may share it."""

    def __init__(self, connect: Callable[[], Connection], errors: type[Exception]) -> None:
        self._connection, self._errors = connect(), errors
        self._one = Lock()  # a connection has one transaction at a time

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def number(self, notice_id: str, department: str, year: int, kind: str, at_us: int) -> int:
        """The number of a notice's document; see `detector.documents.serial.Serials`."""
        told = {"notice_id": notice_id, "department": department, "year": year, "kind": kind}
        with self._one:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except self._errors as fault:
                raise said(fault) from fault
            try:
                number = self._number(told | {"at_us": at_us})
                self._connection.execute("COMMIT")
            except self._errors as fault:
                self._undo()
                raise said(fault) from fault
        return number

    def given(self, notice_id: str, kind: str) -> tuple[str, int, int] | None:
        """(department, year, number) of a document that has one."""
        with self._one:
            try:
                rows = self._rows(_GIVEN, {"notice_id": notice_id, "kind": kind})
            except self._errors as fault:
                raise said(fault) from fault
        return (str(rows[0][0]), int(rows[0][1]), int(rows[0][2])) if rows else None

    def _number(self, told: dict[str, Any]) -> int:
        """Look and give, within a transaction."""
        if rows := self._rows(_GIVEN, told):
            return int(rows[0][2])
        number = int(self._rows(_LAST, told)[0][0] or 0) + 1
        self._connection.execute(_GIVE.text, _GIVE.row(told | {"number": number}))
        return number

    def _rows(self, statement: Statement, told: dict[str, Any]) -> list[Any]:
        return list(self._connection.execute(statement.text, statement.row(told)))

    def _undo(self) -> None:
        """Roll back; where even that fails the file's own recovery does it at the next opening."""
        try:
            self._connection.execute("ROLLBACK")
        except self._errors:
            self._connection.close()
