"""Departments and persons (部门、人员): what is open, what was found, who is there."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.ledger import NoticeQuery, Query, Reading
from detector.values import DAY_US
from detector.web import who
from detector.web.nearest import nearest
from detector.web.pages.acts import Acting
from detector.web.pages.frame import Pages
from detector.web.pages.lists import departments, some_findings
from detector.web.problems import Problem
from detector.web.readers import Readers
from detector.web.rule_cards import rule_counts
from detector.workcalendar import Zone

DUE, NEWEST, DAYS = 12, 20, 30


def people_routes(pages: Pages, readers: Readers, acting: Acting) -> APIRouter:
    """`/departments`, `/departments/<code>`, `/operators/<person>`."""
    root = APIRouter(include_in_schema=False)

    @root.get("/departments")
    async def every(request: Request) -> Response:
        me = who.who_asks(request, who.SEE)
        rows = await readers.ask(_open)
        for code in departments(pages, me):
            rows.setdefault(code, _nothing())
        seen = sorted((code, row) for code, row in rows.items() if me.sees(code or None))
        return pages.render(request, "departments.html.j2", rows=seen)

    @root.get("/departments/{code}")
    async def department(code: str, request: Request) -> Response:
        me = who.who_asks(request, who.SEE, code)
        since = acting.clock - DAYS * DAY_US
        told = await readers.ask(lambda r: _department(r, code, since, me, acting.notices.zone))
        people = pages.engine().district.people.values()
        mine = sorted((p for p in people if p.department == code), key=lambda p: p.person)
        if not mine and not told["newest"] and not told["open"]["n"]:
            raise Problem(404, "no_department")
        return pages.render(
            request, "department.html.j2", code=code, people=mine, clock=acting.clock, days=DAYS,
            whole=me.may(who.PERSONS), **told,
        )  # fmt: skip

    @root.get("/operators/{person}")
    async def operator(person: str, request: Request) -> Response:
        me = who.who_asks(request, who.PERSONS)
        held = pages.engine().district.people.get(person)
        if held is not None and not me.sees(held.department):
            raise Problem(404, "no_person")
        since = acting.clock - DAYS * DAY_US
        wanted = Query(operator=person, departments=me.departments, limit=NEWEST + 1)
        found, _ = await readers.ask(lambda r: some_findings(r, wanted, me))
        if held is None and not found:
            raise Problem(404, "no_person")
        rules = await readers.ask(lambda r: rule_counts(r, since, me, person))
        return pages.render(
            request, "operator.html.j2", person=person, held=held, findings=found, days=DAYS,
            rules=sorted(rules.items(), key=lambda one: -one[1]),
        )  # fmt: skip

    return root


def _nothing() -> dict[str, Any]:
    return {"n": 0, "second": 0, "worst": 0, "tiers": dict.fromkeys(range(5), 0)}


def _open(reader: Reading, department: str | None = None) -> dict[str, dict[str, Any]]:
    """Open notices by department: how many, at level 2, of each tier."""
    rows: dict[str, dict[str, Any]] = {}
    for one in reader.open_counts(department):
        row = rows.setdefault(one.department or "", _nothing())
        row["n"] += one.n
        row["second"] += one.n if one.level == 2 else 0
        row["worst"] = max(row["worst"], one.tier)
        row["tiers"][one.tier] += one.n
    return rows


def _department(reader: Reading, code: str, since: int, me: who.Who, zone: Zone) -> dict[str, Any]:
    wanted = Query(department=code, state="stands", limit=NEWEST + 1)
    newest, _ = some_findings(reader, wanted, me)
    rules = reader.rule_counts(since, code)
    return {
        "open": _open(reader, code).get(code, _nothing()), "newest": newest,
        "due": nearest(reader, NoticeQuery(code, limit=DUE), zone),
        "rules": sorted(rules.items(), key=lambda one: -one[1]),
    }  # fmt: skip
