"""Logs with labelled anomalies (GAMA benchmark), and how well scores find what is labelled."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from detector.learnkit import BIT, Rows, rows_of

FOLDER = Path(__file__).parents[2] / "shared" / "data"
RECEIPT = "Receipt-0.1-1"
ATTRIBUTES = {"operator": "org:resource", "department": "org:group"}


@dataclass(frozen=True)
class Log:
    """Cases in the order of their last stamp, events as they stand in the file. Stamps are used for
    nothing else: the injector moved events without restamping them, so they betray the labels."""

    rows: Rows
    labels: np.ndarray  # "" or the kind of anomaly, one a case; no learner sees it

    def of_cases(self, places: Sequence[int]) -> Rows:
        """Some of the cases, whole, in this order."""
        begins = self.rows.begins
        spans = [np.arange(begins[p], begins[p + 1]) for p in places]
        ends = np.cumsum([0, *map(len, spans)]).astype(np.int64)
        rows = np.concatenate(spans)
        columns = {name: column[rows] for name, column in self.rows.columns.items()}
        return Rows(columns, self.rows.words, ends)


def read(path: Path) -> Log:
    """A log of the benchmark (gzipped JSON)."""
    cases = msgspec.json.decode(gzip.decompress(path.read_bytes()))["cases"]
    cases.sort(key=_last)
    told = [
        {"case": n, "item": "", "step": event["name"]}
        | {ours: event["attributes"].get(theirs) for ours, theirs in ATTRIBUTES.items()}
        for n, case in enumerate(cases)
        for event in case["events"]
    ]
    labels = [case["attributes"]["label"] for case in cases]
    kinds = ["" if label == "normal" else label["anomaly"] for label in labels]
    return Log(rows_of(told, cases=True), np.array(kinds))


def _last(case: dict[str, Any]) -> datetime:
    stamps = [datetime.fromisoformat(e["timestamp"]) for e in case["events"] if e["timestamp"]]
    return max(stamps, default=datetime.fromisoformat("1970-01-01T00:00:00+00:00"))


def logs() -> dict[str, Path]:
    """Every labelled log beside the checkout, by name."""
    found = sorted(FOLDER.glob("*-0.[0-9]*.json.gz"))
    return {path.name.removesuffix(".json.gz"): path for path in found}


def directly_follows(log: Log) -> np.ndarray:
    """The floor: how improbable each case's least probable step is after the one before it (start
    and end included), by the whole log, in thousandths of a bit."""
    steps = log.rows["step"].tolist()
    begins = log.rows.begins.tolist()
    ways = [[-1, *steps[a:b], -2] for a, b in pairwise(begins)]
    pairs = Counter(p for way in ways for p in pairwise(way))
    before = Counter(a for way in ways for a in way[:-1])
    least = [min(pairs[p] / before[p[0]] for p in pairwise(way)) for way in ways]
    return np.asarray(-BIT * np.log2(least))


@dataclass(frozen=True)
class Found:
    """F1 with its precision and recall."""

    f1: float
    precision: float
    recall: float


def found(scores: np.ndarray, wrong: np.ndarray, above: float) -> Found:
    """What is found above a threshold."""
    alerts = scores > above
    right = int((alerts & wrong).sum())
    told = (2 * right, right, right)
    of = (int(alerts.sum() + wrong.sum()), int(alerts.sum()), int(wrong.sum()))
    return Found(*(a / b if b else 0.0 for a, b in zip(told, of, strict=True)))


def best(scores: np.ndarray, wrong: np.ndarray) -> Found:
    """With the threshold that an oracle who knows the labels would choose."""
    return max(
        (found(scores, wrong, float(s) - 1e-9) for s in np.unique(scores)), key=lambda f: f.f1
    )


def average_precision(scores: np.ndarray, wrong: np.ndarray) -> float:
    """Area under precision over recall; cases of equal score stand or fall together."""
    values = np.unique(scores)[::-1]
    at = [(int((wrong & (scores >= v)).sum()), int((scores >= v).sum())) for v in values]
    right, alerts = np.array(at).T
    return float((np.diff(right, prepend=0) * right / alerts).sum() / wrong.sum())


def by_kind(scores: np.ndarray, labels: np.ndarray, above: float) -> str:
    """Recall of each kind of anomaly."""
    kinds = sorted(set(labels.tolist()) - {""})
    return ", ".join(f"{k} {np.mean(scores[labels == k] > above):.2f}" for k in kinds)
