"""What operators typed, as columns, and where it waits until everything earlier has arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from detector.columns import Words

COLUMNS = ("operator", "case", "item", "department", "event_id", "recorded_at", "received_at")
_SMALL = 1_024  # rows that are joined before they wait, so that one by one costs no more


@dataclass
class Records:
    """What operators typed, as columns: codes, ids, times µs UTC."""

    words: Words
    operator: np.ndarray
    case: np.ndarray
    item: np.ndarray
    department: np.ndarray
    event_id: np.ndarray
    recorded_at: np.ndarray
    received_at: np.ndarray

    def __len__(self) -> int:
        return len(self.operator)

    def take(self, rows: np.ndarray | slice) -> Records:
        """These rows."""
        return Records(self.words, *(getattr(self, n)[rows] for n in COLUMNS))


def join_records(parts: Sequence[Records]) -> Records:
    """Several sets of records over the same vocabularies as one."""
    if len(parts) == 1:
        return parts[0]
    columns = [np.concatenate([getattr(p, n) for p in parts]) for n in COLUMNS]
    return Records(parts[0].words, *columns)


@dataclass
class _Part:
    """Records that came together, and the instants at which they may be judged."""

    records: Records
    instant: np.ndarray
    last: int  # the greatest of them
    rising: bool = False

    def rise(self) -> None:
        """Bring the rows into the order of their instants, once; equal ones stay in theirs."""
        if not self.rising and (self.instant[1:] < self.instant[:-1]).any():
            order = np.argsort(self.instant, kind="stable")
            self.records, self.instant = self.records.take(order), self.instant[order]
        self.rising = True

    def take(self, rows: slice) -> _Part:
        """Some rows of a part that rises."""
        return _Part(self.records.take(rows), self.instant[rows], self.last, True)


class Held:
    """Records that wait for the watermark, in parts ordered by the earliest instant of each.

    A part is joined once, sorted at most once, and from then on only cut, so a record costs the
    same however many others wait beside it.
    """

    def __init__(self, lateness_us: int) -> None:
        self.lateness_us = lateness_us
        self._parts: list[tuple[int, int, _Part]] = []  # a heap: earliest instant, arrival, part
        self._arrived = 0
        self._few: list[Records] = []  # small ones, not joined yet
        self._few_rows, self._few_from = 0, 0

    def hold(self, records: Records) -> None:
        """Take records in."""
        if not len(records):
            return
        first = int(self._instant(records).min())
        self._few_from = min(first, self._few_from) if self._few else first
        self._few.append(records)
        self._few_rows += len(records)
        if self._few_rows >= _SMALL:
            self._enter_few()

    def release(self, upto: int) -> tuple[Records, np.ndarray] | None:
        """Records whose instant is at most `upto`, as they arrived, and their instants."""
        if self._few and self._few_from <= upto:
            self._enter_few()
        ready: list[tuple[int, _Part]] = []
        while self._parts and self._parts[0][0] <= upto:
            _, arrival, part = heappop(self._parts)
            if part.last > upto:
                part.rise()
                cut = int(np.searchsorted(part.instant, upto, side="right"))
                rest, part = part.take(slice(cut, None)), part.take(slice(cut))
                heappush(self._parts, (int(rest.instant[0]), arrival, rest))
            ready.append((arrival, part))
        if not ready:
            return None
        ready.sort(key=lambda one: one[0])
        instant = np.concatenate([part.instant for _, part in ready])
        return join_records([part.records for _, part in ready]), instant

    def all(self) -> list[Records]:
        """Everything that waits, in order of arrival."""
        parts = sorted((arrival, part.records) for _, arrival, part in self._parts)
        return [records for _, records in parts] + self._few

    def _instant(self, records: Records) -> np.ndarray:
        return np.maximum(records.recorded_at + self.lateness_us, records.received_at)

    def _enter_few(self) -> None:
        records = join_records(self._few)
        instant = self._instant(records)
        part = _Part(records, instant, int(instant.max()))
        heappush(self._parts, (self._few_from, self._arrived, part))
        self._arrived += 1
        self._few, self._few_rows = [], 0


def judging_order(records: Records, instant: np.ndarray) -> np.ndarray:
    """Rows by operator, then instant, then `recorded_at`."""
    operator, recorded = records.operator, records.recorded_at
    risen = instant[1:] - instant[:-1]
    if (risen < 0).any() or ((risen == 0) & (recorded[1:] < recorded[:-1])).any():
        return np.lexsort((recorded, instant, operator))
    few = int(operator.max()) < 1 << 15  # short codes are sorted by their digits
    return np.argsort(operator.astype(np.int16) if few else operator, kind="stable")


def settle_ties(records: Records, instant: np.ndarray, order: np.ndarray) -> np.ndarray:
    """One operator's rows of equal times go by event_id, then case_id: by text, never by a code."""
    tie = np.ones(len(order) - 1, bool)
    for column in (records.operator[order], records.recorded_at[order], instant[order]):
        tie &= column[1:] == column[:-1]
    if not tie.any():
        return order
    words, order = records.words.case.words, order.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], tie.view(np.int8), [0]])))
    for begin, end in zip(edges[::2].tolist(), (edges[1::2] + 1).tolist(), strict=True):
        run = order[begin:end].tolist()
        run.sort(key=lambda r: (bytes(records.event_id[r]), words[records.case[r]].encode()))
        order[begin:end] = run
    return order
