"""The newer event rules of the oracle, pinned by cases that were worked out by hand."""

import pytest
from oracle import DAY, HOUR, SECOND, OBenchmark, OItem, OStep, judge
from test_oracle_self import GOLDEN, ITEMS, MINUTE, at, event, found, setting

NINE, TEN = "九个字还不够理由的", "十个字正好够说明理由"


def values(inputs, rule, how=None):
    """(value, limit) of the rule's findings."""
    return [row[1:3] for row in found(inputs, rule, how)[0]]


def cases(*items):
    """A setting with these items."""
    return setting(items={item.code: item for item in items})


def muted(rule, inputs, how=None):
    """Why the findings of a rule say nothing."""
    return [row[3] for row in found(inputs, rule, how)[0]]


def test_every_newer_rule_lets_declared_imports_and_exemptions_pass():
    accept = event("accept", GOLDEN - HOUR)
    for rule, raises in (
        ("late_exchange", event("pay", GOLDEN, received_at=GOLDEN + 2 * DAY)),
        ("off_hours", event("pay", "2018-10-15 20:00")),
        ("correction_after_acceptance", event("correct", GOLDEN)),
        ("unreasoned_refusal", event("return", GOLDEN)),
        ("unlisted_power", event("pay", GOLDEN, item="unlisted")),
        ("suspended_or_terminated", event("suspend", GOLDEN)),
        ("major_penalty", event("decide", GOLDEN, fine=10**9)),
    ):
        exempt = setting(params={rule: {"exempt": [{"department": "D"}]}})
        assert muted(rule, [accept, raises]) == [None]
        assert muted(rule, [accept, raises], exempt) == ["exempt"]
        raises.imported = True
        assert muted(rule, [accept, raises], exempt) == ["imported"]


# --- truth of the record --------------------------------------------------------------------------


def test_a_record_that_reached_us_after_more_than_a_day():
    for late, rows in ((24 * HOUR, []), (24 * HOUR + 1, [(24 * HOUR + 1, 24 * HOUR)])):
        step = event("pay", GOLDEN, received_at=GOLDEN + late)
        assert values([step], "late_exchange") == rows
    assert values([event("pay", GOLDEN, received_at=GOLDEN - HOUR)], "late_exchange") == []
    midnight = event("pay", "2018-10-15", received_at=GOLDEN + 9 * DAY)
    assert found([midnight], "late_exchange") == ([], {"date_only": 1})


@pytest.mark.parametrize(
    ("recorded", "minutes"),
    [
        ("2018-10-15 12:00", None),  # the very ends are inside
        ("2018-10-15 09:00", None),
        ("2018-10-15 12:45", None),  # in the middle of a lunch of an hour and a half
        ("2018-10-15 18:30", None),
        ("2018-10-15 18:31", 61),
        ("2018-10-15 07:59", 61),
        ("2018-10-15 08:00", None),
        ("2018-10-15 00:30", 8 * 60 + 30),  # closed since 17:30 of a Friday, open at nine
        ("2018-10-20 12:00", 18 * 60 + 30),  # a Saturday
    ],
)
def test_minutes_from_the_nearest_office_hour(recorded, minutes):
    rows = [] if minutes is None else [(minutes * MINUTE, 60 * MINUTE)]
    assert values([event("pay", recorded)], "off_hours") == rows


def test_off_hours_of_the_system_and_of_days():
    assert muted("off_hours", [event("pay", "2018-10-15 20:00", operator=None)]) == [
        "system_action"
    ]
    assert found([event("pay", "2018-10-15")], "off_hours") == ([], {"date_only": 1})


# --- process --------------------------------------------------------------------------------------


def test_registered_more_than_ten_working_days_after_the_offence():
    limit, offence = 70 * HOUR, GOLDEN
    for recorded, rows in (
        ("2018-10-29 10:00", []),
        ("2018-10-29 10:00:01", [(limit + SECOND, limit)]),
    ):
        accept = event("accept", recorded, offence_at=offence)
        assert values([accept], "late_registration") == rows
    assert values([event("accept", GOLDEN)], "late_registration") == []
    again = event("accept", "2018-12-01 10:00", offence_at=offence)
    assert values([event("accept", GOLDEN), again], "late_registration") == []
    by_day = event("accept", "2018-10-30", offence_at=at("2018-10-15"))
    assert values([by_day], "late_registration") == [(11 * 7 * HOUR, limit)]


