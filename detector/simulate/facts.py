"""What other systems of the county report: receipts, log-ins, volumes, certificates, complaints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from detector.event import ACTION
from detector.simulate.county import County
from detector.simulate.plan import NOBODY
from detector.simulate.stream import US, begin_s

OFFICER_SHARE = 0.6  # of operators who hold a certificate
COMPLAINTS_A_DAY = 0.3


def fact_lines(county: County) -> bytes:
    """All facts as NDJSON, by `received_at`."""
    told = [
        *_treasury(county), *_logins(county), *_volumes(county), *_officers(county),
        *_voices(county),
    ]  # fmt: skip
    told.sort(key=lambda fact: (fact["received_at"], fact["fact_id"]))
    return b"".join(msgspec.json.encode(fact) + b"\n" for fact in told)


def _stamp(seconds: int) -> str:
    local = datetime.fromtimestamp(seconds + 8 * 3_600, UTC)
    return local.strftime("%Y-%m-%dT%H:%M:%S+08:00")


def _day(seconds: int) -> str:
    return _stamp(seconds)[:10]


def _fact(kind: str, number: int, received: int, **told: Any) -> dict[str, Any]:
    name = {"kind": kind, "fact_id": f"{kind}-{number:09d}"}
    return name | told | {"received_at": _stamp(received)}


def _treasury(county: County) -> Iterator[dict[str, Any]]:
    """What was paid reaches the treasury the next morning, case by case."""
    plan, s = county.plan, county.stream
    superseded = s.of[s.version == 2]
    rows = np.flatnonzero((s.version != 1) & (s.paid > 0))
    for number, row in enumerate(np.setdiff1d(rows, superseded).tolist()):
        at = int(s.recorded[row])
        fen = int(s.paid[row])
        yield _fact(
            "treasury", number, at + 20 * 3_600,
            department=plan.departments[plan.department[s.item[row]]],
            item=plan.codes[s.item[row]], case_id=f"{plan.district.code}26{s.case[row]:09d}",
            amount=f"{fen // 100}.{fen % 100:02d}", paid_on=_day(at),
        )  # fmt: skip


def _logins(county: County) -> Iterator[dict[str, Any]]:
    """Whoever typed something on a day was on line before; supervisors look in when they please."""
    s = county.stream
    calendar = county.plan.district.calendar
    typed = s.operator != NOBODY
    day = np.asarray(calendar.day(s.recorded[typed] * US))
    keys = s.operator[typed].astype(np.int64) << 20 | day
    pairs, first = np.unique(keys, return_index=True)
    firsts = s.recorded[typed][first].tolist()
    number = 0
    for pair, at in zip(pairs.tolist(), firsts, strict=True):
        person = county.plan.people[pair >> 20]
        at -= 300 + pair % 300
        yield _fact("login", number, at + 5, person=person, role="operator", at=_stamp(at))
        number += 1
    rng = np.random.default_rng([county.seed, 5])
    watchers = [p for p in county.plan.district.people.values() if p.role == "supervisor"]
    for one in np.unique(day).tolist():
        for person in watchers:
            if rng.random() < 0.9:
                at = one * 86_400 - 8 * 3_600 + 9 * 3_600 + int(rng.integers(0, 7_200))
                told = {"person": person.person, "role": "supervisor", "at": _stamp(at)}
                yield _fact("login", number, at + 5, **told)
                number += 1


def _volumes(county: County) -> Iterator[dict[str, Any]]:
    """Each month's cases and money of an item, as its own system counts them."""
    plan, s = county.plan, county.stream
    cases: Counter[tuple[str, int]] = Counter()
    money: Counter[tuple[str, int]] = Counter()
    action = plan.action[s.item, s.slot]
    plain = s.version == 0
    accepts = np.flatnonzero(plain & (action == ACTION["accept"]))
    pays = np.flatnonzero(plain & (action == ACTION["pay"]))
    for row in accepts.tolist():
        cases[_day(int(s.recorded[row]))[:7], int(s.item[row])] += 1
    for row in pays.tolist():
        money[_day(int(s.recorded[row]))[:7], int(s.item[row])] += int(s.paid[row])
    for number, (month, item) in enumerate(sorted(cases)):
        year, of_year = divmod(int(month[:4]) * 12 + int(month[5:]), 12)
        following = datetime(year, of_year + 1, 3, tzinfo=UTC)
        fen = money[month, item]
        yield _fact(
            "volume", number, int(following.timestamp()),
            department=plan.departments[plan.department[item]], item=plan.codes[item],
            period=month, cases=cases[month, item], amount=f"{fen // 100}.{fen % 100:02d}",
        )  # fmt: skip


def _officers(county: County) -> Iterator[dict[str, Any]]:
    """Certificates that are in force all year."""
    rng = np.random.default_rng([county.seed, 6])
    begin = begin_s(county.plan.district.calendar)
    people = [p for p in county.plan.district.people.values() if p.role == "operator"]
    for number, person in enumerate(people):
        if rng.random() < OFFICER_SHARE:
            yield _fact(
                "officer", number, begin, person=person.person, department=person.department,
                certificate=f"320411{number:06d}", valid_from="2024-01-01", valid_to="2028-12-31",
            )  # fmt: skip


def _voices(county: County) -> Iterator[dict[str, Any]]:
    """Complaints and consultations, most of them answered in time."""
    rng = np.random.default_rng([county.seed, 7])
    begin, end = begin_s(county.plan.district.calendar), int(county.stream.received[-1])
    for kind, days in (("complaint", 5), ("consultation", 2)):
        count = int((end - begin) / 86_400 * COMPLAINTS_A_DAY) + 1
        for number, at in enumerate(np.sort(rng.integers(begin, end, count)).tolist()):
            department = county.plan.departments[int(rng.integers(len(county.plan.departments)))]
            answered = at + int(rng.integers(1, days)) * 86_400
            told = {"department": department, "received_on": _day(at)}
            yield _fact(kind, number, answered + 60, **told, answered_on=_day(answered))
