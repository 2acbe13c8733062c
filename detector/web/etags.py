"""Answers that are asked for again are told by their mark (ETag) when nothing has changed.

The mark is a hash of the answer's bytes, so whatever one may see or not see is in it. A browser may
keep such an answer, and asks each time whether it still holds.
"""

from __future__ import annotations

import hashlib

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CACHE = "private, no-cache"
_BYTES = 16


class Etags:
    """An ASGI application around another: marks what it answers a GET under `/api/` with 200."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not _marked(scope["path"]):
            await self.app(scope, receive, send)
            return
        start: Message | None = None

        async def told(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _whole_json(message):
                start = message
                return
            if start is not None:
                held, start = start, None
                if not message.get("more_body", False):
                    message = _compared(scope, held, message)
                await send(held)
            await send(message)

        await self.app(scope, receive, told)


def _marked(path: str) -> bool:
    return path.startswith("/api/") and not path.endswith("/stream")


def _whole_json(start: Message) -> bool:
    kind = MutableHeaders(raw=start["headers"]).get("content-type", "")
    return bool(start["status"] == 200) and kind.startswith("application/json")


def _compared(scope: Scope, start: Message, body: Message) -> Message:
    """What is sent as body; `start` becomes a 304 where the client has it."""
    told = body.get("body", b"")
    mark = f'"{hashlib.blake2b(told, digest_size=_BYTES).hexdigest()}"'
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["ETag"], headers["Cache-Control"] = mark, CACHE
    if mark in _known(scope):
        start["status"] = 304
        del headers["content-length"], headers["content-type"]
        body = {**body, "body": b""}
    start["headers"] = headers.raw
    return body


def _known(scope: Scope) -> set[str]:
    """The marks that a client says it has; compared weakly, as RFC 9110 asks of a GET."""
    told = b",".join(value for name, value in scope["headers"] if name == b"if-none-match")
    return {one.strip().removeprefix("W/") for one in told.decode("latin-1").split(",")}
