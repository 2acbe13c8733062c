"""The wall (大屏): newest findings, open notices with their countdown, ranking, hours, health."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from detector.web import who
from detector.web.backfill import Backfill
from detector.web.board import Board
from detector.web.hub import Hub
from detector.web.pages.frame import Pages, part
from detector.web.pages.sentences import parts_of
from detector.web.problems import Problem, json_response
from detector.web.stream import Stream
from detector.web.words import catalogue, language

_SCRIPT = "js."  # keys of words that the wall's modules need
_PLACES = re.compile(r"\{department\}|_fen\}")  # of a sentence that the wall says in other words


def wall_routes(pages: Pages, board: Board, hub: Hub, backfill: Backfill) -> APIRouter:
    """`/`, `/board`, its stream and its figures."""
    root = APIRouter(include_in_schema=False)

    @root.get("/")
    @root.get("/board")
    async def wall(request: Request) -> Response:
        me = who.who_asks(request, who.SEE)
        if me.departments is not None:  # the wall is the whole district's
            first = me.departments[0] if me.departments else ""
            return RedirectResponse(f"/departments/{part(first)}", 303)
        told = await board.figures()
        newest = [msgspec.json.decode(raw) for raw in told["newest"]]
        lang = language(request)
        return pages.render(
            request, "wall.html.j2", figures=told, newest=newest,
            start=_start(pages, told, lang),
        )  # fmt: skip

    root.routes.append(Route("/board/events", Stream(hub, backfill, watches=True), methods=["GET"]))
    return root


def figure_routes(board: Board) -> APIRouter:
    """`/board` under `/api/v1`."""
    api = APIRouter()

    @api.get("/board", summary="The board's figures, at most a second old")
    async def get_board(request: Request) -> Response:
        """Instants are milliseconds UTC. `tiers`: tier, open notices, those at level 2.
        `departments`: code, open, at level 2, worst tier. `hours`: standing findings of each rule
        in the 24 hours that end with the clock's. `trials`: rules of which another limit is tried;
        what they find there is in no figure. 403 for who sees some departments alone."""
        if who.who_asks(request, who.SEE).departments is not None:
            raise Problem(403, "board_whole_district")
        return json_response(msgspec.json.encode(await board.figures()))

    return api


def _start(pages: Pages, figures: dict[str, Any], lang: str) -> dict[str, Any]:
    """What the wall's modules begin with: figures, names and words."""
    names, engine = pages.names(lang), pages.engine()
    words = {k[len(_SCRIPT) :]: v for k, v in catalogue(lang).items() if k.startswith(_SCRIPT)}
    cards = [c.rule for c in engine.rulebook.rules]
    rules = {one.id: names.rule(one.id) for one in cards}
    told = {
        one.id: parts_of(names.written(one) + "{rest}")
        for one in cards
        if one.unit == "fen" or _PLACES.search(names.written(one))
    }
    return {
        "figures": figures, "lang": lang, "words": words, "rules": rules,
        "sentences": told,
        "tiers": [names.tier(tier) for tier in range(5)],
        "states": {k[6:]: v for k, v in catalogue(lang).items() if k.startswith("state.")},
        "departments": engine.district.departments, "zone": engine.district.time_zone,
    }  # fmt: skip
