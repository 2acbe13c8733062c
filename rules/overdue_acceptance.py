"""An application neither accepted nor refused in time. 受理超期

What    Working days from the claimed application (or its correction) to the record of what answers it:
        acceptance, return, a demand for correction, decision or close.
Basis   Hunan 网上办事: limit 2 working days; more than 0, 3 and 5 days past it (published).
        Administrative Licensing Law art. 32 allows five days.
Unit    Working days past the limit.
Blind   An application that never reached us.
"""

from detector.rulekit import NEVER_BELOW, Band, Clock, Example, Param, Rule, ev

_APPLY = ev("apply", "2018-10-15 10:00:00")


def _accept(at: str, **fields):
    return ev("accept", at, operator="A", **fields)


RULE = Rule(
    id="overdue_acceptance",
    edition=1,
    family="timeliness",
    zh="受理超期",
    en="acceptance overdue",
    basis="Hunan online applications: 2 working days; past it 预警, 3 days past 黄牌, 5 days past 红牌 (published)",
    unit="wd",
    clock=Clock(kind="acceptance", limit="limit_wd"),
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("late", 0, tier=1, exclusive=True, zh="逾期未受理", en="neither accepted nor refused in time"),
        Band("late_3", 3, tier=2, exclusive=True, zh="逾期超过三个工作日未受理", en="more than three working days past the limit"),
        Band("late_5", 5, tier=3, exclusive=True, zh="逾期超过五个工作日未受理", en="more than five working days past the limit"),
    ),
    mutes=("imported",),
    evidence=("start_at", "at", "limit_days", "provisional"),
    sentence_zh="办件 {case_id}：{start_at} 申请，应在 {limit} 个工作日内受理或答复，至 {at} {reason_zh}。",
    sentence_en="Case {case_id}: applied for at {start_at}, to be answered in {limit} working days; at {at}: {reason_en}.",
    params=(Param("limit_wd", 2, "wd", "working days in which an application must be answered", 0, 3_660),),
    examples=(
        Example("one second past the limit", (_APPLY, _accept("2018-10-17 10:00:01")), "late"),
        Example("exactly at the instant", (_APPLY, _accept("2018-10-17 10:00:00")), "clear"),
        Example("three days past, exactly", (_APPLY, _accept("2018-10-22 10:00:00")), "late"),
        Example("three days and a second past", (_APPLY, _accept("2018-10-22 10:00:01")), "late_3"),
        Example("five days past, exactly", (_APPLY, _accept("2018-10-24 10:00:00")), "late_3"),
        Example("five days and a second past", (_APPLY, _accept("2018-10-24 10:00:01")), "late_5"),
        Example("never answered", (_APPLY,), "late_5", until="2018-10-24 10:00:01"),
        Example("a correction is demanded in time", (_APPLY, ev("correct", "2018-10-16 10:00:00", operator="A")), "clear", until="2018-10-30 10:00:00"),
        Example("the clock begins anew with the correction", (_APPLY, ev("correct", "2018-10-16 10:00:00", operator="A"), ev("corrected", "2018-10-22 10:00:00"), _accept("2018-10-24 10:00:00")), "clear"),
        Example("accepted in time and received late", (_APPLY, _accept("2018-10-17 10:00:00", received_at="2018-10-17 16:00:00")), "withdrawn:closed_in_time"),
        Example("declared bulk import", (_APPLY | {"imported": True}, _accept("2018-10-17 10:00:01", imported=True)), "muted:imported"),
        Example("the district's own limit", (_APPLY, _accept("2018-10-17 10:00:01")), "clear", params={"limit_wd": 5}),
    ),
)  # fmt: skip
