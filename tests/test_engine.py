"""The engine by hand: one story at a time, each short enough to be worked out on paper."""

import random
from dataclasses import replace
from typing import Any

import pytest
from bridge import SHELF, Embedded, Run, engine_of
from msgspec.structs import replace as but
from oracle import OItem, Setting
from streams import WorkingDays, random_stream
from test_oracle_self import at, event, setting, tick

from detector.columns import Words, from_events
from detector.engine import Engine
from detector.event import Fact
from detector.operators import OperatorState
from detector.rulekit import RuleFault, check_rule
from detector.shelf import Shelved
from detector.verdict import Finding

SECOND = 1_000_000
MINUTE = 60 * SECOND


def county(*rules: str, **changes) -> Setting:
    """A district in which these rules alone are on, or all of them."""
    off = {} if not rules else {r: {"mode": "off"} for r in SHELF if r not in rules}
    return setting(is_working=WorkingDays(), params=off, **changes)


def judged(inputs, *rules: str, until=None, **changes) -> Run:
    """One run over inputs in the order of the file."""
    return Run(county(*rules, **changes), inputs, until=until and at(until))


def told(run, rule: str) -> list[tuple]:
    """(band, value, why it no longer stands) of a rule's findings, in order of their instant."""
    findings = sorted(run.outcome.findings.values(), key=lambda f: (f.at, f.finding_id))
    return [
        (f.reason.code, f.value, f.withdrawn.reason if f.withdrawn else None)
        for f in findings
        if f.rule == rule
    ]


# --- what was met before ----------------------------------------------------------------------

ACCEPT = event("accept", "2026-03-02 09:00", event_id="e1")
SURVEY = event("step", "2026-03-02 09:00:58", step="survey", event_id="e2")


def test_an_event_sent_again_changes_nothing():
    again = but(SURVEY, received_at=SURVEY.received_at + MINUTE)
    run = judged([ACCEPT, SURVEY, again, SURVEY], "too_fast_step")
    assert (run.duplicates, run.refused) == (2, [])
    assert told(run, "too_fast_step") == [("too_fast", 58, None)]


def test_other_content_under_a_known_id_is_refused():
    other = but(SURVEY, recorded_at=SURVEY.recorded_at + 1, received_at=SURVEY.received_at + 1)
    run = judged([ACCEPT, SURVEY, other], "too_fast_step")
    assert run.refused == [(2, "event_id", "conflicting_duplicate")]
    assert told(run, "too_fast_step") == [("too_fast", 58, None)]


def test_the_same_id_in_another_case_is_another_event():
    other = but(SURVEY, case_id="d", recorded_at=SURVEY.recorded_at + 1)
    assert judged([ACCEPT, SURVEY, other]).refused == []


def test_a_case_takes_its_most_events_and_no_more():
    events = [event("step", f"2026-03-02 09:0{n}", event_id=f"e{n}") for n in range(6)]
    run = judged([*events, event("step", "2026-03-02 09:09", case_id="d")], case_events_max=4)
    assert [(n, field) for n, field, _ in run.refused] == [(4, "case_id"), (5, "case_id")]
    assert {error for _, _, error in run.refused} == {"case_events_max"}
    assert sum(rule == "too_fast_step" for rule, *_ in run.unknown) == 0


def test_an_event_refused_for_its_case_may_come_again_later():
    wrong = but(SURVEY, event_id="e3", supersedes="nowhere", received_at=SURVEY.received_at + 1)
    mended = but(wrong, supersedes="e2", received_at=SURVEY.received_at + 2)
    run = judged([ACCEPT, SURVEY, wrong, mended], "too_fast_step")
    assert run.refused == [(2, "supersedes", "names no event of this case")]
    assert told(run, "too_fast_step") == [("too_fast", 58, "corrected"), ("too_fast", 58, None)]


# --- corrections ------------------------------------------------------------------------------


