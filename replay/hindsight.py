"""Paths judged in hindsight (事后两遍): `oriole replay --hindsight`.

A stream judges each case by the days before it. An auditor has the whole record: it is learned
first, then each case is judged by all the others, its own counts removed, and the threshold is
taken from the record itself (`learning.threshold.valley`). Such findings answer another question
than the live ones, so a run in hindsight has a digest of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from detector.learning.desk import LearnDesk, LearnState
from detector.learning.threshold import valley
from detector.learnkit import BIT, Limit, Model, Rows, Scores
from detector.overrides import with_bands

PATH, BAND = "path", "surprising"
Fill = Callable[[LearnDesk], LearnState]  # a state of a desk that holds the whole record


class Hindsight(Model):
    """Knows the whole record; scores each case by the others, and learns no more."""

    def __init__(self, whole: Model) -> None:
        super().__init__(whole.params)
        self.whole = whole
        self.bits: list[np.ndarray] = []  # of cases that were asked

    def score(self, rows: Rows) -> Scores:
        """Each case by the counts of all others."""
        told: Scores = self.whole.score_without(rows)  # type: ignore[attr-defined]
        self.bits.append(told.bits[told.known])
        return told

    def learn(self, rows: Rows) -> None:
        """It knows them already."""

    def publish(self, day: int) -> list[Limit]:
        """Nothing moves."""
        return []

    def freeze(self) -> bytes:
        """What the whole record came to."""
        return self.whole.freeze()


def in_hindsight(desk: LearnDesk, fill: Fill, until: int) -> tuple[LearnDesk, LearnState, int]:
    """The desk and state by which a record is judged in hindsight, and the threshold (thousandths
    of a bit)."""
    first = fill(desk)
    desk.advance(first, until)
    desk.learn(first)
    whole = first.models[PATH]
    whole.publish(first.day + 1)
    asked, again = Hindsight(whole), fill(desk)
    again.models[PATH] = asked
    desk.advance(again, until)
    bits: Sequence[np.ndarray] = asked.bits
    at = valley(np.concatenate(bits) if bits else np.zeros(0, np.int64))
    judging, last = copy(desk), fill(desk)
    edge = {BAND: {"edge": at / BIT}}
    rules = [replace(c, rule=with_bands(c.rule, edge)) for c in desk.rules[PATH]]
    judging.rules = desk.rules | {PATH: rules}
    last.models[PATH] = Hindsight(whole)
    return judging, last, at
