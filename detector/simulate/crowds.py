"""Who types how much in ten minutes: bursts that are injected, and crowds that are dispersed."""

from __future__ import annotations

import numpy as np

from detector.simulate.deeds import DEED
from detector.simulate.plan import NOBODY, Plan
from detector.simulate.rows import Rows
from detector.simulate.stream import US, Stream

WINDOW_S = 600
CROWD = 5  # cases in a window that are no longer ordinary
EVENING_S = 18 * 3_600 + 600  # of the local day; everyone has long gone
APART_S = 14
SIZES = ((10, 16), (24, 36))  # of a burst, of a flood
RECORDS_A_BURST = 2_500


def burst(r: Rows, latest: np.ndarray) -> np.ndarray:
    """Some operators type a day's records after hours, in a row. The rows that were moved.
    `latest`: until when each row may be recorded, seconds UTC."""
    plan, stream, truth, rng = r.plan, r.s, r.truth, r.rng
    rows = np.flatnonzero(_movable(r))
    day = np.asarray(plan.district.calendar.day(stream.recorded[rows] * US))
    order = np.lexsort((stream.recorded[rows], day, stream.operator[rows]))
    rows, day = rows[order], day[order]
    evening = plan.district.calendar.zone.utc(day * 86_400 * US) // US + EVENING_S
    kept = stream_next(stream, rows) >= evening + 7_200
    kept &= latest[rows] >= evening + WINDOW_S
    rows, day, evening = rows[kept], day[kept], evening[kept]
    new = np.ones(len(rows), bool)
    new[1:] = (stream.operator[rows][1:] != stream.operator[rows][:-1]) | (day[1:] != day[:-1])
    begins = np.flatnonzero(new)
    sizes = np.diff(np.append(begins, len(rows)))
    moved = [np.zeros(0, np.int64)]
    wanted = max(2, len(stream) // RECORDS_A_BURST)
    for (least, most), share, tier in zip(SIZES, (0.75, 0.25), (1, 2), strict=True):
        large = np.flatnonzero(sizes >= least)
        chosen = rng.permutation(large)[: max(1, round(wanted * share))]
        sizes[chosen] = 0  # nobody twice on one day
        for group in np.sort(chosen).tolist():
            end = int(begins[group + 1]) if group + 1 < len(begins) else len(rows)
            mine = _distinct(stream, rows[begins[group] : end])
            if len(mine) < least:
                continue
            some = mine[: int(rng.integers(least, min(most, len(mine)) + 1))]
            stream.recorded[some] = evening[begins[group]] + np.arange(len(some)) * APART_S
            truth.tell("batch_entry", some[:1], tier)
            moved.append(some)
    return np.concatenate(moved)


def _movable(r: Rows) -> np.ndarray:
    """Rows that may be typed in the evening without breaking anything else."""
    plain = (r.deed == DEED["honest"]) & r.typed
    return plain & ~r.plan.on_the_spot[r.s.item]


def stream_next(stream: Stream, rows: np.ndarray) -> np.ndarray:
    """When the next event of each row's case is recorded; far away where there is none."""
    after = np.minimum(rows + 1, len(stream) - 1)
    same = (stream.case[after] == stream.case[rows]) & (after > rows)
    return np.where(same, stream.recorded[after], np.iinfo(np.int64).max)


def _distinct(stream: Stream, rows: np.ndarray) -> np.ndarray:
    """One row a case, in order."""
    _, first = np.unique(stream.case[rows], return_index=True)
    return rows[np.sort(first)]


def disperse(plan: Plan, stream: Stream, moved: np.ndarray) -> None:
    """Where other records crowd all the same, a colleague on loan types what that person would
    have typed of the case: who holds which duties stays as it is."""
    counted = (stream.operator != NOBODY) & ~stream.imported & ~plan.on_the_spot[stream.item]
    counted[moved] = False
    rows = np.flatnonzero(counted)
    order = rows[np.lexsort((stream.recorded[rows], stream.operator[rows]))]
    who, at = stream.operator[order], stream.recorded[order]
    back = CROWD - 1
    crowded = np.zeros(len(order), bool)
    crowded[back:] = (who[back:] == who[:-back]) & (at[back:] - at[:-back] < WINDOW_S)
    lent: dict[tuple[int, int], int] = {}
    for row in order[crowded].tolist():
        key = (int(stream.case[row]), int(stream.operator[row]))
        if key not in lent:
            lent[key] = plan.lend(key[1])
            near = np.arange(max(0, row - 20), min(len(stream), row + 21))
            mine = near[(stream.case[near] == key[0]) & (stream.operator[near] == key[1])]
            stream.operator[mine[counted[mine]]] = lent[key]
