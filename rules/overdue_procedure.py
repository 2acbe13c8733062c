"""A special procedure that lasts longer than granted. 特别程序超期

What    Working days past the days granted, of each suspension by itself: from its claimed begin to the
        record of its end. The close of the case does not end it, unless the case was refused acceptance,
        returned, withdrawn or voided.
Basis   Hunan: two days before expiry 预警, past it 黄牌, more than a day past it 红牌 (published).
Unit    Working days past the days granted.
Blind   Whether the procedure was needed.
"""

from detector.rulekit import NEVER_BELOW, Band, Clock, Example, Rule, ev

_ACCEPT = ev("accept", "2018-10-15 09:30:00", operator="A")


def _suspend(days: int | None = 7, procedure: str = "hearing"):
    told = {"procedure": procedure, "days_granted": days, "operator": "B"}
    return ev("suspend", "2018-10-15 10:00:00", **told)


def _resume(at: str, **fields):
    return ev("resume", at, **{"operator": "B", "procedure": "hearing"} | fields)


def _story(*events, days: int | None = 7):
    return (_ACCEPT, _suspend(days), *events)


RULE = Rule(
    id="overdue_procedure",
    edition=1,
    family="timeliness",
    zh="特别程序超期",
    en="procedure overdue",
    basis="Hunan special procedures: 2 days before, past, and more than a day past the days granted (published)",
    unit="wd",
    clock=Clock(kind="procedure"),
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("due_soon", -2, tier=0, zh="特别程序将于两个工作日内到期", en="two working days or less to the end of the days granted"),
        Band("overdue", 0, tier=2, exclusive=True, zh="特别程序超过批准天数", en="past the days granted"),
        Band("far_overdue", 1, tier=3, exclusive=True, zh="特别程序超过批准天数一个工作日以上", en="more than a working day past the days granted"),
    ),
    mutes=("imported",),
    evidence=("start_at", "at", "procedure", "limit_days", "provisional"),
    sentence_zh="办件 {case_id}：特别程序（{procedure}）{start_at} 开始，批准 {limit} 个工作日，至 {at} {reason_zh}。",
    sentence_en="Case {case_id}: special procedure ({procedure}) since {start_at}, granted {limit} working days; at {at}: {reason_en}.",
    examples=(
        Example("one second past the days granted", _story(_resume("2018-10-24 10:00:01")), "overdue"),
        Example("exactly at the instant", _story(_resume("2018-10-24 10:00:00")), "due_soon"),
        Example("a day past, exactly", _story(_resume("2018-10-25 10:00:00")), "overdue"),
        Example("a day and a second past", _story(_resume("2018-10-25 10:00:01")), "far_overdue"),
        Example("two days left, exactly", _story(_resume("2018-10-22 10:00:00")), "clear"),
        Example("a second later", _story(_resume("2018-10-22 10:00:01")), "due_soon"),
        Example("never ended", _story(), "far_overdue", until="2018-10-25 10:00:01"),
        Example("the close does not end it", _story(ev("close", "2018-10-16 10:00:00", operator="C", result="granted")), "far_overdue", until="2018-10-25 10:00:01"),
        Example("a withdrawn case ends it", _story(ev("close", "2018-10-16 10:00:00", operator="C", result="withdrawn")), "clear", until="2018-10-25 10:00:01"),
        Example("ended in time and received late", _story(_resume("2018-10-24 10:00:00", received_at="2018-10-24 16:00:00")), "withdrawn:closed_in_time"),
        Example("two at once, each by itself", (_ACCEPT, _suspend(), _suspend(7, procedure="testing"), _resume("2018-10-16 10:00:00")), "overdue", until="2018-10-24 10:00:01"),
        Example("declared bulk import", (_ACCEPT | {"imported": True}, _suspend(), _resume("2018-10-22 10:00:01")), "muted:imported"),
        Example("it is not said how long", _story(days=None), "undetermined:no_grant", until="2018-10-25 10:00:01"),
    ),
)  # fmt: skip
