"""One event through the engine's `step` while 100,000 cases are open: what an arrival costs.

The state is that of a county forty times as busy, fed by the engine itself until so many cases are
accepted and not closed; then the stream goes on, one event a step, offences and deadlines included.
Generation, decoding and the feeding are off the clock.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.county_files import DISTRICT, made
from detector.columns import Inputs, Words, join
from detector.decode import Decoder
from detector.district import District, load_district
from detector.engine import Engine
from detector.event import ACTION, Reading
from detector.shelf import configure, load_shelf
from detector.simulate.text import frames, lines_of
from replay.stream import batches, even_cuts

OPEN_CASES = 100_000
SINGLES = 5_000
WARM = 200
EVENTS, DAYS = 5_000_000, 40  # so dense that 100,000 cases are open at a time
BATCH = 65_536
BLOCK = 4_096  # lines that are decoded at once


def run() -> list[dict[str, Any]]:
    """One row: µs a step, median over the single events."""
    district = load_district(DISTRICT)
    engine = Engine(district, configure(load_shelf(), district))
    decoder = Decoder(Words(), Reading(zone=district.calendar.zone))
    lines, opened = crowded_county(district)
    inputs = decoded(decoder, lines[:opened])
    state = engine.new_state(decoder.words)
    for _, batch in batches(inputs, even_cuts(opened, BATCH)):
        state, _ = engine.step(state, batch)
    taken, moves = [], 0
    for position, line in enumerate(lines[opened:], opened + 1):
        one = decoder.decode(line.encode(), position).inputs  # new cases enter as they come
        begin = perf_counter()
        state, effects = engine.step(state, one)
        taken.append((perf_counter() - begin) * 1e6)
        moves += len(effects.moves)
    took = np.array(taken[WARM:])
    p50, p99 = np.percentile(took, [50, 99]).tolist()
    note = (
        f"{len(took):,} events one by one after {opened:,}, {OPEN_CASES:,} cases open;"
        f" p99 {p99:.0f} µs, mean {took.mean():.0f} µs, {moves} findings and changes"
    )
    return [
        {
            "name": "step_one", "value": round(p50), "unit": "µs",
            "against": None, "ratio": None, "note": note,
        }
    ]  # fmt: skip


def crowded_county(district: District) -> tuple[list[str], int]:
    """The stream as lines and how many of them it takes until enough cases are open."""
    county = made(EVENTS, DAYS)
    stream = county.stream
    action = county.plan.action[stream.item, stream.slot]
    opens, closes = action == ACTION["accept"], action == ACTION["close"]
    opened = int(np.argmax(np.cumsum(opens.astype(int) - closes) >= OPEN_CASES)) + 1
    head = replace(county, stream=stream.take(slice(0, opened + WARM + SINGLES)))
    return [line for frame in frames(head) for line in lines_of(frame)], opened


def decoded(decoder: Decoder, lines: list[str]) -> Inputs:
    """The lines as one batch of columns."""
    cuts = range(0, len(lines), BLOCK)
    blocks = ["\n".join(lines[begin : begin + BLOCK]).encode() for begin in cuts]
    parts = [decoder.decode(b, n + 1).inputs for b, n in zip(blocks, cuts, strict=True)]
    return join(parts)
