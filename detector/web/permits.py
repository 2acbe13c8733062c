"""Who may ask what: one row a route. A route that has no row here is refused to everybody.

`tests/test_doorman.py` walks all routes with all roles against this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import Match, Mount, compile_path
from starlette.types import Scope

from detector.web.who import (
    ACCOUNTS,
    ANSWER,
    AUDIT,
    DECIDE,
    EXPORT,
    GATE,
    LEAD,
    PERSONS,
    RULES,
    SEE,
    SEND,
    SYSTEM,
)

OPEN, ANYBODY, NEAR = "open", "anybody", "near"  # words in place of powers


@dataclass(frozen=True)
class Permit:
    """What a route asks of whoever comes: one of these powers.

    `open`: nothing; it asks by itself, or shows nothing. `anybody`: to have come in. `near`:
    nothing of a program on this machine (probes, collectors), of others power `system`.
    """

    powers: tuple[str, ...]
    audited: bool = False  # each use is a row of the audit
    form: bool = False  # it takes a form, and calls `check_csrf` with it
    stage: bool = False  # also for a session that still lacks a stage


def _reads(*powers: str) -> Permit:
    return Permit(powers)


def _acts(*powers: str) -> Permit:
    return Permit(powers, audited=True)


def _form(*powers: str, stage: bool = False) -> Permit:
    """A form that writes its own, fuller row."""
    return Permit(powers, form=True, stage=stage)


_V1 = "/api/v1"
PERMITS: dict[tuple[str, str], Permit] = {
    # the interface
    ("POST", f"{_V1}/events"): _reads(SEND),  # the journal itself says what was sent
    ("GET", f"{_V1}/stream"): _reads(SEE),
    ("GET", f"{_V1}/findings"): _reads(SEE),
    ("GET", f"{_V1}/findings/{{finding_id}}"): _reads(SEE),
    ("POST", f"{_V1}/findings/{{finding_id}}/verdict"): _acts(ANSWER, LEAD),
    ("GET", f"{_V1}/cases/{{case_id:path}}"): _reads(SEE),
    ("GET", f"{_V1}/refusals"): _reads(SYSTEM),  # whole lines, of whichever department
    ("GET", f"{_V1}/counts"): _reads(SEE),
    ("GET", f"{_V1}/rules"): _reads(SEE),
    ("GET", f"{_V1}/rules/{{rule}}"): _reads(SEE),
    ("GET", f"{_V1}/rules/{{rule}}/thresholds"): _reads(SEE),
    ("GET", f"{_V1}/models"): _reads(SEE),
    ("GET", f"{_V1}/models/{{learner}}"): _reads(SEE),
    ("GET", f"{_V1}/models/{{learner}}/epochs"): _reads(SEE),
    ("POST", f"{_V1}/models/{{learner}}/acts"): _acts(RULES),
    ("GET", f"{_V1}/notices"): _reads(SEE),
    ("GET", f"{_V1}/notices/{{notice}}"): _reads(SEE),
    ("POST", f"{_V1}/notices"): _acts(LEAD),
    ("POST", f"{_V1}/notices/{{notice}}/acts"): _acts(ANSWER, LEAD, DECIDE),
    ("GET", f"{_V1}/notices/{{notice}}/document"): _acts(EXPORT),
    ("GET", f"{_V1}/notices/{{notice}}/attachments"): _reads(SEE),
    ("GET", f"{_V1}/attachments/{{sha256}}"): _acts(SEE),
    ("POST", f"{_V1}/gate"): _reads(GATE),
    ("GET", f"{_V1}/board"): _reads(SEE),
    ("GET", f"{_V1}/dead-letters"): _reads(SYSTEM),
    ("POST", f"{_V1}/dead-letters/{{message}}/resend"): _acts(SYSTEM),
    ("POST", f"{_V1}/district/reload"): _acts(SYSTEM),
    ("POST", f"{_V1}/receipts/{{channel}}"): _reads(OPEN),  # the channel knows its gateway
    # machines, and what is the same for all
    ("GET", "/healthz"): _reads(OPEN),
    ("GET", "/readyz"): _reads(NEAR),
    ("GET", "/metrics"): _reads(NEAR),
    ("GET", "/static/{path:path}"): _reads(OPEN),
    ("GET", "/api/openapi.json"): _reads(ANYBODY),
    ("GET", "/api/docs"): _reads(ANYBODY),
    # pages
    ("GET", "/"): _reads(SEE),
    ("GET", "/board"): _reads(SEE),
    ("GET", "/board/events"): _reads(SEE),
    ("GET", "/notices"): _reads(SEE),
    ("POST", "/notices"): Permit((ANSWER, LEAD), audited=True, form=True),
    ("GET", "/notices/{notice}"): _reads(SEE),
    ("POST", "/notices/{notice}"): Permit((ANSWER, LEAD, DECIDE), audited=True, form=True),
    ("GET", "/findings"): _reads(SEE),
    ("GET", "/findings/{finding_id}"): _reads(SEE),
    ("POST", "/findings/{finding_id}"): Permit((ANSWER, LEAD), audited=True, form=True),
    ("GET", "/export/findings.{kind}"): _acts(EXPORT),
    ("GET", "/export/notices.{kind}"): _acts(EXPORT),
    ("GET", "/cases/{case_id:path}"): _reads(SEE),
    ("GET", "/departments"): _reads(SEE),
    ("GET", "/departments/{code}"): _reads(SEE),
    ("GET", "/operators/{person}"): _acts(PERSONS),
    ("GET", "/rules"): _reads(SEE),
    ("GET", "/rules/{rule}"): _reads(SEE),
    ("POST", "/rules/{rule}"): _form(RULES),
    ("GET", "/rules/{rule}/thresholds"): _reads(SEE),
    ("GET", "/models"): _reads(SEE),
    ("GET", "/models/{learner}"): _reads(SEE),
    ("POST", "/models/{learner}"): Permit((RULES,), audited=True, form=True),
    ("GET", "/quality"): _reads(SEE),
    ("POST", "/quality"): Permit((SEND,), audited=True, form=True),
    ("POST", "/quality/letters"): Permit((SYSTEM,), audited=True, form=True),
    ("GET", "/search"): _reads(SEE),
    ("GET", "/n/{token}"): _reads(OPEN),  # a signed link
    ("POST", "/n/{token}"): Permit((OPEN,), audited=True),
    ("GET", "/login"): _reads(OPEN),
    ("POST", "/login"): _form(OPEN),
    ("GET", "/login/code"): Permit((ANYBODY,), stage=True),
    ("POST", "/login/code"): _form(ANYBODY, stage=True),
    ("GET", "/login/password"): Permit((ANYBODY,), stage=True),
    ("POST", "/login/password"): _form(ANYBODY, stage=True),
    ("GET", "/login/oidc"): _reads(OPEN),
    ("GET", "/login/oidc/back"): _reads(OPEN),
    ("POST", "/logout"): _form(ANYBODY, stage=True),
    ("GET", "/account"): _reads(ANYBODY),
    ("POST", "/account/password"): _form(ANYBODY),
    ("POST", "/account/codes"): _form(ANYBODY),
    ("POST", "/account/sessions"): _form(ANYBODY),
    ("GET", "/admin/accounts"): _acts(ACCOUNTS),
    ("POST", "/admin/accounts"): _form(ACCOUNTS),
    ("POST", "/admin/accounts/{name}"): _form(ACCOUNTS),
    ("POST", "/admin/keys"): _form(ACCOUNTS),
    ("POST", "/admin/keys/{key_id}"): _form(ACCOUNTS),
    ("GET", "/admin/audit"): _acts(AUDIT),
}
_COMPILED = [
    (method, compile_path(template)[0], permit)
    for (method, template), permit in sorted(PERMITS.items(), key=lambda one: "{" in one[0][1])
]


def permit_of(method: str, path: str) -> Permit | None:
    """The row for a request; HEAD is as GET."""
    wanted = "GET" if method == "HEAD" else method
    return next((p for m, regex, p in _COMPILED if m == wanted and regex.match(path)), None)


def leads_somewhere(routes: Iterable[Any], scope: Scope) -> bool:
    """Is there a route for a request."""
    return any(route.matches(scope)[0] is Match.FULL for route in routes)


def unpermitted(routes: Iterable[Any]) -> list[tuple[str, str]]:
    """(method, template) of the routes that have no row."""
    return [one for one in asked(routes) if one not in PERMITS]


def asked(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """(method, template) of all routes; a mounted folder is one."""
    for one in iter_route_contexts(list(routes)):
        route: Any = one
        if isinstance(getattr(one, "original_route", one), Mount):
            yield "GET", f"{route.path}/{{path:path}}"
            continue
        for method in sorted(set(route.methods or ("ANY",)) - {"HEAD"}):
            yield method, route.path
