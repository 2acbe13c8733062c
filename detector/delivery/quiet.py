"""Stage 5, quiet (免打扰): at night and on days off only what is grave is sent.

Systems do not sleep, so webhooks get everything at once.
"""

from __future__ import annotations

from detector.channels import DeliverySettings
from detector.delivery.outbox import Row
from detector.delivery.passing import Facts, Passing
from detector.workcalendar import DAY_US, WorkCalendar

QUIET = "quiet"
NEVER_QUIET = ("webhook",)
DAYS_MAX = 400  # looked ahead for a day on which it may be sent
MINUTE_US = 60_000_000


def quiet(rows: list[Row], facts: Facts, out: Passing) -> list[Row]:
    """Those that may go now."""
    settings = facts.district.channels.delivery
    until = opens(facts.now_us, settings, facts.district.calendar)
    on = []
    for row in rows:
        if (
            until <= facts.now_us
            or row.tier >= settings.pierce_tier
            or facts.kind(row.channel) in NEVER_QUIET
        ):
            on.append(row)
        else:
            out.later(row, until, QUIET)
    return on


def opens(now_us: int, settings: DeliverySettings, calendar: WorkCalendar) -> int:
    """The first instant from now on at which people may be disturbed; now where there is none, for
    what is never sent is lost."""
    local = int(calendar.zone.local(now_us))
    today = local // DAY_US
    for day in range(today, today + DAYS_MAX):
        if not (settings.on_days_off or calendar.works(day)):
            continue
        begin = max(local, day * DAY_US) - day * DAY_US
        at = _loud_from(begin, settings.quiet)
        if at < DAY_US:
            wall = day * DAY_US + at
            return now_us if wall == local else max(int(calendar.zone.utc(wall)), now_us + 1)
    return now_us


def _loud_from(at: int, spans: tuple[tuple[int, int], ...]) -> int:
    """The first µs of a local day, not before `at`, that no quiet span holds; a day's length where
    all the rest is quiet. A span whose end is not after its begin goes over midnight."""
    parts = []
    for first, last in spans:
        a, b = first * MINUTE_US, last * MINUTE_US
        parts += [(a, b)] if a < b else [(0, b), (a, DAY_US)]
    for begin, end in sorted(parts):
        if begin <= at < end:
            at = end
    return at
