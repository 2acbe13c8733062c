"""The path learner written a second time: slow, with dictionaries, straight from the description.

A log is cases of `(step, {attribute: value})`; one process (one power item). What is gathered in an
epoch counts from the next one on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from math import log2
from typing import Any

Event = tuple[str, dict[str, str | None]]
Case = Sequence[Event]
EDGE = "<edge>"  # before the first and after the last
PERSON = "operator"


def bits(k: float, n: float) -> float:
    """How surprising an outcome is that k of n chances had."""
    return -log2((k + 0.5) / (n + 1))


class Contexts:
    """How often each value was seen in each context; Witten–Bell from general to specific."""

    def __init__(self) -> None:
        self.seen: dict[Hashable, Counter[str]] = defaultdict(Counter)

    def add(self, context: Hashable, x: str, by: int) -> None:
        """Count, or take a count back."""
        self.seen[context][x] += by
        self.seen[context] += Counter()  # what fell to nought is not there
        if not self.seen[context]:
            del self.seen[context]

    def surprise(self, chain: Sequence[Hashable], x: str) -> float:
        """Bits of a value, by the contexts from the general to the specific."""
        p = 1 / (len(self.seen.get(chain[0], ())) + 1)
        for context in chain:
            here = self.seen.get(context)
            if not here:
                break
            p = (here[x] + len(here) * p) / (here.total() + len(here))
        return -log2(p)


class PathOracle:
    """Counts, and what they say of a case by channel."""

    def __init__(self, attributes: Sequence[str], gate: tuple[int, int, int, int]) -> None:
        self.attributes = attributes
        self.gate_bits, self.gate_share, self.gate_cases, self.closed_first = gate
        self.cases = 0
        self.having: Counter[str] = Counter()
        self.repeating: Counter[str] = Counter()
        self.first: Counter[tuple[str, str]] = Counter()  # first a before first b
        self.last: Counter[tuple[str, str]] = Counter()
        self.contexts = Contexts()
        self.epochs: list[tuple[int, dict[str, int]]] = []

    def learn(self, case: Case, by: int = 1) -> None:
        """Count a case, or take it back (`by` −1)."""
        steps = [step for step, _ in case]
        self.cases += by
        for b in set(steps):
            self.having[b] += by
            self.repeating[b] += by * (steps.count(b) > 1)
            for a in set(steps) - {b}:
                self.first[a, b] += by * (steps.index(a) < steps.index(b))
                self.last[a, b] += by * (_last(steps, a) < _last(steps, b))
        for i, step in enumerate(steps):
            for context in _next_chain(steps, i):
                self.contexts.add(context, step, by)
            for q in self.attributes:
                x = case[i][1].get(q)
                chains = _who_chains(case, i, q)
                for context in dict.fromkeys(c for chain in chains for c in chain):
                    if x is not None:
                        self.contexts.add(context, x, by)

    def channels(self, case: Case, persons: Counter[str]) -> dict[str, float]:
        """Bits of a case by channel, muted or not. `persons`: how often other cases saw each, of
        whatever item; who is new says nothing."""
        steps = [step for step, _ in case]
        surprise = self.contexts.surprise
        told = {"pairs": self.pairs(steps)}
        told["next"] = max(
            (surprise(_next_chain(steps, i), s) for i, s in enumerate(steps)), default=0.0
        )
        for q in self.attributes:
            told[q] = max(
                (
                    min(surprise(chain, x) for chain in _who_chains(case, i, q))
                    for i, (_, values) in enumerate(case)
                    if (x := values.get(q)) is not None and (q != PERSON or persons[x] > 0)
                ),
                default=0.0,
            )
        return told

    def pairs(self, steps: Sequence[str], ended: bool = True) -> float:
        """Bits of the most surprising relation of two steps; of last ones where it has ended."""
        told = [0.0]
        for b in set(steps):
            n = self.having[b]
            if not n:
                continue
            if steps.count(b) > 1:
                told.append(bits(self.repeating[b], n))
            for a in set(steps) - {b}:
                both = self.first[a, b] + self.first[b, a]
                if both:
                    x, y = (a, b) if steps.index(a) < steps.index(b) else (b, a)
                    told.append(bits(self.first[x, y], both))
                    x, y = (a, b) if _last(steps, a) < _last(steps, b) else (b, a)
                    if ended:
                        told.append(bits(self.last[x, y], both))
            for a, known in self.having.items():
                if known and a != b and a not in steps[: steps.index(b)]:
                    told.append(bits(n - self.first[a, b], n))
        return max(told)

    def open(self, channel: str) -> bool:
        """Whether a channel may speak: it is quiet in the latest epochs of enough cases."""
        cases = above = 0  # cases judged, and those of them in which the channel was loud
        for n, loud in reversed(self.epochs):
            if cases >= self.gate_cases:
                break
            cases, above = cases + n, above + loud[channel]
        return cases >= self.closed_first and 1000 * above <= self.gate_share * cases

    def score(self, case: Case, persons: Counter[str]) -> float:
        """The largest of the channels that may speak."""
        told = self.channels(case, persons)
        return max(b for c, b in told.items() if c == "pairs" or self.open(c))

    def epoch(self, cases: Sequence[Case], persons: Counter[str]) -> list[float]:
        """The scores of an epoch's cases, which count from the next one on."""
        scores = [self.score(case, persons) for case in cases]
        told = [self.channels(case, persons) for case in cases]
        names = ["next", *self.attributes]
        loud = {c: sum(round(1000 * t[c]) > self.gate_bits for t in told) for c in names}
        if self.cases:  # nothing was known before: those cases were not judged
            self.epochs.append((len(cases), loud))
        for case in cases:
            self.learn(case)
        return scores

    def without(self, cases: Sequence[Case], persons: Counter[str]) -> list[float]:
        """Each case by the counts of the others; a channel speaks that is quiet over all."""
        told = []
        for case in cases:
            self.learn(case, -1)
            told.append(self.channels(case, persons - persons_of([case])))
            self.learn(case)
        quiet = ["pairs"]
        for c in ["next", *self.attributes]:
            loud = sum(round(1000 * t[c]) > self.gate_bits for t in told)
            if len(cases) >= self.closed_first and 1000 * loud <= self.gate_share * len(cases):
                quiet.append(c)
        return [max(t[c] for c in quiet) for t in told]


def persons_of(cases: Iterable[Case]) -> Counter[str]:
    """How often each person worked a step of these cases."""
    return Counter(x for case in cases for _, told in case if (x := told.get(PERSON)) is not None)


def _last(steps: Sequence[str], a: str) -> int:
    return max(i for i, step in enumerate(steps) if step == a)


def _next_chain(steps: Sequence[str], i: int) -> list[Hashable]:
    one = steps[i - 1] if i >= 1 else EDGE
    two = steps[i - 2] if i >= 2 else EDGE
    return [("next",), ("next", one), ("next", one, two)]


def _who_chains(case: Case, i: int, q: str) -> list[list[Hashable]]:
    """No neighbour, the one before, the one after."""

    def beside(j: int) -> tuple[Any, Any]:
        return (case[j][0], case[j][1].get(q)) if 0 <= j < len(case) else (EDGE, EDGE)

    step = case[i][0]
    base: list[Hashable] = [(q,), (q, step)]
    chains: list[list[Hashable]] = [base]
    for side, j in (("before", i - 1), ("after", i + 1)):
        other, value = beside(j)
        chains.append([*base, (q, side, step, value), (q, side, step, other, value)])
    return chains
