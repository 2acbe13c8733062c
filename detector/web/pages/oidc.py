"""Coming in by an OIDC provider (统一身份认证): there, and back with a code."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.accounts import Refused
from detector.accounts.audit import Deed
from detector.adapters.oidc import Begun, OidcFault, Provider
from detector.web.doorman import safe_next
from detector.web.doors import Doors
from detector.web.pages.login import Login

BACK = "/login/oidc/back"
COOKIE, COOKIE_S = "oriole-oidc", 600
_log = logging.getLogger("oriole.web")


def oidc_routes(login: Login, provider: Provider) -> APIRouter:
    """`/login/oidc` and where one comes back to."""
    root = APIRouter(include_in_schema=False)
    doors = login.doors

    @root.get("/login/oidc")
    async def go(request: Request) -> Response:
        going = safe_next(request.query_params.get("next", ""))
        back = _base(doors, request) + BACK
        try:
            url, begun = await asyncio.to_thread(provider.begin, back, going)
        except OidcFault as fault:
            return _refused(login, request, going, fault)
        response = RedirectResponse(url, 303)
        held = base64.urlsafe_b64encode(msgspec.json.encode(begun)).decode().rstrip("=")
        secure = doors.secure(request.scope)
        response.set_cookie(
            _cookie(secure), held, COOKIE_S, httponly=True, secure=secure, samesite="lax", path="/"
        )
        return response

    @root.get(BACK)
    async def come_back(request: Request) -> Response:
        told, came = dict(request.query_params), doors.came(request.scope)
        begun = _begun(request.cookies.get(_cookie(doors.secure(request.scope)), ""))
        state = told.get("state", "")
        if begun is None or not hmac.compare_digest(begun.state.encode(), state.encode()):
            return _refused(login, request, "/", OidcFault("it did not begin in this browser"))
        try:
            subject = await asyncio.to_thread(provider.end, begun, told, came.now_us // 1_000_000)
        except OidcFault as fault:
            return _refused(login, request, begun.going, fault)
        account = await doors.ask(doors.registrar.store.by_subject, subject)
        if account is None or account.disabled:
            name = account.name if account else ""
            deed = Deed(
                came.now_us, name, "", "login_refused", "oidc", "refused", came.address
            )  # fmt: skip
            await doors.ask(doors.registrar.audit.write, deed)
            return _refused(login, request, begun.going, OidcFault("nobody's account"))
        token, _ = await doors.ask(doors.registrar.desk.admit, account, came)
        response = await login.onward(request, token, "", begun.going)
        response.delete_cookie(_cookie(doors.secure(request.scope)))
        return response

    return root


def _refused(login: Login, request: Request, going: str, fault: OidcFault) -> Response:
    _log.warning("a login at the provider was refused: %s", fault)
    return login.page(request, "login.html.j2", going, Refused("oidc", str(fault)))


def _begun(told: str) -> Begun | None:
    try:
        data = base64.urlsafe_b64decode(told + "=" * (-len(told) % 4))
        return msgspec.json.decode(data, type=Begun)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None


def _base(doors: Doors, request: Request) -> str:
    """By which address browsers come: as was said, else as this one came."""
    scheme = "https" if doors.secure(request.scope) else "http"
    host: Any = request.headers.get("host", "localhost")
    return doors.public_url.rstrip("/") or f"{scheme}://{host}"


def _cookie(secure: bool) -> str:
    return f"__Host-{COOKIE}" if secure else COOKIE
