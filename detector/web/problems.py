"""Errors as problem+json (RFC 9457): what is wrong, where, and when to come again. No values."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from detector.live import Unavailable


class Problem(Exception):
    """An answer that is no success. `close`: the connection is of no more use."""

    def __init__(
        self, status: int, detail: str, retry_after_s: int | None = None, close: bool = False
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.retry_after_s, self.close = retry_after_s, close


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
    }
    headers: dict[str, str] = {}
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(fault.retry_after_s)
    if fault.close:
        headers["Connection"] = "close"
    return json_response(msgspec.json.encode(told), fault.status, headers, problem=True)


def json_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None, problem: bool = False
) -> Response:
    """Encoded JSON as a response that nobody keeps."""
    kind = "application/problem+json" if problem else "application/json"
    return Response(body, status, {"Cache-Control": "no-store", **(headers or {})}, kind)
