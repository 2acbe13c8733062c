"""A path that is decided at a step is judged at that step, told once, and taken back if mended."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import learning_kit
import msgspec
import numpy as np
import pytest
from case_logs import Told, days_of_cases, maker, play, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from live_kit import Live
from test_learner_path import LEARNER, SMALL, close, events, item, oracle
from test_retold import COUNTY, DAY, MINUTE, NINE, in_order, mended, stamped, usual

from detector.learning import ways as ways_file
from detector.learning.begun import Begun
from detector.learning.ways import BEGINNING_MAX, DEEP, LOST, Ways, root
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.verdict import Finding
from replay.verify import verify

RULE = "unusual_path"
MAKE_KNOWN = maker(LEARNER, cases_least=1, **SMALL)
WHOLE = "accept survey review decide close"
SKIPS = "accept survey decide close"


def case(name: str, day: int, at: int, steps: str) -> list[dict[str, Any]]:
    """A case of a day, a record each half hour."""
    told = []
    for n, step in enumerate(steps.split()):
        then = NINE + day * DAY + (at + 30 * n) * MINUTE
        action = {"action": step} if step in ("accept", "decide", "close") else {"action": "step"}
        more = {"step": step} if action["action"] == "step" else {}
        told.append(
            {"event_id": f"{name}-{n}", "case_id": name, "item": "permit", "department": "D01",
             "operator": f"P010{1 + n % 5}"} | stamped(then) | action | more
        )  # fmt: skip
    return told


def run(told: list[dict[str, Any]], cuts: Any = (), folder: Any = None) -> Live:
    lines = [msgspec.json.encode(one) for one in told]
    again = range(len(cuts) + 1) if folder is not None else ()
    return learning_kit.run(lines, cuts, COUNTY, again, folder)


def found(live: Live, name: str) -> list[Finding]:
    """What was said of a case's path, the earliest first."""
    mine = [f for f in live.findings().values() if f.rule == RULE and f.case_id == name]
    return sorted(mine, key=lambda f: f.at)


# --- what a beginning decides ------------------------------------------------------------------


@settings(max_examples=40)
@given(days_of_cases())
def test_what_steps_decide_is_the_oracles(days: list[list[Told]]) -> None:
    """Of each beginning the most that any of its steps decided is what the oracle says of it."""
    model, nobody = play(MAKE_KNOWN, days), Counter[str]()
    for name in ("", "permit", "fine"):
        slow = oracle()
        mine = [[c for c in cases if item(c) == name] for cases in days]
        for cases in mine:
            if cases:
                slow.epoch([events(c) for c in cases], nobody)
        for told in (c for cases in mine for c in cases):
            begins = [told[: n + 1] for n in range(len(told))]
            want = []
            for one in map(events, begins):
                following = slow.channels(one, nobody)["next"] if slow.open("next") else 0.0
                want.append(max(slow.pairs([step for step, _ in one], False), following))
            assert close(np.maximum.accumulate(model.score_open(rows(begins)).bits), want)


runs = st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3)), max_size=60)  # -1: no step


