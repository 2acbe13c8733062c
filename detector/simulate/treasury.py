"""What is true of fines and receipts: docs/judging.md, read for each department, item and month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from detector.simulate.reports import Reports, month_after
from detector.simulate.stream import US

Month = tuple[str, str, str]  # department, item, YYYY-MM
LARGE_FEN = 1_000_000
TIER = {"differs": 1, "large": 2}
NO_CASE = ""


class Fine(NamedTuple):
    """The fine of a case, or what a correction of it adds."""

    month: Month
    case_id: str
    fen: int
    known: int  # when it is judged, seconds UTC


class Receipt(NamedTuple):
    """A receipt as it arrived; of a case, or of an item's month."""

    case_id: str  # NO_CASE where it names none
    month: Month | None  # by the day it was paid, where it names the item
    fen: int
    received: int


def due(reports: Reports, month: str) -> int:
    """When a month is judged, seconds UTC."""
    calendar = reports.county.plan.district.calendar
    at = calendar.add(month_after(month, 16) * US, 2 * calendar.day_us, "right")
    return int(at) // US


@dataclass
class Account:
    """A department's item in one month: what was fined and received so far."""

    fines: dict[str, int] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)  # receipts by case
    loose: int = 0  # receipts without a case
    short: int = 0  # of the cases with receipts of their own
    over: int = 0
    others: int = 0  # fines of the other cases

    def take(self, one: Fine | Receipt) -> None:
        """Enter a fine or a receipt."""
        if not one.case_id:
            self.loose += one.fen
            return
        self._count(one.case_id, -1)
        book = self.fines if isinstance(one, Fine) else self.own
        book[one.case_id] = book.get(one.case_id, 0) + one.fen
        self._count(one.case_id, 1)

    def _count(self, case: str, sign: int) -> None:
        fined, own = self.fines.get(case), self.own.get(case)
        if fined is None:
            return
        if own is None:
            self.others += sign * fined
            return
        self.short += sign * max(0, fined - own)
        self.over += sign * max(0, own - fined)

    def judged(self) -> tuple[int, int]:
        """Value and tier; value 0 where nothing differs."""
        gap = self.others - self.loose
        short, over = self.short + max(0, gap), self.over + max(0, -gap)
        large = short * 20 > sum(self.fines.values()) and short > LARGE_FEN
        return short or -over, TIER["large" if large else "differs"]


@dataclass
class Books:
    """All fines and receipts, and what each month came to."""

    fines: list[Fine] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    told: dict[Month, list[tuple[int, int]]] = field(default_factory=dict)  # (instant, value)
    deeds: dict[Month, str] = field(default_factory=dict)  # how each was settled

    def judge(self, reports: Reports) -> None:
        """Tell what stands of every month, and keep what stood when."""
        entries: defaultdict[Month, list[Fine | Receipt]] = defaultdict(list)
        of_case = {fine.case_id: fine.month for fine in self.fines}
        for fine in self.fines:
            entries[fine.month].append(fine)
        for receipt in self.receipts:
            month = of_case.get(receipt.case_id) if receipt.case_id else receipt.month
            if month is not None:
                entries[month].append(receipt)
        for month in sorted(entries):
            at = due(reports, month[2])
            found: dict[int, tuple[int, int]] = {}  # by value: where it was first found, and tier
            self.told[month] = []
            for moment, value, tier in _judgements(entries[month], at, reports.county.until):
                found.setdefault(value, (moment, tier))
                self.told[month].append((moment, value))
            value = self.told[month][-1][1] if self.told[month] else 0
            if value:
                moment, tier = found[value]
                reports.tell("treasury_gap", "department", month[0], moment, tier, month[1], value)

    def stands(self, month: Month, at: int) -> bool:
        """Whether a gap of the month stands at an instant."""
        before = [value for moment, value in self.told.get(month, []) if moment <= at]
        return bool(before and before[-1])


def _judgements(
    entries: list[Fine | Receipt], due_s: int, until: int
) -> Iterator[tuple[int, int, int]]:
    """(instant, value, tier) of each judgement of a month: at its instant and at all that is
    later."""
    if due_s > until:
        return
    account = Account()
    in_order = sorted(entries, key=_known)
    later = [one for one in in_order if due_s < _known(one) <= until]
    for one in in_order:
        if _known(one) <= due_s:
            account.take(one)
    yield due_s, *account.judged()
    for one in later:
        account.take(one)
        yield _known(one), *account.judged()


def _known(one: Fine | Receipt) -> int:
    return one.known if isinstance(one, Fine) else one.received
