"""Notices over HTTP: lists, one with its history, acts, and notices by hand."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request
from fastapi import Query as Asked
from starlette.responses import Response

from detector import notice_doc
from detector.adapters.machine import chance
from detector.ledger import NoticeQuery, NoticeRow, NoticeStep, Reading
from detector.live import Answer, Service
from detector.notice import ACTS, ORDER, STATES, NoticeMove, allowed, notice_id
from detector.notice_doc import told_move
from detector.values import iso_time
from detector.web import queries
from detector.web.bodies import Bodies
from detector.web.events import judged
from detector.web.problems import Problem, json_response
from detector.web.queries import Cursor, From, Limit, Text, Tier, To
from detector.web.readers import Readers
from detector.web.said import Said
from detector.web.scopes import acting, masked, need_act
from detector.web.who import LOCAL_ADMIN, Who, who_in
from detector.workcalendar import Zone

FINDINGS_MAX = 10_000  # of one notice, in one answer
BODY_BYTES_MAX = 64 << 10
SOON_S = 0.5  # how long an act is waited for where a clock of events moves it
EFFECT_S, EFFECT_LOOK_S = 10.0, 0.05  # where workers judge: how long an act is waited for


class Notices:
    """What the routes about notices share."""

    def __init__(self, service: Service, readers: Readers, bodies: Bodies, zone: Zone) -> None:
        self.service, self.readers, self.bodies, self.zone = service, readers, bodies, zone

    async def whole(self, notice: str, who: Who) -> bytes:
        """One notice with its findings and history. Raises `Problem`."""
        return await self.readers.ask(lambda r: whole(r, notice, self.zone, who))

    async def row(self, notice: str, who: Who = LOCAL_ADMIN) -> NoticeRow:
        """One notice as it stands. Raises `Problem`."""
        found = await self.readers.ask(lambda r: r.notice(notice))
        if found is None or not who.sees(found.department):
            raise Problem(404, "no_notice")
        return found

    async def act(self, told: dict[str, Any]) -> Answer:
        """Let an act be judged; its answer once it is durable. Raises `Problem`."""
        line = {"kind": "act", "at": iso_time(max(self.service.figures.clock_us, 1))} | told
        before = await self._steps(told["notice_id"])
        answer = await judged(self.service, msgspec.json.encode(line))
        if self.service.deferred:
            if not await self._effect(told["notice_id"], before, EFFECT_S):
                raise Problem(504, "act_pending", retry_after_s=5)
        elif not self.service.wall:  # it takes effect when time goes on
            await self._effect(told["notice_id"], before, SOON_S)
        if answer.refused:
            first = answer.refused[0]
            if "conflict" not in first.error:  # else it was sent before, at another instant
                raise Problem(400, "field", field=first.field, why=Said(first.error))
        return answer

    async def ordered(self, notice: str, who: Who) -> Response:
        """The answer to a notice by hand: 201, or 202 while it is not issued yet."""
        if await self.readers.ask(lambda r: r.notice(notice)) is None:
            return json_response(msgspec.json.encode({"notice_id": notice}), 202)
        return json_response(await self.whole(notice, who), 201)

    async def _steps(self, notice: str) -> int:
        return len(await self.readers.ask(lambda r: r.notice_steps(notice)))

    async def _effect(self, notice: str, before: int, most_s: float) -> bool:
        """Wait until an act was judged: then the notice has moved, or says why not."""
        loop = asyncio.get_running_loop()
        until = loop.time() + most_s
        while await self._steps(notice) == before:
            if loop.time() > until:
                return False
            await asyncio.sleep(EFFECT_LOOK_S)
        return True

    async def object_of(self, request: Request) -> dict[str, Any]:
        """The body as one JSON object. Raises `Problem`."""
        body = await self.bodies.read(request.scope, request.receive)
        if len(body) > BODY_BYTES_MAX:
            raise Problem(413, "act_too_large", bytes=BODY_BYTES_MAX)
        try:
            told = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError):
            raise Problem(400, "json_unread") from None
        return told


def not_now(row: NoticeRow, act: str) -> Problem:
    """An act that is not possible as a notice stands."""
    state = Said(f"state.{row.state}")
    return Problem(409, "act_not_now", state=state, act=Said(f"act.{act}"))


def notice_routes(notices: Notices) -> APIRouter:
    """The routes under `/api/v1`."""
    api = APIRouter()

    @api.get("/notices", summary="Notices, those issued last first")
    async def get_notices(
        request: Request,
        department: Text = None, rule: Text = None, tier: Tier = None,
        level: Annotated[int | None, Asked(ge=1, le=2)] = None, state: Text = None,
        subject: Text = None, begin: From = None, end: To = None, cursor: Cursor = None,
        limit: Limit = 100,
    ) -> Response:  # fmt: skip
        """`state`: one of the states, or `open`; `rule`: that found something the notice holds.
        `from` <= issued_at < `to`."""
        queries.only(request, "department rule tier level state subject from to cursor limit")
        if state is not None and state not in (*STATES, "open"):
            raise Problem(400, "state_unknown", known=", ".join(STATES))
        wanted = NoticeQuery(
            department, tier, level, state, subject,
            queries.instant("from", begin, notices.zone),
            queries.instant("to", end, notices.zone, True), queries.cursor_of(cursor), limit + 1,
            departments=who_in(request.scope).departments, rule=rule,
        )  # fmt: skip
        told = await notices.readers.ask(lambda r: page(r, wanted))
        return json_response(masked(who_in(request.scope), told))

    @api.get("/notices/{notice}", summary="One notice, what it holds, and how it went")
    async def get_notice(notice: str, request: Request) -> Response:
        return json_response(await notices.whole(notice, who_in(request.scope)))

    @api.post("/notices", summary="A notice by hand (人工督办): subject, tier, text, actor")
    async def post_notice(request: Request) -> Response:
        """`subject_kind` (default case), `subject`, `department`, `tier`, `text`, `actor`. 202:
        it was taken, and is issued when the clock goes on (under --clock events)."""
        told = await notices.object_of(request)
        act = _act_id(request)
        kind, subject = str(told.get("subject_kind", "case")), str(told.get("subject", ""))
        who, name = who_in(request.scope), notice_id(kind, subject, act)
        if who.departments is not None and told.get("department") not in who.departments:
            raise Problem(403, "department_not_yours")
        order = {"subject_kind": kind} | acting(who, told)
        await notices.act(order | {"act": ORDER, "act_id": act, "notice_id": name})
        return await notices.ordered(name, who)

    @api.post("/notices/{notice}/acts", summary="Act on a notice: acknowledge, answer, urge …")
    async def post_act(notice: str, request: Request) -> Response:
        """409 where the notice is not in a state in which this may be done."""
        told, who = await notices.object_of(request), who_in(request.scope)
        row, act = await notices.row(notice, who), told.get("act")
        if not isinstance(act, str) or act not in ACTS:
            raise Problem(400, "act_unknown", known=", ".join(ACTS))
        need_act(who, act)
        if not allowed(act, row.state, msgspec.json.decode(row.doc).get("raise_to") or 0):
            raise not_now(row, act)
        line = acting(who, told) | {"act_id": _act_id(request), "notice_id": notice}
        await notices.act(line)
        return json_response(await notices.whole(notice, who))

    return api


def _act_id(request: Request) -> str:
    """The act's name: the request's own key, so that what is sent twice counts once."""
    key = request.headers.get("idempotency-key", "")
    return hashlib.sha256(key.encode()).hexdigest()[:32] if key else chance(16)


def page(reader: Reading, wanted: NoticeQuery) -> bytes:
    """A page of notices; the query asks for one more than is shown."""
    rows = reader.notices(wanted)
    more, rows = len(rows) == wanted.limit, rows[: wanted.limit - 1]
    cursor = queries.cursor_at(rows[-1].issued_us, rows[-1].notice_id) if more else None
    return queries.page([row.doc for row in rows], cursor)


def whole(reader: Reading, notice: str, zone: Zone, who: Who = LOCAL_ADMIN) -> bytes:
    """One notice with its findings and history. Raises `Problem`."""
    row = reader.notice(notice)
    if row is None or not who.sees(row.department):
        raise Problem(404, "no_notice")
    findings = reader.notice_findings(notice, FINDINGS_MAX)
    history = [told_move(moved(step), zone) for step in reader.notice_steps(notice)]
    return masked(who, notice_doc.whole(row.doc, findings, history))


def moved(s: NoticeStep) -> NoticeMove:
    """A step of the ledger as a move."""
    return NoticeMove(s.notice_id, s.at_us, s.actor, s.before, s.after, s.reason, s.text or "")
