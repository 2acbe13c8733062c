"""Accounts (账户): who may come in, by what, and what each of them did.

Names, passwords, one-time codes, sessions and keys of programs lie in tables of their own beside
the ledger: in a data folder in a file of their own, so that the engine's write lock is never waited
for; in PostgreSQL in the ledger's database. No secret is kept as it was given: passwords as
argon2id, tokens, keys and recovery codes as SHA-256 of what is random. A TOTP secret must be read
again and is kept as it is: the file is its owner's alone (0600).

No function here knows a clock or draws a random number: instants (µs UTC) and `chance` are given.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

Chance = Callable[[int], str]  # so many random bytes, in hex
Departments = tuple[str, ...] | None  # None: the whole district


class Account(msgspec.Struct, frozen=True):
    """A person's account."""

    name: str
    role: str
    departments: Departments
    person: str  # of people.csv, or ""
    password: str  # its hash; "": comes in by OIDC alone
    password_us: int  # since when it is that one
    must_change: bool  # it was given out, and serves once
    disabled: bool
    totp: str  # the secret of one-time codes, "" where there are none
    totp_step: int  # the step of the last code that was taken
    subject: str  # what an OIDC provider calls it, or ""
    made_us: int


class Session(msgspec.Struct, frozen=True):
    """Somebody who came in; `stage` says what is still asked before anything is shown."""

    token: str  # SHA-256 of what the browser holds
    account: str
    stage: str  # "": all is done; CODE, PASSWORD
    begun_us: int
    seen_us: int
    address: str
    agent: str


class Key(msgspec.Struct, frozen=True):
    """A key of a program."""

    key_id: str
    name: str
    secret: str  # SHA-256 of it
    role: str
    powers: tuple[str, ...]
    departments: Departments
    per_minute: int
    made_us: int
    made_by: str
    expires_us: int | None
    revoked_us: int | None


CODE, PASSWORD = "code", "password"  # stages of a session


class Refused(Exception):
    """What was asked is not done. `code` is a word for programs and pages, the text for people."""

    def __init__(self, code: str, text: str, retry_after_s: int | None = None) -> None:
        super().__init__(text)
        self.code, self.retry_after_s = code, retry_after_s
