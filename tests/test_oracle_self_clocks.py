"""The clocks of 4.2 in the oracle, pinned by cases that were worked out by hand."""

import pytest
from oracle import DAY, HOUR, SECOND, Calendar, OItem, OStep, finding_id, judge
from test_oracle_self import GOLDEN, MINUTE, OFFICE, at, event, found, setting, weekday

LATER = at("2018-12-31 10:00")


def told(inputs, rule, how=None, until=LATER):
    """(reason, instant, withdrawn, events) of the findings of a clock."""
    verdicts = judge(inputs, how or setting(), until)
    rows = [f for f in verdicts.findings.values() if f.rule == rule]
    return [(f.reason, f.at, f.withdrawn, f.events) for f in rows]


def stands(inputs, rule, how=None, until=LATER):
    """(reason, instant) of those that stand."""
    rows = told(inputs, rule, how, until)
    return [row[:2] for row in rows if row[2] is None]


def states(inputs, rule, how=None, until=LATER):
    """(reason, withdrawn)"""
    return [(row[0], row[2]) for row in told(inputs, rule, how, until)]


# --- overdue_acceptance ---------------------------------------------------------------------------

ANSWER = [at("2018-10-17 10:00"), at("2018-10-22 10:00"), at("2018-10-24 10:00")]


def test_the_golden_instants_of_an_application():
    apply = event("apply", GOLDEN)
    assert told([apply], "overdue_acceptance") == [
        ("late", ANSWER[0], "superseded", ("c#1",)),
        ("late_3", ANSWER[1], "superseded", ("c#1",)),
        ("late_5", ANSWER[2], None, ("c#1",)),
    ]
    rows = found([apply], "overdue_acceptance", until=LATER)[0]
    assert [row[1:3] for row in rows] == [(0, 2), (3, 2), (5, 2)]
    tiers = [f.tier for f in judge([apply], setting(), LATER).findings.values()][:3]
    assert tiers == [1, 2, 3]
    assert told([apply], "overdue_acceptance", until=ANSWER[0] - 1) == []
    assert stands([apply], "overdue_acceptance", until=ANSWER[0]) == [("late", ANSWER[0])]


@pytest.mark.parametrize("answer", ["accept", "return", "correct", "decide", "close"])
def test_an_answer_exactly_at_the_instant_is_in_time(answer):
    for begin in ("apply", "preaccept", "corrected"):
        apply = event(begin, GOLDEN)
        assert told([apply, event(answer, ANSWER[0])], "overdue_acceptance") == []
        late = [apply, event(answer, ANSWER[0] + 1)]
        assert stands(late, "overdue_acceptance") == [("late", ANSWER[0])]
    elsewhere = [event("apply", GOLDEN), event("step", ANSWER[0])]
    assert len(told(elsewhere, "overdue_acceptance")) == 3


def test_an_answer_given_in_time_and_received_late():
    apply = event("apply", GOLDEN)
    for recorded, rows in (
        (ANSWER[0], [("late", "closed_in_time"), ("late_3", "closed_in_time")]),
        (ANSWER[0] + 1, [("late", None), ("late_3", "closed_in_time")]),
        (ANSWER[1] + 1, [("late", "superseded"), ("late_3", None)]),
    ):
        accept = event("accept", recorded, received_at=ANSWER[1] + HOUR)
        assert states([apply, accept], "overdue_acceptance") == rows


def test_an_answer_stamped_ahead_of_its_arrival_is_late_when_its_instant_comes():
    accept = event("accept", ANSWER[0] + 1, received_at=GOLDEN + HOUR)
    inputs = [event("apply", GOLDEN), accept]
    assert told(inputs, "overdue_acceptance", until=ANSWER[0] - 1) == []
    assert states(inputs, "overdue_acceptance", until=ANSWER[0]) == [("late", None)]
    assert states(inputs, "overdue_acceptance") == [("late", None)]


