"""A new limit goes on trial by two people, is compared, and is adopted or ended by two people."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import Any

import pytest
from court_kit import Court, csrf_in
from live_kit import COUNTY, event
from test_trials import SHELF, book_of

from detector.live.limits import (
    changes_of,
    limit_of,
    limits_of,
    number,
    with_adopted,
    with_limit,
    with_trial,
    without_trial,
)
from detector.shelf import Configured

BOOK = """# ours
[rules.too_fast_step]   # the survey
default_limit_s = 60    # seconds
limits = [
  { item = "*", from = "accept", to = "survey", limit_s = 1800 },  # half an hour
]

[rules.overdue_promise]
mode = "on"

[[rules.same_person.exempt]]
department = "D07"
reason = "r"
approved_by = "a"
"""
SURVEY_LIMIT = "limits[*,accept,survey]"


def rule(name: str, text: str = BOOK) -> Configured:
    """A rule as a rulebook's text sets it."""
    return next(c for c in book_of(text).rules if c.rule.id == name)


def tried(text: str, name: str, setting: str, value: str) -> str:
    """The text with a limit on trial."""
    held = rule(name, text)
    limit = limit_of(held, setting)
    trial = with_limit(held, limit, number(held, limit, value))
    trial = replace(trial, since="2026-03-02T09:00:00+08:00", reason="r", approved_by="a, b")
    return with_trial(text.encode(), held, trial).decode()


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("too_fast_step", "default_limit_s", "45"), ("too_fast_step", SURVEY_LIMIT, "900"),
        ("too_fast_step", "limits[permit,accept,survey]", "900"),
        ("overdue_promise", "bands.overdue.edge", "1"), ("batch_entry", "bands.flood.edge", "30"),
        ("overdue_promise", "bands.due_soon.edge", "-0.5"),
    ],
)  # fmt: skip
def test_a_limit_is_tried_then_adopted_or_ended_and_every_other_word_stays(name, setting, value):
    """The trial is that rule with that limit; adopted, the rule is what was tried."""
    text = tried(BOOK, name, setting, value)
    assert with_adopted(text.encode(), name).decode() != BOOK
    live, trial = rule(name, text), rule(f"{name}.trial", text)
    assert book_of(text).settings[name] == book_of(BOOK).settings[name]
    [change] = changes_of(live)
    assert (change.name, str(change.value)) == (setting, value)
    assert change.before == limit_of(rule(name), setting).value
    ended = without_trial(text.encode(), name).decode()
    assert rule(name, ended).trial is None and book_of(ended).digest == book_of(BOOK).digest
    adopted = with_adopted(text.encode(), name).decode()
    assert rule(name, adopted).trial is None
    told = {one.name: one.value for one in limits_of(rule(name, adopted))}
    assert told == {one.name: one.value for one in limits_of(trial)}
    for one in (text, ended, adopted):
        assert one.startswith("# ours\n") and "# the survey" in one and "# seconds" in one


