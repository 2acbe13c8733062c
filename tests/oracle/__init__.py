"""The rules a second time: plain Python, one event after the other, from docs/judging.md alone.

It shares the type of an event with the engine and nothing else. Where it is slow, it is slow
because the obvious way is: every rule looks through all earlier events of its case, working time
is counted by walking over days, and a corrected case is judged again from its first event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from detector.event import Event, Fact

from .calendar import DAY, HOUR, SECOND, Calendar
from .cases import Case
from .clocks import CLOCK_BANDS
from .events import EVENT_RULES
from .operators import TEN_MINUTES, batch_entry
from .runs import RUN_BANDS
from .setting import (
    DEFAULTS,
    OBenchmark,
    OFinding,
    OItem,
    OStep,
    Setting,
    Verdicts,
    finding_id,
)

__all__ = [
    "CLOCKS", "DAY", "DEFAULTS", "HOUR", "RULES", "SECOND", "TEN_MINUTES", "Calendar", "OBenchmark",
    "OFinding", "OItem", "OStep", "Setting", "Verdicts", "finding_id", "judge",
]  # fmt: skip
CLOCKS = (*CLOCK_BANDS, *RUN_BANDS)
RULES = (*EVENT_RULES, *CLOCKS, "batch_entry")


def judge(events: Sequence[Event | Fact], setting: Setting, until: int | None = None) -> Verdicts:
    """Judge inputs given in file order; the last watermark is `until`, or later if they are."""
    verdicts, judged = Verdicts(), []
    cases: dict[str, Case] = {}
    named: list[Event | Fact] = []
    met: Counter[str] = Counter()
    for e in events:
        if isinstance(e, Event):
            met[e.case_id] += 1
            if e.event_id is None:
                e = msgspec.structs.replace(e, event_id=f"{e.case_id}#{met[e.case_id]}")
        named.append(e)

    def place(index: int) -> tuple[int, bool, int]:
        e = named[index]
        return e.received_at, isinstance(e, Fact) and e.kind == "tick", index

    watermark = -(2**63)
    for index in sorted(range(len(named)), key=place):
        e = named[index]
        watermark = max(watermark, e.received_at - 1)
        if isinstance(e, Fact):
            watermark = e.received_at if e.kind == "tick" else watermark
            continue
        case = cases.setdefault(e.case_id, Case(setting, verdicts.undetermined))
        answer = case.take(e)
        if answer == "judged":
            judged.append(e)
        elif answer == "duplicate":
            verdicts.duplicates += 1
        else:
            verdicts.refused.append((index, answer[0], answer[1]))
    if until is None and named:
        until = max(e.received_at for e in named) + setting.lateness_s * SECOND
    watermark = watermark if until is None else max(watermark, until)
    for case in cases.values():
        verdicts.findings |= case.findings(watermark)
    if setting.mode("batch_entry") != "off":
        batch_entry(judged, setting, watermark, verdicts)
    return verdicts
