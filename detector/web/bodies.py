"""Reading request bodies within bounds of size, time and number.

Nothing beyond the bounds is kept. The rest of a refused body is thrown away for a moment after the
answer has been sent: closing at once would reset the connection, and most clients would see a
broken pipe in place of the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.types import Message, Receive, Scope, Send

from detector.web.problems import Problem, answer
from detector.web.settings import Settings


class Gone(Exception):
    """The client went away before its body was whole."""


class Bodies:
    """Reads bodies; knows how many are being read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.reading = 0
        self._waits: set[asyncio.Timeout] = set()
        self._closed = False

    def close(self) -> None:
        """Give up bodies that are not whole: the service ends."""
        self._closed = True
        for wait in self._waits:
            wait.reschedule(asyncio.get_running_loop().time())

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """The whole body. Raises `Problem`, which `refuse` is to answer, and `Gone`."""
        bounds = self._settings
        told = dict(scope["headers"])
        length = told.get(b"content-length", b"")
        if told.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Problem(415, "body_encoded", close=True)
        if length.isdigit() and int(length[:18]) > bounds.body_bytes_max:
            raise self._too_large()
        async with self.slot(bounds.body_timeout_s):
            return await self._whole(receive)

    @asynccontextmanager
    async def slot(self, timeout_s: float) -> AsyncIterator[None]:
        """Room and time for one body. Raises `Problem` where there is none, or no more."""
        if self.reading >= self._settings.uploads_max:
            raise Problem(503, "bodies_too_many", retry_after_s=1, close=True)
        self.reading += 1
        wait = asyncio.timeout(timeout_s)
        try:
            async with wait:
                self._waits.add(wait)
                yield
        except TimeoutError:
            if self._closed:
                raise Problem(503, "stopping", close=True) from None
            raise Problem(408, "body_late", close=True, s=f"{timeout_s:g}") from None
        finally:
            self._waits.discard(wait)
            self.reading -= 1

    async def _whole(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part = message.get("body", b"")
            size += len(part)
            if size > self._settings.body_bytes_max:
                raise self._too_large()
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_large(self) -> Problem:
        bound = self._settings.body_bytes_max
        return Problem(413, "body_too_large", close=True, bytes=bound)

    async def refuse(self, fault: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and close the connection once the client has had time to read the answer."""
        if self._closed or fault.status == 408:  # no time, or nothing in the answer's way
            await answer(fault, scope)(scope, receive, send)
            return

        async def unfinished(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "more_body": True}
            await send(message)

        await answer(fault, scope)(scope, receive, unfinished)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.linger_s):
                await _throw_away(receive)
        await send({"type": "http.response.body", "body": b""})


async def _throw_away(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return