@given(runs, st.integers(1, 7), st.booleans())
def test_equal_beginnings_have_one_number(
    told: list[tuple[int, int]], size: int, compiled: bool
) -> None:
    """Cases go on, a few rows at a time; the number of a beginning spells its steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ways_file, "loaded", lambda: compiled)
        one_number_each(told, size)


def one_number_each(told: list[tuple[int, int]], size: int) -> None:
    ways, at, slow = Ways(), dict[int, int](), dict[int, list[int]]()
    for n in range(0, len(told), size):
        part = sorted(told[n : n + size], key=lambda row: row[0])  # stable: by case
        cases = [c for c, _ in part]
        begins = [n for n, c in enumerate(cases) if n == 0 or cases[n - 1] != c]
        before = [at.get(cases[b], int(root(np.array([cases[b] % 2]))[0])) for b in begins]
        steps = np.array([s for _, s in part])
        nodes = ways.walk(np.array(before), steps, np.array([*begins, len(part)]))
        for (c, step), node in zip(part, nodes.tolist(), strict=True):
            at[c] = node
            slow.setdefault(c, []).append(step)
    for c, node in at.items():
        spelled, items, _ = ways.spelled(np.array([node]))
        assert (spelled.tolist(), set(items.tolist())) == (slow[c], {c % 2})
    same = {(c % 2, *steps) for c, steps in slow.items()}
    assert len(set(at.values())) == len(same)


@pytest.mark.parametrize("compiled", [False, True])
def test_what_is_too_long_has_one_number_and_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    monkeypatch.setattr(ways_file, "loaded", lambda: compiled)
    ways = Ways()
    many = np.arange(3 * BEGINNING_MAX)
    nodes = ways.walk(root(np.array([0])), many, np.array([0, len(many)]))
    assert (nodes[:BEGINNING_MAX] != DEEP).all() and (nodes[BEGINNING_MAX:] == DEEP).all()
    ways.walk(root(np.zeros(70_000, np.int64)), np.arange(70_000), np.arange(70_001))
    assert ways.full and ways.bytes_used() < 64 << 20
    ways.forget()
    assert ways.bytes_used() < 1 << 20


# --- at its step, once --------------------------------------------------------------------------

SKIPPED = case("skips", 2, 0, SKIPS)


def test_a_skipped_predecessor_is_told_at_its_step_and_not_again() -> None:
    """Nobody reviewed it: said at the decision, while the case is open."""
    for many in (3, 4):
        [one] = found(run(in_order([*usual(), *SKIPPED[:many]])), "skips")
        assert (one.events, one.evidence["case_open"]) == (("skips-2",), True)
        assert (one.evidence["relation"], one.evidence["other_step"]) == (
            "missing_before",
            "review",
        )


def test_one_that_forgets_what_it_told_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Begun, "news", lambda self, raised, opens: list(raised))
    assert len(found(run(in_order([*usual(), *SKIPPED])), "skips")) == 2


def test_what_the_close_alone_shows_is_told_there() -> None:
    """All that waits for the close is judged there, as if nobody had been asked before."""
    [one] = found(
        run(in_order([*usual(), *case("stops", 2, 0, "accept survey review close")])), "stops"
    )
    assert (one.events, one.evidence["case_open"]) == (("stops-3",), False)


def _noted(flow: str, name: str, many: int) -> list[dict[str, Any]]:
    return [e for d in (0, 1) for n in range(many) for e in case(f"{name}{d}{n}", d, n, flow)]


def test_something_worse_is_told_at_the_close() -> None:
    """The decision lacked a review (none of 80 did); the close lacks a notice (none of 160)."""
    record = _noted("accept survey review decide notice close", "a", 40)
    record += _noted("accept survey notice close", "b", 40)
    told = found(
        run(in_order([*record, *case("worse", 2, 0, "accept survey decide close")])), "worse"
    )
    assert [f.evidence["case_open"] for f in told] == [True, False]
    assert [f.evidence["other_step"] for f in told] == ["review", "notice"]
    assert told[0].value < told[1].value


def test_steps_under_one_stamp_wait_for_the_close() -> None:
    """An upload bears one stamp from the acceptance on: its close is muted, no step is told."""
    upload = [one | stamped(NINE + 2 * DAY) for one in SKIPPED]
    [one] = found(run(in_order([*usual(), *upload])), "skips")
    assert (one.events, one.muted) == (("skips-3",), "one_stamp")


# --- corrections, cuts, shards -------------------------------------------------------------------

MISTYPED = case("mends", 2, 0, "accept survey typo decide")
MEND = mended(MISTYPED[2], NINE + 2 * DAY + 200 * MINUTE, "right") | {"step": "review"}


def test_a_correction_that_brings_the_missing_step_takes_back() -> None:
    [one] = found(run(in_order([*usual(), *MISTYPED, MEND])), "mends")
    assert one.events == ("mends-3",)
    assert one.withdrawn is not None and one.withdrawn.reason == "corrected"
    other = mended(MISTYPED[2], NINE + 2 * DAY + 200 * MINUTE, "right")
    [one] = found(run(in_order([*usual(), *MISTYPED, other])), "mends")
    assert one.withdrawn is None  # it is still missing


def test_one_that_takes_nothing_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.learning.desk.taken_back", lambda rules, observed: iter(()))
    [one] = found(run(in_order([*usual(), *MISTYPED, MEND])), "mends")
    assert one.withdrawn is None


def chance(seed: int) -> list[dict[str, Any]]:
    """Usual days, then cases of all kinds over three days, some of them mended."""
    rng, told = random.Random(seed), usual()
    for n in range(40):
        steps = WHOLE.split()
        for _ in range(rng.randrange(3)):
            at = rng.randrange(1, len(steps))
            if rng.random() < 0.5:
                steps.pop(at)
            else:
                steps.insert(at, steps[at - 1])
        story = case(f"x{n}", 2, n, " ".join(steps[: rng.randint(1, 6)]))
        for row in story[rng.randint(1, len(story)) :]:
            row |= stamped(NINE + 3 * DAY + (n + 30 * int(row["event_id"][-1])) * MINUTE)
        told += story
        if rng.random() < 0.3:
            wrong = rng.choice(story)
            told.append(mended(wrong, NINE + (3 + n % 2) * DAY + 400 * MINUTE + n, f"m{n}"))
    return in_order(told)


def plainly(self: Begun, cases: Any, observed: Any, added: Any) -> np.ndarray:
    """Beginnings walked from the start at every step, numbered anew each time."""
    self.ways.forget()
    self.way_of = np.full(len(cases.heads), LOST)
    return QUICK(self, cases, observed, added)


QUICK = Begun.go_on


@pytest.mark.parametrize("seed", range(2))
def test_any_cut_kill_and_the_plain_road_come_to_the_same(seed, tmp_path, monkeypatch) -> None:
    lines, some = chance(seed), random.Random(seed)
    calm = run(lines)
    early = [f for f in calm.findings().values() if f.rule == RULE and f.evidence["case_open"]]
    assert early
    cuts = sorted(some.sample(range(1, len(lines)), 12))
    assert run(lines, cuts).digest() == calm.digest()
    assert run(lines, cuts, tmp_path).digest() == calm.digest()
    monkeypatch.setattr(Begun, "go_on", plainly)
    assert run(lines, cuts).digest() == calm.digest()


def test_what_was_told_outlives_a_snapshot(tmp_path) -> None:
    lines = in_order([*usual(), *SKIPPED])
    cuts = [len(lines) - n for n in (5, 4, 3, 2)]  # each a kill, every other behind a snapshot
    assert len(found(run(lines, cuts, tmp_path), "skips")) == 1


def test_verify_finds_again_what_was_told_at_a_step(tmp_path) -> None:
    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger, content=COUNTY)
    live.post(*(msgspec.json.encode(one) for one in in_order([*usual(), *SKIPPED])))
    live.stop()
    ledger.close()
    proof = verify(tmp_path)
    assert proof.fault == "" and proof.by_rule[RULE] == 1
