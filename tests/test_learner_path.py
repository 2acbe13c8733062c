"""The learner of paths: equal to a slow second writing, bounded, and open about its reasons."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from case_logs import Told, days_of_cases, maker, play, rows
from hypothesis import given, settings
from path_oracle import Case, PathOracle, persons_of

from detector.counting.contexts import Contexts
from detector.learning.shelf import load_learners
from detector.learning.threshold import STREAM, valley
from detector.learnkit import Model

LEARNER = load_learners()["path"].learner
ATTRIBUTES = ("operator", "department")
SMALL = {"gate_bits": 1_500, "gate_permille": 400, "gate_cases": 9, "closed_first": 4}
MAKE = maker(LEARNER, **SMALL)
WAY, OTHER = "accept survey approve issue", "accept approve survey issue"


def events(case: Told) -> Case:
    """As the oracle wants them."""
    return [(row["step"], {q: row.get(q) for q in ATTRIBUTES}) for row in case]


def item(case: Told) -> str:
    return case[0].get("item", "")


def oracle() -> PathOracle:
    gate = [SMALL[n] for n in ("gate_bits", "gate_permille", "gate_cases", "closed_first")]
    return PathOracle(ATTRIBUTES, (gate[0], gate[1], gate[2], gate[3]))


def close(ours: np.ndarray, theirs: list[float]) -> bool:
    """Equal but for rounding to thousandths."""
    return bool(np.all(np.abs(ours - 1000 * np.array(theirs)) < 0.51))


def way(steps: str, times: int = 1, **told: str) -> list[Told]:
    """Cases of one way, by a person of each step."""
    steps_told = [{"item": "permit", "step": s, "operator": f"of {s}"} for s in steps.split()]
    return [[row | told for row in steps_told] for _ in range(times)]


@given(days_of_cases())
def test_scores_are_the_oracles(days: list[list[Told]]) -> None:
    model, oracles = MAKE(), {"": oracle(), "permit": oracle(), "fine": oracle()}
    persons: Counter[str] = Counter()
    for day, cases in enumerate(days, 1):
        for name, slow in oracles.items():
            mine = [case for case in cases if item(case) == name]
            if mine:
                fast = model.score(rows(mine)).bits
                assert close(fast, slow.epoch([events(case) for case in mine], persons))
        persons += persons_of(map(events, cases))
        model.learn(rows(cases))
        model.publish(day)


@settings(max_examples=50)
@given(days_of_cases())
def test_each_case_by_all_others(days: list[list[Told]]) -> None:
    model = play(MAKE, days)
    persons = persons_of(events(case) for day in days for case in day)
    for name in ("", "permit", "fine"):
        mine = [case for day in days for case in day if item(case) == name]
        slow = oracle()
        for case in mine:
            slow.learn(events(case))
        fast = model.score_without(rows(mine)).bits  # type: ignore[attr-defined]
        assert close(fast, slow.without([events(case) for case in mine], persons))


def test_what_is_decidable_is_said_at_its_step() -> None:
    model = play(maker(LEARNER), [way(WAY, 100)])
    begun = rows([case[:3] for case in way("accept survey issue approve")])
    scores = model.score_open(begun)
    assert scores.bits[0] > STREAM
    assert scores.tell(0)["relation"] == "missing_before"


def test_a_case_is_scored_once_a_day() -> None:
    model = play(maker(LEARNER), [way(WAY, 100)])
    asked: list[int] = []
    scored = model._channels  # type: ignore[attr-defined]

    def counting(placed, own):
        asked.append(len(placed.items))
        return scored(placed, own)

    model._channels = counting  # type: ignore[attr-defined]
    closed, more = way(OTHER, 3), way("accept issue", 2)
    before = model.score(rows(closed)).bits.tolist()
    model.learn(rows(closed + more))  # the day as it stands at its end
    assert model.score(rows(more + closed)).bits.tolist()[2:] == before
    assert asked == [1, 1]
    model.publish(2)
    assert model.score(rows(closed)).bits[0] < before[0]
    assert asked == [1, 1, 1]


# --- the gate ----------------------------------------------------------------------------------


STRANGERS = [way(WAY, operator=f"stranger {n}")[0] for n in range(100)]
ELSEWHERE = [way("a", item="other", operator=f"stranger {n}")[0] for n in range(101)]
STRANGER = way(WAY, operator="stranger 100")


def loud(model: Model) -> bool:
    """Whether a person who only ever worked another item is told."""
    return bool(model.score(rows(STRANGER)).bits[0] > STREAM)


def test_a_person_whom_nobody_has_seen_says_nothing() -> None:
    """New to the county; who is new to the item alone is told."""
    model = play(maker(LEARNER), [way(WAY, 150) + ELSEWHERE, way(WAY, 200)])
    assert loud(model)
    new = model.score(rows(way(WAY, operator="new")))
    assert new.bits[0] < 1_000
    model.learn(rows(way(WAY, operator="new")))
    model.publish(3)
    [by_others] = model.score_without(rows(way(WAY, operator="new"))).bits  # type: ignore[attr-defined]
    assert by_others < 1_000


def test_a_channel_mutes_itself_and_opens_again() -> None:
    make = maker(LEARNER, gate_cases=100)
    model = play(make, [way(WAY, 150) + ELSEWHERE, way(WAY, 199)])
    assert not loud(model)  # 199 cases judged: closed for the first 200
    model.learn(rows(way(WAY, 1)))
    model.publish(3)
    assert loud(model)
    model.learn(rows(way(WAY, 90) + STRANGERS[:13]))
    model.publish(4)
    assert not loud(model)  # 13 of 103 in the latest epoch that holds 100
    model.learn(rows(way(WAY, 100)))
    model.publish(5)
    assert not loud(model)  # 100 cases judged are not 200


def test_the_gate_opens_again() -> None:
    make = maker(LEARNER, gate_cases=300)
    model = play(make, [way(WAY, 150) + ELSEWHERE, way(WAY, 200) + STRANGERS])
    assert not loud(model)
    model.learn(rows(way(WAY, 300)))
    model.publish(3)
    assert loud(model)


# --- memory ------------------------------------------------------------------------------------


def test_contexts_of_an_item_are_capped_and_the_least_counted_go() -> None:
    make = maker(LEARNER, contexts_max=100)
    crowd = [way(WAY, operator=f"P{n % 12}")[0] for n in range(90)]
    for n, case in enumerate(crowd):
        case[1]["operator"] = f"Q{n % 13}"
    model = play(make, [way(WAY, 50) + crowd, way(WAY, 50)])
    every: list[list[Contexts]] = model.contexts  # type: ignore[attr-defined]
    kept = sum(len(contexts.contexts) for held in every for contexts in held)
    assert 50 <= kept <= 100
    assert model.bytes_used() < LEARNER.bytes_a_key
    assert len(play(maker(LEARNER), [way(WAY, 50) + crowd]).freeze()) > len(model.freeze())
    assert model.score(rows(way(WAY))).bits[0] < 1_000
    assert model.score(rows(way("accept issue"))).bits[0] > STREAM


def test_steps_of_an_item_are_capped_and_the_most_frequent_stay() -> None:
    rare = [way(f"accept odd{n} issue")[0] for n in range(400)]
    model = play(maker(LEARNER), [way(WAY, 50) + rare])
    held = next(iter(model.processes.items.values()))  # type: ignore[attr-defined]
    assert len(held.places) == 256
    scores = model.score(rows([*way("accept odd399 issue"), *way("survey accept")]))
    assert scores.bits[1] > STREAM  # the frequent ones are told apart
    assert model.bytes_used() < LEARNER.bytes_a_key


# --- words -------------------------------------------------------------------------------------

STORIES = {
    "accept survey issue": ("missing_before", "issue", "approve", 0, 99),
    "accept survey approve issue survey": ("order", "approve", "survey", 0, 99),
    "accept survey approve approve issue": ("repeat", "approve", "approve", 0, 99),
    "survey accept approve issue": ("order", "survey", "accept", 0, 99),
}


@pytest.mark.parametrize("steps", STORIES)
def test_reasons_are_told(steps: str) -> None:
    model = play(maker(LEARNER), [way(WAY, 99)])
    told = model.score(rows(way(steps))).tell(0)
    names = ("relation", "step", "other_step", "k", "n")
    assert tuple(told[name] for name in names) == STORIES[steps]
    for name in ("step", "other_step", "k", "n"):
        assert str(told[name]) in told["why_zh"]
        assert str(told[name]) in told["why_en"]


def test_the_sentence_of_a_missing_predecessor() -> None:
    model = play(maker(LEARNER), [way(WAY, 4_009) + way("accept survey issue", 3)])
    told = model.score(rows(way("accept survey issue"))).tell(0)
    assert told["why_zh"] == "环节“issue”之前应有“approve”，4,012 件中仅 3 件没有"
    assert told["why_en"] == 'step "issue" without "approve" before it: so in only 3 of 4,012 cases'


def test_next_and_who_are_told() -> None:
    days = [way(WAY, 300) + way("accept approve issue", 1)] * 2
    model = play(maker(LEARNER), [days[0] + ELSEWHERE, days[1]])
    told = model.score(rows(STRANGER)).tell(0)
    assert (told["relation"], told["operator"]) == ("who", "stranger 100")
    assert (told["k"], told["n"]) == (0, 602)
    words = told["why_zh"] + told["why_en"]
    assert "stranger" not in words  # who may not ask about persons reads it too
    told = model.score(rows(way("accept survey approve other"))).tell(0)
    assert told["relation"] == "next"
    assert (told["step"], told["other_step"]) == ("other", "survey → approve")


# --- the threshold -----------------------------------------------------------------------------


def test_a_valley_is_found_between_two_crowds() -> None:
    bits = np.array([1_000] * 900 + [3_400] * 30 + [5_400] * 70)
    assert valley(bits) == 4_750
    assert valley(np.array([1_000] * 980 + [5_400] * 20)) == STREAM  # too few lie above
    fading = np.concatenate([np.full(1_000 >> n // 4, 250 * n) for n in range(40)])
    assert valley(fading) == STREAM  # half as many at each bit: no valley
    assert valley(np.zeros(0)) == STREAM
