"""Special procedures (特别程序) of each case: which suspends it, and what ends which."""

from __future__ import annotations

import numpy as np

from detector.simulate.deeds import is_one
from detector.simulate.plan import SECOND, Plan
from detector.simulate.rows import Rows
from detector.simulate.stream import Stream

PROCEDURES = ("expert_review", "hearing")


def procedures_of(plan: Plan, s: Stream, deed: np.ndarray) -> np.ndarray:
    """Index into `PROCEDURES` of rows that suspend or resume: two of a case may be of one."""
    chance = (s.case.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    second = plan.group[s.item, s.slot] == SECOND
    apart = (chance % 3 > 0) & ~is_one(deed, "one_resume")
    told: np.ndarray = (chance + (second & apart)) % 2
    return told.astype(np.int64)


class Suspensions:
    """Each suspension's row and that of the resumption that ends it, -1 for none: one array of
    all cases for the first of each case, one for the second."""

    def __init__(self, r: Rows, cases: int) -> None:
        s, procedure = r.s, procedures_of(r.plan, r.s, r.deed)
        begins, ends = np.flatnonzero(r.does("suspend")), np.flatnonzero(r.does("resume"))
        like = s.case.astype(np.int64) * len(PROCEDURES) + procedure
        place = dict(zip(_numbered(like[ends]), ends.tolist(), strict=True))
        told = [place.get(key, -1) for key in _numbered(like[begins])]  # the first that is open
        self.end = np.full(len(s), -1)  # of each row that suspends
        self.end[begins] = told
        nth = np.array([n for _, n in _numbered(s.case[begins])], np.int64)
        self.of_case: list[tuple[np.ndarray, np.ndarray]] = []
        for n in range(int(nth.max(initial=0)) + 1):
            rows = np.full((2, cases), -1)
            mine = begins[nth == n]
            rows[0, s.case[mine]], rows[1, s.case[mine]] = mine, self.end[mine]
            self.of_case.append((rows[0], rows[1]))


def _numbered(groups: np.ndarray) -> list[tuple[int, int]]:
    """Each with its place among those of its group, from 0."""
    met: dict[int, int] = {}
    told = []
    for group in groups.tolist():
        told.append((group, met.get(group, 0)))
        met[group] = told[-1][1] + 1
    return told
