"""Sources: cases under one stamp and silences, however the stream is cut, killed, corrected or
shared out."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from live_kit import COUNTY, Live, county, event
from test_change import resumed, tick, with_rules

from detector.columns import Words, from_events
from detector.event import Reading, read_event
from detector.ledger.content import Content
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.sources import heard_of
from replay.run import Job, replay
from replay.verify import verify

AT = "2026-03-02T16:00:00"


@pytest.fixture(scope="module")
def content() -> Content:
    return county()


@pytest.fixture
def live(content, tmp_path):
    one = Live(content=content, snapshots=tmp_path / "snapshots")
    yield one
    one.stop()
    assert not one.failures


def upload(case: str = "c1", at: str = AT, **more: Any) -> list[dict[str, Any]]:
    """A case as an uploader invents it: every step under the stamp of its close."""
    told = {"case_id": case, "operator": "P0101", "source": "S1"} | more
    return [
        event(f"{case}a", at, "accept", **told), event(f"{case}b", at, step="survey", **told),
        event(f"{case}c", at, "close", result="granted", **told),
    ]  # fmt: skip


def told(live: Live, *rules: str) -> list[tuple]:
    """(rule, why it does not stand, or "") of findings."""
    some = [f for f in live.findings().values() if f.rule in rules]
    gone = [(f.rule, f.muted or (f.withdrawn.reason if f.withdrawn else "")) for f in some]
    return sorted(gone)


FOUND = [("one_stamp_source", ""), ("too_fast_step", "one_stamp"), ("too_fast_step", "one_stamp")]
RULES = ("one_stamp_source", "too_fast_step")


def test_what_was_found_under_the_stamp_is_withdrawn_by_the_close(live):
    accept, survey, close = upload()
    live.post(accept, survey)
    assert told(live, *RULES) == [("too_fast_step", "")]
    live.take_snapshot()
    live.stop()
    live.restart()
    assert live.recovered.replayed == 0
    live.post(close, tick("2026-03-02T16:02:00+08:00"))
    assert told(live, *RULES) == FOUND
    [withdrawn] = [f.withdrawn for f in live.findings().values() if f.withdrawn]
    assert (withdrawn.reason, withdrawn.at) == ("one_stamp", f"{AT}+08:00")
    digest = live.digest()
    live.snapshots = None
    assert resumed(live) == digest


def test_cut_anywhere_it_comes_to_the_same(content):
    lines = [*upload(), *upload("c2", "2026-03-02T16:10:00"), *upload("c3", source=None)]
    lines.sort(key=lambda line: line["recorded_at"])
    whole, apart = Live(content=content), Live(content=content)
    whole.post(*lines)
    for line in lines:
        apart.post(line)
    for one in (whole, apart):
        one.post(tick("2026-03-02T18:00:00+08:00"))
        one.stop()
    assert whole.digest() == apart.digest()
    found = {(f.subject, f.events) for f in whole.findings().values() if f.rule == RULES[0]}
    assert found == {("S1", ("c1a", "c1c")), ("D01", ("c3a", "c3c"))}


def test_a_close_that_is_put_right_lets_it_stand_again(live):
    accept, survey, close = upload()
    live.post(accept, survey, close, tick("2026-03-02T16:02:00+08:00"))
    right = close | {
        "event_id": "x",
        "supersedes": "c1c",
        "recorded_at": "2026-03-02T16:30:00+08:00",
    }
    live.post(right, tick("2026-03-02T17:00:00+08:00"))
    assert told(live, *RULES) == [
        ("one_stamp_source", ""), ("too_fast_step", ""), ("too_fast_step", "one_stamp")
    ]  # fmt: skip
    wrong = right | {"event_id": "y", "supersedes": "x", "recorded_at": f"{AT}+08:00"}
    live.post(wrong, tick("2026-03-02T18:00:00+08:00"))
    assert ("too_fast_step", "") not in told(live, *RULES)
    digest = live.digest()
    assert resumed(live) == digest


# -- silence --------------------------------------------------------------------------------------


def days(count: int, first: date = date(2026, 3, 2)) -> list[date]:
    """So many weekdays in a row, from one on."""
    every = (first + timedelta(days=n) for n in range(2 * count))
    return [day for day in every if day.weekday() < 5][:count]


def heard(count: int = 20, **more: Any) -> list[dict[str, Any]]:
    """A record a day."""
    return [
        event(f"e{day}", f"{day}T10:00:00", step="review", case_id=f"{day}", **more)
        for day in days(count)
    ]


def silent(live: Live) -> list[tuple]:
    some = [f for f in live.findings().values() if f.rule == "silent_source"]
    return sorted((f.subject, f.department, f.at[:16], f.value, f.stands) for f in some)


WEDNESDAY = tick("2026-04-01T12:00:00+08:00")
SILENT = [("S1", "D01", "2026-03-31T10:00", 20, True)]


def test_a_source_that_falls_silent_while_others_go_on(live):
    later = event("z", "2026-04-01T12:00:00", "apply", case_id="z", department="D02")
    live.post(*heard(source="S1"))
    live.take_snapshot()
    live.stop()
    live.restart()
    live.post(later)
    assert silent(live) == SILENT
    live.post(*heard(23, source="S1")[-1:], tick("2026-04-10T12:00:00+08:00"))
    assert [one[2] for one in silent(live)] == ["2026-03-31T10:00", "2026-04-03T13:30"]
    digest = live.digest()
    live.snapshots = None
    assert resumed(live) == digest


def patience(days: int, department: str = "D01") -> str:
    return (
        f'[[rules.silent_source.override]]\ndepartment = "{department}"\nlimit_wd = {days}\n'
        'reason = "agreed"\napproved_by = "the office"'
    )


def test_a_department_may_be_silent_for_longer(content):
    for department, found in (("D01", []), ("D02", SILENT)):
        live = Live(content=with_rules(content, patience(4, department)))
        live.post(*heard(source="S1"), WEDNESDAY)
        assert silent(live) == found
        live.stop()


def test_a_change_dates_the_silence_anew(live, content):
    live.post(*heard(source="S1"), tick("2026-03-30T12:00:00+08:00"))
    live.change(with_rules(content, patience(4)))
    live.post(WEDNESDAY)
    assert silent(live) == []
    live.change(content)
    assert silent(live) == SILENT, "its instant is over"
    live.change(with_rules(content, patience(4)))
    live.post(tick("2026-04-10T12:00:00+08:00"))
    assert silent(live) == SILENT, "one silence is found once"
    digest = live.digest()
    assert resumed(live) == digest


def test_the_ledger_of_sources_is_proved_again(content, tmp_path):
    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger, content=content)
    live.post(*upload(), *heard(source="S1"), *upload("c9", "2026-03-30T16:00:00"))
    live.post(tick("2026-04-08T12:00:00+08:00"))
    assert {"silent_source", "one_stamp_source"} <= {f.rule for f in live.findings().values()}
    digest = live.digest()
    live.stop()
    ledger.close()
    proved = verify(tmp_path)
    assert (proved.fault, proved.digest) == ("", digest)


@pytest.mark.slow  # processes
def test_workers_hear_what_one_hears(tmp_path):
    lines = heard(25, source="S1") + heard(25, source="S2")[:21] + heard(25)
    lines = [line | {"event_id": f"{n}", "case_id": f"c{n}"} for n, line in enumerate(lines)]
    lines += [line for n in range(8) for line in upload(f"u{n}", f"2026-03-1{n}T16:00:00")]
    path = tmp_path / "log.ndjson"
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    until = "2026-04-09T12:00:00+08:00"
    runs = [
        replay(Job((str(path),), str(COUNTY), until=until, workers=n, batch_rows=rows)).summary
        for n, rows in ((1, 4_096), (3, 2))
    ]
    assert runs[0]["digest"] == runs[1]["digest"]
    assert runs[0]["by_rule"]["silent_source"] == 3
    assert runs[0]["by_rule"]["one_stamp_source"] == 8


def test_the_first_and_the_last_of_a_day_are_enough():
    """What is handed on says as much as every single event would."""
    calendar = county().load().calendar
    how, rng = Reading(zone=calendar.zone), np.random.default_rng(1)
    lines = []
    for n, at in enumerate(sorted(rng.integers(0, 5 * 86_400, 300).tolist())):
        day = date(2026, 3, 2) + timedelta(days=at // 86_400)
        stamp = f"{day}T{at // 3_600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d}"
        source = [None, "S1", "D02"][int(rng.integers(3))]
        department = ["D01", "D02"][int(rng.integers(2))]
        lines.append(event(f"e{n}", stamp, source=source, department=department, step="x"))
    events = [read_event({k: v for k, v in x.items() if v is not None}, how) for x in lines]
    every = {(e.source or e.department, e.department, e.received_at) for e in events}
    handed = heard_of(from_events(events, Words()), calendar)
    assert len(handed) < len(events)
    told = {(h.source, h.department, h.received_at) for h in handed}
    ends: dict[tuple, list[int]] = {}
    for source, department, at in every:
        ends.setdefault((source, department, int(calendar.day(at))), []).append(at)
    wanted = {(*key[:2], end(some)) for key, some in ends.items() for end in (min, max)}
    assert wanted <= told <= every
