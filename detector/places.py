"""Where a ledger is kept: in a file of a data folder, or in a PostgreSQL database. Each opens all
doors to it: its writer, questions, the outbox, the numbers of documents, the right to deliver, and
the accounts beside it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from detector.accounts import opening, replies
from detector.accounts.replies import Replies
from detector.accounts.store import Store
from detector.cluster.layout import CASE, DEPARTMENT, Layout, name_of
from detector.delivery.outbox import Outbox
from detector.documents.serial import Serials
from detector.ledger import SHARD, Ledger, LedgerError, Position, Reading
from detector.ledger.sqlite_file import (
    DELIVERY_LOCK,
    FILE,
    Folder,
    open_ledger,
    open_outbox,
    open_reader,
    open_serials,
)

if TYPE_CHECKING:
    from detector.ledger.postgres import PostgresLedger, PostgresReader
    from detector.ledger.sqlite import SqliteReader

POSTGRES = ("postgresql://", "postgres://")
NOTICES = name_of(DEPARTMENT, 0)  # of several shards the one that leads notices


class Closes(Protocol):
    """What is held until it is let go."""

    def close(self) -> None:
        """Let go of it."""


class Book(Serials, Closes, Protocol):
    """The numbers of documents, until it is closed."""


class Place(Protocol):
    """One ledger. All raise `LedgerError` where it cannot be had."""

    def ledger(self) -> Ledger:
        """Its one writer."""

    def reader(self) -> Reading:
        """Questions to it."""

    def outbox(self) -> Outbox:
        """What is to be sent."""

    def serials(self) -> Book:
        """The numbers of documents."""

    def delivery(self) -> Closes:
        """The right to deliver: one process has it at a time."""

    def posting(self) -> Outbox:
        """The outbox for whoever has it."""

    def accounts(self) -> Store:
        """Who may come in; made where it is missing."""

    def replies(self) -> Replies:
        """Answers that are kept under their senders' keys."""


class _Nothing:
    def close(self) -> None:
        """Nothing is held."""


class FilePlace:
    """A ledger in a data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def ledger(self) -> Ledger:
        """Its one writer; the file is made, or brought up to date, where needed."""
        return open_ledger(self.data / FILE)

    def reader(self) -> Reading:
        """Questions to it."""
        return open_reader(self.data / FILE)

    def outbox(self) -> Outbox:
        """What is to be sent."""
        return open_outbox(self.data / FILE)

    def serials(self) -> Book:
        """The numbers of documents."""
        return open_serials(self.data / FILE)

    def delivery(self) -> Closes:
        """A lock of the folder."""
        return Folder(self.data, DELIVERY_LOCK)

    def posting(self) -> Outbox:
        """The outbox for whoever has it."""
        return self.outbox()

    def accounts(self) -> Store:
        """A file of the folder, beside the ledger's: no write waits for the engine's."""
        return opening.open_accounts(self.data / opening.FILE)

    def replies(self) -> Replies:
        """A file of its own, too; it may be deleted."""
        return replies.open_replies(self.data / replies.FILE)


class DatabasePlace:
    """One shard's ledger in a PostgreSQL database that was migrated."""

    def __init__(self, address: str, shard: str = SHARD) -> None:
        """Raises `LedgerError` where the driver is not installed."""
        try:
            from detector.ledger import postgres_open
        except ImportError:
            raise LedgerError("psycopg is missing: pip install 'oriole[postgres]'") from None
        self._open, self._address, self._shard = postgres_open, address, shard

    def migrate(self) -> None:
        """Make the tables, or bring them up to date."""
        self._open.migrate(self._address)

    def take_over(self, data: Path) -> Position:
        """Copy a folder's ledger into the empty database, nobody else at work on it; where it
        stands."""
        from detector.ledger.postgres_copy import copy_into

        file = data / FILE
        if not file.is_file():
            raise LedgerError(f"{file}: there is no ledger here")
        with closing(Folder(data)), closing(Folder(data, DELIVERY_LOCK)):
            open_ledger(file).close()  # brings it up to date
            with closing(open_reader(file)) as source:
                return copy_into(source, self._address)

    def take_outbox(self, source: SqliteReader | PostgresReader, shard: str) -> None:
        """Copy what delivery knows of the same notices."""
        from detector.ledger.postgres_copy import copy_outbox

        copy_outbox(source, self._address, shard)

    def ledger(self) -> Ledger:
        """Its one writer."""
        return self.shard_ledger()

    def shard_ledger(self) -> PostgresLedger:
        """Its one writer, who may say who owns the shard."""
        return self._open.open_ledger(self._address, self._shard)

    def reader(self) -> PostgresReader:
        """Questions to it."""
        return self._open.open_reader(self._address, self._shard)

    def outbox(self) -> Outbox:
        """What is to be sent, of all shards."""
        return self._open.open_outbox(self._address)

    def serials(self) -> Book:
        """The numbers of documents."""
        return self._open.open_serials(self._address)

    def delivery(self) -> Closes:
        """Says whether it is free; `posting` takes it, on whichever machine."""
        self.posting().close()
        return _Nothing()

    def posting(self) -> Outbox:
        """The outbox for whoever delivers: its connection holds the right."""
        return self._open.open_posting(self._address)

    def accounts(self) -> Store:
        """Tables of the database."""
        return opening.open_in_database(self._address)

    def replies(self) -> Replies:
        """A table of the database, for all servers."""
        return replies.open_in_database(self._address)


def place_of_notices(address: str, data: Path) -> Place:
    """The place of whoever leads notices: of several shards, that of departments."""
    place = place_of(address, data)
    if isinstance(place, DatabasePlace):
        with closing(place.reader()) as reader:
            if NOTICES in reader.shards():
                return DatabasePlace(address, NOTICES)
    return place


def places_of_cases(address: str, data: Path) -> list[Place]:
    """The places of whoever judges cases: of several shards, those of cases."""
    from detector.live.contents import contents_until

    place, first = place_of(address, data), name_of(CASE, 0)
    if not isinstance(place, DatabasePlace):
        return [place]
    with closing(place.reader()) as reader:
        if first not in reader.shards():
            return [place]
    with closing(DatabasePlace(address, first).reader()) as reader:
        shards = contents_until(reader, 1 << 62)[-1].content.shards
    if shards is None:
        raise LedgerError(f"{first}: does not say how many shards there are")
    return [DatabasePlace(address, name) for name in Layout(*shards).shards(CASE)]


def place_of(address: str, data: Path) -> Place:
    """The place that an address names; "" is the data folder's own file."""
    if not address:
        return FilePlace(data)
    if address.startswith(POSTGRES):
        return DatabasePlace(address)
    raise LedgerError("the ledger's address begins with postgresql://, or is left out")
