"""What pages read of a request: filters of a query, and forms; all bounded."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass

from starlette.requests import Request

from detector.ledger import NoticeQuery, Query
from detector.ledger.verdicts import NONE, VERDICTS
from detector.notice import STATES
from detector.web import queries
from detector.web.bodies import Bodies
from detector.web.doorman import check_csrf
from detector.web.problems import Problem
from detector.web.who import PERSONS, Who
from detector.workcalendar import Zone

PAGE = 50
TEXT_MAX, FIELDS_MAX, FORM_BYTES_MAX = 128, 512, 256 << 10
FINDING_STATES = ("stands", "withdrawn", "muted")
FOUND = (*VERDICTS, NONE)
TIERS = range(5)


@dataclass(frozen=True)
class Filters:
    """What a list is narrowed to, as its address says; texts as they were typed."""

    held: dict[str, str]

    def get(self, name: str) -> str:
        """A filter, "" where none is set."""
        return self.held.get(name, "")

    def text(self, name: str) -> str | None:
        """A filter's text, None where none is set."""
        return self.held.get(name) or None

    def number(self, name: str) -> int | None:
        """A filter that is a small number. Raises `Problem`."""
        told = self.held.get(name)
        if not told:
            return None
        if not (told.isascii() and told.isdigit() and len(told) < 3):
            raise Problem(400, "number_not_small", field=name)
        return int(told)

    def address(self, path: str, **more: str | None) -> str:
        """The list's address with these filters, some of them changed."""
        told = {k: v for k, v in {**self.held, **more}.items() if v}
        return f"{path}?{urllib.parse.urlencode(told)}" if told else path


def filters_of(request: Request) -> Filters:
    """The filters in an address. Raises `Problem` where one is too long."""
    told = {name: value.strip() for name, value in request.query_params.items() if name != "lang"}
    for name, value in told.items():
        if len(value) > TEXT_MAX * 2:
            raise Problem(400, "field_too_long", field=name[:40], n=TEXT_MAX * 2)
    return Filters(told)


def finding_query(f: Filters, me: Who, zone: Zone, limit: int = PAGE) -> Query:
    """The findings that are asked for, of what may be seen. Raises `Problem`."""
    state = f.text("state")
    if state is not None and state not in FINDING_STATES:
        raise Problem(400, "finding_state_unknown", known=", ".join(FINDING_STATES))
    found = f.text("verdict")
    if found is not None and found not in FOUND:
        raise Problem(400, "verdict_unknown", known=", ".join(FOUND))
    if f.get("operator") and not me.may(PERSONS):
        raise Problem(403, "operator_not_yours")
    return Query(
        department=f.text("department"), rule=f.text("rule"), tier=f.number("tier"),
        case_id=f.text("case_id"), operator=f.text("operator"), state=state, item=f.text("item"),
        begin_us=queries.instant("from", f.text("from"), zone),
        end_us=queries.instant("to", f.text("to"), zone, True),
        cursor=queries.cursor_of(f.text("cursor")), limit=limit, departments=me.departments,
        verdict=found,
    )  # fmt: skip


def notice_query(f: Filters, me: Who, zone: Zone, limit: int = PAGE) -> NoticeQuery:
    """The notices that are asked for, of what may be seen. Raises `Problem`."""
    state = f.text("state")
    if state is not None and state not in (*STATES, "open"):
        raise Problem(400, "state_unknown", known=", ".join(STATES))
    return NoticeQuery(
        department=f.text("department"), tier=f.number("tier"), level=f.number("level"),
        state=state, subject=f.text("subject"),
        begin_us=queries.instant("from", f.text("from"), zone),
        end_us=queries.instant("to", f.text("to"), zone, True),
        cursor=queries.cursor_of(f.text("cursor")), limit=limit, departments=me.departments,
        rule=f.text("rule"),
    )  # fmt: skip


async def form_of(request: Request, bodies: Bodies) -> dict[str, list[str]]:
    """The fields of a plain form of ours: it bears the session's own word. Raises `Problem`."""
    body = await bodies.read(request.scope, request.receive)
    if len(body) > FORM_BYTES_MAX:
        raise Problem(413, "form_too_large", bytes=FORM_BYTES_MAX)
    try:
        form = urllib.parse.parse_qs(
            body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX
        )
    except ValueError:
        raise Problem(400, "form_unread") from None
    check_csrf(request, {"csrf": first(form, "csrf")})
    return form


def first(form: dict[str, list[str]], name: str) -> str:
    """A field of a form, "" where it is not there."""
    return form.get(name, [""])[0].strip()
