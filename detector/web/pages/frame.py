"""What every page stands in: its template, language, menu, and who looks at it."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from detector.adapters.machine import chance
from detector.engine import Engine
from detector.web import who
from detector.web.doors import csrf_of
from detector.web.mistakes import sentence
from detector.web.pages.evidence import Evidence
from detector.web.pages.names import Names, begun
from detector.web.problems import Problem
from detector.web.said import Said
from detector.web.static_files import static_url
from detector.web.times import Times
from detector.web.words import COOKIE, LANGUAGES, LOCALES, catalogue, language, words_of

_MENU = (  # address, key of its word, what one must be allowed
    ("/board", "nav.board", who.SEE),
    ("/notices", "nav.notices", who.SEE),
    ("/findings", "nav.findings", who.SEE),
    ("/departments", "nav.departments", who.SEE),
    ("/rules", "nav.rules", who.SEE),
    ("/models", "nav.models", who.SEE),
    ("/quality", "nav.quality", who.SEE),
    ("/admin/accounts", "nav.accounts", who.ACCOUNTS),
    ("/admin/audit", "nav.audit", who.AUDIT),
)
COOKIE_S = 365 * 86_400


class Pages:
    """Renders pages. `engine` gives what judges now: its district and rulebook name things."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        self.engine = engine
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).resolve().parents[1] / "templates"),
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._environment.globals["static_url"] = static_url
        self._environment.filters |= {
            "json": _json, "said": lambda told, lang: Said(told).in_(lang), "mistake": sentence,
            "department_pair": lambda one, names: (one, names.department(one)),
            "begun": begun,
            "state_pair": lambda one, names: (one, names.state(one)),
            "tier_pair": lambda one, names: (one, names.tier(one)),
            "rule_pair": lambda one, names: (one, names.rule(one)),
        }  # fmt: skip

    def render(
        self, request: Request, template: str, status: int = 200, **told: Any
    ) -> HTMLResponse:
        """A page in the language of its request."""
        lang, engine = language(request), self.engine()
        t = words_of(lang)
        names, times = Names(engine, lang, t), Times(engine.calendar, t)
        html = self._environment.get_template(template).render(
            t=t, lang=lang, locale=LOCALES[lang], names=names, me=who.who_in(request.scope),
            times=times, evidence=Evidence(names, times), district=engine.district,
            path=request.url.path,
            once=chance(16), menu=self._menu(request), csrf=csrf_of(request.scope),
            other=_other(request, lang),
            **told,
        )  # fmt: skip
        response = HTMLResponse(html, status, {"Cache-Control": "no-store"})
        if request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(COOKIE, lang, COOKIE_S, httponly=True, samesite="lax")
        return response

    def problem(self, request: Request, fault: Problem) -> HTMLResponse:
        """What went wrong, for people: `detector.web.problems.ShowProblem`."""
        known = f"error.{fault.status}" in catalogue(LANGUAGES[0])
        key = f"error.{fault.status}" if known else "error.other"
        return self.render(request, "error.html.j2", fault.status, fault=fault, key=key)

    def names(self, lang: str) -> Names:
        """What things are called in a language."""
        return Names(self.engine(), lang, words_of(lang))

    def _menu(self, request: Request) -> list[tuple[str, str]]:
        me = who.who_in(request.scope)
        return [(address, key) for address, key, power in _MENU if me.may(power)]


def _other(request: Request, lang: str) -> str:
    """The same page in the other language."""
    pairs = [(k, v) for k, v in request.query_params.multi_items() if k != "lang"]
    pairs.append(("lang", LANGUAGES[1 - LANGUAGES.index(lang)]))
    return "?" + urllib.parse.urlencode(pairs)


def _json(told: Any) -> Markup:
    """A value as a block of data in a page: nothing in it ends the block."""
    text = msgspec.json.encode(told).decode()
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))


def address(path: str, **query: object) -> str:
    """A path of ours with a query; what is empty is left out."""
    told = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urllib.parse.urlencode(told)}" if told else path


def part(text: str) -> str:
    """A text as one part of a path."""
    return urllib.parse.quote(text, safe="")
