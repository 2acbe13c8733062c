"""Case open past its promised days. 超承诺期限

What    Working days from acceptance, less suspensions (each at most the days granted), past the
        promise. Runs from the claimed acceptance to the recorded close: typing late gives no free
        days, back-dating a close clears nothing.
Basis   Pre-alert one working day before (a city measure, published); past the promise −2 points each
        (Xinbei sheet, published). Exactly at the instant is in time, one second later is not.
Unit    Working days of the district's calendar.
Blind   A case whose acceptance never reached us has no clock.
"""

from detector.rulekit import NEVER_BELOW, Band, Clock, Example, Rule, ev

_ACCEPT = ev("accept", "2018-10-15 10:00:00", operator="A")


def _close(at: str, **fields):
    return ev("close", at, operator="C", **fields)


def _suspend(at: str, days: int | None = 3, **fields):
    return ev("suspend", at, operator="B", procedure="hearing", days_granted=days, **fields)


RULE = Rule(
    id="overdue_promise",
    edition=1,
    family="timeliness",
    zh="超承诺期限",
    en="past the promise",
    basis="City measure: signal one working day before expiry; Xinbei sheet: −2 points past the promise (published)",
    unit="wd",
    clock=Clock(limit="promised_days", due="due_at"),
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("due_soon", -1, tier=0, zh="距承诺期限不足一个工作日", en="one working day or less to the promise"),
        Band("overdue", 0, tier=2, exclusive=True, zh="超过承诺期限", en="past the promised limit"),
    ),
    mutes=("imported",),
    evidence=("accept_occurred_at", "at", "limit_days", "provisional"),
    sentence_zh="办件 {case_id}：{accept_occurred_at} 受理，承诺 {limit} 个工作日，至 {at} {reason_zh}。",
    sentence_en="Case {case_id}: accepted at {accept_occurred_at}, promised in {limit} working days; at {at}: {reason_en}.",
    examples=(
        Example("one second past the promise", (_ACCEPT, _close("2018-10-24 10:00:01")), "overdue"),
        Example("exactly at the instant", (_ACCEPT, _close("2018-10-24 10:00:00")), "due_soon"),
        Example("a working day left, less a second", (_ACCEPT, _close("2018-10-23 10:00:01")), "due_soon"),
        Example("a working day and a second left", (_ACCEPT, _close("2018-10-23 09:59:59")), "clear"),
        Example("closed with exactly a working day left", (_ACCEPT, _close("2018-10-23 10:00:00")), "clear"),
        Example("still open", (_ACCEPT,), "overdue", until="2018-10-24 10:00:01"),
        Example("a three-day suspension moves it by three days", (_ACCEPT, _suspend("2018-10-17 10:00:00"), ev("resume", "2018-10-22 10:00:00", operator="B", procedure="hearing"), _close("2018-10-29 10:00:00")), "due_soon"),
        Example("a suspension beyond its grant counts the grant alone", (_ACCEPT, _suspend("2018-10-17 10:00:00"), _close("2018-10-29 10:00:01")), "overdue"),
        Example("a late record of a suspension withdraws the card", (_ACCEPT, _suspend("2018-10-17 10:00:00", received_at="2018-10-25 09:00:00"), _close("2018-10-26 10:00:00")), "withdrawn:suspended", count=2),
        Example("a close recorded in time and received late", (_ACCEPT, _close("2018-10-24 10:00:00", received_at="2018-10-24 16:00:00")), "withdrawn:closed_in_time"),
        Example("the case system's own instant", (_ACCEPT | {"due_at": "2018-10-16 15:00:00"}, _close("2018-10-16 15:00:01")), "overdue"),
        Example("no promise known", (_ACCEPT, _close("2018-10-24 10:00:01")), "undetermined:no_limit", item={"promised_days": None}),
        Example("never accepted", (_close("2018-10-24 10:00:01"),), "undetermined:no_acceptance"),
        Example("a suspension that says not how long", (_ACCEPT, _suspend("2018-10-17 10:00:00", None), _close("2018-10-26 10:00:00")), "undetermined:no_grant"),
        Example("declared bulk import", (_ACCEPT | {"imported": True}, _close("2018-10-24 10:00:01")), "muted:imported", count=2),
    ),
)  # fmt: skip
