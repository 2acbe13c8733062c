"""Which tests are too long for `make check`: `python tests/durations.py REPORT…` writes the list.

The first report is one of a whole run (`make test` with `--junitxml`). The shortest tests stay, as
many as `SECONDS` hold; of a longer one with many cases its first stays where that alone is short.
Who makes what many use is charged for it, so a second report, of what stayed, counts as well: the
longer time is taken. What needs a server of its own is left out.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from pathlib import Path

import pytest

LISTED = Path(__file__).with_name("slow.txt")
SECONDS = 42  # of both processes, as the report counts them
FIRST_S = 0.25
FIRST = " but the first"
SERVERS = {"postgres", "kafka", "redis_server"}


def read_report(path: Path) -> dict[str, list[float]]:
    """Seconds of each case by test, in the order of the report."""
    told: dict[str, list[float]] = {}
    for case in ElementTree.parse(path).iter("testcase"):
        file = case.attrib["classname"].removeprefix("tests.").split(".")[0]
        test = case.attrib["name"].split("[")[0]
        told.setdefault(f"{file}.py::{test}", []).append(float(case.attrib["time"]))
    return told


def too_long(told: dict[str, list[float]], seconds: float = SECONDS) -> list[str]:
    """The list's lines, by name."""
    lines = list[str]()
    for name in sorted(told, key=lambda name: (sum(told[name]), name)):
        seconds -= sum(told[name])
        if seconds < 0:
            lines.append(name + (FIRST if len(told[name]) > 1 and told[name][0] < FIRST_S else ""))
    return sorted(lines)


def mark_slow(items: Iterable[pytest.Item], lines: Iterable[str]) -> None:
    """Tests of the list are `slow`, as if they said so themselves."""
    listed = {line.removesuffix(FIRST): line.endswith(FIRST) for line in lines}
    begun = set[str]()
    for item in items:
        name = f"{item.path.name}::{item.name.split('[')[0]}"
        if not SERVERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        if name not in listed:
            continue
        if not listed[name] or name in begun:
            item.add_marker(pytest.mark.slow)
        begun.add(name)


def longest(reports: Iterable[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Of each test the report in which it took longest."""
    told: dict[str, list[float]] = {}
    for report in reports:
        told |= {n: s for n, s in report.items() if sum(s) > sum(told.get(n, [0]))}
    return told


if __name__ == "__main__":
    lines = too_long(longest(read_report(Path(path)) for path in sys.argv[1:]))
    LISTED.write_text("\n".join(lines) + "\n", encoding="utf-8")
