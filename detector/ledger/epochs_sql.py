"""The questions about epochs to a ledger in a database; a part of its reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.sql import ClauseElement

from detector.ledger.epochs import EpochRow
from detector.ledger.tables import EPOCHS

EPOCH = tuple(one.name for one in fields(EpochRow))
_PAGE = 1_000
_COLUMNS = [EPOCHS.c[name] for name in EPOCH]


class EpochReader:
    """What a reader answers about epochs."""

    def _ask(self, statement: ClauseElement) -> list[Any]:
        raise NotImplementedError

    def epochs(self, learner: str | None = None, limit: int = 100) -> list[EpochRow]:
        """Those of a learner or of all, the latest first."""
        wanted = select(*_COLUMNS).order_by(EPOCHS.c.number.desc()).limit(limit)
        if learner is not None:
            wanted = wanted.where(EPOCHS.c.learner == learner)
        return [EpochRow(*row) for row in self._ask(wanted)]

    def epochs_after(self, learner: str, number: int, limit: int) -> list[tuple[int, EpochRow]]:
        """Those of a learner behind a number, oldest first, each with its own."""
        wanted = _of(learner).where(EPOCHS.c.number > number).order_by(EPOCHS.c.number)
        return [(row[0], EpochRow(*row[1:])) for row in self._ask(wanted.limit(limit))]

    def epochs_before(
        self, learner: str, number: int | None, limit: int
    ) -> list[tuple[int, EpochRow]]:
        """Those of a learner before a number, the latest first."""
        wanted = _of(learner).order_by(EPOCHS.c.number.desc())
        if number is not None:
            wanted = wanted.where(EPOCHS.c.number < number)
        return [(row[0], EpochRow(*row[1:])) for row in self._ask(wanted.limit(limit))]

    def all_epochs(self) -> Iterator[EpochRow]:
        """Every one, in their order."""
        number = 0
        while True:
            wanted = select(EPOCHS.c.number, *_COLUMNS).where(EPOCHS.c.number > number)
            rows = self._ask(wanted.order_by(EPOCHS.c.number).limit(_PAGE))
            if not rows:
                return
            yield from (EpochRow(*row[1:]) for row in rows)
            number = rows[-1][0]


def _of(learner: str) -> Select[Any]:
    return select(EPOCHS.c.number, *_COLUMNS).where(EPOCHS.c.learner == learner)
