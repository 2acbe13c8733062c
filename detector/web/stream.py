"""`GET /api/v1/stream`: one viewer's connection, from joining to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from detector.ledger import LedgerError
from detector.web.hub import Hub, Viewer, encode_event, encode_resync
from detector.web.problems import Problem, answer
from detector.web.readers import Readers

PAGE = 500  # moves read from the ledger at a time
ABORT = "oriole.abort"  # an ASGI extension of our server: drops the connection
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Stream:
    """An ASGI application: server-sent events."""

    def __init__(self, hub: Hub, readers: Readers) -> None:
        self.hub, self.readers = hub, readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what was missed, then whatever comes, until either side ends it."""
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await send({"type": "http.response.body", "body": b""})
            return
        viewer = self.hub.join()
        if viewer is None:
            full = Problem(503, "there is no room for another stream now", 5, close=True)
            await answer(full)(scope, receive, send)
            return
        viewer.abort = (scope.get("extensions") or {}).get(ABORT)
        gone = asyncio.create_task(_gone(receive, viewer))
        try:
            await self._serve(viewer, _last_id(scope), send)
        finally:
            gone.cancel()
            self.hub.leave(viewer)

    async def _serve(self, viewer: Viewer, last: str | None, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        async for frame in self._frames(viewer, last):
            if viewer.cut:
                break
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _frames(self, viewer: Viewer, last: str | None) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        if last is None:
            # an id without data moves the browser's Last-Event-ID and shows nothing
            yield b"id: %b-%d\n\n" % (self.hub.epoch.encode(), viewer.after)
        else:
            async for frame in self._missed(viewer, last):
                if viewer.ended:
                    return
                yield frame
        while (next_one := await viewer.next()) is not None:
            yield next_one

    async def _missed(self, viewer: Viewer, last: str) -> AsyncIterator[bytes]:
        """What came after `last` and is not in the viewer's queue, or a resync."""
        hub, upto = self.hub, viewer.after
        after = hub.number_of(last)
        if after is None:
            yield encode_resync(hub.epoch, upto, "another ledger")
            return
        ring = hub.from_ring(after, upto)
        if ring is not None:
            yield b"".join(ring)
            return
        if upto - after > hub.settings.catch_up_max:
            yield encode_resync(hub.epoch, upto, "too long ago")
            return
        while after < upto:
            try:
                page = await self._page(after, upto)
            except (LedgerError, Problem):
                page = []
            if not page:
                yield encode_resync(hub.epoch, upto, "the ledger cannot be read")
                return
            yield b"".join(event for _, event in page)
            after = page[-1][0]

    async def _page(self, after: int, upto: int) -> list[tuple[int, bytes]]:
        moves = await self.readers.ask(lambda r: r.moves(after, min(PAGE, upto - after)))
        return [(n, encode_event(self.hub.epoch, n, move)) for n, move in moves if n <= upto]


async def _gone(receive: Receive, viewer: Viewer) -> None:
    """End the viewer when its client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    viewer.end()


def _last_id(scope: Scope) -> str | None:
    """`Last-Event-ID`, else `?last=`; a browser sends the first when it comes back by itself."""
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            return str(value.decode("latin-1"))
    told = parse_qs(scope["query_string"].decode("latin-1")).get("last")
    return told[0] if told else None
