"""How many cases of an item a department accepts in a month. 办件量

What    Of each item in each department the cases that a month ordinarily brings: level and trend of
        the last half year, the share of each day of the week, and of each month once a whole year is
        known; and the number that only one month in twenty falls below.
Basis   Ours: a seasonal naive decomposition with Sen's slope (1968) for the trend and the exact
        quantiles of its own four-week errors; never narrower than a count's own root.
Learns from
        Acceptances by the local day on which they were recorded, over at most 784 days
        before the month: what the month itself brings cannot make itself ordinary.
Blind   Feasts that move (Spring Festival), new duties, closed counters. A year that grows looks like
        a season until a second one is known. Where seasons are steep or weeks uneven, more months
        than one in twenty lie below: up to one in four in our trials. A case that is accepted twice counts twice. Fewer than
        eight weeks or 40 cases say nothing. More than 65,535 a day count as that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from detector.learnkit import (
    EXAMPLE_DAY,
    Example,
    Learner,
    Limit,
    Model,
    Param,
    Rows,
    Scores,
    row,
)

WEEK, BLOCK = 7, 4  # days; weeks in a sum whose error is looked at
YEAR = 365
KEPT_DAYS = 112 * WEEK
LEVEL_WEEKS, ERROR_WEEKS = 26, 26  # that the line is drawn through; whose forecasts are looked at
STEADY = 10
THURSDAY = 3  # of 1970-01-01, counted from Monday
SHARES = (50, 250, 500, 750, 950)  # ‰, of the ordinary range that a limit names
NORMAL = (-1.645, -0.674, 0.0, 0.674, 1.645)  # the same points of a normal distribution
PARAMS = (
    Param("weeks_least", 8, "weeks", "with fewer an item says nothing", 5, 104),
    Param("cases_least", 40, "cases", "with fewer an item says nothing", 1, 10**6),
)
Key = tuple[str, str]  # item, department


class Daily(msgspec.Struct, array_like=True):
    """Acceptances of one key by day, without a gap, up to the last day that had any."""

    first: int  # local day
    cases: np.ndarray  # uint16


def month_of(day: int) -> tuple[int, int]:
    """First day of the month that the day lies in, and of the next."""
    month = np.datetime64(day, "D").astype("M8[M]")
    begin, end = (np.array([month, month + 1])).astype("M8[D]").astype(np.int64).tolist()
    return begin, end


def _months(first: int, days: int) -> np.ndarray:
    """The month (0…11) of each of so many days."""
    return (np.arange(first, first + days).astype("M8[D]").astype("M8[M]").astype(np.int64)) % 12


def weekdays(cases: np.ndarray, first: int) -> np.ndarray:
    """What each day of the week brings for an average one's 1: float [7], Monday first."""
    weekday = (np.arange(first, first + len(cases)) + THURSDAY) % WEEK
    brought = np.bincount(weekday, cases, WEEK)
    return np.asarray(brought * WEEK / brought.sum())


def seasons(cases: np.ndarray, first: int, share: np.ndarray) -> np.ndarray:
    """What each month of the year brings for an average one's 1: float [12], 1 before a year is
    known. `STEADY` average cases are added to each, so that few cases make no season."""
    told, years = np.zeros(12), len(cases) // YEAR
    usual = share[(np.arange(first, first + len(cases)) + THURSDAY) % WEEK]
    if years > 1:  # growth from year to year is no season
        year_before, last_year = cases[-2 * YEAR : -YEAR].sum(), cases[-YEAR:].sum()
        growth = min(max((last_year + STEADY) / (year_before + STEADY), 0.5), 2.0)
        usual = usual * growth ** (np.arange(len(cases)) / YEAR)
    for year in range(years):
        end = len(cases) - YEAR * year
        part, even = cases[end - YEAR : end], usual[end - YEAR : end]
        month, mean = _months(first + end - YEAR, YEAR), part.sum() / even.sum()
        told += (np.bincount(month, part, 12) + STEADY) / (
            np.bincount(month, even, 12) * mean + STEADY
        )
    return np.asarray(told / years) if years else np.ones(12)


