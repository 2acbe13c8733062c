"""Dead letters (死信): messages that could not be delivered, and another try by hand."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from fastapi import Query as Asked
from starlette.responses import Response

from detector.delivery.letterbox import Letterbox
from detector.delivery.outbox import Row
from detector.values import iso_time
from detector.web import queries
from detector.web.problems import Problem, json_response
from detector.web.queries import Limit
from detector.web.who import who_in


def letter_routes(letterbox: Letterbox) -> APIRouter:
    """`/dead-letters` under `/api/v1`."""
    api = APIRouter()

    @api.get("/dead-letters", summary="Messages that could not be delivered, and why")
    async def get_letters(
        request: Request, cursor: Annotated[str, Asked(max_length=128)] = "", limit: Limit = 100
    ) -> Response:
        """In the order of their ids; `cursor` is an answer's `next_cursor`."""
        queries.only(request, "cursor limit")
        rows = await asyncio.to_thread(letterbox.dead, cursor, limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        cursor_next = rows[-1].message_id if more else None
        who = who_in(request.scope)
        told = [_told(row) for row in rows if who.sees(row.department)]
        return json_response(queries.page(told, cursor_next))

    @api.post("/dead-letters/{message}/resend", summary="Try a dead letter again")
    async def post_resend(message: str) -> Response:
        """Under its own key, with no attempt counted. 404 where it is none."""
        if not await asyncio.to_thread(letterbox.resend, message):
            raise Problem(404, "no_letter")
        return json_response(msgspec.json.encode({"message_id": message, "state": "waiting"}))

    return api


def _told(row: Row) -> bytes:
    told = {
        "message_id": row.message_id, "notice_id": row.notice_id or None, "person": row.person,
        "department": row.department, "channel": row.channel, "occasion": row.occasion,
        "tier": row.tier, "subject": row.subject, "at": iso_time(row.at_us),
        "attempts": row.attempts, "reason": row.reason,
        "settled_at": None if row.settled_us is None else iso_time(row.settled_us),
    }  # fmt: skip
    return msgspec.json.encode(told)
