"""Rules over facts: engine and oracle agree, however the inputs are cut, spread or killed."""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import facts_kit
import numpy as np
import pytest
from bridge import SHELF
from facts_kit import RULES, Drawn, engine_of, oracle_told, resumed, run
from facts_oracle import judge
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import DAY, Setting

from detector.engine import Engine
from detector.event import Fact
from detector.facts_desk import FactState
from detector.known import KnownFacts
from detector.rulekit import RuleFault, check_rule
from detector.shelf import Shelved

STREAMS = 25  # that a law looks at
Make = Callable[..., Engine]


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 40))
def test_engine_and_oracle_agree(seed):
    drawn = Drawn(seed)
    engine = engine_of(drawn.how)
    expected = oracle_told(judge(drawn.inputs, drawn.how, facts_kit.PEOPLE, drawn.until), engine)
    told = run(engine, drawn.inputs, drawn.until, random.Random(seed), 1 + seed % 3).told()
    assert told == expected


def test_the_streams_have_something_of_everything():
    seen = Counter[tuple[str, str]]()
    for seed in range(400):
        drawn = Drawn(seed)
        verdicts = judge(drawn.inputs, drawn.how, facts_kit.PEOPLE, drawn.until)
        seen.update((f.rule, f.reason) for f in verdicts.findings.values())
        seen.update((f.rule, f.withdrawn) for f in verdicts.findings.values() if f.withdrawn)
        seen.update((rule, reason) for rule, reason, _ in verdicts.unknown)
    bands = {(r, b.code) for r in RULES for b in SHELF[r].rule.bands if b.tier is not None}
    reasons = {(r, reason) for r in RULES for reason, _ in SHELF[r].rule.unknown}
    assert bands | reasons <= seen.keys()
    assert {(r, "corrected") for r in RULES[2:5]} <= seen.keys()
    assert {(r, "closed_in_time") for r in RULES[:2]} <= seen.keys()


# --- laws, each with a subject that it rejects --------------------------------------------------


def any_cut_and_shard(make: Make) -> None:
    """Verdicts depend neither on how inputs are cut nor on how many shards bring fines."""
    for seed in range(STREAMS):
        drawn, rng = Drawn(seed), random.Random(seed)
        whole = run(engine_of(drawn.how), drawn.inputs, drawn.until).told()
        for shards in (1, 2, 3):
            engine = engine_of(drawn.how, make=make)
            assert run(engine, drawn.inputs, drawn.until, rng, shards).told() == whole


def kill_and_resume(make: Make) -> None:
    """A state written down between any two batches, and a new engine, go on as if nothing was."""
    for seed in range(STREAMS):
        drawn = Drawn(seed)
        whole = run(engine_of(drawn.how), drawn.inputs, drawn.until).told()
        cuts = random.Random(seed).choices(range(10), k=4)

        def engine(how: Setting = drawn.how) -> Engine:
            return engine_of(how, make=make)

        assert resumed(engine, drawn.inputs, drawn.until, cuts).told() == whole


def any_file_order(make: Make) -> None:
    """Where the instants of arrival differ, the order of lines means nothing."""
    for seed in range(STREAMS):
        drawn = Drawn(seed)
        apart, last = [], 0
        for one in sorted(drawn.inputs, key=lambda x: x.received_at):
            one = copy.deepcopy(one)
            one.received_at = last = max(last + 1, one.received_at)
            apart.append(one)
        mixed = random.Random(seed).sample(apart, len(apart))
        told = [run(engine_of(drawn.how, make=make), x, drawn.until).told() for x in (apart, mixed)]
        assert told[0] == told[1]


def fault_costs_its_subject(make: Make) -> None:
    """A rule that fails on one department says so of its subjects, and judges the others."""
    for rule_id in RULES[2:5]:
        for seed in range(STREAMS):
            _with_fault(make, rule_id, Drawn(seed))


def _with_fault(make: Make, rule_id: str, drawn: Drawn) -> None:
    rule = SHELF[rule_id].rule
    how = replace(
        drawn.how, params={rule_id: {}} | {r: {"mode": "off"} for r in RULES if r != rule_id}
    )
    measure, met = rule.measure, set[str]()
    assert measure is not None

    def bad(c: Any) -> np.ndarray:
        words = c.batch.inputs.words.department
        return np.array([words.words[code] == "D1" for code in c["department"].tolist()], bool)

    def noting(c: Any, p: Any) -> np.ndarray:
        met.update(c.batch.told[row]["key"] for row in c.rows[bad(c)].tolist())
        return measure(c, p)

    def failing(c: Any, p: Any) -> np.ndarray:
        if bad(c).any():
            raise ZeroDivisionError
        return measure(c, p)

    runs = []
    for one in (noting, failing):
        shelf = {**SHELF, rule_id: Shelved(replace(rule, measure=one), "")}
        runs.append(run(engine_of(how, shelf, make), drawn.inputs, drawn.until))
    sound, broken = runs
    said = [u for u in broken.unknown if u[1] == "rule_error: ZeroDivisionError"]
    assert len(said) == len(met), "once a subject"
    assert sorted(set(broken.unknown) - set(said)) == sorted(set(sound.unknown))
    left = {i: f for i, f in sound.told()["findings"].items() if f[5] != "D1"}
    assert broken.told()["findings"] == left


class Forgetful(Engine):
    """Begins every batch as if nothing had been told."""

    def step_facts(self, facts: FactState, watermark: int, stride: Any) -> None:
        facts.voices, facts.clocks = {}, []
        super().step_facts(facts, watermark, stride)


class Hasty(Engine):
    """Judges fines before the other shards can have sent theirs."""

    def step_facts(self, facts: FactState, watermark: int, stride: Any) -> None:
        super().step_facts(facts, watermark + 40 * DAY, stride)


