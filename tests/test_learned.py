"""What is learned is near the truth, finds what no static limit can, and changes nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from learning_kit import learning_county, stream
from live_kit import COUNTY, Live, county

from benchmarks.bench_learned import learned_limits, true_percentiles, truth_of
from benchmarks.bench_learning import observations
from detector.district import load_district
from detector.learning.shelf import load_learners
from detector.learnkit import Model
from detector.simulate.county import simulate
from detector.simulate.text import blocks, truth_lines
from detector.verdict import canonical

LEARNED = {"unusually_fast", "unusual_path", "unusual_case"}


def found(content) -> dict[str, list[bytes]]:
    """Findings by rule, as bytes."""
    live = Live(content=content)
    live.post(*stream())
    live.stop()
    assert not live.failures
    told: dict[str, list[bytes]] = {}
    for one in sorted(live.findings().values(), key=lambda f: f.finding_id):
        told.setdefault(one.rule, []).append(canonical(one))
    return told


def test_learning_changes_no_finding_of_any_other_rule():
    without, learning = found(county()), found(learning_county())
    assert set(learning) & LEARNED and not set(without) & LEARNED
    assert {r: f for r, f in learning.items() if r not in LEARNED} == without


def test_learned_paces_are_near_the_true_percentile():
    """The bench on less: fewer gaps behind the truth, the same 500 cases."""
    true, error = true_percentiles(60_000, 1, 3_000)
    learned = learned_limits(simulate(20_000, 5, 240, load_district(COUNTY)))
    pairs = sorted(true.keys() & learned.keys())
    near = [abs(learned[pair].value / true[pair] - 1) <= 0.15 for pair in pairs]
    assert len(pairs) >= 10 and np.median(error) < 0.05
    assert np.mean(near) >= 0.8


@pytest.fixture
def seen() -> Model:
    pace = load_learners()["pace"].learner
    model = pace.make({p.name: p.default for p in pace.params} | {"cases_least": 20})
    for day in range(10):
        model.learn(observations(200, day))
        model.publish(20_000 + day)
    return model


def test_a_limit_is_the_percentile_whatever_was_typed_afterwards(seen):
    """Three in a hundred records of a second move no limit by more than a tenth."""
    before = {one.key: one.value for one in seen.publish(20_020)}
    for day in (50, 51):
        late = observations(200, day).take(np.arange(0, 600, 7))
        late.columns["gap"][:] = 1_000_000
        seen.learn(late)
    after = {one.key: one.value for one in seen.publish(20_021)}
    assert before.keys() == after.keys()
    moved = [abs(after[key] / before[key] - 1) for key in before]
    assert np.mean(np.array(moved) <= 0.1) > 0.95


def test_what_is_told_of_changes_alone_is_what_is_told_of_all(seen):
    """Only what was touched is taken anew; a learner that was thawed takes everything anew."""
    pace = load_learners()["pace"].learner
    again = pace.make(seen.params)
    again.thaw(seen.freeze())
    assert again.freeze() == seen.freeze()
    for model in (seen, again):
        model.learn(observations(200, 77).take(np.arange(40)))
    assert again.publish(20_030) == seen.publish(20_030)


def test_subtle_offences_are_drawn_on_demand_alone():
    district = load_district(COUNTY)
    plain, subtle = (simulate(3_000, 4, 60, district, share) for share in (0, 0.02))
    assert truth_of(plain) == {}
    assert not {b"unusually_fast", b"unusual_path"} & set(truth_lines(plain).split(b'"'))
    there = truth_of(subtle)
    assert set(there) == {"unusually_fast", "unusual_path"} and min(map(len, there.values())) > 5
    assert b"".join(blocks(plain)) != b"".join(blocks(subtle))


def test_a_subtle_haste_is_above_the_static_limit():
    made = simulate(3_000, 4, 60, load_district(COUNTY), 0.02)
    truth = made.truth
    [rows] = [
        r for rule, r in zip(truth.rules, truth.rows, strict=True) if rule == "unusually_fast"
    ]
    s = made.stream
    for row in rows.tolist():
        mine = np.flatnonzero((s.case == s.case[row]) & (s.recorded < s.recorded[row]))
        assert s.recorded[row] - s.recorded[mine].max() >= 60
