"""What people find of findings, over HTTP (核实): said through the door that acts on notices take.

The centre and leaders (power `lead`) say all three words. A department's supervisor (power
`answer`) says only that its own finding is justified, with the reason, and only while nobody else
has said anything: nobody acquits themselves of what the centre has found.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.adapters.machine import chance
from detector.ledger import Held, Reading
from detector.ledger.verdicts import JUSTIFIED, VERDICTS, VerdictRow
from detector.live.leavings import VERDICT
from detector.values import iso_time
from detector.web import queries
from detector.web.events import judged
from detector.web.notices import EFFECT_LOOK_S, EFFECT_S, Notices
from detector.web.problems import Problem, json_response
from detector.web.said import Said
from detector.web.scopes import acting, need_seen
from detector.web.who import ANSWER, LEAD, Who, who_in

REASON_MAX = 2_000


def may_say(me: Who, told: list[VerdictRow]) -> tuple[str, ...]:
    """The words that somebody may say of a finding on which this was said."""
    if me.may(LEAD):
        return VERDICTS
    alone = all(row.by == me.actor for row in told)
    return (JUSTIFIED,) if me.may(ANSWER) and alone else ()


class Verdicts:
    """Says them for whoever asks."""

    def __init__(self, notices: Notices) -> None:
        self.notices = notices

    async def say(self, me: Who, finding_id: str, told: dict[str, Any], once: str) -> None:
        """One verdict, once it is durable. `once` names it, so that what is sent twice counts
        once. Raises `Problem`."""
        said = await self.notices.readers.ask(lambda r: _said(r, finding_id, me))
        word, reason = told.get("verdict"), told.get("reason") or ""
        if word not in VERDICTS:
            raise Problem(400, "verdict_unknown", known=", ".join(VERDICTS))
        if not isinstance(reason, str) or len(reason) > REASON_MAX:
            raise Problem(400, "reason_too_long", n=REASON_MAX)
        name = hashlib.sha256(f"{once or chance(16)} {finding_id}".encode()).hexdigest()[:32]
        if any(row.fact_id == name for row in said):
            return
        if word not in may_say(me, said):
            if me.may(ANSWER) and word == JUSTIFIED:
                raise Problem(409, "verdict_taken")
            raise Problem(403, "verdict_not_yours", verdict=word)
        if not me.may(LEAD) and not reason.strip():
            raise Problem(400, "reason_of_department")
        clock = max(self.notices.service.figures.clock_us, 1)
        at = max([clock, *(row.at_us + 1 for row in said)])  # so that it comes after them
        line = {"kind": VERDICT, "fact_id": name, "finding_id": finding_id, "verdict": word}
        line |= {"by": acting(me, told)["actor"], "at": iso_time(at)}
        await self._judged(line | ({"reason": reason} if reason else {}), finding_id)

    async def _judged(self, line: dict[str, Any], finding_id: str) -> None:
        service = self.notices.service
        answer = await judged(service, msgspec.json.encode(line))
        if answer.refused:
            first = answer.refused[0]
            raise Problem(400, "field", field=first.field, why=Said(first.error))
        if service.deferred and not await self._kept(finding_id, line["fact_id"]):
            raise Problem(504, "verdict_pending", retry_after_s=5)

    async def _kept(self, finding_id: str, name: str) -> bool:
        """Wait until the shard that keeps verdicts has this one."""
        loop = asyncio.get_running_loop()
        until = loop.time() + EFFECT_S
        while loop.time() < until:
            told = await self.notices.readers.ask(lambda r: r.verdicts_of(finding_id))
            if any(row.fact_id == name for row in told):
                return True
            await asyncio.sleep(EFFECT_LOOK_S)
        return False


def _said(reader: Reading, finding_id: str, me: Who) -> list[VerdictRow]:
    """What was said of a finding that is theirs to see. Raises `Problem`."""
    held: Held | None = reader.finding(finding_id)
    if held is None:
        raise Problem(404, "no_finding")
    need_seen(me, held)
    return reader.verdicts_of(finding_id)


def verdict_routes(verdicts: Verdicts) -> APIRouter:
    """The route under `/api/v1`."""
    api, notices = APIRouter(), verdicts.notices

    @api.post("/findings/{finding_id}/verdict", summary="Say what was found of a finding (核实)")
    async def post_verdict(finding_id: str, request: Request) -> Response:
        """`verdict`: confirmed, false_alarm or justified; `reason`. The last word counts, earlier
        ones are kept; none moves a limit. A department may only justify, and must say why."""
        told, who = await notices.object_of(request), who_in(request.scope)
        key = request.headers.get("idempotency-key", "")
        await verdicts.say(who, finding_id, told, key)
        whole = await notices.readers.ask(
            lambda r: queries.finding(r, notices.service, finding_id, who)
        )
        return json_response(whole)

    return api
