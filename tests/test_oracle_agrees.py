"""Engine and oracle, written twice from docs/judging.md, say the same of every random stream.

Each seed is a district, a stream, a way to cut it and a number of shards. That the comparison can
fail is shown by rules that are off by a hair: each must be noticed.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from bridge import SHELF, Run, engine_of, oracle_told
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import RULES, judge
from streams import Stream, WorkingDays, random_stream
from test_oracle_self import event, setting

from detector.rulekit import HOUR, Clock, Rule, unit_divisor
from detector.shelf import Shelved

SEEDS = 2_000
BLOCK = 250
PROVE_SEEDS = 24_000
NOTICED_WITHIN = 300  # streams

PROBES: dict[int, Stream] = {  # edges that random streams do not come near
    -1: (
        setting(is_working=WorkingDays()),
        [
            event("accept", "2026-03-02 23:57"),
            event("close", "2026-03-03 00:00", event_id="e2"),
            event("accept", "2026-03-03 00:00", case_id="d"),
            event("close", "2026-03-03 00:04", case_id="d"),
        ],
    ),
    -2: (
        setting(is_working=WorkingDays()),
        [
            event("pay", "2026-03-02 10:00", fee_paid=paid, case_id=str(paid))
            for paid in (4_999, 5_000, 5_001)
        ]
        + [event("issue", "2026-03-02 11:00", case_id=str(paid)) for paid in (4_999, 5_000, 5_001)],
    ),
}


@cache
def stream_of(seed: int) -> Stream:
    """The stream of a seed, kept: mutations look at the same few again and again."""
    return PROBES[seed] if seed < 0 else random_stream(random.Random(seed))


@cache
def verdicts_of(seed: int):
    """What the oracle says of it."""
    how, events = stream_of(seed)
    return judge(events, how)


def compare(seed: int) -> None:
    """Engine and oracle over one stream, cut and sharded at random."""
    rng = random.Random(seed)
    how, events = PROBES[seed] if seed < 0 else random_stream(rng)
    engine = engine_of(how)
    expected = oracle_told(judge(events, how), engine)
    run = Run(how, events, rng=rng, shards=rng.choice((1, 1, 2, 3)), engine=engine)
    told = run.told()
    assert told == expected, f"seed {seed}: " + differences(told, expected)


def differences(told, expected) -> str:
    """The first few differences, engine first."""
    lines = []
    for part in ("findings", "undetermined"):
        one, other = told[part], expected[part]
        keys = [k for k in {**one, **other} if one.get(k) != other.get(k)]
        lines += [f"{part} {k}: {one.get(k)} / {other.get(k)}" for k in keys[:4]]
    for part in ("duplicates", "refused"):
        if told[part] != expected[part]:
            lines.append(f"{part}: {told[part]} / {expected[part]}")
    return "\n".join(lines)


def block(number: int, size: int) -> range:
    """The seeds of a block."""
    return range(number * size, (number + 1) * size)


# The whole run compares these; every check compares the hundred streams below.
SLOW = [pytest.param(n, marks=pytest.mark.slow) for n in range(SEEDS // BLOCK)]


@pytest.mark.parametrize("number", SLOW)
def test_engine_and_oracle_agree(number):
    for seed in block(number, BLOCK):
        compare(seed)


@pytest.mark.parametrize("seed", PROBES)
def test_engine_and_oracle_agree_on_edges(seed):
    compare(seed)


@settings(max_examples=100)
@given(st.integers(10**9, 2**64 - 1))
def test_engine_and_oracle_agree_on_streams_never_seen(seed):
    compare(seed)


@pytest.mark.prove
@pytest.mark.parametrize("number", range(PROVE_SEEDS // 500))
def test_engine_and_oracle_agree_at_length(number):
    for seed in block(number, 500):
        compare(10**8 + seed)


# --- what is off by a hair is noticed -------------------------------------------------------------


def mutations(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule with one of its words changed."""
    for n, band in enumerate(rule.bands):
        if band.edge != -np.inf:
            hair = 1 / unit_divisor(rule.unit, HOUR) if rule.clock is None else 1e-7
            moved = band.edge - hair if band.edge < 0 else band.edge + hair
            yield f"{band.code}_moved", _with_band(rule, n, edge=moved)
            if rule.clock is None and rule.unit in ("s", "h"):
                yield f"{band.code}_touching", _with_band(rule, n, exclusive=not band.exclusive)
            if band.tier is not None:
                yield f"{band.code}_gentler", _with_band(rule, n, tier=(band.tier + 1) % 4)
    for name in ("mutes", "stamps", "unknown"):
        parts = getattr(rule, name)
        for n, part in enumerate(parts):
            left = (*parts[:n], *parts[n + 1 :])
            label = part if isinstance(part, str) else part[0]
            changes: dict[str, Any] = {name: left}
            yield f"without_{name}_{label}", replace(rule, **changes)
    if rule.applies is not None:
        yield "always_applies", replace(rule, applies=None)
    if rule.actions:
        yield "any_action", replace(rule, actions=())
    if rule.clock is not None and rule.clock.due:
        yield "deaf_to_due_at", replace(rule, clock=Clock(rule.clock.limit))


def _with_band(rule: Rule, n: int, **changes) -> Rule:
    bands = list(rule.bands)
    bands[n] = replace(bands[n], **changes)
    return replace(rule, bands=tuple(bands))


SAME = (  # what the rule measures is nothing there as well
    "too_fast_step-always_applies", "major_penalty-always_applies", "skipped_step-always_applies",
    "suspended_or_terminated-any_action", "unreasoned_refusal-any_action",
)  # fmt: skip
MUTATIONS = {
    f"{rule_id}-{name}": rule
    for rule_id, shelved in SHELF.items()
    if rule_id in RULES  # rules over facts have an oracle of their own, tests/facts_oracle.py
    for name, rule in mutations(shelved.rule)
    if f"{rule_id}-{name}" not in SAME
}


def noticed(rule: Rule, seed: int) -> bool:
    """Does the engine with this rule alone say otherwise of the stream than the oracle?"""
    how, events = stream_of(seed)
    verdicts = verdicts_of(seed)
    findings = {i: f for i, f in verdicts.findings.items() if f.rule == rule.id}
    unknown = Counter({k: n for k, n in verdicts.undetermined.items() if k[0] == rule.id})
    if not findings and not unknown:
        return False
    engine = engine_of(how, {rule.id: Shelved(rule, "")})
    expected = oracle_told(replace(verdicts, findings=findings, undetermined=unknown), engine)
    return Run(how, events, engine=engine).told() != expected


EDGES = [name for name in MUTATIONS if name.endswith(("_moved", "_touching"))]


@pytest.mark.slow
@pytest.mark.parametrize("name", EDGES)
def test_an_edge_that_is_off_by_a_hair_is_noticed(name):
    seeds = [*PROBES, *range(NOTICED_WITHIN)]
    assert any(noticed(MUTATIONS[name], seed) for seed in seeds), "no stream speaks of it"


@pytest.mark.prove
@pytest.mark.parametrize("name", MUTATIONS)
def test_a_rule_that_is_off_by_a_hair_is_noticed(name):
    seeds = [*PROBES, *range(NOTICED_WITHIN)]
    assert any(noticed(MUTATIONS[name], seed) for seed in seeds), "no stream speaks of it"


@pytest.mark.parametrize("rule", sorted(SHELF.keys() & set(RULES)))
def test_the_sound_rule_is_not_complained_of(rule):
    assert any(mutated.id == rule for mutated in MUTATIONS.values())
    assert not any(noticed(SHELF[rule].rule, seed) for seed in [*PROBES, *range(10)])