def test_every_application_has_a_run_of_its_own():
    again = at("2018-10-18 10:00")
    inputs = [
        event("apply", GOLDEN),
        event("preaccept", GOLDEN + HOUR),  # a run goes on, so this begins none
        event("correct", ANSWER[0] + SECOND),
        event("corrected", again),
        event("accept", at("2018-10-22 10:00:01")),
        event("apply", at("2018-10-22 11:00")),  # after an acceptance nothing begins
    ]
    assert told(inputs, "overdue_acceptance") == [
        ("late", ANSWER[0], None, ("c#1",)),
        ("late", at("2018-10-22 10:00"), None, ("c#4",)),
    ]
    returned = [event("apply", GOLDEN), event("return", GOLDEN + 1), event("apply", GOLDEN + DAY)]
    assert stands(returned, "overdue_acceptance")[0][0] == "late_5"
    closed = [event("close", GOLDEN - 1), event("apply", GOLDEN)]
    assert told(closed, "overdue_acceptance") == []


def test_a_suspension_does_not_give_time_to_accept():
    suspend = event("suspend", GOLDEN + 1, days_granted=5)
    inputs = [event("apply", GOLDEN), suspend]
    assert len(told(inputs, "overdue_acceptance")) == 3


def test_whose_item_and_department_a_clock_tells():
    apply = event("apply", GOLDEN, item="old", department="X", imported=True)
    accept = event("accept", "2018-10-23 10:00", item="new", department="Y")
    decide = event("decide", "2018-10-24 11:00")

    def rows(*inputs):
        found_ = judge(inputs, setting(), LATER).findings.values()
        return [
            (f.reason, f.item, f.department, f.step, f.operator, f.muted)
            for f in found_
            if f.rule in ("overdue_acceptance", "stalled_case")
        ]

    assert rows(apply, accept, decide) == [
        ("late", "old", "X", None, None, "imported"),
        ("late_3", "old", "X", None, None, "imported"),
    ]
    far = at("2019-12-31 10:00")
    assert [
        (f.item, f.muted)
        for f in judge([apply, accept], setting(), far).findings.values()
        if f.rule == "stalled_case"
    ] == [("new", None)]


def test_beyond_the_calendar_these_clocks_only_remind():
    rows = judge([event("apply", GOLDEN)], setting(covered_to=2017), LATER).findings.values()
    assert {f.tier for f in rows if f.rule == "overdue_acceptance"} == {0}


def test_a_corrected_application_moves_its_clock():
    inputs = [
        event("apply", GOLDEN, event_id="e1"),
        event("apply", GOLDEN + DAY, event_id="e2", supersedes="e1",
              received_at=ANSWER[0] + MINUTE),
    ]  # fmt: skip
    rows = told(inputs, "overdue_acceptance", until=at("2018-10-18 10:00"))
    assert rows == [
        ("late", ANSWER[0], "corrected", ("e1",)),
        ("late", at("2018-10-18 10:00"), None, ("e2",)),
    ]


def test_exemptions_and_shadow_of_a_clock():
    for params, mute in (
        ({"exempt": [{"item": "permit"}]}, "exempt"),
        ({"exempt": [{"step": "apply"}]}, None),
        ({"mode": "shadow"}, "shadow"),
        ({"limit_wd": 1}, None),
    ):
        how = setting(params={"overdue_acceptance": params})
        rows = found([event("apply", GOLDEN)], "overdue_acceptance", how, LATER)[0]
        assert {row[3] for row in rows} == {mute}
    off = setting(params={"overdue_acceptance": {"mode": "off"}})
    assert found([event("apply", GOLDEN)], "overdue_acceptance", off, LATER) == ([], {})


# --- overdue_issue --------------------------------------------------------------------------------

LICENCE = setting(
    items={
        "permit": OItem("permit", steps=(OStep("close"), OStep("issue"))),
        "advice": OItem("advice", steps=(OStep("close"),)),
    }
)
ISSUE = at("2018-10-18 10:00")


def test_the_golden_instant_of_a_licence():
    close = event("close", GOLDEN)
    assert told([close], "overdue_issue", LICENCE) == [("late", ISSUE, None, ("c#1",))]
    assert found([close], "overdue_issue", LICENCE, LATER)[0][0][1:3] == (0, 3)
    assert told([close, event("issue", ISSUE)], "overdue_issue", LICENCE) == []
    assert stands([close, event("issue", ISSUE + 1)], "overdue_issue", LICENCE) == [("late", ISSUE)]
    late = event("issue", ISSUE, received_at=ISSUE + DAY)
    assert states([close, late], "overdue_issue", LICENCE) == [("late", "closed_in_time")]