def ordinary_month(cases: np.ndarray, first: int, month: tuple[int, int]) -> list[int]:
    """Cases of a month at the points `SHARES`, from the daily cases up to its first day."""
    share = weekdays(cases[-LEVEL_WEEKS * WEEK :], first + max(len(cases) - LEVEL_WEEKS * WEEK, 0))
    factor = seasons(cases, first, share)

    def usual(begin: int, days: int) -> np.ndarray:
        weekday = (np.arange(begin, begin + days) + THURSDAY) % WEEK
        return np.asarray(share[weekday] * factor[_months(begin, days)])

    weeks = min(len(cases) // WEEK, LEVEL_WEEKS + ERROR_WEEKS)
    days = weeks * WEEK
    real = cases[-days:].reshape(-1, WEEK).sum(axis=1)
    even = usual(month[0] - days, days).reshape(-1, WEEK).sum(axis=1)
    level = real / np.where(even > 0, even, 1)
    width = min(LEVEL_WEEKS, weeks // 2)
    blocks = sliding_window_view(real, BLOCK)[width:].sum(axis=1)
    told = ahead(level, width, sliding_window_view(even, BLOCK)[width:])
    errors = blocks[told > 0] / told[told > 0]
    parts = np.add.reduceat(
        usual(month[0], month[1] - month[0]), range(0, month[1] - month[0], WEEK)
    )
    expected = float(ahead(level[-width:], width, parts[None])[0])
    return _points(expected, np.sort(errors) if len(errors) else np.ones(1))


def ahead(level: np.ndarray, width: int, even: np.ndarray) -> np.ndarray:
    """Cases forecast for the weeks that follow upon each `width` weeks: by Sen's line through their
    levels, within half and double of their median. `even` [n, weeks]: what those weeks bring for an
    average week's 1; the first n windows are taken."""
    windows = sliding_window_view(level, width)[: len(even)]
    one, other = np.triu_indices(width, 1)
    slope = np.median((windows[:, other] - windows[:, one]) / (other - one), axis=1)[:, None]
    slope = slope if width == LEVEL_WEEKS else 0 * slope  # a few weeks make no trend
    last = np.median(windows - slope * (np.arange(width) - width + 1), axis=1)[:, None]
    mean = np.median(windows, axis=1)[:, None]
    line = np.clip(last + slope * (np.arange(even.shape[1]) + 1), mean / 2, mean * 2)
    return np.asarray((line * even).sum(axis=1))


def _points(expected: float, errors: np.ndarray) -> list[int]:
    """The points `SHARES`: as the errors lie, and no nearer to the middle than chance alone: that of
    the month, and as much again of the past that it is measured by."""
    at = [-(-len(errors) * share // 1_000) - 1 for share in SHARES]
    middle = expected * float(errors[at[2]])
    told = []
    for place, normal in zip(at, NORMAL, strict=True):
        seen, chance = expected * float(errors[place]), middle + normal * (2 * middle) ** 0.5
        told.append(max(0, int(np.floor(min(seen, chance) if normal < 0 else max(seen, chance)))))
    return told


class Volume(Model):
    """Acceptances a day by item and department."""

    def __init__(self, params: Mapping[str, int]) -> None:
        super().__init__(params)
        self.shown: dict[Key, dict[int, int]] = {}  # day → cases
        self.daily: dict[Key, Daily] = {}
        self.force: dict[Key, Limit] = {}
        self._told: dict[Key, Limit | None] = {}  # of `_month`; what is missing is told anew
        self._month = (0, 0)

    def learn(self, rows: Rows) -> None:
        """Count acceptances by key and day."""
        told = rows["accepts"] & (rows["item"] >= 0) & (rows["department"] >= 0)
        told &= (rows["day"] >= 0) & (rows["day"] < 1 << 24)
        if not told.any():
            return
        item, department, day = (rows[n][told] for n in ("item", "department", "day"))
        pairs, which = np.unique(item.astype(np.int64) << 32 | department, return_inverse=True)
        keys, counts = np.unique(which << 24 | day, return_counts=True)
        texts = rows.texts("item", pairs >> 32), rows.texts("department", pairs & 0xFFFFFFFF)
        names = list(zip(*texts, strict=True))
        for at, count in zip(keys.tolist(), counts.tolist(), strict=True):
            key, day = names[at >> 24], at & 0xFFFFFF
            days = self.shown.setdefault(key, {})
            days[day] = days.get(day, 0) + count

    def publish(self, day: int) -> list[Limit]:
        """Count what was gathered; tell the month anew where it begins, or where its past grew."""
        month = month_of(day)
        if month != self._month:
            self._told, self._month = {}, month
        oldest = day - KEPT_DAYS
        for key, days in self.shown.items():
            days = {d: n for d, n in days.items() if oldest <= d < day}
            if days:
                self.daily[key] = _joined(self.daily.get(key), days, oldest)
                if min(days) < month[0]:
                    self._told.pop(key, None)
        self.shown = {}
        gone = [k for k, held in self.daily.items() if held.first + len(held.cases) <= oldest]
        for key in gone:
            del self.daily[key]
        limits = [self._limit(key) for key in sorted(self.daily)]
        return [one for one in limits if one is not None]

    def _limit(self, key: Key) -> Limit | None:
        if key not in self._told:
            self._told[key] = self._tell_month(key)
        return self._told[key]

    def _tell_month(self, key: Key) -> Limit | None:
        """The month's limit from the days before it, None where they are too few."""
        held, begin = self.daily[key], self._month[0]
        first = max(held.first, begin - KEPT_DAYS)
        cases = np.zeros(max(begin - first, 0), np.int64)
        known = held.cases[first - held.first :][: len(cases)]
        cases[: len(known)] = known
        if len(cases) < WEEK * self.params["weeks_least"]:
            return None
        if int(cases[-WEEK * LEVEL_WEEKS :].sum()) < self.params["cases_least"]:
            return None
        points = ordinary_month(cases, first, self._month)
        sums = max(min(len(cases) // WEEK, LEVEL_WEEKS) - BLOCK + 1, 1)
        ordinary = tuple(
            (p, share * sums // 1_000) for p, share in zip(points, SHARES, strict=True)
        )
        return Limit(
            key=key, value=points[0], n=int(cases.sum()), people=0, since=first, until=begin - 1,
            ordinary=ordinary,
        )  # fmt: skip

    def enforce(self, limits: Sequence[Limit]) -> None:
        """These are in force, and no others."""
        self.force = {(one.key[0], one.key[1]): one for one in limits}

    def score(self, rows: Rows) -> Scores:
        """Known of keys with a limit in force: the least ordinary number of this month. No bits: a
        month is judged as a whole, by `offline_operation`."""
        pairs = (rows["item"].astype(np.int64) << 32) + rows["department"]
        _, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
        found = [self.force.get(self._key(rows, at)) for at in first.tolist()]
        known = np.array([one is not None for one in found], bool)[inverse]
        known &= (rows["item"] >= 0) & (rows["department"] >= 0)
        limit = np.array([one.value if one else 0 for one in found], np.int64)[inverse]

        def tell(at: int) -> dict[str, Any]:
            return _evidence(self.force.get(self._key(rows, at)))

        return Scores(known, np.zeros(len(rows), np.int64), limit, tell)

    @staticmethod
    def _key(rows: Rows, at: int) -> Key:
        item, department = (rows.text(n, int(rows[n][at])) for n in ("item", "department"))
        return item, department

    def freeze(self) -> bytes:
        """Keys and days in order, and what was told of this month."""
        shown = [(key, sorted(days.items())) for key, days in sorted(self.shown.items())]
        daily = [(key, d.first, d.cases.tolist()) for key, d in sorted(self.daily.items())]
        force = [self.force[key] for key in sorted(self.force)]
        told = sorted(self._told.items())
        return msgspec.msgpack.encode((shown, daily, force, told, self._month))

    def published(self) -> bytes:
        """The limits in force."""
        return msgspec.json.encode([self.force[key] for key in sorted(self.force)])

    def thaw(self, data: bytes) -> None:
        """Know what was frozen."""
        shown, daily, force, told, self._month = msgspec.msgpack.decode(data, type=Frozen)
        self.shown = {key: dict(days) for key, days in shown}
        self.daily = {key: Daily(first, np.array(n, np.uint16)) for key, first, n in daily}
        self._told = dict(told)
        self.enforce(force)

    def bytes_used(self) -> int:
        """Two bytes a day of each key, its limits, and the days just shown."""
        arrays = sum(d.cases.nbytes for d in self.daily.values())
        limits = len(self._told) + len(self.force)
        day = sum(400 + 130 * len(days) for days in self.shown.values())
        return arrays + 450 * len(self.daily) + 900 * limits + day


Frozen = tuple[
    list[tuple[Key, list[tuple[int, int]]]],
    list[tuple[Key, int, list[int]]],
    list[Limit],
    list[tuple[Key, Limit | None]],
    tuple[int, int],
]


def _joined(held: Daily | None, days: Mapping[int, int], oldest: int) -> Daily:
    """The days with more cases, without those before `oldest`."""
    first = min(days) if held is None else min(held.first, *days)
    last = max(max(days), first if held is None else held.first + len(held.cases) - 1)
    cases = np.zeros(last + 1 - first, np.int64)
    if held is not None:
        cases[held.first - first :][: len(held.cases)] = held.cases
    for day, count in days.items():
        cases[day - first] += count
    early = max(oldest - first, 0)
    return Daily(first + early, np.minimum(cases[early:], 65_535).astype(np.uint16))


def _evidence(one: Limit | None) -> dict[str, Any]:
    if one is None:
        return {}
    low, _, middle, _, high = (value for value, _ in one.ordinary)
    return {
        "expected_low": low, "expected": middle, "expected_high": high, "cases": one.n,
        "since_day": one.since, "until_day": one.until,
    }  # fmt: skip


def _days(days: int, a_day: int, **more: Any) -> tuple[tuple[dict[str, Any], ...], ...]:
    """So many days from the first of an example, none accepted at weekends."""
    accepted = row(item="permit", department="D1", **{"accepts": True} | more)
    return tuple(
        tuple(accepted | {"day": d} for _ in range(a_day if (d + THURSDAY) % WEEK < 5 else 0))
        for d in range(EXAMPLE_DAY, EXAMPLE_DAY + days)
    )


_ASKED = (row(item="permit", department="D1"),)

LEARNER = Learner(
    id="volume",
    edition=1,
    zh="办件量",
    en="cases a month",
    basis="Ours: seasonal naive decomposition with Sen's slope (1968) and the quantiles of its own errors",
    sees="step",
    make=Volume,
    keys=("item", "department"),
    unit="cases",
    told_only=True,
    monthly=True,
    params=PARAMS,
    bytes_a_key=5_500,
    examples=(
        Example("twenty on each of April's 22 weekdays, less what chance takes", _days(90, 20), _ASKED, known=True, limit_least=380, limit_most=400),
        Example("one a day leaves chance more room", _days(90, 1), _ASKED, known=True, limit_least=8, limit_most=14),
        Example("another department", _days(90, 20), (row(item="permit", department="D2"),), known=False),
        Example("March is not told from January and February's first weeks", _days(55, 20), _ASKED, known=False),
        Example("records that accept nothing", _days(90, 20, accepts=False), _ASKED, known=False),
        Example("fewer than forty cases", _days(90, 0), _ASKED, known=False),
    ),
)  # fmt: skip
