"""Files of answers over HTTP: what acts on a notice enclose, and each as a download."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from detector.ledger import NoticeRow, Reading
from detector.web.attachments import Attached, Attachments
from detector.web.notices import Notices
from detector.web.problems import Problem, json_response
from detector.web.who import SEE, who_asks

_HEADERS = {
    "Cache-Control": "private, no-store",
    # a browser that shows it all the same runs nothing of it
    "Content-Security-Policy": "sandbox; default-src 'none'",
}


def attachment_routes(notices: Notices, attachments: Attachments) -> APIRouter:
    """The routes under `/api/v1`."""
    api = APIRouter()

    @api.get("/notices/{notice}/attachments", summary="Files that acts on a notice enclose")
    async def get_attachments(notice: str, request: Request) -> Response:
        """By the act's id: `actor` and `files`, each {name, sha256, bytes, type, scanned}."""
        row = await notices.row(notice)
        who_asks(request, SEE, row.department)
        held = await _in_thread(attachments.of, notice)
        return json_response(msgspec.json.encode(held))

    @api.get("/attachments/{sha256}", summary="One such file, to be saved")
    async def get_attachment(sha256: str, request: Request) -> Response:
        """404 where no notice that may be seen encloses it."""
        told = await _readable(notices, attachments, request, sha256)
        headers = _HEADERS | {"Content-Disposition": disposition(told.name)}
        return FileResponse(attachments.path(sha256), 200, headers, told.type)

    return api


async def _readable(
    notices: Notices, attachments: Attachments, request: Request, sha256: str
) -> Attached:
    """The file as one of its notices names it that may be seen. Raises `Problem`."""
    who = who_asks(request, SEE)
    for notice, told in (await _in_thread(attachments.readers_of, sha256)).items():
        row = await notices.readers.ask(partial(_row, notice=notice))
        if row is not None and who.sees(row.department):
            return told
    raise Problem(404, "no_file")


def _row(reader: Reading, notice: str) -> NoticeRow | None:
    return reader.notice(notice)


def disposition(name: str) -> str:
    """What makes a browser save a file under a name (RFC 6266)."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _in_thread(call: Any, told: str) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, call, told)