class Hoarding(Engine):
    """Keeps in itself what belongs into the state."""

    said: set[tuple[str, str, str]]

    def step_facts(self, facts: FactState, watermark: int, stride: Any) -> None:
        self.said = facts.said = getattr(self, "said", facts.said)
        super().step_facts(facts, watermark, stride)
        facts.said = set()


class ByPosition(Engine):
    """Takes facts as they stand in the file."""

    def step_facts(self, facts: FactState, watermark: int, stride: Any) -> None:
        instants = sorted(at for at, _, _ in facts.facts)
        told = sorted((fact for _, _, fact in facts.facts), key=lambda fact: fact.position)
        pairs = zip(instants, told, strict=True)
        facts.facts = [(at, n, fact) for n, (at, fact) in enumerate(pairs)]
        super().step_facts(facts, watermark, stride)


class Swallowing(Engine):
    """Takes a rule's failure for a no."""

    def step_facts(self, facts: FactState, watermark: int, stride: Any) -> None:
        super().step_facts(facts, watermark, stride)
        told = stride.effects
        told.undetermined = [u for u in told.undetermined if "rule_error" not in u.reason]


REJECTED = [
    (any_cut_and_shard, Forgetful),
    (any_cut_and_shard, Hasty),
    (kill_and_resume, Hoarding),
    (any_file_order, ByPosition),
    (fault_costs_its_subject, Swallowing),
]
LAWS = list(dict.fromkeys(law for law, _ in REJECTED))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_holds(law):
    law(Engine)


@pytest.mark.parametrize(("law", "make"), REJECTED, ids=lambda x: x.__name__)
def test_the_law_rejects_a_broken_engine(law, make):
    with pytest.raises(AssertionError):
        law(make)


def test_the_oracle_is_not_agreed_with_by_chance():
    def lenient(seed: int) -> bool:
        drawn = Drawn(seed)
        told = run(engine_of(drawn.how), drawn.inputs, drawn.until).told()
        drawn.how.params["overdue_complaint"] = {"limit_wd": 4}
        engine = engine_of(drawn.how)
        verdicts = judge(drawn.inputs, drawn.how, facts_kit.PEOPLE, drawn.until)
        return told == oracle_told(verdicts, engine)

    assert not all(map(lenient, range(STREAMS)))


def test_a_clock_rule_at_fault_is_said_once_of_each_voice():
    spoilt = replace(SHELF["overdue_complaint"].rule, sentence_en="{nonesuch}")
    shelf = {**SHELF, "overdue_complaint": Shelved(spoilt, "")}
    met = 0
    for seed in range(STREAMS):
        drawn = Drawn(seed)
        sound = run(engine_of(drawn.how), drawn.inputs, drawn.until)
        broken = run(engine_of(drawn.how, shelf), drawn.inputs, drawn.until)
        hit = {f.subject for f in sound.findings.values() if f.rule == "overdue_complaint"}
        said = sorted(s for _, reason, s in broken.unknown if reason == "rule_error: KeyError")
        assert said == sorted(hit)
        met += len(said)
        others = {i: f for i, f in sound.told()["findings"].items() if f[0] != "overdue_complaint"}
        assert broken.told()["findings"] == others
    assert met > 0


# --- which facts are taken ----------------------------------------------------------------------


def told(kind: str, **fields: Any) -> Fact:
    return Fact(kind=kind, received_at=0, fields={"fact_id": "f"} | fields)


def test_a_fact_is_taken_once_and_its_answer_once_more():
    known = KnownFacts()
    asked, other = told("complaint", received_on=1), told("complaint", received_on=2)
    answered, again = (told("complaint", received_on=1, answered_on=n) for n in (5, 6))
    verdicts = [known.enter(f) for f in (asked, asked, other, answered, asked, again, answered)]
    assert verdicts == ["new", "known", "known", "new", "known", "known", "known"]
    assert known.enter(told("consultation", received_on=1, answered_on=5)) == "new"
    assert known.enter(told("consultation", received_on=1, answered_on=5)) == "known"
    assert known.enter(told("treasury", amount=1)) == "new"
    assert known.enter(told("treasury", amount=2)) == "known"
    act = Fact(kind="act", received_at=0, fields={"act_id": "a", "actor": "x"})
    assert [known.enter(act), known.enter(act)] == ["new", "known"]
    act = Fact(kind="act", received_at=0, fields={"act_id": "a", "actor": "y"})
    assert known.enter(act) == "conflict"
    tick = Fact(kind="tick", received_at=0, fields={})
    assert [known.enter(tick), known.enter(tick)] == ["new", "new"]


# --- rules that are not taken -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule_id", "fault", "changes"),
    [
        ("treasury_gap", "unknown subject county", {"subject": "county"}),
        ("treasury_gap", "unknown row day; known: fines, volume", {"per": "day"}),
        ("treasury_gap", "needs the params grace_days and grace_wd", {"params": ()}),
        ("treasury_gap", "unknown cause event_id", {"cause": ("event_id",)}),
        ("treasury_gap", "unknown evidence operator", {"evidence": ("operator",)}),
        ("idle_supervisor", "unknown mute imported", {"mutes": ("imported",)}),
        ("overdue_complaint", "a clock of kind answer", {"subject": "case"}),
        ("overdue_issue", "a clock of kind answer", {"subject": "consultation"}),
    ],
)
def test_a_bad_rule_is_told_what_is_wrong(rule_id, fault, changes):
    rule = SHELF[rule_id].rule
    check_rule(rule)
    with pytest.raises(RuleFault, match=f"^{rule_id}: .*{fault}"):
        check_rule(replace(rule, **changes))