def test_a_second_limit_joins_the_trial_and_the_others_stay():
    text = tried(BOOK, "too_fast_step", SURVEY_LIMIT, "900")
    text = tried(text, "too_fast_step", "default_limit_s", "30")
    text = tried(text, "too_fast_step", "limits[permit,*,decide]", "300")
    told = {one.name: (one.before, one.value) for one in changes_of(rule("too_fast_step", text))}
    assert told == {
        SURVEY_LIMIT: (1800, 900), "default_limit_s": (60, 30),
        "limits[permit,*,decide]": (None, 300),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "setting", "value", "told"),
    [
        ("too_fast_step", "limit", "5", "is unknown; known are default_limit_s"),
        ("too_fast_step", "limits[a,b]", "5", "is unknown"),
        ("too_fast_step", "other[*,accept,survey]", "5", "is unknown"),
        ("too_fast_step", "default_limit_s", "-1", "must lie from 0"),
        ("too_fast_step", "default_limit_s", "1.5", "must be a whole number"),
        ("too_fast_step", "default_limit_s", "1e3", "is no number"),
        ("too_fast_step", "default_limit_s", "", "is no number"),
        ("too_fast_step", "default_limit_s", "60", "is the limit in force"),
        ("batch_entry", "bands.burst.edge", "20", "flood would no longer begin above"),
        ("late_answer", "limit_days", "3", "is unknown; known are none"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_said(name, setting, value, told):
    held = rule(name)
    with pytest.raises(ValueError, match=re.escape(told)):
        number(held, limit_of(held, setting), value)


@pytest.mark.parametrize("name", sorted(SHELF))
def test_every_limit_of_every_rule_has_a_name_that_leads_back(name):
    held = rule(name, "")
    for one in limits_of(held):
        assert limit_of(held, one.name) == one
        assert one.value is not None and one.least <= one.value <= one.most


@pytest.fixture
def folder(tmp_path):
    copied = tmp_path / "county"
    shutil.copytree(COUNTY, copied)
    return copied


def asked(browser: Any, **fields: str) -> Any:
    """A form of the rule's page, sent; it is about the latest of the open proposals."""
    page = browser.get("/rules/too_fast_step")
    numbers = re.findall(r'name="number" value="(\d+)"', page.text)
    more = {"number": numbers[0]} if numbers else {}
    told = {"csrf": csrf_in(page), **more, **fields}
    return browser.post("/rules/too_fast_step", data=told)


def later(court: Court, *seconds: int) -> None:
    """Cases whose survey took so long, a while later."""
    for n in seconds:
        case = {"case_id": f"later-{n}"}
        court.live.post(
            event("a", "10:00:00", "accept", **case),
            event("b", f"10:{n // 60:02d}:{n % 60:02d}", step="survey", operator="P0102", **case),
        )


def test_two_people_try_a_limit_see_what_it_finds_and_adopt_it(folder, tmp_path):
    (tmp_path / "data").mkdir()
    with Court(tmp_path / "data", district=folder) as court:
        one, two = (court.account(name, "centre") for name in ("zhao", "qian"))
        held = (folder / "rulebook.toml").read_bytes()
        put = {"do": "propose", "setting": SURVEY_LIMIT, "value": "900", "reason": "多数误报"}
        assert asked(one, **{**put, "value": "0.5"}).status_code == 400
        assert asked(one, **put).status_code == 303
        assert (folder / "rulebook.toml").read_bytes() == held  # one person changes nothing
        assert "zhao 于" in two.get("/rules/too_fast_step").text
        assert asked(one, do="approve").status_code == 403
        assert asked(two, do="approve").status_code == 303
        rules = {c.rule.id: c for c in court.live.runner.shard.engine.rulebook.rules}
        assert rules["too_fast_step"].entries[0]["limit_s"] == 1800
        assert rules["too_fast_step.trial"].entries[0]["limit_s"] == 900
        trial = rules["too_fast_step"].trial
        assert trial is not None and trial.approved_by == "zhao, qian"
        later(court, 30, 1000, 1700, 2000)
        told = [f for f in court.live.findings().values() if (f.case_id or "").startswith("later")]
        shown = sorted((f.rule, f.case_id, f.muted) for f in told if "too_fast_step" in f.rule)
        assert shown == [
            ("too_fast_step", "later-1000", None), ("too_fast_step", "later-1700", None),
            ("too_fast_step", "later-30", None), ("too_fast_step.trial", "later-30", "shadow"),
        ]  # fmt: skip
        page = one.get("/rules/too_fast_step.trial", params={"lang": "en"}).text
        for text in ("1800 → <strong>900</strong> s</dd>", "in force</dt><dd>3</dd>",
                     "is tried</dt><dd>1</dd>", "Only by the limits in force</dt><dd>2</dd>",
                     "Only by what is tried</dt><dd>0</dd>", "later-1700"):  # fmt: skip
            assert text in page, text
        card = one.get("/api/v1/rules/too_fast_step").json()
        assert card["trial"]["entries"][0]["limit_s"] == 900
        assert len(one.get("/api/v1/rules").json()["items"]) == len(card_ids(court))
        assert asked(one, do="propose", trial="adopt", reason="两周无漏报").status_code == 303
        assert asked(one, do="approve").status_code == 403
        assert asked(two, do="approve").status_code == 303
        rules = {c.rule.id: c for c in court.live.runner.shard.engine.rulebook.rules}
        assert rules["too_fast_step"].entries[0]["limit_s"] == 900
        assert "too_fast_step.trial" not in rules
        acts = [line.act for line in court.kit.audit.all() if line.act.startswith("rule.")]
        assert acts == ["rule.propose", "rule.approve"] * 2
        assert asked(one, do="propose", trial="end", reason="x").status_code == 409


def card_ids(court: Court) -> list[str]:
    """The rules in force, none on trial."""
    return [c.rule.id for c in court.live.runner.shard.engine.rulebook.live]


def test_what_was_proposed_of_one_trial_is_not_done_to_another(folder, tmp_path):
    (tmp_path / "data").mkdir()
    with Court(tmp_path / "data", district=folder) as court:
        one, two = (court.account(name, "centre") for name in ("zhao", "qian"))
        put = {"do": "propose", "setting": "default_limit_s", "value": "45", "reason": "r"}
        assert asked(one, **put).status_code == 303
        assert asked(two, do="approve").status_code == 303
        assert asked(one, do="propose", trial="adopt", reason="r").status_code == 303
        assert asked(one, **{**put, "value": "1"}).status_code == 303
        assert asked(two, do="approve").status_code == 303  # the latest: another limit is tried
        told = asked(two, do="approve")
        assert told.status_code == 409 and "something else is tried now" in told.text
        assert asked(two, do="propose", trial="end", reason="r").status_code == 303
        assert asked(one, do="approve").status_code == 303
        book = (folder / "rulebook.toml").read_text("utf-8")
        assert "trial" not in book and "default_limit_s = 60" in book
