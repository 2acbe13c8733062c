"""The rules' pages (规则): each card as this district has set it, and what it has found."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.rulekit import UNITS
from detector.values import DAY_US
from detector.web import who
from detector.web.pages.acts import Acting
from detector.web.pages.frame import Pages
from detector.web.problems import Problem
from detector.web.readers import Readers
from detector.web.rule_cards import DAYS, row, rule_counts, why


def rule_routes(pages: Pages, readers: Readers, acting: Acting) -> APIRouter:
    """`/rules`, `/rules/<id>`."""
    root = APIRouter(include_in_schema=False)

    @root.get("/rules")
    async def every(request: Request) -> Response:
        me, since = who.who_asks(request, who.SEE), acting.clock - DAYS * DAY_US
        many = await readers.ask(lambda r: rule_counts(r, since, me))
        rows = [row(c, many) for c in pages.engine().rulebook.rules]
        return pages.render(request, "rules.html.j2", rows=rows, days=DAYS)

    @root.get("/rules/{rule}")
    async def one(rule: str, request: Request) -> Response:
        me = who.who_asks(request, who.SEE)
        held = next((c for c in pages.engine().rulebook.rules if c.rule.id == rule), None)
        if held is None:
            raise Problem(404, "there is no such rule")
        since = acting.clock - DAYS * DAY_US
        many = await readers.ask(lambda r: rule_counts(r, since, me))
        unknown, muted = await readers.ask(lambda r: why(r.counts(), rule, me))
        _, unit_zh, unit_en = UNITS[held.rule.unit]
        return pages.render(
            request, "rule.html.j2", row=row(held, many), rule=held.rule, held=held, days=DAYS,
            unit={"zh": unit_zh, "en": unit_en}, unknown=unknown, muted=muted,
        )  # fmt: skip

    return root
