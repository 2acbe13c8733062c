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
Due = tuple[int, str, Month]  # the instant at which a rule judges a month


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
    due: dict[Month, dict[str, int]] = {}  # when each rule judges it first
    waiting: set[tuple[str, Month]] = set()  # not judged for want of any receipt: (rule, month)
    gone: set[Version] = set()  # taken back before they were judged
    standing: dict[tuple[str, Month], Standing] = {}


class Treasury:
    """The rules over months of fines of a rulebook."""

    def __init__(self, rules: Sequence[Configured], calendar: WorkCalendar, teller: Teller) -> None:
        self.benches = {c.rule.id: Bench(c, calendar, teller) for c in rules}
        self.calendar, self.teller = calendar, teller

    def decide(
        self, state: TreasuryState, fine: Fine, at: int, said: Said
    ) -> tuple[Told, list[Due]]:
        """Take up what one event does to the fines: what that tells, and clocks that now run."""
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

    def receive(self, state: TreasuryState, fact: Fact, said: Said) -> tuple[Told, list[Due]]:
        """Take up a receipt: as `decide`."""
        told, at = fact.fields, fact.received_at
        case, item = told.get("case_id"), told.get("item")
        touched, due = set[Month](), list[Due]()
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

    def fire(self, state: TreasuryState, rule: str, month: Month, said: Said) -> Told:
        """A month's instant has come."""
        return self._judge(state, rule, month, state.due[month][rule], said)

    def stands(self, state: TreasuryState, month: Month) -> bool:
        """Does a finding about this month stand."""
        told = (state.standing.get((rule, month)) for rule in self.benches)
        return any(standing.loud for standing in told if standing)

    def take_over(self, state: TreasuryState, before: Treasury, upto: int) -> list[Due]:
        """Months that others judged up to an instant get their instants by these rules; those to
        come are given, those that were never judged, and those whose year is covered only now."""
        due = []
        for month, was in state.due.items():
            state.due[month] = self._instants(month)
            for rule, at in state.due[month].items():
                held = before.calendar.provisional(was.get(rule, at))
                covered = held and not self.calendar.provisional(at)
                if at > upto or covered or (rule, month) not in state.standing:
                    due.append((at, rule, month))
        return due

    def month_of(self, instant: int) -> str:
        """The local month, YYYY-MM."""
        return date_of(int(self.calendar.day(instant))).isoformat()[:7]

    def _open(self, state: TreasuryState, month: Month, at: int) -> list[Due]:
        """A month that was not known before gets its instants; those to come are given."""
        if month in state.due:
            return []
        state.due[month] = due = self._instants(month)
        return [(instant, rule, month) for rule, instant in due.items() if instant >= at]

    def _instants(self, month: Month) -> dict[str, int]:
        """When each rule judges a month, as it is set for it."""
        department, item, name = month
        first, due = day_after(name), dict[str, int]()
        for rule, bench in self.benches.items():
            configured = bench.configured.meets(item, department, None, first)
            if configured is not None:
                params = configured.params
                midnight = self.calendar.zone.utc((first + params.grace_days) * DAY_US)
                work = params.grace_wd * self.calendar.day_us
                due[rule] = int(self.calendar.add(midnight, work, "right"))
        return due

    def _judge_all(
        self, state: TreasuryState, months: Iterable[Month], at: int, said: Said
    ) -> Told:
        """Judge again the months whose instant has passed."""
        told = Told()
        for month in sorted(months):
            for rule, due in state.due[month].items():
                if at > due:
                    told += self._judge(state, rule, month, at, said)
        return told

    def _judge(self, state: TreasuryState, rule: str, month: Month, at: int, said: Said) -> Told:
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
            "item": item, "month": name, "at": at, "since": day_after(name),
            "fines_fen": fines, "receipts_fen": received,
            "short_fen": short, "over_fen": over, "treasury_known": state.known,
            "events": [event for _, event in sorted(differ)[:EVENTS_MAX]],
        }  # fmt: skip


def day_after(month: str) -> int:
    """The first day after YYYY-MM, counted from 1970."""
    year, before = divmod(int(month[:4]) * 12 + int(month[5:]), 12)
    return date(year, before + 1, 1).toordinal() - EPOCH_DAY
