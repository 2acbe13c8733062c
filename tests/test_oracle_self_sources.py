"""What the oracle says of sources that stamp everything alike or fall silent, worked out by hand.

Office hours are 9:00 to 12:00 and 13:30 to 17:30 in Shanghai; 2018-10-15 is a Monday.
"""

from datetime import date, timedelta

import msgspec
import pytest
from facts_oracle import judge as judge_facts
from oracle import DAY, HOUR, SECOND, OItem, judge
from test_oracle_self import FLOW, GOLDEN, ITEMS, at, event, found, setting

LATER = GOLDEN + HOUR


def states(inputs, rule, how=None):
    """(event it was raised at, muted, withdrawn) of the rule's findings."""
    findings = judge(inputs, how or setting()).findings.values()
    return [(f.events[-1], f.muted, f.withdrawn) for f in findings if f.rule == rule]


def case(*changes, stamp=GOLDEN, steps=("accept", "survey", "decide", "close")):
    """A case under one stamp by one person, received in order; `changes` by place in it."""
    told = dict(changes)
    inputs = []
    for n, step in enumerate(steps):
        action = "step" if step == "survey" else step
        given = {"step": step, "event_id": f"e{n}", "operator": "A", "received_at": LATER + n}
        inputs.append(event(action, stamp, **{**given, **told.get(n, {})}))
    return inputs


# --- mutes and withdrawals of a case --------------------------------------------------------------


def test_a_close_under_the_stamp_of_the_acceptance_mutes_what_it_would_say():
    assert states(case(), "too_fast_step") == [
        ("e1", None, "one_stamp"),
        ("e2", None, "one_stamp"),
        ("e3", "one_stamp", None),
    ]
    assert states(case(), "too_fast_case") == [("e3", "one_stamp", None)]


def test_one_person_is_taken_back_only_under_that_stamp():
    assert states(case(), "same_person") == [("e2", None, "one_stamp")]
    apart = case((2, {"recorded_at": GOLDEN + 1, "received_at": LATER}))
    assert states(apart, "same_person") == [("e2", None, None)]
    before = case((0, {"recorded_at": GOLDEN - 1}))  # e2 and the close agree, the accept does not
    assert states(before, "same_person") == [("e2", None, None)]
    assert [muted for _, muted, _ in states(before, "too_fast_step")] == [None] * 3


def test_what_one_person_raises_at_the_close_itself():
    closing = OItem("permit", steps=(*FLOW, ("close", "close")), pairs=(("accept", "close"),))
    how = setting(items={"permit": closing})
    assert states(case(), "same_person", how) == [("e3", "one_stamp", None)]
    late = case((3, {"recorded_at": GOLDEN + 1}))
    assert states(late, "same_person", how) == [("e3", None, None)]


def test_events_before_the_acceptance_under_its_stamp_count_too():
    inputs = case(steps=("apply", "accept", "close"))
    assert states(inputs, "too_fast_step") == [
        ("e1", None, "one_stamp"),
        ("e2", "one_stamp", None),
    ]


def test_only_the_first_close_and_the_first_acceptance_count():
    again = case((2, {"recorded_at": GOLDEN + 1}), steps=("accept", "survey", "close", "close"))
    assert states(again, "too_fast_step")[0] == ("e1", None, None)
    assert all(muted is None for _, muted, _ in states(again, "too_fast_step"))
    second = case((0, {"recorded_at": GOLDEN - 1}), steps=("accept", "accept", "close"))
    assert states(second, "too_fast_step") == [("e1", None, None), ("e2", None, None)]
    unaccepted = case(steps=("close", "accept"))
    assert states(unaccepted, "too_fast_step") == [("e1", None, None)]


def test_what_was_muted_is_not_taken_back():
    inputs = case((1, {"imported": True}), (2, {"operator": None}))
    assert states(inputs, "too_fast_step") == [
        ("e1", "imported", None),
        ("e2", "system_action", None),
        ("e3", "one_stamp", None),
    ]
    shadow = setting(params={"too_fast_step": {"mode": "shadow"}})
    assert states(case(), "too_fast_step", shadow) == [
        ("e1", "shadow", None),
        ("e2", "shadow", None),
        ("e3", "one_stamp", None),
    ]


