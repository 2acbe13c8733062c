"""Days of supervisors (监察人员): working days on which one of them was not once on line.

A day is looked at when its office hours end; a log-in that we learn of later mends it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from detector.district import Person
from detector.event import Fact
from detector.explain import Change, Teller
from detector.shelf import Configured
from detector.subjects import ACTOR, Bench, Row, Said
from detector.values import DAY_US, date_of
from detector.voices import Told
from detector.workcalendar import NEVER, WorkCalendar

ROLE = "supervisor"
Idle = tuple[str, str, int]  # rule, person, local day


class WatchState(msgspec.Struct):
    """What is remembered of supervisors. Days are local, counted from 1970."""

    since: int | None = None  # the day of the first log-in that we learnt of
    coming: int = 0  # the working day whose office hours have not ended
    days: dict[str, set[int]] = {}  # person → days with a log-in
    raised: dict[Idle, str] = {}  # findings that stand, by their first day


class Watch:
    """The rules over supervisors' days of a rulebook."""

    def __init__(
        self, rules: Sequence[Configured], people: Mapping[str, Person], calendar: WorkCalendar,
        teller: Teller,
    ) -> None:  # fmt: skip
        self.benches = [Bench(c, calendar, teller) for c in rules]
        self.people = [p for _, p in sorted(people.items()) if p.role == ROLE]
        self.calendar, self.teller = calendar, teller

    def wants(self, fact: Fact) -> bool:
        """Does a fact speak of a supervisor's day."""
        return fact.kind == "login" and fact.fields.get("role") == ROLE

    def enter(self, state: WatchState, fact: Fact, said: Said) -> tuple[Told, int | None]:
        """Take up a log-in: what that tells, and the instant at which the watch begins, if it
        does."""
        day, person = int(self.calendar.day(fact.fields["at"])), fact.fields["person"]
        begins = None
        if state.since is None:
            state.since, state.coming = day, self._following(day - 1)
            begins = self.ends_at(state.coming)
        days = state.days.setdefault(person, set())
        if day in days or day < state.since:
            return [], begins
        days.add(day)
        if not self._over(state, day):
            return [], begins
        since, told = self.teller.stamps(np.array([fact.received_at]))[0], Told()
        for bench in self.benches:
            found = state.raised.pop((bench.rule_id, person, day), None)
            if found is not None:
                told.append(Change("corrected", ACTOR, since, found))
        told += self._split(state, person, day, said)
        return told, begins

    def _split(self, state: WatchState, person: str, day: int, said: Said) -> Told:
        """The idle days behind a day that is idle no more are a stretch of their own."""
        following = self._following(day)
        some = [p for p in self.people if p.person == person]
        if not some or not self._over(state, following):
            return []
        return self._judge(state, [self._row(state, some[0], following)], said)

    def fire(self, state: WatchState, said: Said) -> tuple[Told, int]:
        """Office hours have ended: what that tells, and when those of the next day end."""
        day = state.coming
        state.coming = self._following(day)
        rows = [self._row(state, person, day) for person in self.people]
        return self._judge(state, rows, said), self.ends_at(state.coming)

    def take_over(self, state: WatchState, upto: int) -> int | None:
        """When the next day ends, of those that others watched up to an instant; None where nobody
        watches yet."""
        if state.since is None:
            return None
        state.coming = self._following(int(self.calendar.day(upto)) - 1)
        if self.ends_at(state.coming) <= upto:
            state.coming = self._following(state.coming)
        return self.ends_at(state.coming)

    def conclude(self, state: WatchState, at: int, said: Said) -> Told:
        """The run is over: of whom can nobody say anything."""
        if state.since is not None:
            return []
        nothing = {"day": 0, "idle_day": "", "watched": False, "idle": False, "idle_before": False}
        today = {"at": at, "since": int(self.calendar.day(max(at, 0)))}
        rows = [self._subject(p) | nothing | today for p in self.people]
        return [one for bench in self.benches for one in bench.judge(rows, said).told]

    def ends_at(self, day: int) -> int:
        """The last instant of the office hours of a local day."""
        if day == NEVER:
            return NEVER
        return int(self.calendar.zone.utc(day * DAY_US + self.calendar.hours[-1][1]))

    def _judge(self, state: WatchState, rows: list[Row], said: Said) -> Told:
        told = Told()
        for bench in self.benches:
            judged = bench.judge(rows, said)
            told += judged.told
            for place, found in judged.findings.items():
                key = (bench.rule_id, found.subject, rows[place]["day"])
                if key not in state.raised:
                    state.raised[key] = found.finding_id
                    told.append(found)
        return told

    def _row(self, state: WatchState, person: Person, day: int) -> Row:
        assert state.since is not None
        days = state.days.get(person.person, set())
        before = self._preceding(day, state.since)
        return self._subject(person) | {
            "at": self.ends_at(day), "since": day, "day": day,
            "idle_day": date_of(day).isoformat(), "watched": True,
            "idle": day not in days, "idle_before": before is not None and before not in days,
        }  # fmt: skip

    def _subject(self, person: Person) -> dict[str, str | int | bool]:
        name = person.person
        return {"key": name, "subject": name, "department": person.department}

    def _over(self, state: WatchState, day: int) -> bool:
        return day < state.coming and self.calendar.works(day)

    def _following(self, day: int) -> int:
        """The next working day, NEVER where the calendar ends."""
        for later in range(day + 1, self.calendar.last_day + 1):
            if self.calendar.works(later):
                return later
        return NEVER

    def _preceding(self, day: int, since: int) -> int | None:
        """The working day before this one, None where it was not watched."""
        return next((d for d in range(day - 1, since - 1, -1) if self.calendar.works(d)), None)
