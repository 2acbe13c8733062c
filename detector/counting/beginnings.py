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


def came(placed: Placed, width: int) -> np.ndarray:
    """How often each step of its item came in each case before the last one: (cases, steps)."""
    inner = np.ones(len(placed.local), bool)
    inner[placed.begins[1:] - 1] = False
    cells = placed.case[inner] * width + placed.local[inner]
    cases = len(placed.begins) - 1
    return np.bincount(cells, minlength=cases * width).reshape(cases, width)


def decided(pairs: Relations, before: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Thousandths of a bit of the most surprising relation that each step decides.

    `before`: (cases, steps), how often each step came before it."""
    k, n = _chances(pairs, before, step)
    odds = np.where(n > 0, (k + 0.5) / (n + 1), 1.0).min(axis=1)
    return np.rint(-BIT * np.log2(odds)).astype(np.int64)


def relation(pairs: Relations, before: np.ndarray, step: int) -> Related | None:
    """The relation that `decided` measured of one case; None where nothing is known."""
    k, n = (c[0] for c in _chances(pairs, before[None, :], np.array([step])))
    if not n.any():
        return None
    other = int(np.argmin(np.where(n > 0, (k + 0.5) / (n + 1), 1.0)))
    kind = REPEAT if other == step else ORDER if before[other] else MISSING
    names = (other, step) if kind == ORDER else (step, other)
    return Related(kind, *names, int(k[other]), int(n[other]))


def _chances(
    pairs: Relations, before: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """By the other step: so many cases are as this one, of so many that could be (0: none).

    A step that comes first says what came before it, and what did not; one that comes a second
    time, that it is repeated; a third time nothing."""
    having, repeating, first, _ = pairs.columns()
    each, size = np.arange(len(step)), len(having)
    before, mine = before[:, :size], having[step][:, None]
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
