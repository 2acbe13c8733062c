"""Notices: the table of states, stories on a fake clock for each published ladder, and the laws."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from bridge import district_of
from notice_kit import Town, town_of
from streams import random_stream

from detector.columns import Words, from_events
from detector.effects import Effects
from detector.engine import Engine
from detector.event import Event, Fact, Reading, Refused, read_fact
from detector.notice import (
    ACTS,
    DECISIONS,
    ENDED,
    OPEN,
    STATES,
    Notice,
    allowed,
    canonical,
    notice_id,
)
from detector.notice_state import Matter, NoticeState
from detector.shelf import configure, load_shelf
from detector.workcalendar import NEVER
from replay.notices import Matters, lead

SUPERVISION = ("unurged_alarm", "unfinished_urge", "late_answer")
FAST = ("too_fast_step", *SUPERVISION)
CLOCKS = ("overdue_promise", "overdue_statutory", *SUPERVISION)
MONDAY = "2026-03-02 10:00:00"
MUTE = """[[mutes]]
departments = ["D01"]
from = "2026-03-01 00:00:00"
until = "2026-03-04 09:00:00"
reason = "搬迁"
"""


def fast(town: Town, case: str = "c1", at: str = "2026-03-02 10:00:58") -> None:
    """A survey 58 seconds after the acceptance."""
    town.feed(town.event(case, "accept", MONDAY))
    town.feed(town.event(case, "step", at, step="survey", operator="P2"))


def first_act(town: Town, at: str = "2026-03-02 10:02:00") -> None:
    """Somebody uses the system: from here on silence counts."""
    told = {"subject_kind": "department", "subject": "D01", "department": "D01", "tier": 1}
    town.feed(town.act("order", "x1", at, "L2", text="自查", **told))
    town.feed(town.act("lift", "x1", at, "L2", reason="已核实"))


# --- the table ---------------------------------------------------------------------------------


def test_every_state_is_open_or_ended():
    assert set(OPEN) & set(ENDED) == set()
    assert set(STATES) == {*OPEN, *ENDED, "delivered", "rejected"}
    for act in ACTS.values():
        assert set(act.from_) <= set(OPEN) and act.to in ("", *STATES)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("state", OPEN)
def test_an_act_moves_a_notice_where_the_table_says_and_nowhere_else(act, state):
    town = Town(only=FAST)
    first_act(town)
    fast(town)
    town.tick("2026-03-02 10:05:00")
    notice = town.about("c1")
    notice.state = state
    notice.waits = NEVER
    needs = {
        "text": "x", "reason": "x", "person": "P1", "decision": "uphold",
        "until": "2026-04-01 00:00:00",
    }  # fmt: skip
    told = {name: needs[name] for name in ACTS[act].needs}
    town.feed(town.act(act, notice.notice_id, "2026-03-02 10:06:00", **told))
    town.tick("2026-03-02 10:06:01")
    last = town.told(notice)[-1]
    if allowed(act, state):
        to = ACTS[act].to
        if act == "accept":
            assert notice.state == "accepted"
        elif act == "decide_appeal":
            assert notice.state == DECISIONS["uphold"][0]
        else:
            assert notice.state == (to or state)
        assert "(S1)" in last or "(oriole)" in last
    else:
        assert notice.state == state and f"not_allowed: {act}" in last


def test_an_act_says_what_it_needs():
    how = Reading(town_of().calendar.zone)
    line = {"act_id": "a", "notice_id": "n", "actor": "S1", "at": MONDAY}
    for act, told in ACTS.items():
        for name in told.needs:
            with pytest.raises(Refused, match=f"{name}: is missing: {act} needs it"):
                read_fact("act", line | {"act": act}, how)
            break
    with pytest.raises(Refused, match="act: is unknown"):
        read_fact("act", line | {"act": "burn"}, how)


# --- stories -----------------------------------------------------------------------------------


def test_from_monday_to_the_close():
    """Silence, level 2, answer, rejection, reissue, appeal, and the close: each with its reason."""
    town = Town(only=FAST)
    first_act(town)
    fast(town)
    town.tick("2026-03-16 10:00:00")
    notice, second = town.about("c1"), town.about("S1")
    assert notice.tier == 2 and notice.level == 1 and notice.recipients == ["S1", "H1"]
    assert second.tier == 3 and second.level == 2 and second.recipients == ["L2"]
    assert town.told(second)[0] == "2026-03-09 10:00:58 ·→issued automatic (oriole)"
    i = notice.notice_id
    for act, at, actor, told in (
        ("answer", "2026-03-16 11:00:00", "S1", {"text": "系统原因"}),
        ("reject", "2026-03-17 10:00:00", "L2", {"text": "未说明原因"}),
        ("acknowledge", "2026-03-17 11:00:00", "S1", {}),
        ("appeal", "2026-03-18 10:00:00", "S1", {"text": "现场勘查在受理前完成"}),
        ("decide_appeal", "2026-03-19 10:00:00", "L2", {"decision": "refer"}),
        ("decide_appeal", "2026-03-19 11:00:00", "L2", {"decision": "uphold", "text": "依据不足"}),
        ("answer", "2026-03-20 10:00:00", "S1", {"text": "已补正"}),
        ("accept", "2026-03-20 11:00:00", "L2", {}),
        ("close", "2026-03-20 12:00:00", "L2", {}),
    ):
        town.feed(town.act(act, i, at, actor, **told))
    town.tick("2026-03-20 13:00:00")
    assert town.told(notice) == [
        "2026-03-02 10:00:58 ·→issued automatic (oriole)",
        "2026-03-03 10:00:58 issued→issued not_acknowledged (oriole)",
        "2026-03-09 10:00:58 issued→issued late_answer (oriole)",
        "2026-03-09 10:00:58 issued→issued unurged (oriole)",
        "2026-03-16 11:00:00 issued→answered answered (S1)",
        "2026-03-17 10:00:00 answered→rejected answer_rejected (L2)",
        "2026-03-17 10:00:00 rejected→reissued answer_rejected (L2)",
        "2026-03-17 11:00:00 reissued→acknowledged acknowledged (S1)",
        "2026-03-18 10:00:00 acknowledged→appealed appealed (S1)",
        "2026-03-19 10:00:00 appealed→referred appeal_referred (L2)",
        "2026-03-19 11:00:00 referred→upheld appeal_refused (L2)",
        "2026-03-20 10:00:00 upheld→answered answered (S1)",
        "2026-03-20 11:00:00 answered→accepted accepted (L2)",
        "2026-03-20 12:00:00 accepted→closed finished (L2)",
    ]
    assert town.heard(notice)[:4] == [
        "2026-03-02 10:00:58 S1 issued", "2026-03-02 10:00:58 H1 issued",
        "2026-03-03 10:00:58 S1 reminder", "2026-03-03 10:00:58 H1 reminder",
    ]  # fmt: skip
    assert not town.unknown and not notice.open


@pytest.mark.parametrize(
    ("profile", "tiers"),
    [
        # accepted on Monday 2018-10-15 10:00, promised 7, statutory 10 working days
        ("default", [(0, "2018-10-23"), (2, "2018-10-24"), (3, "2018-10-29")]),
        ("hunan", [(0, "2018-10-19"), (2, "2018-10-24"), (3, "2018-10-29")]),
        ("jiangsu", [(1, "2018-10-22 15:42:00"), (2, "2018-10-24"), (3, "2018-10-29")]),
        ("chengdu", [(1, "2018-10-23"), (2, "2018-10-24"), (3, "2018-10-29")]),
    ],
)
def test_a_case_climbs_the_published_ladder_in_one_notice(profile, tiers):
    """One notice a case: it takes each graver card, and is issued anew at its very instant."""
    town = Town(town_of(profile), only=CLOCKS)
    town.feed(town.event("c1", "accept", "2018-10-15 10:00:00"))
    for tier, day in tiers:
        at = day if len(day) > 10 else f"{day} 10:00:00"
        town.tick(at)
        notice = town.about("c1")
        assert (notice.tier, town.text(notice.issued_at)) == (tier, at)
    assert len(town.notices) == 1 and notice.issues == len(tiers)
    town.feed(town.event("c1", "close", "2018-10-30 10:00:00"))
    town.tick("2018-12-30 10:00:00")
    assert notice.state == "issued"  # it was late all the same
    assert {r for r, _ in town.unknown} == set()  # nobody asks before somebody has acted


@pytest.mark.parametrize(
    ("tier", "until", "want"),
    [
        (1, "2026-03-05 10:00:00", {"late_answer": 2}),
        (2, "2026-03-09 10:00:00", {"late_answer": 3, "unurged_alarm": 2}),
        (2, "2026-03-30 10:00:00", {"late_answer": 3, "unurged_alarm": 2, "unfinished_urge": 3}),
    ],
)
def test_silence_costs_a_tier(tier, until, want):
    town = Town(only=SUPERVISION)
    told = {"subject_kind": "case", "subject": "c1", "department": "D01", "tier": tier}
    town.feed(town.act("order", "n1", MONDAY, "L2", text="速办", **told))
    town.tick(until)
    assert {f.rule: f.tier for f in town.findings.values()} == want


def test_a_late_suspension_record_withdraws_the_notice_and_its_readers_hear_so():
    town = Town(only=CLOCKS)
    first_act(town, "2026-03-02 09:30:00")
    town.feed(town.event("c1", "accept", MONDAY))
    town.tick("2026-03-30 10:00:00")
    notice, accused = town.about("c1"), town.about("S1")
    assert notice.tier == 3 and accused.open
    at = "2026-03-30 11:00:00"
    suspend = town.event("c1", "suspend", at, procedure="hearing", days_granted=30)
    suspend.occurred_at = town.instant("2026-03-03 10:00:00")
    town.feed(suspend)
    town.tick("2026-03-30 11:00:01")
    assert town.told(notice)[-1] == f"{at} issued→withdrawn suspended (oriole)"
    assert town.heard(notice)[-2:] == [f"{at} S1 withdrawn", f"{at} H1 withdrawn"]
    assert accused.state == "withdrawn" and "corrected" in town.told(accused)[-1]


def test_reminders_are_lifted_when_the_case_ends_in_time_or_twenty_days_are_over():
    town = Town(only=CLOCKS)
    town.feed(town.event("c1", "accept", MONDAY), town.event("c2", "accept", MONDAY))
    town.tick("2026-03-10 10:00:00")
    town.feed(town.event("c1", "close", "2026-03-10 11:00:00"))
    town.tick("2026-03-10 11:00:01")
    assert town.told(town.about("c1"))[-1].endswith("issued→lifted finished_in_time (oriole)")
    town = Town(only=("off_hours",))
    town.feed(town.event("c3", "accept", "2026-03-02 20:00:00"))
    town.tick("2026-03-31 12:00:00")
    last = town.told(town.about("c3"))[-1]
    assert last == "2026-03-31 09:00:00 issued→lifted expired (oriole)"


def test_after_its_close_a_new_notice_begins_and_an_exempt_subject_gets_none():
    town = Town(only=FAST)
    first_act(town)
    fast(town)
    town.tick("2026-03-02 10:05:00")
    one = town.about("c1")
    until = {"reason": "网络结构", "until": "2026-06-01 00:00:00"}
    town.feed(town.act("exempt", one.notice_id, "2026-03-02 10:06:00", "L2", **until))
    town.feed(town.event("c1", "step", "2026-03-02 10:07:00", step="accept"))
    town.feed(town.event("c1", "step", "2026-03-02 10:07:05", step="survey"))
    town.tick("2026-03-02 10:08:00")
    other = town.about("c1")
    assert one.state == "exempted" and other.notice_id != one.notice_id
    assert town.told(other)[0].endswith("·→exempted subject_exempt (oriole)")
    assert town.heard(other) == []


def test_a_notice_that_begins_again_gives_out_no_number_twice():
    """A finding that stands again after its notice ended makes the same notice once more."""
    town = Town(only=FAST)
    desk, state = town.engine.notice_desk, town.state.notices
    at = town.instant(MONDAY)
    raised = Matter("f1", None, "r", 2, at, "case", "c1", "D01", "permit", None, "误", "wrong")
    sends, moves = [], []
    for n, matter in enumerate((raised, Matter("f1", "corrected"), Matter("f1", ""))):
        desk.hold_matter(state, at + n, matter)
        walked = desk.advance(state, at + n)
        sends += walked.sends
        moves += walked.moves
    assert [m.after for m in moves] == ["issued", "withdrawn", "issued"]
    assert len({m.notice_id for m in moves}) == 1
    assert len({s.message_id for s in sends}) == len(sends) == 9


def test_an_order_by_hand_takes_the_place_of_a_lesser_notice():
    town = Town(only=CLOCKS)
    town.feed(town.event("c1", "accept", MONDAY))
    town.tick("2026-03-10 10:00:00")
    reminder = town.about("c1")
    told = {"subject_kind": "case", "subject": "c1", "department": "D01", "tier": 3, "text": "速办"}
    town.feed(town.act("order", "byhand", "2026-03-10 10:30:00", "L2", **told))
    town.tick("2026-03-10 10:31:00")
    order = town.notices["byhand"]
    assert town.told(reminder)[-1].endswith("issued→superseded ordered (L2)")
    assert order.tier == 3 and list(order.findings) == list(reminder.findings)


def test_a_notice_without_recipient_goes_to_the_duty_officer_and_says_why():
    nobody = "person,name,role,department,phone,level\nL2,戊,supervisor,D09,13900000005,2\n"
    town = Town(town_of(people=nobody), only=FAST)
    fast(town)
    town.tick("2026-03-02 10:05:00")
    notice = town.about("c1")
    assert notice.recipients == ["L2"] and notice.orphan == "no_recipient"
    gone = '[[recipients.special]]\nto = ["S9"]\ndepartment = "D01"'
    town = Town(town_of(more=gone), only=FAST)
    fast(town)
    town.tick("2026-03-02 10:05:00")
    assert town.about("c1").recipients == ["L2"] and town.about("c1").orphan == "person_left"


def test_who_receives_is_the_districts_to_say():
    more = """[[recipients.special]]
