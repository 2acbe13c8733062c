"""What is said of each body once its batch is durable, kept of its refused lines, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from detector.decode import Decoder
from detector.effects import Effects
from detector.ledger import RAISED, Refusal, Work
from detector.live import Answer, Fault, Figures
from detector.live.intake import Taken, refuse
from detector.live.shard import Arrived


def answers_of(decoder: Decoder, taken: Sequence[Taken], effects: Effects) -> list[Answer]:
    """An answer a body; lines that the engine refused join those that did not read."""
    ends = np.cumsum([len(t.inputs) for t in taken])
    refused = Counter[int]()
    for row, name, error in effects.refused:
        number = int(np.searchsorted(ends, row, side="right"))
        body = taken[number]
        place = row - int(ends[number]) + len(body.inputs)
        refuse(decoder, body, int(body.positions[place]), name, error)
        refused[number] += 1
    answers = []
    for number, body in enumerate(taken):
        rows = slice(int(ends[number]) - len(body.inputs), int(ends[number]))
        kept = int(effects.kept[rows].sum())
        again = len(body.inputs) - kept - refused[number] + body.duplicates
        faults = sorted((r.line, r.field, r.error) for r in body.refusals)
        told = [Fault(*fault) for fault in faults]
        answers.append(Answer(kept + len(body.inputs.facts), again, told))
    return answers


def refusals_of(taken: Sequence[Taken], clock: int) -> list[Refusal]:
    """The refused lines of bodies; `clock` dates those that bear no stamp of their own (µs UTC)."""
    return [
        Refusal(clock if t.stamp is None else t.stamp, r.line, r.field, r.error, r.text)
        for t in taken
        for r in t.refusals
    ]


def tally(
    told: Figures, some: Arrived, effects: Effects, work: Work, taken: Sequence[Taken], clock: int
) -> None:
    """Add a batch to the service's figures; `clock` is the engine's after it."""
    told.accepted += effects.accepted + len(some.inputs.facts)
    told.duplicates += effects.duplicates + sum(t.duplicates for t in taken)
    told.refused += len(work.refusals)
    told.dropped += sum(t.dropped for t in taken)
    told.batches += 1
    told.frames += len(work.frames)
    told.clock_us = max(clock, 0)
    for move in work.moves:
        if move.code == RAISED:
            told.findings[move.rule] += 1
        else:
            told.changes[move.code or "stands"] += 1
    for count in work.counts:
        named = told.muted if count.kind == "muted" else told.undetermined
        named[count.rule] += count.n
