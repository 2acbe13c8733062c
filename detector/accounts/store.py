"""Accounts, sessions, keys and failed logins as rows. What they mean is the desk's affair."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, exists, func, insert, select, update

from detector.accounts import Account, Departments, Key, Session
from detector.accounts.book import Book
from detector.accounts.tables import ACCOUNTS, FAILURES, KEYS, OLD_PASSWORDS, RECOVERY, SESSIONS

DAY_US = 86_400_000_000
_a, _s, _k, _f = ACCOUNTS.c, SESSIONS.c, KEYS.c, FAILURES.c
_encode = msgspec.json.Encoder().encode


def _new(table: Any) -> Any:
    return insert(table).values({c.name: bindparam(c.name) for c in table.columns})


_ANY = select(exists(select(_a.name)), exists(select(_k.key_id)))
_ACCOUNT = select(*_a).where(_a.name == bindparam("which"))
_BY_SUBJECT = select(*_a).where(_a.subject == bindparam("which"), _a.subject != "")
_ALL = select(*_a).order_by(_a.name)
_NEW_ACCOUNT, _NEW_SESSION, _NEW_KEY = _new(ACCOUNTS), _new(SESSIONS), _new(KEYS)
_NEW_OLD, _NEW_RECOVERY, _NEW_FAILURE = _new(OLD_PASSWORDS), _new(RECOVERY), _new(FAILURES)
_CHANGED = (
    update(ACCOUNTS)
    .values({c.name: bindparam(c.name) for c in _a if c.name != "name"})
    .where(_a.name == bindparam("name_"))
)
_OLD = (
    select(OLD_PASSWORDS.c.password)
    .where(OLD_PASSWORDS.c.account == bindparam("which"))
    .order_by(OLD_PASSWORDS.c.at_us.desc())
)
_NO_RECOVERY = delete(RECOVERY).where(RECOVERY.c.account == bindparam("which"))
_ONE_RECOVERY = delete(RECOVERY).where(
    RECOVERY.c.account == bindparam("which"), RECOVERY.c.code == bindparam("hashed")
)
_RECOVERY_LEFT = select(func.count()).where(RECOVERY.c.account == bindparam("which"))
_SESSION = select(*_s).where(_s.token == bindparam("which"))
_SESSIONS = select(*_s).where(_s.account == bindparam("which")).order_by(_s.seen_us.desc())
_SEEN = (
    update(SESSIONS)
    .values(seen_us=bindparam("seen"), stage=bindparam("now_at"))
    .where(_s.token == bindparam("which"))
)
_END = delete(SESSIONS).where(_s.token == bindparam("which"))
_END_ALL = delete(SESSIONS).where(_s.account == bindparam("which"))
_END_OLD = delete(SESSIONS).where(_s.begun_us < bindparam("before"))
_KEY = select(*_k).where(_k.key_id == bindparam("which"))
_KEYS = select(*_k).order_by(_k.made_us, _k.key_id)
_REVOKE = (
    update(KEYS)
    .values(revoked_us=bindparam("at"))
    .where(_k.key_id == bindparam("which"), _k.revoked_us.is_(None))
)
_FAILURE = select(_f["count"], _f.last_us).where(_f.subject == bindparam("which"))
_FORGET = delete(FAILURES).where(_f.subject == bindparam("which"))
_FORGET_OLD = delete(FAILURES).where(_f.last_us < bindparam("before"))


class Store:
    """Rows of a book. All raise `LedgerError` where it cannot be used."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._some = False  # none is ever removed, so once there is one there always is

    def close(self) -> None:
        """Let go of it."""
        self.book.close()

    def empty(self) -> bool:
        """There is no account and no key yet, nor ever was."""
        if not self._some:
            [row] = self.book.ask(_ANY)
            self._some = bool(row[0] or row[1])
        return not self._some

    # -- accounts ---------------------------------------------------------------------------------

    def account(self, name: str) -> Account | None:
        """Whoever is called so, None where nobody is."""
        return next(map(_account, self.book.ask(_ACCOUNT, which=name)), None)

    def by_subject(self, subject: str) -> Account | None:
        """The account that an OIDC provider calls so."""
        return next(map(_account, self.book.ask(_BY_SUBJECT, which=subject)), None)

    def accounts(self) -> list[Account]:
        """All, by name."""
        return list(map(_account, self.book.ask(_ALL)))

    def add(self, one: Account) -> None:
        """A new account; its name must be free."""
        self.book.do(_NEW_ACCOUNT, **_row(one))

    def change(self, one: Account) -> None:
        """The account as it is from now on."""
        self.book.do(_CHANGED, **_row(one), name_=one.name)

    def old_passwords(self, name: str, most: int) -> list[str]:
        """Hashes of the last passwords, the latest first."""
        return [row[0] for row in self.book.ask(_OLD, which=name)[:most]]

    def keep_password(self, name: str, at_us: int, password: str) -> None:
        """Remember the hash of a password, so that it is not chosen again."""
        self.book.do(_NEW_OLD, account=name, at_us=at_us, password=password)

    def set_recovery(self, name: str, hashes: list[str]) -> None:
        """The recovery codes from now on."""
        with self.book.write():
            self.book.do(_NO_RECOVERY, which=name)
            for one in hashes:
                self.book.do(_NEW_RECOVERY, account=name, code=one)

    def use_recovery(self, name: str, hashed: str) -> bool:
        """Take a recovery code, which then is gone; whether it was there."""
        return self.book.do(_ONE_RECOVERY, which=name, hashed=hashed) == 1

    def recovery_left(self, name: str) -> int:
        """How many recovery codes there are."""
        return int(self.book.ask(_RECOVERY_LEFT, which=name)[0][0])

    # -- sessions ---------------------------------------------------------------------------------

    def begin(self, one: Session, oldest_us: int) -> None:
        """A new session; those begun before `oldest_us` are cleared away."""
        with self.book.write():
            self.book.do(_END_OLD, before=oldest_us)
            self.book.do(_NEW_SESSION, **msgspec.structs.asdict(one))

    def session(self, token: str) -> Session | None:
        """The session of a token's hash."""
        return next((Session(*row) for row in self.book.ask(_SESSION, which=token)), None)

    def sessions(self, name: str) -> list[Session]:
        """Those of an account, seen last first."""
        return [Session(*row) for row in self.book.ask(_SESSIONS, which=name)]

    def seen(self, token: str, now_us: int, stage: str) -> None:
        """A session was used, and is at a stage."""
        self.book.do(_SEEN, which=token, seen=now_us, now_at=stage)

    def end(self, token: str) -> bool:
        """End a session; whether there was one."""
        return self.book.do(_END, which=token) == 1

    def end_all(self, name: str) -> int:
        """End an account's sessions; how many."""
        return self.book.do(_END_ALL, which=name)

    # -- keys -------------------------------------------------------------------------------------

    def add_key(self, one: Key) -> None:
        """Keep a key that was made."""
        self.book.do(_NEW_KEY, **_row(one))

    def key(self, key_id: str) -> Key | None:
        """What is known by this id, None where nothing is."""
        return next(map(_key, self.book.ask(_KEY, which=key_id)), None)

    def keys(self) -> list[Key]:
        """All, the oldest first."""
        return list(map(_key, self.book.ask(_KEYS)))

    def revoke(self, key_id: str, now_us: int) -> bool:
        """End a key; whether it was alive."""
        return self.book.do(_REVOKE, which=key_id, at=now_us) == 1

    # -- failed logins ----------------------------------------------------------------------------

    def failures(self, subject: str) -> tuple[int, int]:
        """(how many in a row, when the last was)."""
        rows = self.book.ask(_FAILURE, which=subject)
        return (int(rows[0][0]), int(rows[0][1])) if rows else (0, 0)

    def count_failure(self, subject: str, count: int, now_us: int) -> None:
        """So many failed so far; what is a day old is forgotten."""
        with self.book.write():
            self.book.do(_FORGET_OLD, before=now_us - DAY_US)
            self.forget(subject)
            self.book.do(_NEW_FAILURE, subject=subject, count=count, last_us=now_us)

    def forget(self, subject: str) -> None:
        """It came in."""
        self.book.do(_FORGET, which=subject)


def _row(one: Account | Key) -> dict[str, Any]:
    told = msgspec.structs.asdict(one)
    for name, value in told.items():
        if isinstance(value, tuple):
            told[name] = _encode(value).decode()
        elif isinstance(value, bool):
            told[name] = int(value)
    return told


def _some(text: str | None) -> Departments:
    return None if text is None else msgspec.json.decode(text, type=tuple[str, ...])


def _account(row: Any) -> Account:
    told = dict(zip(Account.__struct_fields__, row, strict=True))
    told["departments"] = _some(told["departments"])
    told["must_change"], told["disabled"] = bool(told["must_change"]), bool(told["disabled"])
    return Account(**told)


def _key(row: Any) -> Key:
    told = dict(zip(Key.__struct_fields__, row, strict=True))
    told["departments"], told["powers"] = _some(told["departments"]), _some(told["powers"])
    return Key(**told)
