"""What the last step of a beginning (前缀) decides for good: nothing later changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from detector.counting.contexts import Contexts, surprises
from detector.counting.neighbours import columns_of
from detector.counting.processes import UNKNOWN, Placed
from detector.counting.relations import (
    FIRST,
    LAST_ORDER,
    MISSING,
    ORDER,
    REPEAT,
    Related,
    Relations,
)
from detector.learnkit import BIT
from detector.quick import loaded, of_learning


def decided(pairs: Relations, cases: Placed, mine: np.ndarray) -> np.ndarray:
    """Of each of these cases the most surprising relation that its last step decides: a row (k, n,
    the other step), k of n cases are as this one; n is 0 where nothing is known."""
    told = np.zeros((len(mine), 3), np.int64)
    if loaded():
        way, before = (np.ascontiguousarray(cases.local), cases.begins), np.zeros_like(pairs.having)
        of_learning().decide(told, mine, way, before, pairs.columns())
        return told
    k, n = _chances(pairs, *_before(cases.only(mine), len(pairs.having)))
    other = np.where(n > 0, (k + 0.5) / (n + 1), 1.0).argmin(axis=1)
    every = np.arange(len(mine))
    told[:] = np.column_stack([k[every, other], n[every, other], other])
    told[told[:, 1] == 0] = 0
    return told


def bits_of(told: np.ndarray) -> np.ndarray:
    """Thousandths of a bit of what `decided` tells."""
    odds = np.where(told[:, 1] > 0, (told[:, 0] + 0.5) / (told[:, 1] + 1), 1.0)
    return np.rint(-BIT * np.log2(odds)).astype(np.int64)


def relation(told: np.ndarray, steps: np.ndarray) -> Related | None:
    """The relation of one row of `decided`, of a case with these steps; None where nothing is
    known."""
    k, n, other = told.tolist()
    *before, step = steps.tolist()
    if not n:
        return None
    kind = REPEAT if other == step else ORDER if other in before else MISSING
    return Related(kind, *((other, step) if kind == ORDER else (step, other)), k, n)


def _before(cases: Placed, width: int) -> tuple[np.ndarray, np.ndarray]:
    """How often each step of an item came in each case before the last one: (cases, steps); and
    that one."""
    last = cases.begins[1:] - 1
    inner = np.ones(len(cases.local), bool)
    inner[last] = False
    cells = cases.case[inner] * width + cases.local[inner]
    came = np.bincount(cells, minlength=len(last) * width).reshape(-1, width)
    return came, cases.local[last]


def _chances(
    pairs: Relations, before: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """By the other step: so many cases are as this one, of so many that could be (0: none).

    A step that comes first says what came before it, and what did not; one that comes a second
    time, that it is repeated; a third time nothing."""
    having, repeating, first, _ = pairs.columns()
    each = np.arange(len(step))
    mine = having[step][:, None]
    earlier = first[:, step].T
    there = before > 0
    k = np.where(there, earlier, mine - earlier)
    n = np.where(there, earlier + first[step], np.where(having > 0, mine, 0))
    again = before[each, step]
    n[(again > 0) | (step < FIRST)] = 0
    k[each, step], n[each, step] = repeating[step], np.where(again == 1, having[step], 0)
    return k, n


def deviates(one: Related, steps: np.ndarray, texts: Mapping[int, str]) -> set[str]:
    """By what a relation may be known again when other steps show it too: the place of the step
    that decided it, and what is missing, late or repeated."""
    if one.k + 0.5 > (one.n + 1) / 2:
        return set()  # it is ordinary
    repeats = one.kind == REPEAT
    places = np.flatnonzero(steps == (one.step if repeats or one.kind == MISSING else one.other))
    at = places[-1 if one.kind == LAST_ORDER else 1 if repeats else 0]
    return {f"#{at}", f"{REPEAT if repeats else ORDER} {texts[one.other]}"}


def followed(placed: Placed, held: Sequence[Contexts]) -> np.ndarray:
    """Thousandths of a bit of the last step of each case, after the one or two before it. `held`:
    contexts from the general to the specific."""
    last = placed.begins[1:] - 1
    _, value, columns = columns_of(placed, 1)
    bits = surprises(held, [column[last] for column in columns], value[last])
    bits[placed.slot[last] == UNKNOWN] = 0
    return np.rint(BIT * bits).astype(np.int64)
