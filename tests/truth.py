"""Compare what was found with what is true: `python tests/truth.py FINDINGS TRUTH` (NDJSON)."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

CLOCK = (
    "overdue_promise", "overdue_statutory", "overdue_acceptance", "overdue_issue", "overdue_step",
    "stalled_case", "overdue_procedure", "overdue_complaint", "overdue_consultation",
    "idle_supervisor", "treasury_gap", "offline_operation", "silent_source",
)  # fmt: skip
OF_ITEMS = ("treasury_gap", "offline_operation")  # several may be true of a department at once


class Score(NamedTuple):
    """How one rule did."""

    truth: int
    found: int
    right: int

    @property
    def precision(self) -> float:
        """The share of what was found that is true."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """The share of what is true that was found."""
        return self.right / self.truth if self.truth else 1.0


def key_of_finding(f: dict[str, Any]) -> tuple[Any, ...]:
    """What names an offence, from its finding: a burst by its first event, others by their last."""
    place = 0 if f["rule"] == "batch_entry" else -1
    named = f["at"] if f["rule"] in CLOCK else f["events"][place]
    more = (f["item"], f["value"]) if f["rule"] in OF_ITEMS else ()
    return f["rule"], f["subject_kind"], f["subject"], named, f["tier"], *more


def key_of_truth(t: dict[str, Any]) -> tuple[Any, ...]:
    """The same, from a line of the truth."""
    more = (t["item"], t["value"]) if t["rule"] in OF_ITEMS else ()
    named = t.get("event_id") or t["at"]
    return t["rule"], t["subject_kind"], t["subject"], named, t["tier"], *more


def compare(findings: list[bytes], truth: list[bytes]) -> dict[str, Score]:
    """Scores by rule, of what stands."""
    told = [msgspec.json.decode(line) for line in findings]
    found = Counter(key_of_finding(f) for f in told if not f["muted"] and not f["withdrawn"])
    true = Counter(key_of_truth(msgspec.json.decode(line)) for line in truth)
    rules = sorted({key[0] for key in [*found, *true]})
    both = found & true

    def count(keys: Counter[tuple[Any, ...]], rule: str) -> int:
        return sum(n for key, n in keys.items() if key[0] == rule)

    return {r: Score(count(true, r), count(found, r), count(both, r)) for r in rules}


def differences(findings: list[bytes], truth: list[bytes]) -> list[str]:
    """What was found and is not true, and what is true and was not found."""
    told = [msgspec.json.decode(line) for line in findings]
    found = Counter(key_of_finding(f) for f in told if not f["muted"] and not f["withdrawn"])
    true = Counter(key_of_truth(msgspec.json.decode(line)) for line in truth)
    return [f"wrong: {k}" for k in found - true] + [f"missed: {k}" for k in true - found]


def table(scores: dict[str, Score]) -> str:
    """For people."""
    rows = [f"{'rule':20}{'truth':>8}{'found':>8}{'precision':>11}{'recall':>9}"]
    for rule, s in scores.items():
        rows.append(f"{rule:20}{s.truth:8}{s.found:8}{s.precision:11.4f}{s.recall:9.4f}")
    return "\n".join(rows)


if __name__ == "__main__":
    sides = [Path(name).read_bytes().splitlines() for name in sys.argv[1:3]]
    sys.stdout.write(table(compare(*sides)) + "\n")
    sys.stdout.writelines(f"{line}\n" for line in differences(*sides)[:20])
