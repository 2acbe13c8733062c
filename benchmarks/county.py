"""A made-up year of the example county: N case events, seeded, vectorised, by record time.

It speaks the items, departments and people of `examples/county` and imports no rule. Most cases
are lawful; one or two events in a hundred offend, over all ten rules. Where the county's people
could not type so much, further accounts join them, so that everyone keeps a plausible pace.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from benchmarks.county_plan import (
    ACCEPT_SLOT,
    FAULT,
    FAULT_SHARES,
    GRANTED_DAYS,
    NOBODY,
    PROBABILITY,
    SLOT_S,
    SYSTEM,
    Plan,
)  # fmt: skip
from detector.district import District
from detector.event import ACTION

START = "2026-01-05T00:00:00"
DAYS = 250  # calendar days in which cases begin
CHUNK_CASES = 100_000
SPARE = 1.05  # cases beyond the wanted events: what is still open when the stream ends
LAG_S = 900  # most seconds that honest typing takes
_S = 1_000_000


@dataclass
class Stream:
    """Events as columns, one row each. Times are seconds UTC; `case` numbers the cases."""

    case: np.ndarray  # int32
    item: np.ndarray  # int8, index into Plan.items
    slot: np.ndarray  # int8, index into the item's slots
    operator: np.ndarray  # int32, index into Plan.people, SYSTEM for none
    recorded_s: np.ndarray  # int64
    occurred_s: np.ndarray

    def __len__(self) -> int:
        return len(self.case)

    def take(self, rows: np.ndarray | slice) -> Stream:
        """These rows."""
        return Stream(*(getattr(self, f.name)[rows] for f in fields(self)))


@dataclass
class Cases:
    """What is true of a whole case."""

    item: np.ndarray  # int8
    fault: np.ndarray  # int8, index into FAULT


@dataclass
class County:
    """A generated stream with what is needed to spell it."""

    plan: Plan
    cases: Cases
    stream: Stream
    seed: int


def generate(events: int, seed: int, district: District, days: int = DAYS) -> County:
    """Exactly `events` events from 2026-01-05 on, of cases that begin within `days` calendar days
    (the stream ends a little earlier); equal arguments give equal streams."""
    calendar = district.calendar
    begin = int(calendar.zone.utc(int(np.datetime64(START, "us").astype(np.int64))))
    span = calendar.work(np.array([begin, begin + days * 86_400 * _S])) // _S
    count, plan = 0, Plan(district)
    while True:
        count = int(max(count * 1.3, SPARE * events / plan.events_a_case + 8))
        plan.hire(count, int(span[1] - span[0]))
        cases, stream = _draw(plan, count, seed, span)
        if len(stream) >= events:
            break
    rng = np.random.default_rng([seed, 1 << 20])
    _queue(plan, stream, rng)
    recorded = calendar.at(stream.recorded_s * _S) // _S
    lag = rng.integers(-LAG_S, LAG_S, len(stream))
    stream.recorded_s, stream.occurred_s = recorded, recorded - np.maximum(lag, 0)
    _misbehave(plan, cases, stream, rng)
    _burst(stream, rng)
    order = np.argsort(stream.recorded_s, kind="stable")[:events]
    return County(plan, cases, stream.take(order), seed)


def _draw(plan: Plan, count: int, seed: int, span: np.ndarray) -> tuple[Cases, Stream]:
    """All events of `count` cases by case and slot; `recorded_s` still in working seconds."""
    starts = np.sort(np.random.default_rng(seed).integers(span[0], span[1], count))
    cases: list[Cases] = []
    streams: list[Stream] = []
    for begin in range(0, count, CHUNK_CASES):
        rng = np.random.default_rng([seed, begin])
        some, stream = _chunk(plan, starts[begin : begin + CHUNK_CASES], rng)
        stream.case += begin
        cases.append(some)
        streams.append(stream)
    return Cases(*_joined(cases)), Stream(*_joined(streams))


def _joined(parts: list[Cases] | list[Stream]) -> list[np.ndarray]:
    return [np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(parts[0])]


def _chunk(plan: Plan, start: np.ndarray, rng: np.random.Generator) -> tuple[Cases, Stream]:
    count = len(start)
    item = rng.choice(len(plan.items), count, p=plan.weight).astype(np.int8)
    fault = np.searchsorted(np.cumsum(FAULT_SHARES), rng.random(count)).astype(np.int8)
    hit = rng.random((count, len(PROBABILITY))) < PROBABILITY
    present = np.take_along_axis(hit, plan.group[item], 1)
    slots = np.arange(present.shape[1])
    unpaid = (fault == FAULT["unpaid"])[:, None] & (plan.action[item] == ACTION["pay"])
    last = np.where(fault == FAULT["stuck"], ACCEPT_SLOT + rng.integers(0, 4, count), len(slots))
    present &= ~unpaid & (slots <= last[:, None])
    work = start[:, None] + np.cumsum(_gaps(plan, item, fault, present, rng), axis=1)
    crew = plan.crew(item, rng)
    alone = fault == FAULT["same_person"]
    half = rng.random(count) < 0.5
    crew[alone & half, 3] = crew[alone & half, 0]  # accepted and decided by one
    crew[alone & ~half, 2] = crew[alone & ~half, 3]  # reviewed and decided by one
    case, slot = np.nonzero(present)
    role = plan.role[item[case], slot]
    operator = np.where(role == SYSTEM, NOBODY, crew[case, role]).astype(np.int32)
    told = work[case, slot].astype(np.int64)
    stream = Stream(
        case.astype(np.int32), item[case], slot.astype(np.int8), operator, told, told.copy()
    )
    return Cases(item, fault), stream


def _gaps(
    plan: Plan, item: np.ndarray, fault: np.ndarray, present: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Working seconds before each slot of each case: honest work ends a day before the promise."""
    shape, slots = present.shape, np.arange(present.shape[1])
    resume = plan.action[item] == ACTION["resume"]
    after = present & (slots > ACCEPT_SLOT) & ~resume
    floor = plan.floor_s[item] * after
    share = (0.2 + rng.random(shape, np.float32)) * after
    promise_s = plan.promised_days[item] * plan.day_s
    span = (promise_s - plan.day_s) * rng.uniform(0.15, 0.9, shape[0])
    span = np.where(plan.on_the_spot[item], plan.day_s * rng.uniform(0.03, 0.1, shape[0]), span)
    slow = fault == FAULT["slow"]
    span = np.where(slow, promise_s * rng.uniform(1.03, 1.8, shape[0]), span)
    slack = np.maximum(span - floor.sum(axis=1), 0) / np.maximum(share.sum(axis=1), 0.1)
    gaps = floor + share * slack[:, None]
    waits = rng.uniform(0.5, 1.0, len(item)) * GRANTED_DAYS * plan.day_s
    gaps += np.where(resume & present, waits[:, None], 0)
    before = present & (slots <= ACCEPT_SLOT)
    gaps += np.where(before, rng.integers(1_800, 14_400, shape), 0)
    return gaps


