"""Apply one event to each of several different cases, and keep the states before it.

Rounds (the k-th event of each case together) make a batch of any shape fit.
"""

from __future__ import annotations

import numpy as np

from detector.cases import (
    APPLIED,
    DECIDED,
    HEAD,
    IMPORTED,
    ISSUED,
    MORE_HOLDERS,
    NOBODY,
    OUT_OF_FLOW,
    RELIEF,
    CaseState,
    heads_of,
)
from detector.columns import Inputs, of_actions
from detector.event import ACTION
from detector.flows import Flows
from detector.particulars import of_results
from detector.values import ABSENT

STATED = ("fee_due", "promised_days", "statutory_days", "due_at")  # the last word counts


class Step:
    """Derived columns of a batch that both the state and the rules need."""

    def __init__(self, inputs: Inputs, flows: Flows, refs: np.ndarray) -> None:
        self.refs = refs
        self.entry = flows.entry(inputs.item, inputs.step)
        self.place = flows.place[self.entry]
        self.required = flows.required[self.entry]  # bit of the step among its item's required ones
        self.documents, self.fields = flows.filed(inputs)  # bits of what the item needs at all
        stated = [getattr(inputs, name) != ABSENT for name in STATED]
        self.limited = np.logical_or.reduce(stated[1:])  # rows that name a limit
        self.stated = self.limited | stated[0] | (inputs.fee_paid != ABSENT) | inputs.relief
        held = flows.paired[self.entry] & (inputs.operator >= 0)
        self.holder = np.full(len(inputs), NOBODY)  # who holds which duty by this event
        self.holds = held.nonzero()[0]  # rows by which somebody holds a duty
        if len(self.holds):
            duty = flows.duty[self.entry[self.holds]].astype(np.int64)
            self.holder[self.holds] = duty << 32 | inputs.operator[self.holds]


