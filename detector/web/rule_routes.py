"""The rulebook over HTTP: every rule in force, and one with its card and figures."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.engine import Engine
from detector.live import Service
from detector.precision import by_rule
from detector.trials import base_of
from detector.values import DAY_US
from detector.web import queries
from detector.web.problems import Problem, json_response
from detector.web.readers import Readers
from detector.web.rule_cards import DAYS, brief, card, rule_counts, verdict_counts
from detector.web.who import who_in


def rule_routes(service: Service, readers: Readers, engine: Callable[[], Engine]) -> APIRouter:
    """`/rules` under `/api/v1`."""
    api = APIRouter()

    def since() -> int:
        return service.figures.clock_us - DAYS * DAY_US

    @api.get("/rules", summary="Rules as this district has set them")
    async def get_rules(request: Request) -> Response:
        """All at once, in the order of the book. `n`: standing findings of the last 30 days;
        `precision`: of all findings with a verdict, ‰ confirmed with Wilson's interval at 95 %."""
        queries.only(request, "")
        who = who_in(request.scope)
        many = await readers.ask(lambda r: rule_counts(r, since(), who))
        found = by_rule(await readers.ask(lambda r: verdict_counts(r, who)))
        told = [msgspec.json.encode(brief(c, many, found)) for c in engine().rulebook.live]
        return json_response(queries.page(told, None))

    @api.get("/rules/{rule}", summary="One rule: its card, bands and parameters, what it found")
    async def get_rule(rule: str, request: Request) -> Response:
        """`edge`: where a band begins, in the card's unit; null: it has no beginning.
        `undetermined`, `muted`: how often, by reason. `precision_by`: by item and department.
        `trial`: other limits that are judged beside these and speak to nobody."""
        rule = base_of(rule)  # one on trial is told with the rule that it stands beside
        held = next((c for c in engine().rulebook.live if c.rule.id == rule), None)
        if held is None:
            raise Problem(404, "no_rule")
        who = who_in(request.scope)
        many = await readers.ask(lambda r: rule_counts(r, since(), who))
        counts = await readers.ask(lambda r: r.counts())
        found = await readers.ask(lambda r: verdict_counts(r, who))
        return json_response(msgspec.json.encode(card(held, many, counts, found, who)))

    return api
