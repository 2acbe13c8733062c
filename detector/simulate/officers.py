"""Certificates of law enforcement: who holds one, from when to when, and who punishes without."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.simulate.deeds import acts, is_one
from detector.simulate.plan import NOBODY
from detector.simulate.reports import DAY_S, EAST_S, Reports, dealt
from detector.simulate.stream import US, begin_s

PENALTY = "02"  # type of an item
YEARS = "2024-01-01", "2028-12-31"
OFFICER_SHARE = 0.6  # of the operators whose items need none
FLAWS = ("none", "expires", "renewed_late", "from_today", "told_late")
FLAWED = 0.12  # share of officers with one, and two at least


class Certificate(NamedTuple):
    """Local days (since 1970), both included, and when the register told of it."""

    begin: int
    end: int
    received: int  # seconds UTC


def certify(reports: Reports) -> None:
    """The register of officers, and what those do who are not in it."""
    county, plan = reports.county, reports.county.plan
    s, rng = county.stream, np.random.default_rng([county.seed, 6])
    begin = begin_s(plan.district.calendar)
    rows = _punishing(reports)
    workers, who = np.unique(s.operator[rows], return_inverse=True)
    day = np.asarray(plan.district.calendar.day(s.occurred[rows] * US))
    begin_day, end_day = (np.datetime64(one, "D").astype(int) for one in YEARS)
    all_year = Certificate(int(begin_day), int(end_day), begin)
    number = 0
    unfit = np.zeros(len(rows), bool)
    seen: set[int] = set()
    flaws = dealt(FLAWS, max(2, int(len(workers) * FLAWED)), rng)
    for n in rng.permutation(len(workers)).tolist():
        mine = np.flatnonzero(who == n)
        department = int(plan.department[s.item[rows[mine[0]]]])
        deed = "all_year"
        if department in seen and flaws:  # there is a register
            deed = flaws.pop()
        seen.add(department)
        held = _held(deed, all_year, day[mine], rng)
        for one in held:
            person = plan.people[int(workers[n])]
            number += _enter(reports, number, person, plan.departments[department], one)
        unfit[mine] = ~_fit(held, day[mine], s.received[rows[mine]])
    _others(reports, number, {plan.people[n] for n in workers.tolist()}, all_year, rng)
    reports.rows.tell("uncertified_officer", rows[unfit], 2)


def _punishing(reports: Reports) -> np.ndarray:
    """Rows that only an officer may work, corrected ones as they stand in the end."""
    county, plan, s = reports.county, reports.county.plan, reports.county.stream
    punishes = np.array([item.type == PENALTY for item in plan.items])[s.item]
    works = acts(plan.action[s.item, s.slot], "accept", "step", "decide")
    listed = ~is_one(county.cases.deed[s.case], "unlisted")
    own = (s.operator != NOBODY) & (s.version != 1) & ~s.imported
    own[s.of[s.version == 2]] = False
    return np.flatnonzero(punishes & works & listed & own)


def _held(
    deed: str, all_year: Certificate, day: np.ndarray, rng: np.random.Generator
) -> list[Certificate]:
    """The certificates of one officer, by the days on which they worked."""
    one = int(rng.choice(day))
    if deed == "none":
        return []
    if deed == "expires":  # valid on that day, and no longer
        return [all_year._replace(end=one)]
    if deed == "renewed_late":
        again = all_year._replace(begin=one + int(rng.integers(1, 20)))
        return [all_year._replace(end=one), again]
    if deed == "from_today":
        return [all_year._replace(begin=one)]
    if deed == "told_late":
        return [all_year._replace(received=one * DAY_S - EAST_S + 12 * 3_600)]
    return [all_year]


def _fit(held: list[Certificate], day: np.ndarray, received: np.ndarray) -> np.ndarray:
    """Whether work of these days was done with a certificate that had been told of before."""
    told = np.zeros(len(day), bool)
    for one in held:
        told |= (one.begin <= day) & (day <= one.end) & (one.received < received)
    return told


def _enter(reports: Reports, number: int, person: str, department: str, one: Certificate) -> bool:
    valid = {"valid_from": _date(one.begin), "valid_to": _date(one.end)}
    return reports.add(
        "officer", number, one.received, person=person, department=department,
        certificate=f"320411{number:06d}", **valid,
    )  # fmt: skip


def _date(day: int) -> str:
    return str(np.datetime64(day, "D"))


def _others(
    reports: Reports, number: int, known: set[str], all_year: Certificate, rng: np.random.Generator
) -> None:
    """The district's other operators, whose items need no certificate."""
    for one in reports.county.plan.district.people.values():
        free = one.role == "operator" and one.person not in known
        if free and rng.random() < OFFICER_SHARE:
            number += _enter(reports, number, one.person, one.department, all_year)
