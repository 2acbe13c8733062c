"""Offences that no limit set by hand can tell, because each is lawful of some other work.

A step that takes a small part of what *this* work ordinarily takes, and yet longer than the limit
that holds for all; a case whose steps come in an order that hardly any such case has. They are
drawn on demand alone (`simulate(…, subtle=…)`).
"""

from __future__ import annotations

import numpy as np

from detector.event import ACTION
from detector.simulate.offences import STEP_LIMIT_S, SURVEY_LIMIT_S, pull
from detector.simulate.plan import ACCEPT_SLOT
from detector.simulate.rows import Rows
from detector.simulate.stream import US

LEAST, MOST = 0.05, 0.2  # of the time that this work ordinarily takes
LEAST_SEEN = 30  # of a pair, to speak of what is ordinary


def offend_subtly(r: Rows) -> None:
    """Both kinds, each in cases of its own."""
    far_too_fast(r)
    wrong_paths(r)


def far_too_fast(r: Rows) -> None:
    """One step of each case follows after 5 to 20 % of the pair's ordinary working time, and not
    before the static limit; what comes after moves along."""
    mine = r.some("fast_for_its_work", where=r.after & r.typed)
    if not len(mine):
        return
    usual = _ordinary_s(r)
    limit = np.where(r.plan.is_survey[r.s.item, r.s.slot], SURVEY_LIMIT_S, STEP_LIMIT_S) * 1.1
    rows = r.one("fast_for_its_work", where=r.after & r.typed & (usual * MOST > limit))
    gap = r.rng.uniform(np.maximum(usual[rows] * LEAST, limit[rows]), usual[rows] * MOST)
    work = r.calendar.work(r.s.recorded[rows - 1] * US)
    at = r.calendar.at(work + gap.astype(np.int64) * US) // US
    pull(r, rows, at - r.s.recorded[rows - 1])
    r.truth.tell("unusually_fast", rows, 1)


def _ordinary_s(r: Rows) -> np.ndarray:
    """Of each row the median working seconds between such a record and the one before it, among
    honest cases; 0 where few are seen."""
    s, slots = r.s, r.plan.action.shape[1]
    before = s.slot[np.maximum(r.rows - 1, 0)]
    pair = (s.item.astype(np.int64) * slots + before) * slots + s.slot
    told = np.zeros(len(r.rows), np.int64)
    honest = np.flatnonzero((r.deed == 0) & ~r.first & (s.slot > ACCEPT_SLOT))
    work = r.calendar.work(s.recorded * US) // US
    gap = work[honest] - work[honest - 1]
    order = np.lexsort((gap, pair[honest]))
    pairs, begins, many = np.unique(pair[honest][order], return_index=True, return_counts=True)
    median = np.where(many >= LEAST_SEEN, gap[order][begins + many // 2], 0)
    place = np.searchsorted(pairs, pair).clip(0, len(pairs) - 1)
    there = pairs[place] == pair
    told[there] = median[place[there]]
    return told


def wrong_paths(r: Rows) -> None:
    """The licence is handed over before it was made: delivery and issue change places."""
    delivers = r.some("wrong_path", where=r.does("deliver"))
    if not len(delivers):
        return
    rows = delivers[r.action[delivers - 1] == ACTION["issue"]]
    r.swap(rows)
    r.truth.tell("unusual_path", rows, 0)
