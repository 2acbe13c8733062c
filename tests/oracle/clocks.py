"""The clock of a case (docs/judging.md 4.1): its limits, suspensions and instants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from detector.event import Event
from detector.values import ABSENT

from .setting import Setting, first, last_stated


class Band(NamedTuple):
    """A band of a clock rule; its edge is reached, or must be exceeded."""

    code: str
    edge: int
    reached: bool
    tier: int


CLOCK_BANDS = {  # edges in working days
    "overdue_promise": (Band("due_soon", -1, True, 0), Band("overdue", 0, False, 2)),
    "overdue_statutory": (Band("overdue", 0, False, 3),),
}
BEFORE_ACCEPTANCE = ("apply", "preaccept", "correct", "corrected", "accept")
Suspension = tuple[int, int | None, int]  # begin, end or None while open, days granted


def limit_of(
    how: Setting, rule: str, events: Sequence[Event], accept: Event
) -> tuple[int | None, int | None]:
    """The limit in working days and, where it overrides them, the instant that is due."""
    if rule == "overdue_promise" and (due_at := last_stated(events, "due_at")) is not None:
        return None, due_at
    name = "promised_days" if rule == "overdue_promise" else "statutory_days"
    if (stated := last_stated(events, name)) is not None:
        return stated, None
    return getattr(how.items.get(accept.item), name, None), None


def ended_suspensions(events: Sequence[Event]) -> dict[int, Event]:
    """The place of every `suspend` that was ended, with the `resume` that ended it."""
    still_open: list[int] = []
    ended = {}
    for place, e in enumerate(events):
        if e.action == "suspend":
            still_open.append(place)
        alike = [one for one in still_open if events[one].procedure == e.procedure]
        if e.action == "resume" and alike:
            still_open.remove(alike[0])
            ended[alike[0]] = e
    return ended


def suspensions(events: Sequence[Event], since: int = -1) -> list[Suspension]:
    """Those whose `suspend` was judged after that place, in the order of their begin."""
    ended = ended_suspensions(events)
    counted = []
    for place, e in enumerate(events):
        if e.action == "suspend" and place > since:
            end = max(e.occurred_at, ended[place].occurred_at) if place in ended else None
            counted.append((e.occurred_at, place, end, e.days_granted))
    return [
        (begin, end, granted) for begin, _, end, granted in sorted(counted, key=lambda c: c[:2])
    ]


def credit_before(
    how: Setting, start: int, target: int, reached: bool, stops: Sequence[Suspension]
) -> int | None:
    """Working time suspended until this much has elapsed; None where that never comes."""
    calendar = how.calendar
    credit, until = 0, 0  # working time suspended; working time from start to the last end
    for begin, end, granted in stops:
        begins = max(calendar.working(start, begin), until)
        elapsed = begins - credit
        if elapsed > target or (reached and elapsed == target):
            break
        if granted == ABSENT:
            return None  # stopped for good
        until = begins + granted * calendar.day_us
        if end is not None:
            until = max(begins, min(until, calendar.working(start, end)))
        credit += until - begins
    return credit


def crossing(
    how: Setting, start: int, target: int, reached: bool, stops: Sequence[Suspension] = ()
) -> int | None:
    """The instant at which elapsed time reaches, or exceeds, so much working time."""
    credit = credit_before(how, start, target, reached, stops)
    if credit is None:
        return None
    instant = how.calendar.add(start, target + credit, reached)
    return max(start, instant) if reached else instant


def edge_of(how: Setting, rule: str, events: Sequence[Event], band: Band) -> int | None:
    """The instant L of a band of the case's clock; None where it never comes."""
    calendar, accept = how.calendar, first(events, "accept")
    if accept is None:
        return None
    start = accept.occurred_at
    days, due_at = limit_of(how, rule, events, accept)
    since = -1  # place of the event that stated the promise's `due_at`
    if due_at is not None:
        since = max(place for place, e in enumerate(events) if e.due_at != ABSENT)
        target = calendar.signed(start, due_at) + band.edge * calendar.day_us
    elif days is not None:
        target = (days + band.edge) * calendar.day_us
    else:
        return None
    stops = suspensions(events, since)
    if due_at is not None and credit_before(how, start, target, band.reached, stops) == 0:
        return calendar.add(due_at, -calendar.day_us, True) if band.reached else due_at
    return crossing(how, start, target, band.reached, stops)


def promise_instant(how: Setting, events: Sequence[Event]) -> int | None:
    """The instant after which the promise is broken, be that rule on or off."""
    return edge_of(how, "overdue_promise", events, CLOCK_BANDS["overdue_promise"][-1])


def unknown_clocks(how: Setting, past: Sequence[Event], e: Event) -> list[tuple[str, str]]:
    """What the clock of the case cannot know from this event on, as (rule, reason)."""
    waiting = first(past, "accept") is None
    unknown = []
    for rule in CLOCK_BANDS:
        if waiting and e.action not in BEFORE_ACCEPTANCE:
            unknown.append((rule, "no_acceptance"))
        limited = limit_of(how, rule, [*past, e], e) != (None, None)
        if waiting and e.action == "accept" and not limited:
            if e.item not in how.items:
                unknown.append((rule, "item_not_listed"))
            elif not how.on_the_spot(e.item):
                unknown.append((rule, "no_limit"))
        if e.action == "suspend" and e.days_granted == ABSENT:
            unknown.append((rule, "no_grant"))
    return unknown