def test_a_correction_withdraws_what_rested_on_the_event():
    right = but(
        SURVEY,
        event_id="e3",
        supersedes="e2",
        recorded_at=at("2026-03-02 09:45"),
        received_at=at("2026-03-02 10:00"),
    )
    run = judged([ACCEPT, SURVEY, right], "too_fast_step")
    assert told(run, "too_fast_step") == [("too_fast", 58, "corrected")]
    [finding] = run.outcome.findings.values()
    assert finding.withdrawn is not None
    assert finding.withdrawn.at == "2026-03-02T10:00:00+08:00"


def test_a_new_version_under_the_same_id():
    later = at("2026-03-02 09:01")
    new = but(SURVEY, supersedes="e2", recorded_at=later, received_at=later)
    run = judged([ACCEPT, SURVEY, new, new], "too_fast_step")
    assert run.duplicates == 1
    assert told(run, "too_fast_step") == [("too_fast", 60, None)], "one finding, its value mended"


def test_what_follows_is_judged_anew_without_the_corrected_event():
    review = event("step", "2026-03-02 09:01:30", step="review", event_id="e3")
    gone = event("step", "2026-03-02 11:00", step="decide", event_id="e4", supersedes="e2")
    run = judged([ACCEPT, SURVEY, review, gone], "too_fast_step")
    assert told(run, "too_fast_step") == [
        ("too_fast", 58, "corrected"),
        ("too_fast", 32, "corrected"),  # the review followed the acceptance after 90 s
    ]


def test_a_correction_in_a_later_batch_is_the_same():
    right = but(SURVEY, event_id="e3", supersedes="e2", received_at=at("2026-03-02 10:00"))
    events = [ACCEPT, SURVEY, right]
    how = county()
    fed = Embedded(engine_of(how), how, events).run([1, 2, 3])
    assert fed.told() == judged(events).told()


class Counting(Engine):
    """An engine that counts its rounds."""

    rounds = 0

    def _round(self, *told: Any) -> None:
        self.rounds += 1
        super()._round(*told)


def test_corrected_cases_go_side_by_side_in_as_many_rounds_as_the_longest_has_events():
    review = event("step", "2026-03-02 09:30", step="review", event_id="e3")
    other = [but(e, case_id="other") for e in (ACCEPT, SURVEY)]
    later = {"supersedes": "e2", "received_at": at("2026-03-02 10:00")}
    right = [but(e, event_id="e4", **later) for e in (SURVEY, other[1])]
    how, events = county(), [ACCEPT, SURVEY, review, *other, *right]
    engine = engine_of(how, make=Counting)
    assert isinstance(engine, Counting)
    fed = Embedded(engine, how, events)
    fed.step(0, 5)
    before = engine.rounds
    fed.step(5, 7)
    assert (before, engine.rounds - before) == (3, 3)
    assert sum(f.withdrawn is not None for f in fed.outcome.findings.values()) == 2


# --- late truth -------------------------------------------------------------------------------

MONDAY = "2018-10-15 10:00"


def test_a_close_that_arrives_late_and_was_in_time():
    in_time = event("close", "2018-10-24 10:00", received_at=at("2018-10-24 16:00"))
    run = judged([event("accept", MONDAY), in_time], "overdue_promise")
    assert told(run, "overdue_promise") == [
        ("due_soon", -1, None),
        ("overdue", 0, "closed_in_time"),
    ]


def test_a_suspension_that_arrives_late():
    hearing = event(
        "suspend", "2018-10-17 10:00", days_granted=3, received_at=at("2018-10-25 09:00")
    )
    run = judged([event("accept", MONDAY), hearing], "overdue_promise", until="2018-10-29 10:01")
    assert told(run, "overdue_promise") == [
        ("due_soon", -1, "suspended"),
        ("overdue", 0, "suspended"),
        ("due_soon", -1, "superseded"),  # three working days later
        ("overdue", 0, None),
    ]


def test_a_limit_that_is_stated_late():
    longer = event("step", "2018-10-25 11:00", promised_days=9)
    run = judged([event("accept", MONDAY), longer], "overdue_promise")
    assert told(run, "overdue_promise") == [
        ("due_soon", -1, "limit_changed"),
        ("overdue", 0, "limit_changed"),
        ("due_soon", -1, None),
    ]