def test_closes_that_promise_no_licence():
    close = event("close", GOLDEN)
    for first in (
        event("close", GOLDEN - 1, result="refused"),
        event("issue", GOLDEN - 1),
        event("close", GOLDEN - 1, item="advice"),
    ):
        assert told([first, close], "overdue_issue", LICENCE) == []
    for result, raises in (("granted", 1), (None, 1), ("void", 0)):
        inputs = [event("close", GOLDEN, result=result)]
        assert len(told(inputs, "overdue_issue", LICENCE)) == raises
    unlisted = event("close", GOLDEN, item="unlisted")
    assert found([unlisted], "overdue_issue", LICENCE) == ([], {"item_not_listed": 1})
    refused = event("close", GOLDEN, item="unlisted", result="refused")
    assert found([refused], "overdue_issue", LICENCE) == ([], {})


# --- overdue_step ---------------------------------------------------------------------------------

HELD = OItem(
    "permit",
    promised_days=7,
    steps=(
        OStep("accept"),
        OStep("survey", limit_us=10 * HOUR),
        OStep("review"),
        OStep("decide", limit_us=2 * HOUR),
        OStep("close", limit_us=HOUR),
    ),
)
STEPS = setting(items={"permit": HELD, "bare": OItem("bare", steps=HELD.steps)})
NEARLY, OVER = at("2018-10-16 11:00"), at("2018-10-16 14:30")  # 8 and 10 working hours on


def test_a_step_held_too_long():
    accept = event("accept", GOLDEN)
    assert told([accept], "overdue_step", STEPS) == [
        ("nearly", NEARLY, "superseded", ("c#1",)),
        ("over", OVER, None, ("c#1",)),
    ]
    rows = found([accept], "overdue_step", STEPS, LATER)[0]
    assert [row[1:3] for row in rows] == [(800, 10 * HOUR), (1000, 10 * HOUR)]
    for end, rows in (
        (NEARLY, []),
        (NEARLY + 1, [("nearly", None)]),
        (OVER, [("nearly", None)]),
        (OVER + 1, [("nearly", "superseded"), ("over", None)]),
    ):
        survey = event("step", end, step="survey")
        assert states([accept, survey], "overdue_step", STEPS) == rows


def test_a_step_done_in_time_and_received_late():
    accept = event("accept", GOLDEN)
    for recorded, rows in (
        (NEARLY, [("nearly", "closed_in_time"), ("over", "closed_in_time")]),
        (OVER, [("nearly", None), ("over", "closed_in_time")]),
        (OVER + 1, [("nearly", "superseded"), ("over", None)]),
    ):
        survey = event("step", recorded, step="survey", received_at=OVER + HOUR)
        assert states([accept, survey], "overdue_step", STEPS) == rows


def test_what_begins_a_run_of_steps():
    accept, review = event("accept", GOLDEN), event("step", GOLDEN + HOUR, step="review")
    again = event("accept", GOLDEN + 2 * HOUR)  # stands before the review
    aside = event("pay", GOLDEN + 2 * HOUR)  # no step of the flow
    inputs = [accept, review, again, aside]
    assert stands(inputs, "overdue_step", STEPS) == [("over", at("2018-10-15 14:30"))]
    assert told(inputs, "overdue_step", STEPS)[0][3] == ("c#2",)
    decide = event("decide", GOLDEN + 90 * MINUTE)
    assert stands([*inputs, decide], "overdue_step", STEPS) == [("over", at("2018-10-15 14:00"))]
    close = event("close", GOLDEN + 90 * MINUTE)
    assert told([accept, close], "overdue_step", STEPS) == []
    assert told([close, accept], "overdue_step", STEPS) == []
    unlimited = [event("step", GOLDEN, step="survey")]  # the review has no limit
    assert told(unlimited, "overdue_step", STEPS) == []
    unlisted = event("accept", GOLDEN, item="unlisted")
    assert found([unlisted, unlisted], "overdue_step", STEPS)[1] == {"item_not_listed": 1}


