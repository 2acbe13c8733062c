"""How soon the gate answers whether an event may be filed, while others are being recorded.

`oriole run` with 1,000,000 open cases is sent 15,000 events/s and asked 500 times a second, each by
a process of its own on the same cores; 2 % of the events raise a finding. `gate_p99` is taken
within the server, from the whole head of a request to its answer; `gate_client_p99` at who asks,
from the instant at which the request was due: the target is 5 and 20 ms.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import bench_restart
from benchmarks.county_files import ROOT, SCRATCH
from benchmarks.gate_load import CASES, accepted, surveyed
from benchmarks.server import serving

EVENTS_RATE, GATE_RATE = 15_000, 500
SECONDS = 15
LEAD_S = 3  # events come for so long before anybody asks
SURVEYS = EVENTS_RATE * (SECONDS + 3 * LEAD_S)
BODY = 8_192
DATA = SCRATCH / "gate"


def run() -> list[dict[str, Any]]:
    """Two rows: ms at the 99th percentile, within the server and at who asks."""
    bench_restart.make(DATA, packed(accepted(case) for case in range(CASES)))
    lines = DATA / "surveys.ndjson"
    with lines.open("wb") as out:
        out.writelines(packed(surveyed(case) for case in range(SURVEYS)))
    with serving(DATA) as server:
        loading = _load(server["port"], lines)
        try:
            loading.wait(LEAD_S)
            raise RuntimeError("the load has ended early")
        except subprocess.TimeoutExpired:
            asked = _ask(server["port"])
        events = json.loads(loading.communicate()[0])
    shutil.rmtree(DATA)
    told = asked["told"]
    note = (
        f"{CASES:,} open cases; {events['rate']:,.0f} events/s of {EVENTS_RATE:,} offered,"
        f" {asked['rate']:,.0f} requests/s of {GATE_RATE}; {asked['asked']:,} asked:"
        f" {told.get('denied', 0):,} denied, {told.get('failures', 0)} not judged in time;"
        f" p50 {{p50}}, p99.9 {{p99.9}} ms"
    )
    return [
        {"name": name, "value": asked[where]["p99"], "unit": "ms", "against": None, "ratio": None,
         "note": note.replace("{p50}", str(asked[where]["p50"])).replace(
             "{p99.9}", str(asked[where]["p99.9"]))}
        for name, where in (("gate_p99", "server"), ("gate_client_p99", "client"))
    ]  # fmt: skip


def packed(lines: Iterable[bytes]) -> Iterator[bytes]:
    """So many lines a body."""
    for some in batched(lines, BODY):
        yield b"".join(some)


def batched(lines: Iterable[bytes], count: int) -> Iterator[list[bytes]]:
    """Lists of so many, the last one shorter."""
    source = iter(lines)
    while some := list(islice(source, count)):
        yield some


def _load(port: int, lines: Path) -> subprocess.Popen[str]:
    seconds = SECONDS + 2 * LEAD_S
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(lines), "0", str(seconds)]
    return subprocess.Popen(
        [*command, str(EVENTS_RATE)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def _ask(port: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.gate_load", str(port), str(SECONDS)]
    done = subprocess.run(
        [*command, str(GATE_RATE)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told
