"""A finding's page (发现): the sentence, its evidence, its account, and where it is dealt with."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.web import queries, who
from detector.web.notices import Notices
from detector.web.pages.frame import Pages
from detector.web.readers import Readers


def finding_routes(pages: Pages, readers: Readers, notices: Notices) -> APIRouter:
    """`/findings/<id>`."""
    root = APIRouter(include_in_schema=False)

    @root.get("/findings/{finding_id}")
    async def show(finding_id: str, request: Request) -> Response:
        me = who.who_asks(request, who.SEE)
        told = await readers.ask(lambda r: queries.finding(r, notices.service, finding_id, me))
        return pages.render(request, "finding.html.j2", finding=msgspec.json.decode(told))

    return root
