"""A finding's page (发现): the sentence, its evidence, its account, and where it is dealt with."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.web import queries, who
from detector.web.notices import Notices
from detector.web.pages.drawn import bars
from detector.web.pages.frame import Pages
from detector.web.readers import Readers


def finding_routes(pages: Pages, readers: Readers, notices: Notices) -> APIRouter:
    """`/findings/<id>`."""
    root = APIRouter(include_in_schema=False)

    @root.get("/findings/{finding_id}")
    async def show(finding_id: str, request: Request) -> Response:
        me = who.who_asks(request, who.SEE)
        told = await readers.ask(lambda r: queries.finding(r, notices.service, finding_id, me))
        finding = msgspec.json.decode(told)
        return pages.render(request, "finding.html.j2", finding=finding, **_learned(pages, finding))

    return root


def _learned(pages: Pages, finding: dict[str, Any]) -> dict[str, Any]:
    """Of a finding by a learned limit: whose it is, is it on, and what is ordinary, as bars."""
    engine = pages.engine()
    rules = {c.rule.id: c.rule.learner for c in engine.rulebook.rules}
    learner, evidence = rules.get(finding["rule"], ""), finding["evidence"]
    desk = engine.learn_desk
    told = bars(evidence.get("ordinary") or (), evidence.get("cases")) if learner else []
    on = desk is not None and learner in desk.in_force.learners
    return {"learner": learner, "learner_on": on, "histogram": told}
