"""A complaint not answered in time. 投诉超期

What    Working days from the complaint to its answer.
Basis   Limit 7 working days; two days before it 预警, past it 黄牌, a day past it 红牌 (Hunan; Xinbei
        sheet rows 21 and 25, published).
Unit    Working days past the limit.
Blind   A complaint that names only its day counts from the end of that day, an answer that names
        only its day from the beginning: whoever answered that day answered in time. A complaint
        that never reached us.
"""

from detector.rulekit import NEVER_BELOW, Band, Clock, Example, Param, Rule, fact


def _complaint(at: str, received_on: str = "2018-10-15 10:00:00", **fields):
    return fact("complaint", at, fact_id="c1", received_on=received_on, **fields)


_MONDAY = _complaint("2018-10-15 10:00:00")


def _answer(at: str, received_at: str | None = None):
    return _complaint(received_at or at, answered_on=at)


RULE = Rule(
    id="overdue_complaint",
    edition=1,
    family="supervision",
    zh="投诉超期",
    en="complaint overdue",
    basis="Complaints: 7 working days; 2 days before it 预警, past it 黄牌, 1 day past it 红牌 (Hunan and Xinbei, published)",
    unit="wd",
    subject="complaint",
    clock=Clock(kind="answer", limit="limit_wd"),
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("due_soon", -2, tier=0, zh="两个工作日内到期", en="due within two working days"),
        Band("overdue", 0, tier=2, exclusive=True, zh="逾期未答复", en="not answered in time"),
        Band("far_overdue", 1, tier=3, exclusive=True, zh="逾期超过一个工作日未答复", en="more than one working day past the limit"),
    ),
    evidence=("start_at", "at", "limit_days", "provisional"),
    sentence_zh="投诉 {subject}（{department}）：自 {start_at} 起算，应在 {limit} 个工作日内答复，至 {at} {reason_zh}。",
    sentence_en="Complaint {subject} ({department}): counted from {start_at}, to be answered in {limit} working days; at {at}: {reason_en}.",
    params=(Param("limit_wd", 7, "wd", "working days in which a complaint must be answered", 0, 3_660),),
    examples=(
        Example("two days before the limit", (_MONDAY, _answer("2018-10-22 10:00:01")), "due_soon"),
        Example("a second before that", (_MONDAY, _answer("2018-10-22 09:59:59")), "clear"),
        Example("exactly at that instant", (_MONDAY, _answer("2018-10-22 10:00:00")), "clear"),
        Example("answered exactly at the limit", (_MONDAY, _answer("2018-10-24 10:00:00")), "due_soon"),
        Example("a second past the limit", (_MONDAY, _answer("2018-10-24 10:00:01")), "overdue"),
        Example("a day past the limit, exactly", (_MONDAY, _answer("2018-10-25 10:00:00")), "overdue"),
        Example("a day and a second past it", (_MONDAY, _answer("2018-10-25 10:00:01")), "far_overdue"),
        Example("never answered", (_MONDAY,), "far_overdue", until="2018-10-25 10:00:01"),
        Example("answered in time, and told late", (_MONDAY, _answer("2018-10-24 10:00:00", "2018-10-26 09:00:00")), "withdrawn:closed_in_time", count=2),
        Example("what the withdrawn card hid stands again", (_MONDAY, _answer("2018-10-24 10:00:00", "2018-10-26 09:00:00")), "due_soon"),
        Example("one fact tells both days", (_complaint("2018-10-26 09:00:00", answered_on="2018-10-24 10:00:01"),), "overdue"),
        Example("a complaint that names its day counts from its end", (_complaint("2018-10-15 10:00:00", "2018-10-15"), _answer("2018-10-24 17:30:00")), "due_soon"),
        Example("an answer that names its day came at its beginning", (_complaint("2018-10-15 10:00:00", "2018-10-15"), _answer("2018-10-25 18:00:00") | {"answered_on": "2018-10-25"}), "due_soon"),
        Example("the answer may come twice and counts once", (_MONDAY, _answer("2018-10-22 10:00:01"), _answer("2018-10-15 12:00:00", "2018-10-23 09:00:00")), "due_soon"),
        Example("the district's own limit", (_MONDAY, _answer("2018-10-24 10:00:01")), "clear", params={"limit_wd": 10}),
    ),
)  # fmt: skip
