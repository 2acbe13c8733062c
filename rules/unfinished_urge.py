"""An order to act was not brought to its end in time. 未及时办结督办

What    Whether a notice of tier 2 or above was closed, lifted or withdrawn within its limit.
Basis   An urging must be closed within 20 working days (Jiangsu B002, published).
Unit    Working days since the notice was issued.
Blind   Work that is done but not told. Where no act of anybody has ever reached us nobody can say
        who was silent.
"""

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


def unfinished(c: Columns, p: Params) -> Column:
    """1 where the limit went by and the notice stood open."""
    return c["late"].astype("int64")


_S1 = {"S1": "supervisor"}
_TOO_FAST = (
    ev("accept", "2026-03-02 10:00:00", operator="A"),
    ev("close", "2026-03-02 10:02:00", operator="B"),
)
_LIMIT = "2026-03-30 10:00:00"
_ANSWERED = (
    order(),
    act("acknowledge", "2026-03-02 11:00:00"),
    act("answer", "2026-03-05 10:00:00", text="已整改"),
)

RULE = Rule(
    id="unfinished_urge",
    edition=1,
    family="supervision",
    zh="未及时办结督办",
    en="urging not closed",
    basis="An urging must be closed within 20 working days (Jiangsu B002, published)",
    unit="wd",
    subject="supervisor",
    per="notice",
    unknown=(("no_acts", lambda c, p: ~c["acts_known"]), ("no_supervisor", lambda c, p: ~c["supervised"])),
    measure=unfinished,
    value=lambda c, p: c["limit_wd"],
    limit=lambda c, p: c["limit_wd"],
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("unfinished", 0, tier=3, exclusive=True, zh="逾期未办结", en="not closed in time"),
    ),
    cause=("notice_id", "issue", "deadline_at"),
    evidence=("notice_id", "about", "issued_at", "notice_tier"),
    sentence_zh="监察人员 {subject}（{department}）：{about} 的督办（{issued_at} 发出）{limit} 个工作日内未办结：{reason_zh}。",
    sentence_en="Supervisor {subject} ({department}): the urging about {about}, issued {issued_at}: {reason_en} ({limit} working days).",
    examples=(
        Example("twenty working days", (order(),), "unfinished", people=_S1, until=_LIMIT),
        Example("a second before they are over", (order(),), "clear", people=_S1, until="2026-03-30 09:59:59"),
        Example("answered, but never closed", _ANSWERED, "unfinished", people=_S1, until=_LIMIT),
        Example("closed in the very instant", (*_ANSWERED, act("accept", "2026-03-06 10:00:00", "L2"), act("close", _LIMIT, "L2")), "clear", people=_S1, until="2026-04-10 12:00:00"),
        Example("closed a second later", (*_ANSWERED, act("accept", "2026-03-06 10:00:00", "L2"), act("close", "2026-03-30 10:00:01", "L2")), "unfinished", people=_S1),
        Example("lifted in time", (order(), act("lift", "2026-03-20 10:00:00", "L2", reason="客观原因")), "clear", people=_S1, until="2026-04-10 12:00:00"),
        Example("a warning is no order", (order(tier=1),), "clear", people=_S1, until="2026-04-10 12:00:00"),
        Example("a department without a supervisor", (order(),), "undetermined:no_supervisor", people={"P1": "operator"}, until=_LIMIT),
        Example("nobody ever acts on anything", _TOO_FAST, "undetermined:no_acts", people=_S1, beside=("too_fast_case",), until="2026-06-01 10:00:00"),
    ),
)  # fmt: skip
