"""What verdicts say of a limit (限值建议): one that keeps all that was confirmed and drops most
false alarms, with what it would no longer raise.

Nothing is moved by this: it is a number that two people may put on trial. It speaks only of what
was recorded, so it only ever loosens; what a tighter limit would raise besides nobody has looked
at, and is asked of the thresholds' page.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detector.ledger.verdicts import CONFIRMED, FALSE_ALARM, NONE

VERDICTS_LEAST = 20  # below this nothing is proposed
EXAMPLES = 10


@dataclass(frozen=True)
class Seen:
    """A finding as it was recorded, and the verdict that counts for it, or `none`."""

    finding_id: str
    value: float
    limit: float
    verdict: str


@dataclass(frozen=True)
class Suggestion:
    """Another limit, and what of the recorded findings it keeps and drops, by verdict."""

    limit: float
    proposed: int
    verdicts: int
    kept: Mapping[str, int]
    dropped: Mapping[str, int]
    examples: tuple[str, ...]  # of what it drops, false alarms first


@dataclass(frozen=True)
class Nothing:
    """Why nothing is proposed: `too_few_verdicts`, `none_confirmed`, `not_compared` (the value does
    not stand on one side of the limit) or `nothing_to_gain`."""

    limit: float
    reason: str
    verdicts: int


def suggest(seen: Sequence[Seen]) -> Suggestion | Nothing:
    """What follows for the one limit by which all of these (at least one) were raised."""
    limit = seen[0].limit
    told = sum(one.verdict != NONE for one in seen)
    confirmed = [one.value for one in seen if one.verdict == CONFIRMED]
    below = all(one.value <= limit for one in seen)
    if told < VERDICTS_LEAST:
        return Nothing(limit, "too_few_verdicts", told)
    if not confirmed:
        return Nothing(limit, "none_confirmed", told)
    if not below and not all(one.value >= limit for one in seen):
        return Nothing(limit, "not_compared", told)
    # kept whether the rule raises at the very limit or only beyond it; dropped only beyond doubt
    if below:
        proposed = math.floor(max(confirmed)) + 1
        gone = [one for one in seen if one.value > proposed]
    else:
        proposed = math.ceil(min(confirmed)) - 1
        gone = [one for one in seen if one.value < proposed]
    looser = proposed < limit if below else proposed > limit
    if not looser or not any(one.verdict == FALSE_ALARM for one in gone):
        return Nothing(limit, "nothing_to_gain", told)
    dropped = Counter(one.verdict for one in gone)
    kept = Counter(one.verdict for one in seen)
    kept.subtract(dropped)
    gone.sort(key=lambda one: (one.verdict != FALSE_ALARM, one.finding_id))
    names = tuple(one.finding_id for one in gone[:EXAMPLES])
    return Suggestion(limit, proposed, told, +kept, dropped, names)


def by_limit(seen: Sequence[Seen]) -> list[Suggestion | Nothing]:
    """The same of each limit among findings of one rule, those with the most verdicts first."""
    groups: dict[float, list[Seen]] = {}
    for one in seen:
        groups.setdefault(one.limit, []).append(one)
    return sorted((suggest(some) for some in groups.values()), key=lambda s: -s.verdicts)
