"""What was answered is there, and what is there is whole, whatever an unsynced write came to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

POINTS = 250


def crash(points: int, synchronous: str) -> dict:
    """What a ledger of its own process promises and does not keep."""
    script = Path(__file__).with_name("lossy_disk.py")
    command = [sys.executable, str(script), str(points), synchronous]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_every_promise_is_kept_at_every_crash_point():
    told = crash(POINTS, "FULL")
    assert told["points"] == POINTS and told["faults"] == []
    assert told["syncs_a_commit_min"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_a_ledger_that_does_not_sync_is_noticed(synchronous):
    assert crash(60, synchronous)["faults"]
