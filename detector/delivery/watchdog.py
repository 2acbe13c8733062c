"""The watchdog (看门狗): finds what nobody would miss until it is too late.

An open notice without a next instant, or far behind it; a message that is due and not taken up; a
person whom no channel reaches; a channel that is down. The first two are bugs wherever they occur.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from detector.delivery.breaker import CLOSED
from detector.delivery.outbox import Outbox, Row
from detector.delivery.passing import Facts
from detector.delivery.route import QUIETLY, ways
from detector.district import District

NOTICE_LOST, NOTICE_BEHIND = "notice_without_next", "notice_behind"
MESSAGE_LATE, UNREACHED, CHANNEL_DOWN = "message_late", "person_without_channel", "channel_down"
TROUBLES = (NOTICE_LOST, NOTICE_BEHIND, MESSAGE_LATE, UNREACHED, CHANNEL_DOWN)
BEHIND_US = 45_000_000  # behind the engine's clock: with the time between two looks within a minute
LATE_US = 45_000_000  # due, and not taken up; what is grouped may wait besides
TOLD_MAX = 100  # of a kind: enough to see that something is wrong, and where
RECIPIENTS = ("supervisor", "leader")
TIERS = range(4)


@dataclass(frozen=True)
class Trouble:
    """Something that stands still, by a name that does not change."""

    kind: str
    what: str  # a notice, a message, a person, a channel
    reason: str = ""
    since_us: int | None = None


def standing(outbox: Outbox, now_us: int, engine_us: int, wait_us: int = 0) -> list[Trouble]:
    """Notices and messages that nobody will move. `engine_us`: the engine's clock, which under
    `--clock events` is not the wall's; `wait_us`: how long messages wait to be grouped."""
    told = [
        Trouble(NOTICE_LOST if at is None else NOTICE_BEHIND, name, since_us=at)
        for name, at in outbox.stalled(engine_us - BEHIND_US, TOLD_MAX)
    ]
    for row in outbox.late(now_us - LATE_US - wait_us, TOLD_MAX):
        told.append(Trouble(MESSAGE_LATE, row.message_id, f"{row.state}: {row.reason}", row.due_us))
    return told


def unreached(district: District, channels: Iterable[str], duty: str) -> list[Trouble]:
    """People who receive notices and whom no channel reaches; the duty officer above all."""
    facts = Facts(0, district, frozenset(channels), duty)
    people = [p for p in district.people.values() if p.role in RECIPIENTS or p.person == duty]
    told = [] if duty else [Trouble(UNREACHED, "", "no_duty_officer")]
    for one in people:
        reasons = {ways(_sample(one.person, one.department, t, one.level), facts)[1] for t in TIERS}
        reasons -= {"", *QUIETLY}
        if reasons:
            told.append(Trouble(UNREACHED, one.person, ", ".join(sorted(reasons))))
    return told


def down(breakers: Mapping[str, str]) -> list[Trouble]:
    """Channels whose breaker is not closed."""
    return [Trouble(CHANNEL_DOWN, n, state) for n, state in breakers.items() if state != CLOSED]


def _sample(person: str, department: str, tier: int, level: int) -> Row:
    return Row("", 0, "", person, "issued", tier, level, department, 0, "", None)
