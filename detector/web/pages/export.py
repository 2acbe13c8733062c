"""What a list shows, as a file (导出): CSV, or a workbook for Excel; the same filters."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import msgspec
import xlsxwriter
from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.ledger import NoticeQuery, Query, Reading
from detector.web import who
from detector.web.attachment_routes import disposition
from detector.web.pages.acts import Acting
from detector.web.pages.forms import filters_of, finding_query, notice_query
from detector.web.pages.frame import Pages
from detector.web.pages.names import Names
from detector.web.problems import Problem
from detector.web.readers import Readers
from detector.web.words import language

ROWS_MAX, PAGE = 50_000, 500
KINDS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
_FINDING = ("at", "tier", "rule", "case", "item", "department", "step", "operator", "sentence",
            "value", "limit", "state", "id", "basis", "verdict")  # fmt: skip
_NOTICE = ("issued", "tier", "state", "level", "kind", "subject", "item", "department",
           "acknowledge_by", "answer_by", "finish_by", "next", "person", "id")  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a table would compute
Row = list[Any]


def export_routes(pages: Pages, readers: Readers, acting: Acting) -> APIRouter:
    """`/findings.csv`, `/findings.xlsx` and the same of notices."""
    root = APIRouter(include_in_schema=False)
    zone = acting.notices.zone

    @root.get("/export/findings.{kind}")
    async def findings(kind: str, request: Request) -> Response:
        me, names = who.who_asks(request, who.EXPORT), pages.names(language(request))
        wanted = finding_query(filters_of(request), me, zone, PAGE)
        return await _file(
            request, kind, "findings", _FINDING, lambda r: _findings(r, wanted, names)
        )

    @root.get("/export/notices.{kind}")
    async def notices(kind: str, request: Request) -> Response:
        me, names = who.who_asks(request, who.EXPORT), pages.names(language(request))
        wanted = notice_query(filters_of(request), me, zone, PAGE)
        return await _file(request, kind, "notices", _NOTICE, lambda r: _notices(r, wanted, names))

    async def _file(
        request: Request, kind: str, name: str, columns: tuple[str, ...],
        rows: Callable[[Reading], Iterator[Row]],
    ) -> Response:  # fmt: skip
        if kind not in KINDS:
            raise Problem(404, "export_kind")
        t = pages.names(language(request)).t
        head = [t(f"export.{one}") for one in columns]
        write = as_csv if kind == "csv" else as_workbook
        data = await readers.ask(lambda r: write(head, rows(r)))
        held = {"Content-Disposition": disposition(f"oriole-{name}.{kind}")}
        return Response(data, headers=held, media_type=KINDS[kind])

    return root


def as_csv(head: Row, rows: Iterator[Row]) -> bytes:
    """Rows as Excel reads them too: with a mark of UTF-8, and no cell that it would compute."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow(head)
    for row in rows:
        table.writerow([_plain(cell) for cell in row])
    return "\ufeff".encode() + out.getvalue().encode()


def as_workbook(head: Row, rows: Iterator[Row]) -> bytes:
    """Rows as a workbook with one sheet, its head held in place and filters on it."""
    with tempfile.TemporaryFile() as held:
        _write_sheet(held, head, rows)
        held.seek(0)
        return held.read()


def _write_sheet(held: BinaryIO, head: Row, rows: Iterator[Row]) -> None:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(held, options)
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    sheet.write_row(0, 0, head, book.add_format({"bold": True}))
    last = 0
    for last, row in enumerate(rows, 1):
        sheet.write_row(last, 0, row)
    sheet.autofilter(0, 0, last, len(head) - 1)
    book.close()


def _plain(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _findings(reader: Reading, wanted: Query, names: Names) -> Iterator[Row]:
    for _ in range(0, ROWS_MAX, PAGE):
        rows = reader.findings(wanted)
        some = [msgspec.json.decode(held.json()) for _, held in rows]
        told = reader.latest_verdicts([one["finding_id"] for one in some])
        for one in some:
            verdict = told.get(one["finding_id"])
            gone = one["withdrawn"]
            state = names.reason(gone["reason"]) if gone else one["muted"] or names.t("stands")
            yield [
                one["at"], names.tier(one["tier"]), names.rule(one["rule"]), one["case_id"],
                names.item(one["item"]), one["department"], names.step(one["item"], one["step"]),
                one["operator"], names.sentence(one), one["value"], one["limit"], state,
                one["finding_id"], one["basis"],
                names.t(f"verdict.{verdict.verdict}") if verdict else "",
            ]  # fmt: skip
        if len(rows) < PAGE:
            return
        wanted = replace(wanted, cursor=(rows[-1][0], one["finding_id"]))


def _notices(reader: Reading, wanted: NoticeQuery, names: Names) -> Iterator[Row]:
    for _ in range(0, ROWS_MAX, PAGE):
        rows = reader.notices(wanted)
        for row in rows:
            one = msgspec.json.decode(row.doc)
            yield [
                one["issued_at"], names.tier(row.tier), names.state(row.state), row.level,
                names.subject(row.subject_kind), row.subject, names.item(one["item"]),
                row.department, one["acknowledge_by"], one["answer_by"], one["finish_by"],
                one["next_at"], " ".join(one["recipients"]), row.notice_id,
            ]  # fmt: skip
        if len(rows) < PAGE:
            return
        wanted = replace(wanted, cursor=(rows[-1].issued_us, rows[-1].notice_id))
