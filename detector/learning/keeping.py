"""The state of learning as bytes and columns, for a snapshot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
import numpy as np

from detector.columns import Words
from detector.event import Fact
from detector.learning.begun import Told
from detector.learning.epochs import Standing
from detector.learning.observed import COLUMNS, Observed
from detector.learning.open_cases import KEPT, OpenCases
from detector.learning.state import LearnState

TOLD = "learning"  # the section of all that is no column
WAITING, TODAY, OPEN = "observed_", "today_", "open_"


class Kept(msgspec.Struct):
    """All that is no column."""

    day: int
    held: int
    acts: list[tuple[int, int, Fact]]
    alarms: dict[str, int]
    found: list[tuple[int, str, int]]
    spent: dict[str, int]
    past_cases: list[int]
    raised: list[tuple[str, str, dict[str, bool]]]
    models: dict[str, bytes]
    books: dict[str, Standing]
    used: int
    dead: int
    told: list[tuple[int, str, Told]]


def columns_of(state: LearnState) -> dict[str, np.ndarray]:
    """Everything, as columns by name."""
    kept = Kept(
        state.day, state.held, state.acts, dict(state.alarms),
        [(day, rule, n) for (day, rule), n in sorted(state.found.items())], dict(state.spent),
        state.past_cases, [(*of, ids) for of, ids in state.raised.items()],
        {name: one.freeze() for name, one in state.models.items()},
        {name: book.standing() for name, book in state.books.items()}, state.open.used,
        state.open.dead,
        [(case, *one) for case, told in state.begun.told.items() for one in told.items()],
    )  # fmt: skip
    told: dict[str, np.ndarray] = {TOLD: np.frombuffer(msgspec.msgpack.encode(kept), np.uint8)}
    open_cases = state.open
    for prefix, rows in ((WAITING, state.waiting.all()), (TODAY, state.today.all())):
        if rows is not None:
            told |= {f"{prefix}{name}": getattr(rows, name) for name in COLUMNS}
    told |= {f"{OPEN}{name}": open_cases.columns[name][: open_cases.used] for name in KEPT}
    told |= {
        f"{OPEN}back": open_cases.back[: open_cases.used], f"{OPEN}heads": open_cases.heads,
        f"{OPEN}done": open_cases.done, f"{OPEN}learned": open_cases.learned,
        f"{OPEN}closed": open_cases.closed,
    }  # fmt: skip
    return told


def restore(state: LearnState, read: Mapping[str, np.ndarray], words: Words) -> None:
    """Into a new state, what `columns_of` told."""
    kept = msgspec.msgpack.decode(read[TOLD].tobytes(), type=Kept)
    state.day, state.held, state.acts, state.past_cases = (
        kept.day,
        kept.held,
        kept.acts,
        kept.past_cases,
    )
    state.alarms, state.spent = Counter(kept.alarms), Counter(kept.spent)
    state.raised = {(sees, rule): ids for sees, rule, ids in kept.raised}
    state.found = Counter({(day, rule): n for day, rule, n in kept.found})
    for name, data in kept.models.items():
        state.models[name].thaw(data)
        state.books[name].stand(kept.books[name])
    for prefix, take in ((WAITING, state.waiting.hold), (TODAY, state.today.add)):
        if f"{prefix}case" in read:
            take(Observed(words, *(read[f"{prefix}{name}"] for name in COLUMNS)))
    state.open = OpenCases()
    state.open.columns = {name: read[f"{OPEN}{name}"] for name in KEPT}
    state.open.back, state.open.heads = read[f"{OPEN}back"], read[f"{OPEN}heads"]
    state.open.done, state.open.learned = read[f"{OPEN}done"], read[f"{OPEN}learned"]
    state.open.closed = read[f"{OPEN}closed"]
    state.open.used, state.open.dead = kept.used, kept.dead
    for case, rule, told in kept.told:  # what beginnings they are at is found out again
        state.begun.told.setdefault(case, {})[rule] = told
