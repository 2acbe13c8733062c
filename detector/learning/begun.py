"""Cases that have begun (在办件): what of their path is decided already is judged at its step.

A learner that is `early` is asked of each beginning what its last step decides. A step waits for
the close where its stamp cannot be told from an upload's, which bears one from the acceptance on.
What a case was told is remembered until its close, and not told again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import msgspec
import numpy as np

from detector.learning.judging import Learned
from detector.learning.observed import ACCEPTS, CLOSES, FIRST, Observed
from detector.learning.open_cases import Added, OpenCases
from detector.learning.shown import Shown
from detector.learning.ways import LOST, Ways, root
from detector.learnkit import Model, Rows, Scores

ASKED_MAX = 4_096  # beginnings at once


class Told(msgspec.Struct):
    """What a rule told of an open case: the most bits, and by what it may be known again."""

    bits: int
    deviates: set[str]


class Begun:
    """The beginning that each open case shows, and what was told of it."""

    def __init__(self) -> None:
        self.ways = Ways()
        self.way_of = np.zeros(0, np.int64)  # by case
        self.told: dict[int, dict[str, Told]] = {}  # case → rule → what

    def go_on(self, cases: OpenCases, observed: Observed, added: Added) -> np.ndarray:
        """The number of the beginning that each row that was taken up completes."""
        if self.ways.full:
            self.ways.forget()
            self.way_of[:] = LOST
        if len(cases.heads) > len(self.way_of):
            more = np.full(len(cases.heads) - len(self.way_of), LOST)
            self.way_of = np.append(self.way_of, more)
        leads = added.rows[added.begins[:-1]]
        mine = observed.case[leads]
        begins = added.before < 0
        before = np.where(begins, root(observed.item[leads]), self.way_of[mine])
        lost = np.flatnonzero(before == LOST)
        if len(lost):
            before[lost] = self._again(cases, added.before[lost])
        told = self.ways.walk(before, observed.step[added.rows], added.begins)
        self.way_of[mine] = told[added.begins[1:] - 1]
        return told

    def _again(self, cases: OpenCases, last: np.ndarray) -> np.ndarray:
        """The beginnings up to these places, walked from the start."""
        steps, begins = cases.steps_up_to(last)
        items = cases.columns["item"][steps[begins[:-1]]]
        told = self.ways.walk(root(items), cases.columns["step"][steps], begins)
        return told[begins[1:] - 1].astype(np.int64)

    def decided(
        self, name: str, model: Model, shown: Shown, observed: Observed, rows: np.ndarray,
        ways: np.ndarray, least: int,
    ) -> tuple[np.ndarray, Scores]:  # fmt: skip
        """Of these rows those whose step decides so many bits at least, and the scores."""

        def spelled(nodes: np.ndarray) -> Rows:
            return shown.begun(*self.ways.spelled(nodes), observed.words)

        fresh: dict[int, tuple[Scores, int]] = {}  # beginnings that nobody had asked about

        def ask(nodes: np.ndarray) -> np.ndarray:
            told = []
            for part in np.split(nodes, range(ASKED_MAX, len(nodes), ASKED_MAX)):
                one = model.score_open(spelled(part))
                told.append(np.where(one.known, one.bits, 0))
                loud = np.flatnonzero(told[-1] >= least)
                fresh.update(
                    (node, (one, n))
                    for node, n in zip(part[loud].tolist(), loud.tolist(), strict=True)
                )
            return np.concatenate(told)

        may = np.flatnonzero(~_waits(observed, rows))
        rows, ways = rows[may], ways[may]
        bits = self.ways.ask(name, ways, ask)
        some = np.flatnonzero(bits >= least)
        nodes, place = np.unique(ways[some], return_inverse=True)
        again = cache(lambda: model.score_open(spelled(nodes)))

        @cache
        def tell(n: int) -> dict[str, Any]:
            scores, at = fresh.get(int(nodes[n])) or (again(), n)
            return scores.tell(at)

        scores = Scores(
            np.ones(len(some), bool), bits[some], np.zeros(len(some), np.int64),
            lambda n: tell(int(place[n])),
        )  # fmt: skip
        return rows[some], scores

    def news(self, raised: Sequence[Learned], opens: bool) -> list[Learned]:
        """What was not told of a case before, and says more than what was. `opens`: they are found
        of open cases, and it is remembered."""
        keep = [np.zeros(len(one.place), bool) for one in raised]
        order = sorted(
            (row, i, n)
            for i, one in enumerate(raised)
            for n, row in enumerate(one.raised.view.rows.tolist())
        )
        for _, i, n in order:
            one, place = raised[i], int(raised[i].place[n])
            case = int(one.raised.view["case_id"][n])
            before = self.told.get(case, {}).get(one.rule.rule.id)
            if before is None and not opens:
                keep[i][n] = True
                continue
            bits, deviates = (
                int(one.scores.bits[place]),
                one.scores.tell(place).get("deviates", set()),
            )
            if before is not None and bits <= before.bits:
                continue
            keep[i][n] = before is None or not deviates & before.deviates
            if opens:
                known = before.deviates if before else set()
                self.told.setdefault(case, {})[one.rule.rule.id] = Told(bits, deviates | known)
        return [one.only(some) for one, some in zip(raised, keep, strict=True) if some.any()]

    def forget(self, cases: Iterable[int]) -> None:
        """These cases are closed, or are told anew."""
        if self.told:
            for case in cases:
                self.told.pop(case, None)


def _waits(observed: Observed, rows: np.ndarray) -> np.ndarray:
    """Rows that the close judges: closes, acceptances, and what bears the stamp of the record
    before it (a mask)."""
    marks = observed.marks[rows]
    same = observed.recorded_at[rows] == observed.previous_recorded_at[rows]
    return np.asarray((marks & (CLOSES | ACCEPTS) != 0) | same & (marks & FIRST == 0))
