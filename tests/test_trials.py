"""A limit on trial is judged beside the one in force and speaks to nobody; nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from laws import LAWS, Subject, missing_data
from live_kit import Live, county, event
from test_district import EVERY_KEY

from detector.district import district_from
from detector.engine import Engine
from detector.ledger import NoticeQuery
from detector.ledger.content import content_with
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.shelf import Configured, Rulebook, configure, load_shelf
from detector.tomlfile import DistrictError
from detector.trials import ENDS, Trial, base_of, may_be_tried, tried
from detector.verdict import Finding
from replay.verify import verify

SHELF = load_shelf()
WHY = 'reason = "r"\napproved_by = "a"\n'
LIMITS = (
    '[rules.too_fast_step.trial]\nlimits = [{ from = "accept", to = "survey", limit_s = 45 }]\n'
)


# Those that ask nobody who knows of no trials: the oracle, and the rules by name.
TRIED_LAWS = [law for law in LAWS if "fault" not in law.__name__ and law is not missing_data]


def book_of(text: str):
    """A rulebook of this text."""
    return configure(SHELF, district_from(EVERY_KEY | {"rulebook.toml": text.encode()}))


@pytest.mark.parametrize(
    ("text", "place", "line", "told"),
    [
        (f"[rules.too_fast_step.trial]\n{WHY}", "rules.too_fast_step.trial", 1, "tries nothing"),
        ("[rules.too_fast_step.trial]\ndefault_limit_s = 5\nreason = 'r'",
         "rules.too_fast_step.trial.approved_by", 1, "is missing"),
        (f"[rules.too_fast_step.trial]\ndefault_limit_s = -5\n{WHY}",
         "rules.too_fast_step.trial.default_limit_s", 2, "is not a whole number"),
        (f"[rules.too_fast_step.trial]\nlimit = 5\n{WHY}",
         "rules.too_fast_step.trial.limit", 2, "is an unknown key"),
        (f"[rules.too_fast_step.trial]\nmode = 'on'\ndefault_limit_s = 5\n{WHY}",
         "rules.too_fast_step.trial.mode", 2, "is an unknown key"),
        (f"[rules.too_fast_step.trial]\ndefault_limit_s = 5\nsince = 'soon'\n{WHY}",
         "rules.too_fast_step.trial.since", 3, "is no instant"),
        (f"[rules.late_answer.trial]\nlimit_days = 5\n{WHY}", "rules.late_answer.trial", 1,
         "is an unknown key"),
    ],
)  # fmt: skip
def test_a_trial_that_is_none_is_named(text, place, line, told):
    with pytest.raises(DistrictError) as fault:
        book_of(text)
    found = [(p.key, p.line) for p in fault.value.problems if told in p.reason]
    assert (place, line) in found, fault.value.problems


def test_a_trial_is_a_rule_of_its_own_and_its_rule_stays_what_it_was():
    plain, told = book_of(""), book_of(LIMITS + WHY)
    rules = {c.rule.id: c for c in told.rules}
    trial = rules["too_fast_step.trial"]
    assert (trial.mode, trial.blocking, trial.rule.zh) == ("shadow", False, "环节过快（试行）")
    assert (
        trial.entries[0]["limit_s"] == 45 and rules["too_fast_step"].entries[0]["limit_s"] == 1800
    )
    assert told.settings["too_fast_step"] == plain.settings["too_fast_step"]
    assert told.digest != plain.digest and [c.rule.id for c in told.live] == sorted(SHELF)
    again = book_of(LIMITS + 'since = "2026-03-02T09:00:00+08:00"\nreason = "x"\napproved_by = "y"')
    assert again.digest == told.digest  # since when and why judge nothing
    assert [base_of(i) for i in ("too_fast_step.trial", "back_entry")] == [
        "too_fast_step", "back_entry",
    ]  # fmt: skip


def test_a_rule_that_is_off_or_speaks_for_some_is_tried_in_shadow_all_the_same():
    scope = '[[rules.too_fast_step.override]]\ndepartment = "D0{}"\nmode = "{}"\n' + WHY
    text = '[rules.too_fast_step]\nmode = "off"\n' + LIMITS + WHY
    told = book_of(text + scope.format(1, "on") + scope.format(2, "off"))
    trial = next(c for c in told.rules if c.rule.id == "too_fast_step.trial")
    place = ("permit", None, 20_000)
    assert trial.mode == "shadow"
    assert [trial.meets(place[0], d, *place[1:]) is None for d in ("D01", "D02")] == [False, True]
    assert trial.meets("permit", "D01", None, 20_000).mode == "shadow"


def with_trial(text: str) -> Any:
    """The county with a trial in its rulebook."""
    held = county()
    book = held.district["rulebook.toml"] + b"\n" + text.encode()
    return content_with(held.district | {"rulebook.toml": book}, held.rules, held.at)


def steps(*seconds: int) -> list[dict[str, Any]]:
    """Cases whose survey took so long."""
    told = []
    for n in seconds:
        case = {"case_id": f"c{n}"}
        told.append(event("a", "09:00:00", "accept", **case))
        stamp = f"09:{n // 60:02d}:{n % 60:02d}"
        told.append(event("b", stamp, step="survey", operator="P0102", **case))
    return told


def by_rule(live: Live) -> dict[str, dict[str, Finding]]:
    """case → finding, by rule."""
    told: dict[str, dict[str, Finding]] = {}
    for one in live.findings().values():
        told.setdefault(one.rule, {})[one.subject] = one
    return told


def stripped(told: dict[str, dict[str, Finding]]) -> dict[str, dict[str, Any]]:
    """What was judged, without what names the rulebook."""
    return {
        rule: {s: (f.finding_id, f.at, f.muted, f.value, f.limit) for s, f in some.items()}
        for rule, some in told.items()
    }


def test_both_limits_judge_the_same_cases_and_one_speaks():
    """Live 1800 s and on trial 45 s: what the trial finds has ids of its own, is muted `shadow`,
    and leads to no notice; all else is as it would be without."""
    plain, tried = Live(), Live(content=with_trial(LIMITS + WHY))
    for live in (plain, tried):
        live.post(*steps(30, 50, 1700, 1900))
        live.post({"kind": "tick", "at": "2026-03-02T20:00:00+08:00"})
        live.stop()
        assert not live.failures
    was, now = by_rule(plain), by_rule(tried)
    assert sorted(now["too_fast_step"]) == ["c1700", "c30", "c50"]
    assert sorted(now["too_fast_step.trial"]) == ["c30"]
    found = now.pop("too_fast_step.trial")["c30"]
    assert (found.muted, found.limit, found.value) == ("shadow", 45, 30)
    assert found.finding_id != now["too_fast_step"]["c30"].finding_id
    assert stripped(now) == stripped(was)
    every = NoticeQuery(limit=1 << 30)
    names = [[row.notice_id for row in live.ledger.notices(every)] for live in (plain, tried)]
    assert names[0] == names[1] != [] and tried.ledger.notice_of(found.finding_id) == []


@pytest.mark.parametrize("rule", ["overdue_promise", "batch_entry", "same_person"])
def test_every_kind_of_rule_that_may_be_tried_is(rule, tmp_path):
    """A clock, an operator's rule and a rule over pairs go on beside themselves, and a correction
    withdraws of both what it withdraws."""
    sets = {
        "overdue_promise": "bands.overdue = { edge = 1 }",
        "batch_entry": "bands.flood = { edge = 10 }",
        "same_person": "bands.same_person = { tier = 0 }",
    }[rule]
    content = with_trial(f"[rules.{rule}.trial]\n{sets}\n{WHY}")
    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger, content=content)
    one = {"operator": "P0101"}
    live.post(*(
        event("a", f"09:00:{n:02d}", "accept", case_id=f"c{n}", **one) for n in range(12)
    ))  # fmt: skip
    live.post(event("d", "09:30:00", step="decide", case_id="c0", **one))
    live.post({"kind": "tick", "at": "2026-04-20T00:00:00Z"})
    at = "2026-04-21T09:00:00"
    live.post(event("z", at, "close", case_id="c0", supersedes="d"))
    live.restart()
    live.post(event("y", "2026-04-22T09:00:00", "close", case_id="c1"))
    live.change(county())  # the trial has ended: its findings stay as they were
    live.post(event("x", "2026-04-23T09:00:00", "close", case_id="c2"))
    live.stop()
    assert not live.failures
    told = by_rule(live)
    ledger.close()
    assert verify(tmp_path).fault == ""
    assert told[rule] and f"{rule}.trial" in told
    assert all(f.muted for f in told[f"{rule}.trial"].values())


def beside(district: Any, rulebook: Rulebook) -> Engine:
    """An engine that tries every rule it may, with half of each parameter and other tiers."""
    rules: list[Configured] = []
    for one in rulebook.rules:
        band = next(b for b in one.rule.bands if b.tier is not None)
        halves = {p.name: max(p.least, getattr(one.params, p.name) // 2) for p in one.rule.params}
        trial = Trial(halves, bands={band.code: {"tier": 0}})
        told = tried(replace(one, trial=trial)) if may_be_tried(one.rule) else None
        rules += [one] if told is None else [one, told]
    return Engine(district, Rulebook(tuple(rules), rulebook.digest))


@pytest.mark.slow  # whole streams, several times each
@pytest.mark.parametrize("law", TRIED_LAWS, ids=lambda law: law.__name__)
def test_the_laws_hold_of_a_rulebook_that_is_tried_whole(law):
    law(Subject(make=beside), streams=3)


def test_what_is_in_force_judges_as_if_nothing_were_tried():
    """Over random districts and streams: every finding and count of a rule in force is the same,
    and none of a trial is heard."""
    plain, both, heard = Subject(), Subject(make=beside), 0
    for how, events in plain.streams(6):
        was, now = (one.run(how, events).told() for one in (plain, both))
        mine = {i: f for i, f in now["findings"].items() if not f[0].endswith(ENDS)}
        assert mine == was["findings"]
        theirs = [f for f in now["findings"].values() if f[0].endswith(ENDS)]
        assert all(f[14] is not None for f in theirs)
        heard += len(theirs)
        counts = {k: n for k, n in now["undetermined"].items() if not k[0].endswith(ENDS)}
        assert counts == was["undetermined"]
    assert heard > 20


def test_a_trial_that_speaks_is_noticed():
    """The test above rejects one whose findings are not muted."""

    def loud(district: Any, rulebook: Rulebook) -> Engine:
        rules = [replace(c, mode="on") for c in beside(district, rulebook).rulebook.rules]
        return Engine(district, Rulebook(tuple(rules), rulebook.digest))

    [(how, events)] = list(Subject().streams(1))
    told = Subject(make=loud).run(how, events).told()["findings"].values()
    assert any(f[14] is None for f in told if f[0].endswith(ENDS))
