"""Sources (数据来源) as the cases' shards hand them on: when each was heard, what it stamped alike.

What happened a thousand times in a day is handed on once or twice: the first and the last time.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from detector.columns import Inputs
from detector.workcalendar import WorkCalendar


class Heard(msgspec.Struct, frozen=True, order=True):
    """Something came from a source (µs UTC)."""

    received_at: int
    source: str
    department: str


class OneStamp(msgspec.Struct, kw_only=True):
    """The first close of a case, under the very stamp of its acceptance. Times µs UTC."""

    source: str
    department: str
    case_id: str
    event_id: str
    accept_id: str
    lawful: bool  # declared as imported, or of an item that is done on the spot
    recorded_at: int
    received_at: int

    def instant(self, lateness_us: int) -> int:
        """When it is judged: by then everything before it has arrived."""
        return max(self.recorded_at + lateness_us, self.received_at)


def heard_of(inputs: Inputs, calendar: WorkCalendar) -> list[Heard]:
    """When these judged events came in: the first and the last of each source, department, day."""
    count = len(inputs)
    if not count:
        return []
    days = np.asarray(calendar.day(inputs.received_at), np.int64)  # rising, as rows arrived
    keys = inputs.department
    if (inputs.source >= 0).any():
        pairs = inputs.source.astype(np.int64) << 32 | inputs.department
        keys = np.unique(pairs, return_inverse=True)[1]
    rows, cuts = list[int](), np.diff(days).nonzero()[0] + 1
    for begin, end in pairwise([0, *cuts.tolist(), count]):
        rows += _ends(keys[begin:end], np.arange(begin, end))
    return [_heard(inputs, row) for row in sorted(set(rows))]


def _ends(keys: np.ndarray, rows: np.ndarray) -> list[int]:
    """The first and the last row of each key."""
    first = np.full(int(keys.max()) + 1, -1)
    last = first.copy()
    last[keys], first[keys[::-1]] = rows, rows[::-1]
    met = last >= 0
    return [*first[met].tolist(), *last[met].tolist()]


def _heard(inputs: Inputs, row: int) -> Heard:
    return Heard(int(inputs.received_at[row]), source_of(inputs, row), _department(inputs, row))


def source_of(inputs: Inputs, row: int) -> str:
    """What a row came from: the source that it names, else its department."""
    code = int(inputs.source[row])
    return inputs.words.other.words[code] if code >= 0 else _department(inputs, row)


def _department(inputs: Inputs, row: int) -> str:
    return inputs.words.department.words[int(inputs.department[row])]


def stamped_alike(
    inputs: Inputs, rows: np.ndarray, accepts: Sequence[str], lawful: np.ndarray
) -> list[OneStamp]:
    """These rows, closes under the stamp of their acceptance (its event id)."""
    words = inputs.words
    return [
        OneStamp(
            source=source_of(inputs, row), department=_department(inputs, row),
            case_id=words.case.words[int(inputs.case[row])],
            event_id=inputs.event_id[row].decode(), accept_id=accept, lawful=fair,
            recorded_at=int(inputs.recorded_at[row]), received_at=int(inputs.received_at[row]),
        )
        for row, accept, fair in zip(rows.tolist(), accepts, lawful.tolist(), strict=True)
    ]  # fmt: skip
