"""Rules over facts: what a district sets for some of its departments, and what a change does to
matters that go on (docs/judging.md §8)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from live_kit import Live, county, edited, event
from test_change import resumed, tick, with_rules
from test_facts_runs import STORY, TICK, lived

from detector.district import district_from
from detector.ledger.content import Content
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.shelf import configure, load_shelf
from detector.tomlfile import DistrictError
from replay.verify import verify

BEGUN = "2026-03-02T10:00:00"


@pytest.fixture(scope="module")
def content() -> Content:
    return county()


@pytest.fixture
def live(content):
    one = Live(content=content)
    yield one
    one.stop()
    assert not one.failures


def complaint(name: str = "v1", received: str = BEGUN, department: str = "D01", **more: Any):
    at = more.pop("at", received)
    return {
        "kind": "complaint", "fact_id": name, "received_at": f"{at}+08:00",
        "department": department, "received_on": f"{received}+08:00",
    } | more  # fmt: skip


def ask(rule: str, **sets: str) -> str:
    """An override, as a district writes it; `bands` are tables of their own."""
    bands = [
        f"[rules.{rule}.override.bands.{k[6:]}]\n{sets.pop(k)}"
        for k in list(sets)
        if k.startswith("bands_")
    ]
    lines = [f"[[rules.{rule}.override]]", *(f"{k} = {v}" for k, v in sets.items())]
    return "\n".join([*lines, 'reason = "agreed"', 'approved_by = "the office"', *bands])


def raised(live: Live, rule: str) -> list[tuple]:
    """(department, code, local time, tier) of what stands."""
    some = [f for f in live.findings().values() if f.rule == rule and f.stands]
    return sorted((f.department, f.reason.code, f.at[:16], f.tier) for f in some)


def cards(live: Live, voice: str) -> list[tuple]:
    """(code, local time, why withdrawn) of a complaint's findings."""
    some = [f for f in live.findings().values() if f.subject == voice]
    told = [(f.reason.code, f.at[:16], f.withdrawn and f.withdrawn.reason) for f in some]
    return sorted(told, key=str)


def sums(live: Live) -> list[tuple]:
    """(item, value, limit) of the gaps that stand."""
    gaps = [f for f in live.findings().values() if f.rule == "treasury_gap" and f.stands]
    return sorted((f.item, f.value, f.limit) for f in gaps)


# -- overrides ------------------------------------------------------------------------------------


def test_a_department_may_answer_complaints_later(content):
    late = ask("overdue_complaint", department='"D02"', limit_wd="10")
    live = Live(content=with_rules(content, late))
    live.post(complaint(), complaint("v2", department="D02"), tick("2026-03-12T09:59:59+08:00"))
    assert raised(live, "overdue_complaint") == [("D01", "overdue", "2026-03-11T10:00", 2)]
    live.post(tick("2026-03-16T10:00:01+08:00"))
    assert raised(live, "overdue_complaint") == [
        ("D01", "far_overdue", "2026-03-12T10:00", 3), ("D02", "overdue", "2026-03-16T10:00", 2)
    ]  # fmt: skip
    live.stop()


def test_a_band_may_be_silent_for_a_department_until_a_day(content):
    """`until` is compared with the day on which the clock began."""
    quiet = ask(
        "overdue_complaint", department='"D02"', until="2026-03-02", bands_overdue="tier = 0"
    )
    quiet += '\n[rules.overdue_complaint.override.bands.far_overdue]\ntier = "none"'
    live = Live(content=with_rules(content, quiet))
    live.post(complaint(department="D02"), complaint("v2", "2026-03-03T10:00:00", "D02"))
    live.post(tick("2026-03-14T00:00:00+08:00"))
    assert raised(live, "overdue_complaint") == [
        ("D02", "far_overdue", "2026-03-13T10:00", 3), ("D02", "overdue", "2026-03-11T10:00", 0)
    ]  # fmt: skip
    live.stop()


GRACE = ask("treasury_gap", item='"safety_fine"', grace_days="20", large_fen="9999999")
FINE = event("e1", "2026-03-10T10:00:00", "decide", item="safety_fine", fine="20000")
RECEIPT = {
    "kind": "treasury", "fact_id": "t1", "received_at": "2026-03-12T12:00:00+08:00",
    "department": "D02", "paid_on": "2026-03-12", "amount": "1",
}  # fmt: skip


def test_an_item_may_have_other_days_of_grace_and_another_large_sum(live, content):
    live.post(FINE, RECEIPT, tick("2026-05-01T00:00:00+08:00"))
    assert raised(live, "treasury_gap") == [("D01", "large", "2026-04-20T09:00", 2)]
    other = Live(content=with_rules(content, GRACE))
    other.post(FINE, RECEIPT, tick("2026-05-01T00:00:00+08:00"))
    assert raised(other, "treasury_gap") == [("D01", "differs", "2026-04-23T09:00", 1)]
    other.stop()


def test_a_department_may_be_left_alone(content):
    off = "\n".join(
        ask(rule, department='"D01"', mode='"off"')
        for rule in ("treasury_gap", "idle_supervisor", "offline_operation")
    )
    live = Live(content=with_rules(content, off))
    live.post(*STORY, TICK)
    told = {(f.rule, f.department) for f in live.findings().values()}
    assert not {rule for rule, department in told if department == "D01"} & {
        "treasury_gap", "idle_supervisor", "offline_operation",
    }  # fmt: skip
    assert ("idle_supervisor", "D02") in told
    assert not [c for c in live.ledger.counts() if c.rule == "offline_operation"]
    live.stop()


