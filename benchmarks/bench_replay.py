"""The real command line over a whole history: `oriole replay` in a process of its own.

Timed from the start of the process to its end: imports, reading, judging, findings and digest
written. The input files are made and read once before, so they come from the page cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import struct_rusage
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.county_files import DISTRICT, ROOT, SCRATCH, ndjson_file, parquet_file

RUNS = 5
WORKERS = 2
Summary = dict[str, Any]


def run_parquet(events: int) -> list[dict[str, Any]]:
    """One row: events/s of the whole process over the Parquet file, median of five."""
    return [_bench("replay_parquet", parquet_file(events), events)]


def run_ndjson(events: int) -> list[dict[str, Any]]:
    """One row: events/s of the whole process over the NDJSON file, median of five."""
    return [_bench("replay_ndjson", ndjson_file(events), events)]


def _bench(name: str, file: Path, events: int) -> dict[str, Any]:
    size = file.stat().st_size
    with file.open("rb") as warm:
        while warm.read(1 << 24):
            pass
    seconds, used, summaries = [], [], []
    for _ in range(RUNS):
        taken, usage, summary = replay(file)
        taken_in = summary["events"] + summary["duplicates"]
        if taken_in != events:
            raise RuntimeError(f"{file.name}: {taken_in} of {events} events accepted or known")
        seconds.append(taken)
        used.append(usage)
        summaries.append(summary)
    if len({s["digest"] for s in summaries}) != 1:
        raise RuntimeError(f"{file.name}: the digests of {RUNS} runs differ")
    said = median(s["seconds"] for s in summaries)
    last = summaries[-1]
    note = (
        f"{WORKERS} workers, whole process {', '.join(f'{s:.1f}' for s in seconds)} s (it says"
        f" {said:.1f}), {median(u.ru_utime + u.ru_stime for u in used):.1f} CPU seconds;"
        f" {size / events:.0f} bytes a line; refused {last['refused']:,}, findings"
        f" {last['findings']:,}; peak RSS of the largest process"
        f" {max(u.ru_maxrss for u in used) / 1e3:,.0f} MB, by the summary"
        f" {last['peak_rss_bytes'] / 1e6:,.0f} MB; digest {last['digest'][:16]}"
    )
    value = events / median(seconds)
    return {
        "name": name, "value": round(value), "unit": "events/s",
        "against": None, "ratio": None, "note": note,
    }  # fmt: skip


def replay(file: Path, workers: int = WORKERS) -> tuple[float, struct_rusage, Summary]:
    """Seconds and resources (all processes together, but the peak of the largest) of one replay,
    and its summary."""
    script = Path(sys.executable).with_name("oriole")
    oriole = [str(script)] if script.exists() else [sys.executable, "-m", "detector"]
    with tempfile.TemporaryDirectory(dir=SCRATCH) as out:
        command = [
            *oriole, "replay", str(file), "--district", str(DISTRICT), "--out", out,
            "--workers", str(workers), "--json",
        ]  # fmt: skip
        begin = perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT
        ) as run:
            assert run.stderr is not None
            said = run.stderr.read()
            _, status, used = os.wait4(run.pid, 0)
            seconds = perf_counter() - begin
            run.returncode = os.waitstatus_to_exitcode(status)
        if run.returncode:
            raise RuntimeError(
                f"oriole replay ended with {run.returncode}: {said.decode()[-2000:]}"
            )
        summary = json.loads((Path(out) / "summary.json").read_bytes())
    return seconds, used, summary
