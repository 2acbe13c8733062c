"""What a correction (更正) tells learners: the case anew, and what of it stands no longer.

Everything of it is received when the correction is. A case is told as it is now, each correction
at the place of the step that it supersedes, behind its steps that are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from detector.columns import Inputs
from detector.learning.observed import (
    CHANGED,
    COLUMNS,
    CORRECTS,
    GONE,
    RETOLD,
    STAYS,
    Observed,
    joined,
)
from detector.verdict import finding_id

_COMPARED = tuple(name for name in COLUMNS if name != "received_at")


def retold(old: Observed, new: Observed, corrections: Inputs) -> Observed:
    """Corrections of different cases, for who learns: `old` and `new` are all steps of these cases
    as they were and as they are."""
    before, after = _lines(old), _lines(new)
    was, now = set(before), set(after)
    cases = corrections.case.tolist()
    wrong = set(zip(cases, corrections.supersedes.tolist(), strict=True))
    right = set(zip(cases, corrections.event_id.tolist(), strict=True))
    gone, marks = list[int](), list[int]()
    for row, (key, line) in enumerate(zip(_keys(old), before, strict=True)):
        if key in wrong or line not in now:
            gone.append(row)
            marks.append(GONE | CORRECTS if key in wrong else GONE)
    for key, line in zip(_keys(new), after, strict=True):
        marks.append(CORRECTS if key in right else STAYS if line in was else CHANGED)
    whole = joined([old.take(np.array(gone, np.int64)), new])
    order = np.argsort(corrections.case)
    of = order[np.searchsorted(corrections.case, whole.case, sorter=order)]
    told = replace(
        whole, received_at=corrections.received_at[of],
        marks=whole.marks | np.array(marks, np.uint16),
    )  # fmt: skip
    return told.take(np.argsort(told.case, kind="stable"))


def _lines(observed: Observed) -> list[tuple[object, ...]]:
    return list(zip(*(getattr(observed, name).tolist() for name in _COMPARED), strict=True))


def _keys(observed: Observed) -> Iterator[tuple[int, bytes]]:
    return zip(observed.case.tolist(), observed.event_id.tolist(), strict=True)


def turns_of(observed: Observed) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to be taken one after the other, and the cases that they begin with a correction: first
    all that comes before the first correction of its case, then those of one correction and what
    comes behind it. What is gone is in none."""
    if not observed.marked(RETOLD).any():
        return [(np.arange(len(observed)), np.zeros(0, np.int64))]
    order = np.argsort(observed.case, kind="stable")
    case, gone = observed.case[order], observed.marked(GONE)[order]
    same = np.append(False, case[1:] == case[:-1])
    begins = gone & ~(same & np.append(False, gone[:-1]))
    count = np.cumsum(begins)
    before = np.where(same, 0, count - begins)
    number = np.empty(len(order), np.int64)
    number[order] = count - np.maximum.accumulate(before)
    there = ~observed.marked(GONE)
    told = []
    for turn in range(int(number.max()) + 1):
        rows = np.flatnonzero((number == turn) & there)
        told.append((rows, np.unique(observed.case[rows]) if turn else np.zeros(0, np.int64)))
    return told


def standing(observed: Observed) -> Observed:
    """What of a day's steps is learned at its end: each as it was told last. What corrects a step
    of an earlier day is not: that one was learned then, and nothing is learned twice."""
    again = observed.marked(RETOLD)
    if not again.any():
        return observed
    stands = ~again
    rows = np.flatnonzero(np.isin(observed.case, observed.case[again]))
    rows = rows[np.argsort(observed.case[rows], kind="stable")]
    last, going, mended = -1, False, False
    held, gone = dict[bytes, int](), dict[bytes, int]()  # event → its row, -1: of an earlier day
    told = zip(
        rows.tolist(), observed.case[rows].tolist(), observed.event_id[rows].tolist(),
        observed.marks[rows].tolist(), strict=True,
    )  # fmt: skip
    for row, case, event, marks in told:
        if case != last:
            last, going, held = case, False, {}
        if marks & GONE:
            if not going:
                gone = {}
            gone[event] = place = held.pop(event, -1)
            stands[place] &= place < 0
            if marks & CORRECTS:
                mended = place >= 0
        elif not marks & STAYS:
            learned = mended if marks & CORRECTS else gone[event] >= 0 if marks & CHANGED else True
            stands[row] = learned
            if learned:
                held[event] = row
        going = bool(marks & GONE)
    return observed.take(stands)


class Day:
    """Steps of the day that goes on, in order of arrival."""

    def __init__(self) -> None:
        self.parts: list[Observed] = []

    def add(self, observed: Observed) -> None:
        """Take steps up; parts of about one size are joined, so that each is copied seldom."""
        self.parts.append(observed)
        while len(self.parts) > 1 and len(self.parts[-2]) <= 2 * len(self.parts[-1]):
            self.parts[-2:] = [joined(self.parts[-2:])]

    def all(self) -> Observed | None:
        """Everything of the day."""
        return joined(self.parts) if self.parts else None


# Findings that stand, by what their learner sees and their rule: id → may it speak.
Raisings = dict[tuple[str, str], dict[str, bool]]


def taken_back(
    rules: Sequence[tuple[str, str]], observed: Observed
) -> Iterator[tuple[int, list[str]]]:
    """Findings, if they were raised, that rest on what a correction took away or judges anew:
    row, ids. Who sees cases may have spoken at any step."""
    gone = observed.marked(GONE)
    names = observed.words.case.words
    for row in np.flatnonzero(observed.marked(RETOLD)).tolist():
        cause, case = observed.event_id[row].decode(), names[int(observed.case[row])]
        ids = []
        for sees, rule in rules:
            if sees == "case" or gone[row]:
                ids.append(finding_id(rule, "case", case, [cause]))
        yield row, ids


def take_back(raised: Raisings, ids: list[str]) -> dict[str, bool]:
    """Those of them that stand, which stand no more: id → could it speak."""
    return {one: stand.pop(one) for stand in raised.values() for one in ids if one in stand}
