"""In front of all routes: who comes, whether they may, and that it is written down.

Plain ASGI: bodies and frames pass through untouched. One table (`permits`) says what each route
asks; what is not in it is refused. Pages send whoever has not come in to the login, programs get a
problem.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from detector.accounts import CODE
from detector.ledger import LedgerError
from detector.web.doors import Doors, is_csrf, session_of
from detector.web.guard import SAFE
from detector.web.permits import ANYBODY, NEAR, OPEN, Permit, leads_somewhere, permit_of
from detector.web.problems import Problem, answer, answer_to
from detector.web.who import LOCAL_ADMIN, NOBODY, STILL, SYSTEM, WHO, Who

CSRF_HEADER, CSRF_FIELD = b"x-csrf-token", "csrf"
LOGIN = "/login"
_FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data")


class _Elsewhere(Exception):
    """The browser is sent to another page."""


class Doorman:
    """An ASGI application around another. Without doors everybody is the local administrator."""

    def __init__(self, app: ASGIApp, doors: Doors | None = None) -> None:
        self.app, self._doors = app, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        permit = permit_of(scope["method"], scope["path"])
        try:
            who = await self._admitted(scope, permit)
        except _Elsewhere as to:
            await RedirectResponse(str(to), 303)(scope, receive, send)
            return
        except Problem as fault:
            scope.setdefault(WHO, NOBODY)
            await answer_to(scope, fault)(scope, receive, send)
            return
        except LedgerError:
            scope.setdefault(WHO, NOBODY)
            unread = Problem(503, "accounts_unread", retry_after_s=1)
            await answer_to(scope, unread)(scope, receive, send)
            return
        about_a_person = b"operator=" in scope["query_string"]
        if self._doors is not None and permit and (permit.audited or about_a_person):
            await self._audited(scope, receive, send, who)
        else:
            await self.app(scope, receive, send)

    # -- who, and whether -------------------------------------------------------------------------

    async def _admitted(self, scope: Scope, permit: Permit | None) -> Who | None:
        """Who comes, where they may. Raises `Problem` and `_Elsewhere`."""
        scope[WHO] = NOBODY
        if permit is not None and permit.powers == (OPEN,):
            return await self._at_the_open_door(scope)
        who = LOCAL_ADMIN if self._doors is None else await self._doors.who(scope)
        if permit is not None and permit.powers == (NEAR,):
            if self._doors is None or self._doors.near(scope):
                return NOBODY
            permit = Permit((SYSTEM,))
        if who is None:
            raise _stranger(scope)
        _through_all_stages(scope, permit)
        session = session_of(scope)
        scope[WHO] = NOBODY if session is not None and session.stage else who
        if permit is None:
            if leads_somewhere(scope["app"].routes, scope):
                raise Problem(403, "nobody_may")
            return who  # the router says that there is no such thing
        if permit.powers != (ANYBODY,) and not any(map(who.may, permit.powers)):
            await self._denied(scope, who)
        _from_our_page(scope, permit)
        if self._doors is not None:
            scope[STILL] = functools.partial(self._doors.still, scope)
        return who

    async def _at_the_open_door(self, scope: Scope) -> Who | None:
        """Nobody is asked; the login alone wants to know whether somebody is in already."""
        if self._doors is None or not scope["path"].startswith(LOGIN):
            return None
        if any(name == b"authorization" for name, _ in scope["headers"]):
            return None
        who = await self._doors.who(scope)
        if who is not None:
            scope[WHO] = who
        return who

    async def _denied(self, scope: Scope, who: Who) -> None:
        if scope["path"] == "/" and scope["method"] in SAFE:
            raise _Elsewhere(home_of(who))
        if self._doors is not None:
            await self._doors.tell(scope, who, f"{scope['method']} denied", scope["path"], "403")
        raise Problem(403, "account_may_not")

    # -- what was done ----------------------------------------------------------------------------

    async def _audited(
        self, scope: Scope, receive: Receive, send: Send, who: Who | None
    ) -> None:  # fmt: skip
        """Nothing is answered before it is written down."""
        doors = self._doors
        assert doors is not None
        lost = False
        query = scope["query_string"].decode("latin-1")
        what = scope["path"] + (f"?{query}" if query else "")
        if who is None:
            what = "/n/…"  # a signed link is a secret

        async def told(message: Message) -> None:
            nonlocal lost
            if message["type"] == "http.response.start":
                try:
                    await doors.tell(scope, who, scope["method"], what, str(message["status"]))
                except LedgerError:
                    lost = True
                    fault = Problem(503, "audit_unwritten", retry_after_s=1)
                    await answer(fault, scope)(scope, receive, send)
            if not lost:
                await send(message)

        try:
            await self.app(scope, receive, told)
        except Exception:
            await doors.tell(scope, who, scope["method"], what, "500")
            raise


def _stranger(scope: Scope) -> Exception:
    """What whoever has not come in is answered."""
    path = scope["path"]
    if path.startswith("/api/") or scope["method"] not in SAFE or path in ("/readyz", "/metrics"):
        fault = Problem(401, "come_in")
        fault.headers = {"WWW-Authenticate": "Bearer"}
        return fault
    query = scope["query_string"].decode("latin-1")
    wanted = quote(path, safe="/") + (f"?{query}" if query else "")
    return _Elsewhere(LOGIN if wanted == "/" else f"{LOGIN}?next={quote(wanted, safe='')}")


def _through_all_stages(scope: Scope, permit: Permit | None) -> None:
    """Half a session shows its next page alone."""
    session = session_of(scope)
    if session is None or not session.stage or (permit is not None and permit.stage):
        return
    if scope["path"].startswith("/api/") or scope["method"] not in SAFE:
        raise Problem(401, "login_unfinished")
    raise _Elsewhere(stage_page(session.stage))


def stage_page(stage: str) -> str:
    """Where a session goes on that lacks a stage."""
    return f"{LOGIN}/code" if stage == CODE else f"{LOGIN}/password"


def _from_our_page(scope: Scope, permit: Permit) -> None:
    """A browser's cookie alone changes nothing: the page's own word must come with it."""
    if scope["method"] in SAFE or session_of(scope) is None:
        return
    told = dict(scope["headers"])
    kind = told.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if permit.form and kind in _FORMS:
        return  # the route reads the form, and calls `check_csrf`
    if not is_csrf(scope, told.get(CSRF_HEADER, b"").decode("latin-1")):
        raise Problem(403, "csrf_header")


def check_csrf(request: Request, form: Mapping[str, Any]) -> None:
    """The same for a form, by its field `csrf`. Raises `Problem` 403."""
    if not is_csrf(request.scope, str(form.get(CSRF_FIELD, ""))):
        raise Problem(403, "csrf_form")


def home_of(who: Who) -> str:
    """Where somebody begins who may not see the board."""
    if who.may("see"):
        return "/"
    return next(
        (page for power, page in (("accounts", "/admin/accounts"), ("audit", "/admin/audit"))
         if who.may(power)),
        "/account",
    )  # fmt: skip


def safe_next(told: str) -> str:
    """A page of this site to go on to; "/" for anything else that somebody wrote there."""
    plain = all("!" <= c <= "~" for c in told) and "\\" not in told
    ours = told.startswith("/") and not told.startswith("//")
    away = told.startswith((LOGIN, "/logout"))
    return told if plain and ours and not away else "/"
