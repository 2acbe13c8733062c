"""The rules a second time: plain Python, one event after the other, from docs/judging.md alone.

It shares the type of an event with the engine and nothing else. Where it is slow, it is slow
because the obvious way is: every rule looks through all earlier events of its case, working time
is counted by walking over days, and a corrected case is judged again from its first event.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from statistics import median
from typing import Any, cast
from zoneinfo import ZoneInfo

import msgspec

from detector.event import Event, Fact
from detector.values import ABSENT

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
TEN_MINUTES = 600 * SECOND
EPOCH = datetime(1970, 1, 1)
EPOCH_ORDINAL = EPOCH.toordinal()
MICROSECOND = timedelta(microseconds=1)

CLOCK_BANDS = {  # rule -> (band, edge in working days, when reached (or when exceeded), tier)
    "overdue_promise": (("due_soon", -1, True, 0), ("overdue", 0, False, 2)),
    "overdue_statutory": (("overdue", 0, False, 3),),
}
BATCH_BANDS = (("burst", 5, 1), ("flood", 20, 2))
BEFORE_ACCEPTANCE = ("apply", "preaccept", "correct", "corrected", "accept")
DEFAULTS: dict[str, dict[str, Any]] = {
    "too_fast_step": {
        "default_limit_s": 60,
        "limits": [{"item": "*", "from": "accept", "to": "survey", "limit_s": 1800}],
    },
    "too_fast_case": {"limit_s": 300},
    "back_entry": {"limit_h": 24, "order_tolerance_s": 60},
    "batch_entry": {"ratio": 3},
}


@dataclass(frozen=True)
class OItem:
    """An item of the power catalogue, as far as the rules ask about it."""

    code: str
    kind: str = "promised"  # or on_the_spot
    promised_days: int | None = None
    statutory_days: int | None = None
    fee_fen: int | None = None
    steps: tuple[tuple[str, str | None], ...] = ()  # (step, duty)
    pairs: tuple[tuple[str, str], ...] = ()  # duties that must be apart


@dataclass(frozen=True)
class Setting:
    """A district and its rulebook: everything a verdict depends on besides the inputs."""

    zone: str
    hours: tuple[tuple[int, int], ...]  # seconds of the local day
    is_working: Callable[[date], bool]
    covered_to: int | None = None
    lateness_s: int = 60
    case_events_max: int = 10_000
    operators_known: bool = True
    items: dict[str, OItem] = field(default_factory=dict)
    params: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def calendar(self) -> Calendar:
        return Calendar(self.zone, self.hours, self.is_working)

    def param(self, rule: str, name: str) -> Any:
        return self.params.get(rule, {}).get(name, DEFAULTS.get(rule, {}).get(name))

    def mode(self, rule: str) -> str:
        return str(self.param(rule, "mode") or "on")

    def on_the_spot(self, item: str) -> bool:
        return item in self.items and self.items[item].kind == "on_the_spot"

    def position(self, e: Event) -> int | None:
        """Where the event's step stands in the flow of its own item."""
        steps = [code for code, _ in self.items[e.item].steps] if e.item in self.items else []
        return steps.index(step_of(e)) if step_of(e) in steps else None

    def item_fee(self, e: Event) -> int | None:
        return self.items[e.item].fee_fen if e.item in self.items else None

    def no_fee(self, e: Event) -> str:
        return "no_item_fee" if e.item in self.items else "item_not_listed"

    def date_only(self, *instants: int) -> bool:
        return any(self.calendar.wall(instant) % DAY == 0 for instant in instants)

    def exempt(
        self, rule: str, at: int, item: str | None, department: str, step: str | None
    ) -> bool:
        """Whether an exemption covers it; one that names what the offence has not does not."""
        day = self.calendar.day(at)
        has = {"item": item, "department": department, "step": step}
        for entry in self.param(rule, "exempt") or ():
            named = {k: entry.get(k) for k in has if entry.get(k) not in (None, "*")}
            until = entry.get("until")
            over = until is not None and day > date.fromisoformat(str(until))
            if not over and all(has[k] == value for k, value in named.items()):
                return True
        return False

    def muted(self, rule: str, **holds: bool) -> str | None:
        """The first of the mutes that holds, else whether the rule is in shadow mode."""
        shadow = "shadow" if self.mode(rule) == "shadow" else None
        return next((mute for mute, it_holds in holds.items() if it_holds), shadow)


