"""The learner of paths on a public log with labelled anomalies reaches what is promised of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_detect import one_pass, two_passes
from benchmarks.labelled import (
    RECEIPT,
    Log,
    average_precision,
    best,
    directly_follows,
    found,
    read,
)
from detector.learning.threshold import STREAM, valley


@pytest.fixture(scope="module")
def receipt(shared_data: Path) -> Log:
    return read(shared_data / f"{RECEIPT}.json.gz")


def test_the_log_is_the_published_one(receipt: Log) -> None:
    assert (receipt.rows.cases, int((receipt.labels != "").sum())) == (1434, 130)
    scores, wrong = directly_follows(receipt), receipt.labels != ""
    assert round(best(scores, wrong).f1, 3) == 0.648  # as published
    assert round(average_precision(scores, wrong), 3) == 0.594


@pytest.mark.slow
def test_one_pass(receipt: Log) -> None:
    scores, wrong = one_pass(receipt), receipt.labels != ""
    assert found(scores, wrong, STREAM).f1 >= 0.84
    assert average_precision(scores, wrong) >= 0.82


def test_two_passes(receipt: Log) -> None:
    scores, wrong = two_passes(receipt), receipt.labels != ""
    assert found(scores, wrong, valley(scores)).f1 >= 0.87
    assert average_precision(scores, wrong) >= 0.84


def test_figures_of_a_small_example() -> None:
    scores, wrong = np.array([9, 8, 7, 1, 1]), np.array([True, False, True, False, True])
    auto = found(scores, wrong, 6)
    assert (auto.precision, auto.recall) == (2 / 3, 2 / 3)
    assert best(scores, wrong).f1 == 0.75  # all five are told: three of them rightly
    assert average_precision(scores, wrong) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
