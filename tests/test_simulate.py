"""The simulated county: one seed, one stream; what it calls an offence is found, and only that."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
import truth
from county_oracle import oracle_finds
from facts_kit import RULES as FACT_RULES
from oracle import RULES as EVERY_RULE

from detector import demo
from detector.columns import Words
from detector.decode import Decoder
from detector.district import load_district
from detector.event import ACTION, Reading
from detector.simulate.county import County, simulate
from detector.simulate.deeds import HONEST, NAMES, SHARES, allowed, is_one, shares
from detector.simulate.facts import report
from detector.simulate.plan import NOBODY, Plan
from detector.simulate.reports import Reports
from detector.simulate.rows import Rows
from detector.simulate.suspensions import Suspensions, procedures_of
from detector.simulate.text import blocks, lines, truth_lines
from detector.simulate.wording import REASONS
from replay.run import Job, replay

OF_SOURCES = {"one_stamp_source", "silent_source"}
WITH_FACTS = {*FACT_RULES, "uncertified_officer"} - OF_SOURCES  # rules that need them
OF_EVENTS = {*EVERY_RULE, *OF_SOURCES} - WITH_FACTS
ROOT = Path(__file__).resolve().parents[1]
COUNTY = ROOT / "examples" / "county"
US = 1_000_000
NO_OFFENCE = {"suspended_or_terminated", "repeated_return", "major_penalty"}  # but told
NOT_OF_CASES = {"batch_entry", *OF_SOURCES}
NEAR = {"overdue_promise"}  # a close at the very end has been signalled


@cache
def made(cases: int, seed: int, days: int = 60) -> County:
    """A county, made once."""
    return simulate(cases, seed, days, load_district(COUNTY))


@cache
def reported(county: int, seed: int) -> Reports:
    """The facts of a county, told once."""
    return report(made(county, seed))


def judged(county: County, folder: Path, reports: Reports | None = None) -> list[bytes]:
    """What a replay of it finds, with its facts or without."""
    log, facts = folder / "county.ndjson", folder / "facts.ndjson"
    log.write_bytes(b"".join(blocks(county)))
    facts.write_bytes(reports.lines() if reports else b"")
    return replay(Job((str(log), str(facts)), str(COUNTY))).findings


def test_a_seed_is_a_county():
    one = b"".join(blocks(made(500, 3)))
    again = simulate(500, 3, 60, load_district(COUNTY))
    assert one == b"".join(blocks(again)) and truth_lines(again) == truth_lines(made(500, 3))
    assert one != b"".join(blocks(made(500, 4)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_offence_is_found_and_nothing_else(seed, tmp_path):
    county, reports = made(2_000, seed), reported(2_000, seed)
    told = truth_lines(county, reports).splitlines()
    findings = judged(county, tmp_path, reports)
    assert truth.differences(findings, told) == []
    scores = truth.compare(findings, told)
    assert set(scores) == OF_EVENTS | WITH_FACTS
    assert all(s.truth == s.found == s.right > 0 for s in scores.values())


def test_events_alone_have_a_truth_of_their_own(tmp_path):
    county = made(500, 3)
    told = truth_lines(county).splitlines()
    assert truth.differences(judged(county, tmp_path), told) == []
    assert set(told) <= set(truth_lines(county, reported(500, 3)).splitlines())


@pytest.mark.parametrize(("seed", "days"), [(1, 60), (5, 20)])
def test_the_oracle_finds_the_same(seed, days):
    """Of every rule, those over facts by a reading of their own."""
    county = made(400, seed, days)
    reports = report(county)
    told = truth_lines(county, reports).splitlines()
    assert truth.differences(oracle_finds(county, reports), told) == []


def test_every_rule_is_broken():
    told = truth_lines(made(2_000, 1)).splitlines()
    rules = {msgspec.json.decode(line)["rule"] for line in told}
    assert rules == OF_EVENTS


@pytest.mark.parametrize(
    ("cases", "seed", "days"), [(2_000, 2, 60), (20_000, 7, 60), (5_000, 4, 9)]
)
def test_honest_work_breaks_nothing(cases, seed, days):
    county = made(cases, seed, days)
    honest = is_one(county.cases.deed, "honest", *HONEST)
    told = county.truth
    broken = {
        (rule, NAMES[deed])
        for rule, rows in zip(told.rules, told.rows, strict=True)
        for case in county.stream.case[rows].tolist()
        if honest[case] and rule not in NO_OFFENCE | NEAR | NOT_OF_CASES
        for deed in [county.cases.deed[case]]
    }
    assert not broken


DAY, HOUR = 7 * 3_600, 3_600  # of working time
EDGES = {  # deed: (action of the later record, working seconds since an earlier one was done)
    "accepted_at_limit": ("accept", lambda limit, days: {2 * DAY}),
    "issued_at_limit": ("issue", lambda limit, days: {3 * DAY}),
    "resumed_at_signal": ("resume", lambda limit, days: {3 * DAY}),
    "resumed_at_end": ("resume", lambda limit, days: {5 * DAY}),
    "closed_at_signal": ("close", lambda limit, days: {(days - 1) * DAY}),
    "closed_at_promise": ("close", lambda limit, days: {days * DAY}),
    "step_at_signal": ("", lambda limit, days: {limit * 4 // 5, limit * 4 // 5 - 1}),
    "step_to_the_end": ("", lambda limit, days: {limit}),
}


@pytest.mark.parametrize("deed", EDGES)
def test_noise_stands_on_the_very_edge_of_a_clock(deed):
    county = made(20_000, 7)
    plan, s, calendar = county.plan, county.stream, county.plan.district.calendar
    action, amounts = EDGES[deed]
    begun, done = calendar.work(s.occurred * US) // US, calendar.work(s.recorded * US) // US
    rows = np.flatnonzero(is_one(county.cases.deed[s.case], deed) & (s.version == 0))
    cases: dict[int, list[int]] = {}
    for row in rows.tolist():
        cases.setdefault(int(s.case[row]), []).append(row)
    edges = 0
    for some in cases.values():
        item = s.item[some[0]]
        edges += any(
            done[row] - begun[earlier]
            in amounts(plan.flow.limit_s[item, s.slot[row]], plan.promised_days[item])
            for row in some
            if not action or plan.action[item, s.slot[row]] == ACTION[action]
            for earlier in some
            if earlier < row
        )
    assert edges > len(cases) / 2


def test_noise_stands_on_the_very_edge_of_an_event():
    county = made(20_000, 7)
    s, calendar = county.stream, county.plan.district.calendar
    order = np.lexsort((np.arange(len(s)), s.case))
    gap = np.diff(s.recorded[order])[np.diff(s.case[order]) == 0]
    clock = calendar.zone.local(s.recorded * US) // US % 86_400
    offends = s.offence >= 0
    since = calendar.between(s.offence[offends] * US, s.recorded[offends] * US)
    letters = np.array([len("".join(text.split())) for text in REASONS])[s.reason]
    seen = {
        "a step of 60 s": gap == 60, "a survey of 30 min": gap == 1_800,
        "90 days": gap == 90 * 86_400,
        "a day late": s.received - s.recorded == 86_400,
        "an hour after closing": clock == 18 * HOUR + 1_800, "before opening": clock == 8 * HOUR,
        "10 working days": since == 10 * DAY * US, "and a second": since == (10 * DAY + 1) * US,
        "10 characters": (letters == 10) & (s.result > 0), "5,000 yuan": s.fine == 500_000,
        "a fen more": s.fine == 500_001, "free of charge": s.paid == 0,
    }  # fmt: skip
    assert not [name for name, rows in seen.items() if not rows.any()]


def test_cases_are_suspended_twice(monkeypatch):
    """One procedure after the other or both at once, of one kind or of two; both are counted."""
    county = made(20_000, 7)
    s, seen = county.stream, Counter[str]()
    action = county.plan.action[s.item, s.slot]
    procedure = procedures_of(county.plan, s, county.cases.deed[s.case])
    cases: dict[int, str] = {}
    rows = np.flatnonzero(np.isin(action, [ACTION["suspend"], ACTION["resume"]]))
    for row in rows[s.version[rows] == 0].tolist():
        letter = "ab"[procedure[row]]
        if action[row] == ACTION["suspend"]:
            letter = letter.upper()
        cases[int(s.case[row])] = cases.get(int(s.case[row]), "") + letter
    for told in cases.values():
        seen[told if told[0] == "A" else told.translate(str.maketrans("abAB", "baBA"))] += 1
    assert set(seen) == set("A Aa AaAa AaBb AAaa ABab AAa AaA AaB".split())
    before = truth_lines(county)
    whole = Suspensions.__init__

    def first_only(self: Suspensions, r: Rows, cases: int) -> None:
        whole(self, r, cases)
        del self.of_case[1:]

    monkeypatch.setattr(Suspensions, "__init__", first_only)
    other = truth_lines(simulate(20_000, 7, 60, load_district(COUNTY)))
    lines = set(before.splitlines()) ^ set(other.splitlines())
    moved = {msgspec.json.decode(line)["rule"] for line in lines}
    assert {"overdue_promise", "overdue_step"} <= moved


@pytest.mark.slow
def test_twenty_thousand_cases(tmp_path, capsys):
    county = made(20_000, 7)
    told = truth_lines(county, reported(20_000, 7)).splitlines()
    findings = judged(county, tmp_path, reported(20_000, 7))
    scores = truth.compare(findings, told)
    with capsys.disabled():
        print("\n" + truth.table(scores))
    assert truth.differences(findings, told) == []
    tiers = {(msgspec.json.decode(t)["rule"], msgspec.json.decode(t)["tier"]) for t in told}
    wanted = {("overdue_promise", 0), ("overdue_promise", 2), ("overdue_statutory", 3)}
    assert wanted | {("batch_entry", 1), ("batch_entry", 2)} <= tiers


def test_the_comparison_notices_a_line_more_or_less(tmp_path):
    county = made(500, 3)
    told, findings = truth_lines(county).splitlines(), judged(county, tmp_path)
    assert truth.differences(findings, told[1:])[0].startswith("wrong")
    assert truth.differences(findings, [*told, told[0]])[0].startswith("missed")
    other = told[0].replace(b'"tier":2', b'"tier":1')
    scores = truth.compare(findings, [other, *told[1:]])
    assert min(s.precision for s in scores.values()) < 1 > min(s.recall for s in scores.values())


def test_every_deed_happens():
    deeds = set(np.unique(made(2_000, 1).cases.deed).tolist())
    assert {NAMES[d] for d in deeds} >= set(NAMES) - {"all_alone", "rushed"}
    assert {NAMES[d] for d in np.unique(made(20_000, 7).cases.deed)} == set(NAMES)
    plan = Plan(load_district(COUNTY))
    assert np.abs(shares(plan).sum(axis=1) - 1).max() < 1e-9 and set(SHARES) == set(NAMES)
    assert (shares(plan)[plan.status == 0, 0] > 0.4).all()  # most is done honestly
    assert allowed(plan).any(axis=1).all()


def test_people_work_when_the_office_is_open():
    """Only bursts are typed after hours, what is told to be, imported or rushed at closing."""
    county = made(2_000, 1)
    calendar, s = county.plan.district.calendar, county.stream
    late = is_one(county.cases.deed[s.case], "after_hours", "hour_after_closing")
    typed = s.recorded[(s.operator != NOBODY) & ~s.imported & (s.version == 0) & ~late] * US
    _, works = calendar.workday(typed)
    assert works.all()  # never on a holiday, New Year and make-up Saturdays included
    late = calendar.work(typed + US) == calendar.work(typed)
    assert late.mean() < 0.02
    local = calendar.zone.local(typed) // US % 86_400
    assert ((local > 43_200 + 600) & (local < 48_600 - 600)).mean() < 0.002  # lunch


def test_lines_arrive_in_order_and_read_without_refusal():
    county = made(2_000, 1)
    decoder = Decoder(Words(), Reading(load_district(COUNTY).calendar.zone))
    decoded = decoder.decode(b"\n".join(lines(county)) + b"\n")
    assert not decoded.refusals and len(decoded.inputs) == len(county.stream)
    assert (np.diff(decoded.inputs.received_at) >= 0).all()
    late = decoded.inputs.received_at - decoded.inputs.recorded_at
    assert (late >= 0).all() and (late > 3_600 * US).any()


def test_the_demo_shows_six_kinds_within_two_minutes():
    """From Monday 08:55 on, at 120 times the clock's pace."""
    county = made(demo.CASES, demo.SEED, demo.DAYS)
    begin, end = demo.BEGIN_US, demo.BEGIN_US + 120 * 120 * US
    kinds = set()
    told = county.truth
    for rule, rows, at in zip(told.rules, told.rows, told.instants, strict=True):
        when = np.where(at >= 0, at, county.stream.recorded[rows] * US)
        if ((when >= begin) & (when < end)).any():
            kinds.add(rule)
    assert len(kinds) >= 6, kinds
    local = county.plan.district.calendar.zone.local(begin)
    assert str(np.datetime64(int(local), "us"))[:16] == "2026-01-26T08:55"


def test_nothing_asks_a_rule():
    for path in (ROOT / "detector" / "simulate").rglob("*.py"):
        text = path.read_text("utf-8")
        for name in ("rulekit", "shelf", "engine", "evaluate", "oriole_rule"):
            assert f"detector.{name}" not in text, path


def test_a_holiday_is_no_county():
    with pytest.raises(ValueError, match="no working day"):
        simulate(10, 1, 0, load_district(COUNTY))
