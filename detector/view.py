"""The columns that event rules see, by name: given by the line, kept of the case, or derived."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from detector.cases import RELIEF
from detector.columns import NO_CODE
from detector.derived import DERIVED, is_action, is_given
from detector.shelf import TableLookup
from detector.values import ABSENT

if TYPE_CHECKING:
    from detector.evaluate import Batch


class View:
    """The columns that rules see of some rows of a batch, made when first asked for.

    What a wider view of the same rule has made already is taken from there.
    """

    def __init__(
        self, batch: Batch, rows: np.ndarray, extra: dict[str, np.ndarray] | None = None,
        table: TableLookup | None = None, within: tuple[View, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        self.batch: Batch = batch
        self.rows = rows
        self.table = table
        self._within = within  # a wider view, and which of its rows these are
        self._made: dict[str, np.ndarray] = {} if extra is None else extra

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        if self.table is not None and name == self.table.value:
            name = self.table.column
        made = self._made.get(name)
        if made is None:
            made = self._narrowed(name)
            if self.whole:  # all rules are given this one: none may write to it
                made = made.view()
                made.setflags(write=False)
            self._made[name] = made
        return made

    @property
    def whole(self) -> bool:
        """Is every row of the batch in it, in order."""
        return self.rows is self.batch.every_row

    def subset(self, keep: np.ndarray) -> View:
        """The same columns for some of the rows (a mask or an index array)."""
        if keep.dtype == bool:
            keep = keep.nonzero()[0]
        if len(keep) == len(self):
            return self
        return View(self.batch, self.rows[keep], None, self.table, (self, keep))

    def looking(self, table: TableLookup | None) -> View:
        """The same rows with another table."""
        return View(self.batch, self.rows, None, table, (self, np.arange(len(self))))

    def _narrowed(self, name: str) -> np.ndarray:
        within = self._within
        while within is not None:
            wider, keep = within
            if name in wider._made:
                return wider._made[name][keep]
            within = wider._within and (wider._within[0], wider._within[1][keep])
        return self._make(name)

    def _make(self, name: str) -> np.ndarray:
        if name in _EVENT:
            column = getattr(self.batch.inputs, name)
            return column if self.whole else column[self.rows]
        if name in _BEFORE:
            return self.before(name)
        if name in _DERIVED:
            return _DERIVED[name](self)
        if self.table is not None and name == self.table.column:
            return self.batch.looked_up(self.table, self)
        raise KeyError(f"no column {name}")

    def given(self, name: str) -> np.ndarray:
        """A column of the inputs, under the name that it has there."""
        column = getattr(self.batch.inputs, name)
        return column if self.whole else column[self.rows]

    def before(self, name: str) -> np.ndarray:
        """A field of the states before these rows."""
        return self.batch.before.column(name, None if self.whole else self.rows)


_EVENT = frozenset(
    "recorded_at occurred_at received_at item department operator step action case imported".split()
)
_BEFORE = frozenset(
    "previous_step previous_operator previous_recorded_at previous_occurred_at previous_event"
    " accept_recorded_at"
    " accept_occurred_at accept_event close_recorded_at close_occurred_at close_event"
    " correct_occurred_at correct_event furthest_place furthest_recorded_at furthest_occurred_at"
    " furthest_event".split()
)


def _one_stamp(v: View) -> np.ndarray:
    """The first close of a case, under the stamp of its acceptance."""
    first = v["is_close"] & (v["close_event"] < 0) & (v["accept_event"] >= 0)
    return first & (v["accept_recorded_at"] == v["recorded_at"])


def _relief(v: View) -> np.ndarray:
    return v.given("relief") | ((v.before("flags") & RELIEF) != 0)


def _case_due(v: View) -> np.ndarray:
    return np.where(v["has_fee_due"], v["fee_due_fen"], v.before("fee_due"))


def _case_paid(v: View) -> np.ndarray:
    paid = np.where(v["has_fee_paid"], v["fee_paid_fen"], 0)
    return v.before("fee_paid") + paid


def _entry_lag(v: View) -> np.ndarray:
    """Working time from the work to its record; 0 where the record is not later."""
    lag = np.zeros(len(v), np.int64)
    later = np.flatnonzero(v["recorded_at"] > v["occurred_at"])
    if len(later):
        lag[later] = v.batch.calendar.between(v["occurred_at"][later], v["recorded_at"][later])
    return lag


def _other_occurred(v: View) -> np.ndarray:
    at = np.where(v["is_close"], v["accept_occurred_at"], v["correct_occurred_at"])
    return np.where(v["is_accept"], v["close_occurred_at"], at)


_DERIVED: dict[str, Callable[[View], np.ndarray]] = DERIVED | {
    "case_id": lambda v: v["case"],
    "this_event": lambda v: v.batch.step.refs[v.rows],
    "place": lambda v: v.batch.step.place[v.rows],
    "has_previous": lambda v: v.before("events") > 0,
    "was_accepted": lambda v: v["accept_event"] >= 0,
    "was_closed": lambda v: v["close_event"] >= 0,
    "was_notified": lambda v: v["correct_event"] >= 0,
    "is_accept": is_action("accept"),
    "is_close": is_action("close"),
    "is_corrected": is_action("corrected"),
    "other_occurred_at": _other_occurred,
    "entry_lag": _entry_lag,
    "one_stamp": _one_stamp,
    "has_fee_due": is_given("fee_due"),
    "has_fee_paid": is_given("fee_paid"),
    "fee_due_fen": lambda v: v.given("fee_due"),
    "fee_paid_fen": lambda v: v.given("fee_paid"),
    "item_listed": lambda v: v.batch.flows.listed(v["item"]),
    "item_fee_fen": lambda v: v.batch.flows.number("fee_fen", v["item"]),
    "has_item_fee": lambda v: v["item_fee_fen"] != ABSENT,
    "relief": _relief,
    "case_due_fen": _case_due,
    "case_has_due": lambda v: v["case_due_fen"] != ABSENT,
    "case_paid_fen": _case_paid,
    "on_the_spot": lambda v: v.batch.flows.on_the_spot(v["item"]),
    "system_action": lambda v: (v["operator"] == NO_CODE) & v.batch.inputs.operators_known,
}
