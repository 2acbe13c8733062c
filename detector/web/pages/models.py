"""The learners' pages (学习界限): what each learns and may never do, its limits, what waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from detector.learned import Sees, epoch_told, read_epoch, wanted, whole
from detector.learning.epochs import DAYS_KEPT, name_of
from detector.learning.told import Told
from detector.learnkit import Limit
from detector.ledger import Reading
from detector.web import who
from detector.web.learned import Learned, day_of
from detector.web.pages.drawn import bars, line
from detector.web.pages.forms import Filters, filters_of, first, form_of
from detector.web.pages.frame import Pages, address, part
from detector.web.pages.names import Names
from detector.web.pages.stills import Stills
from detector.web.problems import Problem
from detector.web.times import Times
from detector.web.words import language, words_of

SHOWN, WAITING_SHOWN, EPOCHS_SHOWN = 50, 50, 20
UNBOUNDED = 1 << 53  # the cap of a learner that names none
FIELDS = ("act", "reason", "key", "to")  # of a form
SORTS: dict[str, Callable[[Limit], Any]] = {
    "name": lambda one: name_of(one.key), "value": lambda one: one.value,
    "n": lambda one: -one.n, "until": lambda one: -one.until,
}  # fmt: skip


def model_routes(pages: Pages, learned: Learned) -> APIRouter:
    """`/models`, `/models/<id>`, and the forms by which people act on a learner."""
    root, readers = APIRouter(include_in_schema=False), learned.notices.readers

    @root.get("/models")
    async def every(request: Request) -> Response:
        me, held = who.who_asks(request, who.SEE), learned.in_force

        def answer(reader: Reading) -> list[tuple[dict[str, Any], Told]]:
            told = {n: learned.told(reader, n) for n in (held.learners if held else ())}
            return [
                (whole(held, name, one, learned.sees(me, name)), one)
                for name, one in told.items()
                if held is not None
            ]

        rows = await readers.ask(answer)
        return pages.render(
            request, "models.html.j2", rows=rows, learns=held is not None,
            stills=stills_of(pages, language(request)),
        )  # fmt: skip

    @root.get("/models/{learner}")
    async def one(learner: str, request: Request) -> Response:
        me, held, f = who.who_asks(request, who.SEE), learned.known(learner), filters_of(request)
        day, sees = day_of(f.text("day")), learned.sees(me, learner)
        before = int(f.get("before")) if f.get("before").isdigit() else None
        told = await readers.ask(lambda r: learned.told(r, learner, day))
        rows = await readers.ask(lambda r: r.epochs_before(learner, before, EPOCHS_SHOWN + 1))
        card = held.learners[learner]
        names = pages.names(language(request))
        limits = _chosen(told, card.keys, f, sees, names)
        start = min(int(f.get("from")), len(limits)) if f.get("from").isdigit() else 0
        return pages.render(
            request, "model.html.j2", card=whole(held, learner, told, sees), learner=card,
            filters=f, limits=limits[start : start + SHOWN], found=len(limits), start=start,
            onward=_onward(f, learner, start, len(limits)), may=learned.may(me), sorts=list(SORTS),
            name_of=name_of, bars=bars, chosen=_one(
                told, f.get("key"), sees, learned, lambda key: names.limit_short(card.keys, key)
            ),
            waiting=[o for o in told.waiting if sees(o.key)][:WAITING_SHOWN], told=told,
            history=[epoch_told(held, read_epoch(row.doc), sees) for _, row in rows[:EPOCHS_SHOWN]],
            older=rows[EPOCHS_SHOWN - 1][0] if len(rows) > EPOCHS_SHOWN else None,
            limited=bool(card.keys and card.unit), capped=held.guards[learner].cap < UNBOUNDED,
            done=f.get("done"), days_kept=DAYS_KEPT, rules=_rules(pages, learner),
            stills=stills_of(pages, language(request)),
        )  # fmt: skip

    @root.post("/models/{learner}")
    async def act(learner: str, request: Request) -> Response:
        me = who.who_asks(request, who.RULES)
        form = await form_of(request, learned.notices.bodies)
        told: dict[str, Any] = {name: first(form, name) for name in FIELDS}
        if told["act"] == "rollback" and not first(form, "sure"):
            raise Problem(400, "rollback_unsure")
        done = await learned.act(me, learner, told, first(form, "once"))
        said = told["act"] if done else f"taken-{told['act']}"
        return RedirectResponse(address(f"/models/{part(learner)}", done=said), 303)

    return root


def stills_of(pages: Pages, lang: str) -> Stills:
    """What says in a language whose limits stand still."""
    return Stills(pages.names(lang), Times(pages.engine().calendar, words_of(lang)))


def _rules(pages: Pages, learner: str) -> list[str]:
    """The rules that read a learner."""
    return [c.rule.id for c in pages.engine().rulebook.rules if c.rule.reads == learner]


def _chosen(
    told: Told, keys: Sequence[str], f: Filters, sees: Sees, names: Names
) -> list[tuple[Limit, list[tuple[str, str]]]]:
    """The limits that a page lists, with their names in words, in the order that is asked for."""
    asked: Mapping[str, str] = {n: f.get(n) for n in keys if f.get(n)}
    some = wanted(told.limits, keys, asked, sees)
    rows = [(one, names.limit(keys, one.key)) for one in some]
    q = f.get("q").casefold()
    if q:
        rows = [
            (one, said)
            for one, said in rows
            if q in name_of(one.key).casefold() or any(q in text.casefold() for _, text in said)
        ]
    sort = SORTS.get(f.get("sort") or "name")
    if sort is None:
        raise Problem(400, "sort_unknown", known=", ".join(SORTS))
    return sorted(rows, key=lambda row: sort(row[0]))


def _onward(f: Filters, learner: str, start: int, many: int) -> str | None:
    """The address of the next page of limits."""
    if start + SHOWN >= many:
        return None
    told = {"from": str(start + SHOWN), "done": None, "before": None, "key": None}
    return f.address(f"/models/{part(learner)}", **told)


def _one(
    told: Told, name: str, sees: Sees, learned: Learned, said: Callable[[Sequence[str]], str]
) -> dict[str, Any] | None:
    """One limit that is looked at closely: how it went over days. Raises `Problem`."""
    if not name:
        return None
    key = next((k for k in told.moves if name_of(k) == name and sees(k)), None)
    if key is None:
        raise Problem(404, "no_limit")
    today = int(learned.engine().calendar.day(learned.notices.service.figures.clock_us))
    moves = told.moves[key]
    return {"said": said(key), "moves": moves[::-1], "line": line(moves, today)}
