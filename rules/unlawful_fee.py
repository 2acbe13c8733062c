"""A fee on an item that charges none. 违规收费

What    Fen billed or received, whichever is more, where the catalogue says that the item is free.
Basis   Charging without authority or beyond the legal items and standards (published: 擅自收费).
Unit    Fen.
Blind   An item whose fee the catalogue does not state.
"""

import numpy as np

from detector.rulekit import NEVER_BELOW, Band, Column, Columns, Example, Params, Rule, ev


def charged(c: Columns, p: Params) -> Column:
    """What was billed or received of an item that is free."""
    due = np.where(c["has_fee_due"], c["fee_due_fen"], 0)
    paid = np.where(c["has_fee_paid"], c["fee_paid_fen"], 0)
    return np.where(c["item_fee_fen"] == 0, np.maximum(due, paid), 0)


def _pay(fee: str = "0", **fields):
    return {
        "story": (ev("pay", "2026-03-03 09:00:00", operator="B", **fields),),
        "item": {"fee_yuan": fee},
    }


RULE = Rule(
    id="unlawful_fee",
    edition=1,
    family="content",
    zh="违规收费",
    en="unlawful fee",
    basis="擅自收费、不按照法定项目和标准收费 (a city measure, published)",
    unit="fen",
    applies=lambda c, p: c["has_fee_due"] | c["has_fee_paid"],
    unknown=(
        ("item_not_listed", lambda c, p: ~c["item_listed"]),
        ("no_item_fee", lambda c, p: ~c["has_item_fee"]),
    ),
    measure=charged,
    bands=(
        Band("free", NEVER_BELOW),
        Band("unlawful", 0, tier=3, exclusive=True, zh="对不收费事项收费", en="charged for an item that is free"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "fee_due_fen", "fee_paid_fen", "operator"),
    sentence_zh="办件 {case_id}：事项 {item} 不收费，{recorded_at} 却收取 {value} 分（经办人 {operator}）。",
    sentence_en="Case {case_id}: item {item} is free, yet {value} fen were charged at {recorded_at} (operator {operator}).",
    examples=(
        Example("a hundred yuan for nothing", want="unlawful", **_pay(fee_paid="100")),
        Example("one fen", want="unlawful", **_pay(fee_due="0.01")),
        Example("billed and not yet paid", want="unlawful", **_pay(fee_due="100", fee_paid="0")),
        Example("nothing", want="clear", **_pay(fee_due="0", fee_paid="0")),
        Example("an item that charges", want="clear", **_pay("300", fee_paid="300")),
        Example("declared bulk import", want="muted:imported", **_pay(fee_paid="100", imported=True)),
        Example("no fee known", want="undetermined:no_item_fee", **_pay("", fee_paid="100")),
        Example("an item that is not listed", want="undetermined:item_not_listed", **_pay(fee_paid="100", item="nowhere")),
    ),
)  # fmt: skip
