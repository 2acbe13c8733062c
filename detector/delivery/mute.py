"""Stage 3, mute (静默): what fits a `[[mutes]]` waits till its window ends."""

from __future__ import annotations

from detector.delivery.outbox import Row
from detector.delivery.passing import Facts, Passing

MUTED = "muted"


def mute(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """Those that no window holds. One that several hold is looked at again when the first ends."""
    on = []
    for row in rows:
        some = [
            one
            for one in facts.district.channels.mutes
            if one.covers(facts.now_us, row.department, row.tier, row.person, row.channel)
        ]
        if some:
            first = min(some, key=lambda one: one.end_us)
            out.later(row, first.end_us, f"{MUTED}: {first.reason}")
        else:
            on.append(row)
    return on
