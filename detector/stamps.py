"""Whole columns of time stamps, read at once.

Accepts the common written forms (RFC 3339, naive, national) where every digit is where it should
be, and leaves each other row to `values.read_time`, which alone decides about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from detector.values import ABSENT, DAY_US, EARLIEST_US, LATEST_US, SECOND_US, LocalZone

_FIRST_YEAR, _LAST_YEAR = 1989, 2100
_months = np.arange("1989-01", "2101-02", dtype="datetime64[M]").astype("datetime64[D]")
MONTH_DAY = _months.astype(np.int64)  # day number of the first of each month
_MONTH_LENGTH = np.diff(MONTH_DAY)
_ZERO, _COLON, _DASH, _DOT = 48, 58, 45, 46
_FORMS_MAX = 8  # different lengths in one column; more is no machine's writing


def read_times(texts: Sequence[str | None], zone: LocalZone) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds UTC of each text (`ABSENT` for None and "") and a mask of rows left unread."""
    if not any(texts):
        return np.full(len(texts), ABSENT, np.int64), np.zeros(len(texts), bool)
    if None not in texts:
        joined = "".join(texts)  # type: ignore[arg-type]
        if joined.isascii() and len(set(map(len, texts))) == 1:  # type: ignore[arg-type]
            shape = (len(texts), len(joined) // len(texts))
            return read_matrix(np.frombuffer(joined.encode(), np.uint8).reshape(shape), zone)
    out = np.full(len(texts), ABSENT, dtype=np.int64)
    unread = np.zeros(len(texts), dtype=bool)
    lengths = np.fromiter((len(t) if t else 0 for t in texts), np.int32, len(texts))
    forms = np.flatnonzero(np.bincount(lengths, minlength=1))
    forms = forms[forms > 0]
    for form in forms[:_FORMS_MAX]:
        rows = np.flatnonzero(lengths == form)
        whole = len(rows) == len(texts)
        some = texts if whole else [texts[i] for i in rows.tolist()]
        joined = "".join(cast("Sequence[str]", some))
        if not joined.isascii():
            unread[rows] = True
            continue
        matrix = np.frombuffer(joined.encode("ascii"), np.uint8).reshape(len(rows), form)
        out[rows], unread[rows] = read_matrix(matrix, zone)
    for form in forms[_FORMS_MAX:]:
        unread |= lengths == form
    return out, unread


def read_matrix(matrix: np.ndarray, zone: LocalZone) -> tuple[np.ndarray, np.ndarray]:
    """The same for texts of one length as a (rows, length) matrix of ASCII bytes."""
    rows, length = matrix.shape
    if length in (14, 15):
        return _national(matrix, zone)
    if length < 19:
        return np.full(rows, ABSENT, np.int64), np.ones(rows, bool)
    columns = np.ascontiguousarray(matrix.T)
    good = (columns[4] == _DASH) & (columns[7] == _DASH)
    good &= (columns[13] == _COLON) & (columns[16] == _COLON)
    good &= (columns[10] == ord("T")) | (columns[10] == ord(" "))
    digits = columns[[0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18]] - np.uint8(_ZERO)
    local, sound = _wall(digits)
    good &= sound
    tail = 1 if columns[-1, 0] in b"Zz" else 6 if length >= 25 and columns[-6, 0] in b"+-" else 0
    fraction = length - 19 - tail
    if fraction < 0 or fraction == 1 or fraction > 10:
        return local, np.ones(rows, bool)
    if fraction:
        good &= columns[19] == _DOT
        local = local + _fraction(columns[20 : 19 + fraction], good)
    if tail == 1:
        good &= (columns[-1] == ord("Z")) | (columns[-1] == ord("z"))
    elif tail == 6:
        local = local - _offset(columns[-6:], good)
    else:
        local = np.asarray(zone.utc(np.where(good, local, EARLIEST_US)))  # type: ignore[arg-type]
    good &= (local >= EARLIEST_US) & (local < LATEST_US)
    return np.where(good, local, ABSENT), ~good


def _national(matrix: np.ndarray, zone: LocalZone) -> tuple[np.ndarray, np.ndarray]:
    columns = np.ascontiguousarray(matrix.T)
    good = columns[8] == ord("T") if len(columns) == 15 else np.ones(len(matrix), bool)
    where = list(range(8)) + list(range(len(columns) - 6, len(columns)))
    local, sound = _wall(columns[where] - np.uint8(_ZERO))
    good &= sound
    instant = np.asarray(zone.utc(np.where(good, local, EARLIEST_US)))  # type: ignore[arg-type]
    good &= (instant >= EARLIEST_US) & (instant < LATEST_US)
    return np.where(good, instant, ABSENT), ~good


def _wall(digits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local microseconds of fourteen digit rows (uint8, less '0') and whether they are a time."""
    good = (digits <= 9).all(axis=0)
    pairs = digits[0::2] * np.uint8(10) + digits[1::2]  # at most 99 where good
    year = pairs[0].astype(np.int32) * 100 + pairs[1]
    good &= (year >= _FIRST_YEAR) & (year <= _LAST_YEAR)
    month, day, hour, minute, second = pairs[2:]
    good &= (month >= 1) & (month <= 12) & (day >= 1)
    good &= (hour < 24) & (minute < 60) & (second < 60)
    index = np.where(good, (year - _FIRST_YEAR) * 12 + month - 1, 0)
    good &= day <= _MONTH_LENGTH[index]
    seconds = hour.astype(np.int32) * 3600 + minute.astype(np.int32) * 60 + second
    return (MONTH_DAY[index] + day - 1) * DAY_US + seconds.astype(np.int64) * SECOND_US, good


def _fraction(columns: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Microseconds of the digits after the dot; digits beyond the sixth are cut."""
    digits = columns - np.uint8(_ZERO)
    np.logical_and(good, (digits <= 9).all(axis=0), out=good)
    value = np.zeros(digits.shape[1], np.int64)
    for row in digits[:6]:
        value = value * 10 + row
    return value * 10 ** max(0, 6 - len(digits))


def _offset(columns: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Microseconds east of UTC of a `+hh:mm` tail."""
    sign = columns[0]
    ok = ((sign == ord("+")) | (sign == _DASH)) & (columns[3] == _COLON)
    digits = columns[[1, 2, 4, 5]] - np.uint8(_ZERO)
    ok &= (digits <= 9).all(axis=0)
    hours, minutes = digits[0] * np.uint8(10) + digits[1], digits[2] * np.uint8(10) + digits[3]
    total = hours.astype(np.int64) * 60 + minutes
    ok &= (minutes < 60) & (total <= 18 * 60)
    np.logical_and(good, ok, out=good)
    return np.where(sign == _DASH, -total, total) * (60 * SECOND_US)
