"""Real municipal logs, replayed whole, against figures that can be counted by hand."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from replay.run import Job, Replayed, replay

pytestmark = pytest.mark.slow  # processes and whole files
HERE = Path(__file__).parent
RECEIPT = HERE.parent / "examples" / "receipt"


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


@pytest.mark.slow
def test_fines_are_dated_not_timed(shared_data: Path) -> None:
    log = shared_data / "Road_Traffic_Fine_Management_Process.xes.gz"
    s = run([log], HERE / "logs" / "fines", workers=2).summary
    assert (s["events"], s["cases"], s["refused"]) == (561_470, 150_370, 0)
    assert "too_fast_step" not in s["by_rule"]
    assert s["undetermined_reasons"]["too_fast_step"] == {"date_only": 12_018}


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