@dataclass
class OFinding:
    """One finding and its state at the end."""

    rule: str
    tier: int
    reason: str
    subject_kind: str
    subject: str
    case_id: str | None
    department: str
    item: str | None
    step: str | None
    operator: str | None
    at: int
    value: int
    limit: int | None
    events: tuple[str, ...]
    muted: str | None
    withdrawn: str | None = None


@dataclass
class Verdicts:
    """All that a stream of inputs comes to."""

    findings: dict[str, OFinding] = field(default_factory=dict)
    undetermined: Counter[tuple[str, str]] = field(default_factory=Counter)
    duplicates: int = 0
    refused: list[tuple[int, str, str]] = field(default_factory=list)


class Calendar:
    """Working time on the wall clock of one zone, found by walking from day to day."""

    def __init__(
        self, zone: str, hours: Sequence[tuple[int, int]], is_working: Callable[[date], bool]
    ) -> None:
        self.zone = ZoneInfo(zone)
        self.hours = [(start * SECOND, end * SECOND) for start, end in hours]
        self.day_us = sum(end - start for start, end in self.hours)
        self.works = lru_cache(None)(lambda day: is_working(date.fromordinal(day + EPOCH_ORDINAL)))

    def moment(self, instant: int) -> datetime:
        return datetime.fromtimestamp(instant // SECOND, self.zone)

    def wall(self, instant: int) -> int:
        """Microseconds that the wall clock shows, counted from 1970-01-01T00:00 on the wall."""
        return instant + offset(self.moment(instant))

    def clock(self, instant: int) -> int:
        """The wall clock by which work is counted, which never goes back: where the clocks are
        set back, it waits at the hour that comes twice until that comes for the second time."""
        moment, minute = self.moment(instant), timedelta(minutes=1)
        if not comes_again(moment):
            return instant + offset(moment)
        moment = moment.replace(second=0)
        while comes_again(moment - minute):
            moment -= minute
        return (moment.replace(tzinfo=None) - EPOCH) // MICROSECOND

    def later(self, wall: int) -> int:
        """The instant of a stamp on the wall clock; in a gap or a fold, the later one."""
        shown = EPOCH + timedelta(microseconds=wall)
        return max(wall - offset(shown.replace(tzinfo=self.zone, fold=fold)) for fold in (0, 1))

    def instant(self, wall: int, reached: bool) -> int:
        """The earliest instant at which the clock of work has reached this reading, or the latest
        at which it is not beyond it; the end of the gap for a reading that the clock skips."""
        guess = self.later(wall)
        if self.clock(guess - 1) < self.clock(guess) == wall < self.clock(guess + 1):
            return guess
        instants = range(wall - DAY, wall + DAY)
        first = instants[bisect_left(instants, wall, key=self.clock)]
        if reached or self.clock(first) > wall:
            return first
        return instants[bisect_right(instants, wall, key=self.clock) - 1]

    def day(self, instant: int) -> date:
        return date.fromordinal(self.wall(instant) // DAY + EPOCH_ORDINAL)

    def length(self, day: int) -> int:
        return self.day_us if self.works(day) else 0

    def worked(self, wall: int) -> int:
        """Working time on the wall clock's day until then."""
        day, now = divmod(wall, DAY)
        if not self.works(day):
            return 0
        return sum(max(0, min(now, end) - start) for start, end in self.hours)

    def signed(self, start: int, end: int) -> int:
        """Working time between two instants, below zero when the second is the earlier one."""
        if end < start:
            return -self.signed(end, start)
        first, last = self.clock(start), self.clock(end)
        between = sum(self.length(day) for day in range(first // DAY, last // DAY))
        return between + self.worked(last) - self.worked(first)

    def working(self, start: int, end: int) -> int:
        """Working time between two instants, 0 when the second is not later."""
        return max(0, self.signed(start, end))

    def add(self, instant: int, amount: int, reached: bool) -> int:
        """The earliest instant that reaches this much working time after the given one, or the
        latest that does not exceed it; the amount may be negative."""
        wall = self.clock(instant)
        day, left = wall // DAY, amount + self.worked(wall)

        def lies_beyond(length: int) -> bool:
            return left > length if reached else left >= length

        while not lies_beyond(0):
            day -= 1
            left += self.length(day)
        while lies_beyond(self.length(day)):
            left -= self.length(day)
            day += 1
        for start, end in self.hours:
            if not lies_beyond(end - start):
                return self.instant(day * DAY + start + left, reached)
            left -= end - start
        raise AssertionError("the day is longer than its hours")


def offset(moment: datetime) -> int:
    """Microseconds that the wall clock is ahead of UTC."""
    return cast(timedelta, moment.utcoffset()) // MICROSECOND


def comes_again(moment: datetime) -> bool:
    """Whether the wall clock will show this a second time."""
    return moment.fold == 0 and offset(moment.replace(fold=1)) < offset(moment)


def step_of(e: Event) -> str:
    return e.step or e.action


def finding_id(rule: str, kind: str, subject: str, cause: Iterable[Any]) -> str:
    text = json.dumps([rule, kind, subject, *cause], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def ids(*events: Event) -> tuple[str, ...]:
    return tuple(cast(str, e.event_id) for e in events)


def first(past: Sequence[Event], action: str) -> Event | None:
    return next((e for e in past if e.action == action), None)


def last_stated(events: Sequence[Event], name: str) -> int | None:
    stated = [getattr(e, name) for e in events if getattr(e, name) != ABSENT]
    return stated[-1] if stated else None


# The event rules. Each is given the events judged before (`past`), this event and the setting, and
# answers None (nothing to say), a reason (it cannot know) or what it raises.


@dataclass(frozen=True)
class Hit:
    value: int
    limit: int
    events: tuple[Event, ...]
    cause: tuple[str, ...] = ()  # this event, unless said


Outcome = str | list[Hit] | None


def too_fast_step(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if not past:
        return None
    previous = past[-1]
    value = e.recorded_at - previous.recorded_at
    if value < 0:
        return "out_of_order"
    limit_s, most = how.param("too_fast_step", "default_limit_s"), -1
    here = {"item": e.item, "from": step_of(previous), "to": step_of(e)}
    for entry in how.param("too_fast_step", "limits"):
        named = {k: entry.get(k) for k in here if entry.get(k) not in (None, "*")}
        if all(here[k] == name for k, name in named.items()) and len(named) >= most:
            limit_s, most = entry["limit_s"], len(named)
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
    item = how.items.get(e.item)
    duty = dict(reversed(item.steps)).get(step_of(e)) if item and e.operator else None
    return duty if item and any(duty in pair for pair in item.pairs) else None


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


def fee_mismatch(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.fee_due == ABSENT and e.fee_paid == ABSENT:
        return None
    fee = how.item_fee(e)
    if fee is None and (e.fee_due == ABSENT or e.fee_paid == ABSENT):
        return how.no_fee(e)
    expected = e.fee_due if e.fee_due != ABSENT else cast(int, fee)
    paid_wrong = e.fee_paid - expected if e.fee_paid != ABSENT else 0
    asked_wrong = e.fee_due - fee if e.fee_due != ABSENT and fee is not None else 0
    if any(other.relief_reason for other in (*past, e)):
        paid_wrong, asked_wrong = max(0, paid_wrong), max(0, asked_wrong)
    if paid_wrong:
        return [Hit(paid_wrong, expected, (e,))]
    if asked_wrong:
        return [Hit(asked_wrong, expected if fee is None else fee, (e,))]
    return None


def unpaid_issue(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.action != "issue":
        return None
    events = (*past, e)
    stated = last_stated(events, "fee_due")
    due = how.item_fee(e) if stated is None else stated
    if due is None:
        return how.no_fee(e)
    unpaid = due - sum(other.fee_paid for other in events if other.fee_paid != ABSENT)
    if unpaid <= 0 or any(other.relief_reason for other in events):
        return None
    return [Hit(unpaid, due, (e,))]


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


ALL_MUTES = ("imported", "on_the_spot", "system_action", "exempt")
EVENT_RULES: dict[str, tuple[Callable[..., Outcome], int, str, tuple[str, ...]]] = {
    "too_fast_step": (too_fast_step, 2, "too_fast", ALL_MUTES),
    "too_fast_case": (
        too_fast_case,
        2,
        "too_fast",
        ("imported", "on_the_spot", "one_stamp", "system_action", "exempt"),
    ),
    "back_entry": (back_entry, 2, "back_entered", ("imported", "system_action", "exempt")),
    "same_person": (same_person, 2, "same_person", ("imported", "exempt")),
    "fee_mismatch": (fee_mismatch, 2, "", ("imported", "exempt")),  # short or over
    "unpaid_issue": (unpaid_issue, 2, "unpaid", ("imported", "exempt")),
    "impossible_order": (impossible_order, 1, "inverted", ("imported", "exempt")),
}


class Timeline:
    """The events of one case that stand, judged one after the other, and what they raised."""

    def __init__(self, how: Setting) -> None:
        self.how = how
        self.events: list[Event] = []
        self.findings: dict[str, OFinding] = {}
        self.edges: dict[tuple[str, str], int | None] = {}  # (rule, band) -> instant L
        self.raised: dict[tuple[str, str], str] = {}  # (rule, band) -> id of what it raised

    def judge(self, e: Event) -> list[tuple[str, str]]:
        """Judge the next event; what cannot be known, as (rule, reason)."""
        how, unknown = self.how, []
        self.advance(e.received_at - 1)
        for rule, (measure, tier, reason, mutes) in EVENT_RULES.items():
            outcome = measure(self.events, e, how) if how.mode(rule) != "off" else None
            if isinstance(outcome, str):
                unknown.append((rule, outcome))
            if isinstance(outcome, str) or not outcome:
                continue
            holds = {
                "imported": e.imported,
                "on_the_spot": how.on_the_spot(e.item),
                "system_action": e.operator is None and how.operators_known,
                "exempt": how.exempt(rule, e.recorded_at, e.item, e.department, step_of(e)),
            }
            for hit in outcome:
                fid = finding_id(rule, "case", e.case_id, hit.cause or (e.event_id,))
                self.findings[fid] = OFinding(
                    rule, tier, reason or ("short" if hit.value < 0 else "over"), "case", e.case_id,
                    e.case_id, e.department, e.item,
                    step_of(e), e.operator, e.recorded_at, hit.value, hit.limit, ids(*hit.events),
                    how.muted(rule, **{m: holds.get(m, hit.value == 0) for m in mutes}),
                )  # fmt: skip
        unknown += self.unknown_clocks(e)
        self.events.append(e)
        states = any(x != ABSENT for x in (e.promised_days, e.statutory_days, e.due_at))
        if states or e.action in ("accept", "close", "suspend", "resume"):
            self.redate(e.action)
            self.advance(e.received_at - 1)
        return unknown

    # The clock rules.

    def unknown_clocks(self, e: Event) -> list[tuple[str, str]]:
        """What the clock rules cannot know from the next event on."""
        waiting = first(self.events, "accept") is None
        unknown = []
        for rule in CLOCK_BANDS:
            if self.how.mode(rule) == "off":
                continue
            if waiting and e.action not in BEFORE_ACCEPTANCE:
                unknown.append((rule, "no_acceptance"))
            limited = self.limit(rule, [*self.events, e], e) != (None, None)
            if waiting and e.action == "accept" and not limited:
                if e.item not in self.how.items:
                    unknown.append((rule, "item_not_listed"))
                elif not self.how.on_the_spot(e.item):
                    unknown.append((rule, "no_limit"))
            if e.action == "suspend" and e.days_granted == ABSENT:
                unknown.append((rule, "no_grant"))
        return unknown

    def limit(
        self, rule: str, events: Sequence[Event], accept: Event
    ) -> tuple[int | None, int | None]:
        """The limit in working days and, where it overrides them, the instant that is due."""
        if rule == "overdue_promise" and (due_at := last_stated(events, "due_at")) is not None:
            return None, due_at
        name = "promised_days" if rule == "overdue_promise" else "statutory_days"
        if (stated := last_stated(events, name)) is not None:
            return stated, None
        return getattr(self.how.items.get(accept.item), name, None), None

    def suspensions(self, rule: str) -> list[tuple[int, int | None, int]]:
        """(begin, end or None while open, days granted) in the order of their begin."""
        opened: list[list[Any]] = []  # [begin, place in the timeline, procedure, end, granted]
        since = -1  # place of the event that stated the promise's `due_at`
        for place, e in enumerate(self.events):
            if e.action == "suspend":
                opened.append([e.occurred_at, place, e.procedure, None, e.days_granted])
            if e.action == "resume":
                open_ones = [one for one in opened if one[2:4] == [e.procedure, None]]
                for one in open_ones[:1]:
                    one[3] = max(one[0], e.occurred_at)
            if e.due_at != ABSENT and rule == "overdue_promise":
                since = place
        counted = sorted(one[:2] + one[3:] for one in opened if one[1] > since)
        return [(begin, end, granted) for begin, _, end, granted in counted]

    def edge(self, rule: str, edge_days: int, reached: bool) -> int | None:
        """The instant L at which a band's edge is reached or exceeded; None where it never is."""
        calendar, accept = self.how.calendar, first(self.events, "accept")
        if accept is None or self.how.mode(rule) == "off":
            return None
        start = accept.occurred_at
        days, due_at = self.limit(rule, self.events, accept)
        if due_at is not None:
            target = calendar.signed(start, due_at) + edge_days * calendar.day_us
        elif days is not None:
            target = (days + edge_days) * calendar.day_us
        else:
            return None
        credit, until = 0, 0  # working time suspended; working time from start to the last end
        for begin, end, granted in self.suspensions(rule):
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
        if due_at is not None and credit == 0:
            return calendar.add(due_at, -calendar.day_us, True) if reached else due_at
        instant = calendar.add(start, target + credit, reached)
        return max(start, instant) if reached else instant

    def in_time(self, instant: int) -> bool:
        close = first(self.events, "close")
        return close is not None and instant >= close.recorded_at

    def redate(self, action: str) -> None:
        """Find the instants anew after an event, and withdraw what no longer holds."""
        code = {"close": "closed_in_time", "suspend": "suspended", "resume": "suspended"}
        for rule, bands in CLOCK_BANDS.items():
            for band, edge_days, reached, _ in bands:
                key = rule, band
                old = self.edges.get(key)
                new = self.edges[key] = self.edge(rule, edge_days, reached)
                if key in self.raised and (new is None or new != old or self.in_time(new)):
                    finding = self.findings[self.raised.pop(key)]
                    finding.withdrawn = code.get(action, "limit_changed")

    def advance(self, now: int) -> None:
        """Raise what the watermark has reached, and settle which band of a rule stands."""
        for rule, bands in CLOCK_BANDS.items():
            stands = None
            for band, edge_days, _, tier in bands:
                instant = self.edges.get((rule, band))
                if instant is None or instant > now or self.in_time(instant):
                    continue
                if (rule, band) not in self.raised:
                    self.raised[rule, band] = self.raise_clock(rule, band, edge_days, tier, instant)
                if stands is not None:
                    stands.withdrawn = "superseded"
                stands = self.findings[self.raised[rule, band]]
                stands.withdrawn = None

    def raise_clock(self, rule: str, band: str, edge_days: int, tier: int, at: int) -> str:
        how, accept = self.how, cast(Event, first(self.events, "accept"))
        if how.covered_to is not None and how.calendar.day(at).year > how.covered_to:
            tier = min(tier, 0)
        exempt = how.exempt(rule, at, accept.item, accept.department, None)
        fid = finding_id(rule, "case", accept.case_id, (at, band))
        self.findings[fid] = OFinding(
            rule, tier, band, "case", accept.case_id, accept.case_id, accept.department,
            accept.item, None, None, at, edge_days, self.limit(rule, self.events, accept)[0],
            ids(accept), how.muted(rule, imported=accept.imported, exempt=exempt),
        )  # fmt: skip
        return fid


class Case:
    """One case: what was taken of it, its timeline, and what earlier timelines had raised."""

    def __init__(self, how: Setting, undetermined: Counter[tuple[str, str]]) -> None:
        self.how = how
        self.undetermined = undetermined
        self.noted: set[tuple[str, str]] = set()  # what the clock rules counted, once a case
        self.contents: dict[str | None, list[Event]] = {}  # of every event taken, the last one last
        self.taken = 0
        self.timeline = Timeline(how)
        self.corrected: dict[str, OFinding] = {}

    def take(self, e: Event) -> str | tuple[str, str]:
        """Judge one event: "judged", "duplicate", or the field and error of its refusal."""
        known = self.contents.get(e.event_id, [])
        if any(msgspec.structs.replace(k, received_at=e.received_at) == e for k in known):
            return "duplicate"
        if known and e.supersedes != e.event_id:
            return "event_id", "conflicting_duplicate"
        if e.supersedes and e.supersedes not in ids(*self.timeline.events):
            return "supersedes", "names no event of this case"
        if self.taken >= self.how.case_events_max:
            return "case_id", "case_events_max"
        self.contents.setdefault(e.event_id, []).append(e)
        self.taken += 1
        if e.supersedes:
            self.correct(e)
        for rule, reason in self.timeline.judge(e):
            if rule in CLOCK_BANDS:
                if (rule, reason) in self.noted:
                    continue
                self.noted.add((rule, reason))
            self.undetermined[rule, reason] += 1
        return "judged"

    def correct(self, e: Event) -> None:
        """Judge the case again from its timeline without the event that `e` corrects."""
        old, self.timeline = self.timeline, Timeline(self.how)
        old.advance(e.received_at - 1)
        for finding in old.findings.values():
            finding.withdrawn = "corrected"
        self.corrected |= old.findings
        for other in old.events:
            if other.event_id != e.supersedes:
                self.timeline.judge(other)

    def findings(self, watermark: int) -> dict[str, OFinding]:
        self.timeline.advance(watermark)
        return self.corrected | self.timeline.findings


Key = tuple[int, str, str]  # recorded_at, event_id, case_id


class Operator:
    """One operator's records, judged in the order of their instants."""

    def __init__(self, name: str, how: Setting) -> None:
        self.name, self.how = name, how
        self.last: int | None = None
        self.window: list[Key] = []  # the counted records of the last ten minutes, in order
        self.buckets: dict[int, dict[int, set[str]]] = {}  # local day -> bucket -> cases
        self.begun: tuple[str, str] = ("", "")  # case and event of the burst's first record
        self.raised: dict[str, str] = {}  # band -> finding of this burst

    def judge(self, e: Event, verdicts: Verdicts) -> None:
        eid, calendar = cast(str, e.event_id), self.how.calendar
        if self.last is not None and e.recorded_at <= self.last - TEN_MINUTES:
            verdicts.undetermined["batch_entry", "too_late"] += 1
            return
        if self.last is None or e.recorded_at >= self.last + TEN_MINUTES:
            self.begun, self.raised = (e.case_id, eid), {}
        self.last = e.recorded_at if self.last is None else max(self.last, e.recorded_at)
        insort(self.window, (e.recorded_at, eid, e.case_id))
        self.window = [key for key in self.window if key[0] > self.last - TEN_MINUTES]
        cases = len({case for _, _, case in self.window})
        bucket = calendar.wall(e.recorded_at) // TEN_MINUTES
        day = bucket * TEN_MINUTES // DAY
        self.buckets.setdefault(day, {}).setdefault(bucket, set()).add(e.case_id)
        for band, edge, tier in reversed(BATCH_BANDS):
            if cases >= edge and cases >= self.how.param("batch_entry", "ratio") * self.usual(day):
                self.raise_band(e, band, edge, tier, cases, verdicts)
                break

    def usual(self, day: int) -> float:
        """The median of distinct cases in a bucket over the twenty working days before."""
        counts: list[int] = []
        working_days = 0
        while working_days < 20:
            day -= 1
            if self.how.calendar.works(day):
                working_days += 1
                counts += [len(cases) for cases in self.buckets.get(day, {}).values()]
        return median(counts) if len(counts) >= 20 else 1

    def raise_band(
        self, e: Event, band: str, edge: int, tier: int, cases: int, verdicts: Verdicts
    ) -> None:
        if band in self.raised or "flood" in self.raised:
            return
        for lower in self.raised.values():
            verdicts.findings[lower].withdrawn = "superseded"
        exempt = self.how.exempt("batch_entry", e.recorded_at, None, e.department, None)
        fid = finding_id("batch_entry", "operator", self.name, (*self.begun, band))
        self.raised[band] = fid
        verdicts.findings[fid] = OFinding(
            "batch_entry", tier, band, "operator", self.name, None, e.department, None, None,
            self.name, e.recorded_at, cases, edge,
            tuple(eid for _, eid, _ in self.window)[:256],
            self.how.muted("batch_entry", exempt=exempt),
        )  # fmt: skip


def batch_entry(judged: Sequence[Event], how: Setting, until: int, verdicts: Verdicts) -> None:
    """Judge the records of every operator that the watermark has reached."""
    records: list[tuple[int, int, str, str, int, Event]] = []
    for place, e in enumerate(judged):
        if not how.operators_known:
            verdicts.undetermined["batch_entry", "operator_unknown"] += 1
        elif e.operator is None or e.imported or how.on_the_spot(e.item):
            continue
        elif how.date_only(e.recorded_at):
            verdicts.undetermined["batch_entry", "date_only"] += 1
        else:
            instant = max(e.recorded_at + how.lateness_s * SECOND, e.received_at)
            if instant <= until:
                eid = cast(str, e.event_id)
                records.append((instant, e.recorded_at, eid, e.case_id, place, e))
    operators: dict[str, Operator] = {}
    for *_, e in sorted(records, key=lambda record: record[:5]):
        name = cast(str, e.operator)
        operators.setdefault(name, Operator(name, how)).judge(e, verdicts)


def judge(events: Sequence[Event | Fact], setting: Setting, until: int | None = None) -> Verdicts:
    """Judge inputs given in file order; the last watermark is `until`, or later if they are."""
    verdicts, judged = Verdicts(), []
    cases: dict[str, Case] = {}
    named: list[Event | Fact] = []
    met: Counter[str] = Counter()
    for e in events:
        if isinstance(e, Event):
            met[e.case_id] += 1
            if e.event_id is None:
                e = msgspec.structs.replace(e, event_id=f"{e.case_id}#{met[e.case_id]}")
        named.append(e)

    def place(index: int) -> tuple[int, bool, int]:
        e = named[index]
        return e.received_at, isinstance(e, Fact) and e.kind == "tick", index

    watermark = -(2**63)
    for index in sorted(range(len(named)), key=place):
        e = named[index]
        watermark = max(watermark, e.received_at - 1)
        if isinstance(e, Fact):
            watermark = e.received_at if e.kind == "tick" else watermark
            continue
        case = cases.setdefault(e.case_id, Case(setting, verdicts.undetermined))
        answer = case.take(e)
        if answer == "judged":
            judged.append(e)
        elif answer == "duplicate":
            verdicts.duplicates += 1
        else:
            verdicts.refused.append((index, answer[0], answer[1]))
    if until is None and named:
        until = max(e.received_at for e in named) + setting.lateness_s * SECOND
    watermark = watermark if until is None else max(watermark, until)
    for case in cases.values():
        verdicts.findings |= case.findings(watermark)
    if setting.mode("batch_entry") != "off":
        batch_entry(judged, setting, watermark, verdicts)
    return verdicts
