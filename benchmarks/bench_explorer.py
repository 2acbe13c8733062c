"""How soon the threshold explorer answers over a ledger of millions of events, through the server.

`oriole run` goes on from a snapshot of the county's stream; one client asks for the curves of all
rules whose limit can be tried out, one after the other, under the limit in force and under all.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np

from benchmarks import bench_restart
from benchmarks.bench_pages import asker, bodies_of, said
from benchmarks.county_files import SCRATCH, ndjson_file
from benchmarks.server import serving
from detector.shelf import load_shelf

DATA = SCRATCH / "explorer"
EVENTS_MAX, ASKED = 10_000_000, 12
TARGET_MS = 200


def run(events: int) -> list[dict[str, Any]]:
    """One row: ms of an answer, p95."""
    many = min(events, EVENTS_MAX)
    bench_restart.make(DATA, bodies_of(ndjson_file(many)), said=said)
    rules = [name for name, one in load_shelf().items() if one.rule.tuned]
    taken: dict[str, list[float]] = {}
    rows = size = 0
    with serving(DATA) as server:
        ask = asker(server["port"])
        for turn in range(ASKED):
            for rule in rules:
                more = "?every=true" if turn % 3 == 2 else "?at=1&at=100"
                took, body = ask(f"/api/v1/rules/{rule}/thresholds{more}")
                taken.setdefault(rule, []).append(took * 1e3)
                size = max(size, len(body))
                if not turn:
                    rows += sum(one["rows"] for one in json.loads(body)["choices"])
    shutil.rmtree(DATA)
    p50, p95, p99 = np.percentile(np.concatenate(list(taken.values())), [50, 95, 99]).tolist()
    slowest = max(taken, key=lambda rule: float(np.median(taken[rule])))
    note = (
        f"p95 of {ASKED * len(rules)}; p50 {p50:.1f}, p99 {p99:.1f}; {many:,} events, {rows:,} rows"
        f" counted of {len(rules)} rules; slowest {slowest}, p50"
        f" {float(np.median(taken[slowest])):.1f}; at most {size:,} bytes; target {TARGET_MS}"
    )
    return [
        {"name": "explorer", "value": round(p95, 1), "unit": "ms", "against": None, "ratio": None,
         "note": note}
    ]  # fmt: skip
