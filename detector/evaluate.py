"""Judge one batch: every rule over the whole columns, every row answered.

The outcome for a row is not applicable, undetermined with a reason, or a value in a band; a raising
band makes a finding, which a mute may silence. Never a silent "no".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from detector.cases import NOBODY, RELIEF, Before, Step, holder_event
from detector.columns import NO_CODE, Inputs, Vocabulary
from detector.event import ACTION, ACTIONS
from detector.flows import Flows
from detector.shelf import Configured, TableLookup
from detector.values import ABSENT
from detector.workcalendar import WorkCalendar

TEXT_OF = {  # columns of codes → the vocabulary that spells them
    "step": "step", "previous_step": "step", "previous_operator": "operator", "item": "item",
    "department": "department",
    "operator": "operator", "case_id": "case", "duty": "duties", "other_duty": "duties",
}  # fmt: skip


@dataclass
class Undetermined:
    """Rows about which a rule could not know, and why."""

    rule: str
    reason: str
    per: str  # "event" or "case"
    source: Any  # columns `words, case, event_id, item, department, recorded_at`
    rows: np.ndarray


@dataclass
class Raised:
    """Findings of one rule as rows of a view, before they are told in words."""

    rule: Configured
    view: Any
    at: np.ndarray  # rows of the view
    value: np.ndarray
    limit: np.ndarray
    band: np.ndarray
    muted: list[str | None]


class Viewed(Protocol):
    """Rows of a batch as rules see them: of events, or of operators' records."""

    batch: Any
    rows: np.ndarray

    def __len__(self) -> int: ...

    def __getitem__(self, name: str) -> np.ndarray: ...

    def subset(self, keep: np.ndarray) -> Viewed: ...


class View:
    """The columns that rules see of some rows of a batch, made when first asked for."""

    def __init__(
        self, batch: Batch, rows: np.ndarray, extra: dict[str, np.ndarray] | None = None,
        table: TableLookup | None = None,
    ) -> None:  # fmt: skip
        self.batch = batch
        self.rows = rows
        self.table = table
        self._made: dict[str, np.ndarray] = dict(extra or {})

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def subset(self, keep: np.ndarray) -> View:
        """The same columns for some of the rows (a mask or an index array)."""
        made = {name: column[keep] for name, column in self._made.items()}
        return View(self.batch, self.rows[keep], made, self.table)

    def _make(self, name: str) -> np.ndarray:
        batch, rows = self.batch, self.rows
        if name in _EVENT:
            return np.asarray(getattr(batch.inputs, name)[rows])
        if name in _BEFORE:
            return batch.before.column(name, rows)
        if name in _DERIVED:
            return _DERIVED[name](self)
        if self.table is not None and name == self.table.value:
            return batch.looked_up(self.table, self)
        raise KeyError(f"no column {name}")


@dataclass
class Batch:
    """One judged batch: its inputs, what was derived of them, and the states before each."""

    inputs: Inputs
    step: Step
    before: Before
    more_holders: dict[int, list[tuple[int, int]]]
    flows: Flows
    calendar: WorkCalendar
    lookups: dict[str, TableLookup] = field(default_factory=dict)

    def looked_up(self, lookup: TableLookup, view: View) -> np.ndarray:
        """A table's value for each row: each distinct combination of codes is looked up once."""
        columns = [view[column] for _, column in lookup.keys]
        size = [int(c.max(initial=0)) + 2 for c in columns]
        keys = np.zeros(len(view), np.int64)
        for column, width in zip(columns, size, strict=True):
            keys = keys * width + column + 1
        if len(keys) == 1:
            first, inverse = keys * 0, keys * 0
        else:
            _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        spelled = [
            self.vocabulary(TEXT_OF[column]).texts(codes[first])
            for (_, column), codes in zip(lookup.keys, columns, strict=True)
        ]
        values = [lookup.one(texts) for texts in zip(*spelled, strict=True)]
        return np.array(values, np.int64)[inverse] if len(keys) else keys

    def vocabulary(self, name: str) -> Vocabulary:
        """The words behind a column of codes."""
        return self.flows.duties if name == "duties" else getattr(self.inputs.words, name)

    def undetermined(self, rule: str, reason: str, rows: np.ndarray) -> Undetermined:
        """These rows of the batch, by event."""
        return Undetermined(rule, reason, "event", self.inputs, rows)


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


