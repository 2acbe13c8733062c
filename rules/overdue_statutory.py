"""Case open past its statutory days. 超法定期限

What    Working days from acceptance, less suspensions, past the limit that the law sets.
Basis   Hunan: red at the statutory limit and one second; Xinbei sheet: −3 points each (published).
        Administrative Licensing Law art. 42, 45.
Unit    Working days of the district's calendar.
Blind   A case whose acceptance never reached us has no clock.
"""

from detector.rulekit import NEVER_BELOW, Band, Clock, Example, Rule, ev

_ACCEPT = ev("accept", "2018-10-15 10:00:00", operator="A")


def _close(at: str, **fields):
    return ev("close", at, operator="C", **fields)


RULE = Rule(
    id="overdue_statutory",
    edition=1,
    family="timeliness",
    zh="超法定期限",
    en="past the statutory limit",
    basis="Hunan: red at statutory + 1 s; Xinbei sheet: −3 points (published); Administrative Licensing Law art. 42, 45",
    unit="wd",
    clock=Clock(limit="statutory_days"),
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("overdue", 0, tier=3, exclusive=True, zh="超过法定期限", en="past the statutory limit"),
    ),
    mutes=("imported",),
    evidence=("accept_occurred_at", "at", "limit_days", "provisional"),
    sentence_zh="办件 {case_id}：{accept_occurred_at} 受理，法定 {limit} 个工作日，至 {at} {reason_zh}。",
    sentence_en="Case {case_id}: accepted at {accept_occurred_at}, statutory limit {limit} working days; at {at}: {reason_en}.",
    examples=(
        Example("one second past the law", (_ACCEPT, _close("2018-10-29 10:00:01")), "overdue"),
        Example("exactly at the instant", (_ACCEPT, _close("2018-10-29 10:00:00")), "clear"),
        Example("well in time", (_ACCEPT, _close("2018-10-16 10:00:00")), "clear"),
        Example("a three-day suspension moves it by three days", (_ACCEPT, ev("suspend", "2018-10-17 10:00:00", operator="B", procedure="expert_review", days_granted=3), ev("resume", "2018-10-22 10:00:00", operator="B", procedure="expert_review"), _close("2018-11-01 10:00:00")), "clear"),
        Example("back-dating a close clears nothing", (_ACCEPT, _close("2018-10-30 10:00:00", occurred_at="2018-10-20 10:00:00")), "overdue"),
        Example("no statutory limit known", (_ACCEPT, _close("2018-10-29 10:00:01")), "undetermined:no_limit", item={"statutory_days": None}),
        Example("never accepted", (_close("2018-10-24 10:00:01"),), "undetermined:no_acceptance"),
        Example("declared bulk import", (_ACCEPT | {"imported": True}, _close("2018-10-29 10:00:01")), "muted:imported"),
    ),
)  # fmt: skip
