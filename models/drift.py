"""A number that is no longer what it was. 漂移

What        Of each named series, one number a day (a learner's share of surprises, a rule's findings
            per 1,000 cases, an item's usual time): has its mean changed, since when, by how much.
Basis       ADWIN (Bifet & Gavaldà, "Learning from time-changing data with adaptive windowing", SDM
            2007) in its exact form: every cut of the window is tested, with the bound that knows the
            variance; ours takes variance and range within the two parts. river's ADWIN is not taken: it keeps sums of buckets instead of the numbers, its
            state has no canonical bytes, and its import alone takes seconds.
Learns from The mean of what a day shows of a series, at most the last 400 days since its last alarm.
Blind       A jump to twice or thrice as much is seen after 5 to 9 numbers, to a third after 8 to 14, to
            half as much after 12 to 19, by half more after 11 to 22 (Poisson numbers around 40); a slow
            slide after months; a season is a change like any other. Means alone: a series that only
            scatters more is not told. Numbers beyond ±10^9 count as that. A day's numbers are rounded to whole ones.
"""

import math
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import msgspec
import numpy as np

from detector.learnkit import (
    BIT,
    NOT_GIVEN,
    Example,
    Learner,
    Limit,
    Model,
    Param,
    Rows,
    Scores,
    row,
)

GREATEST = 10**9
PART_LEAST = 5  # numbers before and after a change
FORGET_DAYS = 400  # a series without a number for so long is forgotten
MILLI = 1_000  # means and bounds are told in thousandths of the series' unit
PARAMS = (
    Param("delta_ppm", 50_000, "ppm", "how often a cut may be found where nothing changed (δ)", 1, 500_000),
    Param("window", 400, "days", "numbers kept of a series", 8, 400),
)  # fmt: skip


class Alarm(msgspec.Struct, frozen=True, array_like=True):
    """A mean that changed, and the cut by which it shows most clearly."""

    raised: int  # local day on which it was seen
    since: int  # the first day after the cut
    days_before: int
    days_after: int
    before_milli: int
    after_milli: int
    bound_milli: int  # the difference that chance may make
    bits: int  # −log2 of the δ at which the cut would just have been found, thousandths


class Series(msgspec.Struct, array_like=True):
    """What is kept of one series: its numbers since the last alarm, oldest first."""

    values: np.ndarray  # int64
    days: np.ndarray  # int32
    alarm: Alarm | None = None


def strongest_cut(values: np.ndarray, delta: float) -> tuple[int, float, float] | None:
    """(numbers before the cut, bound, bits) of the cut that shows a change most clearly, None where
    no cut does.

    The bound for parts of n₀ and n₁ of n numbers: √(2σ²L/m) + 2RL/3m with 1/m = 1/n₀ + 1/n₁ and
    L = ln(2n/δ). The paper takes σ² of the whole window and numbers between 0 and 1. Here both are
    taken within the parts (the wider one's range is R), so that the change itself is not taken for
    noise; for that a part has at least `PART_LEAST` numbers.
    """
    n = len(values)
    if n < 2 * PART_LEAST or values.max() == values.min():
        return None
    sums, before = np.cumsum(values), np.arange(PART_LEAST, n - PART_LEAST + 1)
    old, after = sums[before - 1], n - before
    gap = np.abs(old / before - (sums[-1] - old) / after)
    within = (_squares(values)[before - 1] + _squares(values[::-1])[after - 1]) / n
    spread = np.maximum(_spreads(values)[before - 1], _spreads(values[::-1])[after - 1])
    spread = np.maximum(spread, 1)  # numbers are whole: that much is always chance
    a, b = 2 * within * n / (before * after), 2 * spread * n / (3 * before * after)
    needed = math.log(2 * n / delta)
    bound = np.sqrt(a * needed) + b * needed
    if not (gap > bound).any():
        return None
    reached = ((np.sqrt(a + 4 * b * gap) - np.sqrt(a)) / (2 * b)) ** 2
    at = int(np.where(gap > bound, reached, 0).argmax())
    return int(before[at]), float(bound[at]), (float(reached[at]) - math.log(2 * n)) / math.log(2)


def _squares(values: np.ndarray) -> np.ndarray:
    """The sum of squares about their mean of the first n numbers, for each n."""
    whole = (values - values.min()).tolist()  # whole numbers, so that none is lost
    sums, squares = accumulate(whole), accumulate(v * v for v in whole)
    told = zip(sums, squares, strict=True)
    return np.array([(n * q - s * s) / n for n, (s, q) in enumerate(told, 1)])


def _spreads(values: np.ndarray) -> np.ndarray:
    """The range of the first n numbers, for each n."""
    return np.asarray(np.maximum.accumulate(values) - np.minimum.accumulate(values))


def _mean_milli(values: np.ndarray) -> int:
    return round(int(values.sum()) * MILLI / len(values))


