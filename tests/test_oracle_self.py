"""The oracle itself, pinned by cases that were worked out by hand."""

import json
import random
from datetime import datetime
from importlib import import_module
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from oracle import CLOCKS, DAY, HOUR, RULES, SECOND, Calendar, OItem, Setting, finding_id, judge
from oracle.events import EVENT_RULES
from streams import random_stream, streams

from detector.event import Event, Fact

SHANGHAI = ZoneInfo("Asia/Shanghai")
OFFICE = ((9 * 3_600, 12 * 3_600), (13 * 3_600 + 1_800, 17 * 3_600 + 1_800))
MINUTE = 60 * SECOND


def at(text, zone=SHANGHAI):
    """Microseconds of a wall clock reading, `2018-10-15 10:00` or with seconds."""
    moment = datetime.fromisoformat(text).replace(tzinfo=zone)
    return int(moment.timestamp()) * SECOND + moment.microsecond


def weekday(day):
    return day.weekday() < 5


FLOW = (("accept", "accept"), ("survey", "survey"), ("review", "review"), ("decide", "decide"))
PERMIT = OItem(
    "permit",
    promised_days=7,
    statutory_days=10,
    fee_fen=5_000,
    steps=FLOW,
    pairs=(("accept", "decide"), ("review", "decide"), ("accept", "review")),
)
ITEMS = {"permit": PERMIT, "stamp": OItem("stamp", kind="on_the_spot", steps=FLOW)}
GOLDEN = at("2018-10-15 10:00")  # a Monday


def setting(**changes):
    given = {"zone": "Asia/Shanghai", "hours": OFFICE, "is_working": weekday, "items": ITEMS}
    return Setting(**{**given, **changes})


def event(action, when, **changes):
    """An event said, typed and received at one instant, by someone new each time."""
    instant = when if isinstance(when, int) else at(when)
    stamps = dict.fromkeys(("occurred_at", "recorded_at", "received_at"), instant)
    given = {"case_id": "c", "item": "permit", "department": "D", "operator": f"{action}{when}"}
    if "recorded_at" in changes:
        changes = {"received_at": changes["recorded_at"], **changes}
    return Event(action=action, **{**given, **stamps, **changes})


def tick(when):
    instant = when if isinstance(when, int) else at(when)
    return Fact(kind="tick", received_at=instant, fields={"at": instant})


def found(inputs, rule, how=None, until=None):
    """(reason, value, limit, muted, withdrawn) of the rule's findings, and what it cannot know."""
    verdicts = judge(inputs, how or setting(), until)
    rows = [
        (f.reason, f.value, f.limit, f.muted, f.withdrawn)
        for f in verdicts.findings.values()
        if f.rule == rule
    ]
    unknown = {reason: n for (name, reason), n in verdicts.undetermined.items() if name == rule}
    return rows, unknown


def instants(inputs, how=None, until=None):
    """(rule, reason) -> (instant, withdrawn) of the clock findings."""
    verdicts = judge(inputs, how or setting(), until)
    return {
        (f.rule, f.reason): (f.at, f.withdrawn)
        for f in verdicts.findings.values()
        if f.rule in ("overdue_promise", "overdue_statutory")
    }


# --- the calendar -------------------------------------------------------------------------------


def test_working_time_skips_nights_lunch_and_weekends():
    calendar = setting().calendar
    assert calendar.working(at("2018-10-15 10:00"), at("2018-10-15 14:00")) == 2 * HOUR + HOUR // 2
    assert calendar.working(at("2018-10-19 17:00"), at("2018-10-22 09:30")) == HOUR
    assert calendar.working(at("2018-10-22 10:00"), at("2018-10-19 10:00")) == 0
    assert calendar.signed(at("2018-10-22 10:00"), at("2018-10-19 10:00")) == -7 * HOUR


