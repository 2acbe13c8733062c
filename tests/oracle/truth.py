"""Event rules about the truth of the record: pace, order, persons, hours."""

from __future__ import annotations

from collections.abc import Sequence

from detector.event import Event

from .calendar import HOUR, SECOND
from .outcome import Hit, Outcome
from .setting import Setting, first, step_of


def too_fast_step(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if not past:
        return None
    previous = past[-1]
    value = e.recorded_at - previous.recorded_at
    if value < 0:
        return "out_of_order"
    here = {"item": e.item, "from": step_of(previous), "to": step_of(e)}
    limit_s = how.limited("too_fast_step", here, "limit_s", "default_limit_s")
    if value >= limit_s * SECOND:
        return None
    if how.date_only(e.recorded_at, previous.recorded_at):
        return "date_only"
    return [Hit(value, limit_s * SECOND, (previous, e))]


def too_fast_case(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.action != "close" or first(past, "close"):
        return None
    accept = first(past, "accept")
    if accept is None:
        return "no_acceptance"
    value, limit = e.recorded_at - accept.recorded_at, how.param("too_fast_case", "limit_s")
    if value < 0:
        return "out_of_order"
    if value >= limit * SECOND:
        return None
    if how.date_only(e.recorded_at, accept.recorded_at):
        return "date_only"
    return [Hit(value, limit * SECOND, (accept, e))]


def one_stamp(past: Sequence[Event], e: Event) -> bool:
    """Whether this is the first close of the case, at the very stamp of its first acceptance."""
    accept = first(past, "accept")
    if e.action != "close" or first(past, "close") or accept is None:
        return False
    return e.recorded_at == accept.recorded_at


def back_entry(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    value = how.calendar.working(e.occurred_at, e.recorded_at)
    claimed = e.occurred_at + how.param("back_entry", "order_tolerance_s") * SECOND

    def contradicts(other: Event) -> bool:
        return other.recorded_at <= e.recorded_at and claimed < other.occurred_at

    furthest, at = None, -1
    for other in past:
        position = how.position(other)
        if position is not None and position >= at:
            furthest, at = other, position
    here = how.position(e)
    against = None
    if furthest and here is not None and here < at and contradicts(furthest):
        against = furthest
    elif past and contradicts(past[-1]):
        against = past[-1]
    limit = 0 if against else how.param("back_entry", "limit_h") * HOUR
    if value <= limit:
        return None
    if how.date_only(e.occurred_at, e.recorded_at):
        return "date_only"
    return [Hit(value, limit, (against, e) if against else (e,))]


def duty_held(e: Event, how: Setting) -> str | None:
    """The duty that the event's person holds by it, None where it counts for no pair."""
    step = how.step(e) if e.operator else None
    apart = [duty for pair in how.items[e.item].pairs for duty in pair] if step else []
    return step.duty if step and step.duty in apart else None


def same_person(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if not how.operators_known:
        return "operator_unknown"
    if e.operator is None:
        return None
    if e.item not in how.items:
        return "item_not_listed"
    if how.position(e) is None:
        return "step_not_listed" if e.action == "step" else None
    duty = duty_held(e, how)
    if duty is None:
        return None
    held: dict[str, Event] = {}  # duty -> the first event by which this person held it
    for other in past:
        theirs = duty_held(other, how) if other.operator == e.operator else None
        if theirs is not None:
            held.setdefault(theirs, other)
    hits = []
    for pair in how.items[e.item].pairs:
        if duty in pair and duty not in held:
            apart = pair[1] if pair[0] == duty else pair[0]
            if apart in held:
                cause = (e.operator, *sorted((duty, apart)))
                hits.append(Hit(1, 0, (held[apart], e), cause))
    return hits


def impossible_order(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.action == "accept":
        other = first(past, "close")
        if other is None:
            return None
        value = e.occurred_at - other.occurred_at
    elif e.action == "close":
        other = first(past, "accept")
        if other is None:
            return "no_acceptance"
        value = other.occurred_at - e.occurred_at
    elif e.action == "corrected":
        other = first(past[::-1], "correct")
        if other is None:
            return "no_correction_notice"
        value = other.occurred_at - e.occurred_at
    else:
        return None
    if value <= 0:
        return None
    if how.date_only(e.occurred_at, other.occurred_at):
        return "date_only"
    return [Hit(value, 0, (other, e))]


def late_exchange(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    value, limit = max(0, e.received_at - e.recorded_at), 24 * HOUR
    if value <= limit:
        return None
    return "date_only" if how.date_only(e.recorded_at) else [Hit(value, limit, (e,))]


def off_hours(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    """Where no work is done for a while, the earliest instant with as much work done as now is the
    last closing, and the latest one the next opening; in office hours both are now."""
    closing = how.calendar.add(e.recorded_at, 0, reached=True)
    opening = how.calendar.add(e.recorded_at, 0, reached=False)
    value, limit = min(e.recorded_at - closing, opening - e.recorded_at), HOUR
    if value <= limit:
        return None
    return "date_only" if how.date_only(e.recorded_at) else [Hit(value, limit, (e,))]