def test_the_mutes_before_it_name_their_own_reason():
    for change, mute in (
        ({"imported": True}, "imported"),
        ({"item": "stamp"}, "on_the_spot"),
        ({"operator": None}, "one_stamp"),
    ):
        rows = states(case((3, change)), "too_fast_step")
        assert rows[1:] == [("e2", None, "one_stamp"), ("e3", mute, None)]


def test_days_are_one_stamp_too():
    midnight = case(stamp=at("2018-10-15"))
    assert found(midnight, "too_fast_step") == ([], {"date_only": 3})
    assert found(midnight, "too_fast_case") == ([], {"date_only": 1})
    assert states(midnight, "same_person") == [("e2", None, "one_stamp")]


def test_a_correction_lets_stand_again_what_one_stamp_took_back():
    mended = {"event_id": "e4", "supersedes": "e3", "operator": "A"}
    later = event("close", GOLDEN + DAY, received_at=GOLDEN + 2 * DAY, **mended)
    assert states([*case(), later], "too_fast_step") == [
        ("e1", None, None),
        ("e2", None, None),
        ("e3", "one_stamp", "corrected"),
    ]
    assert states([*case(), later], "same_person") == [("e2", None, None)]
    alike = event("close", GOLDEN, received_at=GOLDEN + 2 * DAY, **mended)
    assert states([*case(), alike], "too_fast_step") == [
        ("e1", None, "one_stamp"),
        ("e2", None, "one_stamp"),
        ("e3", "one_stamp", "corrected"),
        ("e4", "one_stamp", None),
    ]


# --- one_stamp_source -----------------------------------------------------------------------------


def told(inputs, rule, until=GOLDEN + 90 * DAY, how=None):
    """The rule's findings, and what it cannot know and of what."""
    verdicts = judge_facts(inputs, how or setting(), {}, until)
    rows = [f for f in verdicts.findings.values() if f.rule == rule]
    return rows, {(reason, of) for name, reason, of in verdicts.unknown if name == rule}


def closed(name, stamp=GOLDEN, **changes):
    """Acceptance and close of a case under one stamp, received an hour later."""
    given = {"case_id": name, "received_at": stamp + HOUR, **changes}
    return [
        event(action, stamp, **{**given, "event_id": f"{name}-{action}"})
        for action in ("accept", "close")
    ]


def told_by(*inputs, **kind):
    """Events of the findings of one_stamp_source."""
    return [f.events for f in told([*inputs], "one_stamp_source", **kind)[0]]


def test_a_source_under_one_stamp_is_told_once_a_day():
    inputs = [
        *closed("b", GOLDEN + 1, source="hall"),
        *closed("a", source="hall", department="E"),
        *closed("c", GOLDEN + DAY, source="hall"),
        *closed("d"),
    ]
    [first, other, next_day], unknown = told(inputs, "one_stamp_source")
    assert unknown == set()
    assert first.events == ("a-accept", "a-close")
    assert (first.kind, first.subject, first.item) == ("source", "hall", None)
    assert (first.department, first.reason, first.muted) == ("E", "one_stamp", None)
    assert (first.at, first.tier, first.value, first.limit) == (GOLDEN, 1, 1, 0)
    assert (next_day.subject, next_day.at) == ("hall", GOLDEN + DAY)
    assert (other.subject, other.events) == ("D", ("d-accept", "d-close"))


def test_the_first_by_its_instant_tells():
    late = closed("a", received_at=GOLDEN + 2 * HOUR)
    early = closed("b", GOLDEN + SECOND, received_at=GOLDEN + SECOND)
    assert told_by(*late, *early) == [("b-accept", "b-close")]
    ahead = closed("b", GOLDEN + 3 * HOUR, received_at=GOLDEN)  # its stamp is not reached before
    assert told_by(*late, *ahead) == [("a-accept", "a-close")]
    together = closed("b", GOLDEN - 1, received_at=GOLDEN + 2 * HOUR)
    assert told_by(*late, *together) == [("b-accept", "b-close")]


def test_it_tells_once_the_instant_is_reached():
    instant = GOLDEN + 60 * SECOND
    inputs = closed("a", received_at=GOLDEN)
    assert told_by(*inputs, until=instant - 1) == []
    assert told_by(*inputs, until=instant) == [("a-accept", "a-close")]


