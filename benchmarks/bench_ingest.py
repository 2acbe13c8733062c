"""What the living service takes over HTTP, durable, with the load beside it on the same cores.

The server is `oriole run` as users start it; the load generator is a process of its own. A second
run sends at a third of what the first sustained, and measures from the instant at which an event's
body was due to the instant at which its finding came over the stream.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import Any

from benchmarks.county_files import ROOT, SCRATCH, ndjson_file
from benchmarks.server import serving

SECONDS = 60
PACED_SECONDS = 20
DATA = SCRATCH / "ingest"


def run(events: int) -> list[dict[str, Any]]:
    """Two rows: events/s sustained; ms from an event to its finding at the 99th percentile."""
    file = str(ndjson_file(events))
    shutil.rmtree(DATA, ignore_errors=True)
    with serving(DATA) as server:
        full = load(server["port"], file, 0, SECONDS, 0)
        size = (DATA / "ledger.sqlite").stat().st_size
    shutil.rmtree(DATA)
    third = full["rate"] / 3
    with serving(DATA) as server:
        paced = load(server["port"], file, 0, PACED_SECONDS, third)
    shutil.rmtree(DATA)
    note = (
        f"4 connections, 500 lines a body, {full['lines']:,} lines in {full['seconds']:.1f} s,"
        f" answers p50 {full['answer_ms']['p50']} p99 {full['answer_ms']['p99']} ms,"
        f" {size / max(full['lines'], 1):.0f} bytes of ledger an event"
    )
    paced_note = (
        f"at {third:,.0f} events/s for {PACED_SECONDS} s: {paced['findings']:,} findings,"
        f" p50 {paced['finding_ms']['p50']}, p99.9 {paced['finding_ms']['p99.9']} ms"
    )
    return [
        {"name": "ingest", "value": round(full["rate"]), "unit": "events/s", "against": None,
         "ratio": None, "note": note},
        {"name": "event_to_finding_p99", "value": paced["finding_ms"]["p99"], "unit": "ms",
         "against": None, "ratio": None, "note": paced_note},
    ]  # fmt: skip


def load(
    port: int, file: str, skip: int, seconds: float, rate: float, *more: str
) -> dict[str, Any]:
    """What the load generator says."""
    command = [sys.executable, "-m", "benchmarks.load", str(port), file, str(skip), str(seconds)]
    done = subprocess.run(
        [*command, str(rate), *more], cwd=ROOT, check=True, capture_output=True, text=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told
