"""The state of every case: one row of one structured table, and what does not fit a row.

A case's row is its code in the vocabulary of cases. `advance` applies one event to each of several
different cases; rounds (the k-th event of each case together) make a batch of any shape fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.columns import Inputs, Words
from detector.event import ACTION
from detector.event_ids import EventIds
from detector.flows import Flows
from detector.seen import Seen
from detector.values import ABSENT
from detector.workcalendar import NEVER

RELIEF, IMPORTED, SUSPENDED, MORE_HOLDERS = 1, 2, 4, 8
BLOCK = 512  # cases whose earliest instant is remembered together
HOLDERS = 4  # holders of duties kept in the row; more go to `CaseState.more_holders`
NOBODY = -1
_EVENT_REFS = (
    "previous_event", "accept_event", "close_event", "correct_event", "furthest_event",
)  # fmt: skip


_CODES = (
    "previous_step", "previous_operator", "accept_item", "accept_department", "promised_days",
    "statutory_days", "furthest_place",
)  # fmt: skip
HEAD = np.dtype(  # what every event may change stands together: it is written back at once
    [
        ("events", "i4"), ("flags", "i4"),
        ("previous_step", "i4"), ("previous_operator", "i4"),
        ("previous_recorded_at", "i8"), ("previous_occurred_at", "i8"), ("previous_event", "i8"),
        ("furthest_place", "i4"), ("due_stated", "i4"),
        ("furthest_recorded_at", "i8"), ("furthest_occurred_at", "i8"), ("furthest_event", "i8"),
    ]
)  # fmt: skip


def case_row(clocks: int) -> np.dtype:
    """The layout of a row, with room for `clocks` bands of clock rules."""
    return np.dtype(
        [
            *HEAD.descr,
            ("accept_item", "i4"), ("accept_department", "i4"),
            ("promised_days", "i4"), ("statutory_days", "i4"), ("undetermined", "i8"),
            ("accept_recorded_at", "i8"), ("accept_occurred_at", "i8"), ("accept_event", "i8"),
            ("close_recorded_at", "i8"), ("close_occurred_at", "i8"), ("close_event", "i8"),
            ("correct_occurred_at", "i8"), ("correct_event", "i8"),
            ("fee_due", "i8"), ("fee_paid", "i8"), ("due_at", "i8"),
            ("holder", "i8", (HOLDERS,)), ("holder_event", "i8", (HOLDERS,)),
            ("instant", "i8", (clocks,)),  # when each band's edge is crossed, NEVER when it is not
            ("raised", "i8", (clocks,)),  # the instant at which it was raised and stands, else 0
        ]
    )  # fmt: skip


def _plain(rows: np.ndarray) -> np.ndarray:
    """Rows as plain numbers, which numpy copies much quicker than named fields."""
    return rows.view(np.int64).reshape(len(rows), -1)


def _heads(rows: np.ndarray) -> np.ndarray:
    """The heads of rows as plain bytes."""
    return _plain(rows)[:, : HEAD.itemsize // 8].view(f"V{HEAD.itemsize}")[:, 0]


def blank_row(clocks: int) -> np.ndarray:
    """A case of which nothing is known yet: shape (1,)."""
    row = np.zeros(1, case_row(clocks))
    for name in (*_EVENT_REFS, *_CODES):
        row[name] = -1
    for name in ("close_recorded_at", "instant"):
        row[name] = NEVER
    row["fee_due"] = row["due_at"] = ABSENT
    row["holder"] = NOBODY
    row["holder_event"] = -1
    return row


class CaseState:
    """All that is remembered of cases; a pure function of the inputs judged so far."""

    def __init__(self, words: Words, flows: Flows, clocks: int) -> None:
        self.words = words
        self.flows = flows
        self.blank = blank_row(clocks)
        self._room, self._due_room = self.blank[:0], np.zeros(0, np.int64)
        self.table = np.repeat(self.blank, 1)  # a row for each case, the first for the first
        self.next_due = np.full(1, NEVER)  # the earliest instant of each that has not fired
        self.earliest_due = NEVER  # no larger than any of next_due
        self.block_due: np.ndarray | None = None  # the same of each `BLOCK` of cases, once asked
        self.watermark = ABSENT
        self.seen = Seen()
        self.event_ids = EventIds()
        self.suspensions: dict[int, list[Suspension]] = {}
        self.more_holders: dict[int, list[tuple[int, int]]] = {}
        self._compact_at = 1 << 20
        self._events_most: int | None = None

    @property
    def events_most(self) -> int:
        """The most events that any case has had."""
        if self._events_most is None:
            self._events_most = int(self.table["events"].max())
        return self._events_most

    def note_events(self, counts: np.ndarray) -> None:
        """Some cases have had so many events by now."""
        self._events_most = max(self.events_most, int(counts.max(initial=0)))

    def make_room(self) -> None:
        """Rows for every case that the vocabulary knows.

        Room is taken twofold and blanked only as cases come: what was not touched weighs nothing.
        """
        have, need = len(self.table), len(self.words.case)
        if need <= have:
            return
        if self.table.base is not self._room or need > len(self._room):
            self._room = np.empty(max(need, 2 * have), self.table.dtype)
            self._due_room = np.empty(len(self._room), np.int64)
            _plain(self._room)[:have] = _plain(self.table)
            self._due_room[:have] = self.next_due
        _plain(self._room)[have:need] = _plain(self.blank)
        self._due_room[have:need] = NEVER
        self.table, self.next_due = self._room[:need], self._due_room[:need]
        if self.block_due is not None:
            more = -(-need // BLOCK) - len(self.block_due)
            self.block_due = np.append(self.block_due, np.full(more, NEVER))

    def set_due(self, cases: np.ndarray, due: np.ndarray) -> None:
        """The earliest instants of these cases that have not fired."""
        self.next_due[cases] = due
        if len(due):
            self.earliest_due = min(self.earliest_due, int(due.min()))
            if self.block_due is not None:
                np.minimum.at(self.block_due, cases // BLOCK, due)

    def due_by(self, upto: int) -> np.ndarray:
        """Cases that have an instant of at most `upto`, in order: only blocks that have one are
        looked at, and the bounds of those that had one before are brought up to date."""
        if self.block_due is None:
            self.block_due = np.full(-(-len(self.next_due) // BLOCK), ABSENT)
        blocks = np.flatnonzero(self.block_due <= upto)
        some = (blocks[:, None] * BLOCK + np.arange(BLOCK)).reshape(-1)
        due = self.next_due.take(some, mode="clip")  # behind the last case it is the last again
        self.block_due[blocks] = due.reshape(-1, BLOCK).min(axis=1, initial=NEVER)
        self.earliest_due = int(self.block_due.min(initial=NEVER))
        cases = some[due <= upto]
        return cases[: int(np.searchsorted(cases, len(self.next_due)))]

    def rows(self, cases: np.ndarray) -> np.ndarray:
        """A copy of these cases' rows. Ten times as quick as indexing a structured array."""
        return self.table.take(cases, mode="clip")

    def compact(self) -> None:
        """Forget ids that no row refers to, once they are many."""
        ids = self.event_ids
        if ids.count < self._compact_at:
            return
        used = np.zeros(ids.count, bool)
        columns = [self.table[name] for name in (*_EVENT_REFS, "holder_event")]
        for column in columns:
            used[column[column >= 0]] = True
        for holders in self.more_holders.values():
            used[[ref for _, ref in holders]] = True
        new = ids.keep(used)
        for column in columns:
            column[...] = np.where(column >= 0, new[column], column)
        for case, holders in self.more_holders.items():
            self.more_holders[case] = [(key, int(new[ref])) for key, ref in holders]
        self._compact_at = max(1 << 20, 4 * ids.count)

    @property
    def nbytes(self) -> int:
        """Bytes of the columns held (the texts of the vocabularies not counted)."""
        return (
            self.table.nbytes + self.next_due.nbytes + self.seen.nbytes + self.event_ids._ids.nbytes
        )