to = ["P2"]
item = "permit"
[[recipients.special]]
to = ["H1"]
item = "permit"
tier = 2
"""
    town = Town(town_of(more=more), only=FAST)
    fast(town)
    town.tick("2026-03-02 10:05:00")
    assert town.about("c1").recipients == ["H1"] and town.about("c1").orphan == ""


def test_a_tier_that_people_release_waits_for_them():
    town = Town(town_of(more="[notices]\nby_hand_from_tier = 2"), only=FAST)
    fast(town)
    town.tick("2026-03-02 10:05:00")
    notice = town.about("c1")
    assert notice.state == "pending" and town.heard(notice) == ["2026-03-02 10:00:58 L2 pending"]
    town.feed(town.act("issue", notice.notice_id, "2026-03-02 11:00:00", "L2"))
    town.tick("2026-03-02 11:00:01")
    assert town.told(notice)[-1] == "2026-03-02 11:00:00 pending→issued released (L2)"
    assert town.text(notice.answer_by) == "2026-03-09 11:00:00"


BY_HAND = "[notices]\nby_hand_from_tier = 3"


def found(town: Town, name: str, tier: int, at: str) -> None:
    """A finding about c1 that is raised at an instant, and known then."""
    us = town.instant(at)
    one = Matter(name, None, "r", tier, us, "case", "c1", "D01", "permit", None, "误", "x")
    town.engine.notice_desk.hold_matter(town.state.notices, us, one)


def gone(town: Town, name: str, at: str) -> None:
    """A finding that was wrong, as is known from an instant on."""
    desk = town.engine.notice_desk
    desk.hold_matter(town.state.notices, town.instant(at), Matter(name, "corrected"))


def out_with_a_graver(town: Town, tier: int) -> Notice:
    """A notice of a tier (f0, f1 …) that is out, and a finding of tier 3 an hour later."""
    found(town, f"f{tier}", tier, MONDAY)
    town.tick("2026-03-02 10:00:01")
    notice = town.about("c1")
    found(town, "f3", 3, "2026-03-02 11:00:00")
    return notice


def raised(town: Town) -> Notice:
    """A notice of tier 2 that is out, and takes a finding of tier 3 an hour later."""
    notice = of_two_tiers(town)
    found(town, "f3", 3, "2026-03-02 11:00:00")
    town.tick("2026-03-02 11:00:01")
    assert (notice.state, notice.tier, notice.raise_to, notice.issues) == ("issued", 2, 3, 1)
    return notice


def test_a_raise_that_people_release_waits_and_the_notice_goes_on():
    town = Town(town_of(more=BY_HAND), only=FAST)
    notice = raised(town)
    limit = notice.answer_by
    assert town.told(notice)[-1].endswith("issued→issued raise_waits_for_release (oriole)")
    assert town.heard(notice)[-1] == "2026-03-02 11:00:00 L2 pending"
    town.feed(town.act("acknowledge", notice.notice_id, "2026-03-02 11:30:00"))
    town.feed(town.act("close", notice.notice_id, "2026-03-02 11:40:00", "L2"))
    town.tick("2026-03-03 10:59:59")
    assert town.told(notice)[-1].endswith("not_allowed: close (L2)") and notice.answer_by == limit
    town.tick("2026-03-03 11:00:00")
    assert town.told(notice)[-1].endswith("acknowledged→acknowledged not_released (oriole)")
    town.feed(town.act("issue", notice.notice_id, "2026-03-03 12:00:00", "L2"))
    town.tick("2026-03-03 12:00:01")
    assert (notice.tier, notice.raise_to, notice.issues) == (3, 0, 2)
    assert town.told(notice)[-1] == "2026-03-03 12:00:00 acknowledged→issued released (L2)"
    assert town.heard(notice)[-1] == "2026-03-03 12:00:00 H1 raised"
    town.feed(town.act("issue", notice.notice_id, "2026-03-03 13:00:00", "L2"))
    town.tick("2026-03-03 13:00:01")
    assert town.told(notice)[-1].endswith("not_allowed: issue (L2)") and notice.issues == 2


def test_a_raise_is_gone_with_its_finding():
    town = Town(town_of(more=BY_HAND), only=FAST)
    notice = raised(town)
    gone(town, "f3", "2026-03-02 11:30:00")
    town.tick("2026-03-02 12:00:00")
    assert (notice.tier, notice.raise_to, notice.release_by) == (2, 0, NEVER)
    assert [line.split()[3] for line in town.told(notice)[-2:]] == ["raise_gone", "finding_gone:"]


def test_what_is_said_of_a_raise_is_said_once():
    town = Town(town_of(more=BY_HAND), only=FAST)
    notice = raised(town)
    town.feed(town.act("answer", notice.notice_id, "2026-03-03 10:30:00", text="已核实"))
    town.feed(town.act("reject", notice.notice_id, "2026-03-03 16:00:00", "L2", text="不实"))
    town.tick("2026-03-04 09:00:00")
    assert sum("not_released" in line for line in town.told(notice)) == 1
    stamps = [line[:19] for line in town.told(notice)]
    assert stamps == sorted(stamps)


def test_an_urge_that_reaches_the_raise_ends_it():
    town = Town(town_of(more="[notices]\nby_hand_from_tier = 2"), only=FAST)
    found(town, "f1", 1, MONDAY)
    town.tick("2026-03-02 10:00:01")
    found(town, "f2", 2, "2026-03-02 11:00:00")
    town.tick("2026-03-02 11:00:01")
    notice = town.about("c1")
    assert (notice.tier, notice.raise_to) == (1, 2)
    town.feed(town.act("urge", notice.notice_id, "2026-03-02 11:30:00", "L2", text="速办"))
    town.tick("2026-03-02 11:30:01")
    assert (notice.tier, notice.raise_to, notice.release_by) == (2, 0, NEVER)


def test_an_order_in_its_place_keeps_the_raise_waiting():
    town = Town(town_of(more=BY_HAND), only=FAST)
    found(town, "f1", 1, MONDAY)
    town.tick("2026-03-02 10:00:01")
    found(town, "f3", 3, "2026-03-02 11:00:00")
    town.tick("2026-03-02 11:00:01")
    first = town.about("c1")
    town.feed(
        town.act(
            "order", "n9", "2026-03-02 11:30:00", "L2", subject_kind="case", subject="c1",
            department="D01", tier=2, text="速办",
        )
    )  # fmt: skip
    town.tick("2026-03-02 11:30:01")
    notice = town.about("c1")
    assert (notice.tier, notice.raise_to) == (2, 3) and notice.notice_id != first.notice_id
    assert (first.state, first.raise_to) == ("superseded", 0)
    desk = town.engine.notice_desk
    assert desk.deadlines.next_at(first, True) == NEVER


def test_a_reminder_whose_raise_goes_late_is_lifted_at_once():
    town = Town(town_of(more=BY_HAND), only=FAST)
    notice = out_with_a_graver(town, 0)
    town.tick("2026-05-08 10:00:00")
    gone(town, "f3", "2026-05-08 11:00:00")
    town.tick("2026-05-08 11:00:01")
    assert (notice.state, town.told(notice)[-1][:19]) == ("lifted", "2026-05-08 11:00:00")


def test_an_accepted_notice_that_a_raise_kept_open_closes_with_it():
    town = Town(town_of(more=BY_HAND), only=FAST)
    notice = out_with_a_graver(town, 1)
    town.feed(town.act("answer", notice.notice_id, "2026-03-02 11:10:00", text="已核实"))
    town.feed(town.act("accept", notice.notice_id, "2026-03-02 11:20:00", "L2"))
    gone(town, "f3", "2026-03-02 11:30:00")
    town.tick("2026-03-02 11:30:01")
    assert notice.state == "closed"


def test_a_mere_reminder_with_a_raise_that_waits_is_not_lifted():
    town = Town(town_of(more=BY_HAND), only=FAST)
    notice = out_with_a_graver(town, 0)
    town.tick("2026-05-08 10:00:00")
    assert notice.open and (notice.tier, notice.raise_to) == (0, 3)


def test_a_muted_notice_is_issued_when_the_mute_ends():
    town = Town(town_of(channels=MUTE), only=FAST)
    fast(town)
    town.tick("2026-03-03 10:05:00")
    notice = town.about("c1")
    assert notice.state == "muted" and town.heard(notice) == []
    town.tick("2026-03-04 09:00:00")
    assert town.told(notice) == [
        "2026-03-02 10:00:58 ·→muted muted (oriole)",
        "2026-03-04 09:00:00 muted→issued mute_ended (oriole)",
    ]
    assert town.heard(notice) == ["2026-03-04 09:00:00 S1 issued", "2026-03-04 09:00:00 H1 issued"]


def test_a_muted_notice_of_a_tier_that_people_release_waits_for_them_when_the_mute_ends():
    town = Town(town_of(channels=MUTE, more="[notices]\nby_hand_from_tier = 2"), only=FAST)
    fast(town)
    town.tick("2026-03-04 09:00:00")
    notice = town.about("c1")
    assert town.told(notice)[1] == "2026-03-04 09:00:00 muted→pending waits_for_release (oriole)"
    assert town.heard(notice) == ["2026-03-04 09:00:00 L2 pending"]


def of_two_tiers(town: Town) -> Notice:
    """A notice that holds a finding of tier 2 (f1) and one of tier 1 (f2)."""
    found(town, "f1", 2, MONDAY)
    found(town, "f2", 1, MONDAY)
    town.tick("2026-03-02 10:00:01")
    return town.about("c1")


@pytest.mark.parametrize("more", ["", "[notices]\nby_hand_from_tier = 2"])
def test_a_notice_nobody_was_told_of_may_lose_its_gravest_finding(more):
    town = Town(town_of(channels="" if more else MUTE, more=more), only=FAST)
    notice = of_two_tiers(town)
    heard, waits = town.heard(notice), notice.waits
    gone(town, "f1", "2026-03-02 11:00:00")
    town.tick("2026-03-02 12:00:00")
    assert notice.tier == 1 and notice.waits == waits < NEVER and town.heard(notice) == heard
    town.tick("2026-03-04 09:00:00")
    assert notice.state == ("pending" if more else "issued")


def test_an_answer_still_waits_for_its_review_when_the_gravest_finding_is_gone():
    town = Town(only=FAST)
    notice = of_two_tiers(town)
    town.feed(town.act("answer", notice.notice_id, "2026-03-02 10:30:00", text="已核实"))
    gone(town, "f1", "2026-03-02 11:00:00")
    town.tick("2026-03-02 12:00:00")
    assert (notice.state, notice.tier) == ("answered", 1)
    town.tick(town.text(notice.waits))
    assert town.told(notice)[-1].endswith("answered→answered not_reviewed (oriole)")


def another_calendar(town: Town, off: str, at: str) -> None:
    """These days are off, as is known from an instant on."""
    later = town_of(calendar=f"off = {off}")
    engine = Engine(later, configure(load_shelf(), later))
    town.state, effects = engine.adopt(town.engine, town.state, town.instant(at))
    town.engine = engine
    town.take(effects)


def test_a_changed_calendar_moves_no_limit_that_people_set_or_kept():
    town = Town(only=FAST)
    fast(town)
    town.tick("2026-03-02 10:02:00")
    notice, day = town.about("c1"), "2026-03-27 17:30:00"
    told = {"text": "速办", "until": day}
    town.feed(town.act("urge", notice.notice_id, "2026-03-03 10:00:00", "L2", **told))
    town.tick("2026-03-03 10:01:00")
    assert {s.notice.answer_by for s in town.sends if s.occasion == "urged"} == {town.instant(day)}
    finish = notice.finish_by
    town.feed(town.act("answer", notice.notice_id, "2026-03-04 10:00:00", text="已核实"))
    town.feed(town.act("reject", notice.notice_id, "2026-03-05 10:00:00", "L2", text="不实"))
    town.tick("2026-03-05 10:01:00")
    assert notice.finish_by == finish and notice.answer_by == town.instant("2026-03-12 10:00:00")
    another_calendar(town, '["2026-02-26"]', "2026-03-05 11:00:00")
    assert notice.finish_by == finish and notice.answer_by == town.instant("2026-03-12 10:00:00")
    town.feed(town.act("urge", notice.notice_id, "2026-03-06 10:00:00", "L2", **told))
    town.tick("2026-03-06 10:01:00")
    another_calendar(town, '["2026-02-27"]', "2026-03-06 11:00:00")
    assert notice.answer_by == town.instant(day)


def test_without_any_act_nothing_escalates_and_nobody_can_say_who_was_silent():
    town = Town(only=FAST)
    fast(town)
    end = "2026-05-02 10:00:00"
    town.tick(end)
    notice = town.about("c1")
    assert town.told(notice) == ["2026-03-02 10:00:58 ·→issued automatic (oriole)"]
    effects, unknown = Effects(), {(r, "no_acts") for r in SUPERVISION}
    town.engine.conclude_notices(town.state.notices, town.instant(end), effects)
    assert {(u.rule, u.reason) for u in effects.undetermined} == unknown
    town = Town(only=FAST)
    fast(town)
    first_act(town, "2026-05-02 11:00:00")
    town.tick("2026-05-02 11:00:01")
    assert sorted(town.unknown) == sorted((r, "no_acts") for r in SUPERVISION)
    assert not any(f.rule in SUPERVISION for f in town.findings.values())


def test_a_corrected_calendar_redates_open_deadlines_and_withdraws_what_it_clears():
    town = Town(only=FAST)
    first_act(town)
    fast(town)
    town.tick("2026-03-09 11:00:00")
    notice, accused = town.about("c1"), town.about("S1")
    assert accused.open and len(accused.findings) == 2
    another_calendar(town, '["2026-03-04", "2026-03-05"]', "2026-03-09 11:30:00")
    assert town.text(notice.answer_by) == "2026-03-11 10:00:58"
    assert accused.state == "withdrawn" and town.told(accused)[-1].endswith(
        "limit_changed (oriole)"
    )
    assert notice.state == "issued"
    town.tick("2026-03-11 10:00:58")
    assert town.about("S1").open and town.about("S1").notice_id != accused.notice_id


# --- laws ----------------------------------------------------------------------------------------


class Fed:
    """A stream judged in batches: what its notices came to."""

    def __init__(self, engine: Engine, inputs: list[Event | Fact], cuts: list[int], dump: bool):
        self.lines: dict[str, bytes] = {}
        self.history: list[Any] = []
        self.matters = Matters()
        state = engine.new_state(Words())
        kept: dict[str, list[Event]] = {}
        for begin, end in pairwise([0, *cuts, len(inputs)]):
            some = inputs[begin:end]
            events = [one for one in some if isinstance(one, Event)]
            facts = [one for one in some if isinstance(one, Fact)]
            words = state.cases.words
            batch = from_events(events, words, facts=facts)
            timelines = {
                words.case.code(c): from_events(kept[c], words)
                for c in {e.case_id for e in events if e.supersedes} & kept.keys()
            }
            if dump:
                state.notices = NoticeState.load(state.notices.dump())
            state, effects = engine.step(state, batch, timelines)
            for event, good in zip(events, effects.kept.tolist(), strict=True):
                if good:
                    kept.setdefault(event.case_id, []).append(event)
            walked = effects.notices
            self.lines |= {i: canonical(n) for i, n in walked.touched.items()}
            self.history += walked.moves
            pairs = zip(effects.moves, effects.known, strict=True)
            mine = [m for m in pairs if getattr(m[0], "rule", "") not in SUPERVISION]
            moves = [m for m, _ in mine]
            known = [k for _, k in mine]
            self.matters.hold(engine.notice_desk, moves, known)
            for codes, received in effects.closed:
                names = map(str, words.case.texts(codes))
                self.matters.closed += zip(received.tolist(), names, strict=True)


def stream_with_acts(seed: int) -> tuple[Engine, list[Event | Fact]]:
    """A random stream, and acts of people on the notices that it causes."""
    rng = random.Random(seed)
    how, events = random_stream(rng)
    district = district_of(how)
    told = {f: getattr(district, f) for f in district.__dataclass_fields__}
    told["people"] = town_of().people | {"S1": town_of().people["S1"]}
    engine = Engine(type(district)(**told), configure(load_shelf(), district))
    named = [e for e in events if isinstance(e, Event)]
    for n, one in enumerate(named):
        one.event_id = one.event_id or f"x{n}"
    last = max(e.received_at for e in events)
    end = last + 40 * 86_400_000_000
    tick = Fact(kind="tick", received_at=end, fields={"at": end})
    inputs = sorted([*events, tick], key=lambda e: e.received_at)
    found = Fed(engine, inputs, [], False)
    acts: list[Event | Fact] = []
    for n, notice in enumerate(sorted(found.lines)):
        at = next(m.at for m in found.history if m.notice_id == notice)
        for k in range(rng.randint(0, 4)):
            at += rng.randint(0, 8 * 86_400_000_000)
            act = rng.choice([*ACTS])
            fields = {
                "act_id": f"a{n}.{k}", "notice_id": notice, "act": act, "at": at,
                "actor": rng.choice(["S1", "L2"]), "text": "x", "reason": "x", "person": "P1",
                "decision": rng.choice([*DECISIONS]), "until": at + 10**12,
            }  # fmt: skip
            if at < end:
                acts.append(Fact(kind="act", received_at=at, fields=fields))
    return engine, sorted([*inputs, *acts], key=lambda e: (e.received_at, e is tick))


@pytest.mark.parametrize("seed", range(12))
def test_no_cut_restart_or_replay_changes_a_notice(seed):
    engine, inputs = stream_with_acts(seed)
    whole = Fed(engine, inputs, [], False)
    assert whole.lines
    rng = random.Random(seed)
    for cuts in (
        sorted(rng.sample(range(len(inputs)), min(9, len(inputs)))),
        [*range(1, len(inputs))],
    ):
        cut = Fed(engine, inputs, cuts, True)
        assert cut.lines == whole.lines
        assert _by_notice(cut.history) == _by_notice(whole.history)
    facts = [one for one in inputs if isinstance(one, Fact) and one.kind == "act"]
    led = lead(engine, whole.matters, facts, inputs[-1].received_at)
    assert {n.notice_id: n.canonical for n in led.lines} == whole.lines


def _by_notice(history: list[Any]) -> dict[str, list[Any]]:
    told: dict[str, list[Any]] = {}
    for move in history:
        told.setdefault(move.notice_id, []).append(move)
    return told


@pytest.mark.parametrize("seed", range(12))
def test_every_open_notice_has_a_next_instant_and_every_move_a_reason(seed):
    engine, inputs = stream_with_acts(seed)
    state = engine.new_state(Words())
    events = [one for one in inputs if isinstance(one, Event) and not one.supersedes]
    facts = [one for one in inputs if isinstance(one, Fact)]
    batch = from_events(events, state.cases.words, facts=facts)
    state, effects = engine.step(state, batch)
    acts = state.notices.asked
    for notice in state.notices.notices.values():
        assert notice.open and engine.notice_desk.deadlines.next_at(notice, acts) < NEVER
    assert all(move.reason and move.actor for move in effects.notices.moves)
    for found, name in state.notices.of_finding.items():
        assert found in state.notices.notices[name].findings


def test_the_law_of_cuts_sees_a_desk_that_walks_too_early():
    engine, inputs = stream_with_acts(3)
    whole = Fed(engine, inputs, [], False)
    walk = engine.notice_desk.advance
    engine.notice_desk.advance = lambda state, upto: walk(state, NEVER - 1)  # type: ignore
    early = Fed(engine, inputs, [*range(1, len(inputs))], False)
    assert early.lines != whole.lines


def test_the_same_cause_makes_the_same_notice():
    assert notice_id("case", "c1", "f") == notice_id("case", "c1", "f")
    assert len({notice_id(k, s, f) for k in "ab" for s in "ab" for f in "ab"}) == 8
