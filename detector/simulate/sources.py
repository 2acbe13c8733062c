"""The systems that send the events (数据来源), and those that fall silent for a while. 静默

A department's events come from its own system, which has no name, or from one that has one. What
was heard when is told from the rows as they arrived.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.simulate.deeds import DEED, acts
from detector.simulate.plan import Plan
from detector.simulate.rows import Rows, Truth
from detector.simulate.stream import US, Stream

OWN = -1
NAMED = ("d02_hall", "d05_hall", "d05_web", "d07_net")
SYSTEMS = {"D02": (OWN, 0), "D05": (1, 2), "D07": (OWN, 3)}  # each case goes by either
PAUSES = ((0, OWN), (2, 1), (3, OWN))  # a system that falls silent, and the one instead
WAYS = ("gone", "at_limit", "second_late")  # for how long
SILENT_DAYS, KNOWN_DAYS, BUSY_DAYS = 2, 20, 15  # working days
AGAIN_DAYS = 12  # between the pauses of a system
GONE_DAYS = (0.2, 3)  # longer than the limit
SPARE_S = 60  # before the next record of a case
TRIES = 8


class Heard(NamedTuple):
    """When a source was heard, in order, and on which days."""

    rows: np.ndarray
    at: np.ndarray  # seconds UTC
    nth: np.ndarray  # working days begun by then
    works: np.ndarray  # whether the local day is one

    def known(self, place: int) -> bool:
        """Whether one that was heard for the last time there had been heard on most days."""
        first = int(self.nth[place]) - KNOWN_DAYS + 1
        begun = int(self.nth[0]) + (not self.works[0])  # the first working day in full
        worked = self.nth[: place + 1][self.works[: place + 1]]
        return begun <= first and len(np.unique(worked[worked >= first])) >= BUSY_DAYS


def heard(plan: Plan, s: Stream, rows: np.ndarray) -> Heard:
    """What these rows let hear; a line that is sent again lets hear nothing."""
    rows = rows[s.version[rows] != 1]
    rows = rows[np.argsort(s.received[rows], kind="stable")]
    return Heard(rows, s.received[rows], *plan.district.calendar.workday(s.received[rows] * US))


def silent_after(plan: Plan, at: np.ndarray) -> np.ndarray:
    """Until when one that was heard then (seconds UTC) may be silent, µs UTC."""
    calendar = plan.district.calendar
    return calendar.add(at * US, SILENT_DAYS * calendar.day_us, "right")


def send(r: Rows, s: Stream) -> None:
    """Which system sends each event, and when one of them sends none. Rows of `s` are those of
    `r`, and later versions behind them."""
    department = r.plan.department[s.item]
    either = (r.rng.random(r.cases) < 0.5).astype(np.int64)
    for name, systems in SYSTEMS.items():
        rows = np.flatnonzero(department == r.plan.departments.index(name))
        s.source[rows] = np.array(systems)[either[s.case[rows]]]
    first = int(r.rng.integers(len(WAYS)))
    for n, (system, instead) in enumerate(PAUSES):
        _pause(r, s, system, instead, first + n)
    again = np.flatnonzero(s.version == 1)
    s.source[again] = s.source[s.of[again]]


def _pause(r: Rows, s: Stream, system: int, instead: int, way: int) -> None:
    """Now and then a system that was heard on most days falls silent; its work goes on."""
    calendar = r.calendar
    begun = calendar.workday(int(s.received.min()) * US)[0]
    last = calendar.workday(int(s.received.max()) * US)[0]
    for day in range(int(begun) + KNOWN_DAYS, int(last), AGAIN_DAYS):
        told = heard(r.plan, s, np.flatnonzero(s.source == system))
        places = np.flatnonzero((told.nth == day) & told.works)
        for place in r.rng.permutation(places)[:TRIES].tolist():
            since = int(told.at[place])
            row, back = _back(r, s, system, since, WAYS[way % len(WAYS)])
            if back and told.known(place):
                s.source[told.rows[(told.at > since) & (told.at < back)]] = instead
                if row >= 0:
                    s.source[row], s.received[row] = system, back
                break
        way += 1


def _back(r: Rows, s: Stream, system: int, since: int, way: str) -> tuple[int, int]:
    """When (seconds UTC) one that falls silent is heard again, and by which row (-1: by any);
    never at 0, where no row fits."""
    end = int(silent_after(r.plan, np.array([since]))[0])
    if way == "gone":
        more = int(r.rng.uniform(*GONE_DAYS) * r.plan.day_s)
        return -1, int(r.calendar.add(end, more * US)) // US
    back = end // US + (way == "second_late")
    row = _late_row(r, s, system, back)
    return row, back if row >= 0 else 0


def _late_row(r: Rows, s: Stream, system: int, at: int) -> int:
    """An honest record of the department and the day that may arrive then, as its case's next
    comes later; -1 for none."""
    recorded, calendar = r.s.recorded, r.calendar
    same_day = calendar.day(recorded * US) == calendar.day(at * US)
    name = next(name for name, systems in SYSTEMS.items() if system in systems)
    mine = r.plan.department[r.s.item] == r.plan.departments.index(name)
    fits = same_day & mine & (r.deed == DEED["honest"]) & (recorded < at)
    rows = np.flatnonzero(fits)
    rows = rows[recorded[rows] + np.minimum(r.until_next(rows), 1 << 40) > at + SPARE_S]
    return int(rows[np.argmax(recorded[rows])]) if len(rows) else -1


def subjects(plan: Plan) -> list[str]:
    """The names of all sources."""
    return [*NAMED, *plan.departments]


def subjects_of(plan: Plan, s: Stream, rows: np.ndarray) -> np.ndarray:
    """The source of each of these rows: index into `subjects`."""
    own = len(NAMED) + plan.department[s.item[rows]].astype(np.int64)
    return np.where(s.source[rows] == OWN, own, s.source[rows])


def tell(plan: Plan, s: Stream, truth: Truth, until: int) -> None:
    """What is true of sources by the end (seconds UTC). Rows of `s` stand by arrival."""
    source = subjects_of(plan, s, np.arange(len(s)))
    for one in range(len(subjects(plan))):
        told = heard(plan, s, np.flatnonzero(source == one))
        over = silent_after(plan, told.at)
        again = np.append(told.at[1:], until + 1) * US
        quiet = np.flatnonzero(over < again).tolist()
        places = np.array([place for place in quiet if told.known(place)], np.int64)
        truth.tell("silent_source", told.rows[places], 0, over[places])
    _tell_stamps(plan, s, source, truth)


def _tell_stamps(plan: Plan, s: Stream, source: np.ndarray, truth: Truth) -> None:
    """The first close of a source and a day that bears the stamp of its acceptance."""
    action = plan.action[s.item, s.slot]
    accepts, closes = (np.flatnonzero(acts(action, name)) for name in ("accept", "close"))
    accepted = np.full(int(s.case.max()) + 1, -1)
    accepted[s.case[accepts]] = s.recorded[accepts]
    speaks = ~s.imported & ~plan.on_the_spot[s.item]
    rows = closes[(s.recorded[closes] == accepted[s.case[closes]]) & speaks[closes]]
    known = np.maximum(s.recorded[rows] + plan.district.limits.lateness_s, s.received[rows])
    rows = rows[np.lexsort((rows, s.recorded[rows], known))]  # an event's id rises with its row
    day = plan.district.calendar.day(s.recorded[rows] * US)
    _, first = np.unique(np.stack([source[rows], day]), axis=1, return_index=True)
    truth.tell("one_stamp_source", rows[first], 1)
