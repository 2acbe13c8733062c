"""A folder's ledger copied into an empty database: every row of every table, in one transaction.

Nothing is judged again, and nothing that was sent is sent again: what the outbox knows comes along.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, LiteralString

import psycopg
from sqlalchemy import Table, select

from detector.ledger import LedgerError, Position
from detector.ledger.postgres import PostgresReader, said
from detector.ledger.postgres_open import connected
from detector.ledger.sqlite import SqliteReader
from detector.ledger.statement import clean
from detector.ledger.tables import ATTEMPTS, JOURNAL, META, OUTBOX, RECEIPTS, SERIALS

Source = SqliteReader | PostgresReader
_MONTHS_AT_ONCE = 10_000
_COUNTED = (  # numbered by themselves
    "refusals", "counts", "notice_moves", "attempts", "receipts", "epochs",
)  # fmt: skip


def copy_into(source: SqliteReader, address: str) -> Position:
    """Copy a ledger that nobody writes to; where it stands. Raises `LedgerError`, and then the
    database holds nothing of it."""
    connection = connected(address)
    try:
        with connection.transaction():
            if connection.execute("SELECT 1 FROM position LIMIT 1").fetchall():
                raise LedgerError("the database holds a ledger already: name an empty one")
            with source.snapshot():
                _make_months(source, connection)
                for table in META.sorted_tables:
                    _copy(source, connection, table)
            _count_on(connection, _COUNTED)
    except psycopg.Error as fault:
        raise said(fault) from fault
    finally:
        connection.close()
    return source.position()


def copy_outbox(source: Source, address: str, shard: str) -> None:
    """Copy what delivery knows, messages and all, into a database whose ledger tells of the same
    notices: nothing is sent again. Raises `LedgerError`."""
    connection = connected(address)
    try:
        with connection.transaction():
            for table in (OUTBOX, ATTEMPTS, RECEIPTS, SERIALS):
                _copy(source, connection, table)
            connection.execute("UPDATE outbox SET shard = %s", (shard,))
            _count_on(connection, ("attempts", "receipts"))
    except psycopg.Error as fault:
        raise said(fault) from fault
    finally:
        connection.close()


def _count_on(connection: psycopg.Connection[Any], names: Sequence[LiteralString]) -> None:
    for name in names:
        connection.execute(
            f"SELECT setval('{name}_number_seq', m) FROM (SELECT max(number) m FROM {name})"
            " t WHERE m IS NOT NULL"
        )


def _make_months(source: SqliteReader, connection: psycopg.Connection[Any]) -> None:
    arrived = [row[0] for row in source.rows_of(select(JOURNAL.c.at_lo))]
    for begin in range(0, len(arrived), _MONTHS_AT_ONCE):
        some = arrived[begin : begin + _MONTHS_AT_ONCE]
        connection.execute("SELECT ledger_months(%s::bigint[])", (some,))


def _copy(source: Source, connection: psycopg.Connection[Any], table: Table) -> None:
    names = [column.name for column in table.columns]
    kinds = dict(
        connection.execute(
            "SELECT column_name, udt_name FROM information_schema.columns"
            " WHERE table_name = %s AND table_schema = current_schema()", (table.name,),
        ).fetchall()
    )  # fmt: skip
    quoted = ", ".join(f'"{name}"' for name in names)
    order = f"COPY {table.name} ({quoted}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(order) as out:
        out.set_types([kinds[name] for name in names])
        for row in _ordered(source, table):
            out.write_row([clean(value) for value in row])


def _ordered(source: Source, table: Table) -> Iterator[Any]:
    """Rows as they were numbered."""
    return source.rows_of(select(*table.columns).order_by(*table.primary_key.columns))
