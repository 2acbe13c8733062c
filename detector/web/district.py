"""Taking the district's folder anew at once, for whoever cannot wait until it is noticed."""

from __future__ import annotations

import asyncio

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Scope

from detector.district import DistrictError
from detector.live import Reloading, Unavailable
from detector.live.reload import problems_of
from detector.rulekit import RuleFault
from detector.web.mistakes import told
from detector.web.problems import Problem, json_response, problem_of
from detector.web.words import language_of


def district_routes(district: Reloading) -> APIRouter:
    """What may be asked of the folder."""
    api = APIRouter()

    @api.post("/district/reload", summary="Take the district's folder as it is now")
    async def post_reload(request: Request) -> Response:
        """422 names every mistake, with file, key, line and remedy; what was in force stays."""
        loop = asyncio.get_running_loop()
        try:
            taken = await loop.run_in_executor(None, district.reload)
        except (DistrictError, RuleFault) as fault:
            raise _refused(fault, request.scope) from None
        except Unavailable as fault:
            raise problem_of(fault) from None
        return json_response(msgspec.json.encode(taken))

    return api


def _refused(fault: DistrictError | RuleFault, scope: Scope) -> Problem:
    problems, lang = problems_of(fault), language_of(scope)
    refused = Problem(422, "district_mistakes", n=len(problems))
    refused.more = {"problems": [told(one, lang) for one in problems]}
    return refused
