"""How long a worker takes until it judges again, with a million open cases over its four shards.

The cases are opened in the ledgers by the shards themselves, without a broker. A first worker finds
no snapshot and judges the whole journal again; stopped, it leaves one of each shard, from which the
next ones begin. A new record waits in each partition: the clock runs from the start of the process
until the first of them is durable, for which all partitions must have been assigned.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from statistics import median
from time import perf_counter, sleep
from typing import Any, NamedTuple

import typer

from benchmarks.bench_justice import LINE
from benchmarks.bench_restart import CASES
from benchmarks.ground import LAYOUT, Ground, Place, write
from deploy.servers import missing
from deploy.stack import Child
from detector.adapters.kafka import Out
from detector.cluster.layout import CASE, topic_of
from detector.cluster.packing import LINE as STAMPED_BY_LINE
from detector.cluster.packing import RECEIVED, Packer
from detector.cluster.whole import Whole
from detector.live.contents import read_contents
from detector.places import DatabasePlace

BODY = 32_768
RUNS = 3
POLL_S, WAIT_S = 0.02, 600
TARGET_S = 20


class Start(NamedTuple):
    """How a worker came up."""

    first_s: float  # until the first new record was judged
    all_s: float  # … one in each partition
    recovered_s: float  # of that, spent in bringing shards back, one after the other
    snapshots: int  # shards that began from one
    replayed: int


def run(cases: int = CASES) -> list[dict[str, Any]]:
    """Two rows: seconds until it judges again, with snapshots and without any."""
    if told := missing():
        typer.echo("; ".join(told), err=True)
        return []
    with Ground() as ground:
        place = ground.place()
        begun = perf_counter()
        _open_cases(place, cases)
        typer.echo(f"  {cases:,} cases opened in {perf_counter() - begun:.0f} s", err=True)
        bare, *starts = [_started(ground, place, number) for number in range(RUNS + 1)]
        place.close()
    if bare.snapshots or any(one.snapshots != LAYOUT.cases for one in starts):
        raise RuntimeError(f"snapshots were to be found by all but the first: {bare}, {starts}")
    return [_row("takeover_1m_cases", starts, cases), _row("takeover_journal", [bare], cases)]


def _row(name: str, starts: list[Start], cases: int) -> dict[str, Any]:
    told = ", ".join(f"{one.first_s:.1f}" for one in starts)
    whole, back = (median(column) for column in ([s[k] for s in starts] for k in (1, 2)))
    note = (
        f"target {TARGET_S}; {told} s; all {LAYOUT.cases} partitions {whole:.1f} s, of which"
        f" {back:.1f} s are recoveries one after the other; {cases:,} open cases,"
        f" {starts[0].replayed:,} inputs judged again"
    )
    return {"name": name, "value": round(median(one.first_s for one in starts), 2), "unit": "s",
            "against": None, "ratio": None, "note": note}  # fmt: skip


def _open_cases(place: Place, cases: int) -> None:
    """Nobody takes up what these shards tell others: it is as if it had arrived."""
    with closing(DatabasePlace(place.address, LAYOUT.shards(CASE)[0]).reader()) as reader:
        content = read_contents(reader, [1])[-1].content
    whole = Whole(content, lambda name: DatabasePlace(place.address, name).shard_ledger(), LAYOUT)
    packer = Packer(LAYOUT)
    for body in _bodies(cases):
        for pack in packer.packs(body, None):
            whole.feed(pack)
        for runner in whole.runners.values():
            runner.relayed = runner.shard.position.seq
        for queue in whole.queues.values():
            queue.clear()
    whole.finish({})
    whole.close()
    if whole.faults:
        raise RuntimeError(f"not taken: {whole.faults[0]}")


def _bodies(cases: int) -> Iterator[bytes]:
    """An acceptance of every case within one working day, in order of time."""
    for begin in range(0, cases, BODY):
        lines = [_accepted(n, n * 25_000 // cases) for n in range(begin, min(begin + BODY, cases))]
        yield b"\n".join(lines) + b"\n"


def _accepted(number: int, second: int) -> bytes:
    at = f"2026-03-02T{9 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}+08:00"
    return (LINE % (f"e{number}", f"32041126{number:09d}", number % 20_000, at, at)).encode()


def _new(number: int, cases: int) -> list[Out]:
    """A record for each partition, of a case that is new."""
    packer, told = Packer(LAYOUT), dict[int, Out]()
    begin = cases + number * 1_000
    for case in range(begin, begin + 1_000):
        [pack] = packer.packs(_accepted(case, 25_000) + b"\n", None)
        headers = ((RECEIVED, STAMPED_BY_LINE),)
        told[pack.partition] = Out(topic_of(CASE), pack.partition, pack.data, headers)
        if len(told) == LAYOUT.cases:
            return list(told.values())
    raise RuntimeError("a partition has no case")


def _started(ground: Ground, place: Place, number: int) -> Start:
    """Start a worker, see it judge a new record of each partition, and stop it."""
    write(ground.kafka.address, _new(number, CASES))
    worker, before = place.worker("case-1"), _stands(place)
    seen = worker.log.stat().st_size if worker.log.exists() else 0
    begun = perf_counter()
    worker.launch()
    try:
        moved = dict[str, float]()
        while len(moved) < LAYOUT.cases:
            sleep(POLL_S)
            for shard, inputs in _stands(place).items():
                if inputs > before[shard]:
                    moved.setdefault(shard, perf_counter() - begun)
            _alive(worker, begun)
    finally:
        worker.stop()
    with worker.log.open("rb") as log:
        log.seek(seen)
        events = [json.loads(line) for line in log if line.startswith(b"{")]
    back = [one for one in events if one["event"] == "recovered"]
    start = Start(
        min(moved.values()), max(moved.values()), sum(one["seconds"] for one in back),
        sum(one["snapshot_seq"] > 0 for one in back), sum(one["replayed"] for one in back),
    )  # fmt: skip
    typer.echo(f"  {start}", err=True)
    return start


def _stands(place: Place) -> dict[str, int]:
    return dict(place.ask("SELECT shard, next_event FROM position WHERE shard LIKE 'case-%'"))


def _alive(worker: Child, begun: float) -> None:
    if not worker.alive or perf_counter() - begun > WAIT_S:
        raise RuntimeError(f"{worker.name} does not judge\n{worker.last_lines}")
