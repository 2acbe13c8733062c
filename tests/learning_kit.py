"""A county that learns, small enough to be run many times."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from live_kit import COUNTY, county

from detector.district import load_district
from detector.ledger.content import Content, content_with
from detector.simulate.county import simulate
from detector.simulate.text import lines
from detector.values import iso_time

CASES, DAYS = 600, 40
LEARNS = """
[learning]
on = true
alerts_per_1000_cases_max = 50
[learning.learners.pace]
cases_least = 20
watch_least = 5
"""


def learning_county(more: str = LEARNS) -> Content:
    """The example county as one that learns."""
    content = county()
    toml = content.district["district.toml"] + more.encode()
    return content_with(content.district | {"district.toml": toml}, content.rules, content.at)


def learning_folder(folder: Path) -> Path:
    """The same as a folder."""
    shutil.copytree(COUNTY, folder)
    toml = folder / "district.toml"
    toml.write_text(toml.read_text("utf-8") + LEARNS, "utf-8")
    return folder


@cache
def stream(seed: int = 5) -> tuple[bytes, ...]:
    """Some weeks of the county, and a tick a day after the last."""
    made = simulate(CASES, seed, DAYS, load_district(COUNTY))
    end = int(made.stream.received[-1] + 86_400) * 1_000_000
    return (*lines(made), b'{"kind":"tick","at":"%s"}' % iso_time(end).encode())
