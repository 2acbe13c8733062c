"""Events of the county as columns, and the honest part of its life: who works what, and when.

Cases begin by season and weekday, within office hours of the district's calendar; everyone types
one record at a time at a pace of their own; a case keeps the order of its steps and the time that
each takes. Times are seconds UTC unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from detector.event import ACTION
from detector.simulate.deeds import (
    crew_of,
    deeds_of,
    delays,
    missing,
    outcomes,
    slowness,
    subtly,
)
from detector.simulate.plan import (
    ACCEPT_SLOT,
    GRANTED_DAYS,
    NOBODY,
    PROBABILITY,
    SLOT_S,
    SYSTEM,
    Plan,
)
from detector.workcalendar import WorkCalendar

START = "2026-01-05T00:00:00"  # a Monday
CHUNK_CASES = 100_000
LAG_S = 900  # most seconds that honest typing takes
WEEKDAY = np.array([1.3, 1.1, 1.0, 0.95, 0.85, 0.6, 0.5])  # make-up days of a weekend are quiet
SUSPENDED = (0.25, 0.5)  # honestly, of what was granted
SEASON = 0.25  # how far the busiest week of the year is above the mean
US = 1_000_000


@dataclass
class Stream:
    """One row an event, by case and slot until it is put in order. `ABSENT` money: -1."""

    case: np.ndarray  # int32, numbers the cases
    item: np.ndarray  # int8, index into Plan.items
    slot: np.ndarray  # int8, index into the item's slots
    operator: np.ndarray  # int32, index into Plan.people, NOBODY for none
    recorded: np.ndarray  # int64
    occurred: np.ndarray
    received: np.ndarray
    due: np.ndarray  # int64 fen, -1 for none
    paid: np.ndarray
    offence: np.ndarray  # when the party offended, -1 for no penalty
    fine: np.ndarray  # int64 fen, -1 for none
    ruling: np.ndarray  # int16, index into penalties.Rulings.told, -1 for none
    papers: np.ndarray  # int16, number of a list in Flow.papers
    forms: np.ndarray  # of Flow.forms
    result: np.ndarray  # int8, index into wording.RESULTS, -1 for none
    reason: np.ndarray  # int8, index into wording.REASONS
    relief: np.ndarray  # bool
    imported: np.ndarray
    source: np.ndarray  # int8, index into sources.NAMED, -1 for the department's own
    version: np.ndarray  # int8: 0 as it came, 1 sent again, 2 corrects the row `of`
    of: np.ndarray  # int64: row that a version 1 or 2 belongs to, -1 for none

    def __len__(self) -> int:
        return len(self.case)

    def take(self, rows: np.ndarray | slice) -> Stream:
        """These rows."""
        return Stream(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass
class Cases:
    """What is true of a whole case."""

    item: np.ndarray  # int8
    deed: np.ndarray  # int8, index into deeds.DEED
    outcome: np.ndarray  # int8, index into deeds.OUTCOMES


def joined(parts: list[Any]) -> Any:
    """Several streams, or sets of cases, as one."""
    kind = type(parts[0])
    return kind(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(kind)))


def begin_s(calendar: WorkCalendar) -> int:
    """When the county's year begins."""
    local = int(np.datetime64(START, "us").astype(np.int64))
    return int(calendar.zone.utc(local)) // US


def starts(plan: Plan, count: int, days: int, rng: np.random.Generator) -> np.ndarray:
    """Working seconds since 1990 at which cases begin, rising: by season and weekday."""
    calendar = plan.district.calendar
    noon = begin_s(calendar) + 43_200 + np.arange(days) * 86_400
    day = np.asarray(calendar.day(noon * US))
    _, works = calendar.workday(noon * US)
    weight = WEEKDAY[(day + 3) % 7] * (1 + SEASON * np.sin(2 * np.pi * (day % 365) / 365))
    weight = np.where(works, weight, 0)
    if not weight.any():
        raise ValueError(f"{days} days from {START[:10]} hold no working day: ask for more")
    chosen = rng.choice(days, count, p=weight / weight.sum())
    opening = calendar.work((noon - 43_200) * US) // US
    return np.sort(opening[chosen] + rng.integers(0, plan.day_s, count))


def draw(plan: Plan, count: int, seed: int, days: int, subtle: float = 0) -> tuple[Cases, Stream]:
    """All events of `count` cases; `recorded` still in working seconds."""
    begun = starts(plan, count, days, np.random.default_rng([seed, 1]))
    cases, streams = [], []
    for begin in range(0, count, CHUNK_CASES):
        rng = np.random.default_rng([seed, 2, begin])
        more = np.random.default_rng([seed, 9, begin]) if subtle else None
        some, stream = _chunk(plan, begun[begin : begin + CHUNK_CASES], rng, subtle, more)
        stream.case += begin
        cases.append(some)
        streams.append(stream)
    return joined(cases), joined(streams)


