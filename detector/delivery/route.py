"""Stage 1, route (路由): by which channels a message goes to its person.

Where several serve, each has a message of its own, so that one gateway's trouble is not another's.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detector.channels import PERSONAL, Channels, ChannelSettings, Route
from detector.delivery import EVERYBODY
from detector.delivery.duty import lose
from detector.delivery.outbox import Row
from detector.delivery.passing import Facts, Passing, root_of, sibling
from detector.district import Person

NO_ROUTE, CHANNEL_UNKNOWN, PERSON_LEFT = "no_route", "channel_unknown", "person_left"
NO_PHONE, NO_ADDRESS, CHANNEL_GONE = "no_phone", "no_address", "channel_gone"
BROADCAST_ONLY, NO_LISTENER = "broadcast_only", "no_listener"
QUIETLY = (  # as configured: a group reads it, or the person gets it by another channel as well
    BROADCAST_ONLY, NO_LISTENER, CHANNEL_GONE,
)  # fmt: skip


def route(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """Those whose channel stands, or has just been chosen and is the only one."""
    on = []
    for row in rows:
        if row.channel in facts.channels and facts.kind(row.channel):
            on.append(row)
            continue
        found, reason = ways(row, facts)
        if row.channel is not None:
            found, reason = _instead(row, found, reason, facts)
        if len(found) == 1:
            on.append(msgspec.structs.replace(row, channel=found[0]))
        elif found:
            _split(row, found, out)
        elif reason in QUIETLY:
            out.drop(row, reason)
        else:
            lose(row, reason, facts, out)
    return on


def _split(row: Row, found: Sequence[str], out: Passing) -> None:
    """One message a channel; they are looked at again once that is written."""
    out.move(row, msgspec.structs.replace(row, channel=found[0]))
    for name in found[1:]:
        out.copy(sibling(row, name, out.now_us), row.message_id)
    out.hold([row], out.now_us)


def _instead(
    row: Row, found: tuple[str, ...], reason: str, facts: Facts
) -> tuple[tuple[str, ...], str]:
    """One channel in the place of the one that was chosen and is no longer there; none by which the
    same message goes already."""
    used = facts.used.get(root_of(row.message_id), frozenset())
    free = tuple(name for name in found if name not in used)
    return free[:1], reason or CHANNEL_GONE


def ways(row: Row, facts: Facts) -> tuple[tuple[str, ...], str]:
    """The channels that can serve a message, or why there is none."""
    told = facts.district.channels
    wanted = best_route(told, row)
    if wanted is None:
        return (), NO_ROUTE
    known = [c for c in told.channels if c.name in wanted.channels and c.name in facts.channels]
    known.sort(key=lambda c: wanted.channels.index(c.name))
    if row.person == EVERYBODY:
        told_to = tuple(c.name for c in known if c.kind not in PERSONAL)
        return told_to, "" if told_to else NO_LISTENER
    person = facts.district.people.get(row.person)
    if person is None:
        return (), PERSON_LEFT
    if not known:
        return (), CHANNEL_UNKNOWN
    return _personal(known, person)


def _personal(known: list[ChannelSettings], person: Person) -> tuple[tuple[str, ...], str]:
    personal = [c for c in known if c.kind in PERSONAL]
    if not personal:
        return (), BROADCAST_ONLY
    served = tuple(c.name for c in personal if address(person, c.kind))
    if served:
        return served, ""
    return (), NO_ADDRESS if all(c.kind == "mail" for c in personal) else NO_PHONE


def address(person: Person, kind: str) -> str:
    """Where a kind of channel finds a person; "" where it cannot."""
    if kind == "mail":
        return person.email
    return person.phone or (person.person if kind == "log" else "")


def best_route(channels: Channels, row: Row) -> Route | None:
    """The most specific route that fits, of equals the last."""
    best, most = None, -1
    for one in channels.routes:
        wanted: tuple[tuple[tuple[object, ...], object], ...] = (
            (one.tiers, row.tier), (one.levels, row.level), (one.departments, row.department),
            (one.persons, row.person), (one.occasions, row.occasion),
        )  # fmt: skip
        if any(some and have not in some for some, have in wanted):
            continue
        weight = sum(bool(some) for some, _ in wanted)
        if weight >= most:
            best, most = one, weight
    return best
