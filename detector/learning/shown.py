"""What learners are shown: observed steps in the names and columns of their kit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detector.catalogue import Catalogue
from detector.columns import NO_CODE, Words
from detector.learning.observed import ACCEPTS, APART, CLOSES, RETURNS, Observed
from detector.learnkit import CODED, NOBODY, NOT_GIVEN, NUMBERS, Rows
from detector.workcalendar import WorkCalendar


class Shown:
    """Turns observed steps into rows of the kit; knows the kind of each item."""

    def __init__(self, catalogue: Catalogue, calendar: WorkCalendar) -> None:
        self.calendar = calendar
        self.types = {item.code: item.type for item in catalogue.items.values()}
        self.kinds: list[str | None] = list(dict.fromkeys(self.types.values()))
        self._kind_of = np.zeros(0, np.int64)

    def steps(self, observed: Observed) -> Rows:
        """Single steps."""
        columns = {
            n: getattr(observed, n)
            for n in (
                "item", "department", "operator", "step", "previous_step", "previous_operator",
                "case", "channel", "recorded_at", "received_at", "gap", "paid_fen", "fine_fen",
            )
        }  # fmt: skip
        columns["day"] = self.calendar.day(observed.recorded_at)
        return Rows(
            self._filled(columns, observed.marks, observed.words), self._words(observed.words)
        )

    def whole(self, kept: Mapping[str, np.ndarray], words: Words, begins: np.ndarray) -> Rows:
        """Whole cases, of columns that were kept of them."""
        columns = {n: kept[n] for n in kept if n != "marks"}
        return Rows(self._filled(columns, kept["marks"], words), self._words(words), begins)

    def begun(self, steps: np.ndarray, items: np.ndarray, begins: np.ndarray, words: Words) -> Rows:
        """Beginnings of cases, of which only items and steps are told."""
        columns = {"item": items, "step": steps}
        marks = np.zeros(len(steps), np.uint16)
        return Rows(self._filled(columns, marks, words), self._words(words), begins)

    def _filled(
        self, columns: dict[str, np.ndarray], marks: np.ndarray, words: Words
    ) -> dict[str, np.ndarray]:
        """Every column that the kit promises; what nobody keeps is not given."""
        rows = len(marks)
        nobody, nothing = np.full(rows, NOBODY), np.full(rows, NOT_GIVEN)
        for name in CODED:
            columns.setdefault(name, nobody)
        for name in NUMBERS:
            columns.setdefault(name, nothing)
        columns["kind"] = self._kinds(columns["item"], words)
        for name, bits in (
            ("accepts", ACCEPTS), ("closes", CLOSES), ("returns", RETURNS), ("apart", APART),
        ):  # fmt: skip
            columns[name] = (marks & bits) != 0
        return columns

    def _kinds(self, items: np.ndarray, words: Words) -> np.ndarray:
        known = len(self._kind_of)
        fresh = words.item.words[known:]
        if fresh:
            places = {kind: n for n, kind in enumerate(self.kinds)}
            more = [places.get(self.types.get(code), NOBODY) for code in fresh]
            self._kind_of = np.concatenate([self._kind_of, np.array(more, np.int64)])
        if not len(self._kind_of):
            return np.full(len(items), NOBODY)
        return np.where(items == NO_CODE, NOBODY, self._kind_of[np.maximum(items, 0)])

    def _words(self, words: Words) -> dict[str, Sequence[str | None]]:
        return {
            "item": words.item.words, "department": words.department.words,
            "operator": words.operator.words, "step": words.step.words,
            "previous_step": words.step.words, "previous_operator": words.operator.words,
            "case": words.case.words, "kind": self.kinds,
            "channel": words.other.words, "series": (),
        }  # fmt: skip