# --- limits to the second (the published golden examples) ---------------------------------------


@pytest.mark.parametrize(
    ("rule", "instant", "suspended"),
    [
        ("overdue_promise", "2018-10-24 10:00", False),
        ("overdue_statutory", "2018-10-29 10:00", False),
        ("overdue_promise", "2018-10-29 10:00", True),
        ("overdue_statutory", "2018-11-01 10:00", True),
    ],
)
def test_a_second_late_is_late(rule, instant, suspended):
    began = [event("accept", MONDAY)]
    if suspended:
        began += [
            event("suspend", "2018-10-17 10:00", days_granted=3),
            event("resume", "2018-10-22 10:00"),
        ]
    last = at(instant)
    for slip, late in ((-SECOND, False), (0, False), (1, True), (SECOND, True)):
        run = judged([*began, event("close", last + slip)], rule)
        assert (("overdue", 0, None) in told(run, rule)) == late
    for slip, due in ((-1, False), (0, True), (SECOND, True)):
        run = Run(county(rule), began, until=last + slip)
        found = [f.at for f in run.outcome.findings.values() if f.reason.code == "overdue"]
        assert found == [f"{instant.replace(' ', 'T')}:00+08:00"] * due, "at its instant"


def test_the_warning_comes_a_working_day_before():
    began = [event("accept", MONDAY)]
    for slip, due in ((-1, False), (0, True)):
        run = Run(county("overdue_promise"), began, until=at("2018-10-23 10:00") + slip)
        assert told(run, "overdue_promise") == [("due_soon", -1, None)] * due


def test_a_deadline_beyond_the_known_calendar_is_provisional_and_only_reminds():
    run = judged([event("accept", MONDAY)], until="2018-12-31 00:00", covered_to=2017)
    clocks = [f for f in run.outcome.findings.values() if f.rule.startswith("overdue")]
    assert {f.tier for f in clocks} == {0}
    assert all(f.evidence["provisional"] for f in clocks)
    run = judged([event("accept", MONDAY)], until="2018-12-31 00:00", covered_to=2018)
    clocks = [f for f in run.outcome.findings.values() if f.rule.startswith("overdue")]
    assert {f.tier for f in clocks} == {0, 2, 3}
    assert not any(f.evidence["provisional"] for f in clocks)


# --- the watermark ----------------------------------------------------------------------------

TYPED = [
    event("step", at("2026-03-02 10:00") + n * 30 * SECOND, case_id=f"c{n}", operator="ann")
    for n in range(5)
]


def test_an_operator_is_judged_when_nothing_earlier_can_come_any_more():
    how = county("batch_entry", lateness_s=60)
    instant = TYPED[-1].recorded_at + 60 * SECOND
    for at_tick, found in ((instant - 1, 0), (instant, 1)):
        engine = engine_of(how)
        state = engine.new_state()
        facts = [tick(at_tick)]
        state, effects = engine.step(state, from_events(TYPED, state.cases.words, facts=facts))
        assert len(effects.moves) == found
    fact = Fact(kind="login", received_at=instant, fields={})  # known up to the microsecond before
    state = engine.new_state()
    _, effects = engine.step(state, from_events(TYPED, state.cases.words, facts=[fact]))
    assert effects.moves == []


def test_no_shard_runs_ahead_of_another():
    engine, words = engine_of(county("batch_entry")), Words()
    operators = OperatorState(words, engine.lateness_us)
    ahead, behind = engine.new_cases(words), engine.new_cases(words)
    far = tick("2026-03-03 00:00")
    effects = engine.step_cases(ahead, from_events(TYPED[::2], words, facts=[far]), {})
    rest = engine.step_cases(behind, from_events(TYPED[1::2], words), {})
    for one in (effects, rest):
        for records in one.records:
            operators.hold(records)
    engine.step_operators(operators, min(ahead.watermark, behind.watermark), effects)
    assert effects.moves == []
    engine.step_cases(behind, from_events([], words, facts=[far]), {})
    engine.step_operators(operators, min(ahead.watermark, behind.watermark), effects)
    assert [move.value for move in effects.moves if isinstance(move, Finding)] == [5]


