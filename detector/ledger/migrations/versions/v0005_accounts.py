"""Accounts beside the ledger of a scale-out: PostgreSQL alone.

A data folder keeps them in a file of their own (`detector.accounts.opening`), so here nothing is
done to a ledger file.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """The tables of `detector.accounts.tables`, as they were at this revision."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "accounts",
        _key("name"), _text("role"), sa.Column("departments", sa.Text), _text("person"),
        _text("password"), _long("password_us"), _int("must_change"), _int("disabled"),
        _text("totp"), _long("totp_step"), _text("subject"), _long("made_us"),
    )  # fmt: skip
    op.create_table(
        "old_passwords",
        _key("account"), _key("password"), _long("at_us"),
    )  # fmt: skip
    op.create_table("recovery_codes", _key("account"), _key("code"))
    op.create_table(
        "sessions",
        _key("token"), _text("account"), _text("stage"), _long("begun_us"), _long("seen_us"),
        _text("address"), _text("agent"),
    )  # fmt: skip
    op.create_table(
        "api_keys",
        _key("key_id"), _text("name"), _text("secret"), _text("role"), _text("powers"),
        sa.Column("departments", sa.Text), _int("per_minute"), _long("made_us"), _text("made_by"),
        sa.Column("expires_us", sa.BigInteger), sa.Column("revoked_us", sa.BigInteger),
    )  # fmt: skip
    op.create_table("login_failures", _key("subject"), _int("count"), _long("last_us"))
    op.create_table(
        "audit",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        _long("at_us"), _text("actor"), _text("role"), _text("act"), _text("object"),
        _text("outcome"), _text("address"), _text("detail"), _long("ledger_seq"),
        sa.Column("ledger_hash", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )  # fmt: skip
    op.create_index("accounts_subject", "accounts", ["subject"])
    op.create_index("sessions_account", "sessions", ["account"])
    op.create_index("login_failures_last", "login_failures", ["last_us"])
    op.create_index("audit_actor", "audit", ["actor", "number"])
    op.create_index("audit_act", "audit", ["act", "number"])


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=True)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _long(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _int(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)
