"""Who may come in, put together: the accounts of a place, beside the journal that their audit
names."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from detector.accounts import opening
from detector.accounts.audit import Audit
from detector.accounts.desk import Came, Desk
from detector.accounts.passwords import Passwords
from detector.accounts.registrar import Registrar
from detector.adapters import machine
from detector.ledger import SHARD, LedgerError, Position, Reading
from detector.ledger.sqlite_file import FILE
from detector.places import DatabasePlace, place_of

if TYPE_CHECKING:
    from detector.web.doors import Doors

WILDCARDS = ("0.0.0.0", "::")


class Witness:
    """The journal that the audit names: that of a folder, or of the first shard of a database."""

    def __init__(self, address: str, data: Path) -> None:
        """Raises `LedgerError`."""
        self._one = Lock()  # threads share the reader
        self._reader: Reading | None = None
        place = place_of(address, data)
        if isinstance(place, DatabasePlace):
            with closing(place.reader()) as reader:
                names = sorted(reader.shards())
            name = SHARD if SHARD in names or not names else names[0]
            self._reader = DatabasePlace(address, name).reader()
        elif (data / FILE).is_file():
            self._reader = place.reader()

    def head(self) -> Position:
        """Where it stands; at its begin where there is none yet."""
        with self._one:
            return self._reader.position() if self._reader else Position()

    def frame_hash(self, seq: int) -> bytes | None:
        """The hash of a frame, None where it does not go so far."""
        with self._one:
            found = next(iter(self._reader.frames(seq, seq)), None) if self._reader else None
        return found.hash if found else None

    def close(self) -> None:
        """Let go of it."""
        if self._reader:
            self._reader.close()


class Registry:
    """Accounts, keys and the audit of a place, until it is closed."""

    def __init__(self, address: str, data: Path) -> None:
        """Raises `LedgerError`."""
        self.store = place_of(address, data).accounts()
        self.witness = Witness(address, data)
        self.audit = Audit(self.store.book, self.witness.head)
        desk = Desk(self.store, self.audit, Passwords(), machine.chance)
        self.registrar = Registrar(desk)
        self._data = data
        self._doors: Doors | None = None

    def doors(self, host: str, public_url: str, behind_proxy: bool = False) -> Doors:
        """The way in for browsers and programs. A proxy that asks who comes may speak for the local
        administrator, as whoever sits at the machine."""
        from detector.adapters.oidc import load_provider
        from detector.web.doors import Doors  # slow to import, and a command needs none
        from detector.web.guard import is_loopback

        self._doors = Doors(
            self.registrar, alone=behind_proxy or is_loopback(host), behind_proxy=behind_proxy,
            public_url=public_url, oidc=load_provider(self._data),
        )  # fmt: skip
        return self._doors

    def close(self) -> None:
        """Close the files."""
        if self._doors:
            self._doors.close()
        self.store.close()
        self.witness.close()


def here() -> Came:
    """Whoever sits at this machine's command line, now."""
    return Came(machine.wall_us(), "command line")


def need_accounts(host: str, public_url: str, address: str, data: Path) -> None:
    """Raises `LedgerError` where somebody could come from elsewhere and nobody asks who it is."""
    from detector.web.guard import is_loopback

    if is_loopback(host):
        return
    none_yet = not address and not (data / opening.FILE).is_file()
    if none_yet or _empty(address, data):
        raise LedgerError(
            f"--host {host}: only loopback is listened on until there are accounts:"
            " run `oriole user add`, or put a proxy that asks who comes in front"
        )
    if host in WILDCARDS and not public_url:
        raise LedgerError(f"--host {host}: say by which name browsers come: --public-url https://…")


def _empty(address: str, data: Path) -> bool:
    with closing(place_of(address, data).accounts()) as store:
        return store.empty()


def names_of(host: str, *addresses: str) -> tuple[str, ...]:
    """The hosts by whose names requests may come, besides those of the loopback."""
    told = {urlsplit(one).hostname or "" for one in addresses} | {host}
    names = told - {"", *WILDCARDS}
    return tuple(sorted(f"[{name}]" if ":" in name else name for name in names))
