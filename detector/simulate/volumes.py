"""Each month's cases and money of an item, as its own system counts them, and what falls.

The system counts the cases of all counters, those of the stream among them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from detector.event import ACTION
from detector.simulate.reports import DAY_S, EAST_S, Reports, dealt, month_after, yuan
from detector.simulate.stream import begin_s
from detector.simulate.treasury import Books, Month, due

LEAST = 1_000  # cases a month
MONTH_EDGE, YEAR_EDGE = -100, -50  # ‰
RECOVERED = 0.85  # of an item's usual number
HOUR_S = 3_600
UNHEARD = "stall_permit"  # nobody counted it last year
DEEDS = (
    "steady", "steady", "steady", "month_fell", "month_held", "year_fell", "year_held", "both",
    "late", "corrected", "belied", "silent", "none_at_all",
)  # fmt: skip
GAP_DEEDS = ("with_gap", "year_with_gap", "before_gap", "steady")  # where fines are missing


class Volume(NamedTuple):
    """A number as it arrived."""

    month: Month
    cases: int
    received: int  # seconds UTC


@dataclass
class Counters:
    """What was counted, in the order of arrival, and what is true of it."""

    reports: Reports
    books: Books
    told: list[Volume] = field(default_factory=list)

    def judge(self) -> None:
        """Judge each month on the third day of the next, and at every number that comes later."""
        known: dict[Month, int] = {}
        found: dict[Month, dict[tuple[str, int], int]] = {}  # of each month: where first found
        stands: dict[Month, tuple[str, int]] = {}
        for at, month, cases in self._moments():
            if cases is not None:
                known[month] = cases
            if month not in known or (cases is not None and at <= _edge(month)):
                continue
            verdict = self._verdict(month, known, at)
            stands.pop(month, None)
            if verdict is not None:
                found.setdefault(month, {}).setdefault(verdict, at)
                stands[month] = verdict
        for month, (band, value) in stands.items():
            at, tier = found[month][band, value], 2 if band == "with_gap" else 0
            told = "offline_operation", "department", month[0], at, tier, month[1], value
            self.reports.tell(*told)

    def _moments(self) -> list[tuple[int, Month, int | None]]:
        """Numbers as they arrive, and behind those of the instant a month's own, without one."""
        moments = [(v.received, 0, n, v.month, v.cases) for n, v in enumerate(self.told)]
        months = sorted({v.month for v in self.told})
        clocks = [(_edge(month), 1, n, month, None) for n, month in enumerate(months)]
        in_order = sorted([*moments, *clocks], key=lambda one: one[:3])
        until = self.reports.county.until
        return [(at, month, cases) for at, _, _, month, cases in in_order if at <= until]

    def _verdict(self, month: Month, known: dict[Month, int], at: int) -> tuple[str, int] | None:
        """Band and value, where the number fell."""
        year, before = (_change(known, month, back) for back in (12, 1))
        fell_year, fell_month = year <= YEAR_EDGE, before <= MONTH_EDGE
        if not fell_year and not fell_month:
            return None
        band = "year_drop" if fell_year else "month_drop"
        if self.books.stands(month, at):
            band = "with_gap"
        return band, year if fell_year else before


def _change(known: dict[Month, int], month: Month, back: int) -> int:
    """‰ since so many months ago, 0 where nothing is known."""
    earlier = known.get(_ago(month, back), 0)
    if earlier <= 0:
        return 0
    grown = (known[month] - earlier) * 1_000
    return grown // earlier if grown >= 0 else -(-grown // earlier)


def _ago(month: Month, back: int) -> Month:
    return month[0], month[1], str(np.datetime64(month[2], "M") - back)


def count(reports: Reports, books: Books) -> None:
    """All numbers: those of last year at the beginning, then month by month."""
    plan, counters = reports.county.plan, Counters(reports, books)
    begin = begin_s(plan.district.calendar)
    rng = np.random.default_rng([reports.county.seed, 8])
    first = np.datetime64(begin + EAST_S, "s").astype("M8[M]")
    least, money = _of_the_stream(reports, first)
    months = [str(first + n) for n in range(least.shape[1])]
    deeds = iter(dealt(DEEDS, least.size, rng))
    gaps = iter(dealt(GAP_DEEDS, least.size, rng))
    told: list[tuple[Volume, int]] = []
    for item, code in enumerate(plan.codes):
        some = [(plan.departments[plan.department[item]], code, month) for month in months]
        ways = [next(gaps) if _gap(counters, month) else next(deeds) for month in some]
        numbers = _numbers(some, ways, int(least[item].max()), rng)
        if code != UNHEARD:
            past = zip((_ago(month, 12) for month in some), numbers, strict=True)
            told += [(Volume(m, year, begin + 60), 0) for m, (_, year) in past if m not in some]
        for n, (month, way) in enumerate(zip(some, ways, strict=True)):
            arrive = _arrivals(counters, month, way, numbers[n][0], rng)
            told += [(one, int(money[item, n])) for one in arrive]
    for number, (one, fen) in enumerate(sorted(told, key=lambda each: each[0].received)):
        names = dict(zip(("department", "item", "period"), one.month, strict=True))
        amount = yuan(fen)
        if reports.add("volume", number, one.received, **names, cases=one.cases, amount=amount):
            counters.told.append(one)
    counters.judge()


