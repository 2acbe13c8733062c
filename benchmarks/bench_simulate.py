"""A million events of the simulated county, written by `oriole simulate` in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import median
from typing import Any

from benchmarks.county_files import ROOT, SCRATCH

CASES, DAYS, RUNS = 160_000, 120, 3
OUT = SCRATCH / "simulated.ndjson"


def run() -> list[dict[str, Any]]:
    """One row: seconds for 1,000,000 events, by the events that were written."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "detector", "simulate", "--cases", str(CASES), "--seed", "7"]
    command += ["--days", str(DAYS), "--out", str(OUT), "--json"]
    seconds, told = [], {}
    for _ in range(RUNS):
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        told = json.loads(done.stdout)
        seconds.append(told["seconds"] * 1e6 / told["events"])
    OUT.unlink()
    note = f"{told['events']:,} events of {CASES:,} cases; {', '.join(map(str, seconds))} s"
    return [
        {"name": "simulate", "value": round(median(seconds), 2), "unit": "s",
         "against": None, "ratio": None, "note": note},
    ]  # fmt: skip
