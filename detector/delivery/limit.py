"""Stage 8, rate-limit (限流): caps of a person and of a gateway put off, they never drop."""

from __future__ import annotations

from collections.abc import Iterator

from detector.channels import PERSONAL
from detector.delivery.caps import DAY_US, HOUR_US, MINUTE_US, Bound, channel_key, person_key
from detector.delivery.outbox import Row
from detector.delivery.passing import Facts, Passing

RECIPIENT_CAP, GATEWAY_CAP = "recipient_cap", "gateway_cap"


def limit(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """Those for whom there is room now. The others get the instant at which there will be, each its
    own; where only connections are lacking they are held."""
    on, plan, room = [], facts.caps.planned(), dict(facts.room)
    for row in sorted(rows, key=lambda r: (-r.tier, r.due_us or 0, r.message_id)):
        name = row.channel or ""
        if room.get(name, 1) <= 0:
            out.hold([row])
            out.crowd.append(row)
            continue
        at, reason = plan.slot(facts.now_us, bounds(row, facts))
        if at > facts.now_us:
            out.later(row, at, reason)
        else:
            room[name] = room.get(name, 1 << 30) - 1
            on.append(row)
    return on


def bounds(row: Row, facts: Facts) -> Iterator[Bound]:
    """The caps that a message is under."""
    told = facts.district.channels
    for one in told.channels:
        if one.name == row.channel:
            yield channel_key(one.name), one.per_minute_max, MINUTE_US, GATEWAY_CAP
            if one.kind not in PERSONAL:
                return
    key = person_key(row.person)
    yield key, told.delivery.recipient_per_hour_max, HOUR_US, RECIPIENT_CAP
    yield key, told.delivery.recipient_per_day_max, DAY_US, RECIPIENT_CAP
