"""A power exercised that the catalogue does not hold. 目录外行使

What    Whether the item is in the catalogue, dormant or abolished, at the case's first event and where
        its item changes.
Basis   Jiangsu A024, A025: item code not confirmed, item suspended; Changzhou (published).
Unit    Status: 0 in use, 1 unlisted, 2 dormant (休眠), 3 abolished (废止).
Blind   The catalogue of today is asked, also about yesterday.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev

_ACCEPT = ev("accept", "2026-03-02 09:00:00", operator="A")


def _step(at: str, **fields):
    return ev("step", at, step="survey", operator="B", **fields)


RULE = Rule(
    id="unlisted_power",
    edition=1,
    family="process",
    zh="目录外行使权力",
    en="unlisted power",
    basis="Jiangsu A024, A025: item not confirmed or suspended; Changzhou catalogue rules (published)",
    unit="status",
    applies=lambda c, p: ~c["has_previous"] | ~c["same_item"],
    measure=lambda c, p: c["item_status"],
    bands=(
        Band("in_use", NEVER_BELOW),
        Band("unlisted", 1, tier=2, zh="事项不在权力目录内", en="the item is not in the catalogue"),
        Band("dormant", 2, tier=2, zh="事项处于休眠状态", en="the item is dormant"),
        Band("abolished", 3, tier=2, zh="事项已废止", en="the item is abolished"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "operator"),
    sentence_zh="办件 {case_id}：{recorded_at} 办理事项 {item}，{reason_zh}（经办人 {operator}）。",
    sentence_en="Case {case_id}: item {item} was worked at {recorded_at}: {reason_en} (operator {operator}).",
    examples=(
        Example("not in the catalogue", (_ACCEPT | {"item": "nowhere"},), "unlisted"),
        Example("dormant", (_ACCEPT,), "dormant", item={"status": "dormant"}),
        Example("abolished", (_ACCEPT,), "abolished", item={"status": "abolished"}),
        Example("in use", (_ACCEPT, _step("2026-03-02 10:00:00")), "clear"),
        Example("once for a case", (_ACCEPT | {"item": "nowhere"}, _step("2026-03-02 10:00:00", item="nowhere")), "unlisted"),
        Example("the item changes on the way", (_ACCEPT, _step("2026-03-02 10:00:00", item="nowhere")), "unlisted"),
        Example("declared bulk import", (_ACCEPT | {"item": "nowhere", "imported": True},), "muted:imported"),
    ),
)  # fmt: skip
