"""Judge one batch: every rule over the whole columns, every row answered.

The outcome for a row is not applicable, undetermined with a reason, or a value in a band; a raising
band makes a finding, which a mute may silence. Never a silent "no".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from detector.advance import Before, Step, holder_event
from detector.cases import NOBODY
from detector.columns import NO_CODE, Inputs, Vocabulary, of_actions
from detector.event import ACTION
from detector.flows import Flows
from detector.officers import Officers
from detector.overrides import MODES
from detector.shelf import Configured, Place, TableLookup
from detector.view import View
from detector.workcalendar import WorkCalendar

TEXT_OF = {  # columns of codes → the vocabulary that spells them
    "step": "step", "previous_step": "step", "previous_operator": "operator", "item": "item",
    "department": "department", "operator": "operator", "grade": "other", "party_kind": "other",
    "case_id": "case", "duty": "duties", "other_duty": "duties",
}  # fmt: skip


_PERSON = (1 << 32) - 1  # the part of a holder that names the person


@dataclass
class Undetermined:
    """Rows about which a rule could not know, and why."""

    rule: str
    reason: str
    per: str  # "event", "case" or "subject"
    # Columns `words, item, department, recorded_at`; besides, of events and cases `case, event_id`,
    # of other subjects `kind, subject`.
    source: Any
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


@dataclass
class Batch:
    """One judged batch: its inputs, what was derived of them, and the states before each."""

    inputs: Inputs
    step: Step
    before: Before
    more_holders: dict[int, list[tuple[int, int]]]
    flows: Flows
    calendar: WorkCalendar
    officers: Officers = field(default_factory=Officers)
    # rows that rules whose limit can be tried out speak to and know; None: nobody counts them
    tuned: list[tuple[Configured, View]] | None = None

    def __post_init__(self) -> None:
        self.every_row = np.arange(len(self.inputs))
        self._columns: dict[str, np.ndarray] = {}  # what whole views have made, for all rules
        self._concerned: dict[tuple[str, ...], np.ndarray] = {(): self.every_row}
        self._spoken: list[Raised] = []

    def view(self, configured: Configured) -> View:
        """The rows of the actions that a rule concerns."""
        rule = configured.rule
        rows = self._concerned.get(rule.actions)
        if rows is None:
            rows = of_actions(*rule.actions)[self.inputs.action].nonzero()[0]
            if len(rows) == len(self.every_row):
                rows = self.every_row
            self._concerned[rule.actions] = rows
        made = self._columns if rows is self.every_row else None
        return View(self, rows, made, configured.lookup)

    def looked_up(self, lookup: TableLookup, view: View) -> np.ndarray:
        """A table's value for each row: each distinct combination of codes is looked up once."""
        columns = [view[column] for _, column in lookup.keys]
        if len(view) == 1:
            only = [
                self.vocabulary(TEXT_OF[column]).texts(codes)[0]
                for (_, column), codes in zip(lookup.keys, columns, strict=True)
            ]
            return np.array([lookup.one(tuple(only))])
        size = [int(c.max(initial=0)) + 2 for c in columns]
        keys = np.zeros(len(view), np.int64)
        for column, width in zip(columns, size, strict=True):
            keys = keys * width + column + 1
        first, inverse = _distinct(keys, math.prod(size))
        spelled = [
            self.vocabulary(TEXT_OF[column]).texts(codes[first])
            for (_, column), codes in zip(lookup.keys, columns, strict=True)
        ]
        values = [lookup.one(texts) for texts in zip(*spelled, strict=True)]
        return np.array(values, np.int64)[inverse] if len(keys) else keys

    def speak(self, raised: Raised) -> None:
        """Remember what a rule said."""
        self._spoken.append(raised)

    def spoken_of(self, rules: Collection[str]) -> np.ndarray:
        """Which rows any of these rules spoke of (a mask): those of findings that are not muted."""
        told = np.zeros(len(self.inputs), bool)
        for one in self._spoken:
            if one.rule.rule.id in rules:
                told[one.view.rows[[not why for why in one.muted]]] = True
        return told

    def vocabulary(self, name: str) -> Vocabulary:
        """The words behind a column of codes."""
        return self.flows.duties if name == "duties" else getattr(self.inputs.words, name)

    def undetermined(self, rule: str, reason: str, rows: np.ndarray) -> Undetermined:
        """These rows of the batch, by event."""
        return Undetermined(rule, reason, "event", self.inputs, rows)


