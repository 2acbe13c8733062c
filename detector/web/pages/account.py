"""One's own account (我的账户): password, one-time codes, sessions."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from detector.accounts import Account, Refused, codes
from detector.adapters.qr import svg
from detector.web.doors import session_of
from detector.web.pages.forms import first
from detector.web.pages.login import Form, Login, chosen
from detector.web.problems import Problem

_SECRET = re.compile(r"[A-Z2-7]{32}")


class _Mine:
    """The page of whoever asks, and what is done on it."""

    def __init__(self, login: Login) -> None:
        self.login, self.doors = login, login.doors
        self.desk, self.store = login.doors.registrar.desk, login.doors.registrar.store

    async def account(self, request: Request) -> Account:
        """Whose it is. Raises `Problem` where somebody came by a key, or as nobody."""
        session = session_of(request.scope)
        account = None
        if session is not None:
            account = await self.doors.ask(self.store.account, session.account)
        if account is None:
            raise Problem(404, "account_page")
        return account

    async def page(self, request: Request, status: int = 200, **more: Any) -> Response:
        """The page; `more` of what was just done."""
        account, session = await self.account(request), session_of(request.scope)
        told: dict[str, Any] = {
            "fault": "",
            "wait": 0,
            "secret": "",
            "uri": "",
            "qr": "",
            "fresh": [],
        }
        return self.login.pages.render(
            request, "account.html.j2", status, account=account,
            sessions=await self.doors.ask(self.store.sessions, account.name),
            left=await self.doors.ask(self.store.recovery_left, account.name),
            mine=session.token if session else "", **told | more,
        )  # fmt: skip

    async def refused(self, request: Request, fault: Refused) -> Response:
        """The page, with what was wrong."""
        status, wait = (429 if fault.retry_after_s else 400), fault.retry_after_s or 0
        return await self.page(request, status, fault=f"fault.{fault.code}", wait=wait)

    async def codes(self, request: Request, form: Form, account: Account) -> Response:
        """One-time codes: begun, turned on by a first code, or off. Raises `Refused`."""
        came, code, secret = self.doors.came(request.scope), first(form, "code"), ""
        if first(form, "act") == "off":
            await self.doors.ask(self.desk.no_codes, account.name, code, came)
            return RedirectResponse("/account", 303)
        if not code:
            secret = codes.new_secret(self.desk.chance)
            uri = codes.address(secret, account.name)
            return await self.page(request, secret=secret, uri=uri, qr=Markup(svg(uri)))
        secret = first(form, "secret")
        if not _SECRET.fullmatch(secret):
            raise Problem(400, "secret_none")
        fresh = await self.doors.ask(self.desk.enrol, account.name, secret, code, came)
        return await self.page(request, fresh=fresh)


def account_routes(login: Login) -> APIRouter:
    """`/account`, and its forms."""
    root = APIRouter(include_in_schema=False)
    mine, doors, desk = _Mine(login), login.doors, login.doors.registrar.desk

    @root.get("/account")
    async def show(request: Request) -> Response:
        return await mine.page(request)

    @root.post("/account/password")
    async def password(request: Request) -> Response:
        form, account = await login.form(request), await mine.account(request)
        old = form.get("old", [""])[0]
        came = doors.came(request.scope)
        try:
            new = chosen(form)
            token = await doors.hash(desk.change_password, account.name, old, new, came)
        except Refused as fault:
            return await mine.refused(request, fault)
        return doors.give(RedirectResponse("/account", 303), request.scope, token)

    @root.post("/account/codes")
    async def one_time(request: Request) -> Response:
        form, account = await login.form(request), await mine.account(request)
        try:
            return await mine.codes(request, form, account)
        except Refused as fault:
            return await mine.refused(request, fault)

    @root.post("/account/sessions")
    async def end(request: Request) -> Response:
        form, account = await login.form(request), await mine.account(request)
        came = doors.came(request.scope)
        try:
            await doors.ask(desk.end_one, account.name, first(form, "session"), came)
        except Refused as fault:
            return await mine.refused(request, fault)
        return RedirectResponse("/account", 303)

    return root
