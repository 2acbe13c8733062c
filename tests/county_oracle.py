"""The example district as the oracle has it, and what the oracle finds in a simulated county."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from facts_oracle import judge as judge_facts
from oracle import OBenchmark, OItem, OStep, Setting, judge

from detector.catalogue import Item
from detector.district import District
from detector.event import Event, Fact, Reading, read_event, read_fact
from detector.lines import parse_line
from detector.simulate.county import County
from detector.simulate.reports import Reports
from detector.simulate.text import lines

EIGHT_HOURS = timedelta(hours=8)
OFFICE = ((9 * 3_600, 12 * 3_600), (13 * 3_600 + 1_800, 17 * 3_600 + 1_800))


def setting_of(district: District) -> Setting:
    """The district and its rulebook."""
    params: dict[str, dict[str, Any]] = district.rulebook["rules"]

    def is_working(day: date) -> bool:
        noon = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)
        return bool(district.calendar.workday(int(noon.timestamp()) * 1_000_000)[1])

    return Setting(
        zone=district.time_zone, hours=OFFICE, is_working=is_working,
        covered_to=district.calendar.covered_to, lateness_s=district.limits.lateness_s,
        items={code: _item(item) for code, item in district.catalogue.items.items()},
        params=params,
    )  # fmt: skip


def _item(item: Item) -> OItem:
    steps = [
        OStep(s.code, s.duty or None, s.required, s.limit_us, s.documents, s.fields)
        for s in item.steps
    ]
    benchmarks = [
        OBenchmark(b.grade, b.party_kind, b.least_fen, b.most_fen, b.factors)
        for b in item.benchmarks
    ]
    return OItem(
        item.code, item.kind, item.promised_days, item.statutory_days, item.fee_fen, tuple(steps),
        item.incompatible, item.status, item.type, tuple(benchmarks),
    )  # fmt: skip


def events_of(county: County) -> Iterator[Event]:
    """The county's lines, read one after the other."""
    how = Reading(county.plan.district.calendar.zone)
    for line in lines(county):
        yield read_event(parse_line(line), how)


def facts_of(county: County, reports: Reports) -> list[Fact]:
    """Its facts, read one after the other."""
    how = Reading(county.plan.district.calendar.zone)
    lines = [parse_line(line) for line in reports.lines().splitlines()]
    return [read_fact(line["kind"], line, how) for line in lines]


def oracle_finds(county: County, reports: Reports) -> list[bytes]:
    """What the oracles find, as far as `truth.compare` looks."""
    how, people = setting_of(county.plan.district), county.plan.district.people
    events, facts = list(events_of(county)), facts_of(county, reports)
    inputs: list[Event | Fact] = [*events, *facts]
    verdicts = judge(inputs, how)
    assert not verdicts.refused
    supervisors = {p.person: p.department for p in people.values() if p.role == "supervisor"}
    once = {(e.case_id, e.event_id): e for e in reversed(events)}  # what comes again says nothing
    known = [e for e in events if once[e.case_id, e.event_id] is e]
    of_facts = judge_facts([*known, *facts], how, supervisors, county.until * 1_000_000)
    return [
        *(_line(f, f.subject_kind) for f in verdicts.findings.values()),
        *(_line(f, f.kind) for f in of_facts.findings.values()),
    ]


def _line(found: Any, subject_kind: str) -> bytes:
    told = {
        "rule": found.rule, "subject_kind": subject_kind, "subject": found.subject,
        "at": _wall(found.at), "events": list(found.events), "tier": found.tier,
        "item": found.item, "value": found.value, "muted": found.muted,
        "withdrawn": found.withdrawn,
    }  # fmt: skip
    return msgspec.json.encode(told)


def _wall(at_us: int) -> str:
    local = datetime.fromtimestamp(at_us // 1_000_000, UTC) + EIGHT_HOURS
    return str(np.datetime64(local.replace(tzinfo=None), "s")) + "+08:00"
