"""What single learners say, against slow obvious versions and against simulated truth."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.learning.shelf import load_learners, models_folder
from detector.learnkit import BIT, EXAMPLE_DAY, SECOND, Model, Rows, row, rows_of
from detector.locked import load_file

SHELF = {name: shelved.learner for name, shelved in load_learners().items()}
DRIFT, VOLUME = (load_file(models_folder() / f"{n}.py").module for n in ("drift", "volume"))
DELTA = 0.05


def made(name: str, **params: int) -> Model:
    """A learner of the shelf."""
    card = SHELF[name]
    return card.make({p.name: p.default for p in card.params} | params)


# --- drift ---------------------------------------------------------------------------------------


def slow_cuts(values: list[int], delta: float) -> list[tuple[int, float]]:
    """ADWIN from the paper, with noise measured within the parts, cut by cut: (numbers before it,
    how far the means lie beyond the bound). Positive: a change."""
    n, told = len(values), []
    for at in range(PART_LEAST, n - PART_LEAST + 1):
        old, new = values[:at], values[at:]
        means = Fraction(sum(old), len(old)), Fraction(sum(new), len(new))
        gap = abs(means[0] - means[1])
        squares = sum(sum((v - m) ** 2 for v in p) for p, m in zip((old, new), means, strict=True))
        variance = float(squares / n)
        spread = max(1, *(max(part) - min(part) for part in (old, new)))
        m = 1 / (1 / len(old) + 1 / len(new))
        ln = math.log(2 / (delta / n))
        bound = math.sqrt(2 / m * variance * ln) + 2 / (3 * m) * spread * ln
        told.append((at, float(gap) - bound))
    return told


PART_LEAST = 5
steps = st.tuples(
    st.integers(-50, 50), st.integers(-500, 500), st.integers(2, 40), st.integers(1, 40)
)
step_series = steps.flatmap(
    lambda s: st.tuples(
        st.lists(st.integers(s[0], s[0] + 9), min_size=s[2], max_size=s[2]),
        st.lists(st.integers(s[1], s[1] + 9), min_size=s[3], max_size=s[3]),
    )
).map(lambda parts: parts[0] + parts[1])


@given(values=step_series)
def test_every_cut_is_judged_as_the_paper_judges_it(values):
    slow = slow_cuts(values, DELTA) if max(values) > min(values) else []
    said = DRIFT.strongest_cut(np.array(values, np.int64), DELTA)
    clearest = max((over for _, over in slow), default=-1.0)
    if abs(clearest) > 1e-9:  # on the edge itself either is right
        assert (said is not None) == (clearest > 0)
    if said is not None:
        at, bound, bits = said
        assert dict(slow)[at] > -1e-9
        assert bits >= -math.log2(DELTA) - 1e-6
        assert math.isclose(bound, bound_of(values, at, DELTA), rel_tol=1e-9)
        # the bits are those of the δ at which this cut is just found
        if bits < 900:  # else no float is as small as that δ
            just = 2.0**-bits
            assert math.isclose(bound_of(values, at, just), gap_of(values, at), rel_tol=1e-6)


def bound_of(values: list[int], at: int, delta: float) -> float:
    """The bound of one cut."""
    return gap_of(values, at) - dict(slow_cuts(values, delta))[at]


def gap_of(values: list[int], at: int) -> float:
    """The difference of the means at a cut."""
    old, new = values[:at], values[at:]
    return float(abs(Fraction(sum(old), len(old)) - Fraction(sum(new), len(new))))


def alarms(values: np.ndarray, **params: int) -> list[int]:
    """Days on which a drift is seen, a number a day."""
    model, told = made("drift", **params), []
    for n, value in enumerate(values.tolist(), 1):
        rows = rows_of([row(series="s", value=value)])
        model.learn(rows)
        model.publish(EXAMPLE_DAY + n)
        if model.score(rows).bits[0] >= BIT:
            told.append(n)
    return told


def test_chance_raises_no_drift():
    rng = np.random.default_rng(7)
    series = [rng.poisson(10, 250), rng.poisson(1, 250), rng.integers(0, 2, 250) * 1_000]
    series += [np.round(1_000 * rng.lognormal(0, 1, 250)).astype(int)]
    assert [alarms(values) for values in series] == [[], [], [], []]


@pytest.mark.parametrize(("factor", "days_most"), [(3.0, 35), (0.5, 45)])
def test_a_step_is_seen_within_the_stated_delay(factor, days_most):
    rng = np.random.default_rng(8)
    for _ in range(4):
        values = np.append(rng.poisson(40, 100), rng.poisson(40 * factor, 100))
        told = alarms(values)
        assert len(told) == 1
        assert 100 < told[0] <= 100 + days_most


# --- volume --------------------------------------------------------------------------------------


def year_of_cases(rng, a_day: float, years: float, season: float, growth: float):
    """(daily cases, first day, month): weekdays only, up to the end of April 2026."""
    month = VOLUME.month_of(EXAMPLE_DAY + 100)
    first = month[0] - int(365 * years)
    day = np.arange(first, month[1])
    usual = a_day * np.where((day + 3) % 7 < 5, 1.4, 0.0) * (1 + growth) ** ((day - first) / 365)
    usual *= 1 + season * np.sin(2 * np.pi * (day % 365.25) / 365.25)
    return rng.poisson(usual), first, month


@pytest.mark.parametrize(
    ("a_day", "years", "season", "growth", "below_most"),
    [
        (3, 0.4, 0, 0, 0.15), (20, 0.4, 0, 0, 0.12), (20, 1.2, 0.3, 0, 0.25),
        (20, 2.1, 0.3, 0.1, 0.25),
    ],
)  # fmt: skip
def test_few_ordinary_months_lie_below(a_day, years, season, growth, below_most):
    rng, below, fallen, ratios = np.random.default_rng(3), 0, 0, []
    for _ in range(60):
        cases, first, month = year_of_cases(rng, a_day, years, season, growth)
        known = month[0] - first
        points = VOLUME.ordinary_month(cases[:known].astype(np.int64), first, month)
        assert points == sorted(points)
        real = int(cases[known:].sum())
        below += real < points[0]
        fallen += real * 7 // 10 < points[0]
        ratios.append(points[2] / real)
    assert below / 60 <= below_most
    assert 0.93 < np.mean(ratios) < 1.09
    if a_day == 20:
        assert fallen / 60 > 0.9  # three in ten that vanish are seen


def accepted(model: Model, days: range, a_day: int) -> list[int]:
    """The least ordinary number of each day's publishing."""
    told = []
    for day in days:
        rows = [row(item="i", department="D", accepts=True, day=day)] * (a_day * (day % 7 != 0))
        model.learn(rows_of(rows))
        limits = model.publish(day + 1)
        model.enforce(limits)
        told.append(limits[0].value if limits else -1)
    return told


