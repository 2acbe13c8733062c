"""Opening a ledger file: settings, migrations, and one process at a time.

One SQLite library opens the file in this process: pysqlite3, which is newer than the system's (one
older than 3.51.3 can corrupt a WAL). Never the standard `sqlite3` beside it: closing any handle of
a process drops its locks. Checkpoints run on the writer's own connection.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TypeVar

import pysqlite3.dbapi2 as driver
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine as Database
from sqlalchemy.pool import NullPool

from detector.ledger import LedgerError
from detector.ledger.migrations import HEAD
from detector.ledger.outbox import SqliteOutbox
from detector.ledger.serials import SqliteSerials
from detector.ledger.sqlite import Connection, SqliteLedger, SqliteReader, said

FILE = "ledger.sqlite"
LOCK = "lock"
DELIVERY_LOCK = "delivery.lock"  # of whoever delivers, in the server or apart
PAGE_BYTES = 8_192
CHECKPOINT_PAGES = 8_000
BUSY_MS = 5_000
SETTINGS = (  # of a writer; page_size counts only before the first table
    f"PRAGMA page_size={PAGE_BYTES}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}",
    f"PRAGMA busy_timeout={BUSY_MS}",
)
ERRORS: type[Exception] = driver.Error
Opened = TypeVar("Opened", SqliteReader, SqliteSerials, SqliteOutbox)


class Folder:
    """A data folder held by this process: nobody else may write into it meanwhile."""

    def __init__(self, path: Path, lock: str = LOCK) -> None:
        """Raises `LedgerError` where the folder cannot be written or is in use."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (path / lock).open("a+")
        except OSError as fault:
            reason = fault.strerror or str(fault)
            raise LedgerError(f"{path}: cannot be written: {reason}") from fault
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            owner = self._lock.read(32).strip() or "unknown"
            self._lock.close()
            raise LedgerError(f"{path}: is in use by process {owner}; end it first") from None
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()

    @property
    def file(self) -> Path:
        """The ledger file in it."""
        return self.path / FILE

    def close(self) -> None:
        """Let others have it."""
        self._lock.close()


def open_ledger(file: Path) -> SqliteLedger:
    """The writer of a ledger file, made or brought up to date where needed.

    Raises `LedgerError`.
    """
    database = _database(file)
    try:
        _migrate(database, file)
        return SqliteLedger(_connector(database, SETTINGS), ERRORS)
    except driver.Error as fault:
        raise said(fault) from fault


def open_reader(file: Path) -> SqliteReader:
    """Questions to a ledger file. Raises `LedgerError` where there is none."""
    return _opened(file, SqliteReader, (f"PRAGMA busy_timeout={BUSY_MS}", "PRAGMA query_only=1"))


def open_serials(file: Path) -> SqliteSerials:
    """The numbers of documents in a ledger file, also while another process writes the ledger.

    Raises `LedgerError` where there is none.
    """
    return _opened(file, SqliteSerials)


def open_outbox(file: Path) -> SqliteOutbox:
    """The outbox of a ledger file, also while another process or thread writes the ledger.

    Raises `LedgerError` where there is none.
    """
    return _opened(file, SqliteOutbox)


def _opened(file: Path, make: Callable[..., Opened], settings: Sequence[str] = SETTINGS) -> Opened:
    if not file.is_file():
        raise LedgerError(f"{file}: there is no ledger here")
    try:
        return make(_connector(_database(file), settings), ERRORS)
    except driver.Error as fault:
        raise said(fault) from fault


def connections(file: Path, settings: Sequence[str] = SETTINGS) -> Callable[[], Connection]:
    """What opens a file that is no ledger, with the settings of one."""
    return _connector(_database(file), settings)


def copy_ledger(file: Path, target: Path) -> None:
    """A whole copy of a ledger file, also while it is written to. Raises `LedgerError`."""
    try:
        source = driver.connect(str(file))
        copy = driver.connect(str(target))
        try:
            source.execute(f"PRAGMA busy_timeout={BUSY_MS}")
            source.backup(copy)  # in one step: a writer meanwhile is waited for, not restarted by
        finally:
            copy.close()
            source.close()
    except driver.Error as fault:
        raise said(fault) from fault


def _database(file: Path) -> Database:
    arguments = {"check_same_thread": False, "isolation_level": None}
    return create_engine(
        f"sqlite:///{file}", module=driver, poolclass=NullPool, connect_args=arguments
    )


def _connector(database: Database, settings: Sequence[str]) -> Callable[[], Connection]:
    def connect() -> Connection:
        pooled = database.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        assert connection is not None
        for setting in settings:
            connection.execute(setting)
        return connection

    return connect


def _migrate(database: Database, file: Path) -> None:
    """Bring the tables up to the last migration; asks alembic only where there is one to run."""
    with database.connect() as connection:
        raw = connection.connection
        found = (
            raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchall()
            and raw.execute("SELECT version_num FROM alembic_version").fetchall()
        )
        if found == [(HEAD,)]:
            return
        for setting in SETTINGS:
            raw.execute(setting)
        from alembic import command  # slow to import, and seldom needed
        from alembic.config import Config
        from alembic.util.exc import CommandError

        config = Config()
        folder = Path(__file__).resolve().parent / "migrations"
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as fault:
            raise LedgerError(f"{file}: was written by another version: {fault}") from fault
        connection.commit()
