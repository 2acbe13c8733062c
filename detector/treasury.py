"""A department's fines against what reached the treasury (罚没入库), by item and month.

Receipts that name a case are matched with its fines, the others with the fines of all other cases
of their item and month. A month is judged at its own instant, and again whenever it changes later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from detector.event import Fact
from detector.explain import Teller
from detector.fines import Fine
from detector.shelf import Configured
from detector.subjects import Bench, Row, Said, Standing
from detector.values import DAY_US, EPOCH_DAY, date_of
from detector.voices import Told
from detector.workcalendar import WorkCalendar

EVENTS_MAX = 256
Month = tuple[str, str, str]  # department, item, YYYY-MM
Version = tuple[str, str, int]  # case, event, content


class Decided(msgspec.Struct):
    """A fine that stands."""

    event_id: str
    content: int
    month: Month
    fen: int


class Purse(msgspec.Struct):
    """A case's fines, in the order in which they were judged, and its own receipts."""

    fines: list[Decided] = []
    paid_fen: int = 0
    receipts: int = 0

    @property
    def home(self) -> Month | None:
        """Where its receipts belong: the month of its first fine."""
        return self.fines[0].month if self.fines else None


class TreasuryState(msgspec.Struct):
    """What is remembered of fines and receipts."""

    known: bool = False  # did any receipt ever come
    cases: dict[str, Purse] = {}
    fined: dict[Month, set[str]] = {}  # cases with a fine in it
    loose_fen: dict[Month, int] = {}  # receipts that name no case
    due: dict[Month, list[int]] = {}  # when each rule judges it first
    waiting: set[tuple[int, Month]] = set()  # not judged for want of any receipt: (rule, month)
    gone: set[Version] = set()  # taken back before they were judged
    standing: dict[tuple[int, Month], Standing] = {}


