"""Coming in and going out (登录): name and password, a code, a first password of one's own."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.accounts import CODE, PASSWORD, Refused
from detector.web.bodies import Bodies
from detector.web.doorman import home_of, safe_next, stage_page
from detector.web.doors import TOKEN, Doors, session_of, who_is
from detector.web.pages.forms import first, form_of
from detector.web.pages.frame import Pages, address
from detector.web.who import who_in

Form = dict[str, list[str]]


class Login:
    """What the pages of the login share."""

    def __init__(self, pages: Pages, doors: Doors, bodies: Bodies) -> None:
        self.pages, self.doors, self.bodies = pages, doors, bodies

    def page(
        self, request: Request, template: str, going: str, fault: Refused | None = None
    ) -> Response:
        """A page of the login, with what was wrong."""
        told: dict[str, Any] = {"fault": "", "wait": 0, "going": safe_next(going)}
        status = 200
        if fault is not None:
            told |= {"fault": f"fault.{fault.code}", "wait": fault.retry_after_s or 0}
            status = 429 if fault.retry_after_s else 401 if fault.code.startswith("wrong") else 400
        response = self.pages.render(request, template, status, oidc=self.doors.oidc, **told)
        if fault is not None and fault.retry_after_s:
            response.headers["Retry-After"] = str(fault.retry_after_s)
        return response

    async def form(self, request: Request) -> Form:
        """A form of ours. Raises `Problem`."""
        return await form_of(request, self.bodies)

    async def onward(self, request: Request, token: str, stage: str, going: str) -> Response:
        """Give the browser its session, and send it to what is next."""
        found = await self.doors.ask(self.doors.registrar.desk.who, token, self.doors.now())
        to = safe_next(going)
        if stage:
            to = address(stage_page(stage), next="" if to == "/" else to)
        elif to == "/" and found is not None:
            to = home_of(who_is(found[1]))
        return self.doors.give(RedirectResponse(to, 303), request.scope, token)


def login_routes(login: Login) -> APIRouter:
    """`/login`, `/login/code`, `/login/password`, `/logout`."""
    root = APIRouter(include_in_schema=False)
    for add in (_by_name, _by_code, _by_new_password):
        add(root, login)
    doors = login.doors

    @root.post("/logout")
    async def leave(request: Request) -> Response:
        await login.form(request)
        scope = request.scope
        if TOKEN in scope:
            await doors.ask(doors.registrar.desk.logout, scope[TOKEN], doors.came(scope))
        return doors.give(RedirectResponse("/login", 303), scope, "")

    return root


def _by_name(root: APIRouter, login: Login) -> None:
    doors, desk = login.doors, login.doors.registrar.desk

    @root.get("/login")
    async def show(request: Request) -> Response:
        going, session = request.query_params.get("next", ""), session_of(request.scope)
        if session is not None and session.stage:
            return RedirectResponse(address(stage_page(session.stage), next=going), 303)
        if who_in(request.scope).account:
            return RedirectResponse(safe_next(going), 303)
        return login.page(request, "login.html.j2", going)

    @root.post("/login")
    async def come_in(request: Request) -> Response:
        form = await login.form(request)
        going, name = first(form, "next"), first(form, "name")
        password = form.get("password", [""])[0]
        came = doors.came(request.scope)
        try:
            token, stage = await doors.hash(desk.login, name, password, came)
        except Refused as fault:
            return login.page(request, "login.html.j2", going, fault)
        if TOKEN in request.scope:  # whoever was here before is out
            await doors.ask(desk.logout, request.scope[TOKEN], came)
        return await login.onward(request, token, stage, going)


def _by_code(root: APIRouter, login: Login) -> None:
    doors, desk = login.doors, login.doors.registrar.desk

    @root.get("/login/code")
    async def show_code(request: Request) -> Response:
        return _at(request, CODE) or login.page(
            request, "login_code.html.j2", request.query_params.get("next", "")
        )

    @root.post("/login/code")
    async def code(request: Request) -> Response:
        form, scope = await login.form(request), request.scope
        going = first(form, "next")
        elsewhere = _at(request, CODE)
        if elsewhere:
            return elsewhere
        try:
            stage = await doors.ask(desk.code, scope[TOKEN], first(form, "code"), doors.came(scope))
        except Refused as fault:
            return login.page(request, "login_code.html.j2", going, fault)
        return await login.onward(request, scope[TOKEN], stage, going)


def _by_new_password(root: APIRouter, login: Login) -> None:
    doors, desk = login.doors, login.doors.registrar.desk

    @root.get("/login/password")
    async def show_password(request: Request) -> Response:
        return _at(request, PASSWORD) or login.page(
            request, "login_password.html.j2", request.query_params.get("next", "")
        )

    @root.post("/login/password")
    async def password(request: Request) -> Response:
        form, scope = await login.form(request), request.scope
        going = first(form, "next")
        elsewhere = _at(request, PASSWORD)
        if elsewhere:
            return elsewhere
        try:
            new = chosen(form)
            token = await doors.hash(desk.first_password, scope[TOKEN], new, doors.came(scope))
        except Refused as fault:
            return login.page(request, "login_password.html.j2", going, fault)
        return await login.onward(request, token, "", going)


def chosen(form: Form) -> str:
    """A new password that was typed twice alike. Raises `Refused`."""
    new, again = (form.get(name, [""])[0] for name in ("new", "again"))
    if new != again:
        raise Refused("differs", "the two are not alike")
    return new


def _at(request: Request, stage: str) -> Response | None:
    """Where a browser goes that does not stand at this stage."""
    session = session_of(request.scope)
    if session is not None and session.stage == stage:
        return None
    return RedirectResponse("/login" if session is None or session.stage else "/", 303)
