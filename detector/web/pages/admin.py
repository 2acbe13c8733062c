"""Accounts and keys (账户与密钥), for the administrator of security; and what everybody did."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.accounts import Refused
from detector.accounts.audit import Wanted
from detector.web.pages.forms import FIELDS_MAX, filters_of, first
from detector.web.pages.login import Form, Login
from detector.web.problems import Problem
from detector.web.who import GIVEN, POWERS, ROLES, who_in

DAY_US = 86_400_000_000
PAGE = 100
PER_MINUTE_MAX, DAYS_MAX = 1_000_000, 3_660


class _Keeping:
    """The page of accounts and keys."""

    def __init__(self, login: Login) -> None:
        self.login, self.doors = login, login.doors
        self.registrar = login.doors.registrar

    async def page(self, request: Request, status: int = 200, **more: Any) -> Response:
        """The page; `secret` is shown this once."""
        told = {"fault": "", "secret": "", "secret_of": ""} | more
        store, district = self.registrar.store, self.login.pages.engine().district
        return self.login.pages.render(
            request, "accounts.html.j2", status, roles=GIVEN, powers=POWERS,
            accounts=await self.doors.ask(store.accounts), keys=await self.doors.ask(store.keys),
            people=sorted(district.people), **told,
        )  # fmt: skip

    async def refused(self, request: Request, fault: Refused) -> Response:
        """The page, with what was wrong."""
        return await self.page(request, 400, fault=f"fault.{fault.code}")


def admin_routes(login: Login) -> APIRouter:
    """`/admin/accounts`, `/admin/keys`."""
    root = APIRouter(include_in_schema=False)
    keeping = _Keeping(login)
    _accounts(root, login, keeping)
    _keys(root, login, keeping)
    return root


def _accounts(root: APIRouter, login: Login, keeping: _Keeping) -> None:
    doors, registrar = login.doors, login.doors.registrar
    page, refused = keeping.page, keeping.refused

    @root.get("/admin/accounts")
    async def show(request: Request) -> Response:
        return await page(request)

    @root.post("/admin/accounts")
    async def add(request: Request) -> Response:
        form, by = await login.form(request), who_in(request.scope).account
        name = first(form, "name")
        told = (name, _role(form), _departments(form), first(form, "person"), by)
        try:
            given = await doors.hash(registrar.add, *told, doors.came(request.scope))
        except Refused as fault:
            return await refused(request, fault)
        return await page(request, 201, secret=given, secret_of=name)

    @root.post("/admin/accounts/{name}")
    async def change(name: str, request: Request) -> Response:
        form, by = await login.form(request), who_in(request.scope).account
        came, act = doors.came(request.scope), first(form, "act")
        if name == by:
            return await refused(request, Refused("self", "one's own account is another's to keep"))
        try:
            if act == "reset":
                given = await doors.hash(registrar.reset, name, by, came)
                return await page(request, secret=given, secret_of=name)
            if act in ("disable", "enable"):
                await doors.ask(registrar.disable, name, act == "disable", by, came)
            elif act == "change":
                told = (name, _role(form), _departments(form), first(form, "person"))
                await doors.ask(registrar.change, *told, by, came)
            else:
                raise Problem(400, "act_none")
        except Refused as fault:
            return await refused(request, fault)
        return RedirectResponse("/admin/accounts", 303)


def _keys(root: APIRouter, login: Login, keeping: _Keeping) -> None:
    doors, registrar = login.doors, login.doors.registrar
    page, refused = keeping.page, keeping.refused

    @root.post("/admin/keys")
    async def add_key(request: Request) -> Response:
        form, by = await login.form(request), who_in(request.scope).account
        name, role, came = first(form, "name"), _role(form), doors.came(request.scope)
        asked = form.get("power", [])[:FIELDS_MAX] or sorted(ROLES[role])
        powers = tuple(sorted(set(asked) & ROLES[role]))
        if not name or not powers:
            raise Problem(400, "key_name_powers")
        days = _number(form, "days", DAYS_MAX)
        expires = came.now_us + days * DAY_US if days else None
        per_minute = _number(form, "per_minute", PER_MINUTE_MAX) or 600
        told = (name, role, powers, _departments(form), by, came, per_minute, expires)
        key_id, whole = await doors.ask(registrar.add_key, *told)
        return await page(request, 201, secret=whole, secret_of=f"{name} {key_id}")

    @root.post("/admin/keys/{key_id}")
    async def revoke(key_id: str, request: Request) -> Response:
        await login.form(request)
        by, came = who_in(request.scope).account, doors.came(request.scope)
        try:
            await doors.ask(registrar.revoke, key_id, by, came)
        except Refused as fault:
            return await refused(request, fault)
        return RedirectResponse("/admin/accounts", 303)


def audit_routes(login: Login) -> APIRouter:
    """`/admin/audit`."""
    root = APIRouter(include_in_schema=False)
    doors = login.doors

    @root.get("/admin/audit")
    async def show(request: Request) -> Response:
        f = filters_of(request)
        before = f.get("before")
        if before and not (before.isascii() and before.isdigit() and len(before) < 18):
            raise Problem(400, "number_none", field="before")
        wanted = Wanted(f.get("actor"), f.get("act"), int(before or 0), PAGE + 1)
        lines = await doors.ask(doors.registrar.audit.lines, wanted)
        more, lines = len(lines) > PAGE, lines[:PAGE]
        return login.pages.render(
            request, "audit.html.j2", lines=lines, filters=f,
            next=f.address("/admin/audit", before=str(lines[-1].number)) if more else None,
        )  # fmt: skip

    return root


def _role(form: Form) -> str:
    role = first(form, "role")
    if role not in GIVEN:
        raise Problem(400, "role_unknown", known=", ".join(GIVEN))
    return role


def _departments(form: Form) -> tuple[str, ...] | None:
    """Codes with commas or blanks between; none is the whole district."""
    told = first(form, "departments").replace("，", ",").replace(",", " ").split()
    return tuple(sorted(set(told))) or None


def _number(form: Form, name: str, most: int) -> int:
    told = first(form, name)
    if not told:
        return 0
    if not (told.isascii() and told.isdigit() and len(told) < 9 and int(told) <= most):
        raise Problem(400, "number_to", field=name, most=most)
    return int(told)
