"""A copy of what a state knows of one case, taken beside the thread that judges, and the same in
words of one's own (事前查询).

Nothing is entered anywhere: a case, a person or a step that the state never met stays unknown to
it. Whether what was copied is whole is for `live/glance.py` to see to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detector.cases import EVENT_REFS, NOBODY, CaseState
from detector.columns import Words
from detector.event_ids import EventIds
from detector.vocabulary import to_bytes

_SPELLED = {  # columns of codes → the vocabulary that spells them
    "previous_step": "step", "previous_operator": "operator", "previous_item": "item",
    "accept_item": "item", "accept_department": "department",
}  # fmt: skip
_OPERATOR = (1 << 32) - 1  # the part of a holder that names the person
Holders = list[tuple[int, int]]


class Unsteady(Exception):
    """What is looked at is being laid out anew: look again."""


@dataclass(frozen=True)
class Glimpse:
    """One case as a state knows it. Codes and references are the state's own."""

    row: np.ndarray  # shape (1,), a row of `CaseState.table`
    more_holders: Holders
    ids: dict[int, str]  # of the events that the row refers to
    content: int | None  # of the event asked about, where it is known; None: it is new
    versions: frozenset[int]  # contents that it had before it was replaced
    words: Words


def look(state: CaseState, case_id: str, key: int) -> Glimpse | None:
    """Copy a case, and what is known of one event of it (`Inputs.event_key`); None where no event
    of the case was judged. Raises `Unsteady`."""
    ids = state.event_ids
    case, table, moving = state.words.case.find(case_id), state.table, ids.moving
    if not 0 <= case < len(table):
        return None
    row = table.take([case], mode="clip")
    more = list(state.more_holders.get(case, ()))
    refs = sorted({int(ref) for ref in _refs(row)} | {ref for _, ref in more} - {-1})
    texts = ids.spelled(np.array(refs, np.int64), case)
    if texts is None or (more and moving.former is not None):
        raise Unsteady
    versions = frozenset(state.seen.versions.get(key, ()))
    told = Glimpse(
        row, more, dict(zip(refs, texts, strict=True)), state.seen.find(key), versions, state.words
    )
    if ids.moving is not moving:
        raise Unsteady
    return told


def _refs(row: np.ndarray) -> list[int]:
    told = [int(row[name][0]) for name in EVENT_REFS]
    return [ref for ref in (*told, *row["holder_event"][0].tolist()) if ref >= 0]


def translated(seen: Glimpse, words: Words) -> tuple[np.ndarray, Holders, EventIds]:
    """The row, further holders and ids of events of a copy, in words of one's own. The flows of
    both must be of one catalogue: entries, bits and duties stand for the same in both."""
    row, theirs = seen.row.copy(), seen.words
    for column, name in _SPELLED.items():
        code = int(row[column][0])
        if code >= 0:
            row[column] = getattr(words, name).code(getattr(theirs, name).words[code])
    ids = EventIds()
    mine = dict(zip(seen.ids, ids.add(to_bytes([*seen.ids.values()])).tolist(), strict=True))
    for column in EVENT_REFS:
        row[column] = mine.get(int(row[column][0]), -1)
    row["holder_event"] = [mine.get(ref, -1) for ref in row["holder_event"][0].tolist()]

    def holder(key: int) -> int:
        if key == NOBODY:
            return NOBODY
        person = words.operator.code(theirs.operator.words[key & _OPERATOR])
        return key >> 32 << 32 | person

    row["holder"] = [holder(key) for key in row["holder"][0].tolist()]
    return row, [(holder(key), mine[ref]) for key, ref in seen.more_holders], ids
