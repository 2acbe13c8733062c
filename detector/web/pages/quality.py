"""Data quality (数据质量): refused lines and how to mend them, what was not judged, and why."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.delivery.letterbox import Letterbox
from detector.ledger import Count, Query
from detector.live import Reloading
from detector.web import who
from detector.web.events import judged
from detector.web.pages.acts import Acting
from detector.web.pages.forms import filters_of, first, form_of
from detector.web.pages.frame import Pages
from detector.web.pages.lists import some_findings
from detector.web.problems import Problem
from detector.web.readers import Readers
from detector.web.said import Said
from detector.web.scopes import need_sendable

REFUSALS, LETTERS, SOURCES, STRAYS, LINE_BYTES_MAX = 50, 50, 30, 50, 64 << 10


def quality_routes(
    pages: Pages, readers: Readers, acting: Acting, district: Reloading | None,
    letterbox: Letterbox | None,
) -> APIRouter:  # fmt: skip
    """`/quality`, with a form that sends a mended line again."""
    root = APIRouter(include_in_schema=False)

    @root.get("/quality")
    async def show(request: Request) -> Response:
        me, f = who.who_asks(request, who.SEE), filters_of(request)
        whole = me.departments is None
        after = int(f.get("after")) if f.get("after").isdigit() and len(f.get("after")) < 16 else 0
        own = whole and me.may(who.SYSTEM)  # whole lines, of whichever department
        rows = await readers.ask(lambda r: r.refusals(after, REFUSALS + 1)) if own else []
        counts = await readers.ask(lambda r: r.counts())
        wanted = Query(rule="silent_source", state="stands", departments=me.departments,
                       limit=SOURCES + 1)  # fmt: skip
        silent, _ = await readers.ask(lambda r: some_findings(r, wanted, me))
        stray = await readers.ask(lambda r: r.stray_verdicts(STRAYS)) if whole else []
        dead = await asyncio.to_thread(letterbox.dead, "", LETTERS) if letterbox and whole else []
        return pages.render(
            request, "quality.html.j2", refusals=rows[:REFUSALS], said=f.get("said"),
            after=rows[REFUSALS - 1][0] if len(rows) > REFUSALS else None,
            unknown=_by_reason(counts, "undetermined", me), muted=_by_reason(counts, "muted", me),
            silent=silent, problems=district.problems if district else [],
            dead=dead, stray=stray, may_send=me.may(who.SEND), may_resend=me.may(who.SYSTEM),
        )  # fmt: skip

    @root.post("/quality")
    async def mend(request: Request) -> Response:
        who.who_asks(request, who.SEND)
        form = await form_of(request, acting.notices.bodies)
        line = first(form, "line").encode()
        if not line or len(line) > LINE_BYTES_MAX or b"\n" in line:
            raise Problem(400, "line_one")
        need_sendable(who.who_in(request.scope), line)
        answer = await judged(acting.notices.service, line)
        if answer.refused:
            fault = answer.refused[0]
            raise Problem(400, "field", field=fault.field, why=Said(fault.error))
        return RedirectResponse(f"/quality?said={answer.accepted}-{answer.duplicates}", 303)

    @root.post("/quality/letters")
    async def resend(request: Request) -> Response:
        who.who_asks(request, who.SYSTEM)
        form = await form_of(request, acting.notices.bodies)
        if letterbox is None or not await asyncio.to_thread(letterbox.resend, first(form, "id")):
            raise Problem(404, "no_letter")
        return RedirectResponse("/quality#letters", 303)

    return root


def _by_reason(counts: Sequence[Count], kind: str, me: who.Who) -> list[dict[str, Any]]:
    """By rule and reason: how often, and the items and departments where it is most."""
    many, where = Counter[tuple[str, str]](), dict[tuple[str, str], Counter[str]]()
    for one in counts:
        if one.kind == kind and (me.departments is None or me.sees(one.department)):
            key = (one.rule, one.reason)
            many[key] += one.n
            where.setdefault(key, Counter())[one.item or "—"] += one.n
    return [
        {"rule": rule, "reason": reason, "n": n, "items": where[rule, reason].most_common(3)}
        for (rule, reason), n in many.most_common()
    ]
