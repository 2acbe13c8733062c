"""Profiles, bands and overrides: what a region and a district may set of the rules."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bridge import SHELF

from detector.columns import Words, from_events
from detector.district import district_from
from detector.engine import Engine
from detector.event import Fact, Reading, read_event
from detector.ladder import PROFILES, shipped
from detector.rulekit import ev
from detector.shelf import Configured, configure
from detector.stories import DISTRICT, Outcome, run_story, small_district
from detector.tomlfile import DistrictError
from detector.values import read_time

ACCEPT = ev("accept", "2018-10-15 10:00:00", operator="A")
APPLY = ev("apply", "2018-10-15 10:00:00")
CLOSE = ev("close", "2018-10-15 10:00:00", result="granted")
SUSPEND = ev("suspend", "2018-10-15 10:00:00", procedure="hearing", days_granted=7)


def engine_of(rule: str, profile: str = "default", rulebook: str = "") -> Engine:
    """One rule in the small district under a profile."""
    plain = small_district()
    files = {
        "district.toml": DISTRICT.replace("[calendar]", f'profile = "{profile}"\n[calendar]'),
        "catalogue/permits.toml": CATALOGUE, "people.csv": "", "rulebook.toml": rulebook,
    }  # fmt: skip
    assert plain.ladder.name == "default"
    district = district_from({name: text.encode() for name, text in files.items()})
    return Engine(district, configure({rule: SHELF[rule]}, district))


CATALOGUE = """[[items]]
code = "permit"
name = "许可"
type = "01"
promised_days = 7
statutory_days = 10
[[items.steps]]
code = "accept"
[[items.steps]]
code = "survey"
limit_hours = 10
[[items.steps]]
code = "issue"
"""


def run(engine: Engine, *story: dict[str, Any], until: str | None = None) -> Outcome:
    """Judge a story of one case."""
    how = Reading(zone=engine.calendar.zone)
    given = {"case_id": "c1", "item": "permit", "department": "D01"}
    events = [read_event(given | {"event_id": f"e{n}"} | e, how) for n, e in enumerate(story)]
    end = None if until is None else read_time(until, how.zone)
    return run_story(engine, events, end)


def standing(outcome: Outcome) -> dict[str, int]:
    """Band code → tier of what stands."""
    return {f.reason.code: f.tier for f in outcome.findings.values() if f.stands}


def second(at: str, shift: int) -> str:
    """So many seconds after a stamp."""
    moved = datetime.fromisoformat(at).replace(tzinfo=UTC) + timedelta(seconds=shift)
    return moved.strftime("%Y-%m-%d %H:%M:%S")


GOLDEN = [  # profile, rule, story, the instant, band: the second before, the second itself, after
    ("hunan", "overdue_promise", (ACCEPT,), "2018-10-19 10:00:00", "due_soon", 0),
    ("hunan", "overdue_promise", (ACCEPT,), "2018-10-24 10:00:00", "overdue", 2),
    ("hunan", "overdue_statutory", (ACCEPT,), "2018-10-29 10:00:00", "overdue", 3),
    ("hunan", "overdue_procedure", (SUSPEND,), "2018-10-19 10:00:00", "due_soon", 0),
    ("hunan", "overdue_procedure", (SUSPEND,), "2018-10-24 10:00:00", "overdue", 2),
    ("hunan", "overdue_procedure", (SUSPEND,), "2018-10-25 10:00:00", "far_overdue", 3),
    ("hunan", "overdue_acceptance", (APPLY,), "2018-10-17 10:00:00", "late", 1),
    ("hunan", "overdue_acceptance", (APPLY,), "2018-10-22 10:00:00", "late_3", 2),
    ("hunan", "overdue_acceptance", (APPLY,), "2018-10-24 10:00:00", "late_5", 3),
    ("hunan", "overdue_issue", (CLOSE,), "2018-10-18 10:00:00", "late", 2),
    ("default", "overdue_promise", (ACCEPT,), "2018-10-24 10:00:00", "overdue", 2),
    ("chengdu", "overdue_promise", (ACCEPT,), "2018-10-24 10:00:00", "overdue", 2),
]  # fmt: skip
SHIFTED = [  # the same, moved by a suspension of three days
    ("overdue_promise", "2018-10-24 10:00:00", "due_soon", 0),
    ("overdue_promise", "2018-10-29 10:00:00", "overdue", 2),
    ("overdue_statutory", "2018-11-01 10:00:00", "overdue", 3),
]


def judged(engine: Engine, story: Any, at: str, shift: int) -> dict[str, int]:
    """What stands when the case is asked so many seconds after an instant. A band that begins
    after its instant has one more microsecond in it than the second itself."""
    return standing(run(engine, *story, until=second(at, shift)))


@pytest.mark.parametrize(("profile", "rule", "story", "at", "band", "tier"), GOLDEN)
def test_published_instants(profile, rule, story, at, band, tier):
    engine = engine_of(rule, profile)
    assert band not in judged(engine, story, at, -1)
    assert judged(engine, story, at, 1) == {band: tier}
    raised = run(engine, *story, until=second(at, 1)).findings.values()
    assert {f.at[:19].replace("T", " ") for f in raised if f.stands} == {at}
    if rule in ENDS:  # exactly at the instant is in time: what ends it then clears it
        exact = run(engine, *story, ENDS[rule](at), until=second(at, 1))
        assert band not in standing(exact)
        late = run(engine, *story, ENDS[rule](second(at, 1)), until=second(at, 2))
        assert standing(late) == {band: tier}


ENDS = {
    "overdue_promise": lambda at: ev("close", at, result="granted"),
    "overdue_statutory": lambda at: ev("close", at, result="granted"),
    "overdue_procedure": lambda at: ev("resume", at, procedure="hearing"),
    "overdue_acceptance": lambda at: ev("accept", at),
    "overdue_issue": lambda at: ev("issue", at),
}


@pytest.mark.parametrize(("rule", "at", "band", "tier"), SHIFTED)
def test_a_suspension_moves_them_all(rule, at, band, tier):
    pause = (
        ev("suspend", "2018-10-16 10:00:00", procedure="hearing", days_granted=3),
        ev("resume", "2018-10-19 10:00:00", procedure="hearing"),
    )
    engine = engine_of(rule, "hunan")
    assert band not in judged(engine, (ACCEPT, *pause), at, -1)
    assert judged(engine, (ACCEPT, *pause), at, 1) == {band: tier}


def test_jiangsu_warns_at_four_fifths_and_alarms_at_the_limit():
    engine = engine_of("overdue_promise", "jiangsu")  # 4/5 of 49 hours: 39 h 12 min
    assert standing(run(engine, ACCEPT, until="2018-10-22 15:41:59")) == {}
    assert standing(run(engine, ACCEPT, until="2018-10-22 15:42:00")) == {"due_soon": 1}
    assert standing(run(engine, ACCEPT, until="2018-10-24 09:59:59")) == {"due_soon": 1}
    assert standing(run(engine, ACCEPT, until="2018-10-24 10:00:00")) == {"overdue": 2}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_shipped_profile_is_sound(profile):
    files = {
        "district.toml": DISTRICT.replace("[calendar]", f'profile = "{profile}"\n[calendar]'),
        "catalogue/permits.toml": CATALOGUE, "people.csv": "",
    }  # fmt: skip
    district = district_from({name: text.encode() for name, text in files.items()})
    configure(SHELF, district)
    assert district.ladder.name == profile and len(district.ladder.tiers) == 4
    assert shipped(profile) and set(district.ladder.points) <= set(SHELF)


def test_a_district_overrides_keys_of_its_profile():
    text = DISTRICT.replace("[calendar]", 'profile = "hunan"\n[calendar]')
    text += "[notices]\nanswer_urge_wd = 4\n[tiers]\n"
    text += 'urge = { tier = 2, zh = "黄", en = "y", colour = "yellow" }\n'
    files = {"district.toml": text, "catalogue/permits.toml": CATALOGUE, "people.csv": ""}
    ladder = district_from({name: text.encode() for name, text in files.items()}).ladder
    assert (ladder.notices["answer_urge_wd"], ladder.notices["close_wd"]) == (4, 20)
    assert [rung.zh for rung in ladder.tiers] == ["预警牌", "预警牌", "黄", "红牌"]


# --- overrides ------------------------------------------------------------------------------------


def lag(hours: int, **fields: Any) -> dict[str, Any]:
    """An acceptance that arrives so many hours late."""
    late = second("2026-03-02 09:00:00", hours * 3_600)
    return ev("accept", "2026-03-02 09:00:00", received_at=late, **fields)


def test_bands_and_tiers_may_be_set():
    book = "[rules.late_exchange.bands.late]\nedge = 48\ntier = 1\n"
    engine = engine_of("late_exchange", rulebook=book)
    assert standing(run(engine, lag(48))) == {} and standing(run(engine, lag(49))) == {"late": 1}


OVERRIDES = """[[rules.late_exchange.override]]
item = "permit"
reason = "slow line"
approved_by = "P1"
bands = { late = { edge = 48 } }
[[rules.late_exchange.override]]
item = "permit"
department = "D02"
reason = "slower line"
approved_by = "P1"
until = "2026-03-02"
mode = "shadow"
[[rules.late_exchange.override]]
department = "D09"
reason = "no line"
approved_by = "P1"
mode = "off"
"""


def test_an_override_speaks_for_its_cases_alone():
    engine = engine_of("late_exchange", rulebook=OVERRIDES)
    assert standing(run(engine, lag(47))) == {}
    assert standing(run(engine, lag(49))) == {"late": 0}
    assert standing(run(engine, lag(25, item="other"))) == {"late": 0}
    assert run(engine, lag(99, item="other", department="D09")).findings == {}
    [muted] = run(engine, lag(49, department="D02")).findings.values()
    assert muted.muted == "shadow"  # the more specific sets the mode, the other the edge
    later = lag(49, department="D02") | {"recorded_at": "2026-03-03 09:00:00"}
    later |= {"occurred_at": "2026-03-03 09:00:00", "received_at": "2026-03-05 10:00:01"}
    assert standing(run(engine, later)) == {"late": 0}  # `until` is its last day


def test_a_clock_may_be_overridden_too():
    book = """[[rules.overdue_acceptance.override]]
