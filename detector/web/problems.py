"""Errors as problem+json (RFC 9457): what is wrong, where, and when to come again. No values."""

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

PAGE = "problem_page"  # where the application's state holds what shows a problem to people
_log = logging.getLogger("oriole.web")


class Problem(Exception):
    """An answer that is no success. `close`: the connection is of no more use."""

    def __init__(
        self, status: int, detail: str, retry_after_s: int | None = None, close: bool = False
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.retry_after_s, self.close = retry_after_s, close
        self.headers: Mapping[str, str] = {}  # more of them
        self.more: Mapping[str, Any] = {}  # members beside those of every problem


ShowProblem = Callable[[Request, Problem], Response]


def problem_of(fault: Unavailable) -> Problem:
    """What the service could not do, as an answer."""
    return Problem(fault.status, fault.reason, fault.retry_after_s)


def answer(fault: Problem) -> Response:
    """The response of a problem."""
    told = {
        "type": "about:blank",
        "title": HTTPStatus(fault.status).phrase,
        "status": fault.status,
        "detail": fault.detail,
        **fault.more,
    }
    headers: dict[str, str] = {}
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(fault.retry_after_s)
    if fault.close:
        headers["Connection"] = "close"
    headers |= fault.headers
    return json_response(msgspec.json.encode(told), fault.status, headers, problem=True)


def answer_to(scope: Scope, fault: Problem) -> Response:
    """The same: as a page where a browser asked for a page, and there are pages."""
    told = answer(fault)
    show: ShowProblem | None = getattr(scope["app"].state, PAGE, None)
    accepts = dict(scope["headers"]).get(b"accept", b"")
    if show is None or b"text/html" not in accepts or scope["path"].startswith("/api/"):
        return told
    page = show(Request(scope), fault)
    for name, value in told.headers.items():
        if name not in ("content-type", "content-length"):
            page.headers[name] = value
    return page


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
        (Problem, _said), (RequestValidationError, _invalid), (HTTPException, _http),
        (LedgerError, _ledger), (Exception, _defect),
    ):  # fmt: skip
        app.add_exception_handler(kind, handler)


async def _said(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Problem)
    return answer_to(request.scope, fault)


async def _invalid(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    first = fault.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:])
    return answer_to(request.scope, Problem(400, f"{name}: {first['msg']}"))


async def _http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    told = Problem(fault.status_code, str(fault.detail))
    told.headers = fault.headers or {}
    return answer_to(request.scope, told)


async def _ledger(request: Request, fault: Exception) -> Response:
    _log.error("the ledger cannot be read", exc_info=fault)
    told = Problem(503, "the ledger cannot be read now; the log says why", 1)
    return answer_to(request.scope, told)


async def _defect(request: Request, fault: Exception) -> Response:
    return answer_to(request.scope, Problem(500, "this is a defect of Oriole; the log says more"))
