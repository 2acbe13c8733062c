"""Refused, returned or voided without a reason. 无理由不予受理

What    Characters of the reason, white space not counted.
Basis   −0.5 points where the note has fewer than 10 characters (Jiangsu appraisal; published);
        Administrative Licensing Law art. 38: a refusal states its reasons.
Unit    Characters.
Blind   Whether ten characters say anything.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, Tuned, ev


def _ends(reason: str | None, result: str | None = "refused", action: str = "decide", **fields):
    return (
        ev(action, "2026-03-03 09:00:00", operator="C", result=result, reason=reason, **fields),
    )


RULE = Rule(
    id="unreasoned_refusal",
    edition=1,
    family="process",
    zh="无理由不予受理",
    en="refusal without a reason",
    basis="Jiangsu appraisal: −0.5 when the note is under 10 characters (published); Administrative Licensing Law art. 38",
    unit="chars",
    actions=("return", "decide", "close"),
    applies=lambda c, p: c["refuses"],
    unknown=(("no_reason_column", lambda c, p: c["lacks_reasons"]),),
    measure=lambda c, p: c["reason_chars"],
    limit=lambda c, p: c["reason_chars"] * 0 + 10,
    bands=(
        Band("unreasoned", NEVER_BELOW, tier=1, zh="不予受理、退回或作废而未说明理由", en="refused, returned or voided without a reason"),
        Band("reasoned", 10),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "operator"),
    sentence_zh="办件 {case_id}：{recorded_at} 环节“{step}”作出不予办理的结论，理由仅 {value} 字，不足 {limit} 字（经办人 {operator}）。",
    sentence_en="Case {case_id}: step \"{step}\" at {recorded_at} refused with a reason of {value} characters, fewer than {limit} (operator {operator}).",
    tuned=Tuned("bands.reasoned.edge", "below", grain=1, least=1, most=100),
    examples=(
        Example("no word", _ends(None), "unreasoned"),
        Example("nine characters", _ends("材料不符合法定要求"), "unreasoned"),
        Example("ten characters", _ends("材料不符合法定的要求"), "clear"),
        Example("blanks are no characters", _ends("材料 不符合 法定 要求 "), "unreasoned"),
        Example("returned", _ends("缺件", None, "return"), "unreasoned"),
        Example("closed as void", _ends("", "void", "close"), "unreasoned"),
        Example("granted", _ends(None, "granted"), "clear"),
        Example("declared bulk import", _ends(None, imported=True), "muted:imported"),
        Example("a source without reasons", _ends(None), "undetermined:no_reason_column", lacks=("reason",)),
    ),
)  # fmt: skip