@pytest.mark.parametrize("rule", ["overdue_complaint", "idle_supervisor"])
def test_an_item_means_nothing_to_a_rule_about_people(content, rule):
    book = content.district["rulebook.toml"] + ask(rule, item='"permit"', mode='"off"').encode()
    district = district_from(content.district | {"rulebook.toml": b"\n" + book})
    with pytest.raises(DistrictError, match="item: means nothing to a rule about a"):
        configure(load_shelf(), district)


# -- changes --------------------------------------------------------------------------------------


def unchanged(content: Content, number: int) -> Content:
    """The county with a remark more in its rulebook."""
    return with_rules(content, f"# {number}")


def test_changing_nothing_changes_nothing(content, tmp_path):
    straight, changing = Live(content=content), Live(content=content, snapshots=tmp_path)
    digest, rng = lived(straight), random.Random(5)
    cuts = sorted(rng.sample(range(1, len(STORY)), 9))
    for number, (begin, end) in enumerate(zip([0, *cuts], [*cuts, len(STORY)], strict=True)):
        changing.post(*STORY[begin:end])
        changing.change(unchanged(content, number))
        if number % 3 == 1:
            changing.take_snapshot()
        if number % 2:
            changing.stop()
            changing.restart()
    changing.post(TICK)
    assert changing.digest() == digest
    assert sorted(map(str, changing.ledger.counts())) == sorted(map(str, straight.ledger.counts()))
    for one in (straight, changing):
        one.stop()
        assert not one.failures


def test_a_limit_that_moves_is_dated_anew(live, content):
    answer = {"at": "2026-03-11T12:00:00", "answered_on": "2026-03-11T11:00:00+08:00"}
    live.post(complaint(), complaint("v2", **answer), tick("2026-03-12T09:00:00+08:00"))
    as_it_was = [
        ("due_soon", "2026-03-09T10:00", "superseded"), ("overdue", "2026-03-11T10:00", None)
    ]  # fmt: skip
    assert cards(live, "v1") == cards(live, "v2") == as_it_was
    live.change(with_rules(content, "[rules.overdue_complaint]\nlimit_wd = 9"))
    assert cards(live, "v2") == as_it_was, "it was answered under the limit of its day"
    now = [
        ("due_soon", "2026-03-09T10:00", "limit_changed"), ("due_soon", "2026-03-11T10:00", None),
        ("overdue", "2026-03-11T10:00", "limit_changed"),
    ]  # fmt: skip
    assert cards(live, "v1") == now
    live.post(tick("2026-03-13T10:00:01+08:00"))
    assert ("overdue", "2026-03-13T10:00", None) in cards(live, "v1")
    digest = live.digest()
    assert resumed(live) == digest


OFF = ("overdue_complaint", "treasury_gap", "offline_operation", "idle_supervisor")


def test_a_rule_that_is_on_again_knows_what_came_while_it_was_off(live, content):
    off = "\n".join(f'[rules.{rule}]\nmode = "off"' for rule in OFF)
    live.change(with_rules(content, off))
    live.post(complaint(), *STORY, TICK)
    assert {f.rule for f in live.findings().values()}.isdisjoint(OFF)
    live.change(content)
    straight = Live(content=content)
    straight.post(*STORY, TICK)
    assert raised(live, "overdue_complaint") == [("D01", "far_overdue", "2026-03-12T10:00", 3)]
    assert sums(live) == sums(straight) != []
    dropped = [("D01", "month_drop", "2026-04-03T00:00", 0)]  # before the gap was found
    assert raised(live, "offline_operation") == dropped
    assert raised(live, "idle_supervisor") == [], "days that are over were not watched"
    digest = live.digest()
    assert resumed(live) == digest
    straight.stop()


def test_a_card_of_a_year_that_is_covered_later_gets_its_tier(content):
    early = edited(content, "district.toml", "covered_to = 2026", "covered_to = 2025")
    live = Live(content=early)
    live.post(
        complaint(),
        FINE,
        RECEIPT,
        complaint("v2", at="2026-03-12T11:00:00", answered_on="2026-03-12T10:30:00+08:00"),
    )
    live.post(tick("2026-05-01T00:00:00+08:00"))
    assert {tier for _, _, _, tier in raised(live, "overdue_complaint")} == {0}
    assert raised(live, "treasury_gap") == [("D01", "large", "2026-04-20T09:00", 0)]
    numbers = {(f.subject, f.reason.code): i for i, f in live.findings().items()}
    live.change(content)
    assert raised(live, "overdue_complaint") == 2 * [("D01", "far_overdue", "2026-03-12T10:00", 3)]
    assert raised(live, "treasury_gap") == [("D01", "large", "2026-04-20T09:00", 2)]
    assert {(f.subject, f.reason.code): i for i, f in live.findings().items()} == numbers
    overdue = [f for f in live.findings().values() if f.reason.code == "overdue"]
    assert {(f.tier, f.withdrawn.reason) for f in overdue if f.withdrawn} == {(2, "superseded")}
    digest = live.digest()
    assert resumed(live) == digest
    live.stop()


def test_a_ledger_in_which_facts_met_a_change_is_proved_again(content, tmp_path):
    ledger = open_ledger(tmp_path / FILE)
    live = Live(
        ledger, content=edited(content, "district.toml", "covered_to = 2026", "covered_to = 2025")
    )
    live.post(*STORY[:70])
    live.change(with_rules(content, GRACE))
    live.post(*STORY[70:], TICK)
    digest = live.digest()
    live.stop()
    ledger.close()
    proved = verify(tmp_path)
    assert (proved.fault, proved.digest) == ("", digest)