def test_a_limit_that_ends_at_closing_time_ends_when_the_office_opens_again():
    calendar, friday = setting().calendar, at("2018-10-19 10:30")
    assert calendar.add(friday, 5 * HOUR + HOUR // 2, reached=True) == at("2018-10-19 17:30")
    assert calendar.add(friday, 5 * HOUR + HOUR // 2, reached=False) == at("2018-10-22 09:00")
    assert calendar.add(at("2018-10-22 09:00"), 0, reached=True) == at("2018-10-19 17:30")
    assert calendar.add(friday, -HOUR - HOUR // 2, reached=False) == at("2018-10-19 09:00")


@pytest.mark.parametrize(
    ("wall", "later", "reached", "exceeded"),
    [
        ("2026-03-29 02:30", "2026-03-29 01:30", "2026-03-29 01:00", "2026-03-29 01:00"),
        ("2026-10-25 02:30", "2026-10-25 01:30", "2026-10-25 01:30", "2026-10-25 01:30"),
        ("2026-10-25 02:00", "2026-10-25 01:00", "2026-10-25 00:00", "2026-10-25 01:00"),
    ],
)
def test_readings_that_the_wall_clock_skips_or_shows_twice(wall, later, reached, exceeded):
    utc = ZoneInfo("UTC")
    calendar = Calendar("Europe/Amsterdam", ((0, 86_400),), lambda day: True)
    assert calendar.later(at(wall, utc)) == at(later, utc)
    assert calendar.instant(at(wall, utc), reached=True) == at(reached, utc)
    assert calendar.instant(at(wall, utc), reached=False) == at(exceeded, utc)


# --- event rules --------------------------------------------------------------------------------


def test_the_58_second_survey():
    accept = event("accept", GOLDEN)
    survey = event("step", GOLDEN + 58 * SECOND, step="survey")
    rows, _ = found([accept, survey], "too_fast_step")
    assert rows == [("too_fast", 58 * SECOND, 1800 * SECOND, None, None)]
    for gap_us, hits in ((1800 * SECOND - 1, 1), (1800 * SECOND, 0)):
        survey = event("step", GOLDEN + gap_us, step="survey")
        assert len(found([accept, survey], "too_fast_step")[0]) == hits


def test_too_fast_step_asks_before_it_speaks():
    accept = event("accept", GOLDEN)
    backwards = event("decide", GOLDEN + HOUR, recorded_at=GOLDEN - 1, received_at=GOLDEN)
    assert found([accept, backwards], "too_fast_step") == ([], {"out_of_order": 1})
    night = at("2018-10-16")
    rows = found([event("accept", night), event("decide", night + 1)], "too_fast_step")
    assert rows == ([], {"date_only": 1})
    for changes, mute in (
        ({"imported": True, "operator": None}, "imported"),
        ({"item": "stamp", "operator": None}, "on_the_spot"),
        ({"operator": None}, "system_action"),
    ):
        rows, _ = found([accept, event("decide", GOLDEN + 1, **changes)], "too_fast_step")
        assert [row[3] for row in rows] == [mute]


def test_the_most_specific_pace_wins_then_the_last():
    limits = [
        {"item": "permit", "from": "accept", "to": "*", "limit_s": 10},
        {"item": "*", "from": "accept", "to": "decide", "limit_s": 20},
        {"item": "*", "from": "*", "to": "decide", "limit_s": 30},
    ]
    how = setting(params={"too_fast_step": {"limits": limits}})
    rows, _ = found([event("accept", GOLDEN), event("decide", GOLDEN + 1)], "too_fast_step", how)
    assert [row[2] for row in rows] == [20 * SECOND]


def test_exemptions_end_with_their_last_day():
    inputs = [event("accept", GOLDEN), event("decide", GOLDEN + 1)]
    for entry, mute in (
        ({"department": "D", "until": "2018-10-15"}, "exempt"),
        ({"department": "D", "until": "2018-10-14"}, "shadow"),
        ({"item": "permit", "step": "accept"}, "shadow"),
    ):
        how = setting(params={"too_fast_step": {"mode": "shadow", "exempt": [entry]}})
        assert found(inputs, "too_fast_step", how)[0][0][3] == mute
    assert found(inputs, "too_fast_step", setting(params={"too_fast_step": {"mode": "off"}})) == (
        [],
        {},
    )


def test_a_permit_in_less_than_five_minutes():
    for seconds, hits in ((153, 1), (300, 0)):
        inputs = [event("accept", GOLDEN), event("close", GOLDEN + seconds * SECOND)]
        assert len(found(inputs, "too_fast_case")[0]) == hits
    assert found([event("close", GOLDEN)], "too_fast_case") == ([], {"no_acceptance": 1})


def test_typed_in_after_the_fact():
    for recorded, hits in (("2018-10-18 14:30", 0), ("2018-10-18 14:30:01", 1)):
        late = event("accept", GOLDEN, recorded_at=at(recorded))
        rows, _ = found([late], "back_entry")
        assert len(rows) == hits
    assert rows == [("back_entered", 24 * HOUR + SECOND, 24 * HOUR, None, None)]


def test_claimed_before_a_later_step_that_was_on_record():
    decide = event("decide", "2018-10-16 10:00")
    other = event("pay", "2018-10-16 11:00", occurred_at=at("2018-10-16 09:00"))
    recorded = at("2018-10-16 11:30")
    for claim, rests_on in (
        ("2018-10-16 09:58:59", "c#1"),  # (b) before the decision, a later step than the survey
        ("2018-10-16 09:59:00", None),  # within the tolerance of a minute
    ):
        survey = event("step", claim, step="survey", recorded_at=recorded)
        verdicts = judge([decide, other, survey], setting())
        events = [f.events for f in verdicts.findings.values() if "c#3" in f.events]
        assert events == ([(rests_on, "c#3")] if rests_on else [])


def test_claimed_before_the_previous_event_of_any_step():
    survey = event("step", "2018-10-16 10:00", step="survey")
    decide = event("decide", "2018-10-16 09:30", recorded_at=at("2018-10-16 11:00"))
    assert found([survey, decide], "back_entry")[0] == [
        ("back_entered", HOUR + HOUR // 2, 0, None, None)
    ]


def test_the_same_person_again_after_another():
    people = zip(("accept", "review", "decide"), "ABA", strict=True)
    inputs = [
        event("step" if step == "review" else step, GOLDEN + k * HOUR, step=step, operator=who)
        for k, (step, who) in enumerate(people)
    ]
    verdicts = judge(inputs, setting())
    rows = {fid: f for fid, f in verdicts.findings.items() if f.rule == "same_person"}
    (finding,) = rows.values()
    assert (finding.value, finding.limit, finding.events) == (1, 0, ("c#1", "c#3"))
    assert list(rows) == [finding_id("same_person", "case", "c", ("A", "accept", "decide"))]


def test_same_person_knows_what_it_cannot_know():
    def unknown(how=None, **changes):
        return found([event("step", GOLDEN, **changes)], "same_person", how)[1]

    assert unknown(step="nowhere") == {"step_not_listed": 1}
    assert unknown(item="unlisted") == {"item_not_listed": 1}
    assert unknown(operator=None) == {}
    assert unknown(setting(operators_known=False)) == {"operator_unknown": 1}


@pytest.mark.parametrize(
    ("given", "row"),
    [
        ({"fee_paid": 5_000}, None),
        ({"fee_paid": 5_001}, (1, 5_000)),
        ({"fee_paid": 4_000}, (-1_000, 5_000)),
        ({"fee_paid": 4_000, "relief_reason": "hardship"}, None),
        ({"fee_paid": 6_000, "relief_reason": "hardship"}, (1_000, 5_000)),
        ({"fee_due": 6_000}, (1_000, 5_000)),
        ({"fee_due": 6_000, "fee_paid": 6_000}, (1_000, 5_000)),
        ({"fee_due": 6_000, "fee_paid": 5_500}, (-500, 6_000)),
        ({"item": "stamp", "fee_due": 1, "fee_paid": 2}, (1, 1)),
    ],
)
def test_fees(given, row):
    rows, unknown = found([event("pay", GOLDEN, **given)], "fee_mismatch")
    assert ([row[1:3] for row in rows], unknown) == ([row] if row else [], {})


def test_fees_that_nobody_states():
    for item, reason in (("stamp", "no_item_fee"), ("unlisted", "item_not_listed")):
        pay = event("pay", GOLDEN, item=item, fee_paid=1)
        assert found([pay], "fee_mismatch") == ([], {reason: 1})
        assert found([event("issue", GOLDEN, item=item)], "unpaid_issue") == ([], {reason: 1})


def test_a_licence_issued_before_the_fee_was_paid():
    pay, issue = event("pay", GOLDEN, fee_paid=2_000), event("issue", GOLDEN + HOUR)
    rows, _ = found([pay, issue], "unpaid_issue")
    assert rows == [("unpaid", 3_000, 5_000, None, None)]
    issue = event("issue", GOLDEN + HOUR, fee_paid=3_000)
    assert found([pay, issue], "unpaid_issue") == ([], {})


def test_closed_before_accepted_and_corrected_before_notified():
    accept = event("accept", GOLDEN)
    close = event("close", GOLDEN - 1, recorded_at=GOLDEN + HOUR)
    rows, _ = found([accept, close], "impossible_order")
    assert rows == [("inverted", 1, 0, None, None)]
    again = event("accept", GOLDEN + 2 * HOUR)
    assert len(found([accept, close, again], "impossible_order")[0]) == 2
    assert found([event("corrected", GOLDEN)], "impossible_order")[1] == {"no_correction_notice": 1}


# --- clock rules --------------------------------------------------------------------------------

SOON, PROMISE, STATUTORY = (
    ("overdue_promise", "due_soon"),
    ("overdue_promise", "overdue"),
    ("overdue_statutory", "overdue"),
)


def golden(days=0):
    """The published instants, later by so many days."""
    return [at(f"2018-10-{day + days} 10:00") for day in (23, 24, 29)]


def test_the_golden_instants():
    raised = instants([event("accept", GOLDEN)], until=at("2018-11-15 10:00"))
    soon, promise, statutory = golden()
    assert raised == {
        SOON: (soon, "superseded"),
        PROMISE: (promise, None),
        STATUTORY: (statutory, None),
    }


def test_an_instant_has_come_when_the_watermark_reaches_it():
    accept, (soon, promise, _) = event("accept", GOLDEN), golden()
    assert instants([accept], until=soon - 1) == {}
    assert instants([accept], until=soon) == {SOON: (soon, None)}
    assert instants([accept, tick(promise)], until=promise)[PROMISE] == (promise, None)


def test_a_suspension_of_three_days_moves_every_instant_by_three():
    inputs = [
        event("accept", GOLDEN),
        event("suspend", "2018-10-16 10:00", days_granted=3, procedure="hearing"),
        event("resume", "2018-10-30 10:00", procedure="hearing"),
    ]
    raised = instants(inputs, until=at("2018-11-15 10:00"))
    assert [raised[SOON][0], raised[PROMISE][0]] == [
        at("2018-10-26 10:00"),
        at("2018-10-29 10:00"),
    ]
    assert raised[STATUTORY] == (at("2018-11-01 10:00"), None)


def test_a_suspension_received_late_withdraws_and_the_new_instant_raises():
    late = at("2018-10-25 10:00")
    suspend = event("suspend", "2018-10-16 10:00", days_granted=3, received_at=late)
    inputs = [event("accept", GOLDEN), suspend]
    verdicts = judge(inputs, setting(), at("2018-10-30 10:00"))
    findings = [f for f in verdicts.findings.values() if f.rule == "overdue_promise"]
    rows = [(f.reason, f.at, f.withdrawn) for f in findings]
    soon, promise, _ = golden()
    assert rows == [
        ("due_soon", soon, "suspended"),
        ("overdue", promise, "suspended"),
        ("due_soon", at("2018-10-26 10:00"), "superseded"),
        ("overdue", at("2018-10-29 10:00"), None),
    ]


def test_a_suspension_after_the_limit_changes_nothing():
    suspend = event("suspend", "2018-10-24 10:01", days_granted=3)
    raised = instants([event("accept", GOLDEN), suspend], until=at("2018-10-25 10:00"))
    assert raised[PROMISE] == (golden()[1], None)
    on_the_instant = event("suspend", "2018-10-24 10:00", days_granted=3)
    raised = instants([event("accept", GOLDEN), on_the_instant], until=at("2018-10-25 10:00"))
    assert raised == {SOON: (golden()[0], None)}


def test_a_suspension_without_a_grant_stops_the_clock():
    suspend = event("suspend", "2018-10-16 10:00")
    inputs = [event("accept", GOLDEN), suspend]
    assert instants(inputs, until=at("2018-12-31 10:00")) == {}
    assert found(inputs, "overdue_promise")[1] == {"no_grant": 1}


def test_a_close_recorded_in_time_and_received_late():
    _, promise, _ = golden()
    for recorded, state in ((promise, "closed_in_time"), (promise + 1, None)):
        close = event("close", recorded, received_at=promise + DAY)
        raised = instants([event("accept", GOLDEN), close])
        assert raised[PROMISE] == (promise, state)
        assert raised[SOON][1] == (None if state else "superseded")


def test_an_absolute_promise_overrides_the_days():
    due = at("2018-10-20 12:00")  # a Saturday
    raised = instants([event("accept", GOLDEN, due_at=due)], until=at("2018-10-22 10:00"))
    assert raised == {SOON: (at("2018-10-18 17:30"), "superseded"), PROMISE: (due, None)}
    verdicts = judge([event("accept", GOLDEN, due_at=due)], setting(), due)
    assert {f.limit for f in verdicts.findings.values()} == {None}


def test_a_changed_limit_moves_the_instant():
    inputs = [
        event("accept", GOLDEN),
        event("decide", "2018-10-25 10:00", promised_days=8),
    ]
    raised = found(inputs, "overdue_promise", until=at("2018-10-25 10:00"))[0]
    assert sorted(raised) == [
        ("due_soon", -1, 7, None, "limit_changed"),
        ("due_soon", -1, 8, None, "superseded"),
        ("overdue", 0, 7, None, "limit_changed"),
        ("overdue", 0, 8, None, None),
    ]


def test_beyond_the_calendar_nothing_is_worse_than_a_reminder():
    verdicts = judge([event("accept", GOLDEN)], setting(covered_to=2017), at("2018-12-01 10:00"))
    assert {f.tier for f in verdicts.findings.values()} == {0}


def test_clock_rules_count_what_they_cannot_know_once():
    inputs = [event("pay", GOLDEN), event("pay", GOLDEN + 1), event("accept", GOLDEN + 2)]
    assert found(inputs, "overdue_statutory")[1] == {"no_acceptance": 1}
    for item, unknown in (("unlisted", {"item_not_listed": 1}), ("stamp", {})):
        assert found([event("accept", GOLDEN, item=item)], "overdue_promise")[1] == unknown


# --- bursts -------------------------------------------------------------------------------------


def burst(count, gap_us=29 * SECOND, start=GOLDEN):
    """So many cases of one operator, one after the other."""
    return [
        event("accept", start + k * gap_us, case_id=f"c{k}", event_id="e", operator="A")
        for k in range(count)
    ]


def test_bursts_of_five_and_of_twenty():
    assert found(burst(4), "batch_entry")[0] == []
    assert found(burst(5), "batch_entry")[0] == [("burst", 5, 5, None, None)]
    assert found(burst(20), "batch_entry")[0] == [
        ("burst", 5, 5, None, "superseded"),
        ("flood", 20, 20, None, None),
    ]
    verdicts = judge(burst(25), setting())
    floods = {fid: f for fid, f in verdicts.findings.items() if f.reason == "flood"}
    assert list(floods) == [finding_id("batch_entry", "operator", "A", ("c0", "e", "flood"))]
    assert [f.at for f in floods.values()] == [GOLDEN + 19 * 29 * SECOND]


def test_ten_minutes_end_the_window_and_the_burst():
    assert found(burst(5, 150 * SECOND), "batch_entry")[0] == []
    assert len(found(burst(5, 150 * SECOND - 1), "batch_entry")[0]) == 1
    later = [
        event("pay", GOLDEN + 10 * MINUTE + 4 * 29 * SECOND + k, case_id=f"d{k}", operator="A")
        for k in range(5)
    ]
    assert len(found(burst(5) + later, "batch_entry")[0]) == 2


def test_who_always_works_in_bursts_is_measured_by_that():
    """Twenty buckets of two cases in the week before, one case less in the first of them."""
    habit = [
        event(
            "accept", at(f"2018-10-{day} {hour}:00") + k, case_id=f"{day}.{hour}.{k}", operator="A"
        )
        for day in ("08", "09", "10", "11", "12")
        for hour in ("09", "10", "14", "15")
        for k in range(2)
    ][1:]
    assert found(habit + burst(5), "batch_entry")[0] == []
    assert found(habit + burst(6), "batch_entry")[0] == [("burst", 6, 5, None, None)]
    assert found(habit[1:] + burst(5), "batch_entry")[0] == [("burst", 5, 5, None, None)]


def test_records_that_do_not_count():
    late = event("pay", GOLDEN - HOUR, case_id="x", operator="A", received_at=GOLDEN + HOUR)
    assert found([*burst(4), late], "batch_entry") == ([], {"too_late": 1})
    midnight = event("pay", "2018-10-15", operator="A")
    assert found([midnight], "batch_entry") == ([], {"date_only": 1})
    assert found([midnight], "batch_entry", setting(operators_known=False))[1] == {
        "operator_unknown": 1
    }


# --- duplicates, refusals, corrections ----------------------------------------------------------


def test_duplicates_and_conflicts():
    first = event("accept", GOLDEN, event_id="e", operator="A")
    again = event("accept", GOLDEN, event_id="e", operator="A", received_at=GOLDEN + DAY)
    other = event("accept", GOLDEN, event_id="e", operator="B")
    verdicts = judge([first, other, again], setting())
    assert verdicts.duplicates == 1
    assert verdicts.refused == [(1, "event_id", "conflicting_duplicate")]
    verdicts = judge([first, event("pay", GOLDEN, supersedes="nowhere")], setting())
    assert verdicts.refused == [(1, "supersedes", "names no event of this case")]
    verdicts = judge([first, event("pay", GOLDEN)], setting(case_events_max=1))
    assert [index for index, *_ in verdicts.refused] == [1]


def test_a_correction_withdraws_what_rested_on_the_corrected_event():
    accept = event("accept", GOLDEN, event_id="e1")
    survey = event("step", GOLDEN + 58 * SECOND, step="survey", event_id="e2")
    mended = event("step", GOLDEN + HOUR, step="survey", event_id="e3", supersedes="e2")
    rows, _ = found([accept, survey, mended], "too_fast_step")
    assert rows == [("too_fast", 58 * SECOND, 1800 * SECOND, None, "corrected")]
    verdicts = judge([accept, survey, mended], setting())
    assert [(f.rule, f.withdrawn) for f in verdicts.findings.values()] == [
        ("too_fast_step", "corrected")
    ]


def test_a_new_version_under_the_same_id_replaces_the_old_one():
    accept = event("accept", GOLDEN, event_id="e1")
    survey = event("step", GOLDEN + 58 * SECOND, step="survey", event_id="e2", operator="A")
    slower = event(
        "step", GOLDEN + 59 * SECOND, step="survey", event_id="e2", supersedes="e2", operator="A"
    )
    verdicts = judge([accept, survey, slower, slower, survey], setting())
    # Sorted by receipt, the old version comes again before the new one does, and once is enough.
    assert (verdicts.duplicates, verdicts.refused) == (2, [])
    assert [(f.value, f.withdrawn) for f in verdicts.findings.values()] == [(59 * SECOND, None)]
    old_again = event(
        "step", survey.recorded_at, step="survey", event_id="e2", operator="A",
        received_at=GOLDEN + HOUR,
    )  # fmt: skip
    verdicts = judge([accept, survey, slower, old_again], setting())
    assert (verdicts.duplicates, verdicts.refused) == (1, [])  # it is known, and changes nothing
    assert [(f.value, f.withdrawn) for f in verdicts.findings.values() if not f.withdrawn] == [
        (59 * SECOND, None)
    ]
    other = msgspec.structs.replace(old_again, operator="B")
    assert judge([accept, survey, slower, other], setting()).refused == [
        (3, "event_id", "conflicting_duplicate")
    ]


def test_a_corrected_acceptance_moves_the_clock():
    inputs = [
        event("accept", GOLDEN, event_id="e1"),
        event("accept", GOLDEN + DAY, event_id="e2", supersedes="e1",
              received_at=at("2018-10-24 10:01")),
    ]  # fmt: skip
    rows = judge(inputs, setting(), at("2018-10-25 10:00")).findings.values()
    assert [(f.reason, f.at, f.withdrawn) for f in rows if f.rule == "overdue_promise"] == [
        ("due_soon", golden()[0], "corrected"),
        ("overdue", golden()[1], "corrected"),
        ("due_soon", golden(1)[0], "superseded"),
        ("overdue", golden(1)[1], None),
    ]


# --- random streams -----------------------------------------------------------------------------


@settings(max_examples=50)
@given(streams())
def test_order_in_the_file_is_only_a_tie_break(stream):
    how, inputs = stream
    ordered = sorted(inputs, key=lambda e: (e.received_at, isinstance(e, Fact)))
    named = [e for e in inputs if not (isinstance(e, Event) and e.event_id is None)]
    if len(named) == len(inputs):
        assert judge(inputs, how).findings == judge(ordered, how).findings


@settings(max_examples=50)
@given(streams())
def test_ticks_and_other_cases_change_nothing_in_a_case(stream):
    how, inputs = stream
    until = max(e.received_at for e in inputs) + how.lateness_s * SECOND
    whole = judge(inputs, how, until).findings
    cases = {e.case_id for e in inputs if isinstance(e, Event)}
    alone: dict = {}
    certified = [e for e in inputs if isinstance(e, Fact) and e.kind == "officer"]
    for case in cases:
        own = [e for e in inputs if isinstance(e, Event) and e.case_id == case] + certified
        alone |= judge(own, how, until).findings
    of_cases = {fid: f for fid, f in whole.items() if f.subject_kind == "case"}
    assert of_cases == {fid: f for fid, f in alone.items() if f.subject_kind == "case"}


UNKNOWN = {  # rule -> what it may not know
    "too_fast_step": "out_of_order date_only",
    "too_fast_case": "no_acceptance out_of_order",
    "back_entry": "date_only",
    "same_person": "operator_unknown item_not_listed step_not_listed",
    "impossible_order": "no_acceptance no_correction_notice date_only",
    "late_exchange": "date_only",
    "off_hours": "date_only",
    "fee_mismatch": "item_not_listed no_item_fee",
    "unpaid_issue": "item_not_listed no_item_fee",
    "unlawful_fee": "item_not_listed no_item_fee",
    "discretion_deviation": "item_not_listed no_benchmark no_grade grade_not_listed",
    "correction_after_acceptance": "no_application",
    "unreasoned_refusal": "no_reason_column",
    "missing_document": "item_not_listed step_not_listed no_documents_column",
    "missing_field": "item_not_listed step_not_listed no_fields_column",
    "skipped_step": "item_not_listed",
    "overdue_promise": "no_acceptance item_not_listed no_limit no_grant",
    "overdue_statutory": "no_acceptance item_not_listed no_limit no_grant",
    "overdue_issue": "item_not_listed",
    "overdue_step": "item_not_listed no_grant",
    "overdue_procedure": "no_grant",
    "batch_entry": "operator_unknown date_only too_late",
}
WITHDRAWN = {  # rule -> why its findings may be withdrawn, `corrected` aside
    "too_fast_step": "one_stamp",
    "same_person": "one_stamp",
    "overdue_promise": "closed_in_time suspended limit_changed superseded",
    "overdue_statutory": "closed_in_time suspended limit_changed",
    "overdue_acceptance": "closed_in_time superseded",
    "overdue_issue": "closed_in_time",
    "overdue_step": "closed_in_time suspended superseded",
    "stalled_case": "closed_in_time",
    "overdue_procedure": "closed_in_time superseded",
}


@pytest.mark.slow
def test_random_streams_reach_every_kind_of_verdict():
    met: set[tuple[str, str | None]] = set()
    for seed in range(800):
        how, inputs = random_stream(random.Random(seed))
        verdicts = judge(inputs, how)
        met |= verdicts.undetermined.keys()
        for f in verdicts.findings.values():
            met |= {(f.rule, f.muted), (f.rule, f.withdrawn)}
    wanted = {(rule, None) for rule in RULES} | {(rule, "shadow") for rule in RULES}
    wanted |= {(rule, mute) for rule, told in EVENT_RULES.items() for mute in told.mutes}
    wanted |= {(rule, mute) for rule in CLOCKS for mute in ("imported", "exempt")}
    wanted |= {(rule, "corrected") for rule in RULES if rule != "batch_entry"}
    for told in (UNKNOWN, WITHDRAWN):
        wanted |= {(rule, word) for rule, words in told.items() for word in words.split()}
    assert wanted - met == set()


def test_a_stream_is_its_seed():
    assert random_stream(random.Random(7))[1] == random_stream(random.Random(7))[1]


def test_the_reference_loop_reads_lines():
    line = {
        "case_id": "c",
        "item": "permit",
        "department": "D",
        "action": "accept",
        "occurred_at": "2018-10-15 10:00:00",
        "recorded_at": "20181015T100000",
    }
    later = {**line, "action": "decide", "recorded_at": "2018-10-15T10:00:58+08:00"}
    lines = [json.dumps(line).encode(), b"{", b"{}", json.dumps(later).encode()]
    loop = import_module("benchmarks.reference_loop").reference_loop
    assert loop(lines, setting(), until=GOLDEN + 30 * DAY) == 4
