"""The command line as its users call it: outputs, exit codes, and words for mistakes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytestmark = pytest.mark.slow  # processes and whole files
ROOT = Path(__file__).resolve().parent.parent
COUNTY = ROOT / "examples" / "county"


def oriole(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command and expect this exit code."""
    done = subprocess.run(
        [sys.executable, "-m", "detector", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


def line(**fields: Any) -> str:
    """One event of the county as a line."""
    plain = {"item": "food_permit", "department": "D01", "operator": "P0101"}
    at = fields.pop("at", None)
    times = {"occurred_at": at, "recorded_at": at} if at else {}
    return json.dumps(plain | times | fields, ensure_ascii=False) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A survey after 58 seconds, a duplicate of it, two bad lines and a conflict."""
    survey = line(
        case_id="c1", event_id="e2", action="step", step="survey", at="2026-03-02T09:00:58+08:00"
    )
    other = line(
        case_id="c1", event_id="e2", action="step", step="review", at="2026-03-02T09:00:58+08:00"
    )
    path = tmp_path / "log.ndjson"
    path.write_text(
        line(case_id="c1", event_id="e1", action="accept", at="2026-03-02T09:00:00+08:00")
        + survey + "not json\n" + survey + other
        + line(case_id="c2", event_id="e1", action="pay", at="2026-03-02T10:00:00Z", fee_due=-1)
    )  # fmt: skip
    return path


def test_replay_writes_everything(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = oriole("replay", log, "--district", COUNTY, "--out", out, "--json")
    summary = json.loads(done.stdout)
    assert summary == json.loads((out / "summary.json").read_text())
    wanted = {
        "events", "duplicates", "refused", "cases", "findings", "by_rule", "by_tier",
        "cases_by_rule", "undetermined_by_rule", "withdrawn_by_rule", "superseded_by_rule",
        "muted_by_rule", "shadow_by_rule", "notices", "digest", "seconds", "events_per_second",
        "peak_rss_bytes",
    }  # fmt: skip
    assert wanted <= set(summary)
    assert (summary["events"], summary["duplicates"], summary["refused"]) == (2, 1, 3)
    assert summary["by_rule"]["too_fast_step"] == 1
    findings = [json.loads(text) for text in (out / "findings.ndjson").read_text().splitlines()]
    survey = next(f for f in findings if f["rule"] == "too_fast_step")
    assert (survey["value"], survey["limit"], survey["tier"]) == (58, 1800, 2)
    assert survey["events"] == ["e1", "e2"]
    assert "58 秒" in survey["sentence"]["zh"]
    table = pl.read_parquet(out / "findings.parquet")
    assert sorted(table["finding_id"]) == sorted(f["finding_id"] for f in findings)
    refusals = [json.loads(text) for text in (out / "refusals.ndjson").read_text().splitlines()]
    assert [(r["line"], r["field"]) for r in refusals] == [
        (3, "line"),
        (5, "event_id"),
        (6, "fee_due"),
    ]
    assert all(r["file"] == str(log) and r["error"] and r["text"] for r in refusals)
    notices = (out / "notices.ndjson").read_text().splitlines()
    assert len(notices) == summary["notices"] > 0
    assert (out / "undetermined.ndjson").exists()


def test_strict_tells_of_refusals(log: Path) -> None:
    oriole("replay", log, "--district", COUNTY, "--strict", code=3)


def test_two_workers_write_the_same(log: Path, tmp_path: Path) -> None:
    outs = []
    for workers in (1, 2, 3):
        out = tmp_path / str(workers)
        oriole("replay", log, "--district", COUNTY, "--out", out, "--workers", workers)
        outs.append(out)
    for name in ("findings.ndjson", "refusals.ndjson"):
        assert len({(o / name).read_bytes() for o in outs}) == 1
    digests = {json.loads((o / "summary.json").read_text())["digest"] for o in outs}
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replay", "no.ndjson", "--district", COUNTY], "not found"),
        (["replay", COUNTY / "README.md", "--district", COUNTY], "README.md"),
        (["replay", "README.md", "--district", COUNTY, "--events"], "--out"),
        (["rules", "show", "no_such"], "no such rule"),
        (["rules", "test", "no_such"], "no such rule"),
        (["check", "--district", ROOT / "docs"], "district.toml"),
    ],
)
def test_mistakes_are_said(words: list[object], said: str) -> None:
    done = oriole(*words, code=2)
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_until_must_be_a_time(log: Path) -> None:
    done = oriole("replay", log, "--district", COUNTY, "--until", "soon", code=2)
    assert "--until" in done.stderr


@pytest.mark.parametrize("on", ["true", "false"])
def test_check_names_what_a_district_cannot_set_of_a_learner(tmp_path: Path, on: str) -> None:
    folder = tmp_path / "county"
    shutil.copytree(COUNTY, folder)
    toml = folder / "district.toml"
    learners = "pacer = {}\npace = { floors = 3, window = 9 }\ndrift = { window = 7 }\n"
    text = f"\n[learning]\non = {on}\n[learning.learners]\n{learners}"
    toml.write_text(toml.read_text("utf-8") + text, "utf-8")
    (folder / "rulebook.toml").write_text("[rules.too_fast_step]\nspeed = 3\n")
    told = json.loads(oriole("check", "--district", folder, "--json", code=2).stdout)["errors"]
    assert [one.partition("; ")[0] for one in told] == [
        "rulebook.toml: rules.too_fast_step.speed: is an unknown key (line 2)",
        "district.toml: learning.learners.drift.window: is out of bounds",
        "district.toml: learning.learners.pace.floors: is no parameter of it",
        "district.toml: learning.learners.pace.window: is no parameter of it",
        "district.toml: learning.learners.pacer: is no learner",
    ]
    assert told[1].endswith("; from 8 to 400") and "known: drift, pace, path" in told[4]


def test_check_says_sound_or_what_is_wrong(tmp_path: Path) -> None:
    assert json.loads(oriole("check", "--district", COUNTY, "--json").stdout)["errors"] == []
    bad = tmp_path / "bad"
    (bad / "catalogue").mkdir(parents=True)
    for name in ("district.toml", "people.csv"):
        (bad / name).write_bytes((COUNTY / name).read_bytes())
    (bad / "people.csv").write_text("person,name,role,department,phone,level\n")
    item = (
        '[[items]]\ncode = "a"\nname = "a"\ntype = "01"\npromised_days = 12\nstatutory_days = 10\n'
    )
    (bad / "catalogue" / "permits.toml").write_text(item)
    (bad / "rulebook.toml").write_text("[rules.too_fast_step]\nspeed = 3\n")
    done = oriole("check", "--district", bad, code=2)
    assert "catalogue/permits.toml: items[0].promised_days" in done.stdout
    (bad / "catalogue" / "permits.toml").write_text(item.replace("12", "9"))
    done = oriole("check", "--district", bad, code=2)
    assert "rulebook.toml: rules.too_fast_step.speed" in done.stdout
    assert "line 2" in done.stdout


def test_rules_commands() -> None:
    listed = json.loads(oriole("rules", "list", "--json").stdout)["rules"]
    assert len(listed) == len(list((ROOT / "rules").glob("*.py")))
    assert "30" in oriole("rules", "show", "too_fast_step").stdout
    assert oriole("rules", "test").stdout.strip().endswith("passed, 0 failed")
    assert json.loads(oriole("rules", "lock", "--check", "--json").stdout)["faults"] == []
