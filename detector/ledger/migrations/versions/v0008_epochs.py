"""What learners put into force, with the batch that brought each.

In PostgreSQL `ledger_commit` is made anew and takes their documents behind the columns of verdicts.
"""

import sqlalchemy as sa
from alembic import op

from detector.ledger.migrations.versions import v0003_postgres as first
from detector.ledger.migrations.versions import v0004_relays as relays
from detector.ledger.migrations.versions import v0007_verdicts as before

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """A table; the function of PostgreSQL with the arrays of epochs."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "epochs",
        sa.Column("number", number, primary_key=True),
        sa.Column("shard", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("learner", sa.Text, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("waits", sa.Integer, nullable=False),
        sa.Column("frozen", sa.Integer, nullable=False),
        sa.Column("doc", sa.LargeBinary, nullable=False),
    )
    op.create_index("epochs_learner", "epochs", ["learner", "number"])
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP FUNCTION ledger_commit")
    arrays = relays.RELAYS | before.VERDICTS | EPOCHS
    op.execute(first.commit_function(arrays, relays.MORE, THEN))


EPOCHS = {"e": {"doc": first.B}}  # a function takes a hundred arguments: the rest stands in it
THEN = f"""{before.THEN}
  INSERT INTO epochs (shard, seq, sha256, learner, day, at_us, cause, waits, frozen, doc)
    SELECT shard_, seq_, j->>'sha256', j->>'learner', (j->>'day')::integer, (j->>'at')::bigint,
      j->>'cause', json_array_length(j->'waiting'),
      (SELECT count(*) FROM json_object_keys(j->'frozen')), doc
    FROM (SELECT doc, convert_from(doc, 'UTF8')::json AS j, o
      FROM unnest(e_doc) WITH ORDINALITY AS t(doc, o)) AS told ORDER BY o;
"""
