"""Cases that bear one stamp from the first event to the close, and what only looks like it."""

from __future__ import annotations

import numpy as np

from detector.simulate.rows import Rows

LATE_S = (60, 6 * 3_600)  # within which a whole case is uploaded that does not come at once
LATE, ALONE, LICENSED = 0.3, 0.5, 0.5  # shares of the cases that bear one stamp


def stamp(r: Rows) -> None:
    """Some systems know but one time of a case: that at which it was closed."""
    _as_a_whole(r)
    s, closes = r.s, r.does("close")
    rows = r.some("second_apart", where=r.after)
    s.recorded[rows] = s.recorded[r.accept[rows]] + closes[rows]
    s.occurred[rows] = s.recorded[rows]
    r.truth.tell("too_fast_step", rows[r.typed[rows]], 2)
    r.truth.tell("too_fast_case", rows[closes[rows]], 2)
    rows = r.some("done_at_the_window", where=r.after)  # of an on-the-spot item
    s.recorded[rows] = s.occurred[rows] = s.recorded[r.accept[rows]]


def _as_a_whole(r: Rows) -> None:
    """One account uploads some of them; some licences are issued afterwards, in their own time."""
    s, rng = r.s, r.rng
    closes = r.some("one_stamp", where=r.does("close"))
    r.swap(closes[r.does("issue")[closes - 1] & (rng.random(len(closes)) < LICENSED)])
    closes = r.some("one_stamp", where=r.does("close"))
    close = np.full(r.cases, -1)
    close[s.case[closes]] = closes
    rows = np.flatnonzero(r.rows <= close[s.case])
    s.recorded[rows] = s.occurred[rows] = s.recorded[close[s.case[rows]]]
    alone = (rng.random(len(close)) < ALONE)[s.case[rows]] & r.typed[rows]
    s.operator[rows[alone]] = s.operator[r.accept[close[s.case[rows[alone]]]]]


def upload_late(r: Rows) -> None:
    """Some of them arrive some hours later, whole."""
    closes = r.some("one_stamp", where=r.does("close") & r.last)
    closes = closes[r.rng.random(len(closes)) < LATE]
    delay = np.zeros(r.cases, np.int64)
    delay[r.s.case[closes]] = r.rng.integers(*LATE_S, len(closes))
    r.s.received += delay[r.s.case]
