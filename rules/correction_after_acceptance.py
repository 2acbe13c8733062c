"""A correction demanded after acceptance. 受理后补正

What    Demands for correction (补交告知) after the case was accepted: the file should have been checked
        before.
Basis   Jiangsu CORRECTION_AFTER_ACCEPT (报警; published); Administrative Licensing Law art. 32: all that
        is missing is told once, before acceptance.
Unit    Times.
Blind   A case of which neither application nor acceptance reached us.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev

_ACCEPT = ev("accept", "2026-03-02 09:00:00", operator="A")


def _correct(at: str, **fields):
    return ev("correct", at, operator="B", **fields)


RULE = Rule(
    id="correction_after_acceptance",
    edition=1,
    family="process",
    zh="受理后补正",
    en="correction after acceptance",
    basis="Jiangsu CORRECTION_AFTER_ACCEPT (published); Administrative Licensing Law art. 32",
    unit="times",
    actions=("correct",),
    unknown=(("no_application", lambda c, p: ~c["was_accepted"] & ~c["was_applied"]),),
    measure=lambda c, p: c["late_corrections_so_far"],
    bands=(
        Band("before", NEVER_BELOW),
        Band("after_acceptance", 1, tier=2, zh="受理后又要求补正材料", en="correction demanded after acceptance"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["accept_event"], c["this_event"]),
    evidence=("recorded_at", "operator"),
    sentence_zh="办件 {case_id}：受理后于 {recorded_at} 第 {value} 次要求补正材料（经办人 {operator}）。",
    sentence_en="Case {case_id}: at {recorded_at}, after acceptance, correction was demanded for the {value}. time (operator {operator}).",
    examples=(
        Example("after acceptance", (_ACCEPT, _correct("2026-03-03 09:00:00")), "after_acceptance"),
        Example("twice", (_ACCEPT, _correct("2026-03-03 09:00:00"), _correct("2026-03-04 09:00:00")), "after_acceptance", count=2),
        Example("before acceptance", (ev("apply", "2026-03-02 08:00:00"), _correct("2026-03-02 08:30:00"), _ACCEPT), "clear"),
        Example("neither applied nor accepted, as far as we know", (_correct("2026-03-03 09:00:00"),), "undetermined:no_application"),
        Example("declared bulk import", (_ACCEPT, _correct("2026-03-03 09:00:00", imported=True)), "muted:imported"),
    ),
)  # fmt: skip
