"""A finding's page (发现): the sentence, its evidence, its account, and where it is dealt with."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.web import queries, who
from detector.web.notices import Notices
from detector.web.pages.drawn import bars
from detector.web.pages.forms import first, form_of
from detector.web.pages.frame import Pages, part
from detector.web.readers import Readers
from detector.web.verdicts import Verdicts, may_say


def finding_routes(
    pages: Pages, readers: Readers, notices: Notices, verdicts: Verdicts
) -> APIRouter:
    """`/findings/<id>`, and the form by which one says what was found of it."""
    root = APIRouter(include_in_schema=False)

    @root.get("/findings/{finding_id}")
    async def show(finding_id: str, request: Request) -> Response:
        me = who.who_asks(request, who.SEE)
        told = await readers.ask(lambda r: queries.finding(r, notices.service, finding_id, me))
        said = await readers.ask(lambda r: r.verdicts_of(finding_id))
        finding = msgspec.json.decode(told)
        return pages.render(
            request, "finding.html.j2", finding=finding, may_say=may_say(me, said),
            must_reason=not me.may(who.LEAD), **_learned(pages, finding),
        )  # fmt: skip

    @root.post("/findings/{finding_id}")
    async def say(finding_id: str, request: Request) -> Response:
        form = await form_of(request, notices.bodies)
        told = {name: first(form, name) for name in ("verdict", "reason")}
        await verdicts.say(who.who_in(request.scope), finding_id, told, first(form, "once"))
        return RedirectResponse(f"/findings/{part(finding_id)}", 303)

    return root


def _learned(pages: Pages, finding: dict[str, Any]) -> dict[str, Any]:
    """Of a finding by a learned limit, or beside a learned range: whose it is, is it on, and what
    is ordinary, as bars."""
    engine = pages.engine()
    rules = {c.rule.id: c.rule for c in engine.rulebook.rules}
    rule, evidence, desk = rules.get(finding["rule"]), finding["evidence"], engine.learn_desk
    beside = rule is not None and rule.ordinary is not None
    learner = rule.reads if rule and (not beside or "ordinary" in evidence) else ""
    whole = None if beside else evidence.get("cases")
    told = bars(evidence.get("ordinary") or (), whole) if learner else []
    on = desk is not None and learner in desk.in_force.learners
    return {"learner": learner, "learner_on": on, "histogram": told, "beside": beside}
