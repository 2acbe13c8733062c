"""How fees and fines reach the treasury: in full and in time, or not, case by case and month by
month."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from detector.simulate.deeds import is_one
from detector.simulate.reports import DAY_S, Reports, day_of, dealt, month_after, stamp, yuan
from detector.simulate.stream import begin_s
from detector.simulate.text import FORMER
from detector.simulate.treasury import LARGE_FEN, NO_CASE, Books, Fine, Month, Receipt, due

ELSEWHERE = "D08"  # whose counter takes money of all
DEEDS = (  # how a month is settled
    "settled", "pooled", "fen_short", "fen_over", "withheld", "twentieth", "over_a_twentieth",
    "ten_thousand", "over_ten_thousand", "mended", "half_mended", "next_month",
)  # fmt: skip
POOLED = (
    "pooled", "twentieth", "over_a_twentieth", "ten_thousand", "over_ten_thousand", "next_month",
)  # fmt: skip


def pay_in(reports: Reports) -> Books:
    """All receipts, and what is true of each month."""
    books, county = Books(), reports.county
    till = Till(reports, books, np.random.default_rng([county.seed, 4]))
    till.take(NO_CASE, None, 12_345, begin_s(county.plan.district.calendar) + 60)  # of no month
    _fees(till)
    books.fines = _fines(reports)
    months = _by_month(books.fines)
    books.deeds = dict(zip(months, dealt(DEEDS, len(months), till.rng), strict=True))
    for month, deed in books.deeds.items():
        settle(till, month, months[month], deed)
    _strangers(till)
    books.judge(reports)
    return books


@dataclass
class Till:
    """Where receipts are written down."""

    reports: Reports
    books: Books
    rng: np.random.Generator
    number: int = 0

    def take(
        self, case_id: str, month: Month | None, fen: int, received: int, *,
        paid_on: str | None = None, department: str | None = None, names_item: bool = True,
    ) -> None:  # fmt: skip
        """One receipt. `month`: whose money it is; it is paid on the day before it arrives
        unless the day is given."""
        day = paid_on or day_of(received - DAY_S)
        department = department or (month[0] if month else ELSEWHERE)
        item = month[1] if month and names_item else None
        told = {"department": department, "item": item, "case_id": case_id or None}
        told |= {"amount": yuan(fen), "paid_on": day}
        if self.reports.add("treasury", self.number, received, **told):
            counts = (department, item, day[:7]) if item else None
            self.books.receipts.append(Receipt(case_id, counts, fen, received))
        self.number += 1


def _fees(till: Till) -> None:
    """Fees reach the treasury the next morning, case by case; they are nobody's fine."""
    plan, s = till.reports.county.plan, till.reports.county.stream
    superseded = s.of[s.version == 2]
    rows = np.setdiff1d(np.flatnonzero((s.version != 1) & (s.paid > 0)), superseded)
    told = s.item[rows], plan.department[s.item[rows]], s.case[rows], s.paid[rows], s.recorded[rows]
    for item, department, case, fen, at in zip(*(one.tolist() for one in told), strict=True):
        month = plan.departments[department], plan.codes[item], ""
        till.take(case_name(till.reports, case), month, fen, at + 20 * 3_600, paid_on=day_of(at))


def case_name(reports: Reports, case: int) -> str:
    """The id of a case."""
    return f"{reports.county.plan.district.code}26{case:09d}"


def _fines(reports: Reports) -> list[Fine]:
    """Every fine above nothing; of one that is corrected, what it is then more or less. An item
    that is not listed has an account of its own."""
    county, plan, s = reports.county, reports.county.plan, reports.county.stream
    rows = np.flatnonzero((s.fine > 0) & (s.version != 1))
    known = np.maximum(s.recorded + plan.district.limits.lateness_s, s.received)
    more = s.fine - np.where(s.version == 2, s.fine[s.of], 0)
    unlisted = is_one(county.cases.deed[s.case[rows]], "unlisted")
    told = []
    for row, former in zip(rows.tolist(), unlisted.tolist(), strict=True):
        item = int(s.item[row])
        code = f"{plan.codes[item]}_{FORMER}" if former else plan.codes[item]
        department = plan.departments[plan.department[item]]
        month = department, code, day_of(int(s.occurred[row]))[:7]
        case = case_name(reports, int(s.case[row]))
        told.append(Fine(month, case, int(more[row]), int(known[row])))
    return told