def test_sent_back_twice():
    inputs = [event("return", GOLDEN), event("pay", GOLDEN + 1), event("correct", GOLDEN + 2)]
    assert values(inputs[:2], "repeated_return") == []
    assert values(inputs, "repeated_return") == [(2, 2)]
    assert values([*inputs, event("return", GOLDEN + 3)], "repeated_return") == [(2, 2), (3, 2)]


def test_corrections_asked_for_after_acceptance():
    apply, accept = event("apply", GOLDEN), event("accept", GOLDEN + 2)
    early, late = event("correct", GOLDEN + 1), event("correct", GOLDEN + 3)
    verdicts = judge([apply, early, accept, late, event("correct", GOLDEN + 4)], setting())
    rows = [f for f in verdicts.findings.values() if f.rule == "correction_after_acceptance"]
    assert [(f.value, f.events) for f in rows] == [(1, ("c#3", "c#4")), (2, ("c#3", "c#5"))]
    unknown = found([early], "correction_after_acceptance")[1]
    assert unknown == {"no_application": 1}
    for before in ("apply", "preaccept"):
        inputs = [event(before, GOLDEN), early]
        assert found(inputs, "correction_after_acceptance") == ([], {})


def test_refusals_need_ten_characters():
    def judged(action, how=None, **changes):
        return found([event(action, GOLDEN, **changes)], "unreasoned_refusal", how)

    assert judged("return")[0] == [("unreasoned", 0, 10, None, None)]
    assert judged("return", reason=NINE)[0] == [("unreasoned", 9, 10, None, None)]
    assert judged("return", reason=f" \u3000{NINE}\n\t")[0][0][1] == 9
    assert judged("return", reason=TEN) == ([], {})
    for action, results in (
        ("decide", ("refused", "not_accepted", "returned", "void")),
        ("close", ("refused", "not_accepted", "returned", "void")),
    ):
        assert all(judged(action, result=result)[0] for result in results)
        assert judged(action) == judged(action, result="granted") == ([], {})
        assert judged(action, result="withdrawn") == ([], {})
    assert judged("pay", result="refused") == ([], {})
    nowhere = setting(reasons_known=False)
    assert judged("return", nowhere) == ([], {"no_reason_column": 1})
    assert judged("decide", nowhere) == ([], {})


def test_powers_out_of_use():
    how = cases(OItem("used"), OItem("asleep", status="dormant"), OItem("gone", status="abolished"))
    flow = ["asleep", "asleep", "used", "gone", "unlisted", "gone"]
    inputs = [event("pay", GOLDEN + n, item=item) for n, item in enumerate(flow)]
    rows = [row[:3] for row in found(inputs, "unlisted_power", how)[0]]
    assert rows == [
        ("dormant", 2, 2),
        ("abolished", 3, 3),
        ("unlisted", 1, 1),
        ("abolished", 3, 3),
    ]


def test_interrupted_and_terminated():
    inputs = [
        event("suspend", GOLDEN),
        event("close", GOLDEN + 1),
        event("decide", GOLDEN + 2, result="void"),
        event("close", GOLDEN + 3, result="withdrawn"),
        event("close", GOLDEN + 4, result="terminated"),
        event("close", GOLDEN + 5, result="void"),
        event("close", GOLDEN + 6, result="returned"),
    ]
    assert values(inputs, "suspended_or_terminated") == [(1, 1), (2, 1), (3, 1), (4, 1)]


# --- of one item ----------------------------------------------------------------------------------

PAPERS = OItem(
    "permit",
    steps=(
        OStep("accept", documents=("form", "map"), fields=("name",)),
        OStep("survey", documents=("map", "plan", "photo")),
        OStep("decide"),
    ),
)


def test_documents_that_nobody_filed():
    how = cases(PAPERS, OItem("other"))
    accept = event("accept", GOLDEN, documents=("map", "extra"))
    survey = event("step", GOLDEN + 1, step="survey", documents=("plan",))
    assert values([accept, survey], "missing_document", how) == [(1, 0), (1, 0)]
    whole = event("step", GOLDEN + 2, step="survey", documents=("photo",))
    assert values([accept, survey, whole], "missing_document", how) == [(1, 0), (1, 0)]
    elsewhere = event("pay", GOLDEN, item="other")
    assert values([accept, elsewhere, survey], "missing_document", how) == [(1, 0), (2, 0)]
    assert values([event("decide", GOLDEN)], "missing_document", how) == []


