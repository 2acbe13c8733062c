"""The rules about sources, read from section 7 of docs/judging.md like the others over facts.

Both look at every event that was judged, with nothing remembered between two looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, cast

from oracle import SECOND, Setting
from oracle.cases import standing
from oracle.setting import first
from oracle.truth import one_stamp

from detector.event import Event

if TYPE_CHECKING:
    from facts_oracle import Reading


def source_of(e: Event) -> str:
    return e.source or e.department


# -- everything under one stamp -------------------------------------------------------------------


def one_stamp_source(told: Reading) -> None:
    """The first of the closes of a source and day that bear the stamp of their acceptance."""
    rule, how = "one_stamp_source", told.how
    if how.mode(rule) == "off":
        return
    said: set[tuple[str, str]] = set()
    for accept, close in stamped_closes(told):
        subject, day = source_of(close), how.calendar.day(close.recorded_at).isoformat()
        if how.date_only(close.recorded_at):
            told.verdicts.unknown.add((rule, "date_only", (subject, day)))
        elif (subject, day) not in said:
            said.add((subject, day))
            events = cast(str, accept.event_id), cast(str, close.event_id)
            told.find(
                rule, 1, "one_stamp", "source", subject, close.department, None,
                close.recorded_at, 1, 0, events, (day,),
            )  # fmt: skip


def stamped_closes(told: Reading) -> list[tuple[Event, Event]]:
    """First acceptance and first close of one stamp, in the order in which they are asked."""
    how, found = told.how, []
    for n, e in enumerate(told.events):
        *past, _ = standing([x for x in told.events[: n + 1] if x.case_id == e.case_id])
        if not one_stamp(past, e) or e.imported or how.on_the_spot(e.item):
            continue
        instant = max(e.recorded_at + how.lateness_s * SECOND, e.received_at)
        if instant <= told.until:
            accept = cast(Event, first(past, "accept"))
            order = instant, e.recorded_at, cast(str, e.event_id), e.case_id, n
            found.append((order, accept, e))
    return [(accept, close) for _, accept, close in sorted(found, key=lambda x: x[0])]


# -- silence --------------------------------------------------------------------------------------


def silent_source(told: Reading) -> None:
    """Every instant at which each source was heard, and what came of the silence after it."""
    if told.how.mode("silent_source") == "off":
        return
    for source in sorted({source_of(e) for e in told.events}):
        mine = [e for e in told.events if source_of(e) == source]
        heard = sorted({e.received_at for e in mine})
        for n, since in enumerate(heard):
            silence(told, source, [e for e in mine if e.received_at <= since], heard[n + 1 :][:1])


def silence(told: Reading, source: str, mine: list[Event], again: list[int]) -> None:
    """What the silence after the last of these events comes to; `again`: when it ended."""
    rule, calendar = "silent_source", told.how.calendar
    since = mine[-1].received_at
    limit = told.param(rule, "limit_wd", 2)
    at = calendar.add(since, limit * calendar.day_us, False)
    if at > told.until or any(c <= at for c in again):
        return
    days = list(islice(working_days_to(told.how, calendar.day(since)), 20))
    heard = {calendar.day(e.received_at) for e in mine}
    if min(heard) > days[-1]:
        told.verdicts.unknown.add((rule, "no_history", source))
        return
    busy = sum(day in heard for day in days)
    if busy >= told.param(rule, "busy_days", 15):
        department = max(e.department for e in mine if e.received_at == since)
        told.find(
            rule, 0, "silent", "source", source, department, None, at, busy, limit, (), (since,)
        )


def working_days_to(how: Setting, day: date) -> Iterator[date]:
    """Working days back from a day, that day first if it is one."""
    while True:
        if how.is_working(day):
            yield day
        day -= timedelta(days=1)
