"""Errors as problem+json (RFC 9457): what is wrong, where, and when to come again.

Whoever raises names a `code`; the sentence is the catalogue's, in the language that the request
asks for (`words`). `type`, `status`, `code` and names of fields are the same in every language.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from detector.ledger import LedgerError
from detector.live import Unavailable
from detector.web.said import Said
from detector.web.words import LOCALES, catalogue, language, language_of, words_of

PAGE = "problem_page"  # where the application's state holds what shows a problem to people
_log = logging.getLogger("oriole.web")


class Problem(Exception):
    """An answer that is no success: `problem.<code>` of the catalogues, with values in its places.

    `close`: the connection is of no more use. A value that is `Said` is put into words itself.
    """

    def __init__(
        self, status: int, code: str, /, *, retry_after_s: int | None = None, close: bool = False,
        **values: object,
    ) -> None:  # fmt: skip
        super().__init__(code)
        self.status, self.code, self.values = status, code, values
        self.retry_after_s, self.close = retry_after_s, close
        self.headers: Mapping[str, str] = {}  # more of them
        self.more: Mapping[str, Any] = {}  # members beside those of every problem

    def title(self, lang: str) -> str:
        """What kind of answer this is."""
        otherwise = HTTPStatus(self.status).phrase
        return catalogue(lang).get(f"problem.title.{self.status}", otherwise)

    def detail(self, lang: str) -> str:
        """What is wrong here."""
        return words_of(lang)(f"problem.{self.code}", **_said(self.values, lang))


ShowProblem = Callable[[Request, Problem], Response]


def problem_of(fault: Unavailable) -> Problem:
    """What the service could not do, as an answer."""
    return Problem(
        fault.status, "unavailable", retry_after_s=fault.retry_after_s, why=Said(fault.reason)
    )


def answer(fault: Problem, scope: Scope) -> Response:
    """The response of a problem, in the language that its request asks for."""
    lang = language_of(scope)
    told = {
        "type": "about:blank",
        "title": fault.title(lang),
        "status": fault.status,
        "code": fault.code,
        "detail": fault.detail(lang),
        **_said(fault.more, lang),
    }
    body = msgspec.json.encode(told)
    return json_response(body, fault.status, _headers(fault, lang), problem=True)


def answer_to(scope: Scope, fault: Problem) -> Response:
    """The same: as a page where a browser asked for a page, and there are pages."""
    show: ShowProblem | None = getattr(scope["app"].state, PAGE, None)
    accepts = dict(scope["headers"]).get(b"accept", b"")
    if show is None or b"text/html" not in accepts or scope["path"].startswith("/api/"):
        return answer(fault, scope)
    request = Request(scope)
    page = show(request, fault)
    for name, value in _headers(fault, language(request)).items():
        page.headers[name] = value
    return page


def _said(values: Mapping[str, Any], lang: str) -> dict[str, Any]:
    return {k: v.in_(lang) if isinstance(v, Said) else v for k, v in values.items()}


def _headers(fault: Problem, lang: str) -> dict[str, str]:
    told = {"Content-Language": LOCALES[lang], "Vary": "Accept, Accept-Language, Cookie"}
    if fault.retry_after_s is not None:
        told["Retry-After"] = str(fault.retry_after_s)
    if fault.close:
        told["Connection"] = "close"
    return told | dict(fault.headers)


def json_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, problem: bool = False
) -> Response:
    """Encoded JSON as a response that nobody keeps."""
    kind = "application/problem+json" if problem else "application/json"
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, kind)


def handle_problems(app: FastAPI, show: ShowProblem | None = None) -> None:
    """Let every error of the application be answered with a problem; `show` makes a page of it."""
    setattr(app.state, PAGE, show)
    for kind, handler in (
        (Problem, _raised), (RequestValidationError, _invalid), (HTTPException, _http),
        (LedgerError, _ledger), (Exception, _defect),
    ):  # fmt: skip
        app.add_exception_handler(kind, handler)


async def _raised(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Problem)
    return answer_to(request.scope, fault)


async def _invalid(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    first = fault.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:])
    return answer_to(request.scope, Problem(400, "field", field=name, why=Said(first["msg"])))


async def _http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    told = Problem(fault.status_code, "http", why=Said(str(fault.detail)))
    told.headers = fault.headers or {}
    return answer_to(request.scope, told)


async def _ledger(request: Request, fault: Exception) -> Response:
    _log.error("the ledger cannot be read", exc_info=fault)
    return answer_to(request.scope, Problem(503, "ledger_unread", retry_after_s=1))


async def _defect(request: Request, fault: Exception) -> Response:
    return answer_to(request.scope, Problem(500, "defect"))