department = "D02"
reason = "by agreement"
approved_by = "P1"
limit_wd = 5
bands = { late = { tier = 0 } }
"""
    engine = engine_of("overdue_acceptance", rulebook=book)
    apply = ev("apply", "2018-10-15 10:00:00")
    assert standing(run(engine, apply, until="2018-10-17 10:00:01")) == {"late": 1}
    theirs = apply | {"department": "D02"}
    assert standing(run(engine, theirs, until="2018-10-22 09:59:59")) == {}
    assert standing(run(engine, theirs, until="2018-10-22 10:00:01")) == {"late": 0}
    [finding] = run(engine, theirs, until="2018-10-22 10:00:01").findings.values()
    assert finding.limit == 5


ENTRY = "[[rules.late_exchange.override]]\n"
CLASHING = OVERRIDES.replace('item = "permit"\ndepartment', "department").replace("D09", "D02")
BAD = [
    ("contradicts the entry on line 6: both set mode", CLASHING),
    ("sets nothing", ENTRY + 'item = "a"\nreason = "r"\napproved_by = "p"\n'),
    ("exempts everything", ENTRY + 'mode = "off"\nreason = "r"\napproved_by = "p"\n'),
    ("is missing", ENTRY + 'item = "a"\nmode = "off"\n'),
    ("unknown key", "[rules.late_exchange.bands.later]\nedge = 3\n"),
    ("is no fit number", '[rules.late_exchange.bands.late]\nedge = "3"\n'),
    ("is no tier", "[rules.late_exchange.bands.late]\ntier = 4\n"),
    ("never raises", "[rules.late_exchange.bands.in_time]\ntier = 1\n"),
    ("no longer begins above", "[rules.overdue_acceptance.bands.late_3]\nedge = 9\n"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "book"), BAD)
def test_a_bad_setting_is_told(fault, book):
    with pytest.raises(DistrictError, match=fault):
        configure(SHELF, small_district(rulebook=book))


def test_a_setting_changes_the_rulebook_digest():
    def digest(book: str) -> str:
        return configure(SHELF, small_district(rulebook=book)).digest

    books = ["", OVERRIDES, "[rules.late_exchange.bands.late]\nedge = 48\n"]
    assert len({digest(book) for book in books}) == len(books)


def test_what_no_override_meets_is_the_rule_itself():
    engine = engine_of("late_exchange", rulebook=OVERRIDES)
    [rule] = engine.event_rules
    plain = rule.meets("other", "D01", None, 0)
    assert isinstance(plain, Configured) and plain.rule == rule.rule and plain.overrides == ()


def test_since_when_a_band_is_superseded_does_not_depend_on_ticks():
    engine = engine_of("overdue_acceptance")
    how = Reading(zone=engine.calendar.zone)
    given = {"case_id": "c1", "item": "permit", "department": "D01", "event_id": "e1"}
    told = []
    stamps = ("2018-10-18 10:00:00", "2018-10-23 10:00:00", "2018-10-25 10:00:00")
    for ticks in (stamps, stamps[-1:]):
        state, outcome = engine.new_state(Words()), Outcome({}, Counter())
        words = state.cases.words
        batches = [from_events([read_event(given | APPLY, how)], words)]
        for stamp in ticks:
            tick = Fact(kind="tick", received_at=read_time(stamp, how.zone), fields={})
            batches.append(from_events([], words, facts=[tick]))
        for batch in batches:
            state, effects = engine.step(state, batch)
            outcome.settle(effects.moves)
        gone = {f.reason.code: f.withdrawn for f in outcome.findings.values()}
        told.append({code: w and w.at for code, w in gone.items()})
    assert told[0] == told[1]
    assert told[0] == {
        "late": "2018-10-22T10:00:00+08:00", "late_3": "2018-10-24T10:00:00+08:00", "late_5": None,
    }  # fmt: skip


def test_sentences_name_steps_and_procedures_in_chinese():
    told = run(engine_of("overdue_step"), ACCEPT, until="2018-10-16 14:30:01").findings.values()
    assert all("“勘查”" in f.sentence.zh and '"survey"' in f.sentence.en for f in told) and told
    told = run(
        engine_of("overdue_procedure"), SUSPEND, until="2018-10-24 10:00:01"
    ).findings.values()
    assert all("（听证）" in f.sentence.zh and "(hearing)" in f.sentence.en for f in told) and told
