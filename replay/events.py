"""The judged events as columns: for whoever counts what no rule counts. 判定过的事件

Each worker writes its own in judged order, a slice at a time; `merge_events` then interleaves the
workers' files while it reads them, so that memory does not grow with the history.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from detector.columns import VOCABULARY, Inputs
from detector.event import ACTIONS
from detector.values import ABSENT

FILE = "events.parquet"
SLICE_ROWS = 16_384  # rows that are spelled out at once
GROUP_ROWS = 65_536  # rows that a reader of the file may skip at once
_ORDER = ("received_at", "position")  # as `stream.sort_inputs` has it

Spell = Callable[[Inputs, str], pl.Series]


def _text(inputs: Inputs, column: str) -> pl.Series:
    words = getattr(inputs.words, VOCABULARY[column])
    return pl.Series(words.texts(getattr(inputs, column)), dtype=pl.String)


def _action(inputs: Inputs, column: str) -> pl.Series:
    return pl.Series(ACTIONS, dtype=pl.String).gather(getattr(inputs, column).astype(np.uint32))


def _id(inputs: Inputs, column: str) -> pl.Series:
    given = getattr(inputs, column).tolist()
    return pl.Series([name.decode() or None for name in given], dtype=pl.String)


def _number(inputs: Inputs, column: str) -> pl.Series:
    given = pl.Series(getattr(inputs, column), dtype=pl.Int64)
    return given.replace(ABSENT, None)


def _instant(inputs: Inputs, column: str) -> pl.Series:
    return _number(inputs, column).cast(pl.Datetime("us", "UTC"))


def _flag(inputs: Inputs, column: str) -> pl.Series:
    return pl.Series(getattr(inputs, column), dtype=pl.Boolean)


def _said(inputs: Inputs, part: str) -> pl.Series:
    """A part of what is kept once a combination, spelled once a combination."""
    codes, rows = np.unique(inputs.told, return_inverse=True)
    found = [getattr(inputs.words.told.of(c), part) or None for c in codes.tolist()]
    return pl.Series(found, dtype=_SAID_TYPES.get(part, pl.String)).gather(rows.astype(np.uint32))


_LIST = pl.List(pl.String)
_SAID_TYPES: dict[str, Any] = {
    "reason_chars": pl.Int64,
    "documents": _LIST,
    "fields": _LIST,
    "factors": _LIST,
}

# Name in the file, how it is spelled, column of `Inputs` (or part of `Said`). Null: not given.
COLUMNS: tuple[tuple[str, Spell, str], ...] = (
    ("case_id", _text, "case"),
    ("event_id", _id, "event_id"),
    ("action", _action, "action"),
    ("item", _text, "item"),
    ("department", _text, "department"),
    ("step", _text, "step"),  # the action's name where none was given
    ("operator", _text, "operator"),
    ("occurred_at", _instant, "occurred_at"),
    ("recorded_at", _instant, "recorded_at"),
    ("received_at", _instant, "received_at"),
    ("due_at", _instant, "due_at"),
    ("offence_at", _instant, "offence_at"),
    ("fee_due", _number, "fee_due"),  # money in fen
    ("fee_paid", _number, "fee_paid"),
    ("fine", _number, "fine"),
    ("days_granted", _number, "days_granted"),
    ("promised_days", _number, "promised_days"),
    ("statutory_days", _number, "statutory_days"),
    ("procedure", _text, "procedure"),
    ("source", _text, "source"),
    ("channel", _text, "channel"),
    ("result", _said, "result"),
    ("grade", _said, "grade"),
    ("party_kind", _said, "party_kind"),
    ("reason_chars", _said, "reason_chars"),
    ("documents", _said, "documents"),
    ("fields", _said, "fields"),
    ("factors", _said, "factors"),
    ("relief", _flag, "relief"),  # a relief reason was given
    ("imported", _flag, "imported"),
    ("supersedes", _id, "supersedes"),
)


def write_events(folder: Path, worker: int, inputs: Inputs, kept: np.ndarray) -> None:
    """Put those rows of a worker's sorted share that were judged into the scratch folder."""
    rows = np.flatnonzero(kept)
    for number, begin in enumerate(range(0, max(len(rows), 1), SLICE_ROWS)):
        some = inputs.take(rows[begin : begin + SLICE_ROWS])
        spelled = {name: spell(some, column) for name, spell, column in COLUMNS}
        frame = pl.DataFrame(spelled | {"position": pl.Series(some.position, dtype=pl.Int64)})
        frame.write_parquet(folder / f"{worker}.events-{number:06}.parquet", compression="lz4")


def merge_events(out: Path, folder: Path, workers: int) -> None:
    """Write the events of all workers in judged order, whoever judged them."""
    shares = [
        pl.scan_parquet(sorted(folder.glob(f"{worker}.events-*.parquet")))
        for worker in range(workers)
    ]
    whole = reduce(lambda one, other: one.merge_sorted(other, key=_ORDER), shares)
    whole.drop("position").sink_parquet(
        out / FILE, compression="zstd", row_group_size=GROUP_ROWS, maintain_order=True
    )
