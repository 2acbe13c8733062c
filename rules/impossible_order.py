"""Accepted after closing, closed before accepted, corrected before notified. 时序异常

What    Seconds by which the two events stand the wrong way round, by the times they claim.
Basis   Jiangsu PROCESS_BEFORE_REGISTER (登记时间异常) and PROCESS_AFTER_FINISH (办结时间异常).
Unit    Seconds of claimed time (`occurred_at`).
Blind   A case accepted anew after its close is found too: reopening wants a case of its own.
"""

import numpy as np

from detector.rulekit import NEVER_BELOW, Band, Column, Columns, Example, Params, Rule, ev


def other_at(c: Columns, p: Params) -> Column:
    """When the event was that must stand on the other side of this one."""
    at = np.where(c["is_close"], c["accept_occurred_at"], c["correct_occurred_at"])
    return np.where(c["is_accept"], c["close_occurred_at"], at)


def inversion(c: Columns, p: Params) -> Column:
    """Microseconds by which the order is turned round, 0 where it is right."""
    ahead = other_at(c, p) - c["occurred_at"]
    ahead = np.where(c["is_accept"], np.where(c["was_closed"], -ahead, 0), ahead)
    return np.maximum(0, ahead)


def other_event(c: Columns, p: Params) -> Column:
    """The event on the other side."""
    event = np.where(c["is_close"], c["accept_event"], c["correct_event"])
    return np.where(c["is_accept"], c["close_event"], event)


_ACCEPT = ev("accept", "2026-03-02 09:00:00", operator="A")


def _close(occurred: str, **fields):
    return ev("close", "2026-03-05 09:00:00", operator="C", occurred_at=occurred, **fields)


RULE = Rule(
    id="impossible_order",
    edition=1,
    family="truth",
    zh="时序异常",
    en="impossible order",
    basis="Jiangsu transport: PROCESS_BEFORE_REGISTER, PROCESS_AFTER_FINISH (published)",
    unit="s",
    actions=("accept", "close", "corrected"),
    unknown=(
        ("no_acceptance", lambda c, p: c["is_close"] & ~c["was_accepted"]),
        ("no_correction_notice", lambda c, p: c["is_corrected"] & ~c["was_notified"]),
    ),
    measure=inversion,
    limit=lambda c, p: c["occurred_at"] * 0,
    bands=(
        Band("in_order", NEVER_BELOW),
        Band("inverted", 0, tier=1, exclusive=True, zh="先后次序不可能", en="an order that cannot be"),
    ),
    stamps=("occurred_at", "other_occurred_at"),
    mutes=("imported",),
    events=lambda c, p: (other_event(c, p), c["this_event"]),
    evidence=("step", "occurred_at", "other_occurred_at", "operator"),
    sentence_zh="办件 {case_id}：“{step}”时间 {occurred_at} 与应在其前（后）的环节时间 {other_occurred_at} 颠倒 {value} 秒。",
    sentence_en="Case {case_id}: \"{step}\" at {occurred_at} and its counterpart at {other_occurred_at} stand {value} s the wrong way round.",
    examples=(
        Example("closed an hour before it was accepted", (_ACCEPT, _close("2026-03-02 08:00:00")), "inverted"),
        Example("closed one second before", (_ACCEPT, _close("2026-03-02 08:59:59")), "inverted"),
        Example("closed at the very instant", (_ACCEPT, _close("2026-03-02 09:00:00")), "clear"),
        Example("accepted after closing", (_ACCEPT, _close("2026-03-03 09:00:00"), ev("accept", "2026-03-06 09:00:00", operator="A")), "inverted"),
        Example("corrected before notified", (_ACCEPT, ev("correct", "2026-03-03 09:00:00", operator="A"), ev("corrected", "2026-03-04 09:00:00", operator="A", occurred_at="2026-03-03 08:00:00")), "inverted"),
        Example("corrected after the notice", (_ACCEPT, ev("correct", "2026-03-03 09:00:00", operator="A"), ev("corrected", "2026-03-04 09:00:00", operator="A")), "clear"),
        Example("corrected without a notice", (_ACCEPT, ev("corrected", "2026-03-04 09:00:00", operator="A")), "undetermined:no_correction_notice"),
        Example("closed without an acceptance", (_close("2026-03-03 09:00:00"),), "undetermined:no_acceptance"),
        Example("a close that names only its day", (_ACCEPT, _close("2026-03-02 00:00:00")), "undetermined:date_only"),
        Example("declared bulk import", (_ACCEPT, _close("2026-03-02 08:00:00", imported=True)), "muted:imported"),
    ),
)  # fmt: skip