def test_a_batch_of_nothing_and_a_clock_that_never_goes_back():
    engine = engine_of(county())
    state = engine.new_state()
    words = state.cases.words
    state, effects = engine.step(state, from_events([], words))
    assert (effects.moves, effects.accepted) == ([], 0)
    engine.step(state, from_events([], words, facts=[tick("2026-03-03 00:00")]))
    engine.step(state, from_events([], words, facts=[tick("2026-03-02 00:00")]))
    assert state.cases.watermark == at("2026-03-03 00:00")


# --- what does not fit a row ------------------------------------------------------------------


def test_more_holders_of_duties_than_a_row_has_room_for():
    flow = tuple((f"s{n}", f"d{n}") for n in range(9))
    item = OItem("permit", steps=flow, pairs=(("d0", "d8"), ("d1", "d8"), ("d7", "d8")))
    events = [
        event("step", f"2026-03-02 10:0{n}", step=f"s{n}", operator=f"p{n % 7}", event_id=f"e{n}")
        for n in range(9)
    ]
    again = but(events[8], event_id="e9", received_at=events[8].received_at + 1)
    run = judged([*events, again], "same_person", items={"permit": item})
    [finding] = run.outcome.findings.values()
    assert finding.operator == "p1"
    assert finding.events == ("e1", "e8"), "first held by the second event of nine"


def test_ids_that_nobody_needs_are_forgotten_and_nothing_else_changes():
    held = 0
    for seed in range(25):
        how, events = random_stream(random.Random(seed))
        plain, forgetful = (Embedded(engine_of(how), how, events) for _ in range(2))
        plain.run(range(7, len(plain.inputs), 7))
        for begin in range(0, len(forgetful.inputs), 7):
            forgetful.state.cases._compact_at = 1
            forgetful.step(begin, begin + 7)
        assert forgetful.told() == plain.told()
        ids = [run.state.cases.event_ids.count for run in (forgetful, plain)]
        assert ids[0] <= ids[1]
        held += ids[1] - ids[0]
    assert held > 100, "something was forgotten"


# --- in words ---------------------------------------------------------------------------------


def test_a_finding_speaks_both_languages():
    run = judged([ACCEPT, SURVEY], "too_fast_step")
    [finding] = run.outcome.findings.values()
    assert finding.sentence.en == (
        'Case c: step "survey" was recorded at 2026-03-02 09:00:58, only 58 s after "accept"; the'
        " work takes at least 1800 s (operator step2026-03-02 09:00:58)."
    )
    assert "仅 58 秒，少于最低办理时间 1800 秒" in finding.sentence.zh
    assert finding.evidence["previous_recorded_at"] == "2026-03-02T09:00:00+08:00"
    assert finding.events == ("e1", "e2")


def test_a_rule_that_cannot_be_told_says_so_and_costs_its_neighbours_nothing():
    rule = "too_fast_step"
    wordless = replace(SHELF[rule].rule, sentence_en="{nonesuch}")
    engine = engine_of(county(), {**SHELF, rule: Shelved(wordless, "")})
    run = Run(county(), [*TYPED, event("accept", MONDAY), ACCEPT, SURVEY], engine=engine)
    assert any(r == rule and reason.startswith("rule_error") for r, reason, *_ in run.unknown)
    assert {f.rule for f in run.outcome.findings.values()} > {"overdue_statutory"}


@pytest.mark.parametrize("rule", sorted(SHELF))
def test_a_sentence_that_names_no_evidence_is_refused_on_load(rule):
    with pytest.raises(RuleFault, match="nonesuch"):
        check_rule(replace(SHELF[rule].rule, sentence_en="{nonesuch}"))
