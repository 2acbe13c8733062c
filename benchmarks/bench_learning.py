"""What learning costs: `learning_speed` and `learning_memory`.

Seconds are those of this process's CPU, so that a busy machine does not tell a lie about the ratio.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median
from time import process_time
from typing import Any

import numpy as np

from benchmarks.bench_step import decoded
from benchmarks.county_files import DISTRICT, made
from detector.columns import Inputs, Words
from detector.decode import Decoder
from detector.district import load_district
from detector.engine import Engine
from detector.event import Reading
from detector.learning.epochs import EpochBook, Guard
from detector.learning.shelf import load_learners
from detector.learnkit import CODED, FLAGS, NOBODY, NOT_GIVEN, NUMBERS, Model, Rows
from detector.shelf import configure, load_shelf
from detector.simulate.text import frames, lines_of
from replay.stream import batches, even_cuts

Row = dict[str, Any]
EVENTS, DAYS = 100_000, 5  # as dense a day as in the county's whole stream
RUNS = 5
BATCHES = (4_096, 16_384)
PAIRS, PEOPLE, DAY = 100_000, 3_000, 20_000
A_DAY = 3 * PAIRS  # observations


def run_speed(events: int = EVENTS) -> list[Row]:
    """A row for each size of batch: events/s with all learners on against off, median of five."""
    district = load_district(DISTRICT)
    learns = replace(district, learning=replace(district.learning, on=True))
    shelf, learners = load_shelf(), load_learners()
    off = Engine(district, configure(shelf, district))
    on = Engine(learns, configure(shelf, learns), learners)
    words = Words()
    lines = [line for frame in frames(made(events, DAYS)) for line in lines_of(frame)]
    inputs = decoded(Decoder(words, Reading(zone=district.calendar.zone)), lines)
    rows = []
    for size in BATCHES:
        _once(on, inputs, words, size)
        pairs = [[_once(e, inputs, words, size) for e in (off, on)] for _ in range(RUNS)]
        ratio = median(a / b for a, b in pairs)
        without, with_ = (events / median(p[n] for p in pairs) for n in (0, 1))
        note = (
            f"{events:,} events of {DAYS} days, batches of {size:,}; {', '.join(sorted(learners))};"
            f" {without:,.0f} without, {with_:,.0f} with, per second of CPU, median of {RUNS};"
            f" ratios {', '.join(f'{a / b:.2f}' for a, b in pairs)}"
        )
        rows.append({
            "name": f"learning_speed_{size}", "value": round(with_), "unit": "events/s",
            "against": "without learners; 0.7 to reach", "ratio": round(ratio, 2), "note": note,
        })  # fmt: skip
    return rows


def _once(engine: Engine, inputs: Inputs, words: Words, size: int) -> float:
    state, begin = engine.new_state(words), process_time()
    for _, batch in batches(inputs, even_cuts(len(inputs), size)):
        state, _ = engine.step(state, batch)
    return process_time() - begin


def run_memory(pairs: int = PAIRS) -> list[Row]:
    """Two rows: bytes a pair, and CPU seconds in which the engine would stand still."""
    pace = load_learners()["pace"].learner
    params = {p.name: p.default for p in pace.params} | {"cases_least": 20}
    days = [observations(pairs, day) for day in range(9)]
    tracemalloc.start()
    model, book = pace.make(params), EpochBook("pace", pace.edition, Guard(pace.floor, pace.cap))
    for day, rows in enumerate(days[:-1]):
        model.learn(rows)
        _begin(model, book, day)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    model.learn(days[-1])
    took = _begin(model, book, len(days))
    few = observations(pairs, 99).take(np.arange(pairs // 5))
    model.learn(few)
    quiet = _begin(model, book, len(days) + 1)
    begin = process_time()
    data = model.freeze()
    frozen = process_time()
    again = pace.make(params)
    again.thaw(data)
    thawed = process_time()
    if again.freeze() != data:
        raise RuntimeError("what was thawed is not what was frozen")
    note = (
        f"{pairs:,} pairs and their groups, {len(book.force):,} limits in force; held"
        f" {held / 1e6:.0f} MB, told by the learner {model.bytes_used() / 1e6:.0f} MB, peak"
        f" {peak / 1e6:.0f} MB while a day begins; with the book of epochs and {len(days) - 1} days"
    )
    what = ", ".join(f"{name} {s:.2f}" for name, s in took.items())
    slow = (
        f"every pair seen that day: {what}; a fifth of them: publish {quiet['publish']:.2f}; freeze"
        f" {frozen - begin:.2f} ({len(data) / 1e6:.0f} MB), thaw {thawed - frozen:.2f}"
    )
    return [
        {
            "name": "learning_memory", "value": round(held / pairs), "unit": "bytes a pair",
            "against": "4,096 allowed", "ratio": round(held / pairs / 4_096, 2), "note": note,
        },
        {
            "name": "learning_publish", "value": round(took["publish"], 2), "unit": "s of CPU",
            "against": "1 s allowed", "ratio": None, "note": slow,
        },
    ]  # fmt: skip


def _begin(model: Model, book: EpochBook, day: int) -> dict[str, float]:
    """A day begins; what each part of it took."""
    at = [process_time()]
    limits = model.publish(DAY + day)
    at.append(process_time())
    epoch = book.begin(DAY + day, day, limits, 1)
    model.enforce([book.force[key] for key in sorted(book.force)])
    at.append(process_time())
    book.publishes(epoch, model.published())
    at.append(process_time())
    took = [b - a for a, b in pairwise(at)]
    return dict(zip(("publish", "epoch", "seal"), took, strict=True))


def observations(pairs: int, day: int) -> Rows:
    """A day in which every pair is worked three times, log-normally long."""
    rng = np.random.default_rng([day, pairs])
    pair = np.tile(np.arange(pairs), A_DAY // PAIRS)
    rows = len(pair)
    gap = np.exp(rng.normal(0, 0.5, rows)) * (600 + pair % 997 * 20) * 1e6
    columns = {name: np.full(rows, NOBODY) for name in CODED}
    columns |= {name: np.full(rows, NOT_GIVEN) for name in NUMBERS}
    columns |= {name: np.zeros(rows, bool) for name in FLAGS}
    columns |= {
        "item": pair // 50, "kind": pair // 50 % 12, "previous_step": pair % 50 // 7,
        "step": pair % 50 % 7, "operator": rng.integers(0, PEOPLE, rows),
        "gap": gap.astype(np.int64),
    }  # fmt: skip
    steps = [f"step{n}" for n in range(8)]
    words: dict[str, Sequence[str | None]] = {
        "item": [f"item{n}" for n in range(pairs // 50 + 1)],
        "kind": [f"{n:02d}" for n in range(12)],
        "previous_step": steps, "step": steps, "operator": [f"P{n}" for n in range(PEOPLE)],
        "channel": (),
    }  # fmt: skip
    return Rows(columns, words)
