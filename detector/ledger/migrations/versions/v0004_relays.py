"""Shards that feed one another: relays that wait, and where a shard's source goes on.

In PostgreSQL `ledger_commit` is made anew and takes both.
"""

import sqlalchemy as sa
from alembic import op

from detector.ledger.migrations.versions import v0003_postgres as before

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """A table and a column; the function of PostgreSQL with the arrays of relays."""
    op.add_column("position", sa.Column("offset", sa.BigInteger))
    op.add_column("position", sa.Column("owner", sa.Text))
    op.create_table(
        "relays",
        sa.Column("shard", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("ALTER TABLE relays ALTER data SET STORAGE EXTERNAL")
    op.execute("DROP FUNCTION ledger_commit")
    op.execute(before.commit_function(RELAYS, MORE, THEN))


RELAYS = {"y": {"seq": before.W, "target": before.T, "data": before.B}}
MORE = ("offset_ bigint", "relayed_ bigint")
THEN = f"""
  IF offset_ IS NOT NULL THEN
    UPDATE position SET "offset" = offset_
      WHERE position.shard = shard_ AND ("offset" IS NULL OR "offset" <= offset_);
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the shard goes on elsewhere' USING ERRCODE = 'OR001';
    END IF;
  END IF;
  DELETE FROM relays WHERE relays.shard = shard_ AND relays.seq <= relayed_;
  {before.insert("relays", "y", RELAYS["y"])};
"""
