"""Which frames of the journal hold a content: whoever starts finds them without reading it all.

Here it is read once more, from its first frame. In PostgreSQL `ledger_commit` is made anew and
takes their numbers behind the documents of epochs.
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from detector.ledger.journal import CONTENT, unpacked
from detector.ledger.migrations.versions import v0003_postgres as first
from detector.ledger.migrations.versions import v0004_relays as relays
from detector.ledger.migrations.versions import v0007_verdicts as verdicts
from detector.ledger.migrations.versions import v0008_epochs as before

revision = "0009"
down_revision = "0008"

_AT_ONCE = 256  # frames


def upgrade() -> None:
    """A table, with what the journal holds; the function of PostgreSQL with the array of it."""
    table = op.create_table(
        "contents",
        sa.Column("shard", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True),
    )
    found = [{"shard": shard, "seq": seq} for shard, seq in _found()]
    if found:
        op.bulk_insert(table, found)
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP FUNCTION ledger_commit")
    arrays = relays.RELAYS | verdicts.VERDICTS | before.EPOCHS | CONTENTS
    op.execute(first.commit_function(arrays, relays.MORE, THEN))


def _found() -> Iterator[tuple[str, int]]:
    """The frames that hold a content: each stands alone in its own."""
    bind, at = op.get_bind(), ("", 0)
    ask = sa.text(
        "SELECT shard, seq, n, data FROM journal WHERE shard > :shard OR"
        " (shard = :shard AND seq > :seq) ORDER BY shard, seq LIMIT :most"
    )
    while rows := bind.execute(ask, {"shard": at[0], "seq": at[1], "most": _AT_ONCE}).fetchall():
        for shard, seq, n, data in rows:
            if n == 1 and unpacked(data, seq).startswith(CONTENT):
                yield shard, seq
        at = (rows[-1][0], rows[-1][1])


CONTENTS = {"k": {"seq": first.W}}
THEN = f"""{before.THEN}
  {first.insert("contents", "k", CONTENTS["k"])};
"""
