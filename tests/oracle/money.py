"""Event rules about money: fees, and fines within their benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from detector.event import Event
from detector.values import ABSENT

from .outcome import Hit, Outcome, letters
from .setting import OBenchmark, Setting, last_stated


def fee_mismatch(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.fee_due == ABSENT and e.fee_paid == ABSENT:
        return None
    fee = how.item_fee(e)
    if fee is None and (e.fee_due == ABSENT or e.fee_paid == ABSENT):
        return how.no_fee(e)
    expected = e.fee_due if e.fee_due != ABSENT else cast(int, fee)
    paid_wrong = e.fee_paid - expected if e.fee_paid != ABSENT else 0
    asked_wrong = e.fee_due - fee if e.fee_due != ABSENT and fee is not None else 0
    if any(other.relief_reason for other in (*past, e)):
        paid_wrong, asked_wrong = max(0, paid_wrong), max(0, asked_wrong)
    if paid_wrong:
        return [Hit(paid_wrong, expected, (e,), reason="short" if paid_wrong < 0 else "over")]
    if asked_wrong:
        reason = "short" if asked_wrong < 0 else "over"
        return [Hit(asked_wrong, expected if fee is None else fee, (e,), reason=reason)]
    return None


def unpaid_issue(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.action != "issue":
        return None
    events = (*past, e)
    stated = last_stated(events, "fee_due")
    due = how.item_fee(e) if stated is None else stated
    if due is None:
        return how.no_fee(e)
    unpaid = due - sum(other.fee_paid for other in events if other.fee_paid != ABSENT)
    if unpaid <= 0 or any(other.relief_reason for other in events):
        return None
    return [Hit(unpaid, due, (e,))]


def unlawful_fee(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    given = [fee for fee in (e.fee_due, e.fee_paid) if fee != ABSENT]
    if not given:
        return None
    fee = how.item_fee(e)
    if fee is None:
        return how.no_fee(e)
    return [Hit(max(given), 0, (e,))] if fee == 0 and max(given) > 0 else None


def benchmark_of(e: Event, benchmarks: Sequence[OBenchmark]) -> OBenchmark | None:
    """The benchmark of the event's grade: its party's own, else the one that names no party."""
    graded = [b for b in benchmarks if b.grade == e.grade]
    own = [b for b in graded if b.party_kind is not None and b.party_kind == e.party_kind]
    general = [b for b in graded if b.party_kind is None]
    return next(reversed(own or general), None)


def discretion_deviation(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.fine == ABSENT:
        return None
    if e.item not in how.items:
        return "item_not_listed"
    benchmarks = how.items[e.item].benchmarks
    if not benchmarks:
        return "no_benchmark"
    if e.grade is None:
        return "no_grade"
    benchmark = benchmark_of(e, benchmarks)
    if benchmark is None:
        return "grade_not_listed"
    least, most = benchmark.least_fen, benchmark.most_fen
    outside = max(0, least - e.fine, e.fine - most)
    value = min(10**9, -(-outside * 1_000 // max(1, most - least)))
    if benchmark.factors and not set(benchmark.factors) & set(e.factors):
        value = max(value, 1_000)
    return [Hit(value, 0, (e,))] if value > 0 else None


def justified(e: Event) -> bool:
    """Whether the event says that its fine deviates for a reason."""
    return "justified" in e.factors and letters(e.reason) >= 10


def major_penalty(past: Sequence[Event], e: Event, how: Setting) -> Outcome:
    if e.fine == ABSENT:
        return None
    here = {"item": e.item, "party_kind": e.party_kind}
    limit = 100 * how.limited("major_penalty", here, "limit_yuan", "default_limit_yuan")
    return [Hit(e.fine, limit, (e,))] if e.fine > limit else None
