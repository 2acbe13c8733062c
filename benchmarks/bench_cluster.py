"""What one worker of a scale-out judges, against a bare faust app that only decodes.

Both read the same records of one broker, written before the clock starts, on the same cores; the
worker commits to a PostgreSQL that syncs. Then its latency: a whole cluster under a load of a third
of that, from the instant at which an event's body was due to its finding on the stream.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter, sleep
from typing import Any

import typer

from benchmarks.bench_ingest import load
from benchmarks.county_files import ROOT, ndjson_file
from benchmarks.ground import Ground, Place, cpu_s, metrics, write
from benchmarks.packs import Sent, records_of
from deploy.running import fresh_folder
from deploy.servers import missing
from deploy.stack import Child, Stack
from detector.cluster.layout import CASE, topic_of

EVENTS_MAX = 1_000_000
POLL_S, WAIT_S = 0.05, 900
TARGET = 60_000
TWO_FROM = 400_000  # events; of fewer the first worker leaves nothing to the second
PACED_S, PACED_MAX = 25, 8_000  # events/s that load generator and door get through beside the rest
PACED_EVENTS = 500_000  # in the file that they are taken from
FED = ("operator", "department")


@dataclass
class Bare:
    """How the app that only decodes came through the topic."""

    lines: int
    seconds: float  # from its first record to its last
    cpu_s: float  # of its process meanwhile

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.lines / self.seconds


@dataclass
class Course:
    """How a worker came through the topic: seconds and inputs since its first commit was seen."""

    inputs: int
    seconds: float
    spent: dict[str, float]  # CPU seconds
    note: str = ""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.inputs / self.seconds


def run(events: int) -> list[dict[str, Any]]:
    """Rows: decoding alone; a worker, two, and one with those that it feeds; the latency."""
    if told := missing():
        typer.echo("; ".join(told), err=True)
        return []
    sent = records_of(ndjson_file(min(events, EVENTS_MAX)))
    with Ground() as ground:
        _say(f"{sent.lines:,} lines, {len(sent.records):,} records")
        write(ground.kafka.address, sent.records)
        bare = [decode_only(ground, sent, "before")]
        courses = {"worker": worked(ground, sent, ["case-1"])}
        bare.append(decode_only(ground, sent, "after"))
        if sent.lines >= TWO_FROM:
            courses["worker_two"] = worked(ground, sent, ["case-1", "case-2"])
        courses["worker_fed"] = worked(ground, sent, ["case-1"], FED)
    return [*_rows(sent, bare, courses), latency(courses["worker"].rate / 3)]


def _rows(sent: Sent, bare: list[Bare], courses: dict[str, Course]) -> list[dict[str, Any]]:
    rate = sum(one.rate for one in bare) / len(bare)
    told = [
        {"name": "faust_decode", "value": round(rate), "unit": "events/s", "against": None,
         "ratio": None, "note": f"{', '.join(f'{one.rate:,.0f}' for one in bare)} before and after"
         f" the worker; {sent.lines:,} lines in {len(sent.records):,} records, CPU"
         f" {', '.join(f'{one.cpu_s:.1f} of {one.seconds:.1f}' for one in bare)} s"},
    ]  # fmt: skip
    for name, course in courses.items():
        told.append(
            {"name": name, "value": round(course.rate), "unit": "events/s",
             "against": "faust_decode", "ratio": round(course.rate / rate, 2),
             "note": f"target {TARGET:,}; {course.note}"}
        )  # fmt: skip
    return told


# -- decoding alone -------------------------------------------------------------------------------


def decode_only(ground: Ground, sent: Sent, group: str) -> Bare:
    """What the bare app says that reads the topic in a group of its own."""
    records = sum(sent.ends().values())
    command = [sys.executable, "-m", "benchmarks.faust_decode", ground.kafka.address]
    done = subprocess.run(
        [*command, topic_of(CASE), str(records), str(ground.folder / group), group],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    told = Bare(**json.loads(done.stdout))
    if told.lines != sent.lines:
        raise RuntimeError(f"{told.lines} lines were decoded, not {sent.lines}")
    _say(f"faust_decode {told.rate:,.0f} events/s")
    return told


# -- the worker -----------------------------------------------------------------------------------


def worked(ground: Ground, sent: Sent, names: Sequence[str], fed: Sequence[str] = ()) -> Course:
    """Start workers on the full topic, and see them come to its end."""
    ground.topics()
    if fed:
        clocks = [one for one in sent.records if one.topic != topic_of(CASE)]
        write(ground.kafka.address, clocks)
    place = ground.place()
    with ExitStack() as ends:
        ends.callback(place.close)
        children = {name: place.worker(name) for name in (*names, *fed)}
        for child in reversed(children.values()):  # cases last, when those they feed are there
            ends.callback(child.stop)
            child.launch()
            if child.name in fed:
                child.wait_ready()
        course = watched(ground, place, sent, children, len(names))
        course.note += f" {_batches(place)}; relays {ground.relay_bytes() / 1e6:.1f} MB"
        without = "" if fed else "workers of operators and departments do not run: topics apart"
        course.note += f"; {without or 'until the clock of the department has come to the end'}"
    _say(f"{'+'.join(children)} {course.rate:,.0f} events/s: {course.note}")
    return course


def watched(
    ground: Ground, place: Place, sent: Sent, children: dict[str, Child], owners: int
) -> Course:
    """From when all workers of cases have their shards and judge, to the end."""
    launched, (base, _), ends = perf_counter(), _stands(place), sent.ends()
    while (at := _stands(place)) and (at[0] == base or at[1] < owners):
        _alive(children, launched)
        if _done(place, ends):
            raise RuntimeError(f"{at[1]} of {owners} workers had judged all before the others came")
        sleep(POLL_S)
    begun, before = perf_counter(), _spent(ground, children)
    while not _done(place, ends) or (len(children) > owners and _clock(place) < sent.until):
        _alive(children, launched)
        sleep(POLL_S)
    seconds, after = perf_counter() - begun, _spent(ground, children)
    total = _stands(place)[0]
    spent = {name: after[name] - before[name] for name in after}
    cpu = ", ".join(f"{name} {one:.1f}" for name, one in spent.items())
    note = (
        f"{total - at[0]:,} of {total - base:,} inputs in {seconds:.1f} s, the rest before all"
        f" shards were seen at work, {begun - launched:.1f} s from the start; CPU {cpu} s;"
    )
    return Course(total - at[0], seconds, spent, note)


def _stands(place: Place) -> tuple[int, int]:
    """Inputs in all shards of cases, and how many workers own them."""
    [(inputs, owners)] = place.ask(
        "SELECT sum(next_event), count(DISTINCT owner) FROM position WHERE shard LIKE 'case-%'"
    )
    return int(inputs), owners


def _done(place: Place, ends: dict[str, int]) -> bool:
    """All lines are durable; a tick that causes nothing leaves nothing."""
    stand = place.ask("""SELECT shard, coalesce("offset", 0) FROM position""")
    return all(offset >= ends[shard] - 1 for shard, offset in stand if shard in ends)


def _clock(place: Place) -> float:
    """Up to when the department has heard all, µs UTC."""
    [(owner,)] = place.ask("SELECT owner FROM position WHERE shard = 'department-0'")
    told = metrics(owner) if owner else {}
    return told.get(("oriole_watermark_seconds", "department-0"), 0.0) * 1e6


def _spent(ground: Ground, children: dict[str, Child]) -> dict[str, float]:
    return {name: cpu_s(child.pid) for name, child in children.items()} | ground.seconds()


def _batches(place: Place) -> str:
    """What the workers of cases say of their batches."""
    told: dict[str, float] = {}
    owners = place.ask("SELECT DISTINCT owner FROM position WHERE shard LIKE 'case-%'")
    for (owner,) in owners:
        for (name, shard), value in metrics(owner).items():
            if shard.startswith(CASE):
                told[name] = told.get(name, 0.0) + value
    inputs, batches = told["oriole_inputs"], told["oriole_batches"]
    return (
        f"{batches:,.0f} commits, {told['oriole_frames']:,.0f} frames, {inputs / batches:,.0f}"
        f" inputs a commit, {told['oriole_judge_seconds']:.1f} s of threads judging,"
        f" {told['oriole_commit_seconds']:.1f} s committing"
    )


def _alive(children: dict[str, Child], begun: float) -> None:
    for child in children.values():
        if not child.alive:
            raise RuntimeError(f"{child.name} ended\n{child.last_lines}")
    if perf_counter() - begun > WAIT_S:
        raise RuntimeError(f"not at the end after {WAIT_S} s")


# -- latency --------------------------------------------------------------------------------------


def latency(third: float) -> dict[str, Any]:
    """One row: ms from an event to its finding on the stream, at the 99th percentile."""
    file, data = str(ndjson_file(PACED_EVENTS)), fresh_folder("bench")
    rate = min(third, PACED_MAX)
    stack = Stack(data, ("case-1", "case-2", *FED, "serve"), clock="events")
    try:
        stack.start()
        paced = load(stack.port, file, 0, PACED_S, rate, "ticks")
    finally:
        stack.stop()
        shutil.rmtree(data, ignore_errors=True)
    finding, answer = paced["finding_ms"], paced["answer_ms"]
    note = (
        f"target 250; at {paced['rate']:,.0f} events/s for {PACED_S} s (a third of a worker is"
        f" {third:,.0f}): {paced['findings']:,} findings, p50 {finding['p50']}, p99.9"
        f" {finding['p99.9']} ms; answers p50 {answer['p50']}, p99 {answer['p99']} ms"
    )
    return {"name": "cluster_event_to_finding_p99", "value": finding["p99"], "unit": "ms",
            "against": None, "ratio": None, "note": note}  # fmt: skip


def _say(text: str) -> None:
    typer.echo(f"  {text}", err=True)
