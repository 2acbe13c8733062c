"""The plain loop that the engine's speed is measured against: the tests' oracle over NDJSON.

One line after the other is decoded, read and kept; then the oracle judges each event in its order,
in a dictionary of cases. No columns, no batches: what a careful programmer writes first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from detector.event import Event, Fact, Reading, Refused, read
from tests.oracle import Calendar, Setting, judge


@dataclass(frozen=True)
class LocalTime:
    """The oracle's calendar as the zone in which stamps without offset are read."""

    calendar: Calendar
    changes: tuple[tuple[int, int], ...] = ()  # asked of by readers of whole columns only

    def utc(self, local: int) -> Any:
        return np.int64(self.calendar.later(local))

    def local(self, utc: int) -> Any:
        return np.int64(self.calendar.wall(utc))


def read_lines(lines: Iterable[bytes], how: Reading) -> list[Event | Fact]:
    """The inputs that can be read, in their order; what is refused is left out."""
    inputs: list[Event | Fact] = []
    for line in lines:
        try:
            inputs.append(read(json.loads(line), how))
        except (ValueError, Refused):
            continue
    return inputs


def reference_loop(lines: Iterable[bytes], setting: Setting, until: int | None = None) -> int:
    """How many findings the lines come to, muted and withdrawn ones included."""
    how = Reading(zone=LocalTime(setting.calendar))
    return len(judge(read_lines(lines, how), setting, until).findings)
