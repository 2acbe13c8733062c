"""A case's page takes suspensions out of its working time as the engine's clock does."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from fuzz_kit import Site
from live_kit import Live

from detector.values import read_time
from detector.web.pages.case import SHOWN, suspended, timeline, worked
from detector.workcalendar import NEVER

ENGINE = Live(start=False).runner.shard.engine
CALENDAR, ZONE = ENGINE.calendar, ENGINE.calendar.zone


def line(name: str, action: str, day: int, **told: Any) -> dict[str, Any]:
    """One record of a case, on a working Monday (2026-03-02) or a day after it."""
    at = f"2026-03-{day:02d}T09:00:00+08:00"
    stamps = dict.fromkeys(("occurred_at", "recorded_at", "received_at"), at)
    return {**dict.fromkeys(SHOWN), "event_id": name, "action": action, **stamps, **told}


def days(*lines: dict[str, Any], until: int = 10) -> float:
    """Working days from the first record to a day, suspensions taken out."""
    begin, end = read_time(lines[0]["occurred_at"], ZONE), at(until)
    return worked(suspended(list(lines), CALENDAR), begin, end, CALENDAR) / CALENDAR.day_us


def at(day: int) -> int:
    return read_time(f"2026-03-{day:02d}T09:00:00+08:00", ZONE)


ACCEPT, RESUME = line("a", "accept", 2), line("r", "resume", 4, procedure="hearing")
HEARING = line("s", "suspend", 3, procedure="hearing", days_granted=3)


@pytest.mark.parametrize(("lines", "left"), [
    ((ACCEPT,), 6.0),
    ((ACCEPT, HEARING, RESUME), 5.0),  # it ended after one day
    ((ACCEPT, HEARING), 3.0),  # nobody ended it: the days granted, and no more
    ((ACCEPT, HEARING, line("r", "resume", 10, procedure="hearing")), 3.0),
    ((ACCEPT, HEARING, line("r", "resume", 4, procedure="test")), 3.0),  # the end of another
    ((ACCEPT, {**HEARING, "days_granted": None}), 1.0),  # without days it stands still
    ((ACCEPT, HEARING, {**HEARING, "event_id": "t", "supersedes": "s", "days_granted": 1}), 5.0),
])  # fmt: skip
def test_working_time_is_without_suspensions(lines, left):
    assert days(*lines) == left


def test_gaps_that_hold_a_suspension_are_marked():
    rows = timeline([ACCEPT, HEARING, RESUME, line("c", "close", 5)], [], ENGINE)
    assert [row["still"] for row in rows] == [False, False, True, False]
    assert [row["worked"] for row in rows][2] == 0
    assert suspended([ACCEPT, {**HEARING, "days_granted": None}], CALENDAR)[0][1] == NEVER


def test_overlapping_suspensions_are_taken_out_once():
    other = line("t", "suspend", 4, procedure="test", days_granted=2)
    assert days(ACCEPT, HEARING, other) == 1.0  # three days, and two more behind them


class Heard(Site):
    """A case that stands still for a hearing."""

    def feed(self, live: Live) -> None:
        """Accepted, and suspended a day later."""
        told = {"case_id": "c1", "item": "permit", "department": "D01"}
        stamps = ("occurred_at", "recorded_at", "received_at")
        for one in (ACCEPT, HEARING, line("p", "pay", 5)):
            live.post({k: v for k, v in (one | told).items() if v is not None or k in stamps})


def test_the_page_says_in_words_when_the_clock_stood_still(tmp_path):
    with ExitStack() as ends:
        site = Heard(tmp_path, ends)
        for lang, word in (("zh", "特别程序期间，不计时"), ("en", "Clock suspended")):
            page = site.ask("GET", "/cases/c1", f"lang={lang}", b"").body.decode()
            assert page.count(word) == 2 and '<tr class="still">' in page
            stretch = page.partition(f"<dt>{word}</dt><dd>")[2].partition("</dd>")[0]
            assert "3" in stretch and " – " in stretch
