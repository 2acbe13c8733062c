"""What was counted of one rule: by one engine, or by several, each in codes of its own.

Engines that judge other cases have counted other rows, so what they have counted is added up, and
comes to what one engine would have. Codes differ from process to process; only their texts go over
the wire, and only texts, instants and hashes of lines decide which rows are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from detector.cells import (
    BIN_BITS,
    CODED,
    DEPARTMENT_BITS,
    DEPARTMENT_SHIFT,
    DEPARTMENTS_MAX,
    GROUP_SHIFT,
    ROW,
    SIDE_BITS,
    WEEK_BITS,
    WEEK_MASK,
    Cells,
    latest_of,
    oldest_week,
)

Texts = Sequence[str | None]
_DEPARTMENTS = ((1 << DEPARTMENT_BITS) - 1) << DEPARTMENT_SHIFT  # the bits of a key


class Found(NamedTuple):
    """Cells taken apart: a row a cell, and the latest rows."""

    limit: np.ndarray  # in force, the engine's integers
    department: np.ndarray  # codes, -1 unknown, `DEPARTMENTS_MAX` all that came later
    bin: np.ndarray
    side: np.ndarray  # 1: raised by the limit in force
    week: np.ndarray  # local weeks since 1970, from Monday
    many: np.ndarray  # rows
    latest: np.ndarray  # of `ROW`
    latest_limit: np.ndarray

    def where(self, cells: np.ndarray, latest: np.ndarray) -> Found:
        """Some of the cells, and some of the latest rows (masks)."""
        return Found(*(one[cells] for one in self[:6]), *(one[latest] for one in self[6:]))


@dataclass(frozen=True)
class Counted:
    """Counts of a rule, and what their codes mean."""

    cells: Cells  # the group in a key is a place in `limits`
    limits: list[int]  # under which rows were judged
    words: Mapping[str, Texts]  # texts by code, of each of `CODED`
    newest: int  # the latest week of which anything was counted, of whatever rule
    fault: str | None = None  # why values could not be had
    uncounted: int = 0  # rows under too many limits

    def found(self) -> Found:
        """The cells by what their keys are made of."""
        keys, latest = self.cells.keys, self.cells.latest
        limits = np.array(self.limits, np.int64)
        return Found(
            limits[keys >> GROUP_SHIFT], _department(keys) - 1,
            (keys >> (WEEK_BITS + SIDE_BITS)) & ((1 << BIN_BITS) - 1), (keys >> WEEK_BITS) & 1,
            keys & WEEK_MASK, self.cells.counts, latest, limits[latest["key"] >> GROUP_SHIFT],
        )  # fmt: skip


def _department(keys: np.ndarray) -> np.ndarray:
    """The department's code and one."""
    return (keys & _DEPARTMENTS) >> DEPARTMENT_SHIFT


def merged(parts: Sequence[Counted]) -> Counted:
    """What engines that have judged different rows have counted together, in codes of its own.

    Like one engine it keeps `WEEKS` weeks back from the newest of all, and the latest few rows of
    each limit, department and bin. The bounds on limits, departments and cells are each engine's.
    """
    limits = sorted({limit for part in parts for limit in part.limits})
    words: dict[str, list[str | None]] = {name: [] for name in CODED}
    words["department"] += sorted({name for part in parts for name in _departments(part)})
    newest = max(part.newest for part in parts)
    some = [_recoded(part, limits, words, newest) for part in parts]
    keys, counts, latest = (np.concatenate(told) for told in zip(*some, strict=True))
    order = np.argsort(keys, kind="stable")  # rising runs, which are put together quickly
    keys = keys[order]
    begins = np.flatnonzero(np.diff(keys, prepend=-1))
    keys, sums = keys[begins], _sums(counts[order], begins)
    latest = latest_of(latest[np.argsort(latest["key"] >> WEEK_BITS, kind="stable")])
    fault = min((part.fault for part in parts if part.fault), default=None)
    uncounted = sum(part.uncounted for part in parts)
    return Counted(Cells(keys, sums, latest), limits, words, newest, fault, uncounted)


