"""`POST /api/v1/events`: a body goes to the engine, its answer comes back once it is durable.

The hot path: a plain ASGI function without any model of what is in the body.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from detector.live import Answer, Service, Unavailable, Unreadable
from detector.web.bodies import Bodies, Gone
from detector.web.once import AGAIN, Once
from detector.web.problems import Problem, answer, json_response, problem_of
from detector.web.quotas import Quotas
from detector.web.refused import worded
from detector.web.said import Said
from detector.web.scopes import need_sendable
from detector.web.who import who_in

LONG_BYTES = 64 << 10  # an answer that is put into words beside the event loop
_encode = msgspec.json.Encoder().encode


class Events:
    """An ASGI application: takes bodies of lines."""

    def __init__(self, service: Service, bodies: Bodies, quotas: Quotas, once: Once) -> None:
        self.service, self.bodies, self.quotas, self.once = service, bodies, quotas, once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, hand it over, and answer."""
        try:
            body = await self.bodies.read(scope, receive)
        except Gone:
            return
        except Problem as fault:
            await self.bodies.refuse(fault, scope, receive, send)
            return
        try:
            need_sendable(who_in(scope), body)
            told = await self._told(self.once.name(scope), body, scope)
        except Problem as fault:
            told = answer(fault, scope)
        await told(scope, receive, send)

    async def _told(self, name: str | None, body: bytes, scope: Scope) -> Response:
        again = False
        if name is None:
            status, said = await self._judged(body)
        else:
            reply, again = await self.once.answer(name, body, lambda: self._judged(body))
            status, said = reply.status, reply.answer
        if len(said) < LONG_BYTES:
            told, headers = worded(said, scope)
        else:  # of very many refused lines
            told, headers = await asyncio.to_thread(worded, said, scope)
        return json_response(told, status, headers | {AGAIN: "true"} if again else headers)

    async def _judged(self, body: bytes) -> tuple[int, bytes]:
        charge = self.quotas.take(body, asyncio.get_running_loop().time())
        try:
            said = await judged(self.service, body)
        except Problem:
            self.quotas.give_back(charge)
            raise
        return 202 if self.service.deferred else 200, _encode(said)


async def judged(service: Service, body: bytes) -> Answer:
    """What the engine says of a body, once it is durable. Raises `Problem`."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[Answer | Exception] = loop.create_future()

    def settle(told: Answer | Exception) -> None:
        if not said.done():  # the request may have been given up meanwhile
            said.set_result(told)

    def say(told: Answer | Exception) -> None:  # in the engine's thread
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
            loop.call_soon_threadsafe(settle, told)

    try:
        service.submit(body, say)
        told = await said
        if isinstance(told, Exception):
            raise told
    except Unreadable as fault:
        raise Problem(400, "body_unread", why=Said(str(fault))) from None
    except Unavailable as fault:
        raise problem_of(fault) from None
    return told