def test_the_first_close_stops_and_begins_nothing():
    review = event("step", GOLDEN, step="review")
    opening = at("2018-10-15 13:30")  # two hours end at noon, when the office closes
    for recorded, rows in (
        (opening, [("nearly", at("2018-10-15 11:36"))]),
        (opening + 1, [("over", opening)]),
    ):
        early = event("close", recorded, received_at=GOLDEN + HOUR)
        assert stands([review, early], "overdue_step", STEPS) == rows
    late = event("close", "2018-10-15 12:00", received_at=GOLDEN + DAY)
    assert states([review, late], "overdue_step", STEPS) == [
        ("nearly", None),
        ("over", "closed_in_time"),
    ]


def test_suspensions_give_time_to_a_step():
    accept = event("accept", GOLDEN)
    suspend = event("suspend", "2018-10-15 11:00", days_granted=1, procedure="hearing")
    assert stands([accept, suspend], "overdue_step", STEPS) == [("over", at("2018-10-17 14:30"))]
    resume = event("resume", "2018-10-15 14:30", procedure="hearing")
    rows = stands([accept, suspend, resume], "overdue_step", STEPS)
    assert rows == [("over", at("2018-10-16 16:30"))]
    late = event("suspend", "2018-10-15 11:00", days_granted=1, received_at=OVER + HOUR)
    assert told([accept, late], "overdue_step", STEPS) == [
        ("nearly", NEARLY, "suspended", ("c#1",)),
        ("over", OVER, "suspended", ("c#1",)),
        ("nearly", at("2018-10-17 11:00"), "superseded", ("c#1",)),
        ("over", at("2018-10-17 14:30"), None, ("c#1",)),
    ]
    endless = event("suspend", "2018-10-15 11:00")
    assert found([accept, endless], "overdue_step", STEPS, LATER) == ([], {"no_grant": 1})


def test_a_step_after_the_promise_is_no_offence_of_its_own():
    for promised, rows in (
        (1, []),  # the promise ends after 7 working hours
        (2, [("nearly", "superseded"), ("over", None)]),
    ):
        accept = event("accept", GOLDEN, promised_days=promised)
        assert states([accept], "overdue_step", STEPS) == rows
    due_at = [event("accept", GOLDEN, due_at=NEARLY)]
    assert states(due_at, "overdue_step", STEPS) == [("nearly", None)]
    off = setting(items=STEPS.items, params={"overdue_promise": {"mode": "off"}})
    assert states(due_at, "overdue_step", off) == [("nearly", None)]
    bare = [event("accept", GOLDEN, item="bare")]  # no promise, so none is broken
    assert len(told(bare, "overdue_step", STEPS)) == 2


# --- stalled_case ---------------------------------------------------------------------------------


def test_a_case_that_nobody_touches_for_ninety_days():
    accept, end = event("accept", GOLDEN), GOLDEN + 90 * DAY
    assert told([accept], "stalled_case", until=end - 1) == []
    rows = found([accept], "stalled_case", until=end)[0]
    assert rows == [("stalled", 0, 90, None, None)]
    assert told([accept, event("pay", end)], "stalled_case", until=end + DAY) == []
    inputs = [accept, event("pay", end + 1)]
    assert stands(inputs, "stalled_case", until=end + DAY) == [("stalled", end)]
    late = event("pay", end, received_at=end + DAY)
    assert states([accept, late], "stalled_case", until=end + DAY) == [
        ("stalled", "closed_in_time")
    ]


def test_only_a_later_record_touches_a_case():
    how = setting(params={"stalled_case": {"limit_days": 1}})
    accept, end = event("accept", GOLDEN), GOLDEN + DAY
    older = event("pay", GOLDEN, received_at=GOLDEN + HOUR)
    assert stands([accept, older], "stalled_case", how) == [("stalled", end)]
    closed = event("close", GOLDEN - 1, received_at=GOLDEN + HOUR)
    assert told([accept, closed, event("pay", GOLDEN + 2 * HOUR)], "stalled_case", how) == []
    twice = [accept, event("pay", GOLDEN + 3 * DAY)]
    assert told(twice, "stalled_case", how) == [
        ("stalled", end, None, ("c#1",)),
        ("stalled", GOLDEN + 4 * DAY, None, ("c#2",)),
    ]


