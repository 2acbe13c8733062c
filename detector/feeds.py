"""Sources judged (数据来源): one that stamps whole cases alike, one that fell silent."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import msgspec

from detector.explain import Teller
from detector.shelf import Configured
from detector.sources import Heard, OneStamp
from detector.subjects import Bench, Row, Said
from detector.values import date_of
from detector.voices import Told
from detector.workcalendar import NEVER, WorkCalendar

USUAL_DAYS = 20  # working days that tell whether a source is heard day by day


class Feed(msgspec.Struct):
    """A source as it was heard: local days, counted from 1970."""

    department: str
    first_day: int
    last: int  # µs UTC
    days: list[int]  # the latest on which it was, rising
    clock: int = NEVER  # the instant of the one clock that runs
    silent: bool = False  # was the silence since `last` judged


class FeedState(msgspec.Struct):
    """What is remembered of sources."""

    feeds: dict[str, Feed] = {}
    asked: set[tuple[str, str, int, bool, bool]] = set()  # closes that need not be asked again
    stamped: set[tuple[str, str, int]] = set()  # (rule, source, day) with a finding


class Feeds:
    """The rules over sources of a rulebook."""

    def __init__(self, rules: Sequence[Configured], calendar: WorkCalendar, teller: Teller) -> None:
        self.stamps, self.silences = (
            [Bench(c, calendar, teller) for c in rules if c.rule.per == per]
            for per in ("stamp", "silence")
        )
        self.calendar, self.teller = calendar, teller

    # -- one stamp ----------------------------------------------------------------------------

    def close(self, state: FeedState, one: OneStamp, said: Said) -> Told:
        """Take up a close under the stamp of its acceptance: once a source and day is enough."""
        day, told = int(self.calendar.day(one.recorded_at)), Told()
        row = self._stamped(one, day)
        asked = (one.source, one.department, day, one.lawful, row["date_only"])
        if asked in state.asked:
            return told  # whatever it was, it would be the same again
        state.asked.add(asked)
        for bench in self.stamps:
            key, judged = (bench.rule_id, one.source, day), bench.judge([row], said)
            told += judged.told
            if judged.findings and key not in state.stamped:
                state.stamped.add(key)
                told += judged.findings.values()
        return told

    def _stamped(self, one: OneStamp, day: int) -> Row:
        date = date_of(day).isoformat()
        return {
            "key": f"{one.source}\x1f{date}", "subject": one.source, "department": one.department,
            "at": one.recorded_at, "since": day, "day": date, "close_of": one.case_id,
            "cases": int(not one.lawful), "by_calendar": False,
            "date_only": bool(self.calendar.date_only(one.recorded_at)),
            "events": [one.accept_id, one.event_id],
        }  # fmt: skip

    # -- silence ------------------------------------------------------------------------------

    def hear(self, state: FeedState, heard: Heard) -> int | None:
        """A source was heard; the instant of a clock where none ran."""
        day = int(self.calendar.day(heard.received_at))
        feed = state.feeds.get(heard.source)
        if feed is None:
            feed = Feed(heard.department, day, heard.received_at, [day])
            state.feeds[heard.source] = feed
        elif heard.received_at == feed.last:
            feed.department = max(feed.department, heard.department)
        else:
            feed.department, feed.last, feed.silent = heard.department, heard.received_at, False
            if day != feed.days[-1]:
                feed.days = [*feed.days[-3 * USUAL_DAYS :], day]
        if feed.clock != NEVER:
            return None  # it is set on when it rings
        feed.clock = self._ends(feed)
        return feed.clock if feed.clock != NEVER else None

    def ring(self, state: FeedState, source: str, said: Said) -> tuple[Told, int | None]:
        """A source's clock has come to its instant: what that tells, and to when it is set on."""
        feed, told = state.feeds[source], Told()
        ends = self._ends(feed)
        if ends > feed.clock:
            feed.clock = ends
            return told, ends if ends != NEVER else None
        feed.clock = NEVER
        if not feed.silent:
            feed.silent = True
            for bench in self.silences:
                judged = bench.judge([self._silent(source, feed, ends)], said)
                told += [*judged.told, *judged.findings.values()]
        return told, None

    def take_over(self, state: FeedState) -> list[tuple[int, str]]:
        """The clocks of sources that others listened to, by these rules."""
        state.asked.clear()
        due = []
        for source, feed in state.feeds.items():
            feed.clock = NEVER if feed.silent else self._ends(feed)
            if feed.clock != NEVER:
                due.append((feed.clock, source))
        return due

    def _ends(self, feed: Feed) -> int:
        """When the silence since it was last heard is too long, as is set for its department."""
        day, ends = int(self.calendar.day(feed.last)), NEVER
        for bench in self.silences:
            configured = bench.configured.meets(None, feed.department, None, day)
            if configured is not None:
                limit = configured.params.limit_wd * self.calendar.day_us
                ends = min(ends, int(self.calendar.add(feed.last, limit, "right")))
        return ends

    def _silent(self, source: str, feed: Feed, at: int) -> Row:
        day = int(self.calendar.day(feed.last))
        usual = self._usual(day)
        return {
            "key": source, "subject": source, "department": feed.department, "at": at, "since": day,
            "heard_at": feed.last, "heard_days": sum(d in usual for d in feed.days),
            "has_history": feed.first_day <= min(usual),
        }  # fmt: skip

    def _usual(self, day: int) -> set[int]:
        """The 20 working days up to a day."""
        worked = (d for d in range(day, self.calendar.first_day - 1, -1) if self.calendar.works(d))
        return set(islice(worked, USUAL_DAYS)) or {day}
