"""The questions about verdicts to a ledger in a database; a part of its reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, not_, or_, select
from sqlalchemy.sql import ClauseElement

from detector.ledger.tables import FINDINGS
from detector.ledger.tables import VERDICTS as TOLD
from detector.ledger.verdicts import NONE, VerdictCount, VerdictRow

VERDICT = tuple(one.name for one in fields(VerdictRow))
_PAGE, _MANY = 10_000, 500
_COLUMNS = [TOLD.c[name] for name in VERDICT]


class VerdictReader:
    """What a reader answers about verdicts."""

    def _ask(self, statement: ClauseElement) -> list[Any]:
        raise NotImplementedError

    def verdicts_of(self, finding_id: str) -> list[VerdictRow]:
        """All on one finding; the last of them counts."""
        v = TOLD.c
        wanted = select(*_COLUMNS).where(v.finding_id == finding_id)
        return [VerdictRow(*row) for row in self._ask(wanted.order_by(v.at_us, v.fact_id))]

    def latest_verdicts(self, findings: Sequence[str]) -> dict[str, VerdictRow]:
        """The one that counts of each of these findings that has any."""
        told: dict[str, VerdictRow] = {}
        for begin in range(0, len(findings), _MANY):
            some = TOLD.c.finding_id.in_(findings[begin : begin + _MANY])
            rows = self._ask(select(*_COLUMNS).where(some, _counts()))
            told |= {row.finding_id: row for row in (VerdictRow(*one) for one in rows)}
        return told

    def verdict_counts(self) -> list[VerdictCount]:
        """Findings by the verdict that counts for each, those without one left out."""
        f, v = FINDINGS.c, TOLD.c
        keys = (f.rule, f.item, f.department, v.verdict)
        wanted = select(*keys, func.count()).join_from(TOLD, FINDINGS, v.finding_id == f.finding_id)
        order = [key.nulls_first() if key.nullable else key for key in keys]
        rows = self._ask(wanted.where(_counts()).group_by(*keys).order_by(*order))
        return [VerdictCount(*row) for row in rows]

    def stray_verdicts(self, limit: int) -> list[VerdictRow]:
        """Those on findings that the ledger does not know, the latest first."""
        v = TOLD.c
        known = exists().where(FINDINGS.c.finding_id == v.finding_id)
        wanted = select(*_COLUMNS).where(not_(known))
        rows = self._ask(wanted.order_by(v.at_us.desc(), v.fact_id.desc()).limit(limit))
        return [VerdictRow(*row) for row in rows]

    def all_verdicts(self) -> Iterator[VerdictRow]:
        """Every one, by `fact_id`."""
        v, last = TOLD.c, ""
        while True:
            wanted = select(*_COLUMNS).where(v.fact_id > last).order_by(v.fact_id).limit(_PAGE)
            rows = self._ask(wanted)
            if not rows:
                return
            yield from (VerdictRow(*row) for row in rows)
            last = rows[-1][0]


def of_verdict(wanted: Select[Any], verdict: str | None) -> Select[Any]:
    """Those findings of a question for which this verdict counts; `none`: that have none."""
    if verdict is None:
        return wanted
    v, found = TOLD.c, FINDINGS.c.finding_id
    if verdict == NONE:
        return wanted.where(not_(exists().where(v.finding_id == found)))
    return wanted.where(found.in_(select(v.finding_id).where(v.verdict == verdict, _counts())))


def _counts() -> ColumnElement[bool]:
    """No later verdict on the same finding takes its place."""
    v, later = TOLD.c, TOLD.alias("later").c
    after = or_(later.at_us > v.at_us, and_(later.at_us == v.at_us, later.fact_id > v.fact_id))
    return not_(exists().where(later.finding_id == v.finding_id, after))
