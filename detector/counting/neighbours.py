"""What stands beside each step of a case (相邻): the contexts by which it is counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.counting.caselog import EDGE, NOT_GIVEN
from detector.counting.contexts import Contexts
from detector.counting.processes import Placed

SLOT_SHIFT, LOCAL_SHIFT = 27, 18  # a context: slot, neighbouring step, neighbouring value

COUNTS_A_CONTEXT = 5
Given = tuple[np.ndarray, np.ndarray, list[np.ndarray]]  # what `columns_of` tells


def columns_of(placed: Placed, channel: int) -> Given:
    """What a channel asks: rows of the events that have a value, the values, and the contexts of
    each, from the general to the specific (of attributes: two general, two before, two after)."""

    def beside(column: np.ndarray, by: int, edge: np.ndarray | int = EDGE) -> np.ndarray:
        told = np.full(len(column), edge)
        here, there = (slice(by, None), slice(-by)) if by > 0 else (slice(by), slice(-by, None))
        same = placed.case[here] == placed.case[there]
        told[here] = np.where(same, column[there], told[here])
        return told

    every = np.arange(len(placed.case))
    if channel == 1:
        before = beside(placed.slot, 1, placed.item_slot)
        two = before << SLOT_SHIFT | beside(placed.local, 2) << LOCAL_SHIFT
        return every, placed.local, [placed.item_slot << SLOT_SHIFT, before << SLOT_SHIFT, two]
    value, step = placed.values[:, channel - 2], placed.slot << SLOT_SHIFT
    columns = [placed.item_slot << SLOT_SHIFT, step]
    for by in (1, -1):
        near = step | beside(value, by)
        columns += [near, near | beside(placed.local, by) << LOCAL_SHIFT]
    asked = every[value != NOT_GIVEN]
    return asked, value[asked], [c[asked] for c in columns]


def thin_out(every: Sequence[Contexts], owner: np.ndarray, most: int) -> None:
    """Of items with more contexts than `most` the least counted go, a tenth at a time. `owner`: the
    item of each slot."""
    place = np.concatenate([np.full(len(c.contexts), n) for n, c in enumerate(every)])
    context, total, distinct = (
        np.concatenate([getattr(c, name) for c in every])
        for name in ("contexts", "totals", "distinct")
    )
    owner = owner[context >> SLOT_SHIFT]
    room = COUNTS_A_CONTEXT * most
    many = np.bincount(owner), np.bincount(owner, distinct)
    gone = np.zeros(len(owner), bool)
    for item in np.flatnonzero((many[0] > most) | (many[1] > room)).tolist():
        mine = np.flatnonzero(owner == item)
        mine = mine[np.lexsort((context[mine], place[mine], -total[mine]))]
        mine = mine[distinct[mine] <= room // 4]  # one with more is no habit of anybody
        kept = np.cumsum(distinct[mine]) <= room * 9 // 10
        kept[most * 9 // 10 :] = False
        gone[owner == item] = True
        gone[mine[kept]] = False
    if gone.any():
        for n, contexts in enumerate(every):
            contexts.drop(gone[place == n])
