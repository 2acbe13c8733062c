"""The page behind a signed link: a recipient acknowledges or answers, without an account or script.

Opening it changes nothing, since gateways and scanners follow links. Whatever goes wrong with a
form, the page comes back with the words that were typed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from detector.ledger import NoticeRow, Reading
from detector.notice import allowed
from detector.web.answer_form import Form, read_form
from detector.web.attachments import (
    FILE_BYTES_MAX,
    FILES_MAX,
    MIB,
    Attached,
    Attachments,
    Enclosed,
    Unfit,
    enclosures,
)
from detector.web.links import Link, Links
from detector.web.notices import Notices
from detector.web.pages.names import Names
from detector.web.problems import Problem
from detector.web.static_files import static_url
from detector.web.words import LANGUAGES, LOCALES, catalogue, words_of

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).resolve().parent / "templates"),
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
_PAGES.globals["static_url"] = static_url
ACTS = ("acknowledge", "answer", "appeal")
FINDINGS_SHOWN_MAX = 20
TEXT_CHARS_MAX = 2_000
_HEADERS = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}
_NOT_TAKEN = (400, 429)  # whatever else went wrong, the act may have been journalled
_STATUS = {"unknown_kind": 415, "not_clean": 422, "empty": 400, "too_large": 413}


class Fault(Exception):
    """Why a form was not taken: a text of `FAULTS`, the answer's status, and more to say."""

    def __init__(
        self, key: str, status: int, name: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(key)
        self.key, self.status, self.name, self.headers = key, status, name, headers or {}


def answer_routes(
    notices: Notices, links: Links, attachments: Attachments | None = None,
    names: Callable[[str], Names] | None = None,
) -> APIRouter:  # fmt: skip
    """`/n/<token>`. `names`: what things are called in a language."""
    root = APIRouter(include_in_schema=False)
    page = AnswerPage(notices, links, attachments, names)

    @root.get("/n/{token}")
    async def show(token: str, request: Request) -> Response:
        return await page.show(token, request)

    @root.post("/n/{token}")
    async def act(token: str, request: Request) -> Response:
        return await page.act(token, request)

    return root


class AnswerPage:
    """What the page shows, and what becomes of its forms."""

    def __init__(
        self, notices: Notices, links: Links, attachments: Attachments | None,
        names: Callable[[str], Names] | None,
    ) -> None:  # fmt: skip
        self.notices, self.links, self.attachments = notices, links, attachments
        self._names = names

    async def show(self, token: str, request: Request) -> Response:
        """The notice as it stands."""
        lang, link = _language(request), self.links.read(token)
        row = await self._row(link)
        if link is None or row is None:
            return _gone(lang, 404 if link is None else 410)
        return await self._page(token, row, lang)

    async def act(self, token: str, request: Request) -> Response:
        """Take a form. A body is read only behind a link that was made here."""
        lang, link = _language(request), self.links.read(token)
        if link is None:
            return _gone(lang, 404)
        async with read_form(self.notices.bodies, request) as form:
            row = await self._row(link)
            if row is None:
                return _gone(lang, 410, form.words.get("text", ""))
            try:
                name = await self._act(token, link, row, form)
            except Fault as fault:
                row = await self.notices.row(row.notice_id)
                return await self._page(token, row, lang, fault, form)
            row = await self.notices.row(row.notice_id)
            return await self._page(token, row, lang, done=name)

    async def _row(self, link: Link | None) -> NoticeRow | None:
        """The notice of a link, as long as the link is good."""
        if link is None:
            return None
        row = await self.notices.row(link.notice_id)
        good = row.open and msgspec.json.decode(row.doc)["issues"] == link.issues
        return row if good else None

    async def _act(self, token: str, link: Link, row: NoticeRow, form: Form) -> str:
        """Have the act judged; its name. Raises `Fault`."""
        told, name = form.words, form.words.get("act", "")
        if form.too_large:
            raise Fault("all_too_large", 413)
        if name not in ACTS or not self.links.is_form(token, told.get("form", "")):
            raise Fault("stale_form", 400)
        if not allowed(name, row.state):
            raise Fault("moved", 409)
        text = told.get("text", "").replace("\r\n", "\n").strip()
        if name != "acknowledge" and not text:
            raise Fault("empty_text", 400)
        line: dict[str, Any] = {
            "act": name, "act_id": told["form"][:24], "notice_id": row.notice_id,
            "actor": link.person,
        }  # fmt: skip
        if text:
            line["text"] = text
        if name == "answer":
            line |= {"confirmed": "confirmed" in told, "external_cause": "external_cause" in told}
        files = await self._files(form) if name == "answer" else []
        await self._judged(line, files)
        return name

    async def _files(self, form: Form) -> list[Attached]:
        if not form.files:
            return []
        if self.attachments is None:
            raise Fault("no_files", 400)
        if len(form.files) > FILES_MAX:
            raise Fault("too_many", 413)
        loop = asyncio.get_running_loop()
        taken = []
        for one in form.files:
            try:
                taken.append(
                    await loop.run_in_executor(
                        None, self.attachments.take, one.file, one.filename or ""
                    )
                )
            except Unfit as fault:
                raise Fault(fault.why, _STATUS[fault.why], fault.name) from None
        return list({one.sha256: one for one in taken}.values())

    async def _judged(self, line: dict[str, Any], files: list[Attached]) -> None:
        loop = asyncio.get_running_loop()
        notice, act, new = line["notice_id"], line["act_id"], False
        if files and self.attachments is not None:
            told = Enclosed(line["actor"], files)
            new = act not in await loop.run_in_executor(None, self.attachments.of, notice)
            if not await loop.run_in_executor(None, self.attachments.enclose, notice, act, told):
                raise Fault("stale_form", 409)  # it was sent before, with other files
            line["attachments"] = enclosures(files)
        try:
            await self.notices.act(line)
        except Problem as fault:
            if new and self.attachments is not None and fault.status in _NOT_TAKEN:
                await loop.run_in_executor(None, self.attachments.forget, notice, act)
            key = {400: "refused", 504: "late"}.get(fault.status, "busy")
            after = fault.retry_after_s
            headers = {} if after is None else {"Retry-After": str(after)}
            raise Fault(key, fault.status, headers=headers) from None

    async def _page(
        self, token: str, row: NoticeRow, lang: str, fault: Fault | None = None,
        form: Form | None = None, done: str = "",
    ) -> Response:  # fmt: skip
        found = await self.notices.readers.ask(lambda r: _findings(r, row.notice_id))
        names = self._names(lang) if self._names else None
        enclosed: list[Attached] = []
        if self.attachments is not None:
            loop = asyncio.get_running_loop()
            held = await loop.run_in_executor(None, self.attachments.of, row.notice_id)
            enclosed = [one for act in held.values() for one in act.files]
        kept = form.words if form is not None and fault is not None else {}
        html = _PAGES.get_template("answer.html.j2").render(
            notice=msgspec.json.decode(row.doc), enclosed=enclosed,
            sentences=[names.sentence(f) if names else f["sentence"][lang] for f in found],
            subject=names.called(row.subject_kind, row.subject) if names else row.subject,
            department=names.department(row.department) if names and row.department else "",
            kept=kept, done=done, fault=_said(fault, form, lang), acts=_acts(row, lang, done),
            forms={name: self.links.form(token) for name in ACTS},
            takes_files=self.attachments is not None,
            scans=self.attachments is not None and self.attachments.scans,
            chars_max=TEXT_CHARS_MAX, bytes_max=FILE_BYTES_MAX, files_max=FILES_MAX, **_words(lang),
        )  # fmt: skip
        status = fault.status if fault is not None else 200
        return HTMLResponse(html, status, _HEADERS | dict(fault.headers if fault else {}))


def _language(request: Request) -> str:
    lang = request.query_params.get("lang", "zh")
    return lang if lang in LANGUAGES else LANGUAGES[0]


def _words(lang: str) -> dict[str, Any]:
    """What every page is told in its language."""
    bounds = {"files": FILES_MAX, "mib": FILE_BYTES_MAX // MIB}

    t = words_of(lang)

    def told(kind: str) -> dict[str, str]:
        keys = (key for key in catalogue(lang) if key.startswith(kind))
        return {key[len(kind) :]: t(key, **bounds) for key in keys}

    return {
        "lang": lang, "locale": LOCALES[lang], "w": told("answer.label."),
        "titles": told("answer.title."), "states": told("state."), "dones": told("answer.done."),
        "too_large": t("answer.fault.too_large", **bounds, name="{name}"),
        "too_many": t("answer.fault.too_many", **bounds),
    }  # fmt: skip


def _acts(row: NoticeRow, lang: str, done: str) -> dict[str, str]:
    """What may be done now. An act that was just taken may take effect with the next tick: it is
    not offered again, and nothing is behind an answer or an appeal."""
    left = set(ACTS) - {done} if done in ("", "acknowledge") else set()
    may = (name for name in ACTS if name in left and allowed(name, row.state))
    return {name: words_of(lang)(f"answer.act.{name}") for name in may}


def _said(fault: Fault | None, form: Form | None, lang: str) -> str:
    """Why a form was not taken; files cannot be given back, so they are to be chosen again."""
    if fault is None:
        return ""
    values = {"files": FILES_MAX, "mib": FILE_BYTES_MAX // MIB, "name": fault.name}
    t = words_of(lang)
    said = t(f"answer.fault.{fault.key}", **values)
    if form is not None and form.files and fault.status != 504:
        said += ("" if lang == "zh" else " ") + t("answer.fault.again")
    return said


def _gone(lang: str, status: int, text: str = "") -> Response:
    html = _PAGES.get_template("answer_gone.html.j2").render(
        said=words_of(lang)(f"answer.gone.{status}"), text=text, **_words(lang)
    )
    return HTMLResponse(html, status, _HEADERS)


def _findings(reader: Reading, notice: str) -> list[dict[str, Any]]:
    """Those of the notice that stand."""
    some = (reader.finding(one) for one in reader.notice_findings(notice, FINDINGS_SHOWN_MAX))
    return [msgspec.json.decode(one.doc) for one in some if one and one.withdrawn is None]
