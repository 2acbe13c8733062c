"""Questions about notices to a ledger in a database; a part of its reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.sql import ClauseElement

from detector.ledger import NoticeHolds, NoticeQuery, NoticeRow, NoticeStep, Post
from detector.ledger.tables import FINDINGS, NOTICE_FINDINGS, NOTICE_MOVES, NOTICES
from detector.workcalendar import NEVER

NOTICE = tuple(one.name for one in fields(NoticeRow))
STEP = tuple(one.name for one in fields(NoticeStep))
HOLDS = tuple(one.name for one in fields(NoticeHolds))
POST = tuple(one.name for one in fields(Post))
FINDINGS_MOST = (1 << 31) - 1
_ANY_STILL = select(NOTICES.c.open).where(NOTICES.c.open == 1, NOTICES.c.next_us == NEVER).limit(1)


class NoticeReader:
    """What a reader answers of notices."""

    def _ask(self, statement: ClauseElement) -> list[Any]:
        raise NotImplementedError

    def notices(self, query: NoticeQuery) -> list[NoticeRow]:
        """Notices, those issued last first."""
        n, wanted = NOTICES.c, _wanted(query)
        if query.cursor is not None:
            at, last = query.cursor
            after = and_(n.issued_us == at, n.notice_id < last)
            wanted = wanted.where(or_(n.issued_us < at, after))
        wanted = wanted.order_by(n.issued_us.desc(), n.notice_id.desc()).limit(query.limit)
        return [NoticeRow(*row) for row in self._ask(wanted)]

    def due_notices(self, query: NoticeQuery) -> list[NoticeRow]:
        """Open ones, the nearest next instant first; behind them those that have none, as many."""
        n = NOTICES.c
        wanted = _wanted(query).where(n.open == 1).limit(query.limit)
        armed = wanted.where(n.next_us < NEVER).order_by(n.next_us, n.notice_id)
        still = wanted.where(n.next_us == NEVER).order_by(n.issued_us.desc(), n.notice_id)
        rows = self._ask(armed)
        if self._ask(_ANY_STILL):  # seldom: it would walk all that are open
            rows = [*rows, *self._ask(still)]
        return [NoticeRow(*row) for row in rows]

    def notice(self, notice_id: str) -> NoticeRow | None:
        """One notice."""
        n = NOTICES.c
        rows = self._ask(select(*(n[name] for name in NOTICE)).where(n.notice_id == notice_id))
        return NoticeRow(*rows[0]) if rows else None

    def notice_of(self, finding_id: str) -> list[str]:
        """The notices that hold a finding."""
        h = NOTICE_FINDINGS.c
        wanted = select(h.notice_id).where(h.finding_id == finding_id).order_by(h.notice_id)
        return [row[0] for row in self._ask(wanted)]

    def notice_findings(self, notice_id: str, limit: int = FINDINGS_MOST) -> list[str]:
        """What a notice holds, in the order in which it took them."""
        h = NOTICE_FINDINGS.c
        wanted = select(h.finding_id).where(h.notice_id == notice_id)
        wanted = wanted.order_by(h.place, h.finding_id).limit(limit)
        return [row[0] for row in self._ask(wanted)]

    def notice_steps(self, notice_id: str) -> list[NoticeStep]:
        """The history of a notice, oldest first."""
        m = NOTICE_MOVES.c
        wanted = select(*(m[name] for name in STEP)).where(m.notice_id == notice_id)
        return [NoticeStep(*row) for row in self._ask(wanted.order_by(m.number))]

    def notice_totals(self) -> tuple[int, int]:
        """How many moves there are of notices, and how many findings they hold."""
        steps, holds = (
            self._ask(select(func.count()).select_from(one))[0][0]
            for one in (NOTICE_MOVES, NOTICE_FINDINGS)
        )
        return int(steps), int(holds)

    def all_notices(self) -> Iterator[NoticeRow]:
        """Every notice, by id."""
        n, last = NOTICES.c, ""
        while True:
            wanted = select(*(n[name] for name in NOTICE)).where(n.notice_id > last)
            rows = self._ask(wanted.order_by(n.notice_id).limit(10_000))
            if not rows:
                return
            for row in rows:
                yield NoticeRow(*row)
            last = rows[-1][0]


def _holding(rule: str) -> Select[tuple[str]]:
    """The notices that hold something that a rule found."""
    h, f = NOTICE_FINDINGS.c, FINDINGS.c
    return select(h.notice_id).where(h.finding_id == f.finding_id, f.rule == rule)


def _wanted(query: NoticeQuery) -> Select[Any]:
    """What a query asks for, in no order."""
    n = NOTICES.c
    wanted = select(*(n[name] for name in NOTICE))
    for name in ("department", "tier", "level", "subject"):
        if getattr(query, name) is not None:
            wanted = wanted.where(n[name] == getattr(query, name))
    if query.departments is not None:
        wanted = wanted.where(n.department.in_(query.departments))
    if query.rule is not None:
        wanted = wanted.where(n.notice_id.in_(_holding(query.rule)))
    if query.state == "open":
        wanted = wanted.where(n.open == 1)
    elif query.state is not None:
        wanted = wanted.where(n.state == query.state)
    if query.begin_us is not None:
        wanted = wanted.where(n.issued_us >= query.begin_us)
    if query.end_us is not None:
        wanted = wanted.where(n.issued_us < query.end_us)
    return wanted
