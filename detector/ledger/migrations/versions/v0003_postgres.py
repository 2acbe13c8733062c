"""PostgreSQL alone: the journal by months, wide numbers, and a batch in one call.

SQLite's tables stay as they are. `ledger_commit` takes the columns of a batch's rows as arrays, in
the order of `ROWS` below, and does nothing where the shard does not stand where it should.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

T, W, N, B = "text", "bigint", "integer", "bytea"
STANDING = {"withdrawn": T, "withdrawn_actor": T, "withdrawn_at": T}
ROWS: dict[str, dict[str, str]] = {  # what comes as arrays: prefix → columns and types
    "f": {
        "seq": W, "first_event": W, "n": N, "at_lo": W, "at_hi": W, "hash": B, "data": B,
        "back": B, "seal": B,
    },
    "m": {"finding_id": T, "code": T, "actor": T, "at": T, "doc": B},
    "r": {
        "finding_id": T, "number": W, "rule": T, "department": T, "case_id": T, "item": T,
        "operator": T, "at_us": W, "tier": N, "muted": T, **STANDING,
    },
    "c": {"finding_id": T, **STANDING},
    "x": {"received_at": W, "line": N, "field": T, "error": T, "text": T},
    "u": {
        "kind": T, "rule": T, "reason": T, "item": T, "department": T, "day": N, "n": W,
    },
    "n": {
        "notice_id": T, "subject_kind": T, "subject": T, "department": T, "tier": N, "level": N,
        "state": T, "open": N, "issued_us": W, "next_us": W, "doc": B,
    },
    "s": {
        "notice_id": T, "at_us": W, "actor": T, "before": T, "after": T, "reason": T, "text": T,
    },
    "h": {"notice_id": T, "finding_id": T, "place": N},
    "p": {
        "message_id": T, "notice_id": T, "person": T, "occasion": T, "tier": N, "level": N,
        "department": T, "at_us": W, "subject": T, "text": T, "doc": B, "due_us": W, "state": T,
        "attempts": N,
    },
}  # fmt: skip
INTO = {"x": "refusals", "u": "counts", "s": "notice_moves", "p": "outbox"}


def upgrade() -> None:
    """Nothing for SQLite."""
    if op.get_bind().dialect.name != "postgresql":
        return
    _numbers()
    _journal()
    op.execute(MONTHS)
    op.execute(commit_function())


def _numbers() -> None:
    """Numbers of moves are a shard's own; the others are the database's."""
    op.execute("ALTER TABLE moves DROP CONSTRAINT moves_pkey")
    op.execute("ALTER TABLE moves ALTER number DROP DEFAULT, ALTER number TYPE bigint")
    op.execute("ALTER TABLE moves ADD PRIMARY KEY (shard, number)")
    op.execute("ALTER TABLE findings ALTER number TYPE bigint")
    for table in ("refusals", "counts", "notice_moves", "attempts", "receipts"):
        op.execute(f"ALTER TABLE {table} ALTER number TYPE bigint")
        op.execute(f"ALTER SEQUENCE {table}_number_seq AS bigint")
    op.execute("DROP INDEX outbox_dead")
    op.execute("CREATE INDEX outbox_dead ON outbox (message_id) WHERE state = 'dead'")


def _journal() -> None:
    """By month of arrival; what is packed already is not packed again."""
    op.execute("DROP TABLE journal")
    columns = ", ".join(f"{name} {kind} NOT NULL" for name, kind in ROWS["f"].items())
    op.execute(
        f"CREATE TABLE journal (shard text NOT NULL, {columns}, PRIMARY KEY (shard, seq, at_lo))"
        " PARTITION BY RANGE (at_lo)"
    )
    op.execute("ALTER TABLE journal ALTER data SET STORAGE EXTERNAL")
    op.execute("CREATE INDEX journal_first_event ON journal (shard, first_event)")
    op.execute("CREATE TABLE journal_rest PARTITION OF journal DEFAULT")


MONTHS = """
CREATE FUNCTION ledger_months(at bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE month timestamp; part text;
BEGIN
  FOR month IN SELECT DISTINCT date_trunc('month', to_timestamp(t / 1000000) AT TIME ZONE 'UTC')
               FROM unnest(at) t WHERE t BETWEEN 0 AND 4102444800000000 LOOP
    part := 'journal_' || to_char(month, 'YYYY_MM');
    IF to_regclass(part) IS NULL THEN
      LOCK TABLE journal IN SHARE UPDATE EXCLUSIVE MODE;  -- another shard may come first
      EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF journal FOR VALUES FROM (%s) TO (%s)', part,
        extract(epoch FROM month AT TIME ZONE 'UTC')::bigint * 1000000,
        extract(epoch FROM (month + interval '1 month') AT TIME ZONE 'UTC')::bigint * 1000000);
    END IF;
  END LOOP;
END $$
"""


def commit_function(
    rows: dict[str, dict[str, str]] | None = None, more: tuple[str, ...] = (), then: str = ""
) -> str:
    """The text of `ledger_commit`; a later migration gives more arrays, values and statements."""
    told = (ROWS | (rows or {})).items()
    arrays = [f"{p}_{name} {kind}[]" for p, names in told for name, kind in names.items()]
    first = ["shard_ text", "old_ bigint", "seq_ bigint", "next_ bigint", "hash_ bytea"]
    takes = ", ".join([*first, *arrays, "move_ bigint", *more])
    return f"""
CREATE FUNCTION ledger_commit({takes}) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE position SET seq = seq_, next_event = next_, hash = hash_
    WHERE position.shard = shard_ AND position.seq = old_;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the shard stands elsewhere' USING ERRCODE = 'OR001';
  END IF;
  PERFORM ledger_months(f_at_lo);
  {insert("journal", "f")};
  INSERT INTO moves (number, shard, seq, {_names(ROWS["m"])})
    SELECT move_ + o, shard_, seq_, {_names(ROWS["m"])} FROM {_told("m", ROWS["m"])};
  {insert("findings", "r")} {_newer("r", "finding_id")};
  UPDATE findings SET {", ".join(f"{n} = t.{n}" for n in STANDING)}
    FROM {_told("c", ROWS["c"])} WHERE findings.finding_id = t.finding_id;
  {insert("notices", "n")} {_newer("n", "notice_id")};
  {insert("notice_findings", "h")} ON CONFLICT DO NOTHING;
  {" ".join(insert(table, prefix, None, "seq_") + ";" for prefix, table in INTO.items())}
{then}END $$
"""


def _names(columns: dict[str, str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _told(prefix: str, columns: dict[str, str]) -> str:
    """The arrays of a prefix as the rows that they are, numbered in their order."""
    arrays = ", ".join(f"{prefix}_{name}" for name in columns)
    return f"unnest({arrays}) WITH ORDINALITY AS t({_names(columns)}, o)"


def insert(table: str, prefix: str, columns: dict[str, str] | None = None, seq: str = "") -> str:
    """An insertion of the arrays of a prefix."""
    columns = columns or ROWS[prefix]
    more, given = ("shard, seq", f"shard_, {seq}") if seq else ("shard", "shard_")
    return (
        f"INSERT INTO {table} ({more}, {_names(columns)})"
        f" SELECT {given}, {_names(columns)} FROM {_told(prefix, columns)} ORDER BY o"
    )


def _newer(prefix: str, key: str) -> str:
    told = ", ".join(f'"{n}" = excluded."{n}"' for n in ROWS[prefix] if n != key)
    return f"ON CONFLICT ({key}) DO UPDATE SET {told}"
