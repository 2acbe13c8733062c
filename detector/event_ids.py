"""Ids of events that the state still refers to, kept once each.

A reference is a number that is given once and never again. So ids that nobody refers to can be
forgotten without a change to any row: a `Sweep` goes through the rows, some a batch, and what it
has not met is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class _Held(NamedTuple):
    """One tuple, so that who reads from beside never sees half a change."""

    refs: np.ndarray  # int64, rising: of ids that a sweep has left
    swept: np.ndarray  # bytes (S), those ids
    first: int  # the reference of the first of …
    ids: np.ndarray  # bytes (S), all ids that came later, with room behind them


class EventIds:
    """Ids of events that some row still refers to, as bytes columns. Changed by the thread that
    judges, read from any."""

    def __init__(self) -> None:
        self._held = _Held(np.zeros(0, np.int64), np.zeros(0, "S1"), 0, np.zeros(1024, "S16"))
        self._new = 0  # how many of `ids` are in use

    @property
    def count(self) -> int:
        """How many ids are held."""
        return len(self._held.refs) + self._new

    @property
    def next(self) -> int:
        """The reference that the next id will have."""
        return self._held.first + self._new

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        held = self._held
        return held.refs.nbytes + held.swept.nbytes + held.ids.nbytes

    def add(self, ids: np.ndarray) -> np.ndarray:
        """References (int64) of new ids."""
        end = self._new + len(ids)
        have = self._held.ids
        width = max(have.dtype.itemsize, ids.dtype.itemsize)
        if end > len(have) or width > have.dtype.itemsize:
            room = max(end, len(have) * (2 if end > len(have) else 1))
            self._held = self._held._replace(ids=_with_room(have[: self._new], room, width))
        self._held.ids[self._new : end] = ids
        self._new = end
        return np.arange(self.next - len(ids), self.next)

    def texts(self, refs: np.ndarray) -> list[str]:
        """The ids behind references, each of them held."""
        told = self.spelled(refs)
        if told is None:
            raise KeyError("an id was forgotten that is still referred to")
        return told

    def spelled(self, refs: np.ndarray) -> list[str] | None:
        """As `texts`; None where one of them was forgotten. From any thread."""
        left, swept, first, ids = self._held
        old = refs < first
        if not old.any():
            return [i.decode() for i in ids[refs - first].tolist()]
        wanted = refs[old]
        places = np.searchsorted(left, wanted)
        if (places == len(left)).any() or (left[places] != wanted).any():
            return None
        told = np.empty(len(refs), np.promote_types(swept.dtype, ids.dtype))
        told[old], told[~old] = swept[places], ids[refs[~old] - first]
        return [i.decode() for i in told.tolist()]

    def places(self, refs: np.ndarray) -> np.ndarray:
        """Where references that are held stand among all that are, in order."""
        left, _, first, _ = self._held
        places = refs - (first - len(left))
        old = np.flatnonzero(refs < first)
        places[old] = np.searchsorted(left, refs[old])
        return places

    def keep(self, sweep: Sweep) -> None:
        """Forget what a sweep that is over has not met."""
        left, swept, first, ids = self._held
        met = [np.flatnonzero(some) for some in np.split(sweep.met, [len(left)])]
        refs = np.concatenate([left[met[0]], met[1] + first])
        swept = _join(_rows(swept, met[0]), _rows(ids, met[1]))
        later = ids[sweep.upto - first : self._new]
        room = _with_room(later, max(1024, 2 * len(later)), ids.dtype.itemsize)
        self._new = len(later)
        self._held = _Held(refs, swept, sweep.upto, room)

    def columns(self) -> dict[str, np.ndarray]:
        """What it holds."""
        left, swept, first, ids = self._held
        return {"refs": left, "swept": swept, "first": np.array([first]), "new": ids[: self._new]}

    def restore(self, columns: Mapping[str, np.ndarray]) -> None:
        """Be what `columns` gave, with room for more: the first batch shall not wait for it."""
        new = columns["new"]
        self._new = len(new)
        room = _with_room(new, max(1024, 2 * len(new)), new.dtype.itemsize)
        first = int(columns["first"][0])
        self._held = _Held(columns["refs"], columns["swept"], first, room)


class Sweep:
    """Which of the ids that were held when it began are referred to. A case is gone through once:
    what it refers to later it referred to then, or it came since."""

    def __init__(self, ids: EventIds, rows: int) -> None:
        self._ids = ids
        self.upto = ids.next  # ids from here on came since
        self.met = np.zeros(ids.count, bool)
        self.rows = rows  # that are gone through
        self.row = 0  # the next of them

    def meet(self, refs: np.ndarray) -> None:
        """These are referred to; -1 is nothing."""
        self.met[self._ids.places(refs[(refs >= 0) & (refs < self.upto)])] = True


def _numbers(ids: np.ndarray) -> np.ndarray:
    """Ids as rows of plain numbers: while these are copied other threads run."""
    return ids.view(np.uint8).reshape(len(ids), ids.dtype.itemsize)


def _rows(ids: np.ndarray, places: np.ndarray) -> np.ndarray:
    return _numbers(ids).take(places, axis=0).view(ids.dtype)[:, 0]


def _with_room(ids: np.ndarray, room: int, width: int) -> np.ndarray:
    """The same ids, of that width, in front of room for more."""
    grown = np.zeros(room, f"S{width}")
    _numbers(grown)[: len(ids), : ids.dtype.itemsize] = _numbers(ids)
    return grown


def _join(some: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Two columns of ids as one."""
    width = max(some.dtype.itemsize, more.dtype.itemsize)
    joined = _with_room(some, len(some) + len(more), width)
    _numbers(joined)[len(some) :, : more.dtype.itemsize] = _numbers(more)
    return joined