def test_fields_that_nobody_filled_in():
    how = cases(PAPERS)
    assert values([event("accept", GOLDEN)], "missing_field", how) == [(1, 0)]
    filled = event("apply", GOLDEN - 1, fields=("name",))
    assert values([filled, event("accept", GOLDEN)], "missing_field", how) == []


def test_papers_that_nobody_can_know_of():
    how = setting(items={"permit": PAPERS}, documents_known=False, fields_known=False)
    for rule, reason in (
        ("missing_document", "no_documents_column"),
        ("missing_field", "no_fields_column"),
    ):
        assert found([event("accept", GOLDEN)], rule, how) == ([], {reason: 1})
        assert found([event("decide", GOLDEN)], rule, how) == ([], {})
        assert found([event("pay", GOLDEN)], rule, how) == ([], {})
        unlisted = event("pay", GOLDEN, item="unlisted")
        assert found([unlisted], rule, how) == ([], {"item_not_listed": 1})
        elsewhere = event("step", GOLDEN, step="nowhere")
        assert found([elsewhere], rule, how) == ([], {"step_not_listed": 1})


LONG = OItem(
    "permit",
    steps=tuple(
        OStep(code, required=code != "survey")
        for code in "accept survey review decide pay issue deliver file close".split()
    ),
)


def skipped(actions, how=None, **changes):
    """Values of skipped_step over a story; a word that is no action is a step."""
    known = ("accept", "decide", "pay", "issue", "deliver", "close", "correct")
    inputs = [
        event(a, GOLDEN + n, **changes) if a in known else event("step", GOLDEN + n, step=a)
        for n, a in enumerate(actions.split())
    ]
    return [row[1] for row in found(inputs, "skipped_step", how or cases(LONG))[0]]


def test_steps_left_out_at_the_decision():
    assert skipped("accept review decide") == []
    assert skipped("accept decide") == [1]
    assert skipped("decide") == [2]
    assert skipped("decide", result="withdrawn") == []
    assert skipped("decide", result="refused") == [2]


def test_steps_left_out_at_the_close():
    assert skipped("accept review decide pay issue file close") == []
    assert skipped("accept review decide close") == [2]  # pay and file; issue and deliver may wait
    assert skipped("decide close") == [2, 2]  # what was asked at the decision is not asked again
    assert skipped("close") == [5]  # accept, review, decide, pay, file
    assert skipped("close", result="void") == []


def test_a_decision_that_is_no_step_of_the_flow():
    steps = tuple(OStep(code, required=True) for code in "accept pay issue file close".split())
    how = cases(OItem("permit", steps=steps))
    assert skipped("accept decide close", how) == [1]  # file; the close asks nothing any more
    assert skipped("accept close", how) == [2]  # pay and file


def test_steps_out_of_order():
    assert skipped("review accept") == [1]
    assert skipped("review accept accept") == [1]
    assert skipped("survey accept") == []  # the survey is not required
    assert skipped("review survey") == []  # nor is it asked for
    assert skipped("decide accept") == [2]  # the decision has asked already
    late = [
        event("decide", GOLDEN, step="accept", result="forwarded"),
        event("step", GOLDEN + 1, step="file"),
        event("step", GOLDEN + 2, step="review"),
    ]
    assert values(late, "skipped_step", cases(LONG)) == [(1, 0)]
    decide = event("decide", GOLDEN + 1, step="nowhere", result="forwarded")
    assert values([late[1], decide, late[2]], "skipped_step", cases(LONG)) == []


def test_a_new_item_asks_for_its_own_steps():
    how = cases(LONG, OItem("other"))
    inputs = [
        event("accept", GOLDEN),
        event("step", GOLDEN + 1, step="review"),
        event("pay", GOLDEN + 2, item="other"),
        event("decide", GOLDEN + 3),
    ]
    assert values(inputs, "skipped_step", how) == [(2, 0)]
    unlisted = event("decide", GOLDEN, item="unlisted")
    assert found([unlisted], "skipped_step", how)[1] == {"item_not_listed": 1}
    assert found([event("step", GOLDEN, item="unlisted")], "skipped_step", how) == ([], {})


# --- content, discretion, fees --------------------------------------------------------------------

