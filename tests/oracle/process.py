"""Event rules about the process: what is asked, refused, interrupted, missing or left out."""

from __future__ import annotations

from collections.abc import Sequence

from detector.event import Event
from detector.values import ABSENT

from .outcome import Hit, Outcome, letters
from .setting import Setting, first, step_of

REFUSING = ("refused", "not_accepted", "returned", "void")
TERMINATING = ("withdrawn", "void", "terminated")
DECIDING = (None, "granted", "refused")
AFTER_DECISION = ("pay", "issue", "deliver", "close")


def late_registration(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.action != "accept" or first(past, "accept") or e.offence_at == ABSENT:
        return None
    value, limit = how.calendar.working(e.offence_at, e.recorded_at), 10 * how.calendar.day_us
    return [Hit(value, limit, (e,))] if value > limit else None


def repeated_return(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.action not in ("return", "correct"):
        return None
    value = sum(other.action in ("return", "correct") for other in (*past, e))
    return [Hit(value, 2, (e,))] if value >= 2 else None


def correction_after_acceptance(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.action != "correct":
        return None
    if not any(other.action in ("accept", "apply", "preaccept") for other in past):
        return "no_application"
    accept = first(past, "accept")
    if accept is None:
        return None
    after = past[[other.action for other in past].index("accept") + 1 :]
    value = sum(other.action == "correct" for other in (*after, e))
    return [Hit(value, 1, (accept, e))]


def unreasoned_refusal(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    refuses = e.action in ("decide", "close") and e.result in REFUSING
    if e.action != "return" and not refuses:
        return None
    if not how.reasons_known:
        return "no_reason_column"
    value = letters(e.reason)
    return [Hit(value, 10, (e,))] if value < 10 else None


def unlisted_power(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if past and past[-1].item == e.item:
        return None
    status = how.items[e.item].status if e.item in how.items else "unlisted"
    value = ("in_use", "unlisted", "dormant", "abolished").index(status)
    return [Hit(value, value, (e,), reason=status)] if value else None


def suspended_or_terminated(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    def interrupts(other: Event) -> bool:
        ends = other.action == "close" and other.result in TERMINATING
        return other.action == "suspend" or ends

    if not interrupts(e):
        return None
    return [Hit(sum(interrupts(other) for other in (*past, e)), 1, (e,))]


def of_one_item(past: Sequence[Event], e: Event) -> list[Event]:
    """The earlier events since the case's item last changed."""
    run: list[Event] = []
    for other in reversed(past):
        if other.item != e.item:
            break
        run.insert(0, other)
    return run


def missing_document(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    return missing(past, e, how, "documents", how.documents_known)


def missing_field(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    return missing(past, e, how, "fields", how.fields_known)


def missing(past: Sequence[Event], e: Event, how: Setting, name: str, known: bool) -> Outcome:
    if e.item not in how.items:
        return "item_not_listed"
    step = how.step(e)
    if step is None:
        return "step_not_listed" if e.action == "step" else None
    needed = set(getattr(step, name))
    if not needed:
        return None
    if not known:
        return f"no_{name}_column"
    for other in (*of_one_item(past, e), e):
        needed -= set(getattr(other, name))
    return [Hit(len(needed), 0, (e,))] if needed else None


def skipped_step(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    concluding = e.action in ("decide", "close") and e.result in DECIDING
    if e.item not in how.items:
        return "item_not_listed" if concluding else None
    run = of_one_item(past, e)
    if concluding:
        value = skipped_at_decide(run, e, how) if e.action == "decide" else 0
        value += skipped_at_close(run, e, how) if e.action == "close" else 0
    else:
        value = out_of_order(run, e, how)
    return [Hit(value, 0, (e,))] if value else None


def unworked(run: Sequence[Event], e: Event, how: Setting) -> dict[str, int]:
    """Required steps that no earlier event of the item worked, with their place in the flow."""
    worked = {step_of(other) for other in run}
    steps = enumerate(how.items[e.item].flow)
    return {s.code: place for place, s in steps if s.required and s.code not in worked}


def skipped_at_decide(run: Sequence[Event], e: Event, how: Setting) -> int:
    own = how.position(e)
    left = unworked(run, e, how).items()
    if own is None:
        return sum(code not in AFTER_DECISION for code, _ in left)
    return sum(place < own for _, place in left)


def skipped_at_close(run: Sequence[Event], e: Event, how: Setting) -> int:
    decide = first(run[::-1], "decide")
    behind: int | None = -1 if decide is None else how.position(decide)
    if behind is None:
        return 0
    left = unworked(run, e, how).items()
    asked_elsewhere = (step_of(e), "issue", "deliver")
    return sum(code not in asked_elsewhere and place > behind for code, place in left)


def out_of_order(run: Sequence[Event], e: Event, how: Setting) -> int:
    """1 where a required step is worked after one that stands behind it, and no earlier decision
    asked for it already."""
    step, own = how.step(e), how.position(e)
    if step is None or own is None or not step.required:
        return 0
    if any(step_of(other) == step.code for other in run):
        return 0
    for other in run:
        place = how.position(other)
        if other.action == "decide" and (place is None or place > own):
            return 0

    def stands_behind(other: Event) -> bool:
        place, theirs = how.position(other), how.step(other)
        return place is not None and place > own and theirs is not None and theirs.required

    return int(any(map(stands_behind, run)))
