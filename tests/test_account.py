"""How a finding came about: its days add up to its limit, and what would clear it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_profiles import ACCEPT, SUSPEND, engine_of, run
from typer.testing import CliRunner

from detector.__main__ import app
from detector.account import account
from detector.rulekit import ev
from detector.shelf import Rulebook

PAUSE = (
    ev("suspend", "2018-10-16 10:00:00", procedure="hearing", days_granted=3),
    ev("resume", "2018-10-19 10:00:00", procedure="hearing"),
)


def told_of(rule, *story, until, rulebook=""):
    engine = engine_of(rule, rulebook=rulebook)
    found = run(engine, *story, until=until).findings.values()
    finding = max((f for f in found if f.stands), key=lambda f: f.tier)
    told = account(finding, engine.district, engine.rulebook)
    assert told is not None
    return finding, told


def test_the_days_of_a_promise_add_up_to_it():
    _, told = told_of("overdue_promise", ACCEPT, until="2018-10-24 10:00:01")
    assert told.days[-1].total_hours == 7 * 7  # seven days of seven hours
    assert sum(day.hours for day in told.days) == 49
    assert [day.date for day in told.days if not day.works] == ["2018-10-20", "2018-10-21"]
    assert (told.days[0].date, told.days[0].hours) == ("2018-10-15", 6)
    assert told.limit_from.en == "catalogue/permits.toml:1: promised_days of item permit"
    assert told.limit_from.zh.startswith("权力目录 catalogue/permits.toml 第 1 行：事项“")
    assert told.not_counted_hours == 0


def test_what_suspensions_take_out_is_told():
    _, told = told_of("overdue_promise", ACCEPT, *PAUSE, until="2018-10-29 10:00:01")
    assert told.days[-1].total_hours == 10 * 7 and told.not_counted_hours == 3 * 7


@pytest.mark.parametrize(
    ("rule", "story", "until", "source", "cleared"),
    [
        (
            "overdue_promise",
            (ACCEPT,),
            "2018-10-24 10:00:01",
            "permits.toml",
            "the close recorded by 2018-10-24 10:00:00",
        ),
        (
            "overdue_promise",
            (ACCEPT | {"promised_days": 1},),
            "2018-10-17 10:00:01",
            "stated by an event",
            "2018-10-16 10:00:00",
        ),
        (
            "overdue_promise",
            (ACCEPT | {"due_at": "2018-10-16 15:00:00"},),
            "2018-10-17 10:00:01",
            "due_at",
            "2018-10-16 15:00:00",
        ),
        (
            "overdue_procedure",
            (SUSPEND,),
            "2018-10-24 10:00:01",
            "stated by the suspension",
            "its end recorded by 2018-10-24 10:00:00",
        ),
        (
            "overdue_step",
            (ACCEPT,),
            "2018-10-16 14:30:01",
            "limit_hours",
            "the step recorded by 2018-10-16 14:30:00",
        ),
        (
            "overdue_acceptance",
            (ev("apply", "2018-10-15 10:00:00"),),
            "2018-10-17 10:00:01",
            "limit_wd",
            "the answer recorded by",
        ),
        (
            "stalled_case",
            (ACCEPT,),
            "2019-02-01 10:00:00",
            "limit_days",
            "any step recorded by 2019-01-13 10:00:00",
        ),
    ],
)
def test_where_a_limit_stands_and_what_clears_it(rule, story, until, source, cleared):
    _, told = told_of(rule, *story, until=until)
    assert source in told.limit_from.en and cleared in told.cleared_by.en


def test_what_would_clear_a_clock_clears_it():
    finding, told = told_of("overdue_promise", ACCEPT, until="2018-10-24 10:00:01")
    stamp = told.cleared_by.en.removeprefix("the close recorded by ").partition(",")[0]
    close = ev("close", stamp, result="granted")
    outcome = run(engine_of("overdue_promise"), ACCEPT, close, until="2018-10-30 10:00:00")
    assert finding.finding_id not in {f.finding_id for f in outcome.findings.values() if f.stands}


def test_a_short_time_is_told_by_what_it_lacks():
    survey = ev("step", "2018-10-15 10:00:58", step="survey", operator="B")
    _, told = told_of("too_fast_step", ACCEPT, survey, until="2018-10-16 10:00:00")
    assert told.cleared_by.en == "1742 s more, or exempted" and told.days == []
    assert told.cleared_by.zh == "多 1742 秒，或经批准豁免"
    late = ACCEPT | {"received_at": "2018-10-17 12:00:00"}
    _, told = told_of("late_exchange", late, until="2018-10-18 10:00:00")
    assert told.cleared_by.en == "26 hours less, or exempted"


def test_a_long_clock_leaves_days_out():
    book = "[rules.stalled_case]\nlimit_days = 1000\n"
    _, told = told_of("stalled_case", ACCEPT, until="2022-02-01 10:00:00", rulebook=book)
    assert len(told.days) == 400 and told.left_out == 1_001 - 400


def test_a_rule_that_is_gone_has_no_account():
    engine = engine_of("overdue_promise")
    [finding] = run(engine, ACCEPT, until="2018-10-23 10:00:00").findings.values()
    assert account(finding, engine.district, Rulebook((), "")) is None


def test_the_command_explains_a_replay(tmp_path: Path):
    root = Path(__file__).resolve().parent.parent
    lines = tmp_path / "log.ndjson"
    event = {
        "event_id": "e1", "case_id": "c1", "action": "accept", "item": "permit",
        "department": "D01", "operator": "P0101", "recorded_at": "2026-03-02T09:00:00+08:00",
        "occurred_at": "2026-03-02T09:00:00+08:00",
    }  # fmt: skip
    survey = {
        "event_id": "e2", "action": "step", "step": "survey", "operator": "P0102",
        "recorded_at": "2026-03-02T09:00:58+08:00", "occurred_at": "2026-03-02T09:00:58+08:00",
    }  # fmt: skip
    lines.write_text(json.dumps(event) + "\n" + json.dumps(event | survey) + "\n")
    county, out = str(root / "examples" / "county"), str(tmp_path / "out")
    ask = CliRunner().invoke
    replayed = ask(app, ["replay", str(lines), "--district", county, "--out", out, "--json"])
    assert replayed.exit_code == 0, replayed.output
    found = [json.loads(x) for x in (tmp_path / "out" / "findings.ndjson").read_text().splitlines()]
    name = next(f["finding_id"] for f in found if f["rule"] == "too_fast_step")
    asked = ["explain", name, "--out", out, "--district", county]
    told = json.loads(ask(app, [*asked, "--json"]).output)
    assert told["account"]["cleared_by"]["en"] == "1742 s more, or exempted"
    assert "1742 秒" in ask(app, asked).output
    assert ask(app, ["explain", "f" * 32, *asked[2:]]).exit_code == 1
    assert ask(app, ["explain", name]).exit_code == 2
    assert ask(app, ["explain", name, "--out", out]).exit_code == 2