def _sums(counts: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """Sums from each of these places to the next."""
    return np.add.reduceat(counts, begins) if len(begins) else counts


def _departments(part: Counted) -> list[str]:
    """Those of which something was counted."""
    names = part.words["department"]
    used = np.zeros(max(len(names), DEPARTMENTS_MAX) + 2, bool)  # by code and one
    used[_department(part.cells.keys)] = True
    used[part.cells.latest["department"] + 1] = True
    return [name for name, told in zip(names, used[1:].tolist(), strict=False) if told and name]


def _recoded(
    part: Counted, limits: list[int], words: Mapping[str, list[str | None]], newest: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys, counts and latest rows of a part by other codes, weeks left out that are too old. Texts
    of its rows are added to the words, save those of departments, which are there."""
    place = {name: code for code, name in enumerate(words["department"])}
    names = part.words["department"]
    department = np.array([place.get(name, -1) for name in names] + [-1], np.int64)
    in_keys = np.minimum(department[:DEPARTMENTS_MAX], DEPARTMENTS_MAX)
    in_keys = np.append(in_keys, np.full(DEPARTMENTS_MAX - len(in_keys), -1))
    in_keys = np.concatenate([[-1], in_keys, [DEPARTMENTS_MAX]]) + 1  # by what a key holds
    group = np.searchsorted(limits, part.limits).astype(np.int64)

    def coded(keys: np.ndarray) -> np.ndarray:
        rest = keys & ((1 << DEPARTMENT_SHIFT) - 1)
        told = group[keys >> GROUP_SHIFT] << GROUP_SHIFT
        return np.asarray(told | in_keys[_department(keys)] << DEPARTMENT_SHIFT | rest)

    keys, counts, latest = part.cells
    oldest = oldest_week(newest)
    fresh = (keys & WEEK_MASK) >= oldest
    latest = latest[(latest["key"] & WEEK_MASK) >= oldest]  # a copy
    latest["key"] = coded(latest["key"])
    latest["department"] = department[latest["department"]]
    for name in CODED[:-1]:
        used, places = np.unique(latest[name], return_inverse=True)
        latest[name] = places + len(words[name])
        words[name].extend(texts_of(part.words[name], used))
    return coded(keys[fresh]), counts[fresh], latest


def texts_of(words: Texts, codes: np.ndarray) -> list[str | None]:
    """The texts of some codes."""
    return [words[code] if code >= 0 else None for code in codes.tolist()]


# --- over the wire --------------------------------------------------------------------------------


class _Told(msgspec.Struct):
    """Columns as they lie, in little-endian order."""

    keys: bytes
    counts: bytes
    latest: bytes
    limits: list[int]
    words: dict[str, list[str | None]]
    newest: int
    fault: str | None
    uncounted: int


def encode(counted: Counted) -> bytes:
    """What was counted, with the texts that it needs and no others."""
    one = merged([counted])
    keys, counts, latest = (column.tobytes() for column in one.cells)
    words = {name: list(texts) for name, texts in one.words.items()}
    told = _Told(keys, counts, latest, one.limits, words, one.newest, one.fault, one.uncounted)
    return msgspec.msgpack.encode(told)


def decode(data: bytes) -> Counted:
    """What `encode` wrote. Raises `ValueError`."""
    told = msgspec.msgpack.decode(data, type=_Told)
    cells = Cells(
        np.frombuffer(told.keys, "<i8"), np.frombuffer(told.counts, "<i8"),
        np.frombuffer(told.latest, ROW),
    )  # fmt: skip
    if len(cells.keys) != len(cells.counts):
        raise ValueError("counts: are not one a key")
    return Counted(cells, told.limits, told.words, told.newest, told.fault, told.uncounted)