def test_calendar_days_are_days_of_the_wall_clock():
    calendar = Calendar("Europe/Amsterdam", OFFICE, weekday)
    how = setting(zone="Europe/Amsterdam", params={"stalled_case": {"limit_days": 1}})
    saturday = calendar.later(calendar.wall(at("2026-03-28 20:00")))
    accept = event("accept", saturday)
    assert stands([accept], "stalled_case", how, saturday + 5 * DAY) == [
        ("stalled", saturday + 23 * HOUR)
    ]


# --- overdue_procedure ----------------------------------------------------------------------------

SEVEN = [at("2018-10-22 10:00"), at("2018-10-24 10:00"), at("2018-10-25 10:00")]


def hearing(when, days=7, **changes):
    """A special procedure of so many days."""
    return event("suspend", when, days_granted=days, procedure="hearing", **changes)


def test_the_golden_instants_of_a_special_procedure():
    assert told([hearing(GOLDEN)], "overdue_procedure") == [
        ("due_soon", SEVEN[0], "superseded", ("c#1",)),
        ("overdue", SEVEN[1], "superseded", ("c#1",)),
        ("far_overdue", SEVEN[2], None, ("c#1",)),
    ]
    verdicts = judge([hearing(GOLDEN)], setting(), LATER)
    rows = {i: f for i, f in verdicts.findings.items() if f.rule == "overdue_procedure"}
    assert [(f.value, f.limit, f.tier) for f in rows.values()] == [
        (-2, 7, 0),
        (0, 7, 2),
        (1, 7, 3),
    ]
    assert next(iter(rows)) == finding_id(
        "overdue_procedure", "case", "c", (SEVEN[0], "due_soon", "c#1")
    )


@pytest.mark.parametrize(
    ("end", "last"),
    [
        (SEVEN[0], None),
        (SEVEN[0] + 1, "due_soon"),
        (SEVEN[1], "due_soon"),
        (SEVEN[1] + 1, "overdue"),
        (SEVEN[2], "overdue"),
        (SEVEN[2] + 1, "far_overdue"),
    ],
)
def test_what_ends_a_special_procedure(end, last):
    for changes in (
        {"action": "resume", "procedure": "hearing"},
        *(
            {"action": "close", "result": result}
            for result in ("not_accepted", "returned", "withdrawn", "void")
        ),
    ):
        inputs = [hearing(GOLDEN), event(**changes, when=end)]
        rows = stands(inputs, "overdue_procedure")
        assert [row[0] for row in rows] == ([last] if last else [])
    for changes in ({"action": "resume"}, {"action": "close"}):
        inputs = [hearing(GOLDEN), event(**changes, when=end)]
        assert [row[0] for row in stands(inputs, "overdue_procedure")] == ["far_overdue"]


def test_a_procedure_that_ended_in_time_and_was_received_late():
    resume = event("resume", SEVEN[1], procedure="hearing", received_at=SEVEN[1] + HOUR)
    assert states([hearing(GOLDEN), resume], "overdue_procedure") == [
        ("due_soon", None),
        ("overdue", "closed_in_time"),
    ]


def test_every_suspension_has_its_own_clock():
    second = at("2018-10-16 10:00")
    inputs = [
        hearing(GOLDEN, 1),
        hearing(second, 1),
        event("resume", "2018-10-17 10:00", procedure="hearing"),  # ends the first
        event("suspend", GOLDEN),
        event("suspend", GOLDEN + 1),
    ]
    rows = told(sorted(inputs, key=lambda e: e.received_at), "overdue_procedure")
    by_event = {events[0]: [r[0] for r in rows if r[3] == events] for *_, events in rows}
    assert by_event == {
        "c#1": ["due_soon", "overdue"],
        "c#4": ["due_soon", "overdue", "far_overdue"],
    }
    assert found(inputs, "overdue_procedure")[1] == {"no_grant": 1}


def test_less_than_two_days_are_soon_over_from_the_start():
    rows = told([hearing(GOLDEN, 1)], "overdue_procedure", until=GOLDEN)
    assert rows == [("due_soon", GOLDEN, None, ("c#1",))]
