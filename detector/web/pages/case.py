"""A case's page (办件): its timeline on three clocks, gaps, suspensions, and what was found."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.cases import Suspension
from detector.catalogue import Item
from detector.engine import Engine
from detector.instants import pauses
from detector.live import Service
from detector.values import ABSENT, read_time
from detector.web import queries, who
from detector.web.pages.frame import Pages
from detector.web.readers import Readers
from detector.workcalendar import NEVER, WorkCalendar

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
        calendar = pages.engine().calendar
        return pages.render(
            request, "case.html.j2", case_id=case_id, rows=rows, findings=case["findings"],
            head=_head(lines, pages.engine(), service.figures.clock_us),
            pauses=[span(one, calendar) for one in suspended(lines, calendar)],
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
    stretches = suspended(lines, calendar)
    rows, before = list[dict[str, Any]](), ABSENT
    gone = {one["supersedes"] for one in lines if one.get("supersedes")}
    for line in lines:
        at = {name: read_time(line[name], zone) for name in STAMPS if line.get(name)}
        recorded, item = (
            at.get("recorded_at", ABSENT),
            engine.district.catalogue.items.get(line["item"] or ""),
        )
        gap = recorded - before if before != ABSENT else None
        office = int(calendar.between(before, recorded)) if gap is not None else None
        used = office if gap is None else worked(stretches, before, recorded, calendar)
        rows.append({
            "line": line, "at": at, "gap": gap, "duty": _duty(item, line),
            "worked": used, "still": used != office,  # a suspension lies in the gap
            "late": at.get("recorded_at", 0) - at.get("occurred_at", 0),
            "found": by_event[line.get("event_id")], "gone": line.get("event_id") in gone,
        })  # fmt: skip
        before = recorded
    return rows


Stretch = tuple[int, int]  # working µs taken out, from and to; to `NEVER` while nothing ends it


def suspended(lines: list[dict[str, Any]], calendar: WorkCalendar) -> list[Stretch]:
    """What special procedures (特别程序) take out of a case's clock, as the engine counts it: from
    what is said to have occurred, at most the days granted. Corrected records do not count."""
    gone = {one["supersedes"] for one in lines if one.get("supersedes")}
    some: list[tuple[str | None, Suspension]] = []
    for order, line in enumerate(lines):
        if line["action"] not in ("suspend", "resume") or line.get("event_id") in gone:
            continue
        at, procedure = read_time(line["occurred_at"], calendar.zone), line["procedure"]
        work, days = int(calendar.work(at)), line["days_granted"]
        if line["action"] == "suspend":
            days = ABSENT if days is None else days
            some.append((procedure, Suspension(at, work, days, 0, order, 0)))
            continue
        begun = (one for name, one in some if name == procedure and one.ended_work is None)
        if one := next(begun, None):
            one.ended_work = max(one.begun_work, work)
    return list(pauses([one for _, one in some], 0, calendar.day_us))


def worked(stretches: list[Stretch], begin: int, end: int, calendar: WorkCalendar) -> int:
    """Working µs between two instants, less what was suspended."""
    first, last = int(calendar.work(begin)), int(calendar.work(end))
    out = sum(max(0, min(last, to) - max(first, since)) for since, to in stretches)
    return last - first - out


def span(one: Stretch, calendar: WorkCalendar) -> tuple[int, int | None]:
    """The instants between which a clock stands still; None while nothing ends it."""
    begin, end = one
    return int(calendar.at(begin)), None if end == NEVER else int(calendar.at(end, "left"))


def _duty(item: Item | None, line: dict[str, Any]) -> str:
    steps = {one.code: one.duty for one in item.steps} if item else {}
    return steps.get(line.get("step") or line["action"], "")


def _head(lines: list[dict[str, Any]], engine: Engine, now: int) -> dict[str, Any]:
    """What the case is, and its clock: from acceptance to its close or now (µs UTC)."""
    first = lines[0]
    item = engine.district.catalogue.items.get(first["item"] or "")
    accept = next((one for one in lines if one["action"] == "accept"), None)
    close = next((one for one in lines if one["action"] == "close"), None)
    stated = {
        name: next((one[name] for one in reversed(lines) if one.get(name) is not None), None)
        for name in ("promised_days", "statutory_days", "due_at")
    }
    zone, stretches = engine.calendar.zone, suspended(lines, engine.calendar)
    begin = read_time(accept["occurred_at"], zone) if accept else now
    end = read_time(close["recorded_at"], zone) if close else now
    return {
        "used": worked(stretches, begin, end, engine.calendar),
        "item": first.get("item"), "title": first.get("title"), "close": close, "accept": accept,
        "department": (accept or first).get("department"), "stated": stated,
        "promised": stated["promised_days"] or (item.promised_days if item else None),
        "statutory": stated["statutory_days"] or (item.statutory_days if item else None),
        "kind": item.kind if item else None,
    }  # fmt: skip