def _chunk(
    plan: Plan, start: np.ndarray, rng: np.random.Generator, subtle: float,
    more: np.random.Generator | None,
) -> tuple[Cases, Stream]:  # fmt: skip
    count = len(start)
    item = rng.choice(len(plan.items), count, p=plan.weight).astype(np.int8)
    deed = deeds_of(plan, item, rng)
    if more is not None:
        deed = subtly(deed, subtle, more)
    outcome = outcomes(deed, rng)
    hit = rng.random((count, len(PROBABILITY))) < PROBABILITY
    present = np.take_along_axis(hit, plan.group[item], 1)
    present = missing(plan, item, deed, outcome, present, rng)
    gaps = _gaps(plan, item, present, slowness(plan, item, deed, rng), rng)
    gaps += delays(plan, item, deed, present, rng)
    work = start[:, None] + np.cumsum(gaps, axis=1)
    crew = crew_of(plan.crew(item, rng), deed)
    case, slot = np.nonzero(present)
    role = plan.role[item[case], slot]
    operator = np.where(role == SYSTEM, NOBODY, crew[case, role]).astype(np.int32)
    told = work[case, slot].astype(np.int64)
    return Cases(item, deed, outcome), _blank(case, item[case], slot, operator, told)


def _blank(
    case: np.ndarray, item: np.ndarray, slot: np.ndarray, operator: np.ndarray, told: np.ndarray
) -> Stream:
    """Events that say nothing yet but who recorded them when."""
    rows = len(case)

    def none(kind: type) -> np.ndarray:
        return np.full(rows, -1, kind)

    return Stream(
        case=case.astype(np.int32), item=item, slot=slot.astype(np.int8), operator=operator,
        recorded=told, occurred=told, received=told,
        due=none(np.int64), paid=none(np.int64), offence=none(np.int64), fine=none(np.int64),
        ruling=none(np.int16), papers=np.zeros(rows, np.int16), forms=np.zeros(rows, np.int16),
        result=none(np.int8), reason=none(np.int8),
        relief=np.zeros(rows, bool), imported=np.zeros(rows, bool),
        source=none(np.int8), version=np.zeros(rows, np.int8), of=none(np.int64),
    )  # fmt: skip


def _gaps(
    plan: Plan, item: np.ndarray, present: np.ndarray, span_s: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Working seconds before each slot of each case. Honest work takes half of what a step may at
    most; `span_s` is what slow work is to take altogether."""
    shape, slots = present.shape, np.arange(present.shape[1])
    resume = plan.action[item] == ACTION["resume"]
    after = present & (slots > ACCEPT_SLOT) & ~resume
    floor = plan.floor_s[item] * after
    share = (0.2 + rng.random(shape, np.float32)) * after
    slack = np.maximum(span_s - floor.sum(axis=1), 0) / np.maximum(share.sum(axis=1), 0.1)
    pace = rng.uniform(0.3, 1, (len(item), 1)) * (0.4 + 0.5 * share)
    honest = np.maximum(plan.usual_s[item] - floor, 0) * pace * after
    gaps = floor + np.where((span_s > 0)[:, None], share * slack[:, None], honest)
    waits = rng.uniform(*SUSPENDED, len(item)) * GRANTED_DAYS * plan.day_s
    gaps += np.where(resume & present, waits[:, None], 0)
    before = present & (slots <= ACCEPT_SLOT)
    gaps += np.where(before, rng.integers(1_800, 14_400, shape), 0)
    return gaps


def queue(plan: Plan, stream: Stream, rng: np.random.Generator) -> None:
    """Everyone types one record at a time, in working seconds, and a case keeps its order."""
    rows = np.flatnonzero(stream.operator != NOBODY)
    who = stream.operator[rows].astype(np.int64)
    phase = who * 7_919 % SLOT_S  # nobody begins the day on the same second
    slot = (stream.recorded[rows] - phase) // SLOT_S
    order = np.argsort(who << 40 | slot, kind="stable")
    who, slot = who[order], slot[order]
    place = np.arange(len(rows))
    begins = np.concatenate([[True], who[1:] != who[:-1]])
    place -= np.maximum.accumulate(np.where(begins, place, 0))
    slot = rising(slot - place, who) + place
    jitter = rng.integers(0, SLOT_S // 4, len(rows))
    stream.recorded = stream.recorded.copy()
    stream.recorded[rows[order]] = slot * SLOT_S + jitter + phase[order]
    floor = plan.floor_s[stream.item, stream.slot].astype(np.int64)
    first = np.concatenate([[True], stream.case[1:] != stream.case[:-1]])
    run = np.cumsum(np.where(first, 0, floor))
    run -= np.maximum.accumulate(np.where(first, run, 0))
    stream.recorded = rising(stream.recorded - run, stream.case) + run


def rising(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Within each group (equal neighbours, rising) no value below the one before it."""
    step = int(values.max() - values.min()) + 1
    lift = group.astype(np.int64) * step
    return np.maximum.accumulate(values + lift) - lift


def to_clock(plan: Plan, stream: Stream, rng: np.random.Generator) -> None:
    """Working seconds become instants; what is said to be done was done some minutes before."""
    stream.recorded = plan.district.calendar.at(stream.recorded * US) // US
    habit = 0.3 + (stream.operator.astype(np.int64) * 2_654_435_761 % 97) / 97  # of each person
    most = np.where(plan.on_the_spot[stream.item], 300, LAG_S)  # less than a step there takes
    lag = rng.uniform(-1, 1, len(stream)) * most * np.minimum(habit, 1)
    stream.occurred = stream.recorded - np.maximum(lag.astype(np.int64), 0)
    pays = plan.action[stream.item, stream.slot] == ACTION["pay"]
    fee = plan.fee_fen[stream.item]
    stream.due = np.where(pays, fee, -1)
    stream.paid = np.where(pays, fee, -1)
