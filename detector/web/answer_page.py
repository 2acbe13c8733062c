"""The page behind a signed link: a recipient acknowledges or answers, without an account or script.

Opening it changes nothing, since gateways and scanners follow links.
"""

from __future__ import annotations

import urllib.parse
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from detector.ledger import NoticeRow, Reading
from detector.notice import allowed
from detector.web.links import Link, Links
from detector.web.notices import Notices
from detector.web.problems import Problem

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parent / "templates"),
    autoescape=True, undefined=StrictUndefined,
)  # fmt: skip
ACTS = {"acknowledge": "签收", "answer": "反馈", "appeal": "申诉"}
FIELDS_MAX = 16
FINDINGS_SHOWN_MAX = 20


def answer_routes(notices: Notices, links: Links) -> APIRouter:
    """`/n/<token>`."""
    root = APIRouter(include_in_schema=False)

    @root.get("/n/{token}")
    async def show(token: str) -> Response:
        _, row = await _named(notices, links, token)
        return await _page(notices, links, token, row)

    @root.post("/n/{token}")
    async def act(token: str, request: Request) -> Response:
        link, row = await _named(notices, links, token)
        told = await _form(notices, request)
        name = told.get("act", "")
        if name not in ACTS or not links.is_form(token, told.get("form", "")):
            raise Problem(400, "the form was not given out with this page: open the link again")
        if not allowed(name, row.state):
            return await _page(notices, links, token, row, "此通知的状态已变化，未作改动。", 409)
        if name != "acknowledge" and not told.get("text", "").strip():
            return await _page(notices, links, token, row, "请填写内容。", 400)
        line: dict[str, Any] = {
            "act": name, "act_id": told["form"][:24], "notice_id": row.notice_id,
            "actor": link.person,
        }  # fmt: skip
        if told.get("text", "").strip():
            line["text"] = told["text"].strip()
        if name == "answer":
            line |= {"confirmed": "confirmed" in told, "external_cause": "external_cause" in told}
        await notices.act(line)
        done = f"已{ACTS[name]}。"
        return await _page(notices, links, token, await notices.row(row.notice_id), done)

    return root


async def _named(notices: Notices, links: Links, token: str) -> tuple[Link, NoticeRow]:
    """What a link names, as long as it is good. Raises `Problem`."""
    link = links.read(token)
    if link is None:
        raise Problem(404, "there is no such page")
    row = await notices.row(link.notice_id)
    if not row.open or msgspec.json.decode(row.doc)["issues"] != link.issues:
        raise Problem(410, "此链接已失效：通知已结束或已重新发出。The link is no longer valid.")
    return link, row


async def _form(notices: Notices, request: Request) -> dict[str, str]:
    body = await notices.bodies.read(request.scope, request.receive)
    try:
        pairs = urllib.parse.parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX
        )
    except ValueError:
        raise Problem(400, "the form cannot be read") from None
    return dict(pairs)


async def _page(
    notices: Notices, links: Links, token: str, row: NoticeRow, done: str = "", status: int = 200
) -> Response:
    told = msgspec.json.decode(row.doc)
    sentences = await notices.readers.ask(lambda r: _sentences(r, row.notice_id))
    html = _PAGES.get_template("answer.html.j2").render(
        notice=told, sentences=sentences, done=done,
        acts={name: zh for name, zh in ACTS.items() if allowed(name, row.state)},
        forms={name: links.form(token) for name in ACTS},
    )  # fmt: skip
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, status, headers)


def _sentences(reader: Reading, notice: str) -> list[str]:
    told = []
    for found in reader.notice_findings(notice, FINDINGS_SHOWN_MAX):
        held = reader.finding(found)
        if held is not None and held.withdrawn is None:
            told.append(msgspec.json.decode(held.doc)["sentence"]["zh"])
    return told
