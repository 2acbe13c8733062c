"""Opening the tables of accounts: a file of a data folder, or a database that was migrated.

The file holds no history of its own to migrate: its version is SQLite's `user_version`, and one
that is newer is refused.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from sqlalchemy.schema import CreateIndex, CreateTable

from detector.accounts.book import Book
from detector.accounts.store import Store
from detector.accounts.tables import META
from detector.ledger import LedgerError, sqlite_file
from detector.ledger.sqlite import Connection, said
from detector.ledger.statement import SQLITE

FILE = "accounts.sqlite"
VERSION = 1


def open_accounts(file: Path) -> Store:
    """The accounts of a data folder; made where there are none. Raises `LedgerError`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as fault:
        raise LedgerError(f"{file}: cannot be written: {fault.strerror}") from fault
    connect = sqlite_file.connections(file)
    try:
        _make(connect(), file)
        book = Book(
            connect, sqlite_file.ERRORS, SQLITE, _said, ("BEGIN IMMEDIATE",),
        )  # fmt: skip
    except sqlite_file.ERRORS as fault:
        raise _said(fault) from fault
    return Store(book)


def _said(fault: Exception) -> LedgerError:
    return LedgerError(f"the accounts cannot be used: {said(fault)}")


def _make(connection: Connection, file: Path) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        [(version,)] = connection.execute("PRAGMA user_version").fetchall()
        if version > VERSION:
            raise LedgerError(f"{file}: was written by a newer version of Oriole")
        if version == 0:
            for table in META.sorted_tables:
                connection.execute(str(CreateTable(table).compile(dialect=SQLITE)))
                for index in sorted(table.indexes, key=lambda one: str(one.name)):
                    connection.execute(str(CreateIndex(index).compile(dialect=SQLITE)))
            connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    finally:
        connection.close()


def open_in_database(address: str) -> Store:
    """The accounts in a PostgreSQL database. Raises `LedgerError`."""
    from detector.ledger import postgres, postgres_open

    begin = ("BEGIN", "SELECT pg_advisory_xact_lock(hashtext('oriole accounts'))")
    connect = partial(postgres_open.connected, address)
    return Store(Book(connect, postgres_open.ERRORS, postgres.POSTGRES, postgres.said, begin))
