"""A flow suspended or ended unfinished. 中止终止

What    Suspensions (特别程序) and closes as withdrawn, void or terminated, in the case so far.
Basis   Jiangsu A008, A009: flow suspended or terminated, any (published). A reminder, no offence.
Unit    Times.
Blind   Whether it was right to.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev

_ACCEPT = ev("accept", "2026-03-02 09:00:00", operator="A")


def _suspend(at: str, **fields):
    return ev("suspend", at, operator="B", procedure="hearing", days_granted=3, **fields)


def _close(result: str):
    return ev("close", "2026-03-05 09:00:00", operator="C", result=result)


RULE = Rule(
    id="suspended_or_terminated",
    edition=1,
    family="process",
    zh="中止终止",
    en="suspended or terminated",
    basis="Jiangsu A008, A009 (published)",
    unit="times",
    actions=("suspend", "close"),
    measure=lambda c, p: c["interruptions_so_far"] * c["interrupts"],
    bands=(
        Band("never", NEVER_BELOW),
        Band("interrupted", 1, tier=0, zh="流程中止或终止", en="suspended, or ended unfinished"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "operator"),
    sentence_zh="办件 {case_id}：{recorded_at} “{step}”，流程第 {value} 次中止或终止（经办人 {operator}）。",
    sentence_en="Case {case_id}: \"{step}\" at {recorded_at}, the flow is suspended or ended unfinished for the {value}. time (operator {operator}).",
    examples=(
        Example("suspended", (_ACCEPT, _suspend("2026-03-03 09:00:00")), "interrupted"),
        Example("suspended and withdrawn", (_ACCEPT, _suspend("2026-03-03 09:00:00"), _close("withdrawn")), "interrupted", count=2),
        Example("closed as void", (_ACCEPT, _close("void")), "interrupted"),
        Example("closed as granted", (_ACCEPT, _close("granted")), "clear"),
        Example("declared bulk import", (_ACCEPT, _suspend("2026-03-03 09:00:00", imported=True)), "muted:imported"),
    ),
)  # fmt: skip
