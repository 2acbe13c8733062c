"""What the records of each whole case come to, column by column. 合计"""

from __future__ import annotations

import numpy as np

from detector.learnkit import NOT_GIVEN, Rows
from detector.quick import loaded, of_cases

SHOWN = ("gap", "step", "operator", "returns", "paid_fen", "fine_fen")
TOTALS = 8  # columns of `totals`
MOST = 1 << 48  # that one record counts of time (µs) or money (fen)


def totals(rows: Rows) -> np.ndarray:
    """A row a case, whole numbers: all gaps and the longest one, records, distinct steps and
    operators, returns, money paid, the greatest fine. What is not given counts nothing."""
    columns = [np.ascontiguousarray(rows[name], np.int64) for name in SHOWN]
    told = np.zeros((rows.cases, TOTALS), np.int64)
    if loaded():
        of_cases().total(told, rows.begins, tuple(columns), NOT_GIVEN, MOST)
        return told
    gap, step, operator, returns, paid, fine = columns
    case = np.repeat(np.arange(rows.cases), np.diff(rows.begins))

    def given(column: np.ndarray) -> np.ndarray:
        return np.where(column == NOT_GIVEN, 0, column).clip(0, MOST)

    def distinct(codes: np.ndarray) -> np.ndarray:
        there = codes >= 0
        pairs = np.unique(case[there] << 32 | codes[there])
        return np.bincount(pairs >> 32, minlength=rows.cases)

    for ufunc, to, what in (
        (np.add, 0, given(gap)), (np.maximum, 1, given(gap)), (np.add, 5, returns),
        (np.add, 6, given(paid)), (np.maximum, 7, given(fine)),
    ):  # fmt: skip
        ufunc.at(told[:, to], case, what)
    told[:, 2] = np.diff(rows.begins)
    told[:, 3], told[:, 4] = distinct(step), distinct(operator)
    return told
