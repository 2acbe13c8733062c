"""Sources of the simulated county: those that fall silent, and those that stamp whole cases."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
import truth
from test_simulate import judged, made

from detector.event import ACTION
from detector.simulate.county import County
from detector.simulate.deeds import is_one
from detector.simulate.sources import (
    NAMED,
    OWN,
    SYSTEMS,
    Heard,
    heard,
    silent_after,
    subjects,
    subjects_of,
)
from detector.simulate.text import lines, truth_lines

US = 1_000_000


def sources_of(county: County) -> dict[str, Heard]:
    """When each source was heard."""
    plan, s = county.plan, county.stream
    source = subjects_of(plan, s, np.arange(len(s)))
    every = {
        name: heard(plan, s, np.flatnonzero(source == n)) for n, name in enumerate(subjects(plan))
    }
    return {name: told for name, told in every.items() if len(told.at)}


def told_of(county: County, rule: str) -> np.ndarray:
    """The rows that the truth names."""
    told = county.truth
    parts = [rows for name, rows in zip(told.rules, told.rows, strict=True) if name == rule]
    return np.concatenate(parts)


def test_a_silence_ends_in_time_or_a_second_late():
    """The first is none; in both the department's work goes on."""
    county = made(20_000, 7)
    plan, s = county.plan, county.stream
    named, seen = set(told_of(county, "silent_source").tolist()), Counter[str]()
    department = plan.department[s.item]
    for name, told in sources_of(county).items():
        if name not in NAMED:
            continue
        mine = department == department[told.rows[0]]
        end = silent_after(plan, told.at[:-1])
        for place in np.flatnonzero(told.at[1:] * US >= end).tolist():
            late = told.at[place + 1] - end[place] // US
            among = (s.received > told.at[place]) & (s.received < told.at[place + 1])
            seen[{0: "in time", 1: "a second late"}.get(int(late), "later")] += 1
            assert (mine & among).any() or late > 1
            assert (told.rows[place] in named) == (late > 0 and told.known(place))
    assert set(seen) == {"in time", "a second late", "later"}


def test_a_named_source_falls_silent_and_its_department_does_not():
    county = made(2_000, 1)
    s = county.stream
    rows = told_of(county, "silent_source")
    assert (s.source[rows] != OWN).any() and (s.source[rows] == OWN).any()
    codes = {county.plan.departments[n] for n in county.plan.department[s.item[s.source != OWN]]}
    assert codes == set(SYSTEMS)
    text = b"".join(lines(county))
    assert all(f'"source":"{name}"'.encode() in text for name in NAMED)


def test_only_a_source_that_was_heard_on_most_days_is_missed():
    county = made(2_000, 1)
    unknown = 0
    named = set(told_of(county, "silent_source").tolist())
    for told in sources_of(county).values():
        quiet = silent_after(county.plan, told.at) < np.append(told.at[1:], county.until + 1) * US
        for place in np.flatnonzero(quiet).tolist():
            day = told.nth[place]
            worked = {n for n, w in zip(told.nth, told.works, strict=True) if w}
            days = len(worked & set(range(day - 19, day + 1)))
            known = days >= 15 and told.nth[0] <= day - 19
            assert (told.rows[place] in named) == known
            unknown += not known
    assert unknown


def test_one_stamp_up_to_the_close():
    county = made(20_000, 7)
    plan, s, deed = county.plan, county.stream, county.cases.deed
    closes = plan.action[s.item, s.slot] == ACTION["close"]
    close = np.full(len(deed), -1)
    close[s.case[closes]] = np.flatnonzero(closes)
    rows = np.flatnonzero(is_one(deed[s.case], "one_stamp"))
    after = rows > close[s.case[rows]]
    stamp = s.recorded[close[s.case[rows]]]
    assert (s.recorded[rows] == stamp)[~after].all() and (s.occurred[rows] == stamp)[~after].all()
    assert after.any() and (s.recorded[rows] > stamp)[after].all()  # the licence
    late = s.received[rows] - stamp
    assert (late[~after] == 0).mean() > 0.5 and (late[~after] > 3_600).any()
    told = told_of(county, "one_stamp_source")
    assert set(deed[s.case[told]].tolist()) == {int(deed[s.case[rows[0]]])}
    stamped = rows[rows == close[s.case[rows]]]
    day = plan.district.calendar.day(s.recorded[stamped] * US)
    of = Counter(zip(subjects_of(plan, s, stamped).tolist(), day.tolist(), strict=True))
    assert len(told) == len(of) and max(of.values()) > 1
    assert (s.source[told] != OWN).any()


def test_what_only_looks_like_one_stamp():
    county = made(20_000, 7)
    plan, s, deed = county.plan, county.stream, county.cases.deed
    action = plan.action[s.item, s.slot]
    at = np.full((2, len(deed)), -1)
    for n, name in enumerate(("accept", "close")):
        rows = action == ACTION[name]
        at[n, s.case[rows]] = s.recorded[rows]
    took = at[1] - at[0]
    assert (took[is_one(deed, "second_apart")] == 1).all()
    assert (took[is_one(deed, "done_at_the_window")] == 0).all()
    imported = np.zeros(len(deed), bool)
    imported[s.case[s.imported]] = True
    assert (took[imported] == 0).any() and (took[imported] > 0).any()
    alike = (took == 0) & (at[1] >= 0) & ~is_one(deed, "one_stamp", "done_at_the_window")
    assert not (alike & ~imported).any()


def test_what_one_stamp_makes_is_taken_back(tmp_path):
    """Of pace and of persons; the truth is silent about it."""
    county = made(2_000, 1)
    findings = judged(county, tmp_path)
    seen = set()
    for line in findings:
        told = msgspec.json.decode(line)
        reason = told["withdrawn"]["reason"] if told["withdrawn"] else told["muted"]
        if reason == "one_stamp":
            seen.add((told["rule"], "withdrawn" if told["withdrawn"] else "muted"))
    pace, people = "too_fast_step", "same_person"
    assert seen >= {(pace, "muted"), (pace, "withdrawn"), (people, "withdrawn")}
    assert truth.differences(findings, truth_lines(county).splitlines()) == []
