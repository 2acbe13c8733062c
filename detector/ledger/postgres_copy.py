"""A folder's ledger copied into an empty database: every row of every table, in one transaction.

Nothing is judged again, and nothing that was sent is sent again: what the outbox knows comes along.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from sqlalchemy import Table, select

from detector.ledger import LedgerError, Position
from detector.ledger.postgres import said
from detector.ledger.postgres_open import connected
from detector.ledger.sqlite import SqliteReader
from detector.ledger.statement import clean
from detector.ledger.tables import JOURNAL, META

_MONTHS_AT_ONCE = 10_000
_COUNTED = ("refusals", "counts", "notice_moves", "attempts", "receipts")  # numbered by themselves


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
            for name in _COUNTED:
                connection.execute(
                    f"SELECT setval('{name}_number_seq', m) FROM (SELECT max(number) m FROM {name})"
                    " t WHERE m IS NOT NULL"
                )
    except psycopg.Error as fault:
        raise said(fault) from fault
    finally:
        connection.close()
    return source.position()


def _make_months(source: SqliteReader, connection: psycopg.Connection[Any]) -> None:
    arrived = [row[0] for row in source.rows_of(select(JOURNAL.c.at_lo))]
    for begin in range(0, len(arrived), _MONTHS_AT_ONCE):
        some = arrived[begin : begin + _MONTHS_AT_ONCE]
        connection.execute("SELECT ledger_months(%s::bigint[])", (some,))


def _copy(source: SqliteReader, connection: psycopg.Connection[Any], table: Table) -> None:
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


def _ordered(source: SqliteReader, table: Table) -> Iterator[Any]:
    """Rows as they were numbered."""
    return source.rows_of(select(*table.columns).order_by(*table.primary_key.columns))
