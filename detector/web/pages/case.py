"""A case's page (办件): its timeline on three clocks, gaps, suspensions, and what was found."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.catalogue import Item
from detector.engine import Engine
from detector.live import Service
from detector.values import ABSENT, read_time
from detector.web import queries, who
from detector.web.pages.frame import Pages
from detector.web.readers import Readers

SHOWN = (
    "event_id", "item", "department", "step", "operator", "procedure", "days_granted", "result",
    "title", "supersedes", "occurred_at", "recorded_at",
)  # fmt: skip
STAMPS = ("occurred_at", "recorded_at", "received_at")


def case_routes(pages: Pages, readers: Readers, service: Service) -> APIRouter:
    """`/cases/<id>`."""
    root = APIRouter(include_in_schema=False)

    @root.get("/cases/{case_id:path}")
    async def show(case_id: str, request: Request) -> Response:
        me = who.who_asks(request, who.SEE)
        told = await readers.ask(lambda r: queries.case(r, service, case_id, me))
        case = msgspec.json.decode(told)
        lines = [_line(one) for one in case["events"]]
        rows = timeline(lines, case["findings"], pages.engine())
        return pages.render(
            request, "case.html.j2", case_id=case_id, rows=rows, findings=case["findings"],
            head=_head(lines, pages.engine()), zone_clock=service.figures.clock_us,
        )  # fmt: skip

    return root


def _line(one: dict[str, Any]) -> dict[str, Any]:
    """An event as it came, with all keys that a page asks for, and when it came."""
    return {**dict.fromkeys(SHOWN), **one["line"], "received_at": one["received_at"]}


def timeline(
    lines: list[dict[str, Any]], findings: list[dict[str, Any]], engine: Engine
) -> list[dict[str, Any]]:
    """A row an event: its stamps, the gap to the record before it, the duty, and its findings."""
    zone, calendar = engine.calendar.zone, engine.calendar
    by_event = defaultdict(list)
    for one in findings:
        for event in one["events"][-1:]:
            by_event[event].append(one)
    rows, before, still = list[dict[str, Any]](), ABSENT, False
    gone = {one["supersedes"] for one in lines if one.get("supersedes")}
    for line in lines:
        at = {name: read_time(line[name], zone) for name in STAMPS if line.get(name)}
        recorded, item = (
            at.get("recorded_at", ABSENT),
            engine.district.catalogue.items.get(line["item"] or ""),
        )
        action = line["action"]
        still = still if action != "resume" else False
        gap = recorded - before if before != ABSENT else None
        rows.append({
            "line": line, "at": at, "gap": gap, "duty": _duty(item, line), "still": still,
            "worked": int(calendar.between(before, recorded)) if gap is not None else None,
            "late": at.get("recorded_at", 0) - at.get("occurred_at", 0),
            "found": by_event[line.get("event_id")], "gone": line.get("event_id") in gone,
        })  # fmt: skip
        still = still or action == "suspend"
        before = recorded
    return rows


def _duty(item: Item | None, line: dict[str, Any]) -> str:
    steps = {one.code: one.duty for one in item.steps} if item else {}
    return steps.get(line.get("step") or line["action"], "")


def _head(lines: list[dict[str, Any]], engine: Engine) -> dict[str, Any]:
    """What the case is, and its clock: from acceptance to its close or now."""
    first = lines[0]
    item = engine.district.catalogue.items.get(first["item"] or "")
    accept = next((one for one in lines if one["action"] == "accept"), None)
    close = next((one for one in lines if one["action"] == "close"), None)
    stated = {
        name: next((one[name] for one in reversed(lines) if one.get(name) is not None), None)
        for name in ("promised_days", "statutory_days", "due_at")
    }
    return {
        "item": first.get("item"), "title": first.get("title"), "close": close, "accept": accept,
        "department": (accept or first).get("department"), "stated": stated,
        "promised": stated["promised_days"] or (item.promised_days if item else None),
        "statutory": stated["statutory_days"] or (item.statutory_days if item else None),
        "kind": item.kind if item else None,
    }  # fmt: skip
