"""Required documents are missing at the step that needs them. 材料不全

What    Documents that the step needs and that neither this event nor an earlier one of the item names.
Basis   Xinbei sheet: −1 each; the county's system stops the flow (published). Blocking at the gate.
Unit    Documents.
Blind   Whether what was filed is what it says.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev

_NEEDS = {
    "steps": [
        {"code": "accept", "documents": ["application_form"]},
        {"code": "survey", "documents": ["application_form", "opinion"]},
    ]
}


def _accept(*named: str, **fields):
    return ev("accept", "2026-03-02 09:00:00", operator="A", documents=list(named), **fields)


def _survey(*named: str, **fields):
    return ev(
        "step", "2026-03-02 10:00:00", step="survey", operator="B", documents=list(named), **fields
    )


RULE = Rule(
    id="missing_document",
    edition=1,
    family="content",
    zh="材料不全",
    en="missing document",
    basis="Xinbei assessment sheet, row 23: −1 each; required parts stop the flow (published)",
    unit="documents",
    applies=lambda c, p: c["asks_documents"],
    unknown=(
        ("item_not_listed", lambda c, p: ~c["item_listed"]),
        ("step_not_listed", lambda c, p: c["strange_for_documents"]),
        ("no_documents_column", lambda c, p: c["lacks_documents"]),
    ),
    measure=lambda c, p: c["missing_document_count"],
    limit=lambda c, p: c["missing_document_count"] * 0,
    bands=(
        Band("whole", NEVER_BELOW),
        Band("missing", 1, tier=1, zh="材料不全", en="required documents are missing"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "missing_documents", "operator"),
    sentence_zh="办件 {case_id}：{recorded_at} 环节“{step}”缺 {value} 份：{missing_documents}（经办人 {operator}）。",
    sentence_en="Case {case_id}: step \"{step}\" at {recorded_at} lacks {value} documents: {missing_documents} (operator {operator}).",
    blocking=True,
    remedy_zh="补齐材料：{missing_documents}",
    remedy_en="file the documents {missing_documents}",
    examples=(
        Example("nothing filed", (_accept(),), "missing", item=_NEEDS),
        Example("filed with the step", (_accept("application_form"),), "clear", item=_NEEDS),
        Example("filed earlier", (_accept("application_form"), _survey("opinion")), "clear", item=_NEEDS),
        Example("one of two is missing", (_accept("application_form"), _survey()), "missing", item=_NEEDS),
        Example("another is filed instead", (_accept("photo"),), "missing", item=_NEEDS),
        Example("a step that needs none", (_accept(),), "clear"),
        Example("declared bulk import", (_accept(imported=True),), "muted:imported", item=_NEEDS),
        Example("an item that is not listed", (_accept(item="nowhere"),), "undetermined:item_not_listed", item=_NEEDS),
        Example("a step that is not in the flow", (_accept("application_form"), _survey() | {"step": "tea"}), "undetermined:step_not_listed", item=_NEEDS),
        Example("a source without documents", (_accept(),), "undetermined:no_documents_column", item=_NEEDS, lacks=("documents",)),
    ),
)  # fmt: skip
