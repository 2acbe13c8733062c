"""An open case that nobody touches. 长期未办

What    Calendar days since the latest record of a case that is not closed.
Basis   Jiangsu A006: untouched for 3 months, 90 days (published).
Unit    Calendar days on the district's wall clock.
Blind   A case that waits for its applicant looks the same; suspend it.
"""

from detector.rulekit import NEVER_BELOW, Band, Clock, Example, Param, Rule, ev

_ACCEPT = ev("accept", "2026-01-05 10:00:00", operator="A")


def _step(at: str, **fields):
    return ev("step", at, step="survey", operator="B", **fields)


def _close(at: str):
    return ev("close", at, operator="C", result="granted")


RULE = Rule(
    id="stalled_case",
    edition=1,
    family="timeliness",
    zh="长期未办",
    en="stalled case",
    basis="Jiangsu A006: an open case untouched for 90 days (published)",
    unit="days",
    clock=Clock(kind="stall", limit="limit_days"),
    bands=(
        Band("alive", NEVER_BELOW),
        Band("stalled", 0, tier=1, exclusive=True, zh="长期无人办理", en="untouched for too long"),
    ),
    mutes=("imported",),
    evidence=("start_at", "at", "limit_days", "provisional"),
    sentence_zh="办件 {case_id}：自 {start_at} 最后一次办理后，至 {at} 已满 {limit} 天，{reason_zh}。",
    sentence_en="Case {case_id}: last worked at {start_at}; at {at} that was {limit} days ago: {reason_en}.",
    params=(Param("limit_days", 90, "days", "calendar days that an open case may lie untouched", 1, 3_660),),
    examples=(
        Example("ninety days and a second", (_ACCEPT,), "stalled", until="2026-04-05 10:00:01"),
        Example("touched at ninety days exactly", (_ACCEPT, _step("2026-04-05 10:00:00")), "clear"),
        Example("touched a second later", (_ACCEPT, _step("2026-04-05 10:00:01")), "stalled"),
        Example("touched on the way", (_ACCEPT, _step("2026-03-05 10:00:00")), "clear", until="2026-04-06 10:00:00"),
        Example("ninety days after the last step", (_ACCEPT, _step("2026-03-05 10:00:00")), "stalled", until="2026-06-03 10:00:01"),
        Example("twice", (_ACCEPT, _step("2026-04-10 10:00:00")), "stalled", count=2, until="2026-07-10 10:00:00"),
        Example("closed", (_ACCEPT, _close("2026-01-06 10:00:00")), "clear", until="2026-06-06 10:00:00"),
        Example("touched in time and received late", (_ACCEPT, _step("2026-04-05 10:00:00", received_at="2026-04-06 10:00:00")), "withdrawn:closed_in_time"),
        Example("declared bulk import", (_ACCEPT | {"imported": True},), "muted:imported", until="2026-04-05 10:00:01"),
    ),
)  # fmt: skip
