"""Answers that are kept under their senders' keys, for a scale-out: PostgreSQL alone.

A data folder keeps them in a file of their own (`detector.accounts.replies`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """The table of `detector.accounts.replies`, as it was at this revision."""
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "replies",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
    )
    op.create_index("replies_at", "replies", ["at_us"])
