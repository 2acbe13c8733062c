"""The shelf of learners: what is refused, what its lock notices, and how the command says it."""

import json
from dataclasses import replace

import pytest
from test_cli import oriole

from detector.learning.shelf import (
    LOCK,
    load_learners,
    lock_faults,
    lock_text,
    models_folder,
)
from detector.learning.stories import fault_of, tell_all
from detector.learnkit import Example, LearnerFault, row

SHELF = load_learners()
GOOD = (models_folder() / "drift.py").read_text("utf-8")
BAD = [
    ("What        Of each", "Of each", "drift.py: its text does not say What"),
    ("Blind       A jump", "A jump", "drift.py: its text does not say Blind"),
    ('id="drift"', 'id="drifting"', "drift.py: its id is drifting"),
    ("LEARNER = Learner(", "CARD = Learner(", "drift.py: defines no LEARNER"),
    ('sees="series"', 'sees="nothing"', "drift: sees nothing; known: step, case, series"),
    ("bytes_a_key=6_000", "bytes_a_key=0", "drift: states no bound of its memory"),
    ("import msgspec\n", "import msgspeck\n", "drift.py: ModuleNotFoundError"),
]


@pytest.mark.parametrize(("good", "bad", "told"), BAD)
def test_a_bad_file_is_refused_with_its_reason(tmp_path, good, bad, told):
    assert good in GOOD
    (tmp_path / "drift.py").write_text(GOOD.replace(good, bad), "utf-8")
    with pytest.raises(LearnerFault, match=told.replace(".", r"\.")):
        load_learners(tmp_path)


def test_an_empty_folder_is_no_shelf(tmp_path):
    with pytest.raises(LearnerFault, match="holds no learner"):
        load_learners(tmp_path)


def test_the_lock_is_that_of_the_shelf():
    held = (models_folder() / LOCK).read_text("utf-8")
    assert lock_faults(SHELF, held) == []
    assert lock_text(SHELF) == held


def test_the_lock_notices_a_change(tmp_path):
    (tmp_path / "drift.py").write_text(GOOD + "\n# changed\n", "utf-8")
    changed = load_learners(tmp_path)
    faults = lock_faults(changed, lock_text(SHELF))
    assert "drift: differs from the lock; its text changed: raise its edition" in faults
    assert "volume: in the lock and not on the shelf" in faults


def test_an_example_that_does_not_hold_is_told():
    card = SHELF["drift"].learner
    days = ((row(series="s", value=1),),)
    asked = (row(series="s"),)
    for example, told in [
        (Example("", days, asked, known=False), "known, and should not be"),
        (Example("", days, (row(series="t"),), known=True), "is not known"),
        (Example("", days, asked, known=True, bits_least=1), "0 thousandths of a bit"),
        (Example("", days, asked, known=True, limit_least=2), "limit 1"),
    ]:
        assert fault_of(card, example) == told
    assert {name for name, _, _ in tell_all(SHELF)} == set(SHELF)
    assert {name for name, _, _ in tell_all(SHELF, "drift")} == {"drift"}


def test_a_broken_example_is_found_among_all():
    card = SHELF["drift"].learner
    wrong = (*card.examples, replace(card.examples[0], title="wrong", known=False))
    shelf = {"drift": replace(SHELF["drift"], learner=replace(card, examples=wrong))}
    assert [title for _, title, fault in tell_all(shelf) if fault] == ["wrong"]


@pytest.mark.slow
def test_the_command_locks_and_tests():
    told = json.loads(oriole("models", "lock", "--check", "--json").stdout)
    assert told["learners"] == len(SHELF)
    assert told["faults"] == []
    told = json.loads(oriole("models", "test", "drift", "--json").stdout)
    assert told["passed"] == len(SHELF["drift"].learner.examples)
    assert "no such learner" in oriole("models", "test", "nothing", code=2).stderr
