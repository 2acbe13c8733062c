"""Mutants of the rules: each killer kills, and docs/mutation.md is about the rules as they are."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import mutants
import pytest
from bridge import SHELF
from changes import Mutant
from changes import mutants as mutants_of
from mutants import KILLERS, PAGE, WHY, killed_by, load, page, why

from detector.rulekit import Rule
from detector.shelf import rules_folder

TEXT = PAGE.read_text("utf-8")
RULES = sorted(path.stem for path in rules_folder().glob("*.py"))
SAMPLE = '''
def measure(c: Columns, p: Params) -> Column:
    """Not 1 but 2."""
    late = np.where(c["a"] < 1, c["b"], 0)
    late &= ~c["d"]
    return np.maximum(late, c["e"] + c["f"])

def _story(n):
    return n + 1

RULE = Rule(
    edition=1,
    bands=(
        Band("low", NEVER_BELOW),
        Band("high", 5, tier=2, zh="高"),
        Band("top", 9, exclusive=True),
    ),
    stamps=("x", "y"),
    params=(Param("limit", 300, "s", "about", 0, 9),),
    examples=(Example("one", 1),),
)
'''
CHANGES = """
measure: np.where(c['a'] < 1, c['b'], 0) → np.where(c['a'] < 1, 0, c['b'])
measure: c['a'] < 1 → c['a'] <= 1
measure: c['a'] < 1 → c['a'] < 2
measure: c['a'] < 1 → c['a'] < 0
measure: np.where(c['a'] < 1, c['b'], 0) → np.where(c['a'] < 1, c['b'], 1)
measure: np.where(c['a'] < 1, c['b'], 0) → np.where(c['a'] < 1, c['b'], -1)
measure: late &= ~c['d'] → late |= ~c['d']
measure: ~c['d'] → c['d']
measure: np.maximum(late, c['e'] + c['f']) → np.minimum(late, c['e'] + c['f'])
measure: c['e'] + c['f'] → c['e'] - c['f']
band high: Band('high', 5, tier=2, zh='高') → Band('high', 5, exclusive=True, tier=2, zh='高')
band high: Band('high', 5, tier=2, zh='高') → Band('high', 6, tier=2, zh='高')
band high: Band('high', 5, tier=2, zh='高') → Band('high', 4, tier=2, zh='高')
band high: tier=2 → tier=3
band high: tier=2 → tier=1
band top: Band('top', 9, exclusive=True) → Band('top', 10, exclusive=True)
band top: Band('top', 9, exclusive=True) → Band('top', 8, exclusive=True)
band top: exclusive=True → exclusive=False
stamps: stamps=('x', 'y') → stamps=('y',)
stamps: stamps=('x', 'y') → stamps=('x',)
limit: 300 → 301
limit: 300 → 299
""".strip().splitlines()


@cache
def changes_of(rule_id: str) -> list[Mutant]:
    """All of a rule; made once, some seconds for the whole shelf."""
    return mutants_of((rules_folder() / f"{rule_id}.py").read_text("utf-8"))


# --- the changes --------------------------------------------------------------------------------


def test_one_thing_that_judges_is_changed_at_a_time():
    found = mutants_of(SAMPLE)
    assert [one.name for one in found] == CHANGES
    assert len({one.source for one in found}) == len(CHANGES)
    assert [found[0].line, found[6].line, found[-1].line] == [4, 5, 19]


@pytest.mark.parametrize("rule_id", RULES)
def test_a_rule_s_changes_have_names_of_their_own(rule_id):
    names = [one.name for one in changes_of(rule_id)]
    assert names
    assert len(set(names)) == len(names)


# --- who kills ----------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """Few streams."""
    monkeypatch.setattr(mutants, "STREAMS", 12)


def mutant(rule_id: str, name: str, folder) -> Rule | None:
    """The rule with the change of that name."""
    [one] = [one for one in changes_of(rule_id) if one.name == name]
    return load(one.source, rule_id, folder)


KILLED = [
    ("loader", "overdue_acceptance", "band late_5: tier=3 → tier=4"),
    ("examples", "off_hours", "mutes: mutes=('imported', 'system_action') → mutes=('imported',)"),
    ("examples", "batch_entry", "ratio: 3 → 4"),
    ("oracle", "skipped_step", "limit: c['skipped_count'] * 0 → c['skipped_count'] * 1"),
    ("oracle", "treasury_gap", "difference: -c['over_fen'] → c['over_fen']"),
    ("", "back_entry", "rests_on: -1 → -2"),
]  # fmt: skip


@pytest.mark.parametrize(("killer", "rule_id", "name"), KILLED)
def test_the_first_who_notices_is_told(killer, rule_id, name, few, tmp_path):
    assert killed_by(mutant(rule_id, name, tmp_path)) == killer
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rule_id", ["idle_supervisor", "offline_operation", "same_person"])
def test_the_sound_rule_is_not_killed(rule_id, few):
    assert killed_by(SHELF[rule_id].rule) == ""


def _endless(c, p):
    while True:
        pass


def _warning(c, p):
    return c["recorded_at"] // (c["recorded_at"] * 0)


@pytest.mark.parametrize("measure", [_endless, _warning])
def test_what_does_not_end_or_warns_is_killed(measure, monkeypatch):
    monkeypatch.setattr(mutants, "SECONDS_MAX", 0.5)
    assert killed_by(replace(SHELF["late_exchange"].rule, measure=measure)) == "examples"


# --- the page -----------------------------------------------------------------------------------


def counted() -> dict[str, list[int]]:
    """The page's numbers by rule: mutants, by killer, and survivors."""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, flags=re.MULTILINE)
    return {rule_id: [int(n) for n in numbers.split(" | ")] for rule_id, numbers in rows}


def test_the_page_counts_the_mutants_that_there_are():
    """Failing? Run `python tests/mutants.py --write` and commit what it writes."""
    told = counted()
    assert {rule_id: row[0] for rule_id, row in told.items()} == {
        i: len(changes_of(i)) for i in RULES
    }
    assert all(row[0] == sum(row[1:]) and len(row) == len(KILLERS) + 2 for row in told.values())
    survive, whole = (sum(row[n] for row in told.values()) for n in (-1, 0))
    assert survive <= 0.05 * whole
    assert f"{whole - survive} of {whole} killed" in TEXT


def test_every_survivor_has_its_reason_and_every_reason_its_survivor():
    dead = {
        rule_id: {one.name: "" for one in changes_of(rule_id) if one.name in WHY.get(rule_id, {})}
        for rule_id in RULES
    }
    assert {i: set(s) for i, s in dead.items() if s} == {i: set(s) for i, s in WHY.items()}
    assert {i: row[-1] for i, row in counted().items() if row[-1]} == {
        i: len(some) for i, some in WHY.items()
    }
    assert "nobody has said why" not in TEXT
    for some in WHY.values():
        assert all(reason in TEXT for reason in some.values())


def test_a_survivor_that_nobody_explains_is_told_so():
    [one, *_] = changes_of("same_person")
    assert why("same_person", one) == "**nobody has said why**"
    text = page({"same_person": [(one, ""), (replace(one, change="x | y"), "oracle")]})
    assert "**1 of 2 killed, 50.0%: 0 by the loader, 0 by the examples, 1 by the oracle" in text
    assert "| `same_person` | 2 | 0 | 0 | 1 | 1 |" in text
    assert f"| [same_person.py:{one.line}](../rules/same_person.py) | `" in text
