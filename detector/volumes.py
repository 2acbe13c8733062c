"""Monthly volumes of an item (办件量): each month against the one before and the year before, and
beside it what a learner published as ordinary for that month, where it did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import msgspec

from detector.event import Fact
from detector.explain import Teller
from detector.learnkit import Limit
from detector.shelf import Configured
from detector.subjects import Bench, Row, Said, Standing
from detector.treasury import Month, day_after
from detector.values import DAY_US, date_of, day_of_date
from detector.voices import Told
from detector.workcalendar import WorkCalendar

DAYS_AFTER = 2  # a month is judged at the beginning of the third day of the next
# What was learned of a key (learner, key), in force at the end of a local day; who asks judges at a
# later instant.
LimitOf = Callable[[str, tuple[str, ...], int, int], Limit | None]
_PERIOD = re.compile(r"(19|20)\d\d-(0[1-9]|1[0-2])", re.ASCII)


class VolumeState(msgspec.Struct):
    """What is remembered of volumes."""

    cases: dict[Month, int] = {}
    standing: dict[tuple[str, Month], Standing] = {}  # (rule, month)
    ordinary: dict[tuple[str, Month], Limit] = {}  # (learner, month), as it was first judged


class Volumes:
    """The rules over months' volumes of a rulebook."""

    def __init__(self, rules: Sequence[Configured], calendar: WorkCalendar, teller: Teller) -> None:
        self.benches = [Bench(c, calendar, teller) for c in rules]
        self.calendar, self.teller = calendar, teller

    def wants(self, fact: Fact) -> bool:
        """Does a fact tell a month's volume."""
        return fact.kind == "volume" and _PERIOD.fullmatch(fact.fields["period"]) is not None

    def enter(
        self, state: VolumeState, fact: Fact, gap: Callable[[Month], bool], limit_of: LimitOf,
        said: Said,
    ) -> tuple[Told, tuple[int, Month] | None]:  # fmt: skip
        """Take up a volume, the last one counts: what that tells, and the (instant, month) of a
        clock that now runs. `gap`: does a finding about fines of that month stand."""
        told = fact.fields
        month = (told["department"], told["item"], told["period"])
        known = month in state.cases
        state.cases[month] = told["cases"]
        due = self._due(month)
        if fact.received_at > due:
            return self.judge(state, month, fact.received_at, gap(month), limit_of, said), None
        return [], None if known else (due, month)

    def judge(
        self, state: VolumeState, month: Month, at: int, gap: bool, limit_of: LimitOf, said: Said
    ) -> Told:
        """A month against those before it, and what is ordinary for it."""
        row, told = self._row(state, month, at, gap), Told()
        for bench in self.benches:
            standing = state.standing.setdefault((bench.rule_id, month), Standing())
            known = bench.configured.rule.ordinary
            one = _ordinary(state, known.learner, month, at, limit_of) if known else None
            mine = row if one is None else {**row, **_within(one, row["cases"])}
            told += bench.judge_again(mine, standing, said)
        return told

    def take_over(self, state: VolumeState, before: Volumes) -> list[tuple[int, Month]]:
        """The clocks of months that others judged: those that were never judged by these rules,
        and those whose year is covered only now."""
        due = []
        for month in state.cases:
            at = self._due(month)
            covered = before.calendar.provisional(at) and not self.calendar.provisional(at)
            known = all((bench.rule_id, month) in state.standing for bench in self.benches)
            if covered or not known:
                due.append((at, month))
        return due

    def _due(self, month: Month) -> int:
        return int(self.calendar.zone.utc((day_after(month[2]) + DAYS_AFTER) * DAY_US))

    def _row(self, state: VolumeState, month: Month, at: int, gap: bool) -> Row:
        department, item, period = month
        cases, number = state.cases[month], int(period[:4]) * 12 + int(period[5:]) - 1
        before = state.cases.get((department, item, _period(number - 1)), 0)
        year_before = state.cases.get((department, item, _period(number - 12)), 0)
        return {
            "key": "\x1f".join(month), "subject": department, "department": department,
            "item": item, "period": period, "at": at, "since": day_after(period),
            "cases": cases, "gap": gap,
            "has_month_before": before > 0, "cases_month_before": before,
            "month_change": change(cases, before), "has_year_before": year_before > 0,
            "cases_year_before": year_before, "year_change": change(cases, year_before),
        }  # fmt: skip


def change(cases: int, earlier: int) -> int:
    """‰ by which a number grew or shrank, rounded towards zero; 0 where the earlier is none."""
    grown = (cases - earlier) * 1_000
    return 0 if not earlier else -(-grown // earlier) if grown < 0 else grown // earlier


def _period(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _ordinary(
    state: VolumeState, learner: str, month: Month, at: int, limit_of: LimitOf
) -> Limit | None:
    """What was learned of the month from the days before it, None where nothing was published."""
    key = (learner, month)
    if key not in state.ordinary:
        department, item, period = month
        one = limit_of(learner, (item, department), day_after(period) - 1, at)
        if one is None or one.until + 1 != _first_day(period):  # that of a month before stood on
            return None
        state.ordinary[key] = one
    return state.ordinary[key]


def _within(one: Limit, cases: int) -> dict[str, Any]:
    """Is a month's number ordinary, and what a finding says of that."""
    values = [value for value, _ in one.ordinary]
    low, high = one.value, max(one.value, values[-1])
    since, until = date_of(one.since), date_of(one.until)
    return {
        "is_ordinary": low <= cases <= high,
        "learned": {
            "ordinary_low": low, "ordinary_middle": values[len(values) // 2],
            "ordinary_high": high, "learned_cases": one.n,
            "months": (until.year - since.year) * 12 + until.month - since.month + 1,
            "since_day": since.isoformat(), "until_day": until.isoformat(),
            "ordinary": [list(point) for point in one.ordinary],
        },
    }  # fmt: skip


def _first_day(period: str) -> int:
    return day_of_date(date.fromisoformat(f"{period}-01"))
