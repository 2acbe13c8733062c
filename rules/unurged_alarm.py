"""A supervisor did nothing about a notice in time. 未及时督办

What    Whether anybody of level 1 did anything about a notice of tier 1 or above (acknowledged,
        urged, assigned, answered …) before its limit to urge had passed.
Basis   Level 2 is told when an alarm is not urged within 5 working days (Jiangsu B001, published).
Unit    Working days since the notice was issued.
Blind   What was done by telephone. Leave and illness are not known: exempt them. Where no act of
        anybody has ever reached us nobody can say who was silent.
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


def silent(c: Columns, p: Params) -> Column:
    """1 where the limit went by in silence."""
    return c["late"].astype("int64")


_S1 = {"S1": "supervisor"}
_TOO_FAST = (
    ev("accept", "2026-03-02 10:00:00", operator="A"),
    ev("close", "2026-03-02 10:02:00", operator="B"),
)
_LIMIT = "2026-03-09 10:00:00"

RULE = Rule(
    id="unurged_alarm",
    edition=1,
    family="supervision",
    zh="未及时督办",
    en="alarm not urged",
    basis="An alarm must be urged within 5 working days (Jiangsu B001, published)",
    unit="wd",
    subject="supervisor",
    per="notice",
    unknown=(("no_acts", lambda c, p: ~c["acts_known"]), ("no_supervisor", lambda c, p: ~c["supervised"])),
    measure=silent,
    value=lambda c, p: c["limit_wd"],
    limit=lambda c, p: c["limit_wd"],
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("unurged", 0, tier=2, exclusive=True, zh="逾期未督办", en="nothing was done in time"),
    ),
    cause=("notice_id", "issue", "deadline_at"),
    evidence=("notice_id", "about", "issued_at", "notice_tier"),
    sentence_zh="监察人员 {subject}（{department}）对 {about} 的通知（{issued_at} 发出）{limit} 个工作日内未作任何处置：{reason_zh}。",
    sentence_en="Supervisor {subject} ({department}): the notice about {about}, issued {issued_at}: {reason_en} ({limit} working days).",
    examples=(
        Example("five working days of silence", (order(),), "unurged", people=_S1, until=_LIMIT),
        Example("a second before they are over", (order(),), "clear", people=_S1, until="2026-03-09 09:59:59"),
        Example("acknowledged in the very instant", (order(), act("acknowledge", _LIMIT)), "clear", people=_S1, until="2026-03-10 12:00:00"),
        Example("acknowledged a second later", (order(), act("acknowledge", "2026-03-09 10:00:01")), "unurged", people=_S1),
        Example("assigned to somebody else", (order(), act("assign", "2026-03-03 10:00:00", person="P9")), "clear", people=_S1, until="2026-03-20 12:00:00"),
        Example("a mere reminder asks for nothing", (order(tier=0),), "clear", people=_S1, until="2026-03-20 12:00:00"),
        Example("each supervisor of the department", (order(),), "unurged", count=2, people={"S1": "supervisor", "S2": "supervisor"}, until=_LIMIT),
        Example("issued anew, it runs anew", (order(), act("answer", "2026-03-03 10:00:00", text="已整改"), act("reject", "2026-03-04 10:00:00", "L2", text="不实")), "unurged", people=_S1, until="2026-03-11 10:00:00"),
        Example("a department without a supervisor", (order(),), "undetermined:no_supervisor", people={"P1": "operator"}, until=_LIMIT),
        Example("nobody ever acts on anything", _TOO_FAST, "undetermined:no_acts", people=_S1, beside=("too_fast_case",), until="2026-06-01 10:00:00"),
    ),
)  # fmt: skip
