"""One person worked duties that must be apart. 同一人操作

What    Incompatible pairs of duties that one person holds in a case; any earlier holder counts, so
        the detour A-B-A is seen. One finding for each person and pair, at the event that completes it.
Basis   Xinbei assessment sheet row 23: one point for each, network structure excepted (an exemption
        in the rulebook); county report: one clerk held the powers of section, deputy and chief.
Unit    Pairs of duties.
Blind   Two accounts of one person look like two people; one account used by two like one. Steps
        that a source invents under the stamp of its close are not a person's doing: withdrawn.
"""

from detector.rulekit import NEVER_BELOW, Band, Column, Columns, Example, Params, Rule, ev


def completed(c: Columns, p: Params) -> Column:
    """1 where this event gives the person the second duty of the pair."""
    return (c["holds_other"] & ~c["held_before"]).astype("int64")


_ACCEPT = ev("accept", "2026-03-02 09:00:00", operator="A")


def _step(step: str, at: str, operator: str | None, **fields):
    return ev("step", at, step=step, operator=operator, **fields)


RULE = Rule(
    id="same_person",
    edition=1,
    family="truth",
    zh="同一人操作",
    en="same person",
    basis="Xinbei assessment sheet, row 23: −1 each, network structure excepted (published)",
    unit="pairs",
    per="pair",
    measure=completed,
    limit=lambda c, p: c["recorded_at"] * 0,
    bands=(
        Band("apart", NEVER_BELOW),
        Band("same_person", 1, tier=2, zh="不相容岗位由同一人办理", en="duties that must be apart, worked by one person"),
    ),
    mutes=("imported", "one_stamp"),
    events=lambda c, p: (c["other_event"], c["this_event"]),
    cause=("operator", "duty", "other_duty"),
    evidence=("operator", "duty", "other_duty", "step", "recorded_at"),
    sentence_zh="办件 {case_id}：{operator} 已承担“{other_duty}”，又于 {recorded_at} 办理“{step}”（岗位“{duty}”），两岗位不得由同一人承担。",
    sentence_en="Case {case_id}: {operator} already held the duty \"{other_duty}\" and worked \"{step}\" (duty \"{duty}\") at {recorded_at}; the two must be apart.",
    examples=(
        Example("accepted and decided by one", (_ACCEPT, _step("decide", "2026-03-03 10:00:00", "A")), "same_person"),
        Example("by two", (_ACCEPT, _step("decide", "2026-03-03 10:00:00", "B")), "clear"),
        Example("the detour A-B-A", (_ACCEPT, _step("review", "2026-03-03 10:00:00", "B"), _step("decide", "2026-03-04 10:00:00", "A")), "same_person"),
        Example("all three by one is three pairs", (_ACCEPT, _step("review", "2026-03-03 10:00:00", "A"), _step("decide", "2026-03-04 10:00:00", "A")), "same_person", count=3),
        Example("the same duty again adds nothing", (_ACCEPT, _step("decide", "2026-03-03 10:00:00", "A"), _step("decide", "2026-03-04 10:00:00", "A")), "same_person"),
        Example("a survey may be worked by who accepted", (_ACCEPT, _step("survey", "2026-03-03 10:00:00", "A")), "clear"),
        Example("a step that the flow does not know", (_ACCEPT, _step("unheard_of", "2026-03-03 10:00:00", "A")), "undetermined:step_not_listed"),
        Example("declared bulk import", (_ACCEPT, _step("decide", "2026-03-03 10:00:00", "A", imported=True)), "muted:imported"),
        Example("steps that a source invents under the stamp of the close", (_ACCEPT, _step("decide", "2026-03-02 09:00:00", "A"), ev("close", "2026-03-02 09:00:00", operator="A")), "withdrawn:one_stamp"),
        Example("a close that bears its own stamp leaves it standing", (_ACCEPT, _step("decide", "2026-03-02 09:00:00", "A"), ev("close", "2026-03-02 09:00:01", operator="A")), "same_person"),
        Example("a system action is nobody's", (_ACCEPT, _step("decide", "2026-03-03 10:00:00", None)), "clear"),
    ),
)  # fmt: skip