@dataclass
class Suspension:
    """One special procedure (特别程序) of a case: times µs UTC, work µs on the working calendar."""

    begun_at: int
    begun_work: int
    days_granted: int  # ABSENT: it was not said
    procedure: int
    order: int  # the how-manieth event of the case opened it
    ended_work: int | None = None  # None: still open


class Step:
    """Derived columns of a batch that both the state and the rules need."""

    def __init__(self, inputs: Inputs, flows: Flows, refs: np.ndarray) -> None:
        self.refs = refs
        self.entry = flows.entry(inputs.item, inputs.step)
        self.place = flows.place[self.entry]
        held = flows.paired[self.entry] & (inputs.operator >= 0)
        self.holder = np.full(len(inputs), NOBODY)  # who holds which duty by this event
        self.holds = np.flatnonzero(held)  # rows by which somebody holds a duty
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
    heads = _heads(before).copy()
    head = heads.view(HEAD)
    head["events"] += 1
    head["previous_step"] = inputs.step[rows]
    head["previous_operator"] = inputs.operator[rows]
    head["previous_recorded_at"] = inputs.recorded_at[rows]
    head["previous_occurred_at"] = inputs.occurred_at[rows]
    head["previous_event"] = refs
    place = step.place[rows]
    ahead = np.flatnonzero((place >= 0) & (place >= head["furthest_place"]))
    if len(ahead):
        head["furthest_place"][ahead] = place[ahead]
        for name in ("recorded_at", "occurred_at", "event"):
            head[f"furthest_{name}"][ahead] = head[f"previous_{name}"][ahead]
    state.note_events(head["events"])
    _heads(table)[cases] = heads
    _milestones(table, before, inputs, rows, refs)
    _stated(table, before, inputs, rows)
    if len(step.holds):
        _hold(state, before, step.holder[rows], refs, cases)
    return before


