"""Every law holds for every rule and for the rulebook, and rejects what was broken on purpose."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import oracle
import pytest
from bridge import Run
from broken import REJECTED
from laws import LAWS, Subject
from oracle import HOUR, OItem, Setting
from streams import RULES, WorkingDays
from test_oracle_self import at, event, setting

from detector.event import Event
from detector.values import ABSENT

CLOCKS = ("overdue_promise", "overdue_statutory")
FAULTS = ("fault_is_said", "fault_costs_its_row")


def _asked() -> Iterator[Any]:
    for law in LAWS:
        for rule in ("rulebook", *RULES):
            name = f"{law.__name__}-{rule}"
            if law.__name__ not in FAULTS or rule not in oracle.CLOCKS:  # they measure nothing
                yield pytest.param(law, rule, id=name)


BOTH = list(_asked())
BROKEN = [
    pytest.param(law, subject, id=f"{law.__name__}-{subject.name}-{n}")
    for n, (law, subject) in enumerate(REJECTED)
]


@pytest.mark.parametrize(("law", "rule"), BOTH)
def test_the_law_holds(law, rule):
    law(Subject(rule))


@pytest.mark.prove
@pytest.mark.parametrize(("law", "rule"), BOTH)
def test_the_law_holds_at_length(law, rule):
    law(Subject(rule), streams=300)


@pytest.mark.parametrize(("law", "subject"), BROKEN)
def test_the_law_rejects_a_broken_subject(law, subject):
    # A change of a finding that never was is no verdict that a law could compare.
    with pytest.raises((AssertionError, KeyError)):
        law(subject, streams=12)  # the first that speaks of it is enough


def test_no_law_goes_without_a_broken_subject():
    assert {law for law, _ in REJECTED} == set(LAWS)


# --- missing data, by construction ------------------------------------------------------------
# Six cases alike, in which each of these rules finds something. One of them then says less: exactly
# the rows that the rule can no longer judge are undetermined, and the five others are judged as
# before. What other rules may lack, their own examples tell (tests/test_shelf.py).

FLOW = (("accept", "accept"), ("survey", "survey"), ("review", "review"), ("decide", "decide"))
FULL = OItem("permit", "promised", 0, 0, 5_000, FLOW, (("accept", "decide"),))
MONDAY = at("2026-03-02 10:00")
SECOND = 1_000_000
LESS = "case-0"


def county(**changes) -> Setting:
    """A district in which nothing is missing."""
    items = {"permit": FULL, "bare": OItem("bare", steps=FLOW, pairs=FULL.pairs)}
    return setting(is_working=WorkingDays(), items=items, **changes)


def case(number: int) -> list[Event]:
    """A case with every offence: too fast, typed in late, unpaid, the wrong way round, overdue."""
    begun = MONDAY + number * 20 * SECOND
    steps = [
        ("accept", 0, {}),
        ("step", 5, {"step": "survey", "occurred_at": begun - 300 * HOUR}),
        ("decide", 6, {}),
        ("pay", 7, {"fee_due": 5_000, "fee_paid": 4_000}),
        ("correct", 8, {}),
        ("corrected", 9, {"occurred_at": begun + SECOND}),
        ("suspend", 10, {"occurred_at": begun - SECOND, "days_granted": 0}),
        ("resume", 11, {}),
        ("issue", 12, {}),
        ("close", 100, {}),
    ]
    told = {"case_id": f"case-{number}", "operator": "ann"}
    return [
        event(action, begun + s * SECOND, event_id=f"{action}-{number}", **told, **more)
        for action, s, more in steps
    ]


WHOLE = [e for number in range(6) for e in case(number)]
ACTIONS = tuple(e.action for e in case(0))


class Gap(NamedTuple):
    """What case 0 no longer says, and of which of its actions the rule then cannot know."""

    rule: str
    reason: str
    change: Callable[[Event], Event | None]
    concerns: tuple[str, ...]


def less(**changes) -> Callable[[Event], Event]:
    """Every event of the case with these fields changed."""
    return lambda e: msgspec.structs.replace(e, **changes)


def of(*actions: str, **changes) -> Callable[[Event], Event]:
    """Events of these actions with these fields changed."""
    return lambda e: msgspec.structs.replace(e, **changes) if e.action in actions else e


def without(action: str) -> Callable[[Event], Event | None]:
    """The case without that event."""
    return lambda e: None if e.action == action else e


MIDNIGHT = at("2026-03-02 00:00")
DAY_ONLY = less(recorded_at=MIDNIGHT)
UNLISTED = less(item="unlisted", fee_due=ABSENT)
BARE = less(item="bare", fee_due=ABSENT)
NEVER_ACCEPTED = without("accept")
GAPS = [
    Gap("too_fast_step", "date_only", DAY_ONLY, ACTIONS[1:]),
    Gap("too_fast_case", "no_acceptance", NEVER_ACCEPTED, ("close",)),
    Gap("back_entry", "date_only", of("step", occurred_at=at("2026-02-18 00:00")), ("step",)),
    Gap("same_person", "item_not_listed", UNLISTED, ACTIONS),
    Gap("same_person", "step_not_listed", of("step", step="unheard_of"), ("step",)),
    Gap("fee_mismatch", "item_not_listed", UNLISTED, ("pay",)),
    Gap("fee_mismatch", "no_item_fee", BARE, ("pay",)),
    Gap("unpaid_issue", "item_not_listed", UNLISTED, ("issue",)),
    Gap("unpaid_issue", "no_item_fee", BARE, ("issue",)),
    Gap("impossible_order", "no_acceptance", NEVER_ACCEPTED, ("close",)),
    Gap("impossible_order", "no_correction_notice", without("correct"), ("corrected",)),
    Gap("impossible_order", "date_only", of("corrected", occurred_at=MIDNIGHT), ("corrected",)),
    Gap("batch_entry", "date_only", DAY_ONLY, ACTIONS),
    *(
        Gap(rule, reason, change, (action,))
        for rule in CLOCKS
        for reason, change, action in (
            ("no_acceptance", NEVER_ACCEPTED, "step"),
            ("item_not_listed", UNLISTED, "accept"),
            ("no_limit", BARE, "accept"),
            ("no_grant", of("suspend", days_granted=ABSENT), "suspend"),
        )
    ),
]


def found(run: Run, rule: str) -> dict[str, str | None]:
    """Findings of a rule with their cases."""
    return {i: f.case_id for i, f in run.outcome.findings.items() if f.rule == rule and f.stands}


def told_less(how: Setting, gap: Gap, whole: Run) -> None:
    """Case 0 says less: exactly the concerned rows are undetermined, the rest is as before."""
    changed = [gap.change(e) if e.case_id == LESS else e for e in WHOLE]
    run = Run(how, [e for e in changed if e is not None])
    unknown = {(r, e) for rule, r, _, e in run.unknown if rule == gap.rule}
    assert unknown == {(gap.reason, f"{action}-0") for action in gap.concerns}
    rows = {e for _, e in unknown}
    assert not any(
        f.rule == gap.rule and f.case_id and f.events[-1] in rows and f.stands
        for f in run.outcome.findings.values()
    )
    others = {i for i, c in found(whole, gap.rule).items() if c not in (LESS, None)}
    assert others <= found(run, gap.rule).keys()


@pytest.fixture(scope="module")
def whole() -> Run:
    """The six cases, with nothing missing."""
    return Run(county(), WHOLE)


def test_nothing_is_missing_at_first(whole):
    mine = {gap.rule for gap in GAPS}
    assert [u for u in whole.unknown if u[0] in mine] == []
    assert mine <= {f.rule for f in whole.outcome.findings.values() if f.stands}


@pytest.mark.parametrize("gap", GAPS, ids=lambda gap: f"{gap.rule}-{gap.reason}")
def test_a_gap_is_said_for_exactly_its_rows(gap, whole):
    told_less(county(), gap, whole)


@pytest.mark.parametrize("rule", ["same_person", "batch_entry"])
def test_a_source_without_operators_is_said_of_every_row(rule):
    nobody = [msgspec.structs.replace(e, operator=None) for e in WHOLE]
    run = Run(county(operators_known=False), nobody)
    unknown = [(r, e) for name, r, _, e in run.unknown if name == rule]
    assert sorted(unknown) == sorted(("operator_unknown", e.event_id) for e in WHOLE)
    assert found(run, rule) == {}
    muted = {f.muted for f in run.outcome.findings.values()}
    assert muted == {None}, "an unknown operator is not the system"


def test_a_gap_that_is_passed_over_is_noticed(whole):
    with pytest.raises(AssertionError):
        told_less(county(), GAPS[0]._replace(change=lambda e: e), whole)
    with pytest.raises(AssertionError):
        told_less(county(), GAPS[0]._replace(concerns=("close",)), whole)
