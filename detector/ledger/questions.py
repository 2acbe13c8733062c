"""Questions to a ledger in a database, in words that SQLite and PostgreSQL both understand.

Statements are written with SQLAlchemy Core against `tables`, spelled out for the adapter's dialect
and handed to the driver's own connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    and_,
    bindparam,
    cast,
    func,
    null,
    or_,
    select,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

from detector.ledger import (
    RAISED,
    Count,
    Frame,
    Held,
    Move,
    Position,
    Query,
    Refusal,
    Relay,
)
from detector.ledger.epochs_sql import EpochReader
from detector.ledger.notice_questions import NoticeReader
from detector.ledger.statement import Statement
from detector.ledger.tables import (
    CONTENTS,
    COUNTS,
    FINDINGS,
    JOURNAL,
    MOVES,
    POSITION,
    REFUSALS,
    RELAYS,
)
from detector.ledger.verdicts import NONE
from detector.ledger.verdicts_sql import VerdictReader, of_verdict
from detector.ledger.watching_sql import WatchingReader
from detector.verdict import Withdrawn

_PAGE = 64  # frames fetched at a time
FRAME = tuple(one.name for one in fields(Frame))
MOVE = ("finding_id", "code", "actor", "at", "doc")
FINDING = (
    "finding_id", "number", "rule", "department", "case_id", "item", "operator", "at_us", "tier",
    "muted", "withdrawn", "withdrawn_actor", "withdrawn_at",
)  # fmt: skip
RAISED_COLUMNS = ("rule", "department", "case_id", "item", "operator", "at_us", "tier", "muted")
REFUSAL = tuple(one.name for one in fields(Refusal))
COUNT = tuple(one.name for one in fields(Count))
RELAY = tuple(one.name for one in fields(Relay))


class SqlReader(NoticeReader, WatchingReader, VerdictReader, EpochReader):
    """What may be asked of one shard's ledger; see `detector.ledger.Reading`."""

    dialect: Dialect
    shard: str
    _frame_of: Statement | None = None

    def close(self) -> None:
        """Let go of it."""
        raise NotImplementedError

    def kept(self, text: str | None) -> str | None:
        """A text as the database keeps it: as it is, but for what it cannot hold."""
        return text

    def _run(self, text: str, params: Any = ()) -> list[Any]:
        raise NotImplementedError

    def _ask(self, statement: ClauseElement) -> list[Any]:
        made = Statement(statement, self.dialect)
        return self._run(made.text, made.row({}))

    def position(self) -> Position:
        """How far the journal goes."""
        c = POSITION.c
        rows = self._ask(select(c.seq, c.next_event, c.hash).where(c.shard == self.shard))
        return Position(*rows[0]) if rows else Position()

    def shards(self) -> list[str]:
        """The names of all shards in the database."""
        return [row[0] for row in self._ask(select(POSITION.c.shard).order_by(POSITION.c.shard))]

    def offset(self) -> int | None:
        """Where the shard's source goes on; None where no batch ever said."""
        return self.offsets().get(self.shard)

    def offsets(self) -> dict[str, int]:
        """The same of every shard of which a batch said."""
        p = POSITION.c
        return dict(map(tuple, self._ask(select(p.shard, p.offset).where(p.offset.is_not(None)))))

    def owner(self) -> str:
        """Where the shard's worker answers questions; "" where none said."""
        rows = self._ask(select(POSITION.c.owner).where(POSITION.c.shard == self.shard))
        return (rows[0][0] or "") if rows else ""

    def relays(self) -> list[Relay]:
        """What is not known to have arrived where it is told, oldest first."""
        c = RELAYS.c
        wanted = select(*(c[name] for name in RELAY)).where(c.shard == self.shard)
        return [Relay(*row) for row in self._ask(wanted.order_by(c.seq, c.target))]

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        """Frames from `first` on, in order."""
        c = JOURNAL.c
        wanted = [c[name] for name in FRAME]
        while True:
            some = select(*wanted).where(c.shard == self.shard, c.seq >= first).limit(_PAGE)
            if last is not None:
                some = some.where(c.seq <= last)
            rows = self._ask(some.order_by(c.seq))
            if not rows:
                return
            for row in rows:
                yield Frame(*row)
            first = rows[-1][0] + 1

    def contents(self) -> list[int]:
        """The frames that hold what judges from there on, oldest first."""
        c = CONTENTS.c
        return [
            row[0] for row in self._ask(select(c.seq).where(c.shard == self.shard).order_by(c.seq))
        ]

    def frame_of(self, event: int) -> Frame | None:
        """The frame that holds an input, by the input's number."""
        if self._frame_of is None:
            self._frame_of = Statement(_of_event(self.shard), self.dialect)
        rows = self._run(self._frame_of.text, self._frame_of.row({"event": event}))
        frame = Frame(*rows[0]) if rows else None
        return frame if frame and event < frame.first_event + frame.n else None

    def findings(self, query: Query) -> list[tuple[int, Held]]:
        """(at_us, finding), newest first."""
        f = FINDINGS.c
        wanted = _held().add_columns(f.at_us)
        # Verdicts are fewer than findings: no index of these shall be walked through instead.
        rare = query.verdict not in (None, NONE)
        texts = ("department", "rule", "case_id", "operator", "item")
        column = {name: f[name].concat("") if rare else f[name] for name in texts}
        for name, one in (column | {"tier": f.tier}).items():
            if getattr(query, name) is not None:
                wanted = wanted.where(one == getattr(query, name))
        if query.departments is not None:
            wanted = wanted.where(column["department"].in_(query.departments))
        if query.begin_us is not None:
            wanted = wanted.where(f.at_us >= query.begin_us)
        if query.end_us is not None:
            wanted = wanted.where(f.at_us < query.end_us)
        wanted = of_verdict(_of_state(wanted, query.state), query.verdict)
        if query.cursor is not None:
            at, found = query.cursor
            wanted = wanted.where(or_(f.at_us < at, and_(f.at_us == at, f.finding_id < found)))
        wanted = wanted.order_by(f.at_us.desc(), f.finding_id.desc()).limit(query.limit)
        return [(row[7], _told(row)) for row in self._ask(wanted)]

    def finding(self, finding_id: str) -> Held | None:
        """One finding."""
        rows = self._ask(_held().where(FINDINGS.c.finding_id == finding_id))
        return _told(rows[0]) if rows else None

    def standings(self) -> Iterator[tuple[str, Withdrawn | None]]:
        """(id, standing) of every finding, by id."""
        f, last = FINDINGS.c, ""
        while True:
            wanted = select(f.finding_id, f.withdrawn, f.withdrawn_actor, f.withdrawn_at)
            wanted = wanted.where(f.finding_id > last).order_by(f.finding_id).limit(10_000)
            rows = self._ask(wanted)
            if not rows:
                return
            for found, *gone in rows:
                yield found, None if gone[0] is None else Withdrawn(*gone)
            last = rows[-1][0]

    def raised(self, findings: Sequence[str]) -> dict[str, Move]:
        """How findings stand in the ledger, as the moves that raised them last."""
        f, m = FINDINGS.c, MOVES.c
        told: dict[str, Move] = {}
        for begin in range(0, len(findings), 500):
            some = findings[begin : begin + 500]
            wanted = select(f.finding_id, m.actor, m.at, m.doc, *(f[n] for n in RAISED_COLUMNS))
            wanted = wanted.join_from(FINDINGS, MOVES, _of_finding())
            for found, actor, at, doc, *rest in self._ask(wanted.where(f.finding_id.in_(some))):
                columns = dict(zip(RAISED_COLUMNS, rest, strict=True))
                told[found] = Move(found, RAISED, actor, at, doc=doc, **columns)
        return told

    def moves(
        self, after: int, limit: int, finding_id: str | None = None, docs: bool = True
    ) -> list[tuple[int, Move]]:
        """(number, move) of what came after that number, oldest first; also without documents."""
        return self.moves_of(self.shard, after, limit, finding_id, docs)

    def moves_of(
        self, shard: str, after: int, limit: int, finding_id: str | None = None, docs: bool = True
    ) -> list[tuple[int, Move]]:
        """The same of any shard: each numbers its own."""
        m = MOVES.c
        columns = [m[name] if docs or name != "doc" else null() for name in MOVE]
        wanted = select(m.number, *columns).where(m.shard == shard, m.number > after)
        if finding_id is not None:
            wanted = wanted.where(m.finding_id == finding_id)
        rows = self._ask(wanted.order_by(m.number).limit(limit))
        return [(n, Move(i, code, actor, at, doc=doc)) for n, i, code, actor, at, doc in rows]

    def last_move(self) -> int:
        """The number of the latest move, 0 where there is none."""
        return self.last_moves().get(self.shard, 0)

    def last_moves(self) -> dict[str, int]:
        """The same of every shard that was begun; one look into the index a shard."""
        p, m = POSITION.c, MOVES.c
        last = select(func.max(m.number)).where(m.shard == p.shard).scalar_subquery()
        return dict(map(tuple, self._ask(select(p.shard, func.coalesce(last, 0)))))

    def refusals(self, after: int, limit: int) -> list[tuple[int, Refusal]]:
        """(number, refusal), oldest first."""
        r = REFUSALS.c
        wanted = select(r.number, *(r[name] for name in REFUSAL)).where(r.number > after)
        rows = self._ask(wanted.order_by(r.number).limit(limit))
        return [(row[0], Refusal(*row[1:])) for row in rows]

    def counts(self) -> list[Count]:
        """Counts added up over all batches."""
        c = COUNTS.c
        keys = [c[name] for name in COUNT[:-1]]
        added = cast(func.sum(c.n), BigInteger)  # else a Decimal in PostgreSQL
        order = [key.nulls_first() if key.nullable else key for key in keys]
        rows = self._ask(select(*keys, added).group_by(*keys).order_by(*order))
        return [Count(*row) for row in rows]

    def totals(self, departments: tuple[str, ...] | None = None) -> dict[str, dict[str, int]]:
        """How many findings there are: {"standing" | "withdrawn" | "muted": {rule: n}}."""
        f = FINDINGS.c
        told: dict[str, dict[str, int]] = {}
        for name, state in (("standing", "stands"), ("withdrawn", "withdrawn"), ("muted", "muted")):
            wanted = _of_state(select(f.rule, func.count()), state).group_by(f.rule)
            if departments is not None:
                wanted = wanted.where(f.department.in_(departments))
            told[name] = {row[0]: row[1] for row in self._ask(wanted.order_by(f.rule))}
        return told


