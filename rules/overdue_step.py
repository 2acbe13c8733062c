"""A step held past its own limit inside a case that is in time. 环节超时

What    Working time since the step before, less suspensions, against the limit of the step that is next
        in the flow, until that step or one behind it is recorded.
Basis   Jiangsu A001 (4/5 of the step's promise) and A002 (past it); 虽未超过承诺期限但环节超时 (published).
Unit    Share of the step's limit.
Blind   Steps without a limit of their own. A case past its promise is overdue_promise's.
"""

from detector.rulekit import NEVER_BELOW, Band, Clock, Example, Rule, ev

_FLOW = {
    "steps": [
        {"code": "accept"},
        {"code": "survey", "limit_hours": 10},
        {"code": "review"},
        {"code": "decide", "limit_hours": 7},
    ]
}
_ACCEPT = ev("accept", "2018-10-15 10:00:00", operator="A")


def _survey(at: str, **fields):
    return ev("step", at, step="survey", operator="B", **fields)


def _suspend(days: int | None = 3):
    return ev(
        "suspend", "2018-10-15 14:00:00", operator="B", procedure="hearing", days_granted=days
    )


RULE = Rule(
    id="overdue_step",
    edition=1,
    family="timeliness",
    zh="环节超时",
    en="step overdue",
    basis="Jiangsu A001: 4/5 of the step's limit; A002: past it (published)",
    unit="share",
    clock=Clock(kind="step"),
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("nearly", 0, tier=0, share=0.8, zh="环节时限已用五分之四", en="four fifths of the step's limit are used"),
        Band("over", 0, tier=1, exclusive=True, zh="超过环节时限", en="past the step's own limit"),
    ),
    mutes=("imported",),
    evidence=("start_at", "at", "held_step", "limit_hours", "provisional"),
    sentence_zh="办件 {case_id}：自 {start_at} 起待办环节“{held_step}”，时限 {limit_hours} 个工作小时，至 {at} {reason_zh}。",
    sentence_en="Case {case_id}: step \"{held_step}\" is due since {start_at}, within {limit_hours} working hours; at {at}: {reason_en}.",
    examples=(
        Example("one second past ten working hours", (_ACCEPT, _survey("2018-10-16 14:30:01")), "over", item=_FLOW),
        Example("exactly at the limit", (_ACCEPT, _survey("2018-10-16 14:30:00")), "nearly", item=_FLOW),
        Example("exactly at four fifths", (_ACCEPT, _survey("2018-10-16 11:00:00")), "clear", item=_FLOW),
        Example("a second past four fifths", (_ACCEPT, _survey("2018-10-16 11:00:01")), "nearly", item=_FLOW),
        Example("still held", (_ACCEPT,), "over", item=_FLOW, until="2018-10-16 14:30:01"),
        Example("a step without a limit", (_ACCEPT, _survey("2018-10-15 11:00:00")), "clear", item=_FLOW, until="2018-10-22 10:00:00"),
        Example("a suspension stops it", (_ACCEPT, _suspend(), _survey("2018-10-18 14:00:00")), "clear", item=_FLOW),
        Example("recorded in time and received late", (_ACCEPT, _survey("2018-10-16 11:00:00", received_at="2018-10-16 13:00:00")), "withdrawn:closed_in_time", item=_FLOW),
        Example("the case itself is overdue: no step is accused", (_ACCEPT | {"promised_days": 1}, _survey("2018-10-17 14:30:01")), "clear", item=_FLOW),
        Example("declared bulk import", (_ACCEPT | {"imported": True}, _survey("2018-10-16 14:30:01")), "muted:imported", count=2, item=_FLOW),
        Example("an item that is not listed", (_ACCEPT | {"item": "nowhere"},), "undetermined:item_not_listed", item=_FLOW),
        Example("a suspension that says not how long", (_ACCEPT, _suspend(None)), "undetermined:no_grant", item=_FLOW, until="2018-10-22 10:00:00"),
    ),
)  # fmt: skip
