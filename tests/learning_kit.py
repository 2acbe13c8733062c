"""A county that learns, small enough to be run many times."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
from live_kit import COUNTY, Live, county

from detector.cluster.layout import KINDS, Layout
from detector.cluster.whole import Whole
from detector.district import load_district
from detector.ledger import Query
from detector.ledger.content import Content, content_with
from detector.simulate.county import simulate
from detector.simulate.text import lines
from detector.testing import MemoryLedger
from detector.values import iso_time
from detector.verdict import Finding, canonical

CASES, DAYS = 600, 40
LEARNS = """
[learning]
on = true
alerts_per_1000_cases_max = 50
epoch_of_age_records = 20
[learning.learners.pace]
cases_least = 20
watch_least = 5
"""


def learning_county(more: str = LEARNS) -> Content:
    """The example county as one that learns."""
    content = county()
    toml = content.district["district.toml"] + more.encode()
    return content_with(content.district | {"district.toml": toml}, content.rules, content.at)


def learning_folder(folder: Path) -> Path:
    """The same as a folder."""
    shutil.copytree(COUNTY, folder)
    toml = folder / "district.toml"
    toml.write_text(toml.read_text("utf-8") + LEARNS, "utf-8")
    return folder


@cache
def stream(seed: int = 5) -> tuple[bytes, ...]:
    """Some weeks of the county, and a tick a day after the last."""
    made = simulate(CASES, seed, DAYS, load_district(COUNTY))
    end = int(made.stream.received[-1] + 86_400) * 1_000_000
    return (*lines(made), b'{"kind":"tick","at":"%s"}' % iso_time(end).encode())


def _day(day: int, seconds: int, cases: int = 30) -> list[dict[str, Any]]:
    """Permits of a day in March, surveyed so much later by four people in turn."""
    told = []
    for n in range(cases):
        case = f"c{day}-{n}" if cases > 1 else f"fast-{day}"
        begun = 9 * 3_600 + n * 240
        for name, at, more in (
            ("accept", begun, {"operator": "P0101"}),
            ("step", begun + seconds + 7 * n, {"step": "survey", "operator": f"P010{2 + n % 4}"}),
        ):
            clock = f"{at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}"
            stamp = f"2026-03-{day:02d}T{clock}+08:00"
            told.append(
                {"event_id": f"{case}{name}", "case_id": case, "item": "permit", "action": name,
                 "department": "D01", "occurred_at": stamp, "recorded_at": stamp, **more}
            )  # fmt: skip
    return told


def few_days() -> tuple[bytes, ...]:
    """Two days alike, a third that is much faster, with a minute that is far too fast; the fourth
    has begun. Four limits of `pace` are in force, and four wait."""
    lines: list[dict[str, Any]] = []
    for day, seconds in ((2, 1_900), (3, 1_900), (4, 1_100)):
        some = _day(day, seconds) + (_day(day, 60, 1) if day == 4 else [])
        lines += sorted(some, key=lambda one: one["recorded_at"])
    lines.append({"kind": "tick", "at": "2026-03-05T00:10:00+08:00"})
    return tuple(msgspec.json.encode(one) for one in lines)


def run(lines: Any, cuts: Any, content: Any = None, again: Any = (), folder: Any = None) -> Live:
    """A live run of these lines, cut so; it is killed and goes on at the cuts of `again`."""
    live = Live(content=content or learning_county(), snapshots=folder)
    begin = 0
    for n, end in enumerate([*cuts, len(lines)]):
        live.post(*lines[begin:end])
        begin = end
        if n in again:
            if folder is not None and n % 2:
                live.take_snapshot()
            live.stop()
            live.restart()
    live.stop()
    assert not live.failures
    return live


def raced(
    lines: Sequence[bytes], content: Content, many: int
) -> tuple[dict[str, bytes], dict[str, MemoryLedger]]:
    """Findings by id, and the ledgers, of three shards of cases in a race; so many lines a body."""
    layout, rng = Layout(3, 1), random.Random(3)
    ledgers = {name: MemoryLedger(name) for name in layout.shards()}
    content = msgspec.structs.replace(content, shards=(layout.cases, layout.operators))
    whole = Whole(content, ledgers.__getitem__, layout, perf_counter)
    for begin in range(0, len(lines), many):
        for pack in whole.packer.packs(b"".join(lines[begin : begin + many]), None):
            whole.feed(pack)
            whole.settle(rng.sample(KINDS, rng.randrange(3)), rng.randrange(1, 6))
    while whole.waiting():
        whole.settle()
    held = [h for one in ledgers.values() for _, h in one.findings(Query(limit=1 << 30))]
    made = [msgspec.json.decode(h.json(), type=Finding) for h in held]
    return {f.finding_id: canonical(f) for f in made}, ledgers
