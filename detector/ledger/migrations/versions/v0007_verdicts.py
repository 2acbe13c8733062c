"""Verdicts on findings, with the batch that brought each.

In PostgreSQL `ledger_commit` is made anew and takes their columns behind those of relays.
"""

import sqlalchemy as sa
from alembic import op

from detector.ledger.migrations.versions import v0003_postgres as first
from detector.ledger.migrations.versions import v0004_relays as before

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """A table; the function of PostgreSQL with the arrays of verdicts."""
    op.create_table(
        "verdicts",
        sa.Column("fact_id", sa.Text, primary_key=True),
        sa.Column("shard", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("finding_id", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text),
    )
    op.create_index("verdicts_finding", "verdicts", ["finding_id", "at_us", "fact_id"])
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP FUNCTION ledger_commit")
    op.execute(first.commit_function(before.RELAYS | VERDICTS, before.MORE, THEN))


VERDICTS = {
    "v": {
        "fact_id": first.T, "finding_id": first.T, "verdict": first.T, "by": first.T,
        "at_us": first.W, "reason": first.T,
    }
}  # fmt: skip
THEN = before.THEN + f"  {first.insert('verdicts', 'v', VERDICTS['v'], 'seq_')};\n"
