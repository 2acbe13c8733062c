"""Official documents of notices over HTTP (督办通知书、整改通知书): as a page, or printed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response

from detector.district import District
from detector.documents import Entry, Paper
from detector.documents.pdf import NoPrinter, pdf
from detector.documents.render import render
from detector.documents.serial import KINDS, PATTERNS, Serials, format_serial, serial_year
from detector.ledger import NoticeRow, Reading
from detector.values import read_time
from detector.verdict import Finding, Text
from detector.web.notices import Notices
from detector.web.pages.names import Names
from detector.web.problems import Problem
from detector.web.said import Said
from detector.web.who import who_in
from detector.web.words import based

FINDINGS_MAX = 200  # in one document; the rest is counted by the notice
ISSUER = "{name}监察控制中心"


def paper_routes(
    notices: Notices, serials: Serials, district: Callable[[], District],
    names: Callable[[str], Names] | None = None,
) -> APIRouter:  # fmt: skip
    """The route under `/api/v1`. `names`: what things are called in a language."""
    api = APIRouter()

    @api.get("/notices/{notice}/document", summary="A notice of tier 2 or 3 as it is printed")
    async def get_document(
        request: Request,
        notice: str,
        format: Literal["html", "pdf"] = "html",
        lang: Literal["zh", "en"] = "zh",
    ) -> Response:
        """The serial number (文号) is given when it is first printed, and stays. 501: no printer
        is installed here; print the page in a browser."""
        row = await notices.row(notice, who_in(request.scope))
        if row.tier not in KINDS:
            raise Problem(409, "no_document", tier=row.tier)
        held = await notices.readers.ask(partial(_findings, notice=notice))
        loop = asyncio.get_running_loop()
        if names is not None:
            held = [_named(one, names(lang)) for one in held]
        told = await loop.run_in_executor(None, _print, row, held, district(), serials, lang)
        if format == "html":
            return HTMLResponse(told, headers={"Cache-Control": "no-store"})
        try:
            printed = await loop.run_in_executor(None, pdf, told)
        except NoPrinter as fault:
            raise Problem(501, "no_printer", why=Said(str(fault))) from None
        name = {"Content-Disposition": f'inline; filename="{notice}.pdf"'}
        return Response(printed, headers=name, media_type="application/pdf")

    return api


def _findings(reader: Reading, notice: str) -> list[Finding]:
    told = (reader.finding(found) for found in reader.notice_findings(notice, FINDINGS_MAX))
    standing = (one for one in told if one is not None and one.withdrawn is None)
    return [msgspec.json.decode(one.doc, type=Finding) for one in standing]


def _named(finding: Finding, names: Names) -> Finding:
    """The finding with its sentence as people read it in the document's language."""
    said = names.sentence(msgspec.to_builtins(finding))
    return msgspec.structs.replace(finding, sentence=Text(said, said))


def _print(
    row: NoticeRow, held: list[Finding], district: District, serials: Serials, language: str
) -> str:
    doc: dict[str, Any] = msgspec.json.decode(row.doc)
    zone, kind, department = district.calendar.zone, KINDS[row.tier], row.department or "—"
    given = serials.given(row.notice_id, kind)
    if given is None:  # else no write waits for the engine's
        year = serial_year(row.issued_us, zone)
        serials.number(row.notice_id, department, year, kind, row.issued_us)
        given = serials.given(row.notice_id, kind)
    assert given is not None
    addressee = district.departments.get(department, department)
    limits = {
        name: read_time(doc[name], zone) if doc[name] else None
        for name in ("acknowledge_by", "answer_by", "finish_by")
    }
    people = [district.people[p].name for p in doc["recipients"] if p in district.people]
    items = district.catalogue.items
    entries = tuple(
        Entry(
            finding_id=f.finding_id, sentence=f.sentence, at=f.at,
            basis=based(f.basis, language),
            item_name=items[f.item].name if f.item in items else "",
        )
        for f in held
    )  # fmt: skip
    paper = Paper(
        notice_id=row.notice_id, tier=row.tier, level=row.level, district=district.name,
        issuing_body=ISSUER.format(name=district.name), department_name=addressee,
        issued_at=row.issued_us, findings=entries,
        serial=format_serial(PATTERNS[kind], district.name, given[1], given[0], given[2]),
        recipients=tuple(people), opinion=doc["by_hand"] or "", language=language, **limits,
    )  # fmt: skip
    return render(paper, zone)