def _queue(plan: Plan, stream: Stream, rng: np.random.Generator) -> None:
    """Everyone types one record at a time, in working seconds, and a case keeps its order."""
    rows = np.flatnonzero(stream.operator != NOBODY)
    who = stream.operator[rows].astype(np.int64)
    phase = who * 7_919 % SLOT_S  # nobody begins the day on the same second
    slot = (stream.recorded_s[rows] - phase) // SLOT_S
    order = np.argsort(who << 40 | slot, kind="stable")
    who, slot = who[order], slot[order]
    place = np.arange(len(rows))
    begins = np.concatenate([[True], who[1:] != who[:-1]])
    place -= np.maximum.accumulate(np.where(begins, place, 0))
    slot = _rising(slot - place, who) + place
    jitter = rng.integers(0, SLOT_S // 2, len(rows))
    stream.recorded_s[rows[order]] = slot * SLOT_S + jitter + phase[order]
    floor = plan.floor_s[stream.item, stream.slot].astype(np.int64)
    first = np.concatenate([[True], stream.case[1:] != stream.case[:-1]])
    run = np.cumsum(np.where(first, 0, floor))
    run -= np.maximum.accumulate(np.where(first, run, 0))
    stream.recorded_s = _rising(stream.recorded_s - run, stream.case) + run


def _rising(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Within each group (equal neighbours, rising) no value below the one before it."""
    step = int(values.max() - values.min()) + 1
    lift = group.astype(np.int64) * step
    return np.maximum.accumulate(values + lift) - lift


def _misbehave(plan: Plan, cases: Cases, stream: Stream, rng: np.random.Generator) -> None:
    """Offences of single events and of cases' times; rows stand by case and slot."""
    action, rows = plan.action[stream.item, stream.slot], np.arange(len(stream))
    first = np.concatenate([[True], stream.case[1:] != stream.case[:-1]])
    u = rng.random(len(stream))
    recorded, occurred = stream.recorded_s, stream.occurred_s

    quick = rows[~first & (u < 0.004)]
    quick = quick[np.concatenate([[True], np.diff(quick) > 1])]
    recorded[quick] = recorded[quick - 1] + rng.integers(3, 56, len(quick))
    occurred[quick] = recorded[quick] - 2

    late = np.isin(action, [ACTION[a] for a in ("step", "decide", "issue", "deliver")])
    late = rows[late & ~first & (u > 0.9965)]
    occurred[late] -= rng.integers(5 * 86_400, 20 * 86_400, len(late))

    fault = cases.fault[stream.case]
    accept = np.maximum.accumulate(np.where((action == ACTION["accept"]) | first, rows, 0))
    rushed = rows[(fault == FAULT["rushed"]) & (rows > accept)]
    nth = rushed - accept[rushed]
    recorded[rushed] = recorded[accept[rushed]] + nth * 25
    occurred[rushed] = recorded[rushed]
    closed = rows[(fault == FAULT["inverted"]) & (action == ACTION["close"])]
    occurred[closed] = occurred[accept[closed]] - rng.integers(3_600, 86_400, len(closed))
    corrected = rows[(action == ACTION["corrected"]) & (u < 0.02)]
    occurred[corrected] = occurred[corrected - 1] - 7_200


def _burst(stream: Stream, rng: np.random.Generator) -> None:
    """Some operators type the work of the last hours all at once: 6 to 40 records in a row."""
    order = np.argsort(
        (stream.operator.astype(np.int64) + 1) << 40 | stream.recorded_s, kind="stable"
    )
    wanted = max(1, len(stream) // 3_500)
    block = rng.choice(len(order) // 64, min(wanted, len(order) // 64), replace=False) * 64
    size = np.where(rng.random(len(block)) < 0.8, 6 + block % 9, 22 + block % 19)
    nth = np.arange(40)
    at = order[block[:, None] + nth]
    end = order[block + size - 1]
    mine = (nth < size[:, None]) & (stream.operator[at] == stream.operator[end][:, None])
    mine &= (stream.operator[end] != NOBODY)[:, None]
    at_s = stream.recorded_s[end][:, None] - (size[:, None] - 1 - nth) * 14
    stream.recorded_s[at[mine]] = at_s[mine]
    stream.occurred_s = np.minimum(stream.occurred_s, stream.recorded_s)
