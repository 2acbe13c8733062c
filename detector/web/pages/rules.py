"""The rules' pages (规则): each card as this district has set it, and what it has found."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.live.limits import changes_of, limits_of
from detector.overrides import MODES
from detector.precision import Precision, by_place, by_rule
from detector.rulekit import UNITS
from detector.trials import base_of
from detector.values import DAY_US
from detector.web import who
from detector.web.pages.acts import Acting
from detector.web.pages.forms import FOUND, filters_of, first, form_of
from detector.web.pages.frame import Pages, part
from detector.web.pages.switching import Switching
from detector.web.problems import Problem
from detector.web.readers import Readers
from detector.web.rule_cards import DAYS, row, rule_counts, verdict_counts, why
from detector.web.trial_figures import compared, proposed


def rule_routes(pages: Pages, readers: Readers, acting: Acting, switching: Switching) -> APIRouter:
    """`/rules`, `/rules/<id>`, and the form by which two people switch one."""
    root = APIRouter(include_in_schema=False)

    @root.get("/rules")
    async def every(request: Request) -> Response:
        me, since = who.who_asks(request, who.SEE), acting.clock - DAYS * DAY_US
        tried, live = bool(filters_of(request).get("tried")), pages.engine().rulebook.live
        many = await readers.ask(lambda r: rule_counts(r, since, me))
        trials = {c.rule.id: changes_of(c) for c in live if c.trial is not None}
        rows = [row(c, many) for c in live if c.trial is not None or not tried]
        found = by_rule(await readers.ask(lambda r: verdict_counts(r, me)))
        return pages.render(
            request, "rules.html.j2", rows=rows, days=DAYS, found=found, nothing=Precision(),
            trials=trials, tried=tried,
        )  # fmt: skip

    @root.get("/rules/{rule}")
    async def one(rule: str, request: Request) -> Response:
        me, f = who.who_asks(request, who.SEE), filters_of(request)
        rule = base_of(rule)  # one on trial is shown with the rule that it stands beside
        held = next((c for c in pages.engine().rulebook.live if c.rule.id == rule), None)
        if held is None:
            raise Problem(404, "no_rule")
        since = acting.clock - DAYS * DAY_US
        many = await readers.ask(lambda r: rule_counts(r, since, me))
        unknown, muted = await readers.ask(lambda r: why(r.counts(), rule, me))
        found = await readers.ask(lambda r: verdict_counts(r, me))
        _, unit_zh, unit_en = UNITS[held.rule.unit]
        return pages.render(
            request, "rule.html.j2", row=row(held, many), rule=held.rule, held=held, days=DAYS,
            unit={"zh": unit_zh, "en": unit_en}, unknown=unknown, muted=muted, modes=MODES,
            precision=by_rule(found).get(rule, Precision()), places=by_place(found, rule),
            proposals=await switching.open_of(rule),
            settled=await switching.settled_of(rule), may_switch=switching.may(me),
            tried=await readers.ask(lambda r: compared(r, held, acting.clock, me)),
            tried_limits=changes_of(held), limits=limits_of(held), found=FOUND,
            puts=await readers.ask(lambda r: proposed(r, held, me)),
            setting=f.get("setting"), value=f.get("value"),
        )  # fmt: skip

    @root.post("/rules/{rule}")
    async def switch(rule: str, request: Request) -> Response:
        me = who.who_asks(request, who.RULES)
        form = await form_of(request, acting.notices.bodies)
        if all(c.rule.id != rule for c in pages.engine().rulebook.live):
            raise Problem(404, "no_rule")
        await switching.take(request.scope, me, rule, {n: first(form, n) for n in form})
        return RedirectResponse(f"/rules/{part(rule)}", 303)

    return root
