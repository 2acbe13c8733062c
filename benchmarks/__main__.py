"""`python -m benchmarks [NAME …] [--events N]`: the speed figures, as a table and results.json.

The file keeps of each figure what was measured last, and on what.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks import (
    bench_calendar,
    bench_cluster,
    bench_decode,
    bench_detect,
    bench_explorer,
    bench_flood,
    bench_gate,
    bench_ingest,
    bench_justice,
    bench_learned,
    bench_learning,
    bench_ledger,
    bench_pages,
    bench_rebalance,
    bench_reference,
    bench_replay,
    bench_restart,
    bench_simulate,
    bench_sms,
    bench_step,
    bench_takeover,
    bench_tick,
    bench_volume,
    bench_wall,
    bench_watchdog,
    county_files,
)

EVENTS = 5_000_000
RESULTS = Path(__file__).with_name("results.json")
Row = dict[str, Any]
BENCHES: dict[str, Callable[[int], list[Row]]] = {
    "reference_loop": bench_reference.run,
    "replay_parquet": bench_replay.run_parquet,
    "replay_ndjson": bench_replay.run_ndjson,
    "decode": lambda events: bench_decode.run(),
    "step_one": lambda events: bench_step.run(),
    "tick_1m": lambda events: bench_tick.run(),
    "calendar": lambda events: bench_calendar.run(),
    "ingest": bench_ingest.run,
    "ledger": bench_ledger.run,
    "restart": lambda events: bench_restart.run(),
    "justice": lambda events: bench_justice.run(),
    "watchdog": lambda events: bench_watchdog.run(),
    "flood": lambda events: bench_flood.run(),
    "gate": lambda events: bench_gate.run(),
    "pages": bench_pages.run,
    "explorer": bench_explorer.run,
    "event_to_sms": lambda events: bench_sms.run(),
    "cluster": bench_cluster.run,
    "rebalance": bench_rebalance.run,
    "takeover": lambda events: bench_takeover.run(),
    "simulate": lambda events: bench_simulate.run(),
    "learned_limits": lambda events: bench_learned.run_limits(),
    "learned_recall": lambda events: bench_learned.run_recall(),
    "ordinary_months": lambda events: bench_volume.run(),
    "learning_speed": lambda events: bench_learning.run_speed(),
    "learning_memory": lambda events: bench_learning.run_memory(),
    "wall": lambda events: bench_wall.run(),
    "detect_receipt": lambda events: bench_detect.run(),
}
FASTER_THAN_LOOP = ("replay_parquet", "replay_ndjson")


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Which benches; all if none.")] = None,
    events: Annotated[int, typer.Option(help="Events of the county's stream.")] = EVENTS,
) -> None:
    """Measure, show a table, and keep it in benchmarks/results.json."""
    unknown = sorted(set(names or ()) - set(BENCHES))
    if unknown:
        typer.echo(f"no bench {', '.join(unknown)}; there are {', '.join(BENCHES)}", err=True)
        raise typer.Exit(2)
    before = os.getloadavg()[0]
    rows: list[Row] = []
    for name in [n for n in BENCHES if not names or n in names]:
        typer.echo(f"{name} …", err=True)
        if name in (*FASTER_THAN_LOOP, "reference_loop"):
            county_files.ndjson_file(events)  # generation is nobody's time
        rows += BENCHES[name](events)
    _against_the_loop(rows)
    machine = _machine(before, events)
    _keep(rows, machine["note"])
    _show([*rows, machine])


def _keep(rows: list[Row], on: str) -> None:
    """In place of what these benches said before."""
    measured = {row["name"] for row in rows}
    held = [row for row in json.loads(RESULTS.read_text("utf-8")) if row["name"] not in measured]
    told = sorted([*held, *(row | {"on": on} for row in rows)], key=lambda row: str(row["name"]))
    RESULTS.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _against_the_loop(rows: list[Row]) -> None:
    """How many times the reference loop, where both were measured in this run."""
    value = {row["name"]: row["value"] for row in rows}
    for row in rows:
        if row["name"] in FASTER_THAN_LOOP and "reference_loop" in value:
            row["against"] = "reference_loop"
            row["ratio"] = round(row["value"] / value["reference_loop"], 1)


def _machine(load_before: float, events: int) -> Row:
    """What the figures were measured on."""
    note = (
        f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()};"
        f" load average {load_before:.1f} before, {os.getloadavg()[0]:.1f} after;"
        f" {events:,} events in the stream; generation and warm-up are off the clock"
    )
    cores = len(os.sched_getaffinity(0))
    return {
        "name": "machine", "value": cores, "unit": "cores",
        "against": None, "ratio": None, "note": note,
    }  # fmt: skip


def _show(rows: list[Row]) -> None:
    table = Table()
    for title, side in (("bench", "left"), ("value", "right"), ("unit", "left")):
        table.add_column(title, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("against")
    table.add_column("ratio", justify="right")
    for row in rows:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:,}"
        table.add_row(row["name"], f"{row['value']:,}", row["unit"], row["against"] or "", ratio)
    Console().print(table)
    for row in rows:
        if "note" in row:
            typer.echo(f"{row['name']}: {row['note']}")


if __name__ == "__main__":
    typer.run(main)
