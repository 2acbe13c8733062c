"""`GET /api/v1/stream`: one viewer's connection, from joining to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from detector.ledger import LedgerError
from detector.web.backfill import Backfill
from detector.web.event_ids import Numbers, encode_resync, numbers_in
from detector.web.hub import Hub, Viewer
from detector.web.problems import Problem, answer
from detector.web.sight import Sight
from detector.web.who import STILL, Who, who_in

ABORT = "oriole.abort"  # an ASGI extension of our server: drops the connection
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Stream:
    """An ASGI application: server-sent events."""

    def __init__(self, hub: Hub, backfill: Backfill, watches: bool = False) -> None:
        self.hub, self.backfill, self._watches = hub, backfill, watches
        self.sight = Sight(backfill.readers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what was missed, then whatever comes, until either side ends it."""
        if scope["method"] == "HEAD":
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await send({"type": "http.response.body", "body": b""})
            return
        after = await self._stands(_last_id(scope))
        # the board's figures are the whole district's
        watches = self._watches and who_in(scope).departments is None
        viewer = self.hub.join(watches)  # at once: it covers where the viewer stands
        if viewer is None:
            full = Problem(503, "streams_too_many", retry_after_s=5, close=True)
            await answer(full, scope)(scope, receive, send)
            return
        viewer.abort = (scope.get("extensions") or {}).get(ABORT)
        ends = [asyncio.create_task(_gone(receive, viewer))]
        if STILL in scope:
            every_s = self.hub.settings.still_s
            ends.append(asyncio.create_task(_shut_out(scope[STILL], viewer, every_s)))
        try:
            await self._serve(viewer, after, send, who_in(scope))
        finally:
            for one in ends:
                one.cancel()
            self.hub.leave(viewer)

    async def _stands(self, last: str | None) -> Numbers | str | None:
        """Of each shard, what a viewer was sent last; why it must begin anew; None for a first."""
        if last is None:
            return None
        numbers = numbers_in(last, self.hub.epoch, len(self.hub.shards))
        if numbers is None:
            return "another ledger"
        return await self.backfill.reach(numbers) or numbers

    async def _serve(
        self, viewer: Viewer, after: Numbers | str | None, send: Send, who: Who
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        async for whole in self._frames(viewer, after):
            if viewer.cut:
                break
            try:
                frame = await self.sight.cut(who, whole)
            except (LedgerError, Problem):
                frame = encode_resync(self.hub.line(self.hub.sent), "the ledger cannot be read")
            await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _frames(self, viewer: Viewer, after: Numbers | str | None) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        here = self.hub.line(viewer.after)
        if after is None:
            yield here + b"\n"  # without data it moves the browser's Last-Event-ID, shows nothing
        elif isinstance(after, str):
            yield encode_resync(here, after)
        else:
            async for frame in self._missed(after, viewer.after):
                if viewer.ended:
                    return
                yield frame
        while (next_one := await viewer.next()) is not None:
            yield next_one

    async def _missed(self, after: Numbers, upto: Numbers) -> AsyncIterator[bytes]:
        """What came between, or a resync."""
        hub = self.hub
        ring = hub.from_ring(after, upto)
        if ring is not None:
            yield b"".join(ring)
            return
        if sum(upto) - sum(after) > hub.settings.catch_up_max:
            yield encode_resync(hub.line(upto), "too long ago")
            return
        try:
            async for frame in self.backfill.missed(after, upto):
                yield frame
        except (LedgerError, Problem):
            yield encode_resync(hub.line(upto), "the ledger cannot be read")


async def _gone(receive: Receive, viewer: Viewer) -> None:
    """End the viewer when its client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    viewer.end()


async def _shut_out(still: Callable[[], Awaitable[bool]], viewer: Viewer, every_s: float) -> None:
    """End the viewer when its session or key has ended."""
    while not viewer.ended:
        await asyncio.sleep(every_s)
        if not await still():
            viewer.end()


def _last_id(scope: Scope) -> str | None:
    """`Last-Event-ID`, else `?last=`; a browser sends the first when it comes back by itself."""
    for name, value in scope["headers"]:
        if name == b"last-event-id":
            return str(value.decode("latin-1"))
    told = parse_qs(scope["query_string"].decode("latin-1")).get("last")
    return told[0] if told else None