def _by_month(fines: list[Fine]) -> dict[Month, list[Fine]]:
    """The fines that stand in the end, one a case, known since they were first decided."""
    cases: dict[str, Fine] = {}
    for fine in fines:
        first = cases.get(fine.case_id, fine._replace(fen=0))
        cases[fine.case_id] = first._replace(fen=first.fen + fine.fen)
    months: defaultdict[Month, list[Fine]] = defaultdict(list)
    for fine in cases.values():
        months[fine.month].append(fine)
    return dict(sorted(months.items()))


def settle(till: Till, month: Month, fines: list[Fine], deed: str) -> None:
    """The receipts of a month, as its deed has it."""
    rng, at = till.rng, due(till.reports, month[2])
    order = [fines[n] for n in rng.permutation(len(fines)).tolist()]
    total = sum(fine.fen for fine in fines)
    pooled = order[: (len(order) + 1) // 2] if deed in POOLED else []
    alone = order[len(pooled) :]
    if pooled:
        lacks = {
            "twentieth": total // 20, "over_a_twentieth": total // 20 + 1,
            "ten_thousand": LARGE_FEN, "over_ten_thousand": LARGE_FEN + 1,
        }.get(deed, 0)  # fmt: skip
        _together(till, month, pooled, lacks, at, late=deed == "next_month")
    if deed == "withheld":
        kept = 0
        while alone and (kept * 20 <= total or kept <= LARGE_FEN):
            kept += alone.pop().fen
    for n, fine in enumerate(alone):
        off = {"fen_short": -1, "fen_over": 1}.get(deed, 0) if n == 0 else 0
        late = deed in ("mended", "half_mended") and n % 3 == 0
        lost = fine.fen // 2 if late and n and deed == "half_mended" else 0
        _by_itself(till, fine, fine.fen + off - lost, at, late=late)


def _together(
    till: Till, month: Month, fines: list[Fine], lacks: int, at: int, *, late: bool
) -> None:
    """Receipts without a case, paid within the month, or on the first day of the next."""
    rng, sum_fen = till.rng, max(0, sum(fine.fen for fine in fines) - lacks)
    first = month_after(month[2], 1)
    last = first if late else first - 1
    half = int(sum_fen * rng.random())
    for fen, day in ((half, first - int(rng.integers(2, 20)) * DAY_S), (sum_fen - half, last)):
        received = max(day + 60, at - int(rng.integers(0, 10 * DAY_S)))
        dated = day_of(day) if rng.random() < 0.5 else stamp(day)
        till.take(NO_CASE, month, fen, received, paid_on=dated)


def _by_itself(till: Till, fine: Fine, fen: int, at: int, *, late: bool) -> None:
    """The receipts of a case: one, or two instalments; in time up to the very instant."""
    rng = till.rng
    parts = [fen // 3, fen - fen // 3] if rng.random() < 0.2 else [fen]
    for n, part in enumerate(parts):
        received = fine.known + int(rng.integers(-3_600, 14 * DAY_S))
        if fine.known < at:
            received = at if rng.random() < 0.05 else min(received, at - int(rng.integers(0, 60)))
        if late and n == len(parts) - 1:
            received = max(at, fine.known) + int(rng.integers(3_600, 6 * DAY_S))
        department = ELSEWHERE if rng.random() < 0.05 else None
        till.take(
            fine.case_id, fine.month, part, received,
            department=department, names_item=rng.random() < 0.7,
        )  # fmt: skip


def _strangers(till: Till) -> None:
    """Money of items that were never fined for, of cases that were not, and of nobody."""
    reports, rng = till.reports, till.rng
    plan, begin = reports.county.plan, begin_s(reports.county.plan.district.calendar)
    weeks = max(1, (reports.last - begin) // (7 * DAY_S))
    for week in range(int(weeks)):
        received = begin + week * 7 * DAY_S + int(rng.integers(DAY_S, 6 * DAY_S))
        item = int(rng.integers(len(plan.codes)))
        month = plan.departments[plan.department[item]], plan.codes[item], ""
        fen = int(rng.integers(0, 50_000))
        case = case_name(reports, len(reports.county.cases.item) + week)  # which is not known
        till.take(case, month, fen, received)
        till.take(NO_CASE, None, fen, received)
        if week % 6 == 3 and not plan.district.catalogue.items[month[1]].benchmarks:
            till.take(NO_CASE, month, fen * (week % 4 > 0), received)