def _held() -> Select[Any]:
    f, m = FINDINGS.c, MOVES.c
    standing = (f.withdrawn, f.withdrawn_actor, f.withdrawn_at)
    return select(m.doc, f.number, m.seq, f.shard, *standing).join_from(
        FINDINGS, MOVES, _of_finding()
    )


def _told(row: Any) -> Held:
    doc, number, seq, shard, code, actor, at = row[:7]
    return Held(doc, number, seq, None if code is None else Withdrawn(code, actor, at), shard)


def _of_state(wanted: Select[Any], state: str | None) -> Select[Any]:
    f = FINDINGS.c
    if state == "stands":
        return wanted.where(f.withdrawn.is_(None), f.muted.is_(None))
    if state == "withdrawn":
        return wanted.where(f.withdrawn.is_not(None), f.muted.is_(None))
    return wanted.where(f.muted.is_not(None)) if state == "muted" else wanted


def _of_finding() -> ColumnElement[bool]:
    """The move that raised a finding last."""
    f, m = FINDINGS.c, MOVES.c
    return and_(f.number == m.number, f.shard == m.shard)


def _of_event(shard: str) -> Select[Any]:
    j = JOURNAL.c
    wanted = select(*(j[name] for name in FRAME))
    wanted = wanted.where(j.shard == shard, j.first_event <= bindparam("event"))
    return wanted.order_by(j.first_event.desc()).limit(1)
