"""The other clocks of a case (docs/judging.md 4.2): what begins a run, what stops it, when it ends.

Every function is given all events of the case so far, the last of which is the one just judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from detector.event import Event
from detector.values import ABSENT

from .calendar import DAY
from .clocks import Band, crossing, ended_suspensions, suspensions
from .setting import OStep, Setting, first, step_of

LATE = Band("late", 0, False, 1)
RUN_BANDS = {  # edges in working days, permille of the step's limit, calendar days
    "overdue_acceptance": (LATE, Band("late_3", 3, False, 2), Band("late_5", 5, False, 3)),
    "overdue_issue": (LATE._replace(tier=2),),
    "overdue_step": (Band("nearly", 800, True, 0), Band("over", 1_000, False, 1)),
    "stalled_case": (Band("stalled", 0, False, 1),),
    "overdue_procedure": (
        Band("due_soon", -2, True, 0),
        Band("overdue", 0, False, 2),
        Band("far_overdue", 1, False, 3),
    ),
}
APPLYING = ("apply", "preaccept", "corrected")
ANSWERING = ("accept", "return", "correct", "decide", "close")
ABANDONING = ("not_accepted", "returned", "withdrawn", "void")


@dataclass
class Run:
    """One run of a clock: the event that it rests on, its instants, and what it raised."""

    rule: str
    event: Event
    limit: int | None
    instants: dict[str, int | None] = field(default_factory=dict)  # band -> L
    raised: dict[str, str] = field(default_factory=dict)  # band -> finding
    stopped_at: int | None = None  # c, where an event stopped it that began no run
    ended: bool = False
    followed: bool = False  # the event that ended it began the next


Events = Sequence[Event]


def acceptance_begins(events: Events, how: Setting, runs: Sequence[Run]) -> bool:
    *past, e = events
    going = any(not run.ended for run in runs)
    answered = any(other.action in ("accept", "decide", "close") for other in past)
    return e.action in APPLYING and not going and not answered


def acceptance_stops(events: Events, run: Run) -> bool:
    return events[-1].action in ANSWERING


def first_close_granting(events: Events) -> bool:
    """Whether the last event is the case's first close, says yes, and nothing was issued yet."""
    *past, e = events
    if e.action != "close" or e.result not in (None, "granted"):
        return False
    return first(past, "close") is None and first(past, "issue") is None


def issue_begins(events: Events, how: Setting, runs: Sequence[Run]) -> bool:
    item = how.items.get(events[-1].item)
    issues = item is not None and item.position("issue") is not None
    return issues and first_close_granting(events)


def issue_stops(events: Events, run: Run) -> bool:
    return events[-1].action == "issue"


def step_begins(events: Events, how: Setting, runs: Sequence[Run]) -> bool:
    e = events[-1]
    place = how.position(e)
    if place is None or first(events, "close"):
        return False
    if not runs:
        return True
    before = how.items[e.item].position(step_of(runs[-1].event))
    return before is not None and place > before


def closes(events: Events, run: Run) -> bool:
    return events[-1].action == "close"


def stall_begins(events: Events, how: Setting, runs: Sequence[Run]) -> bool:
    *past, e = events
    latest = all(e.recorded_at > other.recorded_at for other in past)
    return latest and first(events, "close") is None


def procedure_begins(events: Events, how: Setting, runs: Sequence[Run]) -> bool:
    return events[-1].action == "suspend" and events[-1].days_granted != ABSENT


def procedure_stops(events: Events, run: Run) -> bool:
    e = events[-1]
    if e.action == "close":
        return e.result in ABANDONING
    ended = ended_suspensions(events)
    return any(resume is e and events[place] is run.event for place, resume in ended.items())


Begins = Callable[[Events, Setting, Sequence[Run]], bool]
Stops = Callable[[Events, Run], bool]
RUN_RULES: dict[str, tuple[Begins, Stops]] = {
    "overdue_acceptance": (acceptance_begins, acceptance_stops),
    "overdue_issue": (issue_begins, issue_stops),
    "overdue_step": (step_begins, closes),
    "stalled_case": (stall_begins, closes),
    "overdue_procedure": (procedure_begins, procedure_stops),
}


def step_held(how: Setting, e: Event) -> OStep | None:
    """The next step of the flow, which is held from this event on."""
    place = how.position(e)
    flow = how.items[e.item].flow if place is not None else ()
    return flow[place + 1] if place is not None and place + 1 < len(flow) else None


def limit_of_run(how: Setting, rule: str, e: Event) -> int | None:
    """The limit of the run that this event begins, in its unit."""
    if rule == "overdue_step":
        held = step_held(how, e)
        return held.limit_us if held else None
    if rule == "overdue_procedure":
        return e.days_granted
    return int(how.param(rule, "limit_days" if rule == "stalled_case" else "limit_wd"))


def instants_of(how: Setting, run: Run, events: Events) -> dict[str, int | None]:
    """The instant L of every band of a run."""
    calendar, limit, start = how.calendar, run.limit, run.event.occurred_at
    bands = RUN_BANDS[run.rule]
    if limit is None:
        return {}
    if run.rule == "stalled_case":
        touched = calendar.wall(run.event.recorded_at)
        return {band.code: calendar.later(touched + limit * DAY) for band in bands}
    if run.rule == "overdue_step":
        stops = suspensions(events)
        shares = {band: -(-limit * band.edge // 1_000) for band in bands}  # whole µs, rounded up
        return {
            b.code: crossing(how, start, share, b.reached, stops) for b, share in shares.items()
        }
    ends = {band: (limit + band.edge) * calendar.day_us for band in bands}
    return {b.code: crossing(how, start, amount, b.reached) for b, amount in ends.items()}


def unknown_runs(how: Setting, past: Events, e: Event) -> list[tuple[str, str]]:
    """What these clocks cannot know from this event on, as (rule, reason)."""
    unknown = []
    if e.item not in how.items and first_close_granting([*past, e]):
        unknown.append(("overdue_issue", "item_not_listed"))
    if e.item not in how.items and e.action == "accept" and not first(past, "accept"):
        unknown.append(("overdue_step", "item_not_listed"))
    if e.action == "suspend" and e.days_granted == ABSENT:
        unknown += [(rule, "no_grant") for rule in ("overdue_step", "overdue_procedure")]
    return unknown
