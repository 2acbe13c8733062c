"""Notices over HTTP: lists, one with its history, acts, and notices by hand."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import Annotated, Any

import msgspec
import numpy as np
from fastapi import APIRouter, Request
from fastapi import Query as Asked
from starlette.responses import Response

from detector.adapters.machine import chance
from detector.explain import stamps_of
from detector.ledger import NoticeQuery, NoticeRow, NoticeStep, Reading
from detector.live import Answer, Service, Unavailable
from detector.notice import ACTS, DELIVERED, ISSUED, ORDER, STATES, allowed, notice_id
from detector.values import iso_time
from detector.web import queries
from detector.web.bodies import Bodies
from detector.web.problems import Problem, json_response, problem_of
from detector.web.readers import Readers
from detector.workcalendar import Zone

Text = Annotated[str | None, Asked(max_length=128)]
Limit = Annotated[int, Asked(ge=1, le=queries.LIMIT_MAX)]
FINDINGS_MAX = 10_000  # of one notice, in one answer
BODY_BYTES_MAX = 64 << 10
KNOWN = "department tier level state subject from to cursor limit"
LOCAL = "local"  # who acts on loopback while there are no accounts


class Notices:
    """What the routes about notices share."""

    def __init__(self, service: Service, readers: Readers, bodies: Bodies, zone: Zone) -> None:
        self.service, self.readers, self.bodies, self.zone = service, readers, bodies, zone

    async def whole(self, notice: str) -> bytes:
        """One notice with its findings and history. Raises `Problem`."""
        return await self.readers.ask(lambda r: whole(r, notice, self.zone))

    async def row(self, notice: str) -> NoticeRow:
        """One notice as it stands. Raises `Problem`."""
        found = await self.readers.ask(lambda r: r.notice(notice))
        if found is None:
            raise Problem(404, "there is no such notice")
        return found

    async def act(self, told: dict[str, Any]) -> Answer:
        """Let an act be judged; its answer once it is durable. Raises `Problem`."""
        line = {"kind": "act", "at": iso_time(max(self.service.figures.clock_us, 1))} | told
        loop = asyncio.get_running_loop()
        said: asyncio.Future[Answer | Exception] = loop.create_future()

        def settle(answer: Answer | Exception) -> None:
            if not said.done():  # the request may have been given up meanwhile
                said.set_result(answer)

        def say(answer: Answer | Exception) -> None:  # in the engine's thread
            loop.call_soon_threadsafe(settle, answer)

        try:
            self.service.submit(msgspec.json.encode(line), say)
        except Unavailable as fault:
            raise problem_of(fault) from None
        answer = await said
        if isinstance(answer, Unavailable):
            raise problem_of(answer)
        if isinstance(answer, Exception):
            raise Problem(400, str(answer))
        if answer.refused:
            first = answer.refused[0]
            if "conflict" not in first.error:  # else it was sent before, at another instant
                raise Problem(400, f"{first.field}: {first.error}")
        return answer

    async def object_of(self, request: Request) -> dict[str, Any]:
        """The body as one JSON object. Raises `Problem`."""
        body = await self.bodies.read(request.scope, request.receive)
        if len(body) > BODY_BYTES_MAX:
            raise Problem(413, f"an act may hold {BODY_BYTES_MAX} bytes")
        try:
            told = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise Problem(400, "the body is no JSON object") from None
        return told


def notice_routes(notices: Notices) -> APIRouter:
    """The routes under `/api/v1`."""
    api = APIRouter()

    @api.get("/notices", summary="Notices, those issued last first")
    async def get_notices(
        request: Request,
        department: Text = None, tier: Annotated[int | None, Asked(ge=0, le=4)] = None,
        level: Annotated[int | None, Asked(ge=1, le=2)] = None, state: Text = None,
        subject: Text = None,
        begin: Annotated[str | None, Asked(alias="from", max_length=40)] = None,
        end: Annotated[str | None, Asked(alias="to", max_length=40)] = None,
        cursor: Annotated[str | None, Asked(max_length=256)] = None, limit: Limit = 100,
    ) -> Response:  # fmt: skip
        """`state`: one of the states, or `open`. `from` <= issued_at < `to`."""
        if not set(KNOWN.split()).issuperset(request.query_params):
            raise Problem(400, f"the query names something that is not known; known are: {KNOWN}")
        if state is not None and state not in (*STATES, "open"):
            raise Problem(400, f"state: is unknown; write open or one of {', '.join(STATES)}")
        wanted = NoticeQuery(
            department, tier, level, state, subject,
            queries.instant("from", begin, notices.zone),
            queries.instant("to", end, notices.zone, True), queries.cursor_of(cursor), limit + 1,
        )  # fmt: skip
        return json_response(await notices.readers.ask(lambda r: page(r, wanted)))

    @api.get("/notices/{notice}", summary="One notice, what it holds, and how it went")
    async def get_notice(notice: str) -> Response:
        return json_response(await notices.whole(notice))

    @api.post("/notices", summary="A notice by hand (人工督办): subject, tier, text, actor")
    async def post_notice(request: Request) -> Response:
        """`subject_kind` (default case), `subject`, `department`, `tier`, `text`, `actor`."""
        told = await notices.object_of(request)
        act = _act_id(request)
        kind, subject = str(told.get("subject_kind", "case")), str(told.get("subject", ""))
        name = notice_id(kind, subject, act)
        order = {"subject_kind": kind, "actor": LOCAL} | told
        await notices.act(order | {"act": ORDER, "act_id": act, "notice_id": name})
        return json_response(await notices.whole(name), 201)

    @api.post("/notices/{notice}/acts", summary="Act on a notice: acknowledge, answer, urge …")
    async def post_act(notice: str, request: Request) -> Response:
        """409 where the notice is not in a state in which this may be done."""
        told = await notices.object_of(request)
        row, act = await notices.row(notice), told.get("act")
        if act not in ACTS:
            raise Problem(400, f"act: is unknown; write one of {', '.join(ACTS)}")
        state = ISSUED if row.state == DELIVERED else row.state
        if not row.open or not allowed(str(act), state):
            raise Problem(409, f"the notice is {row.state}: {act} is not possible now")
        await notices.act(
            {"actor": LOCAL} | told | {"act_id": _act_id(request), "notice_id": notice}
        )
        return json_response(await notices.whole(notice))

    return api


def _act_id(request: Request) -> str:
    """The act's name: the request's own key, so that what is sent twice counts once."""
    key = request.headers.get("idempotency-key", "")
    return hashlib.sha256(key.encode()).hexdigest()[:32] if key else chance(16)


def page(reader: Reading, wanted: NoticeQuery) -> bytes:
    """A page of notices; the query asks for one more than is shown."""
    rows = reader.notices(wanted)
    more, rows = len(rows) == wanted.limit, rows[: wanted.limit - 1]
    cursor = None
    if more and rows:
        last = msgspec.json.encode((rows[-1].issued_us, rows[-1].notice_id))
        cursor = base64.urlsafe_b64encode(last).decode()
    told = msgspec.json.encode(cursor)
    items = b",".join(row.doc for row in rows)
    return b'{"items":[' + items + b'],"next_cursor":' + told + b"}"


def whole(reader: Reading, notice: str, zone: Zone) -> bytes:
    """One notice with its findings and history. Raises `Problem`."""
    row = reader.notice(notice)
    if row is None:
        raise Problem(404, "there is no such notice")
    findings = reader.notice_findings(notice, FINDINGS_MAX)
    history = [history_line(step, zone) for step in reader.notice_steps(notice)]
    more = msgspec.json.encode({"findings": findings, "history": history})
    return row.doc[:-1] + b"," + more[1:]


def history_line(step: NoticeStep, zone: Zone) -> dict[str, Any]:
    """One move as the interface tells it."""
    at = stamps_of(zone, np.array([step.at_us]))[0]
    return {
        "at": at, "actor": step.actor, "from": step.before or None, "to": step.after or None,
        "reason": step.reason, "text": step.text,
    }  # fmt: skip