FINED = OItem(
    "permit",
    benchmarks=(
        OBenchmark("light", None, 100_000, 300_000),
        OBenchmark("light", "company", 500_000, 500_000),
        OBenchmark("light", "company", 200_000, 600_000),
        OBenchmark("heavy", "person", 300_000, 300_000, ("repeat", "violent")),
    ),
)


@pytest.mark.parametrize(
    ("told", "permille"),
    [
        ({"fine": 100_000, "grade": "light"}, None),
        ({"fine": 300_000, "grade": "light"}, None),
        ({"fine": 99_999, "grade": "light"}, 1),  # a two-hundredth part of a permille, rounded up
        ({"fine": 300_200, "grade": "light"}, 1),
        ({"fine": 300_201, "grade": "light"}, 2),
        ({"fine": 500_000, "grade": "light"}, 1_000),
        ({"fine": 600_000, "grade": "light", "party_kind": "company"}, None),
        ({"fine": 0, "grade": "light", "party_kind": "company"}, 500),
        ({"fine": 100_000, "grade": "light", "party_kind": "person"}, None),
        ({"fine": 300_001, "grade": "heavy", "party_kind": "person", "factors": ("repeat",)}, 1000),
        ({"fine": 300_000, "grade": "heavy", "party_kind": "person", "factors": ("first",)}, 1000),
        ({"fine": 300_002, "grade": "heavy", "party_kind": "person"}, 2_000),
        ({"fine": 10**12, "grade": "heavy", "party_kind": "person"}, 10**9),
    ],
)
def test_fines_outside_their_benchmark(told, permille):
    rows, unknown = found([event("decide", GOLDEN, **told)], "discretion_deviation", cases(FINED))
    assert ([row[1:3] for row in rows], unknown) == (
        [] if permille is None else [(permille, 0)],
        {},
    )


def test_fines_that_no_benchmark_speaks_of():
    how = cases(FINED, OItem("bare"))
    for told, reason in (
        ({"item": "unlisted"}, "item_not_listed"),
        ({"item": "bare"}, "no_benchmark"),
        ({}, "no_grade"),
        ({"grade": "grave"}, "grade_not_listed"),
        ({"grade": "heavy"}, "grade_not_listed"),
        ({"grade": "heavy", "party_kind": "company"}, "grade_not_listed"),
    ):
        decide = event("decide", GOLDEN, fine=1, **told)
        assert found([decide], "discretion_deviation", how) == ([], {reason: 1})
    assert found([event("decide", GOLDEN, grade="light")], "discretion_deviation", how) == ([], {})


def test_a_deviation_with_its_reason():
    for factors, reason, mute in (
        (("justified",), TEN, "justified"),
        (("justified",), NINE, None),
        (("justified",), None, None),
        (("first",), TEN, None),
    ):
        decide = event("decide", GOLDEN, fine=1, grade="light", factors=factors, reason=reason)
        assert muted("discretion_deviation", [decide], cases(FINED)) == [mute]


def test_fees_on_what_is_free():
    how = cases(OItem("permit", fee_fen=0), OItem("dear", fee_fen=1), OItem("bare"))
    for told, rows in (
        ({"fee_due": 1}, [(1, 0)]),
        ({"fee_due": 300, "fee_paid": 500}, [(500, 0)]),
        ({"fee_due": 0, "fee_paid": 0}, []),
        ({"fee_paid": 700, "item": "dear"}, []),
        ({}, []),
    ):
        assert values([event("pay", GOLDEN, **told)], "unlawful_fee", how) == rows
    for item, reason in (("bare", "no_item_fee"), ("unlisted", "item_not_listed")):
        pay = event("pay", GOLDEN, item=item, fee_paid=1)
        assert found([pay], "unlawful_fee", how) == ([], {reason: 1})


def test_fines_above_five_thousand_yuan():
    for fine, rows in ((500_000, []), (500_001, [(500_001, 500_000)])):
        assert values([event("decide", GOLDEN, fine=fine)], "major_penalty") == rows
    limits = [
        {"item": "permit", "party_kind": "company", "limit_yuan": 20_000},
        {"item": "permit", "party_kind": "*", "limit_yuan": 1},
        {"item": "*", "party_kind": "*", "limit_yuan": 2},
    ]
    how = setting(params={"major_penalty": {"limits": limits}}, items=ITEMS)
    for party, limit in (("company", 20_000), ("person", 1), (None, 1)):
        decide = event("decide", GOLDEN, fine=10**8, party_kind=party)
        assert values([decide], "major_penalty", how) == [(10**8, limit * 100)]