class Before:
    """The states before each row of a batch, in the order of the rounds, read column by column."""

    def __init__(self, rows: int, dtype: np.dtype) -> None:
        self._states = np.empty(rows, dtype)
        self._place: np.ndarray | None = None  # of each row of the batch; None: its own
        self._filled = 0
        self._whole: dict[str, np.ndarray] = {}

    def gather(self, table: np.ndarray, cases: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Note the states of these cases as those before these rows, and give them."""
        end = self._filled + len(rows)
        states = self._states[self._filled : end]
        table.take(cases, out=states, mode="clip")  # the quick road for whole rows
        if len(rows) < len(self._states):
            if self._place is None:
                self._place = np.empty(len(self._states), np.int64)
            self._place[rows] = np.arange(self._filled, end)
        self._filled = end
        return states

    def column(self, name: str, rows: np.ndarray | None = None) -> np.ndarray:
        """One field of the states before these rows, or before every row of the batch."""
        whole = self._whole.get(name)
        if rows is None:
            if whole is None:
                whole = self._states[name].copy()  # one by one they lie far apart
                self._whole[name] = whole = whole if self._place is None else whole[self._place]
            return whole
        if whole is not None:
            return whole[rows]
        return self._states[name][rows if self._place is None else self._place[rows]]


def advance(
    state: CaseState, inputs: Inputs, step: Step, rows: np.ndarray, gathered: Before
) -> np.ndarray:
    """Apply these rows, each of another case, and return the states before them."""
    cases, table = inputs.case[rows], state.table
    before = gathered.gather(table, cases, rows)
    refs = step.refs[rows]
    heads = heads_of(before).copy()
    head = heads.view(HEAD)
    _of_one_item(head, inputs, step, rows)
    head["events"] += 1
    head["previous_step"] = inputs.step[rows]
    head["previous_operator"] = inputs.operator[rows]
    head["previous_recorded_at"] = inputs.recorded_at[rows]
    head["previous_occurred_at"] = inputs.occurred_at[rows]
    head["previous_event"] = refs
    head["latest_received_at"] = inputs.received_at[rows]
    later = head["latest_recorded_at"] < head["previous_recorded_at"]
    later &= (before["close_event"] < 0) & (inputs.action[rows] != ACTION["close"])
    head["latest_recorded_at"][later] = head["previous_recorded_at"][later]
    head["latest_event"][later] = refs[later]
    place = step.place[rows]
    ahead = ((place >= 0) & (place >= head["furthest_place"])).nonzero()[0]
    if len(ahead):
        head["furthest_place"][ahead] = place[ahead]
        head["furthest_entry"][ahead] = step.entry[rows[ahead]]
        for name in ("recorded_at", "occurred_at", "event"):
            head[f"furthest_{name}"][ahead] = head[f"previous_{name}"][ahead]
    state.note_events(head["events"])
    heads_of(table)[cases] = heads
    _milestones(table, before, inputs, rows, refs)
    _count(table, before, inputs, rows)
    _stated(table, before, inputs, step, rows)
    if len(step.holds):
        _hold(state, before, step.holder[rows], refs, cases)
    return before


def _of_one_item(head: np.ndarray, inputs: Inputs, step: Step, rows: np.ndarray) -> None:
    """What is remembered of the events since the case came to its item."""
    item = inputs.item[rows]
    moved = (head["previous_item"] != item).nonzero()[0]
    if len(moved):
        head["previous_item"] = item
        head["decided_place"][moved] = -1
        for name in ("worked", "excused", "filed_documents", "filed_fields"):
            head[name][moved] = 0
    head["worked"] |= step.required[rows]
    for name, bits in (("filed_documents", step.documents), ("filed_fields", step.fields)):
        if bits is not None:
            head[name] |= bits[rows]
    some = (inputs.action[rows] == ACTION["decide"]).nonzero()[0]
    if len(some):
        place = step.place[rows[some]].astype(np.int32)
        place[place < 0] = OUT_OF_FLOW
        head["decided_place"][some] = np.maximum(head["decided_place"][some], place)


_COUNTED = of_actions(
    "apply", "preaccept", "return", "correct", "suspend", "decide", "issue", "close"
)
# Results of a close by which a case ends unfinished.
_UNFINISHED = of_results("withdrawn", "void", "terminated")


def _count(table: np.ndarray, before: np.ndarray, inputs: Inputs, rows: np.ndarray) -> None:
    """What happened how often, and what has happened at all."""
    some = _COUNTED[inputs.action[rows]].nonzero()[0]
    if not len(some):
        return
    rows, accepted = rows[some], before["accept_event"][some] >= 0
    to, action = inputs.case[rows], inputs.action[rows]
    corrects = action == ACTION["correct"]
    table["returns"][to] += corrects | (action == ACTION["return"])
    table["late_corrections"][to] += corrects & accepted
    table["interruptions"][to] += interrupts(action, inputs.words.told.result(inputs.told[rows]))
    applies = (action == ACTION["apply"]) | (action == ACTION["preaccept"])
    flags = np.where(applies, APPLIED, 0) | np.where(action == ACTION["decide"], DECIDED, 0)
    table["flags"][to] |= flags | np.where(action == ACTION["issue"], ISSUED, 0)


def interrupts(action: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Does an event suspend its case or end it unfinished."""
    return (action == ACTION["suspend"]) | ((action == ACTION["close"]) & _UNFINISHED[result])


def _milestones(
    table: np.ndarray, before: np.ndarray, inputs: Inputs, rows: np.ndarray, refs: np.ndarray
) -> None:
    """First event or acceptance, first close, latest notice of correction."""
    action = inputs.action[rows]
    accepts = (action == ACTION["accept"]) & (before["accept_event"] < 0)
    some = (accepts | (before["events"] == 0)).nonzero()[0]
    if len(some):
        at = rows[some]
        to = inputs.case[at]
        table["accept_item"][to] = inputs.item[at]
        table["accept_department"][to] = inputs.department[at]
        imported = np.where(inputs.imported[at], IMPORTED, 0)
        table["flags"][to] = (table["flags"][to] & ~IMPORTED) | imported
    closes = (action == ACTION["close"]) & (before["close_event"] < 0)
    for name, first in (("accept", accepts), ("close", closes)):
        some = first.nonzero()[0]
        if len(some):
            at = rows[some]
            to = inputs.case[at]
            table[f"{name}_recorded_at"][to] = inputs.recorded_at[at]
            table[f"{name}_occurred_at"][to] = inputs.occurred_at[at]
            table[f"{name}_event"][to] = refs[some]
    some = (action == ACTION["correct"]).nonzero()[0]
    if len(some):
        to = inputs.case[rows[some]]
        table["correct_occurred_at"][to] = inputs.occurred_at[rows[some]]
        table["correct_event"][to] = refs[some]


def _stated(
    table: np.ndarray, before: np.ndarray, inputs: Inputs, step: Step, rows: np.ndarray
) -> None:
    """What the events say of fees and limits: the last word counts, receipts add up."""
    some = step.stated[rows].nonzero()[0]
    if not len(some):
        return
    rows, events = rows[some], before["events"][some]
    for name in STATED:
        told = getattr(inputs, name)[rows]
        some = (told != ABSENT).nonzero()[0]
        if len(some):
            to = inputs.case[rows[some]]
            table[name][to] = told[some]
            if name == "due_at":
                table["due_stated"][to] = events[some] + 1
    paid = inputs.fee_paid[rows]
    some = (paid != ABSENT).nonzero()[0]
    if len(some):
        table["fee_paid"][inputs.case[rows[some]]] += paid[some]
    some = inputs.relief[rows].nonzero()[0]
    if len(some):
        table["flags"][inputs.case[rows[some]]] |= RELIEF


def _hold(
    state: CaseState, before: np.ndarray, keys: np.ndarray, refs: np.ndarray, cases: np.ndarray
) -> None:
    """Remember who holds which duty, once each, with the event by which they came to it."""
    some = (keys != NOBODY).nonzero()[0]
    if not len(some):
        return
    slots = before["holder"][some]
    fresh = ~(slots == keys[some, None]).any(axis=1)
    some, slots = some[fresh], slots[fresh]
    if not len(some):
        return
    free = (slots == NOBODY).argmax(axis=1)
    full = slots[np.arange(len(some)), free] != NOBODY
    put, at = some[~full], free[~full]
    state.table["holder"][cases[put], at] = keys[put]
    state.table["holder_event"][cases[put], at] = refs[put]
    for row in some[full].tolist():
        case = int(cases[row])
        more = state.more_holders.setdefault(case, [])
        if all(key != keys[row] for key, _ in more):
            more.append((int(keys[row]), int(refs[row])))
            state.table["flags"][case] |= MORE_HOLDERS


def holder_event(
    holder: np.ndarray, event: np.ndarray, more: dict[int, list[tuple[int, int]]],
    rows: np.ndarray, keys: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """The event by which each key (duty, person) was first held in the state before, -1 if not.

    `more` holds, by row of the batch, the holders that did not fit the state's row.
    """
    match = holder == keys[:, None]
    found = np.where(match, event, -1).max(axis=1, initial=-1)
    if more:
        for n, row in enumerate(rows.tolist()):
            for key, ref in more.get(row, ()):
                if key == keys[n]:
                    found[n] = ref
    return found
