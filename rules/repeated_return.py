"""Sent back again and again. 多次退回补正

What    Returns and demands for correction in the case so far.
Basis   Jiangsu A010 (退回两次及以上), MULTI_CORRECTION (published).
Unit    Times.
Blind   Each time beyond the first is found; who caused it, the applicant or the clerk, is not known.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, Tuned, ev

_APPLY = ev("apply", "2026-03-02 09:00:00")


def _back(at: str, action: str = "correct", **fields):
    return ev(action, at, operator="A", **fields)


RULE = Rule(
    id="repeated_return",
    edition=1,
    family="process",
    zh="多次退回补正",
    en="repeated return",
    basis="Jiangsu A010: returned twice or more; MULTI_CORRECTION (published)",
    unit="times",
    actions=("return", "correct"),
    measure=lambda c, p: c["returns_so_far"],
    bands=(
        Band("once", NEVER_BELOW),
        Band("repeated", 2, tier=1, zh="多次退回或要求补正", en="returned or sent for correction more than once"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "operator"),
    sentence_zh="办件 {case_id}：至 {recorded_at} 已第 {value} 次退回或要求补正（经办人 {operator}）。",
    sentence_en="Case {case_id}: at {recorded_at} it was returned or sent for correction for the {value}. time (operator {operator}).",
    tuned=Tuned("bands.repeated.edge", "above", grain=1, least=1, most=100),
    examples=(
        Example("twice", (_APPLY, _back("2026-03-03 09:00:00"), _back("2026-03-04 09:00:00")), "repeated"),
        Example("once", (_APPLY, _back("2026-03-03 09:00:00")), "clear"),
        Example("a return and a correction", (_APPLY, _back("2026-03-03 09:00:00", "return"), _back("2026-03-04 09:00:00")), "repeated"),
        Example("the third time is found too", (_APPLY, _back("2026-03-03 09:00:00"), _back("2026-03-04 09:00:00"), _back("2026-03-05 09:00:00")), "repeated", count=2),
        Example("declared bulk import", (_APPLY, _back("2026-03-03 09:00:00"), _back("2026-03-04 09:00:00", imported=True)), "muted:imported"),
    ),
)  # fmt: skip
