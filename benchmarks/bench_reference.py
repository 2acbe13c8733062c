"""The oracle over the beginning of the county's stream: the measure of the replay's speed."""

from __future__ import annotations

from datetime import date
from itertools import islice
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.county_files import DISTRICT, ndjson_file
from benchmarks.reference_loop import reference_loop
from detector.columns import Words
from detector.decode import Decoder
from detector.district import District, load_district
from detector.engine import Engine
from detector.event import Reading
from detector.shelf import configure, load_shelf
from detector.values import SECOND_US
from detector.verdict import Finding
from replay.stream import tick
from tests.oracle import RULES, OItem, OStep, Setting

LINES = 100_000
RUNS = 5
Row = dict[str, Any]


def run(events: int) -> list[Row]:
    """One row: lines/s of reading and judging on one core, median of five."""
    district = load_district(DISTRICT)
    with ndjson_file(events).open("rb") as file:
        lines = list(islice(file, LINES))
    setting, seconds = setting_of(district), []
    found = 0
    for _ in range(RUNS):
        begin = perf_counter()
        found = reference_loop(lines, setting)
        seconds.append(perf_counter() - begin)
    told = _engine_findings(district, lines)
    if told != found:
        raise RuntimeError(f"the engine finds {told} in these lines, the oracle {found}")
    value = len(lines) / median(seconds)
    note = f"first {len(lines):,} lines, one core; {found:,} findings, the engine's as many"
    return [
        {
            "name": "reference_loop", "value": round(value), "unit": "events/s",
            "against": None, "ratio": None, "note": note,
        }
    ]  # fmt: skip


def setting_of(district: District) -> Setting:
    """The district and its rulebook as the oracle wants them told."""
    calendar = district.calendar

    def works(day: date) -> bool:
        midnight = int(np.datetime64(day, "us").astype(np.int64))
        noon = calendar.zone.utc(midnight + 43_200 * SECOND_US)
        return bool(calendar.workday(noon)[1])

    items = {
        item.code: OItem(
            item.code, item.kind, item.promised_days, item.statutory_days, item.fee_fen,
            tuple(
                OStep(s.code, s.duty or None, s.required, s.limit_us, s.documents, s.fields)
                for s in item.steps
            ),
            item.incompatible, item.status, item.type,
        )
        for item in district.catalogue.items.values()
    }  # fmt: skip
    shelf = load_shelf()
    off = {rule: {"mode": "off"} for rule in RULES if rule not in shelf}
    told = {rule: dict(told) for rule, told in district.rulebook.get("rules", {}).items()}
    return Setting(
        zone="Asia/Shanghai",
        hours=tuple((a // SECOND_US, b // SECOND_US) for a, b in calendar.hours),
        is_working=works,
        covered_to=calendar.covered_to,
        lateness_s=district.limits.lateness_s,
        case_events_max=district.limits.case_events_max,
        items=items,
        params=told | off,
    )


def _engine_findings(district: District, lines: list[bytes]) -> int:
    """How many findings the engine makes of the same lines."""
    engine = Engine(district, configure(load_shelf(), district))
    words = Words()
    inputs = Decoder(words, Reading(zone=district.calendar.zone)).decode(b"".join(lines)).inputs
    inputs.facts = [tick(int(inputs.received_at.max()) + engine.lateness_us)]
    _, effects = engine.step(engine.new_state(words), inputs)
    return len({move.finding_id for move in effects.moves if isinstance(move, Finding)})
