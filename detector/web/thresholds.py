"""What other limits of a rule would raise (阈值试算): asked once, for the interface and the page.

What was counted is in the engines' memory alone: that of this process, or those of the workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request
from fastapi import Query as Asked
from starlette.responses import Response

from detector.engine import Engine
from detector.ledger import Query, Reading
from detector.ledger.verdicts import VERDICTS
from detector.live import Service, Untold
from detector.rulekit import UNITS
from detector.shelf import Configured
from detector.thresholds import Curve, Judged, Row, curve, why_not
from detector.values import iso_time
from detector.web import queries
from detector.web.problems import Problem, json_response
from detector.web.queries import Text
from detector.web.readers import Readers
from detector.web.said import Said
from detector.web.trial_figures import Compared, compared
from detector.web.who import Who, who_in

VERDICTS_MAX = 2_000  # of each kind, the newest findings
ASKED_MAX = 20  # limits of one question
_Asked = Annotated[list[float] | None, Asked(max_length=ASKED_MAX, description="In its unit.")]
_Limit = Annotated[
    float | None, Asked(ge=0, le=1e15, description="Rows that were judged under this one.")
]
_Every = Annotated[bool, Asked(description="All rows, whatever limit they were judged under.")]


@dataclass(frozen=True)
class Wanted:
    """A question: rows that were judged under a limit (None: the setting's own) or under any."""

    limit: float | None = None
    every: bool = False
    department: str | None = None


class Doc(msgspec.Struct):
    """What a verdict's finding tells here."""

    value: float
    department: str | None = None
    limit: float | None = None


class Thresholds:
    """Answers for pages and interface alike."""

    def __init__(self, service: Service, readers: Readers, engine: Callable[[], Engine]) -> None:
        self._service, self._readers, self._engine = service, readers, engine

    def rule(self, rule: str) -> Configured:
        """The rule in force. Raises `Problem` 404."""
        held = next((c for c in self._engine().rulebook.rules if c.rule.id == rule), None)
        if held is None:
            raise Problem(404, "no_rule")
        return held

    async def curve(self, rule: str, wanted: Wanted, who: Who) -> Curve:
        """The curve of what one sees. Raises `Problem`: 409 where the rule's limit cannot be tried
        out, 404 of a limit or department that is not known, 503 where a shard does not tell."""
        held = self._tunable(rule, wanted, who)
        return await self._readers.ask(lambda reader: self._asked(reader, held, wanted, who))

    async def answer(self, rule: str, wanted: Wanted, at: list[float], who: Who) -> bytes:
        """The same as JSON, with examples around the limits `at`; made beside the loop."""
        held = self._tunable(rule, wanted, who)

        def told(reader: Reading) -> bytes:
            drawn = self._asked(reader, held, wanted, who)
            return msgspec.json.encode(_answer(held, drawn, at))

        return await self._readers.ask(told)

    def _tunable(self, rule: str, wanted: Wanted, who: Who) -> Configured:
        """The rule, of which one may ask this. Raises `Problem` 404 and 409."""
        held = self.rule(rule)
        why = why_not(held.rule)
        if why is not None:
            raise Problem(409, "not_tunable", why=Said(f"why.no_trial_{why}"))
        if wanted.department is not None and not who.sees(wanted.department):
            raise Problem(404, "no_department")
        return held

    async def trial(self, held: Configured, who: Who) -> Compared | None:
        """Shadow against live of what one sees; None where nothing is tried."""
        clock = self._service.figures.clock_us
        return await self._readers.ask(lambda reader: compared(reader, held, clock, who))

    def _asked(self, reader: Reading, held: Configured, wanted: Wanted, who: Who) -> Curve:
        try:
            counted = self._service.tally(held.rule.id)
        except Untold as fault:  # part of the counts would look like all of them
            raise Problem(503, "shard_untold", retry_after_s=1, shard=fault.shard) from None
        departments = who.departments if wanted.department is None else (wanted.department,)
        told = [
            (verdict, one)
            for verdict in VERDICTS
            for one in _judged(reader, held.rule.id, verdict, departments)
        ]

        def asked(verdicts: list[Judged]) -> Curve:
            return curve(
                counted, held, limit=wanted.limit, every=wanted.every,
                departments=departments, verdicts=verdicts,
            )  # fmt: skip

        try:
            drawn = asked([])
        except KeyError:
            raise Problem(404, "limit_unused") from None
        mine = [
            Judged(verdict, one.value, one.department)
            for verdict, one in told
            if wanted.every or one.limit == drawn.chosen
        ]
        return asked(mine) if mine else drawn


def _judged(
    reader: Reading, rule: str, verdict: str, departments: tuple[str, ...] | None
) -> list[Doc]:
    """Findings that stand and were found so."""
    wanted = Query(
        rule=rule, state="stands", limit=VERDICTS_MAX, departments=departments, verdict=verdict
    )
    return [msgspec.json.decode(held.doc, type=Doc) for _, held in reader.findings(wanted)]


def threshold_routes(thresholds: Thresholds) -> APIRouter:
    """`/rules/<id>/thresholds` under `/api/v1`."""
    api = APIRouter()

    @api.get("/rules/{rule}/thresholds", summary="What other limits of a rule would raise")
    async def get_thresholds(
        rule: str, request: Request, at: _Asked = None, limit: _Limit = None,
        every: _Every = False, department: Text = None,
    ) -> Response:  # fmt: skip
        """Counted over the last 53 weeks; what is muted or exempt is not subtracted. The counts
        are exact for each of `limits`, of which `at` is moved to the nearest (at most 1/16 away).
        `raises_from`: the place in `limits` of the first that raises a row."""
        queries.only(request, "at limit every department")
        if not all(map(math.isfinite, at or ())):
            raise Problem(400, "number_none", field="at")
        wanted, who = Wanted(limit, every, department), who_in(request.scope)
        return json_response(await thresholds.answer(rule, wanted, at or [], who))

    return api


def _answer(held: Configured, told: Curve, at: list[float]) -> dict[str, Any]:
    _, zh, en = UNITS[held.rule.unit]
    whole = msgspec.structs.asdict(told)
    whole["rows"] = [_row(one) for one in told.rows]
    asked = []
    for one in at:
        place = told.nearest(one)
        inside, outside = told.examples(place)
        asked.append(
            {"asked": one, "limit": told.limits[place], "place": place, "n": told.totals[place],
             "inside": [_row(x) for x in inside], "outside": [_row(x) for x in outside]}
        )  # fmt: skip
    unit = {"code": held.rule.unit, "zh": zh, "en": en}
    return {"rule": held.rule.id, "mode": held.mode, "unit": unit, "at": asked, **whole}


def _row(one: Row) -> dict[str, Any]:
    return msgspec.structs.asdict(one) | {"at": iso_time(one.at)}
