"""Stage 3, mute (静默): what fits a `[[mutes]]` waits till its window ends."""

from __future__ import annotations

from detector.channels import Silence
from detector.delivery.outbox import Row
from detector.delivery.passing import Facts, Passing

MUTED = "muted"


def mute(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """Those that no window holds. One that several hold is looked at again when the first ends."""
    on = []
    for row in rows:
        some = [one for one in facts.district.channels.mutes if silent(one, row, facts.now_us)]
        if some:
            first = min(some, key=lambda one: one.end_us)
            out.later(row, first.end_us, f"{MUTED}: {first.reason}")
        else:
            on.append(row)
    return on


def silent(one: Silence, row: Row, now_us: int) -> bool:
    """Does a window hold a message at an instant: from its begin on, no longer at its end."""
    wanted: tuple[tuple[tuple[object, ...], object], ...] = (
        (one.departments, row.department), (one.persons, row.person),
        (one.channels, row.channel), (one.tiers, row.tier),
    )  # fmt: skip
    fits = all(not some or have in some for some, have in wanted)
    return fits and one.begin_us <= now_us < one.end_us
