"""The statements of an outbox in a database, spelled out once a dialect. Lists go in as JSON."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Integer,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.functions import FunctionElement

from detector.ledger.messages import (
    BEGUN,
    DEAD,
    GROUPED,
    NO_ANSWER,
    REACHES,
    RESENT,
    SENDING,
    TAKEN,
    TELLS,
    TOLD,
    WAITING,
    Attempt,
    Heard,
    Row,
)
from detector.ledger.statement import SQLITE, Statement
from detector.ledger.tables import ATTEMPTS, NOTICES, OUTBOX, RECEIPTS


class _Listed(FunctionElement[str]):
    """The texts of a JSON list."""

    inherit_cache = True


@compiles(_Listed, "sqlite")
def _in_sqlite(element: Any, compiler: Any, **how: Any) -> str:
    return f"(SELECT value FROM json_each({compiler.process(element.clauses, **how)}))"


@compiles(_Listed, "postgresql")
def _in_postgres(element: Any, compiler: Any, **how: Any) -> str:
    told = compiler.process(element.clauses, **how)
    return f"(SELECT jsonb_array_elements_text(CAST({told} AS jsonb)))"


def _listed(column: Any) -> Any:
    """Is a column one of `names`."""
    return column.op("IN")(_Listed(bindparam("names", None, type_=Text)))


PAGE = 5_000
MOST = (1 << 31) - 1  # a limit that is none
ROW = Row.__struct_fields__
ATTEMPT = Attempt.__struct_fields__
CHANGES = (
    "person", "due_us", "state", "channel", "attempts", "reason", "digest_id", "gateway_id",
    "settled_us",
)  # fmt: skip
HEARD = Heard.__struct_fields__
_o, _a, _n, _r = OUTBOX.c, ATTEMPTS.c, NOTICES.c, RECEIPTS.c
_HEAD, _LINE = tuple(_o[name] for name in ROW), tuple(_a[name] for name in ATTEMPT)
_OTHER, _EARLIER = OUTBOX.alias("digest"), ATTEMPTS.alias("earlier")
_heads = select(*_HEAD)
_most = bindparam("most", None, type_=Integer)
_is_dead = literal_column("outbox.state") == literal_column(f"'{DEAD}'")  # as its index says
_being_sent = and_(_o.due_us.is_not(None), _o.state == SENDING)

_MOVE = (
    update(OUTBOX)
    .values({name: bindparam(f"new_{name}") for name in CHANGES})
    .where(
        _o.message_id == bindparam("which"), _o.state == bindparam("was"),
        _o.attempts == bindparam("tried"),
    )
)  # fmt: skip
_LOG = insert(ATTEMPTS).values({name: bindparam(name) for name in ATTEMPT})
_AGAIN = (
    update(OUTBOX)
    .values(
        state=WAITING, due_us=bindparam("now"), reason=NO_ANSWER,
        attempts=case((_o.attempts > 1, _o.attempts - 1), else_=_o.attempts),
    )
    .where(_being_sent)
)  # fmt: skip
_RESEND = (
    update(OUTBOX)
    .values(
        state=WAITING, due_us=bindparam("now"), attempts=0, reason=RESENT, settled_us=null()
    )
    .where(_o.message_id == bindparam("which"), _o.state == DEAD)
)  # fmt: skip
_DUE = (
    _heads.where(_o.due_us <= bindparam("now"), _o.state == WAITING)
    .order_by(_o.due_us, _o.message_id)
    .limit(_most)
)
_NEXT = (
    select(_o.due_us)
    .where(_o.due_us > bindparam("after"), _o.state == WAITING)
    .order_by(_o.due_us)
    .limit(1)
)
_LATE = (
    _heads.where(_o.due_us < bindparam("before")).order_by(_o.due_us, _o.message_id).limit(_most)
)
_ROWS = _heads.where(_listed(_o.message_id))
_CONTENTS = select(_o.message_id, _o.text, _o.doc).where(_listed(_o.message_id))
_FAMILY = _heads.where(
    or_(
        _o.message_id == bindparam("which"),
        and_(_o.message_id >= bindparam("lo1"), _o.message_id < bindparam("hi1")),
        and_(_o.message_id >= bindparam("lo2"), _o.message_id < bindparam("hi2")),
    )
).order_by(_o.message_id)
_CALLED = (
    _heads.where(_o.gateway_id == bindparam("which"), _o.channel == bindparam("channel"))
    .order_by(_o.seq.desc(), _o.message_id.desc())
    .limit(1)
)
_MEMBERS = (
    _heads.where(_o.digest_id == bindparam("which"), _o.message_id > bindparam("after"))
    .order_by(_o.message_id)
    .limit(_most)
)
_ENDINGS = select(_n.notice_id, _n.state).where(_n.open == 0, _listed(_n.notice_id))
_TOLD_OF = select(_o.notice_id, _o.person).where(
    _listed(_o.notice_id),
    or_(
        _o.state.in_([state for state in REACHES if state != WAITING]),
        exists().where(_a.message_id == _o.message_id, _a.verdict.in_(TAKEN)),
        and_(
            _o.state == GROUPED,
            or_(
                exists().where(_OTHER.c.message_id == _o.digest_id, _OTHER.c.state.in_(REACHES)),
                exists().where(_a.message_id == _o.digest_id, _a.verdict.in_(TAKEN)),
            ),
        ),
    ),
)
_SUBMITS = (
    select(_a.number, _a.at_us, _o.person, _a.channel)
    .join_from(ATTEMPTS, OUTBOX, _a.message_id == _o.message_id)
    .where(_a.verdict == BEGUN, _a.number < bindparam("last", None))
    .order_by(_a.number.desc())
    .limit(PAGE)
)
_MARK = (
    select(_a.code)
    .where(_a.message_id == "", _a.verdict == TOLD)
    .order_by(_a.number.desc())
    .limit(1)
)
_UNTOLD = (
    select(_a.number, *_LINE)
    .where(
        _a.number > bindparam("after", None),
        _a.verdict.in_(TELLS),
        ~exists().where(
            _EARLIER.c.message_id == _a.message_id,
            _EARLIER.c.verdict == _a.verdict,
            _EARLIER.c.number < _a.number,
        ),
    )
    .order_by(_a.number)
    .limit(_most)
)
_HEAR = insert(RECEIPTS).values({name: bindparam(name) for name in HEARD})
_CROWD = select(func.count()).select_from(RECEIPTS)
_INBOX = (
    select(_r.number, *(_r[name] for name in HEARD))
    .where(_r.number > bindparam("after"))
    .order_by(_r.number)
    .limit(_most)
)
_DONE = delete(RECEIPTS).where(_r.number == bindparam("number"))
_LETTERS = (
    _heads.where(_is_dead, _o.message_id > bindparam("after")).order_by(_o.message_id).limit(_most)
)
_OPEN = select(_o.state, func.count()).where(_o.due_us.is_not(None)).group_by(_o.state)
_GONE = select(func.count()).select_from(OUTBOX).where(_is_dead)
_open_notices = select(_n.notice_id, _n.next_us).where(_n.open == 1).limit(_most)
_LOST = _open_notices.where(_n.next_us.is_(None))
_PAST = _open_notices.where(_n.next_us < bindparam("before")).order_by(_n.next_us)


def _add(dialect: Dialect) -> ClauseElement:
    make = postgresql.insert if dialect.name == "postgresql" else sqlite.insert
    values: dict[str, Any] = {n: bindparam(n) for n in ("shard", "text", "doc", *ROW)}
    return make(OUTBOX).values(values).on_conflict_do_nothing()


class Spelled:
    """Every statement in the words of a dialect, by name."""

    def __init__(self, dialect: Dialect) -> None:
        told = {name: Statement(clause, dialect) for name, clause in _CLAUSES.items()}
        self.__dict__ |= told | {"ADD": Statement(_add(dialect), dialect)}

    def __getattr__(self, name: str) -> Statement:
        raise AttributeError(name)


_CLAUSES: dict[str, ClauseElement] = {
    "MOVE": _MOVE,
    "LOG": _LOG,
    "AGAIN": _AGAIN,
    "RESEND": _RESEND,
    "DUE": _DUE,
    "NEXT": _NEXT,
    "LATE": _LATE,
    "ROWS": _ROWS,
    "CONTENTS": _CONTENTS,
    "FAMILY": _FAMILY,
    "CALLED": _CALLED,
    "MEMBERS": _MEMBERS,
    "ENDINGS": _ENDINGS,
    "TOLD_OF": _TOLD_OF,
    "SUBMITS": _SUBMITS,
    "MARK": _MARK,
    "UNTOLD": _UNTOLD,
    "HEAR": _HEAR,
    "CROWD": _CROWD,
    "INBOX": _INBOX,
    "DONE": _DONE,
    "LETTERS": _LETTERS,
    "OPEN": _OPEN,
    "GONE": _GONE,
    "LOST": _LOST,
    "PAST": _PAST,
}
IN_SQLITE = Spelled(SQLITE)
