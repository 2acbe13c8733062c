"""One connection to the tables of accounts, which threads may share.

Each write is a short transaction under a lock that is taken before anything is read, so what was
looked at is still so when it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

from detector.ledger import LedgerError
from detector.ledger.statement import Statement


class Book:
    """Statements and transactions over a driver's own connection. All raise `LedgerError`."""

    def __init__(
        self, connect: Callable[[], Any], errors: type[Exception], dialect: Dialect,
        said: Callable[[Exception], LedgerError], begin: tuple[str, ...],
    ) -> None:  # fmt: skip
        self._connect, self._errors, self._dialect = connect, errors, dialect
        self._said, self._begin = said, begin
        self._connection = connect()
        self._one = RLock()  # a connection has one transaction at a time
        self._within = False
        self.writes = 0  # transactions that have ended here: what was asked before may be no more
        self._spelled: dict[ClauseElement, Statement] = {}

    def close(self) -> None:
        """Let go of it."""
        with self._one:
            self._connection.close()

    @contextmanager
    def write(self) -> Iterator[None]:
        """A transaction; one within another is part of it."""
        with self._one:
            if self._within:
                yield
                return
            try:
                self._renew()
                for text in self._begin:
                    self._connection.execute(text)
            except self._errors as fault:
                self._undo()
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
                self.writes += 1

    def ask(self, statement: ClauseElement, **told: Any) -> list[Any]:
        """The rows of a question that is always the same."""
        return self._run(self._statement(statement), told)

    def ask_once(self, statement: ClauseElement) -> list[Any]:
        """The rows of a question that is made for the moment."""
        return self._run(Statement(statement, self._dialect), {})

    def do(self, statement: ClauseElement, **told: Any) -> int:
        """Change rows, within a transaction; how many."""
        made = self._statement(statement)
        with self.write():
            return int(self._connection.execute(made.text, made.row(told)).rowcount)

    def _run(self, made: Statement, told: dict[str, Any]) -> list[Any]:
        with self._one:
            try:
                if not self._within:
                    self._renew()
                return list(self._connection.execute(made.text, made.row(told)))
            except self._errors as fault:
                raise self._said(fault) from fault

    def _statement(self, statement: ClauseElement) -> Statement:
        made = self._spelled.get(statement)
        if made is None:
            made = self._spelled[statement] = Statement(statement, self._dialect)
        return made

    def _renew(self) -> None:
        """PostgreSQL's connection is opened anew where it was lost."""
        if getattr(self._connection, "closed", False):
            self._connection = self._connect()

    def _undo(self) -> None:
        """Roll back; where even that fails the connection is given up."""
        try:
            self._connection.execute("ROLLBACK")
        except self._errors:
            if hasattr(self._connection, "closed"):
                self._connection.close()
