"""A worker is killed under load: how long its shards stand still, and those of the other.

One of two workers of cases gets SIGKILL and is not started again. The broker gives it up after its
session, the other takes its shards over. Afterwards every shard is derived again from its journal,
and what was judged is counted against what was sent.
"""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterable
from itertools import islice, pairwise
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import psycopg
import typer

from benchmarks.bench_ingest import load
from benchmarks.county_files import BROKEN, ndjson_file
from deploy.running import fresh_folder
from deploy.servers import missing
from deploy.stack import Stack
from detector.places import DatabasePlace
from replay.verify import Verified, prove

EVENTS = 500_000
RATE, SECONDS = 2_000, 45  # events/s, of which the longest pause may take a part
KILL_AFTER_S, SESSION_S = 10, 10.0
POLL_S, SETTLED_S, WAIT_S = 0.02, 0.5, 120
TARGET_S = 20
WORKERS = ("case-1", "case-2", "operator", "department")
VICTIM, OTHER = "case-1", "case-2"
CASES = "SELECT shard, next_event FROM position WHERE shard LIKE 'case-%'"
Stand = dict[str, int]  # inputs judged, by shard


class Watched:
    """Where the shards of cases stand, looked at all the time in a thread of its own."""

    def __init__(self, address: str) -> None:
        self._connection = psycopg.connect(address, autocommit=True)
        self.seen: list[tuple[float, Stand]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(POLL_S):
            stand: Stand = dict(self._connection.execute(CASES).fetchall())
            self.seen.append((perf_counter(), stand))
        self._connection.close()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def moves(self, shard: str) -> list[float]:
        """When the shard was seen to have judged something."""
        return [at for (_, old), (at, new) in pairwise(self.seen) if new[shard] > old[shard]]


def run(events: int) -> list[dict[str, Any]]:
    """One row: seconds from the kill until all its shards judge again."""
    if told := missing():
        typer.echo("; ".join(told), err=True)
        return []
    file, data = ndjson_file(min(events, EVENTS)), fresh_folder("bench")
    stack = Stack(data, (*WORKERS, "serve"), clock="events", session_timeout_s=SESSION_S)
    try:
        stack.start()
        return [_killed(stack, file)]
    finally:
        stack.stop()
        shutil.rmtree(data, ignore_errors=True)


def _killed(stack: Stack, file: Path) -> dict[str, Any]:
    address, sent = stack.postgres.address(), dict[str, Any]()
    watched = Watched(address)
    sender = threading.Thread(
        target=lambda: sent.update(load(stack.port, str(file), 0, SECONDS, RATE))
    )
    sender.start()
    sleep(KILL_AFTER_S)
    theirs, mine = owned(stack, VICTIM), owned(stack, OTHER)
    at = perf_counter()
    stack.kill(VICTIM)
    sender.join()
    count, broken = sent["lines"], broken_of(file, sent["lines"])
    judged = settled(watched, count - broken)
    watched.stop()
    again = max(_first(watched.moves(shard), at + SETTLED_S) for shard in theirs) - at
    pause = max(_longest(watched.moves(shard), at) for shard in mine)
    for name in WORKERS:  # so that nobody writes while it is read
        stack.children[name].stop()
    proof = proved(address)
    typer.echo(
        f"  {again:.1f} s; {judged:,} judged of {count:,} lines; {proof.fault or proof.digest}",
        err=True,
    )
    if proof.fault or judged != count - broken:
        raise RuntimeError(f"{count - broken} events were sent, {judged} judged: {proof.fault}")
    note = (
        f"target {TARGET_S}; session {SESSION_S:g} s, {RATE:,} events/s; the {len(mine)} shards of"
        f" the worker that lives paused {pause:.1f} s at most, {len(theirs)} went over to it;"
        f" {judged:,} events sent, as many judged, 0 lost, 0 doubled; all shards proved,"
        f" {proof.findings:,} findings"
    )
    return {"name": "rebalance", "value": round(again, 2), "unit": "s", "against": None,
            "ratio": None, "note": note}  # fmt: skip


def owned(stack: Stack, name: str) -> list[str]:
    """The shards that a worker said it was given last."""
    told: list[str] = []
    for line in stack.children[name].log.read_text("utf-8").splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        told = event["shards"] if event.get("event") in ("assigned", "idle") else told
    if not told:
        raise RuntimeError(f"{name} has no shard")
    return told


def broken_of(file: Path, lines: int) -> int:
    """How many of the first lines are made to be refused."""
    with file.open("rb") as source:
        return sum(line.rstrip(b"\n") in BROKEN for line in islice(source, lines))


def settled(watched: Watched, want: int) -> int:
    """Wait until so many events are judged, or no more come; how many are."""
    until, moved, last = perf_counter() + WAIT_S, perf_counter(), -1
    while perf_counter() < until and last != want:
        sleep(SETTLED_S)
        stand = watched.seen[-1][1]
        judged = sum(stand.values()) - len(stand)
        if judged != last:
            moved, last = perf_counter(), judged
        elif perf_counter() - moved > TARGET_S:
            break
    sleep(SETTLED_S)  # one too many would be seen
    stand = watched.seen[-1][1]
    return sum(stand.values()) - len(stand)


def _first(moves: Iterable[float], after: float) -> float:
    """What the dead worker had sent before its end may still be committed just behind it."""
    return next(at for at in moves if at > after)


def _longest(moves: list[float], after: float) -> float:
    """The longest pause that a shard made after an instant."""
    before = [at for at in moves if at <= after][-1:]
    return max(b - a for a, b in pairwise([*before, *(at for at in moves if at > after)]))


def proved(address: str) -> Verified:
    """All shards, derived again from their journals."""
    reader = DatabasePlace(address, "case-0").reader()
    names = reader.shards()
    reader.close()
    return prove([DatabasePlace(address, name).reader() for name in names])
