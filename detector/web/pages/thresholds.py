"""The page on which a rule's limit is slid, to see what it would raise (阈值试算)."""

from __future__ import annotations

import math
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.event import ACTION
from detector.live.limits import changes_of
from detector.rulekit import UNITS
from detector.thresholds import Curve, Row, why_not
from detector.web import who
from detector.web.pages.frame import Pages, part
from detector.web.pages.names import Names
from detector.web.problems import Problem
from detector.web.thresholds import Thresholds, Wanted
from detector.web.times import Times
from detector.web.words import language, words_of

EVERY = "every"
WIDTH, HEIGHT = 960, 200  # of the picture of weeks


def threshold_pages(pages: Pages, thresholds: Thresholds) -> APIRouter:
    """`/rules/<id>/thresholds`."""
    root = APIRouter(include_in_schema=False)

    @root.get("/rules/{rule}/thresholds")
    async def slide(
        rule: str, request: Request, at: str = "", limit: str = "", department: str = ""
    ) -> Response:
        me = who.who_asks(request, who.SEE, department or None)
        held = thresholds.rule(rule)
        unit = dict(zip(("zh", "en"), UNITS[held.rule.unit][1:], strict=True))
        why = why_not(held.rule)
        told: dict[str, Any] = {
            "rule": held.rule, "held": held, "unit": unit, "why": why, "curve": None,
            "tried": await thresholds.trial(held, me), "tried_limits": changes_of(held),
        }  # fmt: skip
        if why is not None:
            return pages.render(request, "thresholds.html.j2", **told)
        wanted = Wanted(
            None if limit in ("", EVERY) else _number("limit", limit),
            limit == EVERY, department or None,
        )  # fmt: skip
        drawn = await thresholds.curve(rule, wanted, me)
        asked = drawn.in_force if not at else drawn.nearest(_number("at", at))
        place = len(drawn.limits) // 2 if asked is None else asked
        inside, outside = drawn.examples(place)
        lang = language(request)
        start = _start(
            drawn, place, pages.names(lang), Times(pages.engine().calendar, words_of(lang))
        )
        told |= {
            "curve": drawn, "place": place, "start": start, "every": wanted.every,
            "department": department, "bars": _bars(drawn, place),
            "inside": [start["rows"][drawn.rows.index(one)] for one in inside],
            "outside": [start["rows"][drawn.rows.index(one)] for one in outside],
        }  # fmt: skip
        return pages.render(request, "thresholds.html.j2", **told)

    return root


def _number(name: str, text: str) -> float:
    """A number of a query. Raises `Problem` 400."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Problem(400, "number_none", field=name)
    return number


def _start(drawn: Curve, place: int, names: Names, times: Times) -> dict[str, Any]:
    """What the page's module slides over: the whole curve, in words."""
    return {
        "place": place, "worse": drawn.worse, "limits": drawn.limits, "in_force": drawn.in_force,
        "by_week": drawn.by_week, "by_department": drawn.by_department, "totals": drawn.totals,
        "weeks": drawn.weeks, "verdicts": drawn.verdicts,
        "rows": [_told(one, names, times) for one in drawn.rows],
    }  # fmt: skip


def _told(one: Row, names: Names, times: Times) -> dict[str, Any]:
    return {
        "value": one.value, "case": one.case_id, "href": f"/cases/{part(one.case_id or '')}",
        "department": names.department(one.department), "item": names.item(one.item),
        "step": _step(one, names), "at": times.at(one.at), "from": one.raises_from,
    }  # fmt: skip


def _step(one: Row, names: Names) -> str:
    """A step's name, or that of the action that stands for it."""
    told = names.step(one.item, one.step)
    return names.action(told) if told in ACTION else told


def _bars(drawn: Curve, place: int) -> list[dict[str, Any]]:
    """The picture of weeks, as the module draws it too: a bar for the asked limit, a line for the
    one in force."""
    asked = drawn.by_week[place] if drawn.weeks else []
    force = drawn.by_week[drawn.in_force] if drawn.in_force is not None and drawn.weeks else asked
    most = max([*asked, *force, 1])
    step = WIDTH / max(len(asked), 1)
    return [
        {
            "x": round(n * step, 1), "width": round(step * 0.8, 1), "week": week,
            "y": round(HEIGHT - many * HEIGHT / most, 1), "height": round(many * HEIGHT / most, 1),
            "line": round(HEIGHT - now * HEIGHT / most, 1), "many": many, "now": now,
        }
        for n, (week, many, now) in enumerate(zip(drawn.weeks, asked, force, strict=True))
    ]  # fmt: skip
