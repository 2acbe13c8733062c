"""Fines (罚款) as the cases' shards hand them to the departments': few, so one object each."""

from __future__ import annotations

import msgspec
import numpy as np

from detector.columns import Inputs
from detector.event import ACTION


class Fine(msgspec.Struct, kw_only=True):
    """A judged event that decides a fine, takes one back (`supersedes`), or both at once.

    Event id and content together name one version of an event of its case. Times µs UTC.
    """

    case_id: str
    event_id: str
    content: int
    department: str
    item: str
    occurred_at: int
    recorded_at: int
    received_at: int
    fen: int = 0  # 0: it decides none itself
    takes_back: tuple[str, int] | None = None  # event id and content of the version that is gone

    def instant(self, lateness_us: int) -> int:
        """When it is judged: by then everything before it has arrived."""
        return max(self.recorded_at + lateness_us, self.received_at)


def fines_of(inputs: Inputs) -> list[Fine]:
    """The fines that these judged events decide."""
    return [_fine(inputs, row) for row in np.flatnonzero(_decides(inputs)).tolist()]


def corrected_fines(inputs: Inputs, gone: Inputs) -> list[Fine]:
    """What one event (the only row) that supersedes another (of `gone`) does to the fines."""
    mine = _fine(inputs, 0)
    if not _decides(inputs)[0]:
        mine.fen = 0
    lost = np.flatnonzero(_decides(gone)).tolist()
    if lost:
        mine.takes_back = (gone.event_id[lost[0]].decode(), int(gone.content[lost[0]]))
    return [mine] if mine.fen or lost else []


def _decides(inputs: Inputs) -> np.ndarray:
    return (inputs.fine > 0) & (inputs.action == ACTION["decide"])


def _fine(inputs: Inputs, row: int) -> Fine:
    words = inputs.words
    return Fine(
        case_id=words.case.words[inputs.case[row]], event_id=inputs.event_id[row].decode(),
        content=int(inputs.content[row]), department=words.department.words[inputs.department[row]],
        item=words.item.words[inputs.item[row]], occurred_at=int(inputs.occurred_at[row]),
        recorded_at=int(inputs.recorded_at[row]), received_at=int(inputs.received_at[row]),
        fen=int(inputs.fine[row]),
    )  # fmt: skip
