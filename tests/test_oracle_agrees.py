"""Engine and oracle, written twice from docs/judging.md, say the same of every random stream.

Each seed is a district, a stream, a way to cut it and a number of shards. That the comparison can
fail is shown by rules that are off by a hair: each must be noticed.
"""

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from bridge import SHELF, Run, engine_of, oracle_told
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import judge
from streams import Stream, random_stream

from detector.rulekit import UNITS, Clock, Rule
from detector.shelf import Shelved

SEEDS = 2_000
BLOCK = 250
PROVE_SEEDS = 24_000
NOTICED_WITHIN = 400  # streams


@cache
def stream_of(seed: int) -> Stream:
    """The stream of a seed, kept: mutations look at the same few again and again."""
    return random_stream(random.Random(seed))


@cache
def verdicts_of(seed: int):
    """What the oracle says of it."""
    setting, events = stream_of(seed)
    return judge(events, setting)


def compare(seed: int, shelf=SHELF, stream: Stream | None = None) -> None:
    """Engine and oracle over one stream, cut and sharded at random."""
    rng = random.Random(seed)
    setting, events = stream or random_stream(rng)
    engine = engine_of(setting, shelf)
    expected = oracle_told(judge(events, setting), engine)
    run = Run(setting, events, rng=rng, shards=rng.choice((1, 1, 2, 3)), engine=engine)
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


# Two blocks belong to every check, the rest to the whole run.
FIRST = [0, 1]
REST = [pytest.param(n, marks=pytest.mark.slow) for n in range(2, SEEDS // BLOCK)]


@pytest.mark.parametrize("number", FIRST + REST)
def test_engine_and_oracle_agree(number):
    for seed in block(number, BLOCK):
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
            hair = 1 / UNITS[rule.unit][0] if rule.clock is None else 1e-7
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
            yield f"without_{name}_{label}", replace(rule, **{name: left})
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


MUTATIONS = {
    f"{rule_id}-{name}": rule
    for rule_id, shelved in SHELF.items()
    for name, rule in mutations(shelved.rule)
}


def speaks_of(seed: int, rule: str) -> bool:
    """Does the oracle say anything of this rule in the stream?"""
    verdicts = verdicts_of(seed)
    found = any(f.rule == rule for f in verdicts.findings.values())
    return found or any(name == rule for name, _ in verdicts.undetermined)


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_rule_that_is_off_by_a_hair_is_noticed(name):
    rule = MUTATIONS[name]
    shelf = {**SHELF, rule.id: Shelved(rule, "")}
    for seed in range(NOTICED_WITHIN):
        if speaks_of(seed, rule.id):
            try:
                compare(seed, shelf, stream_of(seed))
            except AssertionError:
                return
    pytest.fail(f"{NOTICED_WITHIN} streams say the same of {name} and of the sound rule")


def test_each_rule_is_put_to_the_proof():
    assert {rule.id for rule in MUTATIONS.values()} == set(SHELF)
