"""A notice was not answered in time. 反馈超期

What    Whether a notice was answered (or had ended, or was appealed) before its limit to answer.
        It is found one tier above the notice itself.
Basis   An anomaly must be answered within 5 working days (a city measure, published); the limits of
        the other tiers are ours. The next tier: published as a ladder, its use here is ours.
Unit    Working days since the notice was issued.
Blind   An answer on paper. Where no act of anybody has ever reached us nobody can say who was late.
"""

import numpy as np

from detector.rulekit import (
    NEVER_BELOW,
    Band,
    Column,
    Columns,
    Example,
    Params,
    Rule,
    act,
    ev,
    order,
)


def unanswered_tier(c: Columns, p: Params) -> Column:
    """The tier of a notice which was not answered in time, else 0."""
    return np.where(c["late"], c["notice_tier"], 0)


_S1 = {"S1": "supervisor"}
_TOO_FAST = (
    ev("accept", "2026-03-02 10:00:00", operator="A"),
    ev("close", "2026-03-02 10:02:00", operator="B"),
)
_SEEN = act("acknowledge", "2026-03-02 11:00:00")
_WARN, _URGE, _RECTIFY = "2026-03-05 10:00:00", "2026-03-09 10:00:00", "2026-03-11 10:00:00"

RULE = Rule(
    id="late_answer",
    edition=1,
    family="supervision",
    zh="反馈超期",
    en="late answer",
    basis="Answer within 5 working days (a city measure, published); 3 and 7 for the other tiers are ours",
    unit="wd",
    subject="supervisor",
    per="notice",
    unknown=(("no_acts", lambda c, p: ~c["acts_known"]), ("no_supervisor", lambda c, p: ~c["supervised"])),
    measure=unanswered_tier,
    value=lambda c, p: c["limit_wd"],
    limit=lambda c, p: c["limit_wd"],
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("late_warning", 1, tier=2, zh="预警逾期未反馈", en="a warning was not answered in time"),
        Band("late_urge", 2, tier=3, zh="督办或整改逾期未反馈", en="an order was not answered in time"),
    ),
    cause=("notice_id", "issue", "deadline_at"),
    evidence=("notice_id", "about", "issued_at", "notice_tier"),
    sentence_zh="监察人员 {subject}（{department}）：{about} 的通知（{issued_at} 发出）应在 {limit} 个工作日内反馈：{reason_zh}。",
    sentence_en="Supervisor {subject} ({department}): the notice about {about}, issued {issued_at}, to be answered in {limit} working days: {reason_en}.",
    examples=(
        Example("a warning, three working days", (order(1), _SEEN), "late_warning", people=_S1, until=_WARN),
        Example("a second before they are over", (order(1), _SEEN), "clear", people=_S1, until="2026-03-05 09:59:59"),
        Example("an urging, five", (order(2), _SEEN), "late_urge", people=_S1, until=_URGE),
        Example("a second before they are over", (order(2), _SEEN), "clear", people=_S1, until="2026-03-09 09:59:59"),
        Example("a demand to rectify, seven", (order(3), _SEEN), "late_urge", people=_S1, until=_RECTIFY),
        Example("answered in the very instant", (order(2), _SEEN, act("answer", _URGE, text="已整改")), "clear", people=_S1, until="2026-03-20 12:00:00"),
        Example("answered a second later", (order(2), _SEEN, act("answer", "2026-03-09 10:00:01", text="已整改")), "late_urge", people=_S1),
        Example("an appeal stops the clock", (order(2), _SEEN, act("appeal", "2026-03-04 10:00:00", text="客观原因")), "clear", people=_S1, until="2026-03-20 12:00:00"),
        Example("the order names its own day", (order(2), act("urge", "2026-03-03 10:00:00", "L2", text="月底前", until="2026-03-27 17:30:00")), "clear", people=_S1, until="2026-03-27 17:29:59"),
        Example("and that day goes by", (order(2), act("urge", "2026-03-03 10:00:00", "L2", text="月底前", until="2026-03-27 17:30:00")), "late_urge", people=_S1, until="2026-03-27 17:30:00"),
        Example("a mere reminder asks for no answer", (order(0),), "clear", people=_S1, until="2026-03-20 12:00:00"),
        Example("a department without a supervisor", (order(2), _SEEN), "undetermined:no_supervisor", people={"P1": "operator"}, until=_URGE),
        Example("nobody ever acts on anything", _TOO_FAST, "undetermined:no_acts", people=_S1, beside=("too_fast_case",), until="2026-06-01 10:00:00"),
    ),
)  # fmt: skip
