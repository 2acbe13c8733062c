"""The questions of boards to a ledger in a database; a part of its reader."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.sql import ClauseElement

from detector.ledger import Count
from detector.ledger.tables import COUNTS, FINDINGS, NOTICES, OUTBOX
from detector.ledger.watching import Delivered, HourCount, OpenCount

HOUR_US = 3_600_000_000
DELIVERED = tuple(one.name for one in fields(Delivered))


class WatchingReader:
    """What a reader answers boards."""

    def _ask(self, statement: ClauseElement) -> list[Any]:
        raise NotImplementedError

    def open_counts(self, department: str | None = None) -> list[OpenCount]:
        """Open notices by department, tier and level; of all departments, or of one."""
        n = NOTICES.c
        keys = (n.department, n.tier, n.level)
        wanted = select(*keys, func.count()).where(n.open == 1)
        if department is not None:
            wanted = wanted.where(n.department == department)
        return [OpenCount(*row) for row in self._ask(wanted.group_by(*keys))]

    def hour_counts(
        self, begin_us: int, end_us: int, department: str | None = None
    ) -> list[HourCount]:
        """Standing findings of `begin_us` <= at < `end_us`, by hour and rule."""
        f = FINDINGS.c
        hour = f.at_us // HOUR_US
        wanted = select(hour, f.rule, func.count()).where(
            f.at_us >= begin_us, f.at_us < end_us, f.withdrawn.is_(None), f.muted.is_(None)
        )
        if department is not None:
            wanted = wanted.where(f.department == department)
        rows = self._ask(wanted.group_by(hour, f.rule).order_by(hour, f.rule))
        return [HourCount(*row) for row in rows]

    def deliveries(self, notice_id: str, limit: int) -> list[Delivered]:
        """Messages about a notice, the latest first."""
        o = OUTBOX.c
        wanted = select(*(o[name] for name in DELIVERED)).where(o.notice_id == notice_id)
        rows = self._ask(wanted.order_by(o.at_us.desc(), o.message_id).limit(limit))
        return [Delivered(*row) for row in rows]

    def rule_counts(
        self, begin_us: int, department: str | None = None, operator: str | None = None
    ) -> dict[str, int]:
        """Standing findings by rule, of those at or after an instant."""
        f = FINDINGS.c
        wanted = select(f.rule, func.count()).where(
            f.at_us >= begin_us, f.withdrawn.is_(None), f.muted.is_(None)
        )
        for column, told in ((f.department, department), (f.operator, operator)):
            if told is not None:
                wanted = wanted.where(column == told)
        return dict(map(tuple, self._ask(wanted.group_by(f.rule).order_by(f.rule))))

    def cases_from(self, prefix: str, limit: int) -> list[str]:
        """Cases with findings whose number begins so, in order."""
        c = FINDINGS.c.case_id
        wanted = select(c).where(c >= prefix, c < prefix + "\U0010ffff").distinct()
        return [row[0] for row in self._ask(wanted.order_by(c).limit(limit))]

    def counts_after(self, number: int) -> tuple[int, list[Count]]:
        """Counts that were committed after a number, added up; and the latest number."""
        c = COUNTS.c
        last = self._ask(select(func.coalesce(func.max(c.number), 0)))[0][0]
        keys = (c.kind, c.rule, c.reason, c.item, c.department, c.day)
        wanted = select(*keys, cast(func.sum(c.n), BigInteger)).where(
            c.number > number, c.number <= last
        )
        return int(last), [Count(*row) for row in self._ask(wanted.group_by(*keys))]
