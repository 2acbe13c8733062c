"""Learners over HTTP: what they have put into force, how it came about, and acts on them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request
from fastapi import Query as Asked
from starlette.responses import Response

from detector.learned import brief, epoch_told, limit_told, read_epoch, wanted, whole
from detector.ledger import Reading
from detector.web import queries
from detector.web.learned import Learned, day_of
from detector.web.model_words import Lang, ModelWords
from detector.web.problems import Problem, json_response
from detector.web.queries import Cursor, Limit, Text
from detector.web.who import Who, who_in

Spoken = Annotated[
    Lang | None, Asked(description="Adds `words`: names and reasons in that language.")
]
_OWN = ("key", "day", "cursor", "limit", "words")  # of a query, besides the parts of a limit's name


def model_routes(learned: Learned) -> APIRouter:
    """`/models` under `/api/v1`."""
    api, readers = APIRouter(), learned.notices.readers

    @api.get("/models", summary="Learners that are on, and what they have put into force")
    async def get_models(request: Request, words: Spoken = None) -> Response:
        """All at once. `learns`: does the district learn at all; where not, the list is empty.
        `frozen`: whose limits stand still (`*`: all), and why."""
        queries.only(request, "words")
        me, held, say = who_in(request.scope), learned.in_force, spoken(learned, words)

        def one(reader: Reading, name: str) -> dict[str, Any]:
            assert held is not None
            now = learned.told(reader, name)
            item = brief(held, name, now, learned.sees(me, name))
            return say.brief(item, now) if say else item

        told: dict[str, Any] = {"items": [], "next_cursor": None, "learns": held is not None}
        if held is not None:
            told["items"] = await readers.ask(lambda r: [one(r, name) for name in held.learners])
        return json_response(msgspec.json.encode(told))

    @api.get("/models/{learner}", summary="One learner: its card, limits in force, what waits")
    async def get_model(
        learner: str, request: Request,
        item: Text = None, department: Text = None, key: Annotated[
            str | None, Asked(max_length=700)
        ] = None,
        day: Text = None, cursor: Cursor = None, limit: Limit = 100, words: Spoken = None,
    ) -> Response:  # fmt: skip
        """Limits by name, a page at once; `key`: the whole name of one; `item`, `department` and
        the other parts of its name narrow them; `day`: as they were at the end of that day."""
        held, me = learned.known(learner), who_in(request.scope)
        keys = held.learners[learner].keys
        queries.only(request, " ".join((*keys, *_OWN)))
        asked = {n: v for n, v in request.query_params.items() if n == "key" or n in keys}
        after, upto = queries.cursor_of(cursor), day_of(day)

        def answer(reader: Reading) -> bytes:
            say = spoken(learned, words)
            return page(reader, learned, me, learner, asked, upto, after, limit, say)

        return json_response(await readers.ask(answer))

    _history_and_acts(api, learned)
    return api


def _history_and_acts(api: APIRouter, learned: Learned) -> None:
    readers = learned.notices.readers

    @api.get("/models/{learner}/epochs", summary="What a learner put into force, the latest first")
    async def get_epochs(
        learner: str, request: Request,
        cursor: Annotated[int | None, Asked(ge=1, lt=1 << 62)] = None, limit: Limit = 100,
        words: Spoken = None,
    ) -> Response:  # fmt: skip
        """`cause`: the day that began, or the act and its `actor`. `changed`: the first 200 of
        `changed_in_all`. Each names the one before it by its hash."""
        held, me = learned.known(learner), who_in(request.scope)
        queries.only(request, "cursor limit words")
        rows = await readers.ask(lambda r: r.epochs_before(learner, cursor, limit + 1))
        sees, say = learned.sees(me, learner), spoken(learned, words)
        told = [epoch_told(held, read_epoch(row.doc), sees) for _, row in rows[:limit]]
        if say:
            told = [say.epoch(learner, held.learners[learner].keys, one) for one in told]
        items = [msgspec.json.encode(one) for one in told]
        return json_response(queries.page(items, str(rows[limit - 1][0]) if rows[limit:] else None))

    @api.post("/models/{learner}/acts", summary="Approve, reject, roll back, freeze or thaw")
    async def post_act(learner: str, request: Request) -> Response:
        """`act`, `reason`; `key`: one limit that waits (default all), or of a freeze a name whose
        limits stand still; `to`: the day that a roll-back goes back to (default the day before).
        202: taken, and in force when the clock goes on."""
        told, me = await learned.notices.object_of(request), who_in(request.scope)
        done = await learned.act(me, learner, told, request.headers.get("idempotency-key", ""))
        if not done:
            taken = {"id": learner, "act": told["act"], "taken": True}
            return json_response(msgspec.json.encode(taken), 202)
        held, sees = learned.known(learner), learned.sees(me, learner)
        now = await readers.ask(lambda r: whole(held, learner, learned.told(r, learner), sees))
        return json_response(msgspec.json.encode(now))


def page(
    reader: Reading, learned: Learned, me: Who, learner: str, asked: dict[str, str],
    day: int | None, after: tuple[int, str] | None, limit: int, say: ModelWords | None,
) -> bytes:  # fmt: skip
    """A learner's card with a page of its limits. Raises `Problem`."""
    held = learned.known(learner)
    card, sees = held.learners[learner], learned.sees(me, learner)
    told = learned.told(reader, learner, day)
    some = wanted(told.limits, card.keys, asked, sees)
    limits = [limit_told(card.keys, card.unit, one) for one in some]
    if asked.get("key") and not limits:
        raise Problem(404, "no_limit_in_force")
    if after is not None:
        limits = [one for one in limits if one["name"] > after[1]]
    more = queries.cursor_at(0, limits[limit - 1]["name"]) if len(limits) > limit else None
    answer = whole(held, learner, told, sees) | {"limits": limits[:limit], "next_cursor": more}
    return msgspec.json.encode(say.card(answer, told) if say else answer)


def spoken(learned: Learned, lang: Lang | None) -> ModelWords | None:
    """Who says it in words, where they are asked for."""
    return ModelWords(learned.engine(), lang) if lang else None
