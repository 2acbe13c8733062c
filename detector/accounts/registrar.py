"""Keeping accounts and keys: made, changed, ended. A secret is told once and never again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

import msgspec

from detector.accounts import Account, Departments, Key, Refused
from detector.accounts.audit import Deed
from detector.accounts.desk import Came, Desk, tidy

NAME = re.compile(r"[\w.@-]{2,64}")
KEEPER = "security"  # the role that keeps accounts: one of it must be left
PREFIX = "ork"
PER_MINUTE = 600
KEY_CHARS_MAX = 120


class Registrar:
    """Keeps accounts and keys; `by` is who does it."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.store, self.audit = desk, desk.store, desk.audit

    # -- accounts ---------------------------------------------------------------------------------

    def add(
        self, name: str, role: str, departments: Departments, person: str, by: str, came: Came,
        password: str = "", subject: str = "",
    ) -> str:  # fmt: skip
        """A new account; the password that serves once, drawn where none is given."""
        name = tidy(name)
        if not NAME.fullmatch(name):
            raise Refused("bad_name", "a name has 2 to 64 letters, figures, or . @ - _")
        given = password or self._draw()
        account = Account(
            name, role, departments, person, self.desk.passwords.hash(given), came.now_us, True,
            False, "", 0, subject, came.now_us,
        )  # fmt: skip
        with self.store.book.write():
            if self.store.account(name) is not None:
                raise Refused("taken", f"there is an account {name} already")
            if subject and self.store.by_subject(subject) is not None:
                raise Refused("taken", "another account has this OIDC subject")
            self.store.add(account)
            told = {"role": role, "departments": departments, "person": person}
            self._tell(by, "account_added", name, came, told)
        return given

    def reset(self, name: str, by: str, came: Came, password: str = "") -> str:
        """A new password that serves once; codes are off, and all sessions have ended."""
        given = password or self._draw()
        made = self.desk.passwords.hash(given)
        with self.store.book.write():
            held = self._held(name)
            told = {"password": made, "password_us": came.now_us, "must_change": True}
            self.store.change(msgspec.structs.replace(held, **told, totp="", totp_step=0))
            self.store.set_recovery(held.name, [])
            self.store.forget("a:" + held.name)
            self.store.end_all(held.name)
            self._tell(by, "account_reset", held.name, came)
        return given

    def disable(self, name: str, disabled: bool, by: str, came: Came) -> None:
        """Shut an account, or open it again."""
        with self.store.book.write():
            held = self._held(name)
            if disabled:
                self._not_the_last(held)
            self.store.change(msgspec.structs.replace(held, disabled=disabled))
            self.store.end_all(held.name)
            act = "account_disabled" if disabled else "account_enabled"
            self._tell(by, act, held.name, came)

    def change(
        self, name: str, role: str, departments: Departments, person: str, by: str, came: Came
    ) -> None:
        """Another role, or other departments; all sessions have ended."""
        with self.store.book.write():
            held = self._held(name)
            if role != held.role:
                self._not_the_last(held)
            told = {"role": role, "departments": departments, "person": person}
            self.store.change(msgspec.structs.replace(held, **told))
            self.store.end_all(held.name)
            before = {"role": held.role, "departments": held.departments, "person": held.person}
            self._tell(by, "account_changed", held.name, came, {"from": before, "to": told})

    def _held(self, name: str) -> Account:
        held = self.store.account(tidy(name))
        if held is None:
            raise Refused("none", f"there is no account {tidy(name)}")
        return held

    def _not_the_last(self, held: Account) -> None:
        """Somebody must be left who keeps accounts."""
        if held.role != KEEPER or held.disabled:
            return
        others = (a for a in self.store.accounts() if a.role == KEEPER and not a.disabled)
        if not any(one.name != held.name for one in others):
            raise Refused("last_keeper", "this is the last account that keeps accounts")

    def _draw(self) -> str:
        text = base64.b32encode(bytes.fromhex(self.desk.chance(10))).decode().lower()
        return "-".join(text[at : at + 4] for at in range(0, len(text), 4))

    # -- keys -------------------------------------------------------------------------------------

    def add_key(
        self, name: str, role: str, powers: tuple[str, ...], departments: Departments, by: str,
        came: Came, per_minute: int = PER_MINUTE, expires_us: int | None = None,
    ) -> tuple[str, str]:  # fmt: skip
        """A new key: (its id, the whole of it)."""
        key_id, secret = self.desk.chance(6), self.desk.chance(32)
        one = Key(
            key_id, name[:64], _hash(secret), role, powers, departments, per_minute, came.now_us,
            by, expires_us, None,
        )  # fmt: skip
        with self.store.book.write():
            self.store.add_key(one)
            told = {"name": name, "role": role, "powers": powers, "departments": departments}
            self._tell(by, "key_added", key_id, came, told)
        return key_id, f"{PREFIX}_{key_id}_{secret}"

    def revoke(self, key_id: str, by: str, came: Came) -> None:
        """End a key."""
        with self.store.book.write():
            if not self.store.revoke(key_id, came.now_us):
                raise Refused("none", "there is no such key, or it was revoked before")
            self._tell(by, "key_revoked", key_id, came)

    def key(self, told: str, now_us: int) -> Key | None:
        """The key that somebody shows; None where it is none, or has ended."""
        parts = told.split("_")
        if len(parts) != 3 or parts[0] != PREFIX or len(told) > KEY_CHARS_MAX:
            return None
        if not told.isascii():
            return None
        held = self.store.key(parts[1])
        same = hmac.compare_digest(_hash(parts[2]), held.secret if held else _hash(""))
        if held is None or not same or held.revoked_us is not None:
            return None
        return held if held.expires_us is None or now_us < held.expires_us else None

    def _tell(
        self, by: str, act: str, what: str, came: Came, detail: Mapping[str, object] | None = None
    ) -> None:
        self.audit.write(
            Deed(came.now_us, by, "", act, what, address=came.address, detail=dict(detail or {}))
        )


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
