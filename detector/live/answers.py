"""What is said of each body once its batch is durable, and what is kept of its refused lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from detector.decode import Decoder
from detector.effects import Effects
from detector.ledger import Refusal
from detector.live import Answer, Fault
from detector.live.intake import Taken, refuse


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
