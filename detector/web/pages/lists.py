"""The desk's lists (工作台): notices and findings, filters in the address, acts on many, files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.ledger import NoticeRow, Query, Reading
from detector.notice import STATES
from detector.web import queries, who
from detector.web.nearest import nearest
from detector.web.pages.acts import Acting
from detector.web.pages.forms import (
    FINDING_STATES,
    FOUND,
    PAGE,
    TIERS,
    filters_of,
    finding_query,
    first,
    form_of,
    notice_query,
)
from detector.web.pages.frame import Pages
from detector.web.problems import Problem
from detector.web.readers import Readers
from detector.web.scopes import masked

BULK_MAX, BULK_ACTS = 200, ("acknowledge", "urge", "lift")
NEAREST = 100  # notices in the list by their limits


def list_routes(pages: Pages, readers: Readers, acting: Acting) -> APIRouter:
    """`/notices`, `/findings`."""
    root = APIRouter(include_in_schema=False)
    zone = acting.notices.zone

    @root.get("/notices")
    async def notices(request: Request) -> Response:
        me, f = who.who_asks(request, who.SEE), filters_of(request)
        wanted = notice_query(f, me, zone, PAGE + 1)
        if f.get("sort") == "due":
            some = replace(wanted, limit=NEAREST)
            rows = [row for _, row in await readers.ask(lambda r: nearest(r, some, zone))]
        else:
            rows = await readers.ask(lambda r: r.notices(wanted))
        more = f.get("sort") != "due" and len(rows) > PAGE
        rows = rows[:PAGE] if more else rows
        cursor = queries.cursor_at(rows[-1].issued_us, rows[-1].notice_id) if more else None
        return pages.render(
            request, "notices.html.j2", rows=[_row(row) for row in rows], filters=f, states=STATES,
            tiers=TIERS, next=f.address("/notices", cursor=cursor) if cursor else None,
            acts=[a for a in BULK_ACTS if acting.may(me, a)], clock=acting.clock,
            departments=departments(pages, me), said=f.get("said"),
        )  # fmt: skip

    @root.post("/notices")
    async def bulk(request: Request) -> Response:
        form = await form_of(request, acting.notices.bodies)
        act, told = first(form, "act"), {n: first(form, n) for n in ("text", "once")}
        if act not in BULK_ACTS:
            raise Problem(400, "act_not_bulk")
        names = form.get("notice", [])[:BULK_MAX]
        done = [await acting.tried(request, one, act, told) for one in names]
        back = first(form, "back")
        back = back if back.startswith("/notices") else "/notices"
        mark = "&" if "?" in back else "?"
        return RedirectResponse(f"{back}{mark}said={sum(done)}-{len(done)}", 303)

    @root.get("/findings")
    async def findings(request: Request) -> Response:
        me, f = who.who_asks(request, who.SEE), filters_of(request)
        wanted = finding_query(f, me, zone, PAGE + 1)
        found, cursor = await readers.ask(lambda r: some_findings(r, wanted, me))
        engine = pages.engine()
        return pages.render(
            request, "findings.html.j2", rows=found, filters=f, states=FINDING_STATES, tiers=TIERS,
            next=f.address("/findings", cursor=cursor) if cursor else None,
            rules=[c.rule.id for c in engine.rulebook.rules], departments=departments(pages, me),
            found=FOUND,
        )  # fmt: skip

    return root


def some_findings(
    reader: Reading, wanted: Query, me: who.Who
) -> tuple[list[dict[str, Any]], str | None]:
    """A page of findings with the verdicts that count, and where the next begins; the query asks
    for one more."""
    rows = reader.findings(wanted)
    more, rows = len(rows) == wanted.limit, rows[: wanted.limit - 1]
    found = [msgspec.json.decode(masked(me, held.json())) for _, held in rows]
    told = reader.latest_verdicts([one["finding_id"] for one in found])
    for one in found:
        one["verdict"] = told[one["finding_id"]].verdict if one["finding_id"] in told else None
    return found, queries.cursor_at(rows[-1][0], found[-1]["finding_id"]) if more else None


def departments(pages: Pages, me: who.Who) -> list[str]:
    """The departments that may be chosen: of the district's people, as far as they are seen."""
    held = {one.department for one in pages.engine().district.people.values() if one.department}
    return sorted(code for code in held if me.sees(code))


def _row(row: NoticeRow) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.json.decode(row.doc)
    return {**told, "state": row.state}
