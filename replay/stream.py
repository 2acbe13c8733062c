"""Feed a sorted stream to the engine in batches, with the timelines that corrections ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from detector.columns import Inputs
from detector.event import Fact
from detector.known import TICK, KnownFacts


def sort_inputs(inputs: Inputs) -> Inputs:
    """The rows in the order in which they are judged: (`received_at`, position)."""
    received = inputs.received_at
    in_place = len(inputs) < 2 or bool((inputs.position[1:] > inputs.position[:-1]).all())
    if in_place and bool((received[1:] >= received[:-1]).all()):
        return inputs
    order = np.lexsort((inputs.position, received))
    facts, inputs = inputs.facts, inputs.take(order)
    inputs.facts = facts
    return inputs


def in_order(facts: Iterable[Fact]) -> list[Fact]:
    """Facts and ticks in the order in which they are judged, those left out that were known."""
    told = sorted(facts, key=lambda f: (f.received_at, f.kind == TICK, f.position))
    return KnownFacts().fresh(told)


def name_events(inputs: Inputs) -> None:
    """Give events without an id the name `case_id#k`: k is their place in the case, in file order.

    Rows must stand in file order.
    """
    nameless = inputs.event_id == b""
    if not nameless.any():
        return
    order = np.argsort(inputs.case, kind="stable")
    ordered = inputs.case[order]
    places = np.arange(len(order))
    begins = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    number = np.empty(len(order), np.int64)
    number[order] = places - np.maximum.accumulate(np.where(begins, places, 0)) + 1
    rows = np.flatnonzero(nameless)
    cases = inputs.words.case.texts(inputs.case[rows])
    names = [f"{case}#{k}".encode() for case, k in zip(cases, number[rows].tolist(), strict=True)]
    named = np.array(names, dtype=np.bytes_)
    width = max(named.dtype.itemsize, inputs.event_id.dtype.itemsize)
    inputs.event_id = inputs.event_id.astype(f"S{width}")
    inputs.event_id[rows] = named


def batches(inputs: Inputs, cuts: Iterable[int]) -> Iterator[tuple[int, Inputs]]:
    """Slices of a sorted stream ending at each of `cuts` (row numbers), with where they begin.

    A fact goes with the last batch whose events were all received no later.
    """
    facts = sorted(inputs.facts, key=lambda f: (f.received_at, f.kind == TICK))
    given, begin = 0, 0
    for end in cuts:
        batch = inputs.take(slice(begin, end))
        upto = given
        following = inputs.received_at[end] if end < len(inputs) else None
        while upto < len(facts) and (following is None or facts[upto].received_at < following):
            upto += 1
        batch.facts = facts[given:upto]
        yield begin, batch
        given, begin = upto, end


def even_cuts(rows: int, batch_rows: int) -> list[int]:
    """Ends of batches of this many rows."""
    return [*range(batch_rows, rows, batch_rows), rows]


class Timelines:
    """Which rows of a stream were judged, and the timelines of cases that some event corrects."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.kept = np.zeros(len(inputs), bool)
        cases = np.unique(inputs.case[inputs.supersedes != b""])
        touched = np.flatnonzero(np.isin(inputs.case, cases))
        order = touched[np.argsort(inputs.case[touched], kind="stable")]
        ends = np.searchsorted(inputs.case[order], cases, side="right")
        begins = np.searchsorted(inputs.case[order], cases, side="left")
        self._rows = {int(c): order[b:e] for c, b, e in zip(cases, begins, ends, strict=True)}

    def __bool__(self) -> bool:
        return bool(self._rows)

    def before(self, begin: int, batch: Inputs) -> dict[int, Inputs]:
        """What a batch that begins at this row needs: by case, its judged events before it."""
        wanted = np.unique(batch.case[batch.supersedes != b""]).tolist()
        told = {}
        for case in wanted:
            rows = self._rows[case]
            told[case] = self.inputs.take(rows[(rows < begin) & self.kept[rows]])
        return told


def tick(at: int) -> Fact:
    """The tick that ends a replay."""
    return Fact(kind=TICK, received_at=at, fields={"at": at})
