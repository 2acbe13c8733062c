"""What learners are shown of each step as it is judged, as columns, and where it waits.

Learning is the county's, not a case's: observations of all shards of cases come together here and
wait until everything received before them has come, so no interleaving can change a limit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import numpy as np

from detector.columns import NO_CODE, Words, of_actions
from detector.evaluate import Batch
from detector.learnkit import NOT_GIVEN
from detector.values import ABSENT
from detector.view import View

CODED = {  # column of codes → its vocabulary
    "case": "case", "item": "item", "department": "department", "operator": "operator",
    "step": "step", "previous_step": "step", "previous_operator": "operator", "channel": "other",
}  # fmt: skip
ACCEPTS, CLOSES, RETURNS, IMPORTED, ON_THE_SPOT, SYSTEM, FIRST, ODD = (1 << n for n in range(8))
APART = IMPORTED | ON_THE_SPOT | SYSTEM
# Of a correction (`retold`): what stands no longer, and the case anew, whose steps stay as they
# were, are changed by their neighbours, or correct. The step that was superseded is gone, and
# bears `CORRECTS` too.
GONE, STAYS, CHANGED, CORRECTS = (1 << n for n in range(8, 12))
RETOLD = GONE | STAYS | CHANGED | CORRECTS
TOLD, ONE_STAMP = 1 << 12, 1 << 13  # a rule that a learned one repeats spoke of it; see view.py


@dataclass
class Observed:
    """Steps as columns: codes of `words`, times µs UTC, fen; `NOT_GIVEN` where not given."""

    words: Words
    case: np.ndarray
    item: np.ndarray
    department: np.ndarray
    operator: np.ndarray
    step: np.ndarray
    previous_step: np.ndarray
    previous_operator: np.ndarray
    channel: np.ndarray
    event_id: np.ndarray  # bytes (S)
    recorded_at: np.ndarray
    previous_recorded_at: np.ndarray
    received_at: np.ndarray
    gap: np.ndarray  # working time since the record before, where both stamps tell it
    paid_fen: np.ndarray
    fine_fen: np.ndarray
    marks: np.ndarray  # uint16: bits of what the step is

    def __len__(self) -> int:
        return len(self.case)

    def take(self, rows: np.ndarray | slice) -> Observed:
        """These rows."""
        return Observed(self.words, *(getattr(self, name)[rows] for name in COLUMNS))

    def marked(self, bits: int) -> np.ndarray:
        """Rows that bear any of these marks."""
        return (self.marks & bits) != 0


COLUMNS = tuple(f.name for f in fields(Observed) if f.name != "words")


def joined(parts: Sequence[Observed]) -> Observed:
    """Several sets over the same vocabularies as one, in this order."""
    if len(parts) == 1:
        return parts[0]
    columns = [np.concatenate([getattr(p, name) for p in parts]) for name in COLUMNS]
    return Observed(parts[0].words, *columns)


def observe(batch: Batch, repeated: Collection[str]) -> Observed:
    """The rows of a judged batch. `repeated`: rules whose findings learned ones would repeat."""
    inputs = batch.inputs
    v = View(batch, batch.every_row)
    first, before, at = ~v["has_previous"], v["previous_recorded_at"], v["recorded_at"]
    calendar = batch.calendar
    odd = ~first & ((at < before) | calendar.date_only(at) | calendar.date_only(before))
    tells = np.flatnonzero(~first & ~odd & (at > before))
    gap = np.full(len(inputs), NOT_GIVEN)
    gap[~first & ~odd] = 0
    gap[tells] = calendar.between(before[tells], at[tells])
    marks = np.zeros(len(inputs), np.uint16)

    def does(*names: str) -> np.ndarray:
        return np.asarray(of_actions(*names)[inputs.action])

    for bit, here in (
        (ACCEPTS, does("accept")), (CLOSES, does("close")), (RETURNS, does("return", "correct")),
        (IMPORTED, inputs.imported),
        (ON_THE_SPOT, v["on_the_spot"]), (SYSTEM, v["system_action"]), (FIRST, first), (ODD, odd),
        (TOLD, batch.spoken_of(repeated)), (ONE_STAMP, v["one_stamp"]),
    ):  # fmt: skip
        marks |= np.where(here, np.uint16(bit), np.uint16(0))
    return Observed(
        inputs.words, inputs.case, inputs.item, inputs.department, inputs.operator, inputs.step,
        np.where(first, NO_CODE, v["previous_step"]).astype(np.int32),
        np.where(first, NO_CODE, v["previous_operator"]).astype(np.int32),
        inputs.channel, inputs.event_id, at, before, inputs.received_at, gap,
        _given(inputs.fee_paid), _given(inputs.fine), marks,
    )  # fmt: skip


def _given(amounts: np.ndarray) -> np.ndarray:
    return np.where(amounts == ABSENT, NOT_GIVEN, amounts)


class Waiting:
    """Observations that wait for the watermark, in order of arrival."""

    def __init__(self) -> None:
        self.parts: list[Observed] = []
        self._least = 1 << 62

    def hold(self, observed: Observed) -> None:
        """Take some in."""
        if len(observed):
            self.parts.append(observed)
            self._least = min(self._least, int(observed.received_at.min()))

    def release(self, before: int) -> Observed | None:
        """Those that were received before an instant, as they arrived."""
        if self._least >= before:
            return None
        ready, rest = list[Observed](), list[Observed]()
        for part in self.parts:
            mine = part.received_at < before
            many = int(np.count_nonzero(mine))
            if many == len(part):
                ready.append(part)
            elif mine[:many].all():  # as it arrives; nothing is copied
                ready += [part.take(slice(0, many))] if many else []
                rest.append(part.take(slice(many, None)))
            else:
                ready.append(part.take(mine))
                rest.append(part.take(~mine))
        self.parts = rest
        self._least = min((int(p.received_at.min()) for p in rest), default=1 << 62)
        return joined(ready) if ready else None

    def all(self) -> Observed | None:
        """Everything that waits."""
        return joined(self.parts) if self.parts else None
