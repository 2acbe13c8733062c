"""Typed columns of a slice as plain cells: what a line of NDJSON would hold in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from detector.values import DAY_US, EARLIEST_US, LATEST_US, iso_time

_UNIT_NS = {"ms": 1_000_000, "us": 1_000, "ns": 1}


def regular(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in types that both roads know: floats as they are written, arrays as lists."""
    turned = []
    for name, kind in frame.schema.items():
        if kind == pl.Float32:  # 0.1 is meant, not the 0.10000000149 that it is
            turned.append(pl.col(name).cast(pl.String).cast(pl.Float64))
        elif isinstance(kind, pl.Array):
            turned.append(pl.col(name).cast(pl.List(kind.inner)))
    return frame.with_columns(turned) if turned else frame


def plain_rows(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The rows, cell by cell in the order of the columns."""
    return list(zip(*map(_plain, frame.get_columns()), strict=True))


def _plain(series: pl.Series) -> list[Any]:
    kind = series.dtype
    if isinstance(kind, pl.Datetime):
        factor = _UNIT_NS[kind.time_unit]
        return _each(series.to_physical(), lambda v: _stamp(v * factor // 1_000, kind.time_zone))
    if kind == pl.Date:
        return _each(series.to_physical(), lambda days: _stamp(days * DAY_US, None))
    if kind.is_decimal():
        return _each(series, lambda number: format(number, "f"))
    if kind in (pl.Categorical, pl.Enum):
        return series.cast(pl.String).to_list()
    if kind.is_numeric() or kind in (pl.String, pl.Boolean, pl.Null, pl.List(pl.String)):
        return series.to_list()
    return _each(series, lambda _: [[]])  # no text, no number, no list of texts: refused as such


def _each(series: pl.Series, turn: Callable[[Any], Any]) -> list[Any]:
    return [None if value is None else turn(value) for value in series.to_list()]


def _stamp(instant_us: int, zone: str | None) -> str:
    """A time as it is written: UTC, or the wall clock of nobody knows where."""
    sane = int(np.clip(instant_us, EARLIEST_US - 2 * DAY_US, LATEST_US + 2 * DAY_US))
    text = iso_time(sane)
    return text if zone else text.removesuffix("Z")
