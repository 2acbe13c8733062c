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
    literal_column,
)

META = MetaData()
NUMBER = BigInteger().with_variant(Integer(), "sqlite")  # there INTEGER alone counts by itself

POSITION = Table(
    "position",
    META,
    Column("shard", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("next_event", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("offset", BigInteger),  # where its source goes on; NULL where it has none
    Column("owner", Text),  # where its worker answers questions; NULL where there is none
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

CONTENTS = Table(  # frames of the journal that hold what judges: a few among millions
    "contents",
    META,
    Column("shard", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
)

RELAYS = Table(  # what a batch tells another shard, until it is known to have arrived there
    "relays",
    META,
    Column("shard", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),  # last frame of the batch
    Column("target", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

MOVES = Table(  # append-only: every finding that was raised, every change of its standing
    "moves",
    META,
    Column("number", NUMBER, primary_key=True),
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
    Column("number", NUMBER, nullable=False),  # the move that raised it last
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
    Index("findings_department", "department", "at_us", "rule", "withdrawn", "muted"),
    Index("findings_rule", "rule", "at_us"),
    Index("findings_at", "at_us"),
    Index("findings_case", "case_id"),
)

REFUSALS = Table(
    "refusals",
    META,
    Column("number", NUMBER, primary_key=True),
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
    Column("number", NUMBER, primary_key=True),
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

NOTICES = Table(  # how each notice stands now
    "notices",
    META,
    Column("notice_id", Text, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("department", Text),
    Column("tier", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("open", Integer, nullable=False),  # 1 while somebody must still do something
    Column("issued_us", BigInteger, nullable=False),
    Column("next_us", BigInteger),  # when it is looked at again; NULL where it is closed
    Column("doc", LargeBinary, nullable=False),  # JSON, without findings and history
    Index("notices_issued", "issued_us"),
    Index("notices_department", "department", "issued_us"),
    Index("notices_subject", "subject_kind", "subject"),
    Index("notices_next", "open", "next_us"),
    Index("notices_open", "open", "issued_us", "notice_id"),
    Index("notices_counted", "open", "department", "tier", "level"),
)

NOTICE_MOVES = Table(  # append-only: every move of a notice, its actor and reason
    "notice_moves",
    META,
    Column("number", NUMBER, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("notice_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("text", Text),  # what the actor wrote
    Index("notice_moves_notice", "notice_id", "number"),
)

NOTICE_FINDINGS = Table(  # append-only: what each notice holds
    "notice_findings",
    META,
    Column("notice_id", Text, primary_key=True),
    Column("finding_id", Text, primary_key=True),
    Column("place", Integer, nullable=False),  # from 0, in the order in which it took them
    Column("shard", Text, nullable=False),
    Index("notice_findings_finding", "finding_id"),
)

OUTBOX = Table(  # messages; what stands behind `due_us` belongs to delivery alone
    "outbox",
    META,
    Column("message_id", Text, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("notice_id", Text, nullable=False),
    Column("person", Text, nullable=False),  # of people.csv, or "*"
    Column("occasion", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("level", Integer, nullable=False),
    Column("department", Text),
    Column("at_us", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("doc", LargeBinary, nullable=False),  # JSON
    Column("due_us", BigInteger),  # when it is taken up next; NULL where it is settled
    Column("state", Text, nullable=False),  # waiting sending grouped sent delivered dropped dead
    Column("channel", Text),
    Column("attempts", Integer, nullable=False),
    Column("reason", Text),
    Column("digest_id", Text),  # the message that tells of it with others
    Column("gateway_id", Text),
    Column("settled_us", BigInteger),
    Index("outbox_due", "due_us"),
    Index("outbox_notice", "notice_id"),
    Index("outbox_digest", "digest_id"),
    Index("outbox_gateway", "gateway_id"),
    Index("outbox_dead", "message_id", sqlite_where=literal_column("state = 'dead'")),
)

ATTEMPTS = Table(  # append-only: every attempt to send, and every receipt
    "attempts",
    META,
    Column("number", NUMBER, primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("attempts_message", "message_id", "number"),
)

RECEIPTS = Table(  # of gateways, until delivery has done with them
    "receipts",
    META,
    Column("number", NUMBER, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("channel", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("gateway_id", Text, nullable=False),
    Column("code", Text, nullable=False),
    sqlite_autoincrement=True,  # a number is never given twice
)

VERDICTS = Table(  # append-only: what people have found of findings; the last of each counts
    "verdicts",
    META,
    Column("fact_id", Text, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # last frame of the batch that brought it
    Column("finding_id", Text, nullable=False),  # also of one that is not known
    Column("verdict", Text, nullable=False),  # confirmed, false_alarm, justified
    Column("by", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("reason", Text),
    Index("verdicts_finding", "finding_id", "at_us", "fact_id"),
)

EPOCHS = Table(  # append-only: what learners put into force, by day or by act
    "epochs",
    META,
    Column("number", NUMBER, primary_key=True),
    Column("shard", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),  # last frame of the batch that brought it
    Column("sha256", Text, nullable=False),
    Column("learner", Text, nullable=False),
    Column("day", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),  # day, or what a person did
    Column("waits", Integer, nullable=False),
    Column("frozen", Integer, nullable=False),
    Column("doc", LargeBinary, nullable=False),  # JSON
    Index("epochs_learner", "learner", "number"),
)

SERIALS = Table(  # 文号: official documents, numbered by department, year and kind without gaps
    "serials",
    META,
    Column("department", Text, primary_key=True),
    Column("year", Integer, primary_key=True),
    Column("kind", Text, primary_key=True),  # urge, rectify
    Column("number", NUMBER, primary_key=True),
    Column("notice_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("serials_notice", "notice_id", "kind", unique=True),
)
