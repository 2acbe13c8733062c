"""What is remembered of learning (学习状态), and what a walk over it comes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from detector.evaluate import Undetermined
from detector.event import Fact
from detector.explain import Change
from detector.learning.begun import Begun
from detector.learning.epochs import Epoch, EpochBook
from detector.learning.observed import Waiting
from detector.learning.open_cases import OpenCases
from detector.learning.retold import Day, Raisings
from detector.learnkit import Model
from detector.verdict import Finding

NO_DAY = -(1 << 40)


@dataclass
class LearnState:
    """All that is remembered of learning."""

    models: dict[str, Model]
    books: dict[str, EpochBook]
    waiting: Waiting = field(default_factory=Waiting)
    acts: list[tuple[int, int, Fact]] = field(default_factory=list)  # a heap
    open: OpenCases = field(default_factory=OpenCases)
    begun: Begun = field(default_factory=Begun)
    today: Day = field(default_factory=Day)  # what is learned at the day's end
    held: int = 0
    day: int = NO_DAY
    alarms: Counter[str] = field(default_factory=Counter)  # by learner, rows that said much
    found: Counter[tuple[int, str]] = field(default_factory=Counter)  # (day, rule) → findings
    spent: Counter[str] = field(default_factory=Counter)  # by rule, who spoke today
    past_cases: list[int] = field(default_factory=list)  # of the latest days
    raised: Raisings = field(default_factory=dict)


@dataclass
class Walked:
    """What a walk came to."""

    moves: list[Finding | Change] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    undetermined: list[Undetermined] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
