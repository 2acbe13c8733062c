"""Random events of sources on the edges of their rules: closes under one stamp, days, silences."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from itertools import islice
from typing import Any

import msgspec
from oracle import DAY, HOUR, SECOND, Setting
from oracle.cases import standing
from sources_oracle import working_days_to

from detector.event import Event

SOURCES = ("hall", "town", "D2", None)  # one is named like a department, one is one
SLIPS = (0, 0, 0, -1, 1, -SECOND, SECOND)


def stamped_cases(rng: random.Random, how: Setting, at: Callable[[int, int], int]) -> list[Event]:
    """A few cases closed under the stamp of their acceptance, on one day or two; some come
    together."""
    stamps = [at(0, 25) for _ in range(rng.choice((1, 1, 2)))]
    together = stamps[0] + rng.choice((HOUR, HOUR, DAY))
    apart, (one, other) = rng.choice((0.1, 0.7, 0.7)), rng.sample(SOURCES, 2)
    events: list[Event] = []
    for n in range(rng.randint(1, 5)):
        stamp = rng.choice(stamps) + rng.choice((0, 0, 1, HOUR // 2, HOUR // 2))
        late = how.lateness_s * SECOND + rng.choice(SLIPS)
        came = rng.choice((stamp, stamp, stamp - 1, stamp + late, stamp + DAY))
        came = came if rng.random() < apart else together
        events += _stamped(rng, f"k{n}", rng.choice((one, one, one, other)), stamp, came)
    return events


def _stamped(
    rng: random.Random, case: str, source: str | None, stamp: int, received: int
) -> list[Event]:
    """Acceptance, steps and close of one case, and what is sent later to correct them."""
    actions = ["accept", *rng.choice(((), ("step",), ("step", "pay"))), "close"]
    actions += rng.choice(((), (), ("close",), ("mend",), ("mend", "mend")))
    item, events = rng.choice(("fine", "fine", "fine", "fine", "spot")), list[Event]()
    for n, action in enumerate(actions):
        recorded = stamp + (rng.choice(SLIPS) if rng.random() < 0.25 else 0)
        received += rng.choice((0,) * 10 + (1, DAY))
        told: dict[str, Any] = {
            "case_id": case, "event_id": rng.choice(("a", "b")) + f"{case}{n}", "action": action,
            "item": item, "department": rng.choice(("D1", "D1", "D2")), "source": source,
            "occurred_at": recorded, "recorded_at": recorded, "received_at": received,
            "imported": rng.random() < 0.07, "operator": "A", "step": f"s{n}",
        }  # fmt: skip
        if action == "mend":  # the accept or the close, under a new id or under its own
            wrong = rng.choice([e for e in standing(events) if e.action in ("accept", "close")])
            told |= {"action": wrong.action, "supersedes": wrong.event_id}
            told |= {"event_id": wrong.event_id} if rng.random() < 0.5 else {}
        events.append(Event(**told))
    return events


def days_heard(rng: random.Random, how: Setting, begin: int) -> list[Event]:
    """A source or two, each heard about as often as it takes to be missed, then silent."""
    names = rng.sample(SOURCES, rng.choice((1, 1, 1, 2)))
    return [e for name in names for e in _Days(rng, how, begin, name).events()]


class _Days:
    """The days of one source up to its silence."""

    def __init__(self, rng: random.Random, how: Setting, begin: int, name: str | None) -> None:
        self.rng, self.how, self.name, self.sent = rng, how, name, 0
        self.begin, self.told = begin, how.params["silent_source"]

    def events(self) -> list[Event]:
        """One event a day, the last of them, and what ends the silence, if anything does."""
        rng, calendar = self.rng, self.how.calendar
        since = self._instant(calendar.day(self.begin) + timedelta(days=rng.randint(28, 40)))
        instants = [self._instant(day) for day in self._days(calendar.day(since))]
        found = [self._event(at) for at in [*sorted(instants), since] if at <= since]
        if rng.random() < 0.5:  # the last word of two departments at once
            found.append(self._event(since))
        ends = calendar.add(since, self.told["limit_wd"] * calendar.day_us, False)
        if rng.random() < 0.3:  # what was said before, said again, is not heard
            found.append(msgspec.structs.replace(found[-1], received_at=max(since, ends - 1)))
        if rng.random() < 0.7:
            found.append(self._event(max(since, ends + rng.choice(SLIPS))))
        return found

    def _days(self, last: date) -> set[date]:
        """As many as it takes, one more or one fewer; the first at the edge of what is known."""
        rng = self.rng
        asked = list(islice(working_days_to(self.how, last), 20))
        first = asked[-1] + timedelta(days=rng.choice((0, 0, 0, -1, -3, 1)))
        known = {first, last} & set(asked)
        more = self.told["busy_days"] + rng.choice((-1, 0, 0, 1, 3)) - len(known)
        between = [day for day in asked if first < day < last]
        return {first, *rng.sample(between, max(0, min(more, len(between))))}

    def _instant(self, day: date) -> int:
        """An instant of that local day, often at one of its ends or those of the office hours."""
        calendar, rng = self.how.calendar, self.rng
        hours = calendar.hours[0][0], min(calendar.hours[-1][1], DAY - 1)
        wall = rng.choice((0, DAY - 1, *hours, rng.randrange(DAY)))
        return calendar.later((day - date(1970, 1, 1)).days * DAY + wall)

    def _event(self, at: int) -> Event:
        self.sent += 1
        department = "D1" if self.name is None else self.rng.choice(("D1", "D1", "D2"))
        return Event(
            case_id=f"{self.name}{self.sent}", event_id=f"h{self.sent}", action="step",
            item="fine", department=department, source=self.name, occurred_at=at,
            recorded_at=at, received_at=at, operator="A", step="s",
        )  # fmt: skip