def test_imports_on_the_spot_and_second_closes_are_no_source_under_one_stamp():
    assert told_by(*closed("a", imported=True)) == []
    assert told_by(*closed("a", item="stamp")) == []
    accept, close = closed("a")
    near = event("close", GOLDEN + 1, case_id="a", event_id="x", received_at=close.received_at - 1)
    assert told_by(accept, close, near) == []  # both in the order of receipt
    near.received_at = close.received_at + 1
    assert told_by(accept, close, near) == [("a-accept", "a-close")]


def test_days_tell_nothing_of_a_source():
    inputs = [
        *closed("a", at("2018-10-15")),
        *closed("b", at("2018-10-15")),
        *closed("c", at("2018-10-16")),
        *closed("d", at("2018-10-16"), source="hall"),
    ]
    days = {("D", "2018-10-15"), ("D", "2018-10-16"), ("hall", "2018-10-16")}
    assert told(inputs, "one_stamp_source") == ([], {("date_only", of) for of in days})


def test_what_a_correction_makes_of_earlier_events_does_not_count():
    accept = event("accept", GOLDEN - DAY, event_id="e1")
    close = event("close", GOLDEN, event_id="e2")
    mended = event("accept", GOLDEN, event_id="e3", supersedes="e1", received_at=LATER)
    assert told_by(accept, close, mended) == []
    closed_again = event("close", GOLDEN, event_id="e4", supersedes="e2", received_at=LATER + 1)
    assert told_by(accept, close, mended, closed_again) == [("e3", "e4")]
    stands = closed("a")
    gone = event("pay", GOLDEN, case_id="a", event_id="x", supersedes="a-close", received_at=LATER)
    assert told_by(*stands, gone) == [("a-accept", "a-close")]


def test_a_source_under_one_stamp_may_be_exempt_and_is_not_provisional():
    exempt = [{"department": "D", "until": "2018-10-15"}]
    params = {"one_stamp_source": {"exempt": exempt}}
    how = setting(params=params, covered_to=2017)
    [one, other], _ = told([*closed("a"), *closed("b", GOLDEN + DAY)], "one_stamp_source", how=how)
    assert (one.muted, one.tier, other.muted, other.tier) == ("exempt", 1, None, 1)


# --- silent_source --------------------------------------------------------------------------------

LAST = at("2018-10-12 10:00")  # a Friday; two working days later it is Tuesday the 16th at ten
SILENT = at("2018-10-16 10:00")
DAYS = [  # the twenty working days up to then, the last one first
    day for n in range(26) if (day := date(2018, 10, 12) - timedelta(days=n)).weekday() < 5
]


def heard(*days, hour="10:00"):
    """An event of the source on each of these days."""
    return [
        event(
            "pay", f"{day} {hour}", case_id=f"{day}", event_id=hour, source="hall", department="E"
        )
        for day in sorted(days)
    ]


def silences(inputs, until=SILENT, how=None):
    rows, unknown = told(inputs, "silent_source", until, how)
    return [(f.at, f.value) for f in rows], unknown


def test_twenty_working_days():
    assert (len(DAYS), DAYS[0], DAYS[-1]) == (20, date(2018, 10, 12), date(2018, 9, 17))


def test_a_busy_source_that_falls_silent():
    [one], unknown = told(heard(*DAYS), "silent_source", SILENT)
    assert unknown == set()
    assert (one.kind, one.subject, one.department, one.item) == ("source", "hall", "E", None)
    assert (one.at, one.tier, one.reason) == (SILENT, 0, "silent")
    assert (one.value, one.limit, one.events, one.withdrawn) == (20, 2, (), None)


def test_exactly_at_the_limit_is_in_time():
    inputs = heard(*DAYS)
    assert silences(inputs, SILENT - 1) == ([], set())
    for again, rows in ((SILENT, []), (SILENT + 1, [(SILENT, 20)])):
        voice = event("pay", again, source="hall", case_id="again", event_id="e")
        assert silences([*inputs, voice], SILENT + 1) == (rows, set())


