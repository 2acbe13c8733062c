"""Columns of a Parquet slice as numbers, each with a mask of the rows that are not surely sound.

The reference for what a value means is `detector.event.read`; what is read here is a strict subset
of what it accepts. A row that is masked is read by it alone, and what stands here for it is void.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from detector.event import DAYS_MAX
from detector.stamps import read_matrix, read_times
from detector.values import (
    ABSENT,
    DAY_US,
    EARLIEST_US,
    LATEST_US,
    MONEY_FEN_MAX,
    LocalZone,
    read_money,
)

UNSURE = -2  # what a text means that is not surely sound
_UNSEEN = -3
_UNITS = {"ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}  # microseconds: × first, ÷ second
_FLOAT_FEN_MAX = 10**13  # so far a number of fen has one shortest writing as a float of yuan
_ID_BYTES_MAX = 128
Numbers = tuple[np.ndarray, np.ndarray]  # values, and where they are not sure
Meaning = Callable[[list[str]], Sequence[int] | np.ndarray]  # of several texts at once


class Lookup:
    """What each text of a column means, as a number; a text is asked about on first sight only."""

    def __init__(self, meaning: Meaning, absent: int, dtype: type = np.int64) -> None:
        self._meaning = meaning
        self._absent = absent
        self._type = pl.Categorical(pl.Categories.random("oriole"))
        self._alive = pl.Series([], dtype=self._type)  # polars forgets categories that nobody holds
        self._numbers: np.ndarray = np.full(
            64, _UNSEEN, dtype
        )  # by the category's code + 1; 0 is no text
        self._numbers[0] = absent

    def nothing(self, rows: int) -> np.ndarray:
        """What stands where there is no such column."""
        return np.full(rows, self._absent, self._numbers.dtype)

    def of(self, series: pl.Series) -> Numbers:
        """The numbers of a column, where it holds texts or whole numbers."""
        texts = as_texts(series)
        if texts is None:
            numbers = self.nothing(len(series))
            return numbers, (numbers == UNSURE) | present(series)
        codes = (texts.cast(self._type).to_physical() + 1).fill_null(0).to_numpy()
        most = int(codes.max()) if len(codes) else 0
        if most >= len(self._numbers):
            more = np.full(2 * most - len(self._numbers), _UNSEEN, self._numbers.dtype)
            self._numbers = np.concatenate([self._numbers, more])
        numbers = self._numbers[codes]
        fresh = np.flatnonzero(numbers == _UNSEEN)
        if len(fresh):
            new, first = np.unique(codes[fresh], return_index=True)
            words = texts.gather(fresh[first]).to_list()
            self._numbers[new] = self._meaning(words)
            numbers = self._numbers[codes]
        unsure = numbers == UNSURE
        return (np.where(unsure, self._absent, numbers) if unsure.any() else numbers), unsure


def present(series: pl.Series) -> np.ndarray:
    """Which rows hold a value at all; the empty text is none."""
    given = series.is_not_null()
    if series.dtype == pl.String:
        given &= (series != "").fill_null(False)
    return given.to_numpy()


def as_texts(series: pl.Series) -> pl.Series | None:
    """The column as texts, None where its type writes no codes."""
    if series.dtype == pl.String:
        return series
    if series.dtype.is_integer() or series.dtype in (pl.Categorical, pl.Enum, pl.Null):
        return series.cast(pl.String)
    return None


def _none(series: pl.Series) -> Numbers:
    return np.full(len(series), ABSENT, np.int64), present(series)


def instants(series: pl.Series, zone: LocalZone) -> Numbers:
    """Microseconds UTC of a column of typed or written times, `ABSENT` where it has none."""
    kind = series.dtype
    if isinstance(kind, pl.Datetime):
        times, factor = series.to_physical(), _UNITS[kind.time_unit]
        values = times.fill_null(0).to_numpy() // factor[1] * factor[0]
        if factor[0] > 1:  # what would overflow lies far beyond all bounds
            values = np.where(abs(times.fill_null(0).to_numpy()) < LATEST_US, values, LATEST_US)
        return _within(values, series, zone if kind.time_zone is None else None)
    if kind == pl.Date:
        days = series.to_physical().fill_null(0).to_numpy().astype(np.int64)
        return _within(days * DAY_US, series, zone)
    if kind in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    return _written(series, zone) if series.dtype == pl.String else _none(series)


def _within(values: np.ndarray, series: pl.Series, zone: LocalZone | None) -> Numbers:
    """Instants between the bounds; `zone` is that of a wall clock, None where it is UTC."""
    if zone is not None:
        sane = (values >= EARLIEST_US - DAY_US) & (values < LATEST_US + DAY_US)
        values = np.asarray(zone.utc(np.where(sane, values, 0)))  # type: ignore[arg-type]
    good = (values >= EARLIEST_US) & (values < LATEST_US)
    if not good.all():
        values = np.where(good, values, ABSENT)
    return values, ~good & present(series)


def _written(series: pl.Series, zone: LocalZone) -> Numbers:
    given = present(series)
    if given.all() and len(given):
        return _written_all(series, zone)
    values, unsure = np.full(len(series), ABSENT, np.int64), np.zeros(len(series), bool)
    if given.any():
        values[given], unsure[given] = _written_all(series.filter(pl.Series(given)), zone)
    return values, unsure


def _written_all(series: pl.Series, zone: LocalZone) -> Numbers:
    lengths = series.str.len_bytes().to_numpy()
    if lengths.min() != lengths.max():
        return read_times(series.to_list(), zone)
    joined = series.str.join("").item().encode()
    matrix = np.frombuffer(joined, np.uint8).reshape(len(series), int(lengths[0]))
    return read_matrix(matrix, zone)


def ids(series: pl.Series) -> Numbers:
    """A column of ids as bytes (S), empty where it has none."""
    texts = as_texts(series)
    if texts is None:
        return np.zeros(len(series), "S1"), present(series)
    texts = texts.fill_null("")
    lengths = texts.str.len_bytes().to_numpy()
    longest = int(lengths.max()) if len(lengths) else 0
    if not longest:
        return np.zeros(len(series), "S1"), np.zeros(len(series), bool)
    odd = (lengths > _ID_BYTES_MAX) | (lengths != texts.str.len_chars().to_numpy())
    if odd.any():
        texts = texts.zip_with(pl.Series(~odd), pl.Series([""]))
        lengths = np.where(odd, 0, lengths)
        longest = max(1, int(lengths.max()))
    if lengths.min() < longest:
        texts = texts.str.pad_end(longest, "\0")
    joined = texts.str.join("").item().encode()
    matrix = np.frombuffer(joined, np.uint8).reshape(len(texts), longest)
    plain = (matrix - np.uint8(33)) < 94  # no blank, no control character
    if np.count_nonzero(plain) != lengths.sum():
        odd |= plain.sum(axis=1) != lengths
    return np.frombuffer(joined, f"S{longest}"), odd


def _whole(series: pl.Series, most: int) -> Numbers:
    """A column of whole numbers from 0 to `most`."""
    narrow = series.cast(pl.Int64, strict=False)
    given, values = present(series), narrow.fill_null(-1).to_numpy()
    good = (values >= 0) & (values <= most)
    return np.where(good, values, ABSENT), given & ~good


class Amounts(Lookup):
    """Money as fen, of texts, whole numbers, floats and decimals of yuan."""

    def __init__(self) -> None:
        super().__init__(lambda words: list(map(_fen, words)), ABSENT)

    def of(self, series: pl.Series) -> Numbers:
        """Fen, `ABSENT` where the column has none."""
        kind = series.dtype
        if kind.is_integer():
            values, unsure = _whole(series, MONEY_FEN_MAX // 100)
            return np.where(values == ABSENT, ABSENT, values * 100), unsure
        if kind.is_float():
            return _of_floats(series)
        if isinstance(kind, pl.Decimal):
            return _of_decimals(series, kind.scale)
        return super().of(series) if as_texts(series) is not None else _none(series)


def _fen(text: str) -> int:
    try:
        return read_money(text) if text else ABSENT
    except ValueError:
        return UNSURE


def _of_floats(series: pl.Series) -> Numbers:
    yuan = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
    fen = np.rint(np.where((yuan >= 0) & (yuan < _FLOAT_FEN_MAX / 100), yuan, -1) * 100)
    good = (fen >= 0) & (fen <= MONEY_FEN_MAX) & (fen / 100 == yuan) & ~np.signbit(yuan)
    whole = np.where(good, fen, 0).astype(np.int64)
    return np.where(good, whole, ABSENT), present(series) & ~good


def _of_decimals(series: pl.Series, scale: int) -> Numbers:
    parts = series.to_physical().cast(pl.Int64, strict=False).fill_null(-1).to_numpy()
    if scale <= 2:
        unit = 10 ** (2 - scale)
        good = (parts >= 0) & (parts <= MONEY_FEN_MAX // unit)
        fen = np.where(good, parts, 0) * unit
    else:
        unit = 10 ** min(scale - 2, 18)
        good = (parts >= 0) & (parts % unit == 0) & (parts // unit <= MONEY_FEN_MAX)
        good &= scale - 2 <= 18
        fen = np.where(good, parts, 0) // unit
    return np.where(good, fen, ABSENT), present(series) & ~good


class Days(Lookup):
    """Counts of days, of texts or whole numbers."""

    def __init__(self) -> None:
        super().__init__(lambda words: list(map(_days, words)), ABSENT)

    def of(self, series: pl.Series) -> Numbers:
        """Days, `ABSENT` where the column has none."""
        if series.dtype.is_integer():
            return _whole(series, DAYS_MAX)
        return super().of(series) if as_texts(series) is not None else _none(series)


def _days(text: str) -> int:
    if not text:
        return ABSENT
    whole = text.isascii() and text.isdigit() and len(text) < 16
    return int(text) if whole and int(text) <= DAYS_MAX else UNSURE


class Flags(Lookup):
    """True or false as 1 or 0, of texts or truth values."""

    def __init__(self) -> None:
        super().__init__(lambda words: [_FLAGS.get(w.lower(), UNSURE) for w in words], 0)

    def of(self, series: pl.Series) -> Numbers:
        """1 where the column says so."""
        if series.dtype == pl.Boolean:
            return series.fill_null(False).to_numpy().astype(np.int64), np.zeros(len(series), bool)
        if series.dtype.is_integer():
            return np.zeros(len(series), np.int64), present(series)
        return super().of(series)


_FLAGS = {"": 0, "true": 1, "1": 1, "false": 0, "0": 0}
