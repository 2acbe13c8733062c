"""How long a service takes to be ready again, and a ledger to be proved.

`restart_1m`: a ledger with 1,000,000 open cases and 1,000,000 inputs behind the last snapshot. The
cases are opened and a snapshot of them taken; then each gets one more event. `oriole run` is timed
from the start of its process until it says that it listens. `verify` reads the same ledger, all
2,000,000 inputs of it, from its first byte.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.county_files import DISTRICT, ROOT, SCRATCH
from benchmarks.server import serving
from detector.adapters import machine
from detector.district import read_folder
from detector.ledger.content import content_of
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.live import genesis, snapshot
from detector.live.outside import Outside
from detector.live.recovery import recover
from detector.live.runner import Runner
from detector.live.shard import counting
from detector.shelf import rules_folder

CASES = 1_000_000
BODY = 8_192
RUNS = 3
DATA = SCRATCH / "restart"
LINE = (
    '{"event_id":"e%d","case_id":"32041126%09d","action":"%s","item":"eia_permit",'
    '"department":"D03","district":"320411",%s"operator":"P03%05d",'
    '"occurred_at":"%s","recorded_at":"%s","channel":"1"}'
)


def run() -> list[dict[str, Any]]:
    """Two rows: seconds until ready; inputs/s of verify."""
    make(DATA, _bodies("accept", "", "2026-03-02"), _bodies("step", "survey", "2026-03-04"))
    taken, told = [], {}
    for _ in range(RUNS):
        begin = perf_counter()
        with serving(DATA) as server:
            taken.append(perf_counter() - begin)
            told = server["recovered"]
            kill(server["pid"])
    proofs = [_verify() for _ in range(RUNS)]
    rates = [p["inputs"] / p["seconds"] for p in proofs]
    shutil.rmtree(DATA)
    return [
        {"name": "restart_1m", "value": round(median(taken), 2), "unit": "s", "against": None,
         "ratio": None, "note": f"{', '.join(f'{t:.1f}' for t in taken)} s; {told['replayed']:,}"
         f" inputs judged again after snapshot {told['snapshot_seq']} of {CASES:,} open cases"},
        {"name": "verify", "value": round(median(rates)), "unit": "inputs/s", "against": None,
         "ratio": None, "note": f"{proofs[0]['inputs']:,} inputs, {proofs[0]['findings']:,}"
         f" findings in {', '.join(str(round(p['seconds'], 1)) for p in proofs)} s"},
    ]  # fmt: skip


def kill(pid: int) -> None:
    """No last snapshot: the next start is to find what this one found."""
    import os
    import signal

    os.kill(pid, signal.SIGKILL)


def _verify() -> dict[str, Any]:
    command = [sys.executable, "-m", "detector", "verify", str(DATA), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _bodies(action: str, step: str, day: str) -> Iterator[bytes]:
    """One event of every case within some hours of a day, in order of time."""
    lines = []
    for case in range(CASES):
        second = case * 25_000 // CASES
        at = f"{day}T{9 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}+08:00"
        told = f'"step":"{step}",' if step else ""
        number = 1 + bool(step)
        lines.append(LINE % (number, case, action, told, case % 20_000, at, at))
        if len(lines) == BODY:
            yield "\n".join(lines).encode()
            lines = []
    if lines:
        yield "\n".join(lines).encode()


def make(
    data: Path, *rounds: Iterable[bytes], said: Callable[[Any], None] | None = None
) -> None:  # fmt: skip
    """A ledger of these bodies, by the engine itself; behind the first round stands a snapshot.
    `said` hears the answers, in place of `accepted`."""
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    ledger = open_ledger(data / FILE)
    content = content_of(read_folder(DISTRICT), rules_folder(), machine.wall_us())
    genesis.begin(ledger, content)
    recovered = recover(ledger, None, kind=counting)  # as `oriole run` does
    outside = Outside(None, machine.seconds, lambda: True, lambda shard: None, fail)
    runner = Runner(recovered.shard, ledger, outside)
    runner.state = "ready"
    for nth, some in enumerate(rounds):
        for body in some:
            runner.submit(body, said or accepted)
            runner._turn()
        if not nth:
            captured = snapshot.capture(runner.shard, snapshot.Twin())
            snapshot.write(captured, data / "snapshots")
    ledger.close()


def accepted(answer: Any) -> None:
    """Whatever is sent must be taken."""
    if isinstance(answer, Exception) or answer.refused or answer.duplicates:
        raise RuntimeError(f"not taken: {answer}")


def fail(fault: BaseException) -> None:
    """The engine must not fail."""
    raise fault