def test_fifteen_of_twenty_days():
    fifteen = {*DAYS} - {*DAYS[1:10:2]}  # never silent for more than two working days
    assert silences(heard(*fifteen)) == ([(SILENT, 15)], set())
    fourteen = heard(*fifteen - {DAYS[11]})
    assert silences(fourteen) == ([], set())
    assert silences([*fourteen, *heard(DAYS[12], hour="10:01")]) == ([], set())  # no new day
    assert silences([*fourteen, *heard(date(2018, 10, 6))]) == ([], set())  # nor a working day
    patient = setting(params={"silent_source": {"limit_wd": 2, "busy_days": 14}})
    assert silences(fourteen, how=patient) == ([(SILENT, 14)], set())


def test_heard_on_the_first_of_the_twenty_days():
    busy = DAYS[:-1]
    assert silences(heard(*busy)) == ([], {("no_history", "hall")})
    assert silences(heard(*busy, DAYS[-1])) == ([(SILENT, 20)], set())
    assert silences(heard(*busy, DAYS[-1] - timedelta(days=3))) == ([(SILENT, 19)], set())
    assert silences([*heard(*busy), *heard(DAYS[-1], hour="23:59:59")]) == ([(SILENT, 20)], set())


def test_no_history_is_said_once_and_of_no_hindrance_later():
    often = setting(params={"silent_source": {"limit_wd": 1, "busy_days": 3}})
    inputs = heard(DAYS[-1], DAYS[8], DAYS[4], DAYS[0])  # silent each time for more than a day
    end = at("2018-10-15 10:00")
    assert silences(inputs, end, often) == ([(end, 4)], {("no_history", "hall")})


def test_a_last_word_on_a_day_that_is_not_worked():
    saturday = heard(date(2018, 10, 13))
    end = at("2018-10-17 09:00")  # Monday and Tuesday whole: the office opens again on Wednesday
    assert silences([*heard(*DAYS), *saturday], end - 1) == ([], set())
    assert silences([*heard(*DAYS), *saturday], end) == ([(end, 20)], set())


def test_each_silence_has_its_own_cause_and_stands():
    inputs = heard(*DAYS, date(2018, 10, 17), date(2018, 10, 18))
    monday = at("2018-10-22 10:00")
    assert silences(inputs, monday) == ([(SILENT, 20), (monday, 18)], set())


def test_what_is_judged_counts_at_its_receipt():
    inputs = heard(*DAYS)
    again = msgspec.structs.replace(inputs[-1], received_at=SILENT)
    assert silences([*inputs, again]) == ([(SILENT, 20)], set())  # a duplicate
    again.operator = "B"
    assert silences([*inputs, again]) == ([(SILENT, 20)], set())  # refused, as a conflict
    again.supersedes = again.event_id
    assert silences([*inputs, again]) == ([], set())  # taken, as a correction
    again.supersedes = "nowhere"
    assert silences([*inputs, again]) == ([(SILENT, 20)], set())
    new = msgspec.structs.replace(again, event_id="new", supersedes=None)  # recorded long ago
    assert silences([*inputs, new]) == ([], set())


def test_a_source_is_its_name_or_the_department():
    inputs = heard(*DAYS)
    unnamed = event("pay", SILENT, department="hall", case_id="x", event_id="e")
    assert silences([*inputs, unnamed]) == ([], set())
    other = event("pay", SILENT, source="town", department="hall", case_id="x", event_id="e")
    assert silences([*inputs, other]) == ([(SILENT, 20)], set())


@pytest.mark.parametrize("names", [("E", "F"), ("F", "E")])
def test_the_greatest_department_of_one_instant(names):
    inputs = heard(*DAYS)[:-1]
    inputs += [
        event("pay", LAST, source="hall", department=name, case_id=name, event_id="e")
        for name in names
    ]
    exempt = {"silent_source": {"exempt": [{"department": "F"}]}}
    [one], _ = told(inputs, "silent_source", SILENT, setting(params=exempt))
    assert (one.department, one.muted) == ("F", "exempt")


def test_sources_may_be_left_alone():
    off = {rule: {"mode": "off"} for rule in ("silent_source", "one_stamp_source")}
    how = setting(params=off, items=ITEMS)
    inputs = [*heard(*DAYS), *closed("a")]
    assert told(inputs, "silent_source", how=how) == ([], set())
    assert told(inputs, "one_stamp_source", how=how) == ([], set())
