"""Answers to bodies that came with a key of their sender's, kept for a day: the same again gets the
same answer, also after a restart or from another server.

A data folder keeps them in a file of their own, so that no write waits for the engine's; it may be
deleted at any time. A database keeps them in a table. What a body changed is not here: lines that
come again are known by their ids, whether their answer was kept or not.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from detector.accounts.book import Book
from detector.ledger import LedgerError, sqlite_file
from detector.ledger.sqlite import said
from detector.ledger.statement import SQLITE

FILE = "replies.sqlite"
KEEPS_US = 24 * 3_600_000_000
REPLIES_MAX = 100_000
ANSWER_BYTES_MAX = 256 << 10  # a larger one is not kept
PRUNE_EVERY = 1_000

META = MetaData()
REPLIES = Table(
    "replies",
    META,
    Column("name", Text, primary_key=True),  # a hash of the sender and the key
    Column("body", LargeBinary, nullable=False),  # its SHA-256
    Column("at_us", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Index("replies_at", "at_us"),
)
_c = REPLIES.c
_FIND = select(_c.body, _c.at_us, _c.status, _c.answer).where(
    _c.name == bindparam("which"), _c.at_us >= bindparam("since")
)
_KEEP = insert(REPLIES).values({c.name: bindparam(c.name) for c in _c})
_FORGET = delete(REPLIES).where(_c.name == bindparam("which"))
_PRUNE = delete(REPLIES).where(_c.at_us < bindparam("before"))


@dataclass(frozen=True)
class Reply:
    """What a body was answered."""

    body: bytes  # its SHA-256
    at_us: int
    status: int
    answer: bytes


class Replies:
    """All that are kept; threads may share it. All raise `LedgerError`."""

    def __init__(self, book: Book) -> None:
        self._book, self._kept = book, 0

    def close(self) -> None:
        """Let go of it."""
        self._book.close()

    def find(self, name: str, now_us: int) -> Reply | None:
        """What was answered under this name within a day."""
        rows = self._book.ask(_FIND, which=name, since=now_us - KEEPS_US)
        return Reply(bytes(rows[0][0]), rows[0][1], rows[0][2], bytes(rows[0][3])) if rows else None

    def keep(self, name: str, reply: Reply) -> Reply:
        """Keep it, unless another came first; the one that is kept."""
        if len(reply.answer) > ANSWER_BYTES_MAX:
            return reply
        with self._book.write():
            held = self.find(name, reply.at_us)
            if held is not None:
                return held
            self._book.do(_FORGET, which=name)
            self._book.do(
                _KEEP, name=name, body=reply.body, at_us=reply.at_us, status=reply.status,
                answer=reply.answer,
            )  # fmt: skip
        if self._kept % PRUNE_EVERY == 0:
            self.prune(reply.at_us)
        self._kept += 1
        return reply

    def prune(self, now_us: int) -> None:
        """Forget what is older than a day, and the oldest beyond the bound."""
        last = select(_c.at_us).order_by(_c.at_us.desc()).offset(REPLIES_MAX).limit(1)
        with self._book.write():
            self._book.do(_PRUNE, before=now_us - KEEPS_US)
            for (at_us,) in self._book.ask_once(last):
                self._book.do(_PRUNE, before=at_us + 1)


def open_replies(file: Path) -> Replies:
    """Those of a data folder; the file is made where there is none. Raises `LedgerError`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(0o600)
    except OSError as fault:
        raise LedgerError(f"{file}: cannot be written: {fault.strerror}") from fault
    connect = sqlite_file.connections(file)
    try:
        book = Book(connect, sqlite_file.ERRORS, SQLITE, said, ("BEGIN IMMEDIATE",))
        with closing(connect()) as connection:
            connection.execute(_spelled(CreateTable(REPLIES, if_not_exists=True)))
            for index in REPLIES.indexes:
                connection.execute(_spelled(CreateIndex(index, if_not_exists=True)))
    except sqlite_file.ERRORS as fault:
        raise said(fault) from fault
    return Replies(book)


def _spelled(statement: CreateTable | CreateIndex) -> str:
    return str(statement.compile(dialect=SQLITE))


def open_in_database(address: str) -> Replies:
    """Those of a PostgreSQL database that was migrated. Raises `LedgerError`."""
    from detector.ledger import postgres, postgres_open

    begin = ("BEGIN", "SELECT pg_advisory_xact_lock(hashtext('oriole replies'))")
    connect = partial(postgres_open.connected, address)
    return Replies(Book(connect, postgres_open.ERRORS, postgres.POSTGRES, postgres.said, begin))
