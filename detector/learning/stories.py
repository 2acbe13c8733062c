"""Examples of a learner's card, told: what it says after the days of its story."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from detector.learning.shelf import ShelvedLearner
from detector.learnkit import EXAMPLE_DAY, Example, Learner, rows_of


def tell_all(shelf: Mapping[str, ShelvedLearner], only: str = "") -> Iterator[tuple[str, str, str]]:
    """(learner, title, fault or "") of every example."""
    for name, shelved in shelf.items():
        if only in ("", name):
            for example in shelved.learner.examples:
                yield name, example.title, fault_of(shelved.learner, example)


def fault_of(learner: Learner, example: Example) -> str:
    """What is wrong with the last row (or case) that is asked, "" where it is as the example says.
    All that the learner proposes comes into force."""
    cases = learner.sees == "case"
    model = learner.make({p.name: p.default for p in learner.params})
    for n, told in enumerate(example.days):
        model.learn(rows_of(told, cases))
        model.enforce(model.publish(EXAMPLE_DAY + n + 1))
    said = model.score(rows_of(example.asked, cases))
    known, bits, limit = bool(said.known[-1]), int(said.bits[-1]), int(said.limit[-1])
    if known != example.known:
        return "known, and should not be" if known else "is not known"
    if not known:
        return ""
    if not example.bits_least <= bits <= example.bits_most:
        return f"{bits} thousandths of a bit"
    if not example.limit_least <= limit <= example.limit_most:
        return f"limit {limit}"
    return "" if isinstance(said.tell(len(said.known) - 1), dict) else "tells nothing"