def test_a_month_is_told_from_the_days_before_it():
    model = made("volume")
    april = int(np.datetime64("2026-04-01").astype(int))
    before = accepted(model, range(april - 100, april), 20)
    within = accepted(model, range(april, april + 29), 1)  # nearly all vanish
    assert set(within) == {before[-1]}
    assert before[-1] > 400


def test_a_late_record_counts_for_its_day():
    april = int(np.datetime64("2026-04-01").astype(int))
    model, again = made("volume"), made("volume")
    told = accepted(model, range(april - 100, april + 2), 20)
    accepted(again, range(april - 100, april - 10), 20)
    late = [row(item="i", department="D", accepts=True, day=d) for d in range(april - 10, april)]
    assert accepted(again, range(april, april + 1), 20)[-1] < told[-1]
    again.learn(rows_of([one for one in late if one["day"] % 7 for _ in range(20)]))
    again.learn(rows_of([row(item="i", department="D", accepts=True, day=april + 1)] * 20))
    assert again.publish(april + 2) == model.publish(april + 2)


# --- usual burst ---------------------------------------------------------------------------------


def bursts(sizes: list[int], who: str, day: int, department: str = "D1") -> Rows:
    """One operator's day: so many cases in each ten minutes."""
    return rows_of(
        [
            row(
                operator=who, department=department, case=f"{who}-{day}-{n}-{c}",
                recorded_at=(day * 144 + n) * 600 * SECOND + c,
            )
            for n, size in enumerate(sizes)
            for c in range(size)
        ]
    )  # fmt: skip


def test_the_usual_is_the_exact_median_and_the_95_percent_point():
    rng = np.random.default_rng(5)
    model, seen = made("usual_burst"), []
    for day in range(8):
        sizes = rng.geometric(0.3, 12).clip(max=20).tolist()
        seen += sizes
        model.learn(bursts(sizes, "A", day))
        limits = model.publish(day + 1)
    model.enforce(limits)
    told = model.score(bursts([1], "A", 9)).tell(0)
    at = sorted(seen)
    assert told["usual_cases"] == at[math.ceil(len(at) / 2) - 1]
    assert told["cases_95"] == at[math.ceil(len(at) * 0.95) - 1]
    assert (told["buckets"], told["pooled"]) == (len(seen), "")


def test_who_is_new_leans_on_the_department_and_then_on_the_county():
    model = made("usual_burst")
    model.learn(bursts([2] * 40, "A", 0, "D1"))
    model.learn(bursts([5] * 19, "B", 0, "D2"))
    model.learn(bursts([9], "C", 0, "D1"))
    by_key = {one.key[0]: one for one in model.publish(1)}
    assert (by_key["A"].pooled, by_key["A"].value, by_key["A"].people) == ("", 2, 1)
    assert (by_key["B"].pooled, by_key["B"].n, by_key["B"].people) == ("*", 60, 3)
    assert (by_key["C"].pooled, by_key["C"].value, by_key["C"].people) == ("D1", 2, 2)


def test_old_days_fall_out():
    model = made("usual_burst", days=5)
    model.learn(bursts([9] * 30, "A", 0))
    model.publish(1)
    for day in range(1, 6):
        model.learn(bursts([1] * 10, "A", day))
        (limit,) = model.publish(day + 1)
    assert (limit.value, limit.n, limit.since) == (1, 50, 1)
