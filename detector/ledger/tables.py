"""The tables of a ledger. Migrations create them; queries are written against these names."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

META = MetaData()

POSITION = Table(
    "position",
    META,
    Column("shard", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("next_event", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

JOURNAL = Table(
    "journal",
    META,
    Column("shard", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("first_event", BigInteger, nullable=False),
    Column("n", Integer, nullable=False),
    Column("at_lo", BigInteger, nullable=False),
    Column("at_hi", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("back", LargeBinary, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    Index("journal_first_event", "shard", "first_event"),
)

MOVES = Table(  # append-only: every finding that was raised, every change of its standing
    "moves",
    META,
    Column("number", Integer, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # last frame of the batch that caused it
    Column("finding_id", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("doc", LargeBinary),
    Index("moves_finding", "finding_id"),
)

FINDINGS = Table(  # how each finding stands now
    "findings",
    META,
    Column("finding_id", Text, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("number", Integer, nullable=False),  # the move that raised it last
    Column("rule", Text, nullable=False),
    Column("department", Text),
    Column("case_id", Text),
    Column("item", Text),
    Column("operator", Text),
    Column("at_us", BigInteger, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("muted", Text),
    Column("withdrawn", Text),
    Column("withdrawn_actor", Text),
    Column("withdrawn_at", Text),
    Index("findings_department", "department", "at_us"),
    Index("findings_rule", "rule", "at_us"),
    Index("findings_at", "at_us"),
    Index("findings_case", "case_id"),
)

REFUSALS = Table(
    "refusals",
    META,
    Column("number", Integer, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("line", Integer, nullable=False),
    Column("field", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("text", Text, nullable=False),
)

COUNTS = Table(
    "counts",
    META,
    Column("number", Integer, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("item", Text),
    Column("department", Text),
    Column("day", Integer, nullable=False),
    Column("n", BigInteger, nullable=False),
)
