"""Search (查找): a case, person, notice or item by its number, or a person by name."""

from __future__ import annotations

from itertools import islice

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.ledger import Query, Reading
from detector.live import Service
from detector.web import who
from detector.web.pages.acts import Acting
from detector.web.pages.forms import TEXT_MAX, filters_of
from detector.web.pages.frame import Pages, part
from detector.web.readers import Readers
from detector.web.scopes import sees

FOUND_MAX, LOOKED_AT_MAX = 20, 500


def search_routes(pages: Pages, readers: Readers, acting: Acting) -> APIRouter:
    """`/search`: straight to what a number names, else what comes near."""
    root = APIRouter(include_in_schema=False)
    service = acting.notices.service

    @root.get("/search")
    async def search(request: Request) -> Response:
        me, q = who.who_asks(request, who.SEE), filters_of(request).get("q")[:TEXT_MAX]
        if not q:
            return pages.render(request, "search.html.j2", q="", cases=[], people=[])
        found = await readers.ask(lambda r: _named(r, q, me))
        if found:
            return RedirectResponse(found, 303)
        known = await readers.ask(lambda r: _known(r, service, q, me))
        people = [
            one for one in pages.engine().district.people.values()
            if (q == one.person or q in one.name) and me.sees(one.department)
        ][:FOUND_MAX]  # fmt: skip
        if known:
            return RedirectResponse(f"/cases/{part(q)}", 303)
        if len(people) == 1 and q == people[0].person and me.may(who.PERSONS):
            return RedirectResponse(f"/operators/{part(q)}", 303)
        cases = await readers.ask(lambda r: _cases(r, q, me)) if len(q) > 3 else []
        return pages.render(request, "search.html.j2", q=q, cases=cases, people=people)

    return root


def _named(reader: Reading, q: str, me: who.Who) -> str:
    """The address of a notice or finding of this id, where it is theirs to see."""
    notice, finding = reader.notice(q), reader.finding(q)
    if notice is not None and me.sees(notice.department):
        return f"/notices/{part(q)}"
    return f"/findings/{part(q)}" if finding is not None and sees(me, finding.doc) else ""


def _known(reader: Reading, service: Service, case_id: str, me: who.Who) -> bool:
    """Is there a case of this number, of which they see something."""
    return any(sees(me, one.line) for one in service.timeline(case_id, reader) or ())


def _cases(reader: Reading, prefix: str, me: who.Who) -> list[str]:
    """Cases with findings that they see, whose number begins so."""
    if me.departments is None:
        return list(reader.cases_from(prefix, FOUND_MAX))
    found = reader.cases_from(prefix, LOOKED_AT_MAX)
    theirs = (
        case for case in found
        if reader.findings(Query(case_id=case, limit=1, departments=me.departments))
    )  # fmt: skip
    return list(islice(theirs, FOUND_MAX))
