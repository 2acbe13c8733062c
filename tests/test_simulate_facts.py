"""What other systems of the simulated county report: its offences, and what stands on the edge."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import truth
from county_oracle import events_of, facts_of

from detector.columns import Words
from detector.decode import Decoder
from detector.district import load_district
from detector.event import FACTS, Fact, Reading
from detector.simulate import logins, officers, receipts, voices, volumes
from detector.simulate.county import County, simulate
from detector.simulate.facts import report
from detector.simulate.receipts import pay_in
from detector.simulate.reports import Reports, dealt
from detector.simulate.text import blocks, truth_lines
from detector.simulate.treasury import Account, Fine, Receipt, due
from replay.run import Job, replay

COUNTY = Path(__file__).resolve().parents[1] / "examples" / "county"
DAY_S, US = 86_400, 1_000_000
SEEDS = (1, 2, 3)
RULE_OF = {
    "treasury": "treasury_gap", "login": "idle_supervisor", "volume": "offline_operation",
    "officer": "uncertified_officer", "complaint": "overdue_complaint",
    "consultation": "overdue_consultation",
}  # fmt: skip


@cache
def made(cases: int, seed: int) -> tuple[County, Reports]:
    """A county with its facts, made once."""
    county = simulate(cases, seed, 60, load_district(COUNTY))
    return county, report(county)


@cache
def facts(seed: int) -> list[Fact]:
    """The facts of a small county as they are read."""
    return facts_of(*made(2_000, seed))


def of_kind(kind: str, seed: int = 1) -> list[Fact]:
    return [fact for fact in facts(seed) if fact.kind == kind]


def standing(rule: str, seed: int = 1) -> list[dict[str, Any]]:
    """Lines of the truth of one rule."""
    told = truth_lines(*made(2_000, seed)).splitlines()
    lines = [msgspec.json.decode(line) for line in told]
    return [line for line in lines if line["rule"] == rule]


def test_facts_read_and_fit_the_stream():
    county, reports = made(2_000, 1)
    decoder = Decoder(Words(), Reading(load_district(COUNTY).calendar.zone))
    decoded = decoder.decode(reports.lines())
    read = decoded.inputs.facts
    assert not decoded.refusals and {f.kind for f in read} == set(RULE_OF)
    assert set(RULE_OF) == set(FACTS) - {"act", "learning", "receipt", "tick", "verdict"}
    arrived = [fact.received_at for fact in read]
    assert arrived == sorted(arrived) and arrived[-1] <= int(county.stream.received[-1]) * US
    assert reports.lines() == report(county).lines()
    assert reports.truth() == report(county).truth()


@pytest.mark.parametrize("cases", [1, 2, 5])
def test_a_county_may_be_small(cases, tmp_path):
    county = simulate(cases, 1, 5, load_district(COUNTY))
    reports = report(county)
    log, told = tmp_path / "county.ndjson", tmp_path / "facts.ndjson"
    log.write_bytes(b"".join(blocks(county)))
    told.write_bytes(reports.lines())
    findings = replay(Job((str(log), str(told)), str(COUNTY))).findings
    assert truth.differences(findings, truth_lines(county, reports).splitlines()) == []
    truth_lines(county)


def test_every_fee_reaches_the_treasury():
    county, _ = made(2_000, 1)
    s = county.stream
    counted = (s.paid > 0) & (s.version != 1)
    counted[s.of[s.version == 2]] = False
    counted &= s.recorded + 20 * 3_600 <= s.received[-1]
    fined = {fine.case_id for fine in pay_in(Reports(county)).fines}
    paid = Counter[str]()
    for fact in of_kind("treasury"):
        if fact.fields["case_id"] not in fined:
            paid[fact.fields["case_id"]] += fact.fields["amount"]
    cases = {f"{county.plan.district.code}26{case:09d}" for case in s.case[counted].tolist()}
    assert sum(paid[case] for case in cases - fined) == int(s.paid[counted].sum())


@pytest.mark.parametrize("kind", RULE_OF)
def test_a_replay_without_some_facts_differs_from_the_truth(kind, tmp_path):
    """Every second fact of a kind is lost: its rule's truth is missed, that of others is not."""
    county, reports = made(400, 3)
    log, some = tmp_path / "county.ndjson", tmp_path / "facts.ndjson"
    log.write_bytes(b"".join(blocks(county)))
    lines = reports.lines().splitlines(keepends=True)
    mine = [line for line in lines if msgspec.json.decode(line)["kind"] == kind]
    lost = set(mine[::2])
    some.write_bytes(b"".join(line for line in lines if line not in lost))
    findings = replay(Job((str(log), str(some)), str(COUNTY))).findings
    scores = truth.compare(findings, truth_lines(county, reports).splitlines())
    differ = {rule for rule, s in scores.items() if not s.truth == s.found == s.right}
    assert RULE_OF[kind] in differ
    assert differ <= {RULE_OF[kind], *(["offline_operation"] if kind == "treasury" else [])}


