"""Receipts of gateways (回执) over HTTP: what became of messages, told by their own word."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from detector.delivery import QUERY
from detector.delivery.letterbox import Letterbox
from detector.delivery.postman import Postman
from detector.web.bodies import Bodies
from detector.web.problems import Problem, json_response
from detector.web.said import Said

BODY_BYTES_MAX = 1 << 20


def delivery_of(postman: Postman) -> dict[str, Any]:
    """How delivery stands, for machines that watch."""
    told = postman.figures
    return {
        "state": postman.state, "states": told.states, "dead": told.dead,
        "dropped": dict(told.dropped), "put_off": dict(told.put_off),
        "verdicts": dict(told.verdicts), "oldest_wait_us": told.oldest_wait_us,
        "breakers": told.breakers,
    }  # fmt: skip


def receipt_routes(letterbox: Letterbox, bodies: Bodies) -> APIRouter:
    """`/receipts/<channel>` under `/api/v1`."""
    api = APIRouter()

    @api.post("/receipts/{channel}", summary="What a gateway says became of messages")
    async def post_receipts(channel: str, request: Request) -> Response:
        """The channel checks that it is genuine; 403 where it is not, 404 where there is none.
        What is answered with 200 is written down."""
        body = await bodies.read(request.scope, request.receive)
        way = letterbox.channels.get(channel)
        if way is None:
            raise Problem(404, "no_channel")
        if len(body) > BODY_BYTES_MAX:
            raise Problem(413, "receipts_too_large", bytes=BODY_BYTES_MAX)
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers[QUERY] = request.url.query
        try:
            told = way.receipts(body, headers)
        except ValueError as fault:
            raise Problem(403, "receipts_refused", why=Said(str(fault))) from None
        await asyncio.to_thread(letterbox.receive, channel, told)
        return json_response(msgspec.json.encode({"received": len(told)}))

    return api
