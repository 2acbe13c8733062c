"""One tick over a million open cases of which a hundred fall due, and what a case weighs.

The cases are accepted within one working day, a day's deadlines lie days ahead. Each measured tick
passes the deadlines of exactly a hundred. Building, by the engine itself, is off the clock.
"""

from __future__ import annotations

import sys
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.county_files import DISTRICT
from detector.columns import AMOUNTS, INSTANTS, NO_CODE, Inputs, Vocabulary, Words, to_bytes
from detector.district import District, load_district
from detector.engine import Engine, State
from detector.event import ACTION
from detector.shelf import configure, load_shelf
from detector.simulate.plan import Plan
from detector.values import ABSENT
from replay.stream import batches, even_cuts, tick

CASES = 1_000_000
DUE = 100
TICKS = 5
BATCH = 65_536
PEOPLE = 8_000
DAY = "2026-03-02"


def run() -> list[dict[str, Any]]:
    """Two rows: ms a tick, median over different ticks; bytes a case."""
    district = load_district(DISTRICT)
    engine = Engine(district, configure(load_shelf(), district))
    words = Words()
    inputs = acceptances(district, words, CASES)
    state = engine.new_state(words)
    for begin, batch in batches(inputs, even_cuts(CASES, BATCH)):
        words.case.encode([f"32041126{begin + n:09d}" for n in range(len(batch))])
        state, _ = engine.step(state, batch)
    upto = int(inputs.received_at[-1]) + engine.lateness_us
    state, _ = engine.step(state, _tick(inputs, upto))
    weights = _weights(state)
    due = np.sort(state.cases.next_due)
    taken = []
    for n in range(TICKS + 1):  # the first warms up
        at = _tick(inputs, int(due[DUE * (n + 1) - 1]))
        started = perf_counter()
        state, effects = engine.step(state, at)
        taken.append((perf_counter() - started) * 1e3)
        if len(effects.moves) != DUE:
            raise RuntimeError(f"{len(effects.moves)} fell due at a tick, not {DUE}")
    note = f"{CASES:,} open cases, {DUE} due; ticks " + ", ".join(f"{t:.1f}" for t in taken[1:])
    told = ", ".join(f"{name} {size / CASES:.0f}" for name, size in weights.items())
    return [
        {
            "name": "tick_1m", "value": round(median(taken[1:]), 2), "unit": "ms",
            "against": None, "ratio": None, "note": note,
        },
        {
            "name": "tick_1m_state", "value": round(sum(weights.values()) / CASES),
            "unit": "bytes/case", "against": None, "ratio": None, "note": told,
        },
    ]  # fmt: skip


def _tick(inputs: Inputs, at: int) -> Inputs:
    empty = inputs.take(slice(0, 0))
    empty.facts = [tick(at)]
    return empty


def acceptances(district: District, words: Words, count: int) -> Inputs:
    """One acceptance of each of `count` cases at random instants of one working day, in order.
    Their ids are still to be entered in `words`, as they come."""
    rng, calendar, plan = np.random.default_rng(1), district.calendar, Plan(district)
    midnight = int(calendar.zone.utc(int(np.datetime64(DAY, "us").astype(np.int64))))
    work = int(calendar.work(midnight)) + np.sort(rng.integers(0, calendar.day_us, count))
    at = calendar.at(work)
    promised = np.where(plan.on_the_spot | (plan.promised_days < 3), 0, plan.weight)
    item = rng.choice(len(plan.items), count, p=promised / promised.sum())
    people = words.operator.encode([f"P{n:05d}" for n in range(PEOPLE)])
    absent = np.full(count, ABSENT)
    column: dict[str, Any] = dict.fromkeys(AMOUNTS, absent)
    column |= dict.fromkeys(INSTANTS, at) | {"due_at": absent}
    column["item"] = words.item.encode([i.code for i in plan.items])[item]
    column["department"] = words.department.encode(plan.departments)[plan.department[item]]
    column["case"] = np.arange(count, dtype=np.int32)
    action = np.full(count, ACTION["accept"], np.int8)
    unsaid = np.full(count, NO_CODE, np.int32)
    nothing, no = np.zeros(count, "S1"), np.zeros(count, bool)
    return Inputs(
        words=words, action=action, step=action.astype(np.int32),
        operator=people[rng.integers(0, PEOPLE, count)],
        procedure=unsaid, source=unsaid, told=unsaid,
        fine=absent, offence_at=absent,
        event_id=to_bytes([f"20260302{n:09d}" for n in range(count)]), supersedes=nothing,
        relief=no, imported=no, content=rng.integers(1, 1 << 63, count).astype(np.uint64),
        position=np.arange(count), **column,
    )  # fmt: skip


def _weights(state: State) -> dict[str, int]:
    """Bytes held by the cases' columns, and by the texts of case ids with their index."""
    cases = state.cases
    columns = {
        "rows": cases.table.nbytes + cases.next_due.nbytes,
        "duplicates": cases.seen.nbytes,
    }
    rest = cases.nbytes - sum(columns.values())
    return columns | {"event ids": rest, "case ids": _vocabulary_bytes(cases.words.case)}


def _vocabulary_bytes(vocabulary: Vocabulary) -> int:
    texts = sum(map(sys.getsizeof, vocabulary.words)) + sys.getsizeof(vocabulary.words)
    codes = sum(map(sys.getsizeof, range(len(vocabulary))))
    index = sys.getsizeof(vocabulary._index)
    return texts + codes + index + vocabulary._hashes.nbytes
