"""Each stage by itself: who goes on, and the named reason of everybody else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from delivery_kit import (
    DAY,
    HOOK,
    HOUR,
    MAIL,
    MINUTE,
    MONDAY,
    OTHER,
    PEOPLE,
    ROBOT,
    SMS,
    district,
    facts,
    row,
)

from detector.channels import ChannelSettings, DeliverySettings, Route, Silence
from detector.delivery.caps import Caps
from detector.delivery.exempt import exempt
from detector.delivery.gate import gate
from detector.delivery.group import digest_id, group, words
from detector.delivery.inhibit import age, inhibit
from detector.delivery.limit import limit
from detector.delivery.mute import mute
from detector.delivery.outbox import SENDING, Row, Submit
from detector.delivery.passing import Facts, Gate, Passing, is_duty, root_of
from detector.delivery.quiet import opens, quiet
from detector.delivery.route import address, best_route, route
from detector.delivery.send import AGAIN_S, again_us, send
from detector.delivery.stages import STAGES, passed

SUNDAY = MONDAY - DAY


def run(stage: Any, rows: list[Row], told: Facts) -> tuple[list[str], dict[str, Any], Passing]:
    """Who goes on, and what becomes of the others: reason of a drop, else (instant, reason)."""
    out = Passing(told.now_us)
    on = [one.message_id for one in stage(rows, told, out)]
    gone: dict[str, Any] = {one.message_id: reason for one, reason in out.dropped}
    for move in out.write.moved:
        if move.after.due_us is not None:
            gone[move.after.message_id] = (move.after.due_us, move.after.reason)
    return on, gone, out


# -- route ---------------------------------------------------------------------------------------


def test_one_channel_is_chosen():
    out = Passing(MONDAY)
    (mine,) = route([row()], facts(), out)
    assert mine.channel == "sms" and not out.write
    (systems,) = route([row(person="*")], facts(), out)
    assert systems.channel == "hook"


def test_each_kind_finds_a_person_by_his_own_number_or_address():
    """P1 has a phone and no address, P2 both: a letter is no reason to send no message."""
    on, _, out = run(route, [row(), row("n2.1", person="P2")], facts(district(SMS, MAIL)))
    assert on == ["n1.1"]
    assert [(c.row.message_id, c.row.channel) for c in out.copies] == [("n2.1~mail", "mail")]
    assert address(PEOPLE["P2"], "mail") == "p2@example.gov.cn"
    assert address(PEOPLE["P2"], "smpp") == PEOPLE["P2"].phone


def test_several_channels_have_a_message_each():
    on, _, out = run(route, [row()], facts(district(SMS, OTHER, HOOK)))
    assert on == [] and out.held == 1 and out.look_us == MONDAY
    assert [m.after.channel for m in out.write.moved] == ["sms"]
    assert [(c.row.message_id, c.row.channel, c.source) for c in out.copies] == [
        ("n1.1~sms2", "sms2", "n1.1")
    ]


@pytest.mark.parametrize(
    ("told", "place", "reason"),
    [
        ({"person": "P3"}, district(), "no_phone"),
        ({"person": "P3"}, district(SMS, MAIL), "no_phone"),
        ({"person": "P3"}, district(MAIL), "no_address"),
        ({"person": "P4"}, district(), "person_left"),
        ({}, district(SMS, routes=(Route(("gone",)),)), "channel_unknown"),
        ({}, district(SMS, routes=(Route(("sms",), tiers=(3,)),)), "no_route"),
    ],
)
def test_who_cannot_be_reached_is_told_of_to_the_duty_officer(told, place, reason):
    on, gone, out = run(route, [row(**told)], facts(place))
    assert on == [] and gone == {"n1.1": f"readdressed: {reason}"}
    (mine,) = out.copies
    assert (mine.row.message_id, mine.row.person, mine.row.reason) == ("n1.1!duty", "Z", reason)
    assert mine.row.channel is None and mine.row.due_us == MONDAY
    assert mine.before.startswith("未能送达") and reason not in mine.before


def test_it_is_readdressed_once_and_then_said_aloud():
    for duty in ("P4", "", "P3"):
        lost = row("n1.1!duty" if duty else "n1.1", person=duty or "P3")
        on, gone, out = run(route, [lost], facts(duty=duty))
        assert on == [] and gone == {lost.message_id: "no_channel"}
        assert [one.message_id for one, _ in out.loud] == [lost.message_id] and not out.copies


def test_what_a_group_reads_is_no_loss():
    assert run(route, [row()], facts(district(ROBOT)))[1] == {"n1.1": "broadcast_only"}
    assert run(route, [row(person="*")], facts(district(SMS)))[1] == {"n1.1": "no_listener"}
    assert run(route, [row(person="*")], facts(district(SMS)))[2].loud == []


def test_a_channel_that_is_gone_is_replaced_unless_another_message_uses_it():
    old = row(channel="mail", attempts=2)
    (mine,) = route([old], facts(district(SMS, OTHER)), Passing(MONDAY))
    assert (mine.channel, mine.attempts) == ("sms", 2)
    told = facts(district(SMS), used={"n1.1": frozenset({"sms"})})
    assert run(route, [old], told)[1] == {"n1.1": "channel_gone"}


def test_the_most_specific_route_wins_and_of_equals_the_last():
    routes = (
        Route(("a",)), Route(("b",), tiers=(1, 2)), Route(("c",), tiers=(1,), departments=("D1",)),
        Route(("d",), persons=("P1",), levels=(1,)), Route(("e",), occasions=("digest",)),
    )  # fmt: skip
    ways = district(SMS, routes=routes).channels
    for told, want in (
        ({}, "d"), ({"person": "P2"}, "c"), ({"person": "P2", "department": "D2"}, "b"),
        ({"person": "P2", "tier": 3}, "a"),
        ({"person": "P2", "tier": 3, "occasion": "digest"}, "e"),
    ):  # fmt: skip
        found = best_route(ways, row(**told))
        assert found is not None and found.channels == (want,), told


def test_the_dry_run_needs_no_number():
    (mine,) = route([row(person="P3")], facts(district(ChannelSettings("log", "log"))), Passing(0))
    assert mine.channel == "log"


# -- exempt --------------------------------------------------------------------------------------


def test_what_is_over_is_not_told():
    told = facts(endings={"n1": "withdrawn"}, told=frozenset({("n2", "P1"), ("n1", "P2")}))
    rows = [
        row("n1.1"), row("n1.2", occasion="reminder"), row("n3.1"),
        row("n1.3", occasion="withdrawn"), row("n1.4", occasion="withdrawn", person="P2"),
        row("n2.2", occasion="closed"), row("digest-1", notice_id="", occasion="digest"),
    ]  # fmt: skip
    on, gone, out = run(exempt, rows, told)
    assert on == ["n3.1", "n1.4", "n2.2", "digest-1"]
    assert gone == {"n1.1": "notice_closed", "n1.2": "notice_closed", "n1.3": "never_told"}
    assert out.copies == []


def test_the_duty_officer_hears_of_the_end_of_what_was_readdressed():
    told = facts(told=frozenset({("n1", "Z")}))
    on, gone, out = run(exempt, [row("n1.3", occasion="lifted", person="P3")], told)
    assert on == [] and gone == {"n1.3": "never_told"}
    assert [c.row.message_id for c in out.copies] == ["n1.3!duty"]


# -- mute and inhibit ----------------------------------------------------------------------------


def test_a_mute_holds_what_fits_until_it_ends():
    mutes = (
        Silence("换系统", MONDAY, MONDAY + HOUR, departments=("D1",)),
        Silence("演练", MONDAY - HOUR, MONDAY + MINUTE, persons=("P1",), tiers=(1,)),
        Silence("过去", MONDAY - HOUR, MONDAY),
    )
    rows = [row("a.1"), row("b.1", person="P2"), row("c.1", person="P2", department="D2")]
    on, gone, _ = run(mute, rows, facts(district(mutes=mutes)))
    assert on == ["c.1"]
    assert gone == {
        "a.1": (MONDAY + MINUTE, "muted: 演练"), "b.1": (MONDAY + HOUR, "muted: 换系统"),
    }  # fmt: skip


def test_the_newest_of_the_machine_overtakes_and_people_are_always_heard():
    rows = [
        row("n1.9"), row("n1.10", occasion="reminder"), row("n1.2", occasion="urged"),
        row("n1.3", person="P2"), row("n1.4", channel="sms2"), row("n2.1"),
        row("n1.11", occasion="withdrawn", at_us=MONDAY - 1),
    ]  # fmt: skip
    on, gone, _ = run(inhibit, rows, facts())
    assert gone == {"n1.9": "overtaken"}
    assert on == ["n1.10", "n1.2", "n1.3", "n1.4", "n2.1", "n1.11"]
    assert age(row("n1.10~sms")) == age(row("n1.10!duty")) == (MONDAY, 10)


# -- quiet ---------------------------------------------------------------------------------------

NIGHT = MONDAY + 14 * HOUR  # 23:00
MORNING = MONDAY + 22 * HOUR + 30 * MINUTE  # 07:30 on Tuesday


def test_at_night_only_what_is_grave_is_sent():
    rows = [row("a.1", channel="sms"), row("b.1", channel="sms", tier=3),
            row("c.1", channel="hook", person="*")]  # fmt: skip
    on, gone, _ = run(quiet, rows, facts(now_us=NIGHT))
    assert on == ["b.1", "c.1"] and gone == {"a.1": (MORNING, "quiet")}
    assert run(quiet, rows, facts(now_us=MORNING))[0] == ["a.1", "b.1", "c.1"]
    assert run(quiet, rows, facts(now_us=MORNING - 1))[0] == ["b.1", "c.1"]


@pytest.mark.parametrize(
    ("now", "settings", "want"),
    [
        (MONDAY, {}, MONDAY),
        (NIGHT, {}, MORNING),
        (MONDAY - 8 * HOUR, {}, MONDAY - 90 * MINUTE),  # 01:00, the same day
        (SUNDAY, {}, MONDAY - 90 * MINUTE),  # a day off, till 07:30 on Monday
        (SUNDAY, {"on_days_off": True}, SUNDAY),
        (MONDAY, {"quiet": ((0, 24 * 60),)}, MONDAY),  # never: at once, for it would be lost
        (MONDAY, {"quiet": ((540, 600), (600, 660))}, MONDAY + 2 * HOUR),
        (NIGHT, {"quiet": ()}, NIGHT),
        (MONDAY - 15 * DAY, {}, MONDAY - 6 * DAY - 90 * MINUTE),  # the Spring Festival of 2026
    ],
)
def test_when_people_may_be_disturbed(now, settings, want):
    assert opens(now, DeliverySettings(**settings), district().calendar) == want


# -- group ---------------------------------------------------------------------------------------


def many(count: int, **told: Any) -> list[Row]:
    """Rows of one person."""
    return [row(f"n{k:03}.1", channel="sms", **told) for k in range(count)]


def test_few_go_alone_and_many_as_one():
    assert len(run(group, many(3), facts())[0]) == 3
    rows = many(4)
    on, _, out = run(group, rows, facts())
    assert on == []
    (added,) = out.write.added
    assert added.row.message_id == digest_id([one.message_id for one in rows])
    assert (added.row.person, added.row.channel, added.row.occasion) == ("P1", "sms", "digest")
    assert {m.after.state for m in out.write.moved} == {"grouped"} and len(out.write.moved) == 4
    assert {m.after.digest_id for m in out.write.moved} == {added.row.message_id}
    assert "4件待办" in added.text and added.row.due_us == MONDAY


def test_a_digest_is_of_one_person_channel_tier_and_kind():
    rows = [
        *many(3), row("x.1", channel="sms", tier=2), row("x.2", channel="sms2"),
        row("x.3", channel="sms", person="P2"), row("x.4", channel="sms", occasion="withdrawn"),
        row("x.5", channel="sms", attempts=1), row("d", channel="sms", occasion="digest"),
    ]  # fmt: skip
    on, _, out = run(group, rows, facts(district(SMS, OTHER)))
    assert sorted(on) == sorted(one.message_id for one in rows) and not out.write
    hooks = [msgspec.structs.replace(one, channel="hook", person="*") for one in many(9)]
    assert len(run(group, hooks, facts())[0]) == 9


def test_a_flood_is_waited_out():
    """With a wait: until none has come for so long, and never beyond a minute."""
    place = district(group_wait_s=2)
    on, _, out = run(group, many(5), facts(place))
    assert (on, out.held, out.look_us) == ([], 5, MONDAY + 2_000_000) and not out.write
    later = facts(place, MONDAY + 2_000_000)
    assert len(run(group, many(5), later)[2].write.added) == 1
    assert (
        run(group, [*many(5), row("z.1", channel="sms", due_us=later.now_us)], later)[2].held == 6
    )
    old = many(5, due_us=MONDAY - 60_000_000)
    assert len(run(group, [*old, row("z.1", channel="sms")], facts(place))[2].write.added) == 1


def test_the_first_of_a_flood_may_have_gone_alone():
    caps = Caps()
    caps.add([Submit(MONDAY - 500_000, "P1", "sms")] * 2)
    place = district(group_wait_s=2)
    assert run(group, many(2), facts(place, caps=caps))[2].held == 2
    assert len(run(group, many(1), facts(place, caps=caps))[0]) == 1
    assert len(run(group, many(2), facts(place, MONDAY + 2_000_000, caps=caps))[0]) == 2


def test_a_digest_says_how_many_which_tier_and_the_gravest():
    tiers = district().ladder.tiers
    rows = [row(f"n{k}.1", subject=f"{tiers[1].zh}：办件c{k}", at_us=MONDAY + k) for k in range(5)]
    rows.append(row("x.1", subject=f"{tiers[1].zh}：部门D1", level=2, at_us=MONDAY + 9))
    subject, text = words(rows, tiers)
    assert subject == f"{tiers[1].zh}汇总：6件待办"
    assert text == f"{tiers[1].zh}汇总：6件待办，包括部门D1；办件c0；办件c1等。"
    ended = [row(f"n{k}.1", occasion="withdrawn", subject=f"办件c{k}") for k in range(2)]
    assert words(ended, tiers)[1] == f"{tiers[1].zh}汇总：2件已办结或撤销，包括办件c0；办件c1。"


# -- gate, limit, send ---------------------------------------------------------------------------


def test_a_closed_gate_puts_off_and_lets_one_try():
    rows = [row("a.1", channel="sms"), row("b.1", channel="sms"), row("c.1", channel="sms2")]
    shut = facts(gates={"sms": Gate(0, MONDAY + 30)})
    assert run(gate, rows, shut)[:2] == (
        ["c.1"], {"a.1": (MONDAY + 30, "channel_open"), "b.1": (MONDAY + 30, "channel_open")},
    )  # fmt: skip
    ajar = facts(gates={"sms": Gate(1, MONDAY + 9)})
    assert run(gate, rows, ajar)[:2] == (["a.1", "c.1"], {"b.1": (MONDAY + 9, "channel_open")})


def test_caps_put_off_to_the_instant_at_which_there_is_room():
    caps = Caps()
    caps.add([Submit(MONDAY - HOUR + MINUTE, "P1", "sms"), Submit(MONDAY - MINUTE, "P1", "sms")])
    place = district(recipient_per_hour_max=2, recipient_per_day_max=50)
    rows = [row(f"{name}.1", channel="sms", tier=2 if name == "b" else 1) for name in "abc"]
    on, gone, _ = run(limit, rows, facts(place, caps=caps))
    assert on == []
    assert gone == {
        "b.1": (MONDAY + MINUTE, "recipient_cap"),  # the graver first
        "a.1": (MONDAY + HOUR - MINUTE, "recipient_cap"),
        "c.1": (MONDAY + HOUR + MINUTE, "recipient_cap"),
    }
    assert caps.since("p:P1", 0) == 2  # planning is no sending


def test_the_day_and_the_gateway_have_caps_of_their_own():
    day = district(recipient_per_hour_max=99, recipient_per_day_max=3)
    caps = Caps()
    caps.add(Submit(MONDAY - k * HOUR, "P1", "sms") for k in (20, 5, 1))
    gone = run(limit, [row(channel="sms")], facts(day, caps=caps))[1]
    assert gone == {"n1.1": (MONDAY + 4 * HOUR, "recipient_cap")}
    slow = district(ChannelSettings("robot", "wecom", 2))
    rows = [row(f"{name}.1", person="*", channel="robot") for name in "abcde"]
    on, gone, _ = run(limit, rows, facts(slow))
    assert on == ["a.1", "b.1"]
    assert [gone[f"{n}.1"] for n in "cde"] == [
        (MONDAY + MINUTE, "gateway_cap"), (MONDAY + MINUTE, "gateway_cap"),
        (MONDAY + 2 * MINUTE, "gateway_cap"),
    ]  # fmt: skip


def test_what_lacks_a_connection_is_held_and_what_jumped_is_forgotten():
    on, gone, out = run(limit, many(5), facts(room={"sms": 2}))
    assert len(on) == 2 and gone == {} and out.held == 3
    caps = Caps()
    caps.add([Submit(MONDAY + DAY, "P1", "sms"), Submit(MONDAY - 2 * DAY, "P1", "sms")])
    caps.forget(MONDAY)
    assert caps.since("p:P1", 0) == caps.since("c:sms", 0) == 0


def test_an_attempt_is_written_down_before_it_begins():
    _, _, out = run(send, [row(channel="sms", attempts=2)], facts())
    (move,) = out.write.moved
    assert (move.before.attempts, move.after.attempts, move.after.state) == (2, 3, SENDING)
    assert (move.after.due_us or 0) > MONDAY + 30_000_000
    assert [(a.verdict, a.channel) for a in out.write.attempts] == [("begun", "sms")]
    assert out.begun == [move.after]


def test_retries_come_at_their_stages_with_jitter_that_repeats():
    waits = [[again_us(f"m{k}", n) / 1e6 for k in range(200)] for n in range(1, 9)]
    for n, some in enumerate(waits):
        stage = AGAIN_S[min(n, 5)]
        assert 0.8 * stage <= min(some) < 0.83 * stage and 1.17 * stage < max(some) <= 1.2 * stage
    assert again_us("m", 1) == again_us("m", 1) != again_us("m", 2)
    assert again_us("m", 1, retry_after_s=600) == 600_000_000


def test_the_stages_in_their_order():
    names = [stage.__name__ for stage in STAGES]
    assert names == "route exempt mute inhibit quiet group gate limit send".split()
    out = passed([row("a.1"), row("b.1", person="*")], facts())
    assert [one.channel for one in out.begun] == ["sms", "hook"]


def test_names_of_what_is_made_of_a_message():
    for name in ("n.1", "n.1~sms", "n.1!duty", "n.1!duty~sms"):
        assert root_of(name) == "n.1" and is_duty(name) == ("duty" in name)
    assert "Z" in PEOPLE and HOOK.kind == "webhook"
