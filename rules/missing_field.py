"""Required fields are missing at the step that needs them. 信息不完整

What    Fields that the step needs and that neither this event nor an earlier one of the item names.
Basis   Xinbei sheet: −1 each; the county's system stops the flow (published). Blocking at the gate.
Unit    Fields.
Blind   Whether what was filed is what it says.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev

_NEEDS = {
    "steps": [
        {"code": "accept", "fields": ["applicant"]},
        {"code": "survey", "fields": ["applicant", "opinion"]},
    ]
}


def _accept(*named: str, **fields):
    return ev("accept", "2026-03-02 09:00:00", operator="A", fields=list(named), **fields)


def _survey(*named: str, **fields):
    return ev(
        "step", "2026-03-02 10:00:00", step="survey", operator="B", fields=list(named), **fields
    )


RULE = Rule(
    id="missing_field",
    edition=1,
    family="content",
    zh="信息不完整",
    en="missing field",
    basis="Xinbei assessment sheet, row 23: −1 each; required parts stop the flow (published)",
    unit="fields",
    applies=lambda c, p: c["asks_fields"],
    unknown=(
        ("item_not_listed", lambda c, p: ~c["item_listed"]),
        ("step_not_listed", lambda c, p: c["strange_for_fields"]),
        ("no_fields_column", lambda c, p: c["lacks_fields"]),
    ),
    measure=lambda c, p: c["missing_field_count"],
    limit=lambda c, p: c["missing_field_count"] * 0,
    bands=(
        Band("whole", NEVER_BELOW),
        Band("missing", 1, tier=1, zh="信息不完整", en="required fields are missing"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "missing_fields", "operator"),
    sentence_zh="办件 {case_id}：{recorded_at} 环节“{step}”缺 {value} 项：{missing_fields}（经办人 {operator}）。",
    sentence_en="Case {case_id}: step \"{step}\" at {recorded_at} lacks {value} fields: {missing_fields} (operator {operator}).",
    blocking=True,
    remedy_zh="补齐信息：{missing_fields}",
    remedy_en="file the fields {missing_fields}",
    examples=(
        Example("nothing filed", (_accept(),), "missing", item=_NEEDS),
        Example("filed with the step", (_accept("applicant"),), "clear", item=_NEEDS),
        Example("filed earlier", (_accept("applicant"), _survey("opinion")), "clear", item=_NEEDS),
        Example("one of two is missing", (_accept("applicant"), _survey()), "missing", item=_NEEDS),
        Example("another is filed instead", (_accept("photo"),), "missing", item=_NEEDS),
        Example("a step that needs none", (_accept(),), "clear"),
        Example("declared bulk import", (_accept(imported=True),), "muted:imported", item=_NEEDS),
        Example("an item that is not listed", (_accept(item="nowhere"),), "undetermined:item_not_listed", item=_NEEDS),
        Example("a step that is not in the flow", (_accept("applicant"), _survey() | {"step": "tea"}), "undetermined:step_not_listed", item=_NEEDS),
        Example("a source without fields", (_accept(),), "undetermined:no_fields_column", item=_NEEDS, lacks=("fields",)),
    ),
)  # fmt: skip
