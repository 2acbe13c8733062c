"""`[learning]` of district.toml: does the district learn limits, and within which bounds (自学习).

[learning]
on = true
alerts_per_1000_cases_max = 5     # learned findings that may speak; more are muted, and counted
epoch_step_permille = 250         # a limit that would move by more in a day waits for a person
epoch_total_permille = 500        # or by more from what was last approved
epoch_of_age_records = 500        # a limit of fewer records follows what is seen, freely

[learning.learners.pace]          # of one: its floor, its cap and its own parameters
floor = 30
cap = 7200
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from detector.tomlfile import Table

ALERTS = (0, 1_000)
PERMILLE = (1, 10_000)
RECORDS = (1, 10**6)
NUMBER = (0, 10**9)


@dataclass(frozen=True)
class LearnSettings:
    """What a district says of learning. `learners`: by id, what it sets of each."""

    on: bool = False
    alerts_per_1000_cases_max: int = 5
    step_permille: int = 250
    total_permille: int = 500
    of_age_records: int = 500
    learners: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def read_learning(root: Table) -> LearnSettings:
    """From district.toml. Names of learners and their parameters are checked with the shelf."""
    usual, table = LearnSettings(), root.table("learning")
    learners, told_of = {}, table.table("learners")
    for name in sorted(told_of.keys):
        own = told_of.table(name)
        told = {key: own.whole(key, *NUMBER) for key in own.keys}
        learners[name] = {key: value for key, value in told.items() if value is not None}
        own.close()
    told_of.close()
    step = table.whole("epoch_step_permille", *PERMILLE)
    total = table.whole("epoch_total_permille", *PERMILLE)
    age = table.whole("epoch_of_age_records", *RECORDS)
    alerts = table.whole("alerts_per_1000_cases_max", *ALERTS)
    settings = LearnSettings(
        table.flag("on", usual.on),
        usual.alerts_per_1000_cases_max if alerts is None else alerts,
        step or usual.step_permille, total or usual.total_permille,
        age or usual.of_age_records, learners,
    )  # fmt: skip
    table.close()
    return settings
