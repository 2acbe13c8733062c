"""The first ledger: position, journal, moves, findings, refusals, counts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
whole, number, text, blob = sa.BigInteger, sa.Integer, sa.Text, sa.LargeBinary


def upgrade() -> None:
    """Create all tables."""
    _journal()
    _findings()
    _counted()


def _journal() -> None:
    op.create_table(
        "position",
        sa.Column("shard", text, primary_key=True),
        sa.Column("seq", whole, nullable=False),
        sa.Column("next_event", whole, nullable=False),
        sa.Column("hash", blob, nullable=False),
    )
    op.create_table(
        "journal",
        sa.Column("shard", text, primary_key=True),
        sa.Column("seq", whole, primary_key=True),
        sa.Column("first_event", whole, nullable=False),
        sa.Column("n", number, nullable=False),
        sa.Column("at_lo", whole, nullable=False),
        sa.Column("at_hi", whole, nullable=False),
        sa.Column("hash", blob, nullable=False),
        sa.Column("data", blob, nullable=False),
        sa.Column("back", blob, nullable=False),
        sa.Column("seal", blob, nullable=False),
    )
    op.create_index("journal_first_event", "journal", ["shard", "first_event"])


def _findings() -> None:
    op.create_table(
        "moves",
        sa.Column("number", number, primary_key=True),
        sa.Column("shard", text, nullable=False),
        sa.Column("seq", whole, nullable=False),
        sa.Column("finding_id", text, nullable=False),
        sa.Column("code", text, nullable=False),
        sa.Column("actor", text, nullable=False),
        sa.Column("at", text, nullable=False),
        sa.Column("doc", blob),
    )
    op.create_index("moves_finding", "moves", ["finding_id"])
    op.create_table(
        "findings",
        sa.Column("finding_id", text, primary_key=True),
        sa.Column("shard", text, nullable=False),
        sa.Column("number", number, nullable=False),
        sa.Column("rule", text, nullable=False),
        sa.Column("department", text),
        sa.Column("case_id", text),
        sa.Column("item", text),
        sa.Column("operator", text),
        sa.Column("at_us", whole, nullable=False),
        sa.Column("tier", number, nullable=False),
        sa.Column("muted", text),
        sa.Column("withdrawn", text),
        sa.Column("withdrawn_actor", text),
        sa.Column("withdrawn_at", text),
    )
    op.create_index("findings_department", "findings", ["department", "at_us"])
    op.create_index("findings_rule", "findings", ["rule", "at_us"])
    op.create_index("findings_at", "findings", ["at_us"])
    op.create_index("findings_case", "findings", ["case_id"])


def _counted() -> None:
    op.create_table(
        "refusals",
        sa.Column("number", number, primary_key=True),
        sa.Column("shard", text, nullable=False),
        sa.Column("seq", whole, nullable=False),
        sa.Column("received_at", whole, nullable=False),
        sa.Column("line", number, nullable=False),
        sa.Column("field", text, nullable=False),
        sa.Column("error", text, nullable=False),
        sa.Column("text", text, nullable=False),
    )
    op.create_table(
        "counts",
        sa.Column("number", number, primary_key=True),
        sa.Column("shard", text, nullable=False),
        sa.Column("seq", whole, nullable=False),
        sa.Column("kind", text, nullable=False),
        sa.Column("rule", text, nullable=False),
        sa.Column("reason", text, nullable=False),
        sa.Column("item", text),
        sa.Column("department", text),
        sa.Column("day", number, nullable=False),
        sa.Column("n", whole, nullable=False),
    )
