"""Rows of small whole numbers as one number each, so that they are sorted at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def packed(rows: np.ndarray, bits: Sequence[int]) -> np.ndarray:
    """One number a row, which rise as rows do, column by column. `bits`: of each column, together
    below 63; no number is below 0."""
    told = np.zeros(len(rows), np.int64)
    for column, width in zip(rows.T, bits, strict=True):
        told = told << width | column
    return told
