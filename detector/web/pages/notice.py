"""A notice's page (通知): what it holds, to whom it went, how it went, and what may be done."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.ledger import NoticeRow, Reading
from detector.ledger.watching import Delivered
from detector.notice import ACTS, DECISIONS
from detector.notice_doc import told_move
from detector.web import who
from detector.web.attachments import Attachments
from detector.web.notices import moved
from detector.web.pages.acts import GRAVE, NEEDS, Acting
from detector.web.pages.forms import filters_of, first, form_of
from detector.web.pages.frame import Pages, part
from detector.web.readers import Readers
from detector.web.scopes import masked

FINDINGS, MESSAGES = 100, 200


def notice_routes(
    pages: Pages, readers: Readers, acting: Acting, attachments: Attachments | None
) -> APIRouter:
    """`/notices/<id>`, and the form of each act."""
    root = APIRouter(include_in_schema=False)

    @root.get("/notices/{notice}")
    async def show(notice: str, request: Request) -> Response:
        me = who.who_asks(request, who.SEE)
        row = await acting.seen(me, notice)
        return await _page(request, me, row)

    @root.post("/notices/{notice}")
    async def act(notice: str, request: Request) -> Response:
        form = await form_of(request, acting.notices.bodies)
        name = first(form, "act")
        await acting.act(request, notice, name, {one: first(form, one) for one in form})
        return RedirectResponse(f"/notices/{part(notice)}?done={part(name)}", 303)

    async def _page(request: Request, me: who.Who, row: NoticeRow) -> Response:
        zone = acting.notices.zone
        found, held, steps, sent = await readers.ask(lambda r: _held(r, row.notice_id, me))
        done = filters_of(request).get("done")
        files = await asyncio.to_thread(attachments.of, row.notice_id) if attachments else {}
        history = [told_move(moved(one), zone) for one in steps]
        return pages.render(
            request, "notice.html.j2", notice=msgspec.json.decode(masked(me, row.doc)), row=row,
            findings=found, held=held, sent=sent, clock=acting.clock,
            history=msgspec.json.decode(masked(me, msgspec.json.encode(history))),
            acts=acting.possible(me, row), needs=NEEDS, grave=GRAVE, decisions=list(DECISIONS),
            people=_people(pages, row), whole=me.may(who.PERSONS),
            done=done if done in ACTS else "", files=[f for o in files.values() for f in o.files],
        )  # fmt: skip

    return root


def _held(
    reader: Reading, notice: str, me: who.Who
) -> tuple[list[dict[str, Any]], int, Any, list[Delivered]]:
    names = reader.notice_findings(notice)
    some = (reader.finding(one) for one in names[:FINDINGS])
    found = [msgspec.json.decode(masked(me, o.json())) for o in some if o is not None]
    steps = reader.notice_steps(notice)
    return found, len(names), steps, reader.deliveries(notice, MESSAGES)


def _people(pages: Pages, row: NoticeRow) -> list[str]:
    """Who may be assigned: of the notice's department and the centre."""
    people = pages.engine().district.people.values()
    return [one.person for one in people if row.department == one.department or one.level == 2]