def _given(name: str) -> Callable[[View], np.ndarray]:
    return lambda v: getattr(v.batch.inputs, name)[v.rows] != ABSENT


def _is(action: str) -> Callable[[View], np.ndarray]:
    return lambda v: v["action"] == ACTION[action]


def _relief(v: View) -> np.ndarray:
    return v.batch.inputs.relief[v.rows] | ((v.batch.before.column("flags", v.rows) & RELIEF) != 0)


def _case_due(v: View) -> np.ndarray:
    return np.where(v["has_fee_due"], v["fee_due_fen"], v.batch.before.column("fee_due", v.rows))


def _case_paid(v: View) -> np.ndarray:
    paid = np.where(v["has_fee_paid"], v["fee_paid_fen"], 0)
    return v.batch.before.column("fee_paid", v.rows) + paid


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


_DERIVED: dict[str, Callable[[View], np.ndarray]] = {
    "case_id": lambda v: v["case"],
    "this_event": lambda v: v.batch.step.refs[v.rows],
    "place": lambda v: v.batch.step.place[v.rows],
    "has_previous": lambda v: v.batch.before.column("events", v.rows) > 0,
    "was_accepted": lambda v: v["accept_event"] >= 0,
    "was_closed": lambda v: v["close_event"] >= 0,
    "was_notified": lambda v: v["correct_event"] >= 0,
    "is_accept": _is("accept"),
    "is_close": _is("close"),
    "is_corrected": _is("corrected"),
    "other_occurred_at": _other_occurred,
    "entry_lag": _entry_lag,
    "one_stamp": lambda v: v["accept_recorded_at"] == v["recorded_at"],
    "has_fee_due": _given("fee_due"),
    "has_fee_paid": _given("fee_paid"),
    "fee_due_fen": lambda v: v.batch.inputs.fee_due[v.rows],
    "fee_paid_fen": lambda v: v.batch.inputs.fee_paid[v.rows],
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


def judge(configured: Configured, batch: Batch) -> Iterable[Raised | Undetermined]:
    """One event rule over a batch."""
    rule = configured.rule
    view = View(batch, np.arange(len(batch.inputs)), table=batch.lookups.get(rule.id))
    if rule.actions:
        wanted = np.zeros(len(ACTIONS), bool)
        wanted[[ACTION[a] for a in rule.actions]] = True
        view = view.subset(np.flatnonzero(wanted[batch.inputs.action]))
    if not len(view):
        return
    if rule.per == "pair":
        view, unknown = pairs(batch, view)
        yield from (batch.undetermined(rule.id, r, rows) for r, rows in unknown)
    yield from judge_cautiously(configured, view, batch.undetermined)


Say = Callable[[str, str, np.ndarray], Undetermined]


def judge_cautiously(configured: Configured, view: Viewed, say: Say) -> list[Raised | Undetermined]:
    """Judge; where the rule fails, halve the rows, so that a fault costs its own event alone."""
    try:
        return judge_view(configured, view, say)
    except Exception as fault:  # it is not hidden: the row says so
        rows = np.unique(view.rows)
        if len(rows) == 1:
            return [say(configured.rule.id, f"rule_error: {type(fault).__name__}", rows)]
        first = view.rows < rows[len(rows) // 2]
        halves = (view.subset(first), view.subset(~first))
        return [one for half in halves for one in judge_cautiously(configured, half, say)]


def rule_error(
    configured: Configured, batch: Batch, rows: np.ndarray, fault: Exception
) -> Undetermined:
    """Rows that a rule could not judge because it is at fault itself."""
    return batch.undetermined(configured.rule.id, f"rule_error: {type(fault).__name__}", rows)


def judge_view(configured: Configured, view: Viewed, say: Say) -> list[Raised | Undetermined]:
    """Applicable? known? which band? fine enough? may it speak? In this order."""
    rule, params = configured.rule, configured.params
    out: list[Raised | Undetermined] = []
    if rule.applies is not None:
        view = view.subset(np.flatnonzero(rule.applies(view, params)))
    for reason, mask_of in rule.unknown:
        if len(view):
            mask = mask_of(view, params)
            if mask.any():
                out.append(say(rule.id, reason, view.rows[mask]))
                view = view.subset(~mask)
    if not len(view):
        return out
    assert rule.measure is not None
    measured = rule.measure(view, params)
    if measured.dtype.kind not in "iu" or measured.shape != (len(view),):
        raise TypeError("a measure must be one whole number a row")
    band = np.searchsorted(configured.whole_edges, measured, side="right") - 1
    raises = configured.raises[band]
    if not raises.any():
        return out
    hit = np.flatnonzero(raises)
    value = rule.value(view, params) if rule.value else measured
    limit = (
        rule.limit(view, params) if rule.limit else np.array([*configured.edges[1:], 0.0])[band - 1]
    )
    view, value, band = view.subset(hit), value[hit], band[hit]
    limit = limit[hit].astype(np.int64)
    if rule.stamps:
        coarse = np.zeros(len(view), bool)
        for name in rule.stamps:
            coarse |= view.batch.calendar.date_only(view[name])
        if coarse.any():
            out.append(say(rule.id, "date_only", view.rows[coarse]))
            fine = ~coarse
            view, value, limit, band = view.subset(fine), value[fine], limit[fine], band[fine]
    if len(view):
        muted = _muted(configured, view)
        out.append(Raised(configured, view, np.arange(len(view)), value, limit, band, muted))
    return out


def _muted(configured: Configured, view: Viewed) -> list[str | None]:
    """Why each finding may not speak, None where it may."""
    muted: list[str | None] = [None] * len(view)
    for name in configured.rule.mutes:
        for row in np.flatnonzero(view[name]).tolist():
            muted[row] = muted[row] or name
    if configured.exemptions:
        words = view.batch.inputs.words
        items, steps = words.item.texts(view["item"]), words.step.texts(view["step"])
        departments = words.department.texts(view["department"])
        days = view.batch.calendar.day(view["recorded_at"]).tolist()
        for row, told in enumerate(zip(items, departments, steps, days, strict=True)):
            if muted[row] is None and any(x.covers(*told) for x in configured.exemptions):
                muted[row] = "exempt"
    if configured.mode == "shadow":
        muted = [m or "shadow" for m in muted]
    return muted


def pairs(batch: Batch, view: View) -> tuple[View, list[tuple[str, np.ndarray]]]:
    """One row for each event and incompatible pair of its duty; and the rows nobody can judge."""
    inputs, rows, unknown = batch.inputs, view.rows, []
    if not inputs.operators_known:
        return view.subset(np.zeros(0, np.int64)), [("operator_unknown", rows)]
    rows = rows[inputs.operator[rows] != NO_CODE]
    unlisted = ~batch.flows.listed(inputs.item[rows])
    unknown.append(("item_not_listed", rows[unlisted]))
    rows = rows[~unlisted]
    odd = (batch.step.place[rows] < 0) & (inputs.action[rows] == ACTION["step"])
    unknown.append(("step_not_listed", rows[odd]))
    rows = rows[batch.step.holder[rows] != NOBODY]
    partners = batch.step.partners[rows]
    at, pair = np.nonzero(partners >= 0)
    rows, other = rows[at], partners[at, pair]
    mine, operator = batch.step.duty[rows], inputs.operator[rows].astype(np.int64)
    holder, event = (batch.before.column(n, rows) for n in ("holder", "holder_event"))
    keys = [d.astype(np.int64) << 32 | operator for d in (mine, other)]
    held, other_event = (holder_event(holder, event, batch.more_holders, rows, k) for k in keys)
    extra = {
        "duty": mine, "other_duty": other, "held_before": held >= 0,
        "holds_other": other_event >= 0, "other_event": other_event,
    }  # fmt: skip
    return View(batch, rows, extra), [(r, some) for r, some in unknown if len(some)]
