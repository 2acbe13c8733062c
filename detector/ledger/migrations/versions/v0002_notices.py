"""Notices, their moves and findings, the outbox, attempts, receipts, and serial numbers."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
whole, number, text, blob = sa.BigInteger, sa.Integer, sa.Text, sa.LargeBinary


def upgrade() -> None:
    """Create the tables of notices and of their delivery."""
    _notices()
    _delivery()
    _documents()


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("notice_id", text, primary_key=True),
        sa.Column("shard", text, nullable=False),
        sa.Column("subject_kind", text, nullable=False),
        sa.Column("subject", text, nullable=False),
        sa.Column("department", text),
        sa.Column("tier", number, nullable=False),
        sa.Column("level", number, nullable=False),
        sa.Column("state", text, nullable=False),
        sa.Column("open", number, nullable=False),
        sa.Column("issued_us", whole, nullable=False),
        sa.Column("next_us", whole),
        sa.Column("doc", blob, nullable=False),
    )
    op.create_index("notices_department", "notices", ["department", "issued_us"])
    op.create_index("notices_issued", "notices", ["issued_us"])
    op.create_index("notices_next", "notices", ["open", "next_us"])
    op.create_index("notices_subject", "notices", ["subject_kind", "subject"])
    op.create_table(
        "notice_moves",
        sa.Column("number", number, primary_key=True),
        sa.Column("shard", text, nullable=False),
        sa.Column("seq", whole, nullable=False),
        sa.Column("notice_id", text, nullable=False),
        sa.Column("at_us", whole, nullable=False),
        sa.Column("actor", text, nullable=False),
        sa.Column("before", text, nullable=False),
        sa.Column("after", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("text", text),
    )
    op.create_index("notice_moves_notice", "notice_moves", ["notice_id", "number"])
    op.create_table(
        "notice_findings",
        sa.Column("notice_id", text, primary_key=True),
        sa.Column("finding_id", text, primary_key=True),
        sa.Column("place", number, nullable=False),
        sa.Column("shard", text, nullable=False),
    )
    op.create_index("notice_findings_finding", "notice_findings", ["finding_id"])


def _delivery() -> None:
    op.create_table(
        "outbox",
        sa.Column("message_id", text, primary_key=True),
        sa.Column("shard", text, nullable=False),
        sa.Column("seq", whole, nullable=False),
        sa.Column("notice_id", text, nullable=False),
        sa.Column("person", text, nullable=False),
        sa.Column("occasion", text, nullable=False),
        sa.Column("tier", number, nullable=False),
        sa.Column("level", number, nullable=False),
        sa.Column("department", text),
        sa.Column("at_us", whole, nullable=False),
        sa.Column("subject", text, nullable=False),
        sa.Column("text", text, nullable=False),
        sa.Column("doc", blob, nullable=False),
        sa.Column("due_us", whole),
        sa.Column("state", text, nullable=False),
        sa.Column("channel", text),
        sa.Column("attempts", number, nullable=False),
        sa.Column("reason", text),
        sa.Column("digest_id", text),
        sa.Column("gateway_id", text),
        sa.Column("settled_us", whole),
    )
    dead = sa.text("state = 'dead'")
    op.create_index("outbox_dead", "outbox", ["message_id"], sqlite_where=dead)
    op.create_index("outbox_digest", "outbox", ["digest_id"])
    op.create_index("outbox_due", "outbox", ["due_us"])
    op.create_index("outbox_gateway", "outbox", ["gateway_id"])
    op.create_index("outbox_notice", "outbox", ["notice_id"])
    op.create_table(
        "attempts",
        sa.Column("number", number, primary_key=True),
        sa.Column("message_id", text, nullable=False),
        sa.Column("at_us", whole, nullable=False),
        sa.Column("channel", text, nullable=False),
        sa.Column("verdict", text, nullable=False),
        sa.Column("code", text, nullable=False),
        sa.Column("detail", text, nullable=False),
    )
    op.create_index("attempts_message", "attempts", ["message_id", "number"])
    op.create_table(
        "receipts",
        sa.Column("number", number, primary_key=True),
        sa.Column("at_us", whole, nullable=False),
        sa.Column("channel", text, nullable=False),
        sa.Column("status", text, nullable=False),
        sa.Column("message_id", text, nullable=False),
        sa.Column("gateway_id", text, nullable=False),
        sa.Column("code", text, nullable=False),
        sqlite_autoincrement=True,
    )


def _documents() -> None:
    op.create_table(
        "serials",
        sa.Column("department", text, primary_key=True),
        sa.Column("year", number, primary_key=True),
        sa.Column("kind", text, primary_key=True),
        sa.Column("number", number, primary_key=True),
        sa.Column("notice_id", text, nullable=False),
        sa.Column("at_us", whole, nullable=False),
    )
    op.create_index("serials_notice", "serials", ["notice_id", "kind"], unique=True)
