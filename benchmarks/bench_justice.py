"""One-second justice: how late notices of limits are issued, with a million cases open.

The cases are accepted on one day, forty with the stamp of each second. Days later a runner takes
them over from a snapshot, on a clock that goes at the machine's pace from just before the first
limits; it writes to a ledger file as a service does, takes bodies of events and, in the middle, a
snapshot. A lateness runs from a limit's instant to the end of the commit that issued its notice.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.bench_restart import CASES, accepted, fail
from benchmarks.county_files import DISTRICT, SCRATCH
from detector.adapters import machine
from detector.district import read_folder
from detector.ledger import NoticeWork
from detector.ledger.content import content_of
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.live import genesis, snapshot
from detector.live.outside import Outside
from detector.live.recovery import recover
from detector.live.runner import Runner
from detector.live.snapshotter import Snapshotter
from detector.shelf import rules_folder
from detector.values import iso_time

DATA = SCRATCH / "justice"
SECONDS, BEFORE_S, A_SECOND, A_BODY = 60, 3, 200, 8_000
LINE = (
    '{"event_id":"%s","case_id":"%s","action":"accept","item":"eia_permit","department":"D03",'
    '"district":"320411","operator":"P03%05d","occurred_at":"%s","recorded_at":"%s","channel":"1",'
    '"documents":["application_form","eia_report"],'
    '"fields":["applicant","credit_code","project_name"]}'
)


class _Clock:
    """The machine's pace from an instant on."""

    def __init__(self, begin_us: int) -> None:
        self._off = begin_us - machine.wall_us()

    def now(self) -> int:
        """µs UTC."""
        return machine.wall_us() + self._off


def run() -> list[dict[str, Any]]:
    """One row: seconds from the instant to the notice, the latest of all."""
    _open_cases()
    late, snapshots = _watch()
    shutil.rmtree(DATA)
    told = {q: round(float(np.percentile(late, q)) * 1e3) for q in (50, 99)}
    note = (
        f"{CASES:,} open cases, {len(late):,} notices of limits within {SECONDS} s, beside"
        f" {A_SECOND} events/s and {snapshots} snapshot(s); p50 {told[50]}, p99 {told[99]} ms"
    )
    return [
        {"name": "one_second_justice", "value": round(max(late), 3), "unit": "s", "against": None,
         "ratio": None, "note": note},
    ]  # fmt: skip


def _open_cases() -> None:
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True)
    ledger = open_ledger(DATA / FILE)
    genesis.begin(ledger, content_of(read_folder(DISTRICT), rules_folder(), machine.wall_us()))
    outside = Outside(None, machine.seconds, lambda: True, lambda shard: None, fail)
    shard = recover(ledger, None).shard
    runner = Runner(shard, ledger, outside)
    runner.state = "ready"
    for begin in range(0, CASES, A_BODY):
        lines = [_accepted(n) for n in range(begin, min(begin + A_BODY, CASES))]
        runner.submit("\n".join(lines).encode(), accepted)
        runner._turn()
    if shard.state.notices.notices:
        raise RuntimeError("an acceptance costs a notice")
    snapshot.write(snapshot.capture(shard, snapshot.Twin()), DATA / "snapshots")
    ledger.close()


def _accepted(n: int) -> str:
    """One of forty acceptances within a second of one working day."""
    second = n * 25_000 // CASES
    at = f"2026-03-02T{9 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}+08:00"
    return LINE % (f"e{n}", f"32041126{n:09d}", n % 20_000, at, at)


def _watch() -> tuple[list[float], int]:
    """How late each notice was, in seconds; and how many snapshots were taken meanwhile."""
    ledger = open_ledger(DATA / FILE)
    shard = recover(ledger, DATA / "snapshots").shard
    clock = _Clock(shard.state.cases.earliest_due - BEFORE_S * 1_000_000)
    keeper = Snapshotter(DATA / "snapshots", machine.seconds, lambda what, told: None)
    keeper.began(shard)
    keeper.every_s = SECONDS / 2
    late: list[float] = []

    def heard(work: NoticeWork) -> None:
        at = clock.now()
        late.extend((at - s.at_us) / 1e6 for s in work.steps if not s.before)

    outside = Outside(clock.now, machine.seconds, lambda: True, keeper.consider, fail)
    runner = Runner(shard, ledger, outside)
    runner.notice_listeners.append(heard)
    machine.calm_collector()
    runner.start()
    _load(runner.submit, clock.now)
    runner.stop()
    taken = keeper.taken
    keeper.close(shard)
    ledger.close()
    if len(late) < SECONDS * CASES // 25_000 // 2:
        raise RuntimeError(f"only {len(late)} notices were issued")
    return late, taken


def _load(submit: Callable[..., None], now: Callable[[], int]) -> None:
    """Bodies of acceptances, ten a second."""
    number, done = 0, threading.Event()
    for _ in range((SECONDS + BEFORE_S) * 10):
        done.wait(0.1)
        at, lines = iso_time(now()), []
        for _ in range(A_SECOND // 10):
            number += 1
            lines.append(LINE % (f"j{number}", f"j{number}", number % 20_000, at, at))
        submit("\n".join(lines).encode(), accepted)
