"""The statements of an outbox in a ledger file, compiled once. Lists of names go in as JSON."""

from __future__ import annotations

from sqlalchemy import (
    Integer,
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
from sqlalchemy.dialects.sqlite import insert as upsert

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
from detector.ledger.statement import Statement as _Statement
from detector.ledger.tables import ATTEMPTS, NOTICES, OUTBOX, RECEIPTS

PAGE = 5_000
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
_NAMES = select(func.json_each(bindparam("names", "")).table_valued("value").c.value)
_heads = select(*_HEAD)
_most = bindparam("most", -1, Integer)
_is_dead = literal_column("outbox.state") == literal_column(f"'{DEAD}'")  # as its index says
_being_sent = and_(_o.due_us.is_not(None), _o.state == SENDING)

MOVE = _Statement(
    update(OUTBOX)
    .values({name: bindparam(f"new_{name}") for name in CHANGES})
    .where(
        _o.message_id == bindparam("which"), _o.state == bindparam("was"),
        _o.attempts == bindparam("tried"),
    )
)  # fmt: skip
ADD = _Statement(
    upsert(OUTBOX)
    .values({name: bindparam(name) for name in ("shard", "text", "doc", *ROW)})
    .on_conflict_do_nothing()
)
LOG = _Statement(insert(ATTEMPTS).values({name: bindparam(name) for name in ATTEMPT}))
AGAIN = _Statement(
    update(OUTBOX)
    .values(
        state=WAITING, due_us=bindparam("now"), reason=NO_ANSWER,
        attempts=case((_o.attempts > 1, _o.attempts - 1), else_=_o.attempts),
    )
    .where(_being_sent)
)  # fmt: skip
RESEND = _Statement(
    update(OUTBOX)
    .values(
        state=WAITING, due_us=bindparam("now"), attempts=0, reason=RESENT, settled_us=null()
    )
    .where(_o.message_id == bindparam("which"), _o.state == DEAD)
)  # fmt: skip
DUE = _Statement(
    _heads.where(_o.due_us <= bindparam("now"), _o.state == WAITING)
    .order_by(_o.due_us, _o.message_id)
    .limit(_most)
)
NEXT = _Statement(
    select(_o.due_us)
    .where(_o.due_us > bindparam("after", ""), _o.state == WAITING)
    .order_by(_o.due_us)
    .limit(1)
)
LATE = _Statement(
    _heads.where(_o.due_us < bindparam("before")).order_by(_o.due_us, _o.message_id).limit(_most)
)
ROWS = _Statement(_heads.where(_o.message_id.in_(_NAMES)))
CONTENTS = _Statement(select(_o.message_id, _o.text, _o.doc).where(_o.message_id.in_(_NAMES)))
FAMILY = _Statement(
    _heads.where(
        or_(
            _o.message_id == bindparam("which"),
            and_(_o.message_id >= bindparam("lo1"), _o.message_id < bindparam("hi1")),
            and_(_o.message_id >= bindparam("lo2"), _o.message_id < bindparam("hi2")),
        )
    ).order_by(_o.message_id)
)
CALLED = _Statement(
    _heads.where(_o.gateway_id == bindparam("which"), _o.channel == bindparam("channel"))
    .order_by(_o.seq.desc(), _o.message_id.desc())
    .limit(1)
)
MEMBERS = _Statement(
    _heads.where(_o.digest_id == bindparam("which"), _o.message_id > bindparam("after", ""))
    .order_by(_o.message_id)
    .limit(_most)
)
ENDINGS = _Statement(select(_n.notice_id, _n.state).where(_n.open == 0, _n.notice_id.in_(_NAMES)))
TOLD_OF = _Statement(
    select(_o.notice_id, _o.person).where(
        _o.notice_id.in_(_NAMES),
        or_(
            _o.state.in_([state for state in REACHES if state != WAITING]),
            exists().where(_a.message_id == _o.message_id, _a.verdict.in_(TAKEN)),
            and_(
                _o.state == GROUPED,
                or_(
                    exists().where(
                        _OTHER.c.message_id == _o.digest_id, _OTHER.c.state.in_(REACHES)
                    ),
                    exists().where(_a.message_id == _o.digest_id, _a.verdict.in_(TAKEN)),
                ),
            ),
        ),
    )
)
SUBMITS = _Statement(
    select(_a.number, _a.at_us, _o.person, _a.channel)
    .join_from(ATTEMPTS, OUTBOX, _a.message_id == _o.message_id)
    .where(_a.verdict == BEGUN, _a.number < bindparam("last"))
    .order_by(_a.number.desc())
    .limit(PAGE)
)
MARK = _Statement(
    select(_a.code)
    .where(_a.message_id == "", _a.verdict == TOLD)
    .order_by(_a.number.desc())
    .limit(1)
)
UNTOLD = _Statement(
    select(_a.number, *_LINE)
    .where(
        _a.number > bindparam("after", ""),
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
HEAR = _Statement(insert(RECEIPTS).values({name: bindparam(name) for name in HEARD}))
CROWD = _Statement(select(func.count()).select_from(RECEIPTS))
INBOX = _Statement(
    select(_r.number, *(_r[name] for name in HEARD))
    .where(_r.number > bindparam("after", ""))
    .order_by(_r.number)
    .limit(_most)
)
DONE = _Statement(delete(RECEIPTS).where(_r.number == bindparam("number")))
LETTERS = _Statement(
    _heads.where(_is_dead, _o.message_id > bindparam("after", ""))
    .order_by(_o.message_id)
    .limit(_most)
)
OPEN = _Statement(select(_o.state, func.count()).where(_o.due_us.is_not(None)).group_by(_o.state))
GONE = _Statement(select(func.count()).select_from(OUTBOX).where(_is_dead))
_open_notices = select(_n.notice_id, _n.next_us).where(_n.open == 1).limit(_most)
LOST = _Statement(_open_notices.where(_n.next_us.is_(None)))
PAST = _Statement(_open_notices.where(_n.next_us < bindparam("before")).order_by(_n.next_us))
