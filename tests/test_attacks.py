"""What attacks on learned limits come to: within floor and cap, seen within the stated delay."""

from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from attack_pages import MARKS, filled, picture, section
from attacks import ATTACKS, CAP_S, FLOOR_S, LEAST_S, Attack, Course, lazy, run
from conftest import ROOT

from detector.learning.epochs import EpochBook, Guard
from detector.learnkit import Limit

NAMES = {attack.name: attack for attack in ATTACKS}
# The first day on which drift may be seen at the latest, as docs/learning.md says it.
SEEN_DAYS_MOST = {"slow-poison": 700, "poisoned-office": 200, "lazy-department": 10}
# How far below the honest limit the limit in force may be brought.
MOVED_PERMILLE_MOST = {
    "slow-poison": 220, "poisoned-office": 150, "flood-by-one": 30, "flood-by-three": 30,
    "lazy-department": 0,
}  # fmt: skip

OF_AGE_DAYS = 10  # at sixty records a day


@cache
def course(name: str) -> Course:
    """An attack as it goes; run once."""
    return run(NAMES[name])


@pytest.mark.parametrize("name", NAMES)
def test_limits_stay_within_floor_and_cap_and_move_by_steps(name):
    held = [d.in_force_s for d in course(name).days if d.in_force_s]
    assert all(FLOOR_S <= one <= CAP_S for one in held)
    grown = held[OF_AGE_DAYS:]  # a limit of fewer than 500 records follows freely
    assert all(abs(b - a) * 4 <= a for a, b in pairwise(grown))


@pytest.mark.parametrize("name", MOVED_PERMILLE_MOST)
def test_the_limit_in_force_keeps_near_the_honest_one(name):
    days = course(name).days
    before = next(d.in_force_s for d in days if d.day == -1)
    assert abs(before - LEAST_S) < LEAST_S * 0.15
    least = min(d.in_force_s for d in days if d.day >= 0)
    assert (before - least) * 1_000 <= before * MOVED_PERMILLE_MOST[name]


@pytest.mark.parametrize("name", SEEN_DAYS_MOST)
def test_drift_is_seen_within_the_stated_delay(name):
    drifted = course(name).drifted
    assert drifted is not None
    assert 0 < drifted <= SEEN_DAYS_MOST[name]
    after = {d.in_force_s for d in course(name).days if d.day >= drifted}
    assert len(after) == 1  # from then on it stands still


@pytest.mark.parametrize("name", ["flood-by-one", "flood-by-three"])
def test_a_flood_waits_for_a_person(name):
    days = [d for d in course(name).days if d.day >= 0]
    assert {d.stopped for d in days} == {"step"}
    assert days[0].proposed_s < 60


def test_what_two_people_do_gives_no_limit():
    assert {(d.proposed_s, d.in_force_s, d.stopped) for d in course("lone-faker").days} == {
        (0, 0, "people")
    }


def test_another_poisoner_is_seen_too_and_moves_little_before():
    other = run(NAMES["slow-poison"], seed=4)
    held = [d.in_force_s for d in other.days if d.day >= -1]
    assert other.drifts[0][0] <= SEEN_DAYS_MOST["slow-poison"]
    assert min(held) * 4 >= held[0] * 3


def test_without_an_attack_nothing_is_seen():
    calm = Attack("calm", "平静", "calm", 300, lambda day, rng: lazy(-1, rng))
    assert run(calm, seed=5).drifts == []


def test_what_adds_up_beyond_the_approved_waits():
    """Small steps, each allowed, end at half of what was approved (a drift that nobody sees)."""
    book, value, told = EpochBook("pace", 1, Guard(FLOOR_S, CAP_S)), 2_000, []
    for day in range(400):
        limit: Any = Limit(key=("a",), value=value, n=600, people=5, since=0, until=day)
        book.begin(day, 0, [limit], 1)
        told.append(book.force["a",].value)
        value = value * 99 // 100
    assert min(told) >= 1_000
    assert book.waiting["a",].value < 1_000


def test_the_pages_tell_the_attacks():
    for page, english in (("learning.md", True), ("learning.zh.md", False)):
        told = (ROOT / "docs" / page).read_text("utf-8")
        for name, attack in NAMES.items():
            assert (attack.en if english else attack.zh) in told
            assert (ROOT / "docs" / "pictures" / f"attack-{name}.svg").exists()
    assert section(course("lone-faker"), True).count("fewer than three persons") > 3


def test_a_page_is_filled_again_and_again():
    once = filled(f"a\n{MARKS[0]}\nb\n", ["x"])
    assert once == f"a\n{MARKS[0]}\n\nx\n\n{MARKS[1]}\nb\n"
    assert filled(once, ["y"]) == once.replace("x", "y")


def test_a_picture_has_all_its_lines():
    told = picture(course("lazy-department"))
    assert told.count('stroke-width="2"') == 2
    assert f"漂移 drift {course('lazy-department').drifted}" in told
