"""Licence issued before its fee is paid. 未缴费出证

What    Fen of the fee still unpaid when the licence is issued: the last bill of the case, else the
        item's fee, less all that was received up to and with the issue.
Basis   County fee module: "不缴费不能打印证照" (published).
Unit    Fen.
Blind   A relief reason anywhere in the case clears it: how much was relieved is not told.
"""

import numpy as np

from detector.rulekit import NEVER_BELOW, Band, Column, Columns, Example, Params, Rule, ev


def due(c: Columns, p: Params) -> Column:
    """The last bill of the case, else the item's fee."""
    return np.where(c["case_has_due"], c["case_due_fen"], c["item_fee_fen"])


def unpaid(c: Columns, p: Params) -> Column:
    """Fen due and not received, none where a relief was given."""
    return np.where(c["relief"], 0, np.maximum(0, due(c, p) - c["case_paid_fen"]))


def nothing_due_known(c: Columns, p: Params) -> Column:
    """Neither a bill in the case nor a fee in the catalogue."""
    return ~c["case_has_due"] & ~c["has_item_fee"]


def _issue(*before, fee: str = "300", **fields):
    story = (
        ev("accept", "2026-03-02 09:00:00", operator="A"),
        *before,
        ev("issue", "2026-03-04 09:00:00", operator="B", **fields),
    )
    return {"story": story, "item": {"fee_yuan": fee}}


def _paid(amount: str):
    return ev("pay", "2026-03-03 09:00:00", operator="C", fee_due="300", fee_paid=amount)


RULE = Rule(
    id="unpaid_issue",
    edition=1,
    family="content",
    zh="未缴费出证",
    en="issued unpaid",
    basis="County fee module: no payment, no printing of the licence (published)",
    unit="fen",
    actions=("issue",),
    unknown=(
        ("item_not_listed", lambda c, p: nothing_due_known(c, p) & ~c["item_listed"]),
        ("no_item_fee", nothing_due_known),
    ),
    measure=unpaid,
    limit=due,
    bands=(
        Band("paid", NEVER_BELOW),
        Band("unpaid", 0, tier=2, exclusive=True, zh="费用未缴清即出证", en="issued before the fee was paid"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "case_paid_fen", "operator"),
    sentence_zh="办件 {case_id}：{recorded_at} 出证时应缴 {limit} 分，已缴 {case_paid_fen} 分，尚欠 {value} 分（经办人 {operator}）。",
    sentence_en="Case {case_id}: issued at {recorded_at} with {limit} fen due and {case_paid_fen} paid, {value} fen unpaid (operator {operator}).",
    blocking=True,
    remedy_zh="收清尚欠的 {value} 分",
    remedy_en="{value} fen more received",
    examples=(
        Example("nothing paid", want="unpaid", **_issue()),
        Example("one fen missing", want="unpaid", **_issue(_paid("299.99"))),
        Example("paid before", want="clear", **_issue(_paid("300"))),
        Example("paid with the issue itself", want="clear", **_issue(fee_due="300", fee_paid="300")),
        Example("an item that charges nothing", want="clear", **_issue(fee="0")),
        Example("relieved", want="clear", **_issue(relief_reason="低保户免收")),
        Example("declared bulk import", want="muted:imported", **_issue(imported=True)),
        Example("an item that is not listed", want="undetermined:item_not_listed", **_issue(item="nowhere")),
        Example("no fee known", want="undetermined:no_item_fee", **_issue(fee="")),
    ),
)  # fmt: skip
