"""What the learner of paths finds in logs with labelled anomalies, the labels unseen.

`one pass`: case by case, score then learn, 6 bits. `two passes`: learn all, then each case by all
others (leave one out), the valley. The defaults of the card, nothing set for a log.
"""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from benchmarks.labelled import (
    FOLDER,
    RECEIPT,
    Log,
    average_precision,
    best,
    by_kind,
    directly_follows,
    found,
    logs,
    read,
)
from detector.learning.shelf import load_learners
from detector.learning.threshold import STREAM, valley
from detector.learnkit import Model

BATCH = 300  # cases
TURNS = 5


def fresh() -> Model:
    """The learner with its own defaults."""
    learner = load_learners()["path"].learner
    return learner.make({p.name: p.default for p in learner.params})


def one_pass(log: Log) -> np.ndarray:
    """Thousandths of a bit of each case by those before it; 0 where too little is known."""
    model, told = fresh(), np.zeros(log.rows.cases)
    for n in range(log.rows.cases):
        case = log.of_cases([n])
        scores = model.score(case)
        told[n] = scores.bits[0] if scores.known[0] else 0
        model.learn(case)
        model.publish(n)
    return told


def two_passes(log: Log) -> np.ndarray:
    """Thousandths of a bit of each case by all the others."""
    model = fresh()
    model.learn(log.rows)
    model.publish(0)
    scores = model.score_without(log.rows)  # type: ignore[attr-defined]
    return np.asarray(np.where(scores.known, scores.bits, 0))


def speed(log: Log) -> float:
    """Events a second, scored and learned, once the log is known."""
    cases = range(log.rows.cases)
    batches = [log.of_cases(cases[a : a + BATCH]) for a in range(0, len(cases), BATCH)]
    model, seconds = fresh(), []
    for turn in range(TURNS):
        begun = process_time()
        for batch in batches:
            model.score(batch)
            model.learn(batch)
        seconds.append(process_time() - begun)
        model.publish(turn)
    return len(log.rows) / min(seconds[1:])


def table(log: Log) -> list[tuple[str, np.ndarray, int | None]]:
    """What is compared: name, scores, automatic threshold (the floor has none)."""
    twice = two_passes(log)
    return [
        ("floor", directly_follows(log), None),
        ("one pass", one_pass(log), STREAM),
        ("two passes", twice, valley(twice)),
    ]


def lines(log: Log) -> list[str]:
    """The table as text."""
    wrong, told = log.labels != "", []
    for name, scores, above in table(log):
        oracle, ap = best(scores, wrong), average_precision(scores, wrong)
        line = f"{name}: "
        if above is not None:
            auto = found(scores, wrong, above)
            line += f"automatic ({above / 1000:.2f} bits) F1 {auto.f1:.3f}"
            line += f" (P {auto.precision:.3f}, R {auto.recall:.3f}), "
        line += f"oracle F1 {oracle.f1:.3f}, AP {ap:.3f}"
        if above is not None:
            line += f"; recall: {by_kind(scores, log.labels, above)}"
        told.append(line)
    return told


def run() -> list[dict[str, Any]]:
    """F1 with the automatic threshold on the Receipt log against the floor with the oracle's; the
    notes have the rest, and every other labelled log that lies there."""
    there = logs()
    if RECEIPT not in there:
        raise FileNotFoundError(f"{FOLDER / RECEIPT}.json.gz: a public log that is not shipped")
    log = read(there[RECEIPT])
    wrong = log.labels != ""
    (_, floor, _), once, twice = table(log)
    least = best(floor, wrong).f1
    rows: list[dict[str, Any]] = []
    for name, (_, scores, above) in (("one_pass", once), ("two_passes", twice)):
        f1 = found(scores, wrong, float(above or 0)).f1
        rows.append(
            {
                "name": f"detect_receipt_{name}", "value": round(f1, 3), "unit": "F1",
                "against": "directly-follows, oracle threshold", "ratio": round(f1 / least, 2),
            }
        )  # fmt: skip
    rows[0]["note"] = "\n  ".join([RECEIPT, *lines(log), *_others(there)])
    rows.append(
        {
            "name": "learn_path", "value": round(speed(log)), "unit": "events/s",
            "against": None, "ratio": None,
            "note": f"score and learn on one core, batches of {BATCH} cases",
        }
    )  # fmt: skip
    return rows


def _others(there: dict[str, Path]) -> list[str]:
    others = [name for name in there if name != RECEIPT]
    told = [line for name in others for line in (name, *lines(read(there[name])))]
    return told or ["no other labelled log lies there"]
