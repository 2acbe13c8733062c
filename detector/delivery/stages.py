"""The stages that a message passes, in order. `record` follows when a gateway has answered."""

from __future__ import annotations

from collections.abc import Sequence

from detector.delivery.exempt import exempt
from detector.delivery.gate import gate
from detector.delivery.group import group
from detector.delivery.inhibit import inhibit
from detector.delivery.limit import limit
from detector.delivery.mute import mute
from detector.delivery.outbox import Row
from detector.delivery.passing import Facts, Passing, Stage
from detector.delivery.quiet import quiet
from detector.delivery.route import route
from detector.delivery.send import send

STAGES: tuple[Stage, ...] = (route, exempt, mute, inhibit, quiet, group, gate, limit, send)


def passed(rows: list[Row], facts: Facts, stages: Sequence[Stage] = STAGES) -> Passing:
    """What comes of rows that are due: each is begun, put off, dropped, grouped or held."""
    out = Passing(facts.now_us)
    for stage in stages:
        rows = stage(rows, facts, out)
    return out
