"""What may be asked of a ledger over HTTP: answers are the ledger's own bytes, put together."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace
from datetime import date, timedelta
from typing import Annotated, Any, Protocol

import msgspec
from fastapi import Query as Asked
from starlette.requests import Request

from detector.ledger import Query, Reading
from detector.live import Service
from detector.values import iso_time, read_time
from detector.web.problems import Problem
from detector.web.refused import fault
from detector.web.scopes import masked, need_seen, sees
from detector.web.who import PERSONS, Who
from detector.workcalendar import Zone

LIMIT_MAX = 500
COUNTS_KEEP_S = 1.0
# what a query may hold, by the name of its parameter
Text = Annotated[str | None, Asked(max_length=128)]
Tier = Annotated[int | None, Asked(ge=0, le=4)]
From = Annotated[str | None, Asked(alias="from", max_length=40)]
To = Annotated[str | None, Asked(alias="to", max_length=40)]
Cursor = Annotated[str | None, Asked(max_length=256)]
Limit = Annotated[int, Asked(ge=1, le=LIMIT_MAX)]
EVENTS_MAX = 10_000  # of one case, in one answer


def instant(name: str, text: str | None, zone: Zone, end: bool = False) -> int | None:
    """µs UTC of a time or day in a query; of a day its begin, or with `end` its end."""
    if not text:
        return None
    try:
        if len(text) == 10:
            day = date.fromisoformat(text) + timedelta(days=int(end))
            text = day.isoformat()
        return read_time(text.replace(" ", "+") if "T" in text else text, zone)
    except (ValueError, OverflowError):
        raise Problem(400, "time_unread", field=name) from None


def cursor_of(text: str | None) -> tuple[int, str] | None:
    """The place that an earlier answer's `next_cursor` names."""
    if not text:
        return None
    try:
        at, found = msgspec.json.decode(base64.urlsafe_b64decode(text), type=tuple[int, str])
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise Problem(400, "cursor_none") from None
    if not -(1 << 62) < at < 1 << 62:
        raise Problem(400, "cursor_none")
    return at, found


def only(request: Request, names: str) -> None:
    """A parameter that nobody reads is a slip that would show too much. Raises `Problem`."""
    if not set(names.split()).issuperset(request.query_params):
        raise Problem(400, "query_unknown", known=names)


def cursor_at(at: int, name: str) -> str:
    """The place after a row, as `cursor_of` reads it."""
    return base64.urlsafe_b64encode(msgspec.json.encode((at, name))).decode()


def page(items: list[bytes], cursor: str | None) -> bytes:
    """An answer that lists: its items are JSON already."""
    told = msgspec.json.encode(cursor)
    return b'{"items":[' + b",".join(items) + b'],"next_cursor":' + told + b"}"


def findings(reader: Reading, query: Query, who: Who) -> bytes:
    """A page of findings, newest first."""
    if query.operator is not None and not who.may(PERSONS):
        raise Problem(403, "operator_not_yours")
    wanted = replace(query, limit=query.limit + 1, departments=who.departments)
    rows = reader.findings(wanted)
    more, rows = len(rows) > query.limit, rows[: query.limit]
    cursor = None
    if more:
        at, last = rows[-1]
        cursor = cursor_at(at, msgspec.json.decode(last.doc)["finding_id"])
    return masked(who, page([held.json() for _, held in rows], cursor))


def finding(reader: Reading, service: Service, finding_id: str, who: Who) -> bytes:
    """One finding with its moves, and the account of how it came about. Raises `Problem`."""
    held = reader.finding(finding_id)
    if held is None:
        raise Problem(404, "no_finding")
    need_seen(who, held)
    moves = [
        {"number": number, "code": move.code or "stands", "actor": move.actor, "at": move.at}
        for number, move in reader.moves(0, LIMIT_MAX, finding_id)
    ]
    more = {
        "history": moves,
        "account": service.account(held),
        "notices": reader.notice_of(finding_id),
        "verdicts": [
            {"verdict": v.verdict, "by": v.by, "at": iso_time(v.at_us), "reason": v.reason}
            for v in reader.verdicts_of(finding_id)
        ],
    }
    return masked(who, held.json()[:-1] + b"," + msgspec.json.encode(more)[1:])


def case(reader: Reading, service: Service, case_id: str, who: Who) -> bytes:
    """A case: its judged events as they came, and its findings; of several departments what is
    theirs to see. Raises `Problem`."""
    entries = [e for e in service.timeline(case_id, reader) or () if sees(who, e.line)]
    if not entries:
        raise Problem(404, "no_case")
    events: list[dict[str, Any]] = [
        {"number": e.number, "received_at": iso_time(e.received_at), "line": msgspec.Raw(e.line)}
        for e in entries[-EVENTS_MAX:]
    ]
    wanted = Query(case_id=case_id, limit=LIMIT_MAX, departments=who.departments)
    rows = reader.findings(wanted)
    told = {
        "case_id": case_id,
        "events": events,
        "findings": [msgspec.Raw(held.json()) for _, held in rows],
    }
    return masked(who, msgspec.json.encode(told))


def refusals(reader: Reading, after: int, limit: int, who: Who, lang: str) -> bytes:
    """A page of refused lines, oldest first, in the words of a language; they are of no
    department."""
    if who.departments is not None:
        raise Problem(403, "refusals_whole_district")
    rows = reader.refusals(after, limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    items = [
        msgspec.json.encode(
            {"number": number, "received_at": iso_time(r.received_at), "line": r.line,
             **fault(r.field, r.error, lang), "text": r.text}
        )
        for number, r in rows
    ]  # fmt: skip
    return masked(who, page(items, str(rows[-1][0]) if more else None))


class Shelf(Protocol):
    """Where figures that many ask for are kept for a while; it may lose them at any time."""

    def get(self, key: str) -> bytes | None:
        """What was put there, while it keeps."""

    def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep it for so long."""


def kept_counts(reader: Reading, shelf: Shelf | None, who: Who) -> bytes:
    """`counts`, at most a moment old where there is a shelf: every board asks for them."""
    if who.departments is not None:
        return counts(reader, who)
    told = shelf.get("counts") if shelf else None
    if told is None:
        told = counts(reader, who)
        if shelf:
            shelf.put("counts", told, COUNTS_KEEP_S)
    return told


def counts(reader: Reading, who: Who) -> bytes:
    """What stands, was withdrawn, muted or could not be judged: by rule, and by reason."""
    told: dict[str, Any] = {"undetermined": {}, "muted": {}}
    told["findings"] = reader.totals(who.departments)
    for count in reader.counts():
        if not who.sees(count.department):
            continue
        reasons = told[count.kind].setdefault(count.rule, {})
        reasons[count.reason] = reasons.get(count.reason, 0) + count.n
    return msgspec.json.encode(told)
