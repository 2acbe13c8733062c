"""Random districts and random streams of events, made to sit on the edges of the rules.

`random_stream` is the core: everything follows from one `random.Random`, so that a stream is one
seed. The streams are short; their limits are small and their instants are drawn around the very
edges (± 1 µs, ± 1 s), so that something happens in most of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import msgspec
from bridge import SHELF
from oracle import DAY, HOUR, SECOND, TEN_MINUTES, OBenchmark, OItem, OStep, Setting
from oracle import RULES as EVERY_RULE

from detector.event import ACTION, Event, Fact
from detector.values import ABSENT

Stream = tuple[Setting, list[Event | Fact]]

ZONES = ("Asia/Shanghai", "Europe/Amsterdam", "America/New_York")
HOURS = (
    ((32_400, 43_200), (48_600, 63_000)),
    ((28_800, 61_200),),
    ((0, 86_400),),
    ((0, 7_200), (79_200, 86_400)),
    ((36_000, 36_060),),
)
STARTS = (  # local days near which a stream plays: ordinary, make-up days, clocks changed, New Year
    date(2026, 1, 7),
    date(2026, 3, 6),
    date(2026, 3, 27),
    date(2026, 10, 23),
    date(2026, 10, 30),
    date(2026, 12, 29),
)
STEPS = ("accept", "survey", "review", "decide", "issue", "close")
DUTIES = ("accept", "survey", "review", "decide", None)
ITEMS = ("permit", "stamp", "bare", "free", "unlisted")
DEPARTMENTS = ("D1", "D2")
SOURCES = ("hall", "town", "D2")  # one is named like a department
PROCEDURES = ("hearing", "testing", None)
RULES = tuple(rule for rule in EVERY_RULE if rule in SHELF)  # those that the engine can judge
GRADES = ("light", "heavy", "grave")
PARTIES = ("person", "company")
FACTORS = ("first", "repeat", "justified")
RESULTS = (
    "granted granted refused not_accepted returned withdrawn void terminated forwarded".split()
)
PAPERS = ("form", "plan", "map")  # documents, and fields
FINES = (
    0, 1, 99_999, 100_000, 100_001, 100_100, 100_101, 200_000, 200_001, 499_999, 500_000, 500_001,
    10**12,
)  # fmt: skip
STEP_HOURS = (None, None, 0.0125, 0.5, 1, 2, 7.25)
USUAL_ACTIONS = "accept step step step step pay issue close suspend resume".split()
RARE_ACTIONS = "apply preaccept return correct corrected decide deliver accept close".split()
GAPS = (0, 1, SECOND, 30 * SECOND, 58 * SECOND, 60 * SECOND, 300 * SECOND, TEN_MINUTES, HOUR)
SLIPS = (0, 0, 0, -1, 1, -SECOND, SECOND)


@dataclass(frozen=True)
class WorkingDays:
    """Weekdays (or every day), but for the days off and the make-up days."""

    every_day: bool = False
    off: frozenset[date] = frozenset()
    work: frozenset[date] = frozenset()

    def __call__(self, day: date) -> bool:
        if day in self.work:
            return True
        return day not in self.off and (self.every_day or day.weekday() < 5)


def random_setting(rng: random.Random, start: date) -> Setting:
    """A district with a handful of items and small limits."""
    near = [start + timedelta(days=n) for n in range(-3, 12)]
    hours = rng.choice(HOURS)
    return Setting(
        zone=rng.choice(ZONES),
        hours=hours,
        is_working=WorkingDays(
            rng.random() < 0.2, frozenset(rng.sample(near, 2)), frozenset(rng.sample(near, 1))
        ),
        covered_to=rng.choice((None, 2025, 2026, 2026, 2027)),
        lateness_s=rng.choice((0, 60, 60, 3_600)),
        case_events_max=rng.choice((10_000, 10_000, 10_000, 6)),
        operators_known=rng.random() < 0.9,
        reasons_known=rng.random() < 0.9,
        documents_known=rng.random() < 0.9,
        fields_known=rng.random() < 0.9,
        items={code: _item(rng, code, hours) for code in ITEMS if code != "unlisted"},
        params={rule: _params(rng, rule, start) for rule in EVERY_RULE if rng.random() < 0.8},
    )


def _item(rng: random.Random, code: str, office: tuple[tuple[int, int], ...]) -> OItem:
    limits: tuple[int | None, int | None] = None, None
    if code != "bare" and (code != "stamp" or rng.random() < 0.4):
        promised = rng.choice((0, 1, 2, 3))
        limits = promised, max(promised, rng.choice((1, 2, 5)))
    steps = rng.sample(STEPS, rng.randint(2, len(STEPS)))
    pairs = rng.sample(
        [("accept", "decide"), ("review", "decide"), ("accept", "review"), ("survey", "accept")],
        rng.randint(0, 4),
    )
    return OItem(
        code=code,
        kind="on_the_spot" if code == "stamp" else "promised",
        promised_days=limits[0],
        statutory_days=limits[1],
        fee_fen={"permit": 5_000, "stamp": 100, "bare": None, "free": 0}[code],
        steps=tuple(_step(rng, step, _day_h(office)) for step in steps),
        pairs=tuple(pairs),
        status="in_use" if rng.random() < 0.8 else rng.choice(("dormant", "abolished")),
        benchmarks=_benchmarks(rng),
        type=rng.choice(("01", "02")),
    )


def _day_h(office: tuple[tuple[int, int], ...]) -> float | None:
    """A working day in hours, where decimals can spell it."""
    seconds = sum(end - start for start, end in office)
    return seconds / 3_600 if seconds % 900 == 0 else None


def _step(rng: random.Random, code: str, day_h: float | None) -> OStep:
    hours = rng.choice((*STEP_HOURS, day_h))
    return OStep(
        code=code,
        duty=rng.choice(DUTIES),
        required=rng.random() < 0.5,
        limit_us=None if hours is None else int(hours * HOUR),
        documents=_some(rng, PAPERS),
        fields=_some(rng, PAPERS),
    )


def _some(rng: random.Random, words: tuple[str, ...]) -> tuple[str, ...]:
    """None of them, or a few in any order."""
    return tuple(rng.sample(words, rng.choice((0, 0, 1, 2, len(words)))))


def _benchmarks(rng: random.Random) -> tuple[OBenchmark, ...]:
    """A few, one of each grade and kind of party."""
    some = [_benchmark(rng) for _ in range(rng.choice((0, 1, 2, 4)))]
    return tuple({(one.grade, one.party_kind): one for one in some}.values())


def _benchmark(rng: random.Random) -> OBenchmark:
    least, most = sorted(rng.choices((0, 100_000, 100_100, 200_000), k=2))
    party = rng.choice((None, None, *PARTIES))
    factors = _some(rng, FACTORS[:2]) if rng.random() < 0.4 else ()
    return OBenchmark(rng.choice(GRADES[:2]), party, least, most, factors)


def _params(rng: random.Random, rule: str, start: date) -> dict[str, Any]:
    params: dict[str, Any] = {"mode": rng.choice(("on",) * 8 + ("shadow", "off"))}
    if rng.random() < 0.2:
        params["exempt"] = [_exemption(rng, start) for _ in range(rng.randint(1, 2))]
    if rule == "too_fast_step":
        params["default_limit_s"] = rng.choice((1, 60, 600))
        if rng.random() < 0.7:
            params["limits"] = [_pace(rng) for _ in range(rng.randint(0, 4))]
    elif rule == "too_fast_case":
        params["limit_s"] = rng.choice((1, 60, 300, 7_200))
    elif rule == "back_entry":
        params["limit_h"] = rng.choice((1, 2, 8, 24))
        params["order_tolerance_s"] = rng.choice((0, 60, 600))
    elif rule == "batch_entry":
        params["ratio"] = rng.choice((1, 2, 3, 3))
    elif rule in ("overdue_acceptance", "overdue_issue"):
        params["limit_wd"] = rng.choice((0, 1, 1, 2))
    elif rule == "stalled_case":
        params["limit_days"] = rng.choice((0, 1, 2, 3))
    elif rule == "major_penalty":
        params["default_limit_yuan"] = rng.choice((0, 1_000, 5_000))
        params["limits"] = [_large_fine(rng) for _ in range(rng.randint(0, 3))]
    return params


def _exemption(rng: random.Random, start: date) -> dict[str, Any]:
    """An entry that names one to three of item, department and step, at times until a day."""
    entry: dict[str, Any] = {"reason": "agreed"}
    for name, values in (("item", ITEMS), ("department", DEPARTMENTS), ("step", STEPS)):
        if rng.random() < 0.4:
            entry[name] = rng.choice((*values, "*"))
    if not entry.keys() & {"item", "department", "step"}:
        entry["department"] = rng.choice(DEPARTMENTS)
    if rng.random() < 0.6:
        entry["until"] = (start + timedelta(days=rng.randint(-1, 6))).isoformat()
    return entry


def _pace(rng: random.Random) -> dict[str, Any]:
    return {
        "item": rng.choice((*ITEMS, "*", "*")),
        "from": rng.choice((*STEPS, "*")),
        "to": rng.choice((*STEPS, "*")),
        "limit_s": rng.choice((0, 1, 58, 60, 1_800)),
    }


def _large_fine(rng: random.Random) -> dict[str, Any]:
    return {
        "item": rng.choice((*ITEMS, "permit", "*")),
        "party_kind": rng.choice((*PARTIES, "*")),
        "limit_yuan": rng.choice((0, 1_000, 2_000, 5_000)),
    }


@dataclass
class _Writer:
    """Writes a stream while its clock goes on, and remembers the edges that came into sight."""

    rng: random.Random
    how: Setting
    now: int
    events: list[Event | Fact] = field(default_factory=list)
    edges: dict[str, list[int]] = field(default_factory=dict)  # case -> instants worth hitting
    operators: tuple[str, ...] = ("ann", "bo", "cai")
    tidy: bool = False  # everything in its right order, to reach the deeper rules

    def on(self, share: float) -> bool:
        return self.rng.random() < share

    def write(self, case: str, action: str, **given: Any) -> None:
        rng = self.rng
        recorded = given["recorded_at"] if "recorded_at" in given else self._recorded(case)
        occurred = self._occurred(case, recorded)
        received = recorded if self.on(0.6) else recorded + self._late()
        if self.on(0.03):  # by a clock that is ahead
            received = recorded - rng.choice(GAPS)
        named = rng.choice(STEPS) if action == "step" or self.on(0.1) else None
        wide = self.how.operators_known or self.on(0.5)
        fields: dict[str, Any] = {
            "case_id": case,
            "action": action,
            "event_id": f"e{len(self.events)}" if self.on(0.85) else None,
            "item": self._item(case),
            "department": rng.choice(DEPARTMENTS) if self.on(0.1) else DEPARTMENTS[0],
            "step": named,
            "operator": rng.choice(self.operators) if wide and self.on(0.9) else None,
            "source": rng.choice(SOURCES) if self.on(0.1) else None,
            "occurred_at": occurred,
            "recorded_at": recorded,
            "received_at": received,
            "imported": self.on(0.03),
            **self._particulars(action, recorded),
            **given,
        }
        if self.on(0.05):
            others = [e for e in self.events if isinstance(e, Event) and e.case_id == case]
            fields["supersedes"] = self._corrects(fields["event_id"], others)
        event = Event(**fields)
        self.events.append(event)
        self._sight(event)
        if self.on(0.05):
            self._repeat(event)

    def _recorded(self, case: str) -> int:
        """Mostly a small step on; now and then on an edge, off by a hair, or at midnight."""
        rng = self.rng
        if self.edges.get(case) and self.on(0.3):
            return rng.choice(self.edges[case]) + rng.choice(SLIPS)
        self.now += rng.choice(GAPS) + rng.choice(SLIPS)
        if self.on(0.15):
            self.now += rng.randrange(3 * DAY)
        if self.on(0.03):
            self.now = max(self.now, self._hour_off())
        recorded = self.now if self.tidy or self.on(0.9) else self.now - rng.choice(GAPS)
        return self._midnight(recorded) if self.on(0.04) else recorded

    def _hour_off(self) -> int:
        """An hour from the office hours, off by a hair."""
        calendar, rng = self.how.calendar, self.rng
        closed = calendar.add(self.now, 1, reached=False)
        closed = calendar.add(closed, calendar.day_us // rng.choice((1, 2, 3)), reached=True)
        if self.on(0.5):
            return calendar.add(closed, 0, reached=False) - HOUR + rng.choice(SLIPS)
        return closed + HOUR + rng.choice(SLIPS)

    def _occurred(self, case: str, recorded: int) -> int:
        rng = self.rng
        if self.on(0.6):
            return recorded
        if self.on(0.1):
            return self._midnight(recorded)
        if self.on(0.3):
            limit = int(self.how.param("back_entry", "limit_h")) * HOUR
            return self.how.calendar.add(recorded, -limit, self.on(0.5)) + rng.choice(SLIPS)
        if self.edges.get(case) and self.on(0.3):
            return rng.choice(self.edges[case]) + rng.choice(SLIPS)
        return recorded - rng.choice((*GAPS, 90 * SECOND, DAY)) * rng.choice((1, 1, 1, -1))

    def _late(self) -> int:
        lateness = self.how.lateness_s * SECOND + self.rng.choice(SLIPS)
        return max(0, self.rng.choice((1, lateness, 5 * lateness, HOUR, self._day(), 3 * DAY)))

    def _day(self) -> int:
        return DAY + self.rng.choice(SLIPS)

    def _midnight(self, instant: int) -> int:
        calendar = self.how.calendar
        return calendar.instant(calendar.wall(instant) // DAY * DAY, True)

    def _item(self, case: str) -> str:
        """The case's own item, or one it changes to."""
        if self.on(0.07):
            return self.rng.choice(ITEMS)
        return random.Random(case).choice(ITEMS) if case.startswith("x") else "permit"

    def _particulars(self, action: str, recorded: int) -> dict[str, Any]:
        rng, particulars = self.rng, cast(dict[str, Any], {})
        if action in ("suspend", "resume"):
            particulars["procedure"] = rng.choice(PROCEDURES)
        if action == "suspend" and self.on(0.85):
            particulars["days_granted"] = rng.choice((0, 1, 1, 2, 5))
        if action == "pay" or self.on(0.05):
            particulars["fee_paid"] = rng.choice((0, 100, 2_500, 5_000, 5_001))
        if action in ("decide", "pay", "issue") and self.on(0.4):
            particulars["fee_due"] = rng.choice((0, 100, 5_000, 6_000))
        if self.on(0.03):
            particulars["relief_reason"] = "hardship"
        if self.on(0.05):
            particulars["promised_days"] = rng.choice((0, 1, 2, 4))
        if self.on(0.04):
            particulars["statutory_days"] = rng.choice((0, 1, 3))
        if self.on(0.05):
            particulars["due_at"] = recorded + rng.choice((-HOUR, 0, HOUR, DAY, 2 * DAY, 5 * DAY))
        return particulars | self._substance(action, recorded)

    def _substance(self, action: str, recorded: int) -> dict[str, Any]:
        """What was found, why, with which papers, and what it costs."""
        rng, how, substance = self.rng, self.how, cast(dict[str, Any], {})
        concludes = action in ("decide", "close", "return")
        if concludes and self.on(0.5):
            substance["result"] = rng.choice(RESULTS)
        if how.reasons_known and self.on(0.6 if concludes else 0.05):
            letters = "x" * rng.choice((1, 8, 9, 9, 10, 10, 11))
            substance["reason"] = rng.choice(("", " ", "\u3000 ", "\t", "\xa0")) + letters
        if how.documents_known and self.on(0.3):
            substance["documents"] = _some(rng, PAPERS)
        if how.fields_known and self.on(0.3):
            substance["fields"] = _some(rng, PAPERS)
        if action == "accept" and self.on(0.3):
            limit = 10 * how.calendar.day_us
            substance["offence_at"] = how.calendar.add(recorded, -limit, self.on(0.5))
            substance["offence_at"] += rng.choice((*SLIPS, -DAY, DAY))
        if self.on(0.3 if action == "decide" else 0.04):
            substance |= self._penalty()
        return substance

    def _penalty(self) -> dict[str, Any]:
        rng = self.rng
        return {
            "fine": rng.choice(FINES),
            "grade": rng.choice((*GRADES, "light", "heavy")) if self.on(0.9) else None,
            "party_kind": rng.choice((None, *PARTIES)),
            "factors": _some(rng, FACTORS) if self.on(0.6) else (),
        } | ({"reason": "x" * rng.choice((9, 10))} if self.how.reasons_known else {})

    def _corrects(self, own: str | None, others: list[Event]) -> str | None:
        if not others:
            return None
        if self.on(0.15):
            return self.rng.choice(("nowhere", own))
        named = self.rng.choice(others)
        if named.event_id is not None:
            return named.event_id
        return f"{named.case_id}#{self.rng.randint(1, len(others))}"

    def _repeat(self, event: Event) -> None:
        """Send an event again: as it was, changed, or changed and declared a correction."""
        changes: dict[str, Any] = {"received_at": event.received_at + self._late()}
        if self.on(0.5):
            changes["recorded_at"] = event.recorded_at + self.rng.choice(GAPS)
            changes["received_at"] += HOUR
            if self.on(0.7):
                changes["supersedes"] = event.event_id
        self.events.append(msgspec.structs.replace(event, **changes))

    def _sight(self, event: Event) -> None:
        """Remember where the limits that this event sets in motion will end."""
        edges = self.edges.setdefault(event.case_id, [])
        edges += [event.recorded_at + rest for rest in (60 * SECOND, TEN_MINUTES)]
        if event.due_at != ABSENT:
            edges.append(event.due_at)
        if event.action == "accept" and event.item in self.how.items:
            item = self.how.items[event.item]
            for days in {item.promised_days, item.statutory_days, event.promised_days} - {None}:
                for more in (-1, 0, 1):
                    edges += self._ends(event, (cast(int, days) + more) * self.how.calendar.day_us)
        if self.on(0.5):
            edges += self._other_edges(event)

    def _ends(self, event: Event, amount: int) -> list[int]:
        """Where so much working time after the event ends, if that is near."""
        add = self.how.calendar.add
        if not 0 <= amount < 10 * DAY:
            return []
        return [add(event.occurred_at, amount, reached) for reached in (True, False)]

    def _other_edges(self, event: Event) -> list[int]:
        """Where the other clocks that this event sets in motion will end."""
        how, action, days = self.how, event.action, cast(list[int], [])
        if action in ("apply", "preaccept", "corrected"):
            days = [how.param("overdue_acceptance", "limit_wd") + more for more in (0, 3, 5)]
        elif action == "close":
            days = [how.param("overdue_issue", "limit_wd")]
        elif action == "suspend" and event.days_granted != ABSENT:
            days = [event.days_granted + more for more in (-2, 0, 1)]
        edges = [end for day in days for end in self._ends(event, day * how.calendar.day_us)]
        place = how.position(event)
        for step in how.items[event.item].flow[place + 1 :][:1] if place is not None else ():
            for share in (4, 5) if step.limit_us else ():
                edges += self._ends(event, cast(int, step.limit_us) * share // 5)
        untouched = how.param("stalled_case", "limit_days") * DAY
        return [*edges, how.calendar.later(how.calendar.wall(event.recorded_at) + untouched)]

    def tick(self) -> None:
        edges = [edge for instants in self.edges.values() for edge in instants]
        at = self.now + self.rng.choice(GAPS)
        if edges and self.on(0.5):
            at = self.rng.choice(edges) + self.rng.choice(SLIPS)
        if self.on(0.8):
            self.events.append(Fact(kind="tick", received_at=at, fields={"at": at}))
        else:
            fields = {"fact_id": "f", "person": "ann", "role": "operator", "at": at}
            self.events.append(Fact(kind="login", received_at=at, fields=fields))

    def certificate(self) -> None:
        """Somebody's, that begins or ends near now, and is told of at once or never in time."""
        rng, now = self.rng, self.now
        begin, end = (now + rng.choice((-2, -1, 0, 1, 2)) * DAY for _ in range(2))
        fields = {
            "fact_id": f"f{len(self.events)}", "person": rng.choice(self.operators),
            "department": rng.choice(DEPARTMENTS), "certificate": "c",
            "valid_from": min(begin, end), "valid_to": max(begin, end),
        }  # fmt: skip
        at = now + rng.choice((-DAY, -1, 0, 1, DAY))
        self.events.append(Fact(kind="officer", received_at=at, fields=fields))


def _mixed(w: _Writer, size: int) -> None:
    """A few cases in which anything may come next."""
    cases = [f"x{w.rng.randrange(50)}" for _ in range(w.rng.randint(1, 4))]
    while len(w.events) < size:
        if w.on(0.05):
            w.tick()
        elif w.on(0.05):
            w.certificate()
        else:
            usual = w.on(0.85)
            w.write(w.rng.choice(cases), w.rng.choice(USUAL_ACTIONS if usual else RARE_ACTIONS))


def _lives(w: _Writer, size: int) -> None:
    """Cases that live as cases should, with their suspensions, until the limits bite."""
    w.tidy = True
    number = 0
    while len(w.events) < size:
        number += 1
        case = w.rng.choice((f"c{number}", f"x{number}"))
        w.write(case, "accept")
        for _ in range(w.rng.randint(0, 5)):
            w.write(case, w.rng.choice("suspend suspend resume resume step pay accept".split()))
            if w.on(0.3):
                w.tick()
        if w.on(0.7):
            w.write(case, "close")


def _bursts(w: _Writer, size: int) -> None:
    """One operator typing in case after case, at times after weeks of ordinary work."""
    w.operators = ("ann",) if w.on(0.7) else ("ann", "bo")
    rng = w.rng
    if w.on(0.5):
        w.now -= 14 * DAY
        for number in range(rng.randint(15, 24)):
            for other in range(rng.choice((1, 1, 2))):
                w.now += 1
                _record(w, f"old{number}.{other}", w.now)
            w.now += rng.choice((TEN_MINUTES, 2 * TEN_MINUTES, HOUR))
        w.now += rng.choice((HOUR, 2 * DAY, 5 * DAY, 40 * DAY))
    spread = rng.choice((7, rng.randint(3, 25), 30, 500))
    pace = rng.choice((0, SECOND, 10 * SECOND, 29 * SECOND, 120 * SECOND))
    while len(w.events) < size:
        w.now += rng.choice((pace, pace, 60 * SECOND))
        if w.on(0.04):
            w.now += TEN_MINUTES + rng.choice(SLIPS)
        recorded = w.now - (rng.choice(GAPS) if w.on(0.1) else 0)
        _record(w, f"b{rng.randrange(spread)}", recorded)


def _record(w: _Writer, case: str, recorded: int) -> None:
    received = recorded + (w._late() if w.on(0.2) else 0)
    particulars = {"occurred_at": recorded, "recorded_at": recorded, "received_at": received}
    w.write(case, "step", item="stamp" if w.on(0.02) else "permit", **particulars)


def _applications(w: _Writer, size: int) -> None:
    """Applications sent, sent back, mended, taken and, in the end, answered."""
    w.tidy = True
    number = 0
    while len(w.events) < size:
        number += 1
        case = w.rng.choice((f"c{number}", f"x{number}"))
        w.write(case, w.rng.choice(("apply", "apply", "preaccept")))
        for _ in range(w.rng.randint(0, 3)):
            w.write(case, w.rng.choice("correct corrected return apply suspend".split()))
            if w.on(0.4):
                w.tick()
        for action in "accept correct resume decide close issue".split():
            if w.on(0.3 if action in ("correct", "resume") else 0.7):
                w.write(case, action)
                if w.on(0.2):
                    w.tick()


def _flows(w: _Writer, size: int) -> None:
    """Cases that go through the steps of their flow, some left out, some out of order."""
    w.tidy = True
    number = 0
    while len(w.events) < size:
        number += 1
        case = w.rng.choice((f"c{number}", f"x{number}", f"x{number}"))
        item = w.how.items.get(w._item(case), w.how.items["permit"])
        steps, begun = [step.code for step in item.flow], w.now
        if w.on(0.4):
            w.rng.shuffle(steps)
        for step in steps:
            if w.on(0.75):
                w.write(case, step if step in ACTION else "step", step=step, item=item.code)
            if w.on(0.2):
                aside = w.rng.choice("suspend resume decide decide pay".split())
                w.write(case, aside, item=item.code)
            if w.on(0.2):
                w.tick()
        if w.on(0.3):  # said late
            w.write(case, w.rng.choice(("suspend", "resume")), item=item.code, occurred_at=begun)


def _one_stamp(w: _Writer, size: int) -> None:
    """Cases of a source that stamps what it sends with the finish time, or nearly all of it."""
    w.operators = w.operators[: w.rng.randint(1, 3)]
    number = 0
    while len(w.events) < size:
        number += 1
        case = w.rng.choice((f"c{number}", f"x{number}"))
        item = w.how.items.get(w._item(case), w.how.items["permit"])
        stamp = w._recorded(case)
        stamp = w._midnight(stamp) if w.on(0.1) else stamp
        steps = [step.code for step in item.flow if step.code not in ("accept", "close")]
        first = ("accept",) if w.on(0.9) else ("apply", "accept")
        last = ("close",) if w.on(0.7) else w.rng.choice((("close", "close"), ("pay", "close"), ()))
        for step in (*first, *w.rng.sample(steps, w.rng.randint(0, min(3, len(steps)))), *last):
            _stamp(w, case, step, stamp, item.code)
        others = [e for e in w.events if isinstance(e, Event) and e.case_id == case]
        if w.on(0.3):  # another stamp for something of it, which is the same one at times
            _stamp(w, case, w.rng.choice(("accept", "close", "pay")), stamp, item.code,
                   supersedes=w._corrects(None, others))  # fmt: skip


def _stamp(w: _Writer, case: str, step: str, stamp: int, item: str, **given: Any) -> None:
    """One event, mostly of that very stamp, received mostly in the order of writing."""
    recorded = stamp if w.on(0.85) else stamp + w.rng.choice((-1, 1, SECOND, 60 * SECOND))
    action = step if step in ACTION else "step"
    received = max([recorded, *(e.received_at for e in w.events[-6:])])
    received += w._late() if w.on(0.1) else 0
    particulars = {"recorded_at": recorded, "received_at": received, "item": item}
    w.write(case, action, step=step, **particulars, **given)


SCENES: tuple[Callable[[_Writer, int], None], ...] = (
    *(_mixed, _lives, _bursts) * 3,
    *(_applications, _flows, _one_stamp) * 2,
)


def random_stream(rng: random.Random) -> Stream:
    """A district and a stream of 1 to 60 inputs in file order; all of it follows from `rng`."""
    start = rng.choice(STARTS)
    setting = random_setting(rng, start)
    begin = datetime.combine(start, datetime.min.time(), ZoneInfo(setting.zone))
    begin += timedelta(hours=rng.choice((0, 8, 10, 13, 23)), microseconds=rng.choice((0, 1)))
    writer = _Writer(rng, setting, int(begin.timestamp()) * SECOND + begin.microsecond)
    size = rng.choice((rng.randint(1, 60), 60))
    rng.choice(SCENES)(writer, size)
    if rng.random() < 0.3:
        writer.certificate()
        events = writer.events[-1:] + writer.events[:59]
    else:
        events = writer.events[:60]
    if rng.random() < 0.2:
        rng.shuffle(events)
    return setting, events


def streams() -> st.SearchStrategy[Stream]:
    """`random_stream` for hypothesis: one number a stream, so that drawing costs nothing."""
    return st.integers(0, 2**64 - 1).map(lambda seed: random_stream(random.Random(seed)))