class Drift(Model):
    """Windows of numbers by the name of their series."""

    def __init__(self, params: Mapping[str, int]) -> None:
        super().__init__(params)
        self.shown: dict[str, list[int]] = {}  # today's sum and count
        self.series: dict[str, Series] = {}
        self.day = 0  # of the last publishing

    def learn(self, rows: Rows) -> None:
        """Add up the day's numbers of each series."""
        told = np.flatnonzero((rows["series"] >= 0) & (rows["value"] != NOT_GIVEN))
        values = np.clip(rows["value"][told], -GREATEST, GREATEST).tolist()
        for code, value in zip(rows["series"][told].tolist(), values, strict=True):
            held = self.shown.setdefault(rows.text("series", code), [0, 0])
            held[0] += value
            held[1] += 1

    def publish(self, day: int) -> list[Limit]:
        """Each series' number of the day that ended joins its window, and every cut is tested."""
        for name, (total, count) in sorted(self.shown.items()):
            held = self.series.setdefault(
                name, Series(np.zeros(0, np.int64), np.zeros(0, np.int32))
            )
            kept = self.params["window"] - 1
            held.values = np.append(held.values[-kept:], round(total / count))
            held.days = np.append(held.days[-kept:], np.int32(day - 1))
            self._test(held, day)
        oldest = day - FORGET_DAYS
        self.series = {n: s for n, s in self.series.items() if int(s.days[-1]) >= oldest}
        self.shown, self.day = {}, day
        return []

    def _test(self, held: Series, day: int) -> None:
        """Where a cut shows a change the numbers before the clearest one go, so that each change is
        told once. (The paper lets them go one by one until no cut shows it.)"""
        cut = strongest_cut(held.values, self.params["delta_ppm"] / 1_000_000)
        if cut is None:
            return
        at, bound, bits = cut
        before, after = held.values[:at], held.values[at:]
        held.alarm = Alarm(
            day, int(held.days[at]), len(before), len(after), _mean_milli(before),
            _mean_milli(after), round(bound * MILLI), round(bits * BIT),
        )  # fmt: skip
        held.values, held.days = after.copy(), held.days[at:].copy()

    def _raised(self, held: Series) -> Alarm | None:
        """The alarm that the last publishing raised."""
        return held.alarm if held.alarm and held.alarm.raised == self.day else None

    def score(self, rows: Rows) -> Scores:
        """Known of a series with a published number. Bits on the day on which it is seen to have
        changed, 0 else. The limit is the mean since its last change."""
        size = len(rows)
        known, bits = np.zeros(size, bool), np.zeros(size, np.int64)
        limit = np.zeros(size, np.int64)
        for code in np.unique(rows["series"]).tolist():
            held = self.series.get(rows.text("series", code)) if code >= 0 else None
            if held is not None:  # series are few, and each is asked once a day
                mine, alarm = rows["series"] == code, self._raised(held)
                known[mine], bits[mine] = True, alarm.bits if alarm else 0
                limit[mine] = round(_mean_milli(held.values) / MILLI)

        def tell(at: int) -> dict[str, Any]:
            held = self.series.get(rows.text("series", int(rows["series"][at])))
            alarm = self._raised(held) if held else None
            return msgspec.structs.asdict(alarm) if alarm else {}

        return Scores(known, bits, limit, tell)

    def freeze(self) -> bytes:
        """Names in order, whole numbers only."""
        kept = [
            (name, s.values.tolist(), s.days.tolist(), s.alarm)
            for name, s in sorted(self.series.items())
        ]
        return msgspec.msgpack.encode((self.day, sorted(self.shown.items()), kept))

    def thaw(self, data: bytes) -> None:
        """The windows as they were."""
        self.day, shown, kept = msgspec.msgpack.decode(data, type=Frozen)
        self.shown = dict(shown)
        self.series = {
            name: Series(np.array(values, np.int64), np.array(days, np.int32), alarm)
            for name, values, days, alarm in kept
        }

    def bytes_used(self) -> int:
        """Twelve bytes a number, and what Python takes around them."""
        numbers = sum(len(s.values) for s in self.series.values())
        return 12 * numbers + 1_000 * len(self.series) + 400 * len(self.shown)


Kept = tuple[str, list[int], list[int], Alarm | None]
Frozen = tuple[int, list[tuple[str, list[int]]], list[Kept]]


def _days(values: list[int]) -> tuple[tuple[dict[str, Any], ...], ...]:
    """One number after the other of the same series."""
    return tuple((row(series="too_fast_step", value=v),) for v in values)


_ASKED = (row(series="too_fast_step"),)
_STEADY = [12, 9, 11, 8, 10, 12, 9, 11] * 10

LEARNER = Learner(
    id="drift",
    edition=1,
    zh="漂移",
    en="drift",
    basis="ADWIN, exact form (Bifet & Gavaldà 2007)",
    sees="series",
    make=Drift,
    unit="of the series",
    params=PARAMS,
    bytes_a_key=6_000,
    examples=(
        Example("eighty days alike", _days(_STEADY), _ASKED, known=True, bits_most=0, limit_least=10, limit_most=10),
        Example("three times as many: seen on the fifth day", _days([*_STEADY, *[30, 32] * 2, 30]), _ASKED, known=True, bits_least=BIT, limit_least=28, limit_most=32),
        Example("and told once", _days([*_STEADY, *[30, 32] * 3]), _ASKED, known=True, bits_most=0, limit_least=30, limit_most=32),
        Example("three times as many for one day", _days([*_STEADY, 30]), _ASKED, known=True, bits_most=0),
        Example("the same number every day", _days([5] * 60), _ASKED, known=True, bits_most=0, limit_least=5, limit_most=5),
        Example("a series that nobody ever saw", _days(_STEADY), (row(series="other"),), known=False),
        Example("no number at all", ((row(series="too_fast_step"),),), _ASKED, known=False),
    ),
)  # fmt: skip
