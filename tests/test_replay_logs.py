"""Real municipal logs, replayed whole, against figures that can be counted by hand."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from replay.run import Job, Replayed, replay

pytestmark = pytest.mark.slow  # processes and whole files
HERE = Path(__file__).parent
RECEIPT = HERE.parent / "examples" / "receipt"
FINES = HERE.parent / "examples" / "fines"


def run(logs: list[Path], folder: Path, **options: Any) -> Replayed:
    """Replay logs with the district and mapping of a folder."""
    job = Job(
        tuple(map(str, logs)), str(folder), str(folder / "mapping.toml"), **options
    )  # fmt: skip
    return replay(job)


@pytest.fixture(scope="module")
def receipt(shared_data: Path) -> Replayed:
    return run([shared_data / "Receipt.xes.gz"], RECEIPT)


def test_receipt_counts(receipt: Replayed) -> None:
    s = receipt.summary
    assert (s["events"], s["cases"], s["refused"], s["duplicates"]) == (8577, 1434, 0, 0)
    assert s["by_rule"]["too_fast_step"] == 4299
    assert s["cases_by_rule"]["same_person"] == 880
    evidence = [
        f["evidence"]
        for f in map(msgspec.json.decode, receipt.findings)
        if f["rule"] == "too_fast_step"
    ]
    same = sum(e["operator"] == e["previous_operator"] for e in evidence)
    assert (same, len(evidence) - same) == (4288, 11)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"workers": 2},
        {"batch_rows": 1000},
        {"batch_rows": 7777},
        {"workers": 3, "batch_rows": 501},
    ],
    ids=str,
)
def test_receipt_digest_is_always_the_same(
    receipt: Replayed, shared_data: Path, options: dict[str, int]
) -> None:
    again = run([shared_data / "Receipt.xes.gz"], RECEIPT, **options)
    assert again.summary["digest"] == receipt.summary["digest"]
    assert again.findings == receipt.findings


def test_receipt_flat_is_the_same_log(receipt: Replayed, shared_data: Path) -> None:
    flat = run([shared_data / "receipt.csv.gz"], RECEIPT)
    assert flat.summary["digest"] == receipt.summary["digest"]


@pytest.fixture(scope="module")
def fines(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a replay of the fines leaves, judged events included."""
    out = tmp_path_factory.mktemp("fines")
    log = shared_data / "Road_Traffic_Fine_Management_Process.xes.gz"
    run([log], FINES, workers=2, out=str(out), events=True)
    return out


def test_fines_are_dated_not_timed(fines: Path) -> None:
    s = msgspec.json.decode((fines / "summary.json").read_bytes())
    assert (s["events"], s["cases"], s["refused"]) == (561_470, 150_370, 0)
    assert "too_fast_step" not in s["by_rule"]
    assert s["undetermined_reasons"]["too_fast_step"] == {"date_only": 12_018}


def test_fines_facts(fines: Path) -> None:
    told = subprocess.run(
        [sys.executable, FINES / "facts.py", fines, "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert msgspec.json.decode(told.stdout) == {
        "cases_with_payment": 69_715,
        "paid_equals_due": 59_090,
        "paid_less": 9_412,
        "paid_more": 1_213,
        "cases_with_penalty": 79_860,
        "penalty_after_60_days": 79_860,
        "of_them_1440_hours": 55_910,  # the rest passed a change of the clocks
    }


def test_bpic15_gaps(shared_data: Path) -> None:
    replayed = run([shared_data / "BPIC15_1.xes.gz"], HERE / "logs" / "bpic15")
    s = replayed.summary
    assert (s["events"], s["cases"], s["refused"]) == (52_217, 1_199, 0)
    assert s["undetermined_reasons"]["too_fast_step"] == {"date_only": 18_368}
    fast = [f for f in map(msgspec.json.decode, replayed.findings) if f["rule"] == "too_fast_step"]
    same = Counter(f["evidence"]["operator"] == f["evidence"]["previous_operator"] for f in fast)
    assert (len(fast) + 18_368, same[True], same[False]) == (41_228, 22_767, 93)


def test_boston_agrees_with_the_city(shared_data: Path) -> None:
    log = shared_data / "boston311-100.csv"
    until = "2022-06-01T00:00:00-04:00"
    replayed = run([log], HERE / "logs" / "boston", until=until)
    findings = [msgspec.json.decode(line) for line in replayed.findings]
    overdue = {
        f["case_id"]
        for f in findings
        if f["rule"] == "overdue_promise" and f["tier"] >= 1
        and not f["withdrawn"] and not f["muted"]
    }  # fmt: skip
    with log.open(newline="") as rows:
        verdicts = {
            row["case_enquiry_id"]: row["ontime"] == "OVERDUE" for row in csv.DictReader(rows)
        }
    assert len(verdicts) == 100
    assert [case for case, late in verdicts.items() if late != (case in overdue)] == []