class Treasury:
    """The rules over months of fines of a rulebook."""

    def __init__(self, rules: Sequence[Configured], calendar: WorkCalendar, teller: Teller) -> None:
        self.benches = [Bench(c, calendar, teller) for c in rules]
        self.calendar, self.teller = calendar, teller

    def decide(
        self, state: TreasuryState, fine: Fine, at: int, said: Said
    ) -> tuple[Told, list[tuple[int, int, Month]]]:
        """Take up what one event does to the fines: what that tells, and (instant, rule, month) of
        clocks that now run."""
        purse = state.cases.setdefault(fine.case_id, Purse())
        home, touched = purse.home, set[Month]()
        if fine.takes_back is not None:
            touched |= self._take_back(state, purse, fine.case_id, *fine.takes_back)
        version = (fine.case_id, fine.event_id, fine.content)
        if fine.fen and version in state.gone:
            state.gone.discard(version)
        elif fine.fen:
            month = (fine.department, fine.item, self.month_of(fine.occurred_at))
            purse.fines.append(Decided(fine.event_id, fine.content, month, fine.fen))
            touched.add(month)
            state.fined.setdefault(month, set()).add(fine.case_id)
        if purse.receipts and purse.home != home:
            touched |= {month for month in (home, purse.home) if month}
        due = [one for month in sorted(touched) for one in self._open(state, month, at)]
        return self._judge_all(state, touched, at, said), due

    def _take_back(
        self, state: TreasuryState, purse: Purse, case: str, event: str, content: int
    ) -> set[Month]:
        lost = [f for f in purse.fines if (f.event_id, f.content) == (event, content)]
        if not lost:
            state.gone.add((case, event, content))
        for fine in lost:
            purse.fines.remove(fine)
            if all(f.month != fine.month for f in purse.fines):
                state.fined[fine.month].discard(case)
        return {fine.month for fine in lost}

    def receive(
        self, state: TreasuryState, fact: Fact, said: Said
    ) -> tuple[Told, list[tuple[int, int, Month]]]:
        """Take up a receipt: as `decide`."""
        told, at = fact.fields, fact.received_at
        case, item = told.get("case_id"), told.get("item")
        touched, due = set[Month](), list[tuple[int, int, Month]]()
        month = (told["department"], item, self.month_of(told["paid_on"])) if item else None
        if month:
            due = self._open(state, month, at)
        if case:
            purse = state.cases.setdefault(case, Purse())
            purse.paid_fen += told["amount"]
            purse.receipts += 1
            touched |= {purse.home} if purse.home else set()
        elif month:
            state.loose_fen[month] = state.loose_fen.get(month, 0) + told["amount"]
            touched.add(month)
        if not state.known:
            state.known = True
            touched |= {month for _, month in state.waiting}
            state.waiting.clear()
        return self._judge_all(state, touched, at, said), due

    def fire(self, state: TreasuryState, rule: int, month: Month, said: Said) -> Told:
        """A month's instant has come."""
        return self._judge(state, rule, month, state.due[month][rule], said)

    def stands(self, state: TreasuryState, month: Month) -> bool:
        """Does a finding about this month stand."""
        places = range(len(self.benches))
        return any(state.standing[n, month].loud for n in places if (n, month) in state.standing)

    def month_of(self, instant: int) -> str:
        """The local month, YYYY-MM."""
        return date_of(int(self.calendar.day(instant))).isoformat()[:7]

    def _open(self, state: TreasuryState, month: Month, at: int) -> list[tuple[int, int, Month]]:
        """A month that was not known before gets its instants; those to come are given."""
        if month in state.due:
            return []
        first = first_of_next(month[2]).toordinal() - EPOCH_DAY
        due = []
        for bench in self.benches:
            params = bench.configured.params
            midnight = self.calendar.zone.utc((first + params.grace_days) * DAY_US)
            work = params.grace_wd * self.calendar.day_us
            due.append(int(self.calendar.add(midnight, work, "right")))
        state.due[month] = due
        return [(instant, n, month) for n, instant in enumerate(due) if instant >= at]

    def _judge_all(
        self, state: TreasuryState, months: Iterable[Month], at: int, said: Said
    ) -> Told:
        """Judge again the months whose instant has passed."""
        told = Told()
        for month in sorted(months):
            for rule, due in enumerate(state.due[month]):
                if at > due:
                    told += self._judge(state, rule, month, at, said)
        return told

    def _judge(self, state: TreasuryState, rule: int, month: Month, at: int, said: Said) -> Told:
        if not state.known and not state.fined.get(month):
            return []  # its only fine was taken back
        if not state.known:
            state.waiting.add((rule, month))
        standing = state.standing.setdefault((rule, month), Standing())
        return self.benches[rule].judge_again(self._row(state, month, at), standing, said)

    def _row(self, state: TreasuryState, month: Month, at: int) -> Row:
        """What is known of a month, case by case."""
        loose = state.loose_fen.get(month, 0)
        fines = short = over = others = 0
        received = loose
        differ: list[tuple[str, str]] = []
        unmatched: list[tuple[str, str]] = []
        for case in state.fined.get(month, ()):
            purse = state.cases[case]
            here = [f for f in purse.fines if f.month == month]
            decided = sum(f.fen for f in here)
            names = [(case, f.event_id) for f in here]
            fines += decided
            if not purse.receipts or purse.home != month:
                others += decided
                unmatched += names
                continue
            received += purse.paid_fen
            short += max(0, decided - purse.paid_fen)
            over += max(0, purse.paid_fen - decided)
            differ += names if decided != purse.paid_fen else []
        short, over = short + max(0, others - loose), over + max(0, loose - others)
        differ += unmatched if others != loose else []
        department, item, name = month
        return {
            "key": "\x1f".join(month), "subject": department, "department": department,
            "item": item, "month": name, "at": at, "fines_fen": fines, "receipts_fen": received,
            "short_fen": short, "over_fen": over, "treasury_known": state.known,
            "events": [event for _, event in sorted(differ)[:EVENTS_MAX]],
        }  # fmt: skip


def first_of_next(month: str) -> date:
    """The first day of the month after YYYY-MM."""
    year, before = divmod(int(month[:4]) * 12 + int(month[5:]), 12)
    return date(year, before + 1, 1)