def _milestones(
    table: np.ndarray, before: np.ndarray, inputs: Inputs, rows: np.ndarray, refs: np.ndarray
) -> None:
    """First acceptance, first close, latest notice of correction."""
    action = inputs.action[rows]
    some = np.flatnonzero((action == ACTION["accept"]) & (before["accept_event"] < 0))
    if len(some):
        at = rows[some]
        to = inputs.case[at]
        table["accept_recorded_at"][to] = inputs.recorded_at[at]
        table["accept_occurred_at"][to] = inputs.occurred_at[at]
        table["accept_event"][to] = refs[some]
        table["accept_item"][to] = inputs.item[at]
        table["accept_department"][to] = inputs.department[at]
        table["flags"][to] |= np.where(inputs.imported[at], IMPORTED, 0)
    some = np.flatnonzero((action == ACTION["close"]) & (before["close_event"] < 0))
    if len(some):
        at = rows[some]
        to = inputs.case[at]
        table["close_recorded_at"][to] = inputs.recorded_at[at]
        table["close_occurred_at"][to] = inputs.occurred_at[at]
        table["close_event"][to] = refs[some]
    some = np.flatnonzero(action == ACTION["correct"])
    if len(some):
        to = inputs.case[rows[some]]
        table["correct_occurred_at"][to] = inputs.occurred_at[rows[some]]
        table["correct_event"][to] = refs[some]


def _stated(table: np.ndarray, before: np.ndarray, inputs: Inputs, rows: np.ndarray) -> None:
    """What the events say of fees and limits: the last word counts, receipts add up."""
    for name in ("fee_due", "promised_days", "statutory_days", "due_at"):
        told = getattr(inputs, name)[rows]
        some = np.flatnonzero(told != ABSENT)
        if len(some):
            to = inputs.case[rows[some]]
            table[name][to] = told[some]
            if name == "due_at":
                table["due_stated"][to] = before["events"][some] + 1
    paid = inputs.fee_paid[rows]
    some = np.flatnonzero(paid != ABSENT)
    if len(some):
        table["fee_paid"][inputs.case[rows[some]]] += paid[some]
    some = np.flatnonzero(inputs.relief[rows])
    if len(some):
        table["flags"][inputs.case[rows[some]]] |= RELIEF


def _hold(
    state: CaseState, before: np.ndarray, keys: np.ndarray, refs: np.ndarray, cases: np.ndarray
) -> None:
    """Remember who holds which duty, once each, with the event by which they came to it."""
    some = np.flatnonzero(keys != NOBODY)
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