# --- edges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "limit"), [("complaint", 7), ("consultation", 3)])
def test_answers_stand_on_the_very_edge(kind, limit):
    calendar = made(2_000, 1)[0].plan.district.calendar
    told: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in of_kind(kind):
        told[fact.fields["fact_id"]].append(fact)
    seen: Counter[tuple[str, int]] = Counter()
    days = calendar.day_us
    for lines in told.values():
        answers = [line for line in lines if line.fields.get("answered_on", -1) > 0]
        if not answers:
            seen["unanswered", 0] += 1
            continue
        came, answered = answers[0].fields["received_on"], answers[0].fields["answered_on"]
        if calendar.date_only(came):
            came += DAY_S * US
        soon = calendar.add(came, (limit - 2) * days, "left")
        over, far = (calendar.add(came, n * days, "right") for n in (limit, limit + 1))
        seen["dated", int(np.sign(answered - over))] += bool(calendar.date_only(answered))
        for name, at in (("soon", soon), ("over", over), ("far", far)):
            seen[name, int(answered - at) // US] += 1
            late = lines[0] is not answers[0] and answered <= at < answers[0].received_at
            seen[name + " mended", 0] += bool(late)
        seen["amended", 0] += len(answers) > 1
    wanted = [("soon", 0), ("over", 0), ("over", 1), ("far", 0), ("far", 1), ("unanswered", 0)]
    wanted += [("dated", -1), ("dated", 1), ("soon mended", 0), ("over mended", 0), ("amended", 0)]
    assert not [edge for edge in wanted if not seen[edge]]


def test_every_habit_of_a_supervisor_shows():
    """Idle days at the ends of a stretch and within, and log-ins that mend them."""
    county, _ = made(2_000, 1)
    calendar, seen = county.plan.district.calendar, Counter[str]()
    watchers = {p.person for p in county.plan.district.people.values() if p.role == "supervisor"}
    came, operated = set(), set()
    for fact in of_kind("login"):
        told, day = fact.fields, int(calendar.day(fact.fields["at"]))
        if told["person"] not in watchers:
            seen["a leader"] += told["role"] == "supervisor"
            continue
        if told["role"] == "operator":
            operated.add((told["person"], day))
            continue
        came.add((told["person"], day))
        closing = int(calendar.zone.utc(day * DAY_S * US + calendar.hours[-1][1]))
        seen["the first second"] += bool(calendar.date_only(told["at"]))
        seen["after closing"] += told["at"] > closing
        seen["told late"] += fact.received_at > closing + DAY_S * US
        seen["a free day"] += not calendar.works(day)
    begun = {
        (line["subject"], int(np.datetime64(line["at"][:10], "D").astype(int)))
        for line in standing("idle_supervisor")
    }
    seen["as an operator"] = len(begun & operated)
    seen["a stretch"] = sum((p, d + 1) not in came and calendar.works(d + 1) for p, d in begun)
    seen["a single day"] = sum((p, d + 1) in came for p, d in begun)
    assert not begun & came
    wanted = "a leader, the first second, after closing, told late, a free day, as an operator"
    assert not [
        name for name in (*wanted.split(", "), "a stretch", "a single day") if not seen[name]
    ]


def test_volumes_fall_by_just_so_much():
    last: dict[tuple[str, str], int] = {}
    for fact in of_kind("volume"):
        last[fact.fields["item"], fact.fields["period"]] = fact.fields["cases"]
    falls: dict[int, set[int]] = {1: set(), 12: set()}
    hairs: set[int] = set()
    for (item, period), cases in last.items():
        for back, seen in falls.items():
            earlier = last.get((item, str(np.datetime64(period, "M") - back)), 0)
            if earlier:
                lost = earlier - cases
                seen.add(lost * 1_000 // earlier if lost > 0 else 0)
                hairs.add(int(lost * 1_000 % earlier < 1_000) if lost > 0 else 1)
    assert {99, 100} <= falls[1] and {49, 50} <= falls[12] and hairs == {0, 1}
    assert 0 in last.values() and {f.fields["period"][:4] for f in of_kind("volume")} == {
        "2025",
        "2026",
    }


def test_no_volume_says_less_than_the_stream_has():
    """Save where it is said to have fallen to nothing, or was corrected."""
    county, _ = made(2_000, 1)
    cases, _ = volumes._of_the_stream(Reports(county), np.datetime64("2026-01"))
    told = {(f.fields["item"], f.fields["period"]): f.fields["cases"] for f in of_kind("volume")}
    for item, code in enumerate(county.plan.codes):
        for month, count in enumerate(cases[item].tolist()):
            said = told.get((code, f"2026-{month + 1:02d}"), 0)
            assert said == 0 or said >= count


def test_gaps_and_falls_meet():
    """A fall is told with the gap only where that stood when the number came."""
    bands = {
        (line["tier"], line["at"][8:]) for s in SEEDS for line in standing("offline_operation", s)
    }
    assert {0, 2} == {tier for tier, _ in bands}
    before = after = 0
    for seed in SEEDS:
        county, _ = made(2_000, seed)
        books = pay_in(Reports(county))
        for fact in of_kind("volume", seed):
            told = fact.fields
            month = told["department"], told["item"], told["period"]
            judged = due(Reports(county), told["period"])
            if books.stands(month, judged):
                before += fact.received_at // US == judged - 1
                after += fact.received_at // US == judged + 1
    assert before and after


# --- the treasury --------------------------------------------------------------------------------


def test_a_month_is_settled_as_its_deed_says():
    """Small counties have but ten months with fines. Fines that are known late stand aside, and
    so do months in which another month's money is paid."""
    seen: Counter[str] = Counter()
    for seed in range(1, 9):
        county, _ = made(2_000, seed)
        reports = Reports(county)
        books = pay_in(reports)
        tiers = {(o.subject, o.item, o.value): o.tier for o in reports.offences}
        for month, deed in books.deeds.items():
            at = due(reports, month[2])
            mine = receipts._by_month(books.fines)[month]
            if not books.told[month] or at + 8 * DAY_S > reports.last or mine[-1].known >= at:
                continue
            total, (_, value) = sum(fine.fen for fine in mine), books.told[month][-1]
            wanted = {
                "settled": 0, "pooled": 0, "mended": 0, "fen_short": 1, "fen_over": -1,
                "twentieth": total // 20, "over_a_twentieth": total // 20 + 1,
                "ten_thousand": 1_000_000, "over_ten_thousand": 1_000_001,
            }.get(deed, value)  # fmt: skip
            pooled = sum(sorted(fine.fen for fine in mine)[: (len(mine) + 1) // 2])
            before = (*month[:2], str(np.datetime64(month[2], "M") - 1))
            if wanted <= pooled and books.deeds.get(before) != "next_month":
                assert value == wanted, (month, deed)
                seen[deed] += 1
            large = value * 20 > total and value > 1_000_000
            assert not value or tiers[month[0], month[1], value] == 1 + large
            seen["large"] += large
            seen["mended, once short"] += not value and any(v for _, v in books.told[month])
    assert not {*receipts.DEEDS, "large", "mended, once short"} - set(+seen)


def test_a_fine_that_is_corrected_counts_as_it_then_stands():
    county, _ = made(2_000, 1)
    corrected = [fine for fine in pay_in(Reports(county)).fines if fine.fen < 0]
    assert corrected
    case = corrected[0].case_id
    events = [e for e in events_of(county) if e.case_id == case and e.fine > 0]
    slip, mended = events
    assert mended.supersedes == slip.event_id and slip.fine == 10 * mended.fine
    fines = [fine.fen for fine in pay_in(Reports(county)).fines if fine.case_id == case]
    assert fines == [slip.fine, mended.fine - slip.fine]


def test_receipts_arrive_up_to_the_very_instant():
    county, _ = made(2_000, 1)
    instants = {due(Reports(county), f"2026-{month:02d}") * US for month in range(1, 6)}
    arrived = {fact.received_at for fact in of_kind("treasury")}
    assert arrived & instants
    kinds = {(bool(f.fields["case_id"]), bool(f.fields["item"])) for f in of_kind("treasury")}
    assert kinds == {(True, True), (True, False), (False, True), (False, False)}


MONTH = ("D01", "fine_safety", "2026-02")


def test_an_account_counts_case_by_case():
    """One case's money does not settle another's fine, and pooled money only what has none."""
    account = Account()
    for one in (
        Fine(MONTH, "a", 100, 0), Fine(MONTH, "b", 100, 0), Fine(MONTH, "c", 50, 0),
        Receipt("a", MONTH, 130, 0), Receipt("", MONTH, 150, 0),
    ):  # fmt: skip
        account.take(one)
    assert account.judged() == (-30, 1)  # 30 over, the others are settled
    account.take(Receipt("b", MONTH, 60, 0))  # has money of its own now
    assert account.judged() == (40, 1) and account.over == 30
    account.take(Receipt("b", None, 40, 0))
    assert account.judged() == (-130, 1)


@pytest.mark.parametrize(
    ("fines", "paid", "tier"),
    [
        (20_000_000, 19_000_000, 1), (20_000_000, 18_999_999, 2),  # a twentieth, and a fen more
        (1_000_001, 1, 1), (1_000_001, 0, 2), (20_000_020, 19_000_019, 1),
    ],
)  # fmt: skip
def test_what_is_large(fines, paid, tier):
    account = Account()
    account.take(Fine(MONTH, "a", fines, 0))
    account.take(Receipt("a", None, paid, 0))
    assert account.judged() == (fines - paid, tier)


# --- decks ---------------------------------------------------------------------------------------


def test_each_deed_is_dealt_as_often_as_any_other():
    rng = np.random.default_rng(1)
    told = Counter(dealt("abc", 10, rng))
    assert sorted(told.values()) == [3, 3, 4] and dealt("abc", 10, rng) != dealt("abc", 10, rng)
    for deck in (voices.DEEDS, logins.HABITS, receipts.DEEDS, volumes.DEEDS, officers.FLAWS):
        assert set(dealt(deck, len(deck), rng)) == set(deck)


def test_certificates_end_on_a_day_that_was_worked():
    """Valid to the end of that day; what is worked later, or before it was told of, is told."""
    county, reports = made(2_000, 2)
    calendar, s = county.plan.district.calendar, county.stream
    rows = np.concatenate([np.zeros(0, np.int64), *reports.rows.rows])
    broken = {(county.plan.people[s.operator[row]], int(s.occurred[row])) for row in rows.tolist()}
    days: defaultdict[str, set[int]] = defaultdict(set)
    for row in officers._punishing(reports).tolist():
        days[county.plan.people[s.operator[row]]].add(int(calendar.day(s.occurred[row] * US)))
    held: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for fact in of_kind("officer", 2):
        valid = (int(calendar.day(fact.fields[f"valid_{end}"])) for end in ("from", "to"))
        held[fact.fields["person"]].append(tuple(valid))  # type: ignore[arg-type]
    ends = {(person, end) for person, some in held.items() for pair in some for end in pair}
    assert any(day in days[person] for person, day in ends)
    assert broken and {person for person, _ in broken} < set(days)
    for some in held.values():
        assert all(a[1] < b[0] for a, b in pairwise(some))
