"""A copy of what a state knows of one case, taken beside the thread that judges, and the same in
words of one's own (事前查询).

Nothing is entered anywhere: a case, a person or a step that the state never met stays unknown to
it. Whether what was copied is whole is for `live/glance.py` to see to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detector.cases import HOLDERS, NOBODY, REF_PLACES, CaseState, plain_rows
from detector.columns import Words

_SPELLED = {  # columns of codes → the vocabulary that spells them
    "previous_step": "step", "previous_operator": "operator", "previous_item": "item",
    "accept_item": "item", "accept_department": "department",
}  # fmt: skip
_OPERATOR = (1 << 32) - 1  # the part of a holder that names the person
APART = 1 << 40  # between the references of two copies; a state has fewer
_NO_HOLDERS = [NOBODY] * HOLDERS
_REFS_END = max(REF_PLACES) + 1
Holders = list[tuple[int, int]]


class Unsteady(Exception):
    """What was copied is changing: look again."""


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
    """Copy a case, and what is known of one event of it (`columns.event_key`); None where no event
    of the case was judged. Raises `Unsteady`."""
    case, table = state.words.case.find(case_id), state.table
    if not 0 <= case < len(table):
        return None
    row = table.take([case], mode="clip")
    more = list(state.more_holders.get(case, ()))
    told = plain_rows(row)[0, :_REFS_END].tolist()
    refs = list(({told[at] for at in REF_PLACES} | {ref for _, ref in more}) - {-1})
    texts = state.event_ids.spelled(np.array(refs, np.int64))
    if texts is None:
        raise Unsteady
    versions = frozenset(state.seen.versions.get(key, ()))
    spelled = dict(zip(refs, texts, strict=True))
    return Glimpse(row, more, spelled, state.seen.find(key), versions, state.words)


def rows_in(words: Words, seen: Sequence[Glimpse | None], blank: np.ndarray) -> np.ndarray:
    """The rows of copies with codes of words of one's own, `blank` where there is none; references
    as `ids_of` spells them. The flows of both words must be of one catalogue: entries, bits and
    duties stand for the same in both."""
    rows = np.empty(len(seen), blank.dtype)
    for one, row, plain in zip(seen, rows, plain_rows(rows), strict=True):
        plain[...] = plain_rows(blank if one is None else one.row)[0]
        if one is None:
            continue
        for column, name in _SPELLED.items():
            code = int(row[column])
            if code >= 0:
                row[column] = getattr(words, name).code(getattr(one.words, name).words[code])
        holders = row["holder"].tolist()
        if holders != _NO_HOLDERS:
            row["holder"] = [_holder(key, one.words, words) for key in holders]
    if len(seen) > 1:
        plain, apart = plain_rows(rows), np.arange(len(seen))[:, None] * APART
        refs = plain[:, REF_PLACES]
        plain[:, REF_PLACES] = np.where(refs >= 0, refs + apart, refs)
    return rows


def holders_in(words: Words, seen: Sequence[Glimpse | None]) -> dict[int, Holders]:
    """Further holders of duties, by the place of their copy; references as `ids_of` spells them."""
    return {
        at: [(_holder(key, one.words, words), ref + at * APART) for key, ref in one.more_holders]
        for at, one in enumerate(seen)
        if one is not None and one.more_holders
    }


def ids_of(seen: Sequence[Glimpse | None]) -> dict[int, str]:
    """The events that copies refer to; the references of each copy are set apart."""
    told: dict[int, str] = {}
    for at, one in enumerate(seen):
        if one is not None:
            told |= {ref + at * APART: text for ref, text in one.ids.items()}
    return told


def _holder(key: int, theirs: Words, words: Words) -> int:
    if key == NOBODY:
        return NOBODY
    person = words.operator.code(theirs.operator.words[key & _OPERATOR])
    return key >> 32 << 32 | person
