"""A licence not issued in time after the close. 出证超期

What    Working days from the claimed close of a granted case to the record of its licence.
Basis   Hunan electronic licences: 3 working days after the close, past it 黄牌 (published);
        Administrative Licensing Law art. 44 allows ten.
Unit    Working days past the limit.
Blind   Items whose flow has no step `issue`; a licence issued before the close needs no clock.
"""

from detector.rulekit import NEVER_BELOW, Band, Clock, Example, Param, Rule, ev

_CLOSE = ev("close", "2018-10-15 10:00:00", operator="C", result="granted")


def _issue(at: str, **fields):
    return ev("issue", at, operator="D", **fields)


RULE = Rule(
    id="overdue_issue",
    edition=1,
    family="timeliness",
    zh="出证超期",
    en="licence overdue",
    basis="Hunan electronic licences: yellow past 3 working days after the close (published)",
    unit="wd",
    clock=Clock(kind="issue", limit="limit_wd"),
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("late", 0, tier=2, exclusive=True, zh="逾期未出证", en="not issued in time"),
    ),
    mutes=("imported",),
    evidence=("start_at", "at", "limit_days", "provisional"),
    sentence_zh="办件 {case_id}：{start_at} 办结，应在 {limit} 个工作日内出证，至 {at} {reason_zh}。",
    sentence_en="Case {case_id}: closed at {start_at}, its licence due in {limit} working days; at {at}: {reason_en}.",
    params=(Param("limit_wd", 3, "wd", "working days in which the licence must be issued", 0, 3_660),),
    examples=(
        Example("one second past the limit", (_CLOSE, _issue("2018-10-18 10:00:01")), "late"),
        Example("exactly at the instant", (_CLOSE, _issue("2018-10-18 10:00:00")), "clear"),
        Example("never issued", (_CLOSE,), "late", until="2018-10-18 10:00:01"),
        Example("issued before the close", (_issue("2018-10-15 09:00:00"), _CLOSE), "clear", until="2018-10-30 10:00:00"),
        Example("refused: there is nothing to issue", (_CLOSE | {"result": "refused"},), "clear", until="2018-10-30 10:00:00"),
        Example("an item without a licence", (_CLOSE,), "clear", item={"steps": [{"code": "accept"}]}, until="2018-10-30 10:00:00"),
        Example("issued in time and received late", (_CLOSE, _issue("2018-10-18 10:00:00", received_at="2018-10-18 16:00:00")), "withdrawn:closed_in_time"),
        Example("declared bulk import", (_CLOSE | {"imported": True}, _issue("2018-10-18 10:00:01")), "muted:imported"),
        Example("an item that is not listed", (_CLOSE | {"item": "nowhere"},), "undetermined:item_not_listed", until="2018-10-30 10:00:00"),
    ),
)  # fmt: skip
