"""Acts of people on notices, from pages: who may do what, where it is possible, what it needs."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from starlette.requests import Request

from detector.adapters.machine import chance
from detector.ledger import NoticeRow
from detector.notice import ACTS, DECISIONS, allowed
from detector.web import who
from detector.web.notices import Notices, not_now
from detector.web.problems import Problem
from detector.web.scopes import may_act, need_act
from detector.web.who import Who

TEXT_MAX = 2_000
NEEDS = {  # fields of each act's form, besides those that every one may hold
    "answer": ("text", "confirmed", "external_cause"), "reject": ("text",),
    "urge": ("text", "until"), "assign": ("person",), "lift": ("reason",),
    "exempt": ("reason", "until"), "appeal": ("text",),
    "decide_appeal": ("decision", "text"), "withdraw": ("reason",),
}  # fmt: skip
GRAVE = ("withdraw", "exempt", "lift")


class Acting:
    """Performs acts for whoever asks."""

    def __init__(self, notices: Notices) -> None:
        self.notices = notices

    @property
    def clock(self) -> int:
        """The engine's clock, µs UTC."""
        return self.notices.service.figures.clock_us

    def may(self, me: Who, act: str) -> bool:
        """Whether an act is theirs at all."""
        return may_act(me, act)

    def possible(self, me: Who, row: NoticeRow) -> list[str]:
        """The acts that this person may do to a notice as it stands."""
        raise_to = msgspec.json.decode(row.doc).get("raise_to") or 0
        return [a for a in ACTS if self.may(me, a) and allowed(a, row.state, raise_to)]

    async def seen(self, me: Who, notice: str) -> NoticeRow:
        """A notice that is theirs to see. Raises `Problem`."""
        row = await self.notices.row(notice)
        if not me.sees(row.department):
            raise Problem(404, "no_notice")
        return row

    async def act(self, request: Request, notice: str, name: str, told: dict[str, str]) -> None:
        """Perform one act. Raises `Problem` where it may not be, or is not possible now."""
        if name not in ACTS:
            raise Problem(400, "act_none")
        me = who.who_in(request.scope)
        need_act(me, name)
        row = await self.seen(me, notice)
        if name not in self.possible(me, row):
            raise not_now(row, name)
        line: dict[str, Any] = {
            "act": name, "act_id": _act_id(told, notice), "notice_id": notice, "actor": me.actor,
            **_fields(name, told),
        }  # fmt: skip
        await self.notices.act(line)

    async def tried(self, request: Request, notice: str, name: str, told: dict[str, str]) -> bool:
        """The same of one of many: whether it was done."""
        try:
            await self.act(request, notice, name, told)
        except Problem as fault:
            if fault.status not in (404, 409):
                raise
            return False
        return True


def _act_id(told: dict[str, str], notice: str) -> str:
    """The act's name: the form's own, so that a form sent twice counts once."""
    once = told.get("once", "") or chance(16)
    return hashlib.sha256(f"{once} {notice}".encode()).hexdigest()[:32]


def _fields(act: str, told: dict[str, str]) -> dict[str, Any]:
    """The fields that an act takes of a form. Raises `Problem` where one is missing."""
    line: dict[str, Any] = {}
    for name in NEEDS.get(act, ()):
        text = told.get(name, "")
        if name == "reason":
            text = text or told.get("text", "")
        if name in ("confirmed", "external_cause"):
            line[name] = bool(text)
        elif text:
            if len(text) > TEXT_MAX:
                raise Problem(400, "field_too_long", field=name, n=TEXT_MAX)
            line[name] = f"{text}T23:59:59" if name == "until" and len(text) == 10 else text
        elif name in ACTS[act].needs:
            raise Problem(400, "field_empty", field=name)
    if "decision" in line and line["decision"] not in DECISIONS:
        raise Problem(400, "decision_unknown", known=", ".join(DECISIONS))
    return line
