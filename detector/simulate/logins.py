"""Who was on line: operators whenever they type, supervisors on every working day, or so they
should."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from detector.simulate.plan import NOBODY
from detector.simulate.reports import DAY_S, EAST_S, Reports, dealt, stamp
from detector.simulate.stream import US, begin_s

LEADER = "P0806"  # the first to look in as a supervisor, who is none
STRETCH_DAYS = 8  # working days in which a supervisor keeps to one habit
HABITS = (
    "daily", "daily", "daily", "at_midnight", "idle_day", "idle_days", "told_late", "first_told",
    "middle_told", "as_operator",
)  # fmt: skip
SATURDAY = 5
Missed = dict[int, int]  # position in the stretch → days until the log-in is told, 0 for never


def log_in(reports: Reports) -> None:
    """All log-ins, and the days on which a supervisor did not come."""
    number = _operators(reports)
    calendar = reports.county.plan.district.calendar
    first = int(calendar.day(begin_s(calendar) * US)) + 1
    last = int(calendar.day(reports.last * US))
    days = [day for day in range(first, last + 1) if calendar.works(day)]
    watchers = [p for p in reports.county.plan.district.people.values() if p.role == "supervisor"]
    person = watchers[0].person
    opening = (first * DAY_S - EAST_S) + 60
    _log_in(reports, number, opening, opening + 1, LEADER)
    _log_in(
        reports, number + 1, opening - 5 * 3_600, opening + DAY_S, person
    )  # and yet not watched
    number += 2
    rng = np.random.default_rng([reports.county.seed, 5])
    stretches = range(0, len(days), STRETCH_DAYS)
    habits = iter(dealt(HABITS, len(stretches) * len(watchers), rng))
    came: dict[str, set[int]] = {p.person: set() for p in watchers}
    for begin in stretches:
        for one in watchers:
            some, habit = days[begin : begin + STRETCH_DAYS], next(habits)
            for day, at, told, role in _stretch(some, habit, rng):
                if _log_in(reports, number, at, told, one.person, role) and role == "supervisor":
                    came[one.person].add(day)
                number += 1
    for person, seen in came.items():
        _tell(reports, person, days, seen)


def _operators(reports: Reports) -> int:
    """Whoever typed something on a day was on line before. How many log-ins that makes."""
    s, plan = reports.county.stream, reports.county.plan
    typed = s.operator != NOBODY
    day = np.asarray(plan.district.calendar.day(s.recorded[typed] * US))
    keys = s.operator[typed].astype(np.int64) << 20 | day
    pairs, first = np.unique(keys, return_index=True)
    firsts = s.recorded[typed][first].tolist()
    for number, (pair, at) in enumerate(zip(pairs.tolist(), firsts, strict=True)):
        at -= 300 + pair % 300
        _log_in(reports, number, at, at + 5, plan.people[pair >> 20], "operator")
    return len(pairs)


def _log_in(
    reports: Reports, number: int, at: int, told: int, person: str, role: str = "supervisor"
) -> bool:
    return reports.add("login", number, told, person=person, role=role, at=stamp(at))


def _stretch(
    days: list[int], habit: str, rng: np.random.Generator
) -> Iterator[tuple[int, int, int, str]]:
    """The log-ins of one supervisor in some working days: day, instant, when told, role."""
    missed = _missed(len(days), habit, rng)
    for place, day in enumerate(days):
        begin = day * DAY_S - EAST_S
        at = begin + int(rng.integers(8 * 3_600, 17 * 3_600))
        if habit == "at_midnight":  # the first second of the day, or the last
            at = begin + int(rng.choice([0, DAY_S - 1]))
        if place not in missed:
            yield day, at, at + 5, "supervisor"
        elif habit == "as_operator":
            yield day, at, at + 5, "operator"
        elif missed[place]:
            yield day, at, at + 5 + missed[place] * DAY_S, "supervisor"
        if rng.random() < 0.1:  # some look in twice, and at the weekend
            yield day, at + 60, at + 65, "operator"
        if (day + 4) % 7 == SATURDAY and rng.random() < 0.5:
            yield day + 1, begin + DAY_S + 36_000, begin + DAY_S + 36_005, "supervisor"


def _missed(count: int, habit: str, rng: np.random.Generator) -> Missed:
    """The days that are missed, and how late those are told of that were not."""
    if habit in ("daily", "at_midnight"):
        return {}
    length = 1 if habit == "idle_day" else min(int(rng.integers(3, 6)), count)
    begin = int(rng.integers(0, count - length + 1))
    missed = dict.fromkeys(range(begin, begin + length), 0)
    late = {
        "told_late": list(missed), "first_told": [begin], "middle_told": [begin + length // 2],
    }.get(habit, [])  # fmt: skip
    return missed | {place: int(rng.integers(1, 15)) for place in late}


def _tell(reports: Reports, person: str, days: list[int], came: set[int]) -> None:
    """Each run of idle days, at the closing time of its first."""
    calendar = reports.county.plan.district.calendar
    closing = calendar.hours[-1][1] // US - EAST_S
    idle = [day not in came for day in days]
    for place, day in enumerate(days):
        at = day * DAY_S + closing
        if idle[place] and not (place and idle[place - 1]) and at <= reports.county.until:
            reports.tell("idle_supervisor", "supervisor", person, at, 0)
