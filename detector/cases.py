"""The state of every case: one row of one structured table, and what does not fit a row.

A case's row is its code in the vocabulary of cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from detector.columns import Words
from detector.event_ids import EventIds, Sweep
from detector.flows import Flows
from detector.officers import Officers
from detector.seen import Seen
from detector.values import ABSENT
from detector.workcalendar import NEVER

if TYPE_CHECKING:
    from detector.evaluate import Batch
    from detector.tally import Tally

RELIEF, IMPORTED, SUSPENDED, MORE_HOLDERS, APPLIED, DECIDED, ISSUED = 1, 2, 4, 8, 16, 32, 64
OUT_OF_FLOW = 1 << 14  # the place of a decision whose step is in no flow: behind every other
SWEPT_A_ROW, SWEPT_LEAST = 2, 512  # cases that a sweep of ids goes through for each event; a batch
BLOCK = 512  # cases whose earliest instant is remembered together
HOLDERS = 4  # holders of duties kept in the row; more go to `CaseState.more_holders`
NOBODY = -1
EVENT_REFS = (
    "previous_event", "accept_event", "close_event", "correct_event", "furthest_event",
    "wait_event", "held_event", "latest_event",
)  # fmt: skip


_CODES = (
    "previous_step", "previous_operator", "previous_item", "accept_item", "accept_department",
    "promised_days", "statutory_days", "furthest_place", "decided_place", "held_place",
)  # fmt: skip
HEAD = np.dtype(  # what every event may change stands together: it is written back at once
    [
        ("events", "i4"), ("flags", "i4"),
        ("previous_step", "i4"), ("previous_operator", "i4"),
        ("previous_recorded_at", "i8"), ("previous_occurred_at", "i8"), ("previous_event", "i8"),
        ("furthest_place", "i4"), ("due_stated", "i4"),
        ("furthest_recorded_at", "i8"), ("furthest_occurred_at", "i8"), ("furthest_event", "i8"),
        ("previous_item", "i4"), ("decided_place", "i4"),
        ("worked", "i8"), ("filed_documents", "i8"), ("filed_fields", "i8"),  # bits, of one item
        ("latest_recorded_at", "i8"), ("latest_event", "i8"),  # the latest to be recorded
        ("furthest_entry", "i8"),  # the step that stands at `furthest_place`, of its own item
        ("excused", "i8"),  # bits as `worked`: required only since the case came to its item
        ("latest_received_at", "i8"),  # of its latest event
    ]
)  # fmt: skip


@cache
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
            ("returns", "i4"), ("late_corrections", "i4"),
            ("interruptions", "i4"), ("held_place", "i4"), ("held_entry", "i8"),
            ("held_from", "i8"), ("held_event", "i8"),
            ("wait_from", "i8"), ("wait_until", "i8"), ("wait_event", "i8"),
            ("issue_from", "i8"), ("issue_until", "i8"),
            ("holder", "i8", (HOLDERS,)), ("holder_event", "i8", (HOLDERS,)),
            ("instant", "i8", (clocks,)),  # when each band's edge is crossed, NEVER when it is not
            ("raised", "i8", (clocks,)),  # the instant at which it was raised and stands, else 0
        ]
    )  # fmt: skip


def plain_rows(rows: np.ndarray) -> np.ndarray:
    """Rows as plain numbers, which numpy copies much quicker than named fields."""
    return rows.view(np.int64).reshape(len(rows), -1)


def heads_of(rows: np.ndarray) -> np.ndarray:
    """The heads of rows as plain bytes."""
    return plain_rows(rows)[:, : HEAD.itemsize // 8].view(f"V{HEAD.itemsize}")[:, 0]


def _ref_places() -> list[int]:
    """Where a row as plain numbers refers to events."""
    fields = case_row(0).fields
    assert fields is not None
    places = [fields[name][1] // 8 for name in (*EVENT_REFS, "holder_event")]
    return [*places, *range(places[-1] + 1, places[-1] + HOLDERS)]


REF_PLACES = _ref_places()


def refs_of(rows: np.ndarray) -> np.ndarray:
    """All references to events in rows, -1 for none."""
    return plain_rows(rows)[:, REF_PLACES].reshape(-1)


def blank_row(clocks: int) -> np.ndarray:
    """A case of which nothing is known yet: shape (1,)."""
    row = np.zeros(1, case_row(clocks))
    for name in (*EVENT_REFS, *_CODES):
        row[name] = -1
    for name in ("close_recorded_at", "wait_until", "issue_until", "instant"):
        row[name] = NEVER
    for name in (
        "fee_due", "due_at", "latest_recorded_at", "held_from", "wait_from", "issue_from",
    ):  # fmt: skip
        row[name] = ABSENT
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
        self.officers = Officers()
        self.suspensions: dict[int, list[Suspension]] = {}
        self.more_holders: dict[int, list[tuple[int, int]]] = {}
        # stamp and id of what a close under that stamp would withdraw (`one_stamp`)
        self.stamped: dict[int, list[tuple[int, str]]] = {}
        self.tally: Tally | None = None  # None: nobody asks what other limits would raise
        self._compact_at = 1 << 20
        self._sweep: Sweep | None = None  # of ids; it begins anew after a restart
        self._events_most: int | None = None

    def to_count(self) -> list[Any] | None:
        """Where rules put the rows of a batch whose raw values are counted; None: nobody counts."""
        return None if self.tally is None else []

    def count(self, batch: Batch) -> None:
        """Count what a judged batch has left there."""
        if self.tally is not None:
            self.tally.count(batch)

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
            plain_rows(self._room)[:have] = plain_rows(self.table)
            self._due_room[:have] = self.next_due
        plain_rows(self._room)[have:need] = plain_rows(self.blank)
        self._due_room[have:need] = NEVER
        self.table, self.next_due = self._room[:need], self._due_room[:need]
        if self.block_due is not None:
            more = -(-need // BLOCK) - len(self.block_due)
            self.block_due = np.append(self.block_due, np.full(more, NEVER))

    def forget_room(self) -> None:
        """The table was laid out anew: what was taken for the old one is of no more use."""
        self._room, self._due_room = self.blank[:0], np.zeros(0, np.int64)
        self.block_due = None

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

    def compact(self, events: int) -> None:
        """Forget ids that no case refers to, once they are many: behind each batch, of so many
        events, some cases are gone through."""
        ids = self.event_ids
        if self._sweep is None:
            if ids.count < self._compact_at:
                return
            self._sweep = Sweep(ids, len(self.table))
        sweep = self._sweep
        some = range(sweep.row, sweep.rows)[: max(SWEPT_LEAST, SWEPT_A_ROW * events)]
        sweep.meet(refs_of(self.table[some.start : some.stop]))
        sweep.meet(np.array([*self._refs_beside(some)], np.int64))
        sweep.row = some.stop
        if sweep.row == sweep.rows:
            ids.keep(sweep)
            self._sweep = None
            self._compact_at = max(1 << 20, 4 * ids.count)

    def _refs_beside(self, cases: Iterable[int]) -> Iterator[int]:
        """What these cases refer to beside their rows."""
        for case in filter(self.more_holders.__contains__, cases) if self.more_holders else ():
            yield from (ref for _, ref in self.more_holders[case])
        for case in filter(self.suspensions.__contains__, cases) if self.suspensions else ():
            yield from (one.event for one in self.suspensions[case])

    @property
    def nbytes(self) -> int:
        """Bytes of the columns held (the texts of the vocabularies not counted)."""
        return self.table.nbytes + self.next_due.nbytes + self.seen.nbytes + self.event_ids.nbytes


@dataclass
class Suspension:
    """One special procedure (特别程序) of a case: times µs UTC, work µs on the working calendar."""

    begun_at: int
    begun_work: int
    days_granted: int  # ABSENT: it was not said
    procedure: int
    order: int  # the how-manieth event of the case opened it
    event: int  # reference of the event that opened it
    ended_work: int | None = None  # None: still open
    ended_at: int = ABSENT  # when its end is said to have been
    until: int = NEVER  # recorded end of its own clock
    instant: list[int] = field(default_factory=list)  # of each band of that clock, as in a row
    raised: list[int] = field(default_factory=list)