def _distinct(keys: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A row of each distinct key below `size`, and the place among these of every row's key."""
    if size > 16 * len(keys) + 4_096:
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        return first, inverse
    row_of = np.full(size, -1)
    row_of[keys] = np.arange(len(keys))
    met = np.flatnonzero(row_of >= 0)
    first = row_of[met]
    row_of[met] = np.arange(len(met))
    return first, row_of[keys]


def judge(configured: Configured, batch: Batch) -> Iterable[Raised | Undetermined]:
    """One event rule over a batch, with what the district sets for some of its cases."""
    view = batch.view(configured)
    if not configured.overrides:
        yield from _judge(configured, view, batch)
        return
    for one, rows in configured.split(places(view)):
        yield from _judge(one, view.subset(rows).looking(one.lookup), batch)


def places(view: Viewed) -> Iterator[Place]:
    """What settings and exemptions ask of the rows of a view."""
    words = view.batch.inputs.words
    columns = (getattr(words, n).texts(view[n]) for n in ("item", "department", "step"))
    return zip(*columns, view.batch.calendar.day(view["recorded_at"]).tolist(), strict=True)


def _judge(configured: Configured, view: View, batch: Batch) -> Iterable[Raised | Undetermined]:
    rule = configured.rule
    if not len(view):
        return
    if rule.per == "pair":
        view, unknown = pairs(batch, view)
        yield from (batch.undetermined(rule.id, r, rows) for r, rows in unknown)
        if not len(view):
            return
    yield from judge_cautiously(configured, view, batch.undetermined)


Say = Callable[[str, str, np.ndarray], Undetermined]


def judge_cautiously(configured: Configured, view: Viewed, say: Say) -> list[Raised | Undetermined]:
    """Judge; where the rule fails, halve the rows, so that a fault costs its own event alone."""
    counted = view.batch.tuned if configured.rule.tuned else None
    known = len(counted or ())
    try:
        return judge_view(configured, view, say)
    except Exception as fault:  # it is not hidden: the row says so
        if counted:
            del counted[known:]
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
        view = view.subset(rule.applies(view, params).nonzero()[0])
    for reason, mask_of in rule.unknown:
        if len(view):
            mask = mask_of(view, params)
            some = mask.nonzero()[0]
            if len(some):
                out.append(say(rule.id, reason, view.rows[some]))
                view = view.subset(~mask)
    if not len(view):
        return out
    assert rule.measure is not None
    measured = rule.measure(view, params)
    if measured.dtype.kind not in "iu" or measured.shape != (len(view),):
        raise TypeError("a measure must be one whole number a row")
    if rule.tuned is not None and view.batch.tuned is not None:
        view.batch.tuned.append((configured, view))
    hit = _raising(configured, measured)
    if not len(hit):
        return out
    view, measured = view.subset(hit), measured[hit]
    band = np.searchsorted(configured.whole_edges, measured, side="right") - 1
    value = rule.value(view, params) if rule.value else measured
    limit = (
        rule.limit(view, params) if rule.limit else np.array([*configured.edges[1:], 0.0])[band - 1]
    )
    limit = limit.astype(np.int64)
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


def _raising(configured: Configured, measured: np.ndarray) -> np.ndarray:
    """Rows whose measure lies in a band that raises."""
    edge = configured.raising_edge
    if edge is not None:
        raises = measured >= edge
    else:
        band = np.searchsorted(configured.whole_edges, measured, side="right") - 1
        raises = configured.raises[band]
    return np.asarray(raises.nonzero()[0])


def _muted(configured: Configured, view: Viewed) -> list[str | None]:
    """Why each finding may not speak, None where it may."""
    muted: list[str | None] = [None] * len(view)
    for name in configured.rule.mutes:
        for row in np.flatnonzero(view[name]).tolist():
            muted[row] = muted[row] or name
    if configured.exemptions or configured.mode != MODES[0]:
        told = zip(muted, places(view), strict=True)
        muted = [why or configured.hushed(*place) for why, place in told]
    return muted


def pairs(batch: Batch, view: View) -> tuple[View, list[tuple[str, np.ndarray]]]:
    """One row for each event and incompatible pair of its duty; and the rows nobody can judge."""
    inputs, step, flows, rows = batch.inputs, batch.step, batch.flows, view.rows
    nobody = np.zeros(0, np.int64)
    if not inputs.operators_known:
        return view.subset(nobody), [("operator_unknown", rows)]
    unknown = []
    odd = (view["operator"] != NO_CODE) & ((step.entry if view.whole else step.entry[rows]) == 0)
    if odd.any():
        rows_odd = rows[odd]
        listed = flows.listed(inputs.item[rows_odd])
        unstepped = rows_odd[listed & (inputs.action[rows_odd] == ACTION["step"])]
        unknown = [("item_not_listed", rows_odd[~listed]), ("step_not_listed", unstepped)]
        unknown = [(reason, some) for reason, some in unknown if len(some)]
    rows = step.holds if view.whole else rows[step.holder[rows] != NOBODY]
    if not len(rows):
        return view.subset(nobody), unknown
    entry, operator = step.entry[rows], inputs.operator[rows].astype(np.int64)
    partners = flows.partners[entry]
    at, pair = np.nonzero(partners >= 0)
    mine, other = flows.duty[entry[at]], partners[at, pair]
    # Most people hold nothing yet in the case: they need not be looked for pair by pair.
    known = ((batch.before.column("holder", rows) & _PERSON) == operator[:, None]).any(axis=1)
    if batch.more_holders:
        known |= np.isin(rows, list(batch.more_holders))
    rows, operator, known = rows[at], operator[at], np.flatnonzero(known[at])
    held, other_event = np.full(len(rows), -1), np.full(len(rows), -1)
    if len(known):
        some = rows[known]
        holder, event = (batch.before.column(n, some) for n in ("holder", "holder_event"))
        for duty, found in ((mine, held), (other, other_event)):
            keys = duty[known].astype(np.int64) << 32 | operator[known]
            found[known] = holder_event(holder, event, batch.more_holders, some, keys)
    extra = {
        "duty": mine, "other_duty": other, "held_before": held >= 0,
        "holds_other": other_event >= 0, "other_event": other_event,
    }  # fmt: skip
    return View(batch, rows, extra), unknown
