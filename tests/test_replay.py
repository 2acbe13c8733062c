"""Replays of small files through every phase: clocks that leap, corrections, facts, privacy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from replay.run import Job, Replayed, ReplayError, replay

pytestmark = pytest.mark.slow  # processes and whole files
COUNTY = str(Path(__file__).resolve().parent.parent / "examples" / "county")


def line(case: str, event: str, action: str, at: str, **fields: Any) -> str:
    """One event of the county."""
    plain = {
        "case_id": case, "event_id": event, "action": action, "item": "food_permit",
        "department": "D01", "operator": "P1", "occurred_at": at, "recorded_at": at,
        "documents": ["application_form", "business_licence", "floor_plan", "survey_opinion"],
        "fields": ["applicant", "credit_code", "premises"],
    }  # fmt: skip
    return json.dumps(plain | fields, ensure_ascii=False) + "\n"


def run(tmp_path: Path, *texts: str, **options: Any) -> Replayed:
    """Replay files with these texts, and the same with two workers and tiny batches."""
    logs = []
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.ndjson"
        path.write_text(text)
        logs.append(str(path))
    replayed = replay(Job(tuple(logs), COUNTY, **options))
    again = replay(Job(tuple(logs), COUNTY, workers=2, batch_rows=2, **options))
    same = ("digest", "events", "refused", "duplicates", "undetermined_reasons", "cases")
    assert {k: again.summary[k] for k in same} == {k: replayed.summary[k] for k in same}
    assert again.refusals == replayed.refusals
    return replayed


def standing(replayed: Replayed) -> list[tuple[str, str, str]]:
    """Rule, reason and subject of what stands."""
    told = map(msgspec.json.decode, replayed.findings)
    return sorted(
        (f["rule"], f["reason"]["code"], f["subject"])
        for f in told
        if not f["muted"] and not f["withdrawn"]
    )


def test_a_clock_that_leaps_is_refused_and_costs_its_neighbours_nothing(tmp_path: Path) -> None:
    text = (
        line("c1", "e1", "accept", "2026-03-02T09:00:00+08:00")
        + line("c9", "e1", "accept", "2062-03-02T09:00:00+08:00")
        + line("c1", "e2", "step", "2026-03-02T09:00:58+08:00", step="survey", operator="P2")
    )
    replayed = run(tmp_path, text)
    assert [(r.line, r.field) for r in replayed.refusals] == [(2, "received_at")]
    assert "clock_jump" in replayed.refusals[0].error
    assert "c9" in replayed.refusals[0].text
    assert ("too_fast_step", "too_fast", "c1") in standing(replayed)


def test_one_early_slip_does_not_cost_everything_after_it(tmp_path: Path) -> None:
    text = line("c9", "e1", "accept", "1996-03-02T09:00:00+08:00") + "".join(
        line(f"c{n}", "e1", "accept", f"2026-03-0{n}T09:00:00+08:00") for n in range(2, 6)
    )
    assert run(tmp_path, text).summary["refused"] == 0


def test_duplicates_and_conflicts_over_two_files(tmp_path: Path) -> None:
    one = line("c1", "e1", "accept", "2026-03-02T09:00:00+08:00")
    other = line("c1", "e1", "accept", "2026-03-02T09:30:00+08:00")
    replayed = run(tmp_path, one, one + other)
    assert (replayed.summary["events"], replayed.summary["duplicates"]) == (1, 1)
    (refusal,) = replayed.refusals
    assert (Path(refusal.file).name, refusal.line, refusal.error) == (
        "1.ndjson", 2, "conflicting_duplicate",
    )  # fmt: skip
    assert msgspec.json.decode(refusal.text)["recorded_at"] == "2026-03-02T09:30:00+08:00"


def test_a_correction_judges_the_case_again(tmp_path: Path) -> None:
    text = (
        line("c1", "e1", "accept", "2026-03-02T09:00:00+08:00")
        + line("c1", "e2", "step", "2026-03-02T09:00:58+08:00", step="survey", operator="P2")
        + line("c2", "e1", "accept", "2026-03-02T09:10:00+08:00")
        + line("c1", "e3", "step", "2026-03-02T11:00:00+08:00", step="survey", supersedes="e2")
    )  # fmt: skip
    replayed = run(tmp_path, text)
    told = {f["events"][-1]: f for f in map(msgspec.json.decode, replayed.findings)}
    assert told["e2"]["withdrawn"]["reason"] == "corrected"
    assert standing(replayed) == []


def test_facts_and_ticks_move_the_clock(tmp_path: Path) -> None:
    accepted = line("c1", "e1", "accept", "2026-03-02T09:00:00+08:00", promised_days=1)
    login = '{"kind": "login", "fact_id": "f", "person": "P1", "role": "operator",'
    login += ' "at": "2026-03-02T09:30:00+08:00"}\n'
    before = standing(run(tmp_path, accepted + login))
    assert before == [("overdue_promise", "due_soon", "c1")]
    tick = '{"kind": "tick", "at": "2026-03-03T09:00:01+08:00"}\n'
    replayed = run(tmp_path, accepted + tick)
    assert ("overdue_promise", "overdue", "c1") in standing(replayed)
    assert replayed.summary["facts"] == 1


def test_until_is_the_last_tick(tmp_path: Path) -> None:
    accepted = line("c1", "e1", "accept", "2026-03-02T09:00:00+08:00", promised_days=1)
    late = run(tmp_path, accepted, until="2026-03-03 09:00:01")
    assert ("overdue_promise", "overdue", "c1") in standing(late)


def test_reporters_appear_nowhere(tmp_path: Path) -> None:
    named = {"reporter_name": "张三", "reporter_phone": "13900000000"}
    text = line("c1", "e1", "accept", "2026-03-02T09:00:00+08:00", **named)
    text += line("c1", "e2", "accept", "never", **named) + '{"reporter_name": "李四", \n'
    out = tmp_path / "out"
    replayed = run(tmp_path, text, out=str(out))
    assert replayed.summary["privacy_dropped"] == 2
    assert replayed.summary["refused"] == 2
    told = b"".join(p.read_bytes() for p in out.iterdir())
    assert "张三".encode() not in told
    assert "李四".encode() not in told
    assert b"1390000" not in told


def test_nothing_to_replay_is_no_fault(tmp_path: Path) -> None:
    replayed = run(tmp_path, "")
    assert (replayed.summary["events"], replayed.summary["findings"]) == (0, 0)


def test_a_log_of_unknown_form_is_said(tmp_path: Path) -> None:
    path = tmp_path / "log.doc"
    path.write_text("x")
    for workers in (1, 2):
        with pytest.raises(ReplayError, match="format is not known"):
            replay(Job((str(path),), COUNTY, workers=workers))
