"""A required step is missing at decision or close, or came out of order. 跳过环节

What    Required steps of the item that nobody has worked by the decision, or by the close those behind
        it; or a required step worked after a later one. Only events since the case came to its item.
Basis   Process norm of the three-in-one platform: every required step, in its order (published).
Unit    Steps.
Blind   A decision out of order is the missing step's finding; the step that follows it is not found again.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev

_FLOW = {"steps": [
    {"code": "accept", "required": True}, {"code": "survey", "required": True},
    {"code": "review", "required": True}, {"code": "decide", "required": True},
    {"code": "archive", "required": True}, {"code": "issue", "required": True}, {"code": "close"},
]}  # fmt: skip
_ACCEPT = ev("accept", "2026-03-02 09:00:00", operator="A")


def _step(name: str, at: str, **fields):
    return ev("step", at, step=name, operator="B", **fields)


_SURVEY = _step("survey", "2026-03-02 10:00:00")
_REVIEW = _step("review", "2026-03-02 11:00:00")
_DECIDE = ev("decide", "2026-03-02 14:00:00", operator="C", result="granted")
_ARCHIVE = _step("archive", "2026-03-02 15:00:00")
_CLOSE = ev("close", "2026-03-02 16:00:00", operator="C", result="granted")


RULE = Rule(
    id="skipped_step",
    edition=1,
    family="process",
    zh="跳过环节",
    en="skipped step",
    basis="Process norm: required steps are worked, in the order of the flow (published)",
    unit="steps",
    applies=lambda c, p: c["settles"] | c["works_required"],
    unknown=(("item_not_listed", lambda c, p: c["settles"] & ~c["item_listed"]),),
    measure=lambda c, p: c["skipped_count"],
    limit=lambda c, p: c["skipped_count"] * 0,
    bands=(
        Band("whole", NEVER_BELOW),
        Band("skipped", 1, tier=2, zh="必经环节缺失或次序颠倒", en="required steps are missing or out of order"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "skipped_steps", "operator"),
    sentence_zh="办件 {case_id}：至 {recorded_at} “{step}”时，有 {value} 个必经环节缺失或次序颠倒：{skipped_steps}（经办人 {operator}）。",
    sentence_en="Case {case_id}: at \"{step}\" on {recorded_at} {value} required steps are missing or out of order: {skipped_steps} (operator {operator}).",
    examples=(
        Example("decided without survey and review", (_ACCEPT, _DECIDE), "skipped", item=_FLOW),
        Example("every step in its order", (_ACCEPT, _SURVEY, _REVIEW, _DECIDE, _ARCHIVE, _CLOSE), "clear", item=_FLOW),
        Example("one step short", (_ACCEPT, _SURVEY, _DECIDE), "skipped", item=_FLOW),
        Example("closed without what follows the decision", (_ACCEPT, _SURVEY, _REVIEW, _DECIDE, _CLOSE), "skipped", item=_FLOW),
        Example("what the decision lacked is not said again at the close", (_ACCEPT, _REVIEW, _DECIDE, _ARCHIVE, _CLOSE), "skipped", item=_FLOW),
        Example("survey after review", (_ACCEPT, _REVIEW, _SURVEY | {"recorded_at": "2026-03-02 11:30:00", "occurred_at": "2026-03-02 11:30:00"}), "skipped", item=_FLOW),
        Example("withdrawn before the work was done", (_ACCEPT, _CLOSE | {"result": "withdrawn"}), "clear", item=_FLOW),
        Example("nothing is required", (_ACCEPT, _DECIDE, _CLOSE), "clear"),
        Example("declared bulk import", (_ACCEPT, _DECIDE | {"imported": True}), "muted:imported", item=_FLOW),
        Example("an item that is not listed", (_DECIDE | {"item": "nowhere"},), "undetermined:item_not_listed", item=_FLOW),
    ),
)  # fmt: skip
