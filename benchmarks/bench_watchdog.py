"""What the watchdog's look at notices and messages costs over a million open notices.

Of these three have no next instant and four are behind it; a thousand messages wait, five of them
too long. What it finds must be exactly that.
"""

from __future__ import annotations

import shutil
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.county_files import SCRATCH
from detector.delivery.watchdog import LATE_US, standing
from detector.ledger import NoticeRow, NoticeWork, Position, Post, Work
from detector.ledger.sqlite_file import FILE, open_ledger, open_outbox

FOLDER = SCRATCH / "watchdog"
NOTICES = 1_000_000
A_COMMIT = 50_000
RUNS = 21
NOW = 1_800_000_000_000_000
LOST, BEHIND, LATE = 3, 4, 5


def run() -> list[dict[str, Any]]:
    """One row: ms a look, median."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    ledger = open_ledger(FOLDER / FILE)
    for begin in range(0, NOTICES, A_COMMIT):
        rows = [_notice(n) for n in range(begin, begin + A_COMMIT)]
        ledger.commit(Position(), Work(notices=NoticeWork(rows=rows)))
    posts = [_post(n) for n in range(1_000)]
    ledger.commit(Position(), Work(notices=NoticeWork(posts=posts)))
    outbox = open_outbox(FOLDER / FILE)
    taken = []
    for _ in range(RUNS):
        begun = perf_counter()
        told = standing(outbox, NOW, NOW)
        taken.append((perf_counter() - begun) * 1e3)
        if len(told) != LOST + BEHIND + LATE:
            raise RuntimeError(f"{len(told)} were found")
    outbox.close()
    ledger.close()
    shutil.rmtree(FOLDER)
    note = f"{NOTICES:,} open notices, {len(posts):,} messages; the longest {max(taken):.2f} ms"
    return [
        {
            "name": "watchdog", "value": round(median(taken), 2), "unit": "ms",
            "against": None, "ratio": None, "note": note,
        }
    ]  # fmt: skip


def _notice(n: int) -> NoticeRow:
    name, due = f"{n * 2_654_435_761 % (1 << 64):032x}", NOW + n
    at = None if n < LOST else NOW - LATE_US - n if n < LOST + BEHIND else due
    return NoticeRow(
        name, "case", f"c{n}", f"D{n % 40:02}", 1, 1, "issued", 1, NOW, at, b'{"notice_id":""}'
    )


def _post(n: int) -> Post:
    due = NOW - LATE_US - 1 if n < LATE else NOW + n
    return Post(f"m{n}.1", f"m{n}", "P1", "issued", 1, 1, "D1", NOW, "s", "t", b"{}", due)
