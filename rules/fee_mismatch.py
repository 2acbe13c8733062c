"""Received, receivable and the item's fee do not agree. 收费不符

What    Fen received less fen receivable; where these agree, receivable less the item's fee.
        A relief reason excuses less, never more.
Basis   County fee module: all fees online, received must equal receivable (published).
Unit    Fen.
Blind   A fee paid in parts must be billed in parts: each record is compared with its own bill.
"""

import numpy as np

from detector.rulekit import NEVER_BELOW, Band, Column, Columns, Example, Params, Rule, ev


def expected(c: Columns, p: Params) -> Column:
    """What should have been received: the bill, else the item's fee."""
    return np.where(c["has_fee_due"], c["fee_due_fen"], c["item_fee_fen"])


def paid_wrong(c: Columns, p: Params) -> Column:
    """Fen received beyond what was expected; less is excused by a relief reason."""
    return _excused(c, np.where(c["has_fee_paid"], c["fee_paid_fen"] - expected(c, p), 0))


def billed_wrong(c: Columns, p: Params) -> Column:
    """Fen billed beyond the item's fee, where both are known."""
    both = c["has_fee_due"] & c["has_item_fee"]
    return _excused(c, np.where(both, c["fee_due_fen"] - c["item_fee_fen"], 0))


def _excused(c: Columns, fen: Column) -> Column:
    return np.where(c["relief"], np.maximum(0, fen), fen)


def difference(c: Columns, p: Params) -> Column:
    """The first of the two that is not zero."""
    paid = paid_wrong(c, p)
    return np.where(paid != 0, paid, billed_wrong(c, p))


def limit(c: Columns, p: Params) -> Column:
    """The amount that the value was compared with."""
    by_item = (paid_wrong(c, p) == 0) & c["has_item_fee"]
    return np.where(by_item, c["item_fee_fen"], expected(c, p))


def nothing_to_compare(c: Columns, p: Params) -> Column:
    """No item fee, and the record lacks the bill or the receipt."""
    return ~c["has_item_fee"] & ~(c["has_fee_due"] & c["has_fee_paid"])


def _pay(fee: str = "300", **fields):
    story = (
        ev("accept", "2026-03-02 09:00:00", operator="A"),
        ev("pay", "2026-03-03 09:00:00", operator="B", **fields),
    )
    return {"story": story, "item": {"fee_yuan": fee}}


RULE = Rule(
    id="fee_mismatch",
    edition=1,
    family="content",
    zh="收费不符",
    en="fee mismatch",
    basis="County fee module: received equals receivable equals the item's fee (published)",
    unit="fen",
    applies=lambda c, p: c["has_fee_due"] | c["has_fee_paid"],
    unknown=(
        ("item_not_listed", lambda c, p: nothing_to_compare(c, p) & ~c["item_listed"]),
        ("no_item_fee", nothing_to_compare),
    ),
    measure=difference,
    limit=limit,
    bands=(
        Band("short", NEVER_BELOW, tier=2, zh="少收或少计", en="less than due"),
        Band("equal", 0),
        Band("over", 1, tier=2, zh="多收或多计", en="more than due"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "fee_due_fen", "fee_paid_fen", "item_fee_fen", "operator"),
    sentence_zh="办件 {case_id}：{recorded_at} 收费记录与应收相差 {value} 分（应收 {fee_due_fen} 分，实收 {fee_paid_fen} 分，事项收费标准 {item_fee_fen} 分），无减免原因。",
    sentence_en="Case {case_id}: the fee recorded at {recorded_at} differs by {value} fen (due {fee_due_fen}, received {fee_paid_fen}, the item's fee {item_fee_fen}) without a relief that explains it.",
    examples=(
        Example("a hundred yuan short", want="short", **_pay(fee_due="300", fee_paid="200")),
        Example("one fen short", want="short", **_pay(fee_due="300", fee_paid="299.99")),
        Example("one fen over", want="over", **_pay(fee_due="300", fee_paid="300.01")),
        Example("paid as due", want="clear", **_pay(fee_due="300", fee_paid="300")),
        Example("billed above the item's fee", want="over", **_pay(fee_due="350", fee_paid="350")),
        Example("less, with a relief reason", want="clear", **_pay(fee_due="300", fee_paid="0", relief_reason="低保户免收")),
        Example("one fen less, with a relief reason", want="clear", **_pay(fee_due="300", fee_paid="299.99", relief_reason="低保户免收")),
        Example("more, whatever the relief", want="over", **_pay(fee_due="300", fee_paid="400", relief_reason="低保户免收")),
        Example("paid without a bill, against the item's fee", want="short", **_pay(fee_paid="200")),
        Example("declared bulk import", want="muted:imported", **_pay(fee_due="300", fee_paid="200", imported=True)),
        Example("paid without a bill, of an item that is not listed", want="undetermined:item_not_listed", **_pay(fee_paid="200", item="nowhere")),
        Example("neither a bill nor a known fee", want="undetermined:no_item_fee", **_pay(fee="", fee_paid="200")),
    ),
)  # fmt: skip
