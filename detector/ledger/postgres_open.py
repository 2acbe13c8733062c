"""Opening a ledger in PostgreSQL: migrations, and what a database must be like.

The address is a connection string of libpq's (`postgresql://…` or `host=… dbname=…`); a password is
better left to PGPASSFILE. Nothing of the address is repeated in messages.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from detector.ledger import LedgerError
from detector.ledger.migrations import HEAD
from detector.ledger.postgres import Connection, PostgresLedger, PostgresReader, said
from detector.ledger.postgres_arrays import Array
from detector.ledger.postgres_outbox import PostgresOutbox, PostgresSerials

# A server that has fallen silent is given up after half a minute.
PATIENCE: dict[str, Any] = {
    "connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
RIGHT = "oriole delivery"
SETTINGS = ("SET synchronous_commit TO on", "SET timezone TO 'UTC'")
READS = "SET default_transaction_read_only TO on"
PLAIN = ("C", "C.UTF-8", "C.utf8", "POSIX")  # collations in which ids are ordered as bytes
ERRORS: type[Exception] = psycopg.Error


class _ArrayDumper(Dumper):
    """Sends an array as it is; the call names its type."""

    format = Format.BINARY

    def dump(self, obj: Array) -> Array:
        return obj


def open_ledger(address: str, shard: str) -> PostgresLedger:
    """The writer of a shard in a database whose tables exist. Raises `LedgerError`."""
    return PostgresLedger(partial(connected, address), ERRORS, shard)


def open_reader(address: str, shard: str) -> PostgresReader:
    """Questions to a shard. Raises `LedgerError`."""
    return PostgresReader(partial(connected, address, READS), ERRORS, shard)


def open_outbox(address: str) -> PostgresOutbox:
    """The outbox of a database. Raises `LedgerError`."""
    return PostgresOutbox(partial(connected, address), ERRORS)


def open_serials(address: str) -> PostgresSerials:
    """The numbers of documents in a database. Raises `LedgerError`."""
    return PostgresSerials(partial(connected, address), ERRORS)


def open_posting(address: str) -> PostgresOutbox:
    """The outbox for whoever delivers. The right to do so is a lock of its connection: it is lost
    with it, and taken again before anything else is done. Raises `LedgerError` where somebody else
    has it."""
    return PostgresOutbox(partial(_delivering, address), ERRORS)


def _delivering(address: str) -> Connection:
    connection = connected(address)
    [(held,)] = connection.execute("SELECT pg_try_advisory_lock(hashtext(%s))", (RIGHT,)).fetchall()
    if not held:
        connection.close()
        raise LedgerError("another process delivers from this database; end it first")
    return connection


def migrate(address: str) -> None:
    """Make the tables, or bring them up to date. Raises `LedgerError`."""
    from alembic import command  # slow to import, and seldom needed
    from alembic.config import Config
    from alembic.util.exc import CommandError

    _check(address)
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(address, **PATIENCE),
        poolclass=NullPool,
    )
    config = Config()
    folder = Path(__file__).resolve().parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('oriole migrate'))"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as fault:
        raise LedgerError(f"the database was made by another version: {fault}") from fault
    except DBAPIError as fault:
        raise said(fault.orig if isinstance(fault.orig, Exception) else fault) from None


def _check(address: str) -> None:
    connection = connected(address, fresh=True)
    try:
        [row] = connection.execute(
            "SELECT datcollate, pg_encoding_to_char(encoding), to_jsonb(d) ->> 'datlocprovider'"
            " FROM pg_database d WHERE datname = current_database()"
        )
    finally:
        connection.close()
    if row[0] not in PLAIN or row[1] != "UTF8" or row[2] not in (None, "c"):
        raise LedgerError(
            "the database must be in UTF-8 and order texts by their bytes: create it with"
            " ENCODING 'UTF8' LC_COLLATE 'C' TEMPLATE template0"
        )


def connected(
    address: str, *more: LiteralString, fresh: bool = False
) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection to a database that is up to date, or `fresh`. Raises `LedgerError`."""
    try:
        connection = psycopg.connect(address, autocommit=True, **PATIENCE)
        connection.adapters.register_dumper(Array, _ArrayDumper)
        for setting in (*SETTINGS, *more):
            connection.execute(setting)
        if not fresh:
            _same_version(connection)
    except psycopg.Error as fault:
        raise said(fault) from fault
    return connection


def _same_version(connection: psycopg.Connection[Any]) -> None:
    found = connection.execute("SELECT to_regclass('alembic_version') IS NOT NULL").fetchall()
    rows: list[Any] = []
    if found[0][0]:
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    if rows != [(HEAD,)]:
        connection.close()
        raise LedgerError(
            "the database's tables are none or of another version: run `oriole migrate` first"
        )
