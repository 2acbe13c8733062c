"""What everybody did and read (操作审计): rows that are only ever added, chained by hash.

A row's hash is SHA-256 over the hash before it and the row as canonical JSON. Each row also says
where the journal stood (its last frame and that frame's hash), so the two chains vouch for each
other: a row cannot be put before what the journal held by then. What the chain alone cannot show is
that its very end was cut off; whoever must know keeps the last hash elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, select

from detector.accounts.book import Book
from detector.accounts.tables import AUDIT
from detector.ledger import Position

PAGE = 1_000
TEXT_MAX = 400
FIRST = bytes(32)
Head = Callable[[], Position]
_encode = msgspec.json.Encoder(order="sorted").encode
_c = AUDIT.c
_LAST = select(_c.number, _c.hash).order_by(_c.number.desc()).limit(1)
_NEW = insert(AUDIT).values({c.name: bindparam(c.name) for c in AUDIT.columns})
_AFTER = select(*_c).where(_c.number > bindparam("after")).order_by(_c.number).limit(PAGE)


class Deed(msgspec.Struct, frozen=True):
    """What somebody did: `outcome` is an HTTP status or a word."""

    at_us: int
    actor: str
    role: str
    act: str
    object: str = ""
    outcome: str = "done"
    address: str = ""
    detail: dict[str, Any] = {}


class Line(msgspec.Struct, frozen=True):
    """A row of the audit."""

    number: int
    at_us: int
    actor: str
    role: str
    act: str
    object: str
    outcome: str
    address: str
    detail: str
    ledger_seq: int
    ledger_hash: bytes
    hash: bytes

    def made_of(self, before: bytes) -> bytes:
        """The hash that it must have behind another."""
        told = {n: getattr(self, n) for n in self.__struct_fields__ if n != "hash"}
        return hashlib.sha256(before + _encode(told)).digest()


class Wanted(msgspec.Struct, frozen=True):
    """Which rows: "" is any."""

    actor: str = ""
    act: str = ""  # how it begins
    before: int = 0  # numbers below; 0: from the last
    limit: int = 100


class Audit:
    """The chain of a book; `head` says where the journal stands."""

    def __init__(self, book: Book, head: Head) -> None:
        self._book, self._head = book, head

    def write(self, deed: Deed) -> int:
        """Add a row and make it durable; its number. Raises `LedgerError`."""
        told = {n: getattr(deed, n) for n in deed.__struct_fields__}
        for name in ("actor", "role", "act", "object", "outcome", "address"):
            told[name] = told[name][:TEXT_MAX].replace("\0", "␀")
        told["detail"] = _encode(deed.detail).decode()
        at = self._head()
        with self._book.write():
            number, before = self._last()
            line = Line(number=number + 1, hash=b"", ledger_seq=at.seq, ledger_hash=at.hash, **told)
            row = msgspec.structs.asdict(line) | {"hash": line.made_of(before)}
            self._book.do(_NEW, **row)
        return number + 1

    def _last(self) -> tuple[int, bytes]:
        rows = self._book.ask(_LAST)
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else (0, FIRST)

    def lines(self, wanted: Wanted) -> list[Line]:
        """Rows, the last first."""
        some = select(*_c)
        if wanted.actor:
            some = some.where(_c.actor == wanted.actor)
        if wanted.act:
            some = some.where(_c.act.startswith(wanted.act, autoescape=True))
        if wanted.before:
            some = some.where(_c.number < wanted.before)
        rows = self._book.ask_once(some.order_by(_c.number.desc()).limit(wanted.limit))
        return [_line(row) for row in rows]

    def all(self) -> Iterator[Line]:
        """Every row, in order."""
        last = 0
        while rows := self._book.ask(_AFTER, after=last):
            yield from map(_line, rows)
            last = int(rows[-1][0])


def verify(audit: Audit, frame_hash: Callable[[int], bytes | None]) -> tuple[int, str]:
    """(rows that are sound, what is wrong with the next, "" where nothing is). `frame_hash`: of a
    frame of the journal, None where there is none so far."""
    before, number, seq = FIRST, 0, 0
    for line in audit.all():
        if line.number != number + 1:
            return number, f"row {number + 1} is missing"
        if line.hash != line.made_of(before):
            return number, f"row {line.number} was changed, or what stood before it"
        if line.ledger_seq < seq:
            return number, f"row {line.number} stands before what the journal held by then"
        if line.ledger_seq and frame_hash(line.ledger_seq) not in (None, line.ledger_hash):
            return number, f"row {line.number} was written beside another journal"
        before, number, seq = line.hash, line.number, line.ledger_seq
    return number, ""


def _line(row: Any) -> Line:
    told = dict(zip(Line.__struct_fields__, row, strict=True))
    return Line(**told | {"ledger_hash": bytes(told["ledger_hash"]), "hash": bytes(told["hash"])})
