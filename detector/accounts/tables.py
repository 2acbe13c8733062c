"""The tables of accounts. In a data folder they are made from here; migration 0005 makes the same
in PostgreSQL (`tests/test_accounts.py` compares)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text

META = MetaData()

ACCOUNTS = Table(
    "accounts",
    META,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("departments", Text),  # JSON; NULL: all
    Column("person", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("password_us", BigInteger, nullable=False),
    Column("must_change", Integer, nullable=False),
    Column("disabled", Integer, nullable=False),
    Column("totp", Text, nullable=False),
    Column("totp_step", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Index("accounts_subject", "subject"),
)

OLD_PASSWORDS = Table(
    "old_passwords",
    META,
    Column("account", Text, primary_key=True),
    Column("password", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
)

RECOVERY = Table(  # codes for who lost their telephone; each serves once
    "recovery_codes",
    META,
    Column("account", Text, primary_key=True),
    Column("code", Text, primary_key=True),  # its SHA-256
)

SESSIONS = Table(
    "sessions",
    META,
    Column("token", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("begun_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Index("sessions_account", "account"),
)

KEYS = Table(
    "api_keys",
    META,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("powers", Text, nullable=False),  # JSON
    Column("departments", Text),
    Column("per_minute", Integer, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("made_by", Text, nullable=False),
    Column("expires_us", BigInteger),
    Column("revoked_us", BigInteger),
)

FAILURES = Table(  # of logins, by account and by address
    "login_failures",
    META,
    Column("subject", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Index("login_failures_last", "last_us"),
)

AUDIT = Table(  # append-only; each row's hash covers the one before
    "audit",
    META,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("detail", Text, nullable=False),  # JSON
    Column("ledger_seq", BigInteger, nullable=False),  # where the journal stood
    Column("ledger_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Index("audit_actor", "actor", "number"),
    Index("audit_act", "act", "number"),
)
