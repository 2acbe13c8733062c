"""The flows of the county's items as arrays (item, slot): where a step stands and how long it may
be held, and what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from detector.catalogue import Item, Step

Slot = tuple[str, str, int, int]  # action, step, role, group
OUT = -1  # place of what is no step of the flow
SECOND_US = 1_000_000


class Lists:
    """Lists of codes, each held once and known by its number; 0 is the empty one."""

    def __init__(self) -> None:
        self.lists: list[tuple[str, ...]] = [()]

    def number(self, codes: Iterable[str]) -> int:
        """The number of a list."""
        told = tuple(codes)
        if told not in self.lists:
            self.lists.append(told)
        return self.lists.index(told)

    def joined(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The numbers of the lists that hold the codes of both."""
        pairs, place = np.unique(np.stack([one, other]), axis=1, return_inverse=True)
        told = [self.number([*self.lists[a], *self.lists[b]]) for a, b in pairs.T.tolist()]
        return np.array(told, one.dtype)[place.ravel()] if told else one


class Flow:
    """What the catalogue says of each slot's step; `items` and `slots` of each."""

    def __init__(self, items: Sequence[Item], slots: Sequence[Sequence[Slot]]) -> None:
        self.papers, self.forms = Lists(), Lists()
        steps = [
            [_step(item, step or action) for action, step, _, _ in some]
            for item, some in zip(items, slots, strict=True)
        ]
        self.place = np.array([[place for place, _, _ in some] for some in steps])
        self.limit_s = np.array([[_limit_s(own) for _, own, _ in some] for some in steps])
        self.held_s = np.array([[_limit_s(then) for _, _, then in some] for some in steps])
        own = [[step for _, step, _ in some] for some in steps]
        self.required = np.array([[s is not None and s.required for s in some] for some in own])
        papers = [[s.documents if s else () for s in some] for some in own]
        forms = [[s.fields if s else () for s in some] for some in own]
        self.paper, self.paper_less = _numbers(self.papers, papers)
        self.form, self.form_less = _numbers(self.forms, forms)


def _step(item: Item, code: str) -> tuple[int, Step | None, Step | None]:
    """Place of a step, the step, and the one after it."""
    place = next((n for n, step in enumerate(item.steps) if step.code == code), OUT)
    if place == OUT:
        return OUT, None, None
    return place, item.steps[place], next(iter(item.steps[place + 1 :]), None)


def _limit_s(step: Step | None) -> int:
    """Working seconds that a step may be held, 0 for no limit."""
    return (step.limit_us or 0) // SECOND_US if step else 0


def _numbers(
    lists: Lists, codes: Sequence[Sequence[tuple[str, ...]]]
) -> tuple[np.ndarray, np.ndarray]:
    """The lists' numbers, and those of the same lists without their last code."""
    whole = [[lists.number(one) for one in some] for some in codes]
    less = [[lists.number(one[:-1]) for one in some] for some in codes]
    return np.array(whole, np.int16), np.array(less, np.int16)
