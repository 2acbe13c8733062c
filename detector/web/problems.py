"""Errors as problem+json (RFC 9457): what is wrong, where, and when to come again. No values."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from detector.ledger import LedgerError
from detector.live import Unavailable

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


def json_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, problem: bool = False
) -> Response:
    """Encoded JSON as a response that nobody keeps."""
    kind = "application/problem+json" if problem else "application/json"
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, kind)


def handle_problems(app: FastAPI) -> None:
    """Let every error of the application be answered with a problem."""
    for kind, handler in (
        (Problem, _said), (RequestValidationError, _invalid), (HTTPException, _http),
        (LedgerError, _ledger), (Exception, _defect),
    ):  # fmt: skip
        app.add_exception_handler(kind, handler)


async def _said(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, Problem)
    return answer(fault)


async def _invalid(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)
    first = fault.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:])
    return answer(Problem(400, f"{name}: {first['msg']}"))


async def _http(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)
    told = Problem(fault.status_code, str(fault.detail))
    told.headers = fault.headers or {}
    return answer(told)


async def _ledger(request: Request, fault: Exception) -> Response:
    _log.error("the ledger cannot be read", exc_info=fault)
    return answer(Problem(503, "the ledger cannot be read now; the log says why", 1))


async def _defect(request: Request, fault: Exception) -> Response:
    return answer(Problem(500, "this is a defect of Oriole; the log says more"))