def _gap(counters: Counters, month: Month) -> bool:
    return counters.books.stands(month, due(counters.reports, month[2]))


def _of_the_stream(reports: Reports, first: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
    """(items, months from the first): cases that the stream has, and fen that were paid in it."""
    plan, s = reports.county.plan, reports.county.stream
    action, plain = plan.action[s.item, s.slot], s.version == 0
    place = (((s.recorded + EAST_S) // DAY_S).astype("M8[D]").astype("M8[M]") - first).astype(int)
    shape = (len(plan.codes), int(place.max()) + 1)
    accepts, pays = plain & (action == ACTION["accept"]), plain & (action == ACTION["pay"])
    cases, money = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    np.add.at(cases, (s.item[accepts], place[accepts]), 1)
    np.add.at(money, (s.item[pays], place[pays]), np.maximum(s.paid[pays], 0))
    return cases, money


def _numbers(
    months: list[Month], ways: list[str], least: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Of each month its number, and that of a year before."""
    base = max(LEAST, 2 * least) + int(rng.integers(0, 50))
    told: list[tuple[int, int]] = []
    known = 0  # of the month before
    for _, way in zip(months, ways, strict=True):
        steady = base + int(base * rng.uniform(-0.04, 0.04))
        high = known if known > base * RECOVERED else 0  # what has fallen recovers first
        cases = _fall(way, high, steady, rng) if high else steady
        if way == "none_at_all":
            cases = 0
        year = cases - int(cases * rng.uniform(-0.035, 0.08))
        if way in ("year_fell", "both", "year_with_gap"):
            year = _before(cases, -YEAR_EDGE)
        if way == "year_held":
            year = _before(cases, -YEAR_EDGE - 1)
        told.append((cases, max(year, 0)))
        known = 0 if way == "silent" else cases
    return told


def _fall(way: str, known: int, steady: int, rng: np.random.Generator) -> int:
    """A month's number after that of the month before."""
    if way == "month_fell":
        return _fallen(known, -MONTH_EDGE, rng)
    if way == "month_held":
        return known - _most(known, -MONTH_EDGE - 1)
    parts = {
        "both": 17, "with_gap": 16, "before_gap": 16, "belied": 14, "corrected": 20,
    }  # fmt: skip
    return known * parts[way] // 20 if way in parts else steady


def _fallen(earlier: int, permille: int, rng: np.random.Generator) -> int:
    """A number that fell by just so much, or by less than a ‰ more."""
    least = -(-permille * earlier // 1_000)
    return earlier - int(rng.integers(least, max(least, _most(earlier, permille)) + 1))


def _most(earlier: int, permille: int) -> int:
    """How far a number may fall before a ‰ more is lost."""
    return -(-(permille + 1) * earlier // 1_000) - 1


def _before(cases: int, permille: int) -> int:
    """A number from which these fell by so many ‰."""
    guess = cases * 1_000 // (1_000 - permille)
    near = [n for n in range(guess - 2, guess + 3) if n > 0]
    return next((n for n in near if (n - cases) * 1_000 // n == permille), guess)


def _arrivals(
    counters: Counters, month: Month, way: str, cases: int, rng: np.random.Generator
) -> list[Volume]:
    """A number, when it arrives, and what it was said to be before."""
    edge, following = _edge(month), month_after(month[2], 1)
    judged = due(counters.reports, month[2])
    spare = min(_edge(month, 1) - HOUR_S, edge + 20 * DAY_S)
    received = following + int(rng.integers(8 * HOUR_S, 2 * DAY_S + 1))
    received = edge if rng.random() < 0.1 else min(received, edge)
    if way == "silent":
        return []
    if way in ("with_gap", "year_with_gap") and judged < spare:
        received = judged + 1
    if way == "before_gap" and judged < spare:
        received = judged - 1
    if way == "late":
        received = edge + int(rng.integers(1, spare - edge))
    one = Volume(month, cases, received)
    again = edge + int(rng.integers(1, spare - edge))
    if way == "corrected":  # it was said to have fallen
        return [one._replace(cases=cases // 2), one._replace(received=again)]
    if way == "belied":  # it was said to have not
        return [one._replace(cases=cases * 10 // 7), one._replace(received=again)]
    return [one]


def _edge(month: Month, more: int = 0) -> int:
    """When a month is judged, or one that comes so many later."""
    return month_after(str(np.datetime64(month[2], "M") + more), 3)
