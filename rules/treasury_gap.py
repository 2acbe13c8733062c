"""Fines decided and money received by the treasury that do not agree. 罚没入库不符

What    A department's fines of an item and month against the treasury's receipts: case by case
        where receipts name a case, all others together. Short and over are added up apart, so
        that one does not hide the other.
Basis   1.3 million and 2.9 million yuan were found by hand in county reviews; fines reach the
        treasury within 15 days and 2 bank days (published). 5 % and 10,000 yuan are ours.
Unit    Fen: positive is missing, negative is too much.
Blind   Receipts that name neither case nor item belong to no month. A fine that is paid by
        instalments falls short until the last one. Without any receipt nobody can know.
"""

import numpy as np

from detector.rulekit import (
    NEVER_BELOW,
    Band,
    Column,
    Columns,
    Example,
    Param,
    Params,
    Rule,
    ev,
    fact,
)


def gravity(c: Columns, p: Params) -> Column:
    """0 they agree, 1 they differ, 2 a large part of a large sum is missing."""
    differs = (c["short_fen"] > 0) | (c["over_fen"] > 0)
    large = (c["short_fen"] * 100 > c["fines_fen"] * p.large_percent) & (
        c["short_fen"] > p.large_fen
    )
    return np.where(large, 2, np.where(differs, 1, 0))


def difference(c: Columns, p: Params) -> Column:
    """What is missing, or where nothing is, what is too much (below zero)."""
    return np.where(c["short_fen"] > 0, c["short_fen"], -c["over_fen"])


def _fine(amount: str, case: str = "case-1", at: str = "2026-03-10 10:00:00", **fields):
    return ev("decide", at, case_id=case, operator="A", fine=amount, **fields)


def _paid(amount: str, at: str = "2026-03-12 12:00:00", case: str | None = "case-1", **fields):
    return fact("treasury", at, amount=amount, paid_on=at, item="permit", case_id=case, **fields)


_LATER = "2026-04-21 12:00:00"
_ELSEWHERE = fact("treasury", "2026-03-01 12:00:00", fact_id="x", amount="1", paid_on="2026-03-01")

RULE = Rule(
    id="treasury_gap",
    edition=1,
    family="content",
    zh="罚没入库不符",
    en="treasury gap",
    basis="Fines reach the treasury within 15 days and 2 bank days (published); more than 5 % and 10,000 yuan is large (ours)",
    unit="fen",
    subject="department",
    per="fines",
    unknown=(("no_treasury", lambda c, p: ~c["treasury_known"]),),
    measure=gravity,
    value=difference,
    limit=lambda c, p: c["fines_fen"],
    bands=(
        Band("agrees", NEVER_BELOW),
        Band("differs", 1, tier=1, zh="罚款与入库不符", en="fines and receipts differ"),
        Band("large", 2, tier=2, zh="大额罚款未入库", en="a large part of the fines is missing"),
    ),
    cause=("item", "month", "value"),
    evidence=("month", "fines_fen", "receipts_fen", "short_fen", "over_fen"),
    sentence_zh="{department} 事项 {item} {month}：决定罚款 {fines_fen} 分，入库 {receipts_fen} 分，少缴 {short_fen} 分，多缴 {over_fen} 分，{reason_zh}。",
    sentence_en="{department}, item {item}, {month}: fines of {fines_fen} fen, {receipts_fen} received, {short_fen} short, {over_fen} over: {reason_en}.",
    params=(
        Param("large_fen", 1_000_000, "fen", "what is missing is large beyond this sum"),
        Param("large_percent", 5, "%", "and beyond this part of the month's fines", 0, 100),
        Param("grace_days", 15, "days", "days after the month's end in which fines are paid in", 0, 366),
        Param("grace_wd", 2, "wd", "working days that the bank takes on top", 0, 366),
    ),
    examples=(
        Example("received in full", (_fine("500"), _paid("500")), "clear", until=_LATER),
        Example("one fen short", (_fine("500"), _paid("499.99")), "differs", until=_LATER),
        Example("one fen over", (_fine("500"), _paid("500.01")), "differs", until=_LATER),
        Example("one short and one over do not cancel out", (_fine("500"), _paid("400"), _fine("500", "case-2"), _paid("600", case="case-2")), "differs", until=_LATER),
        Example("never received", (_ELSEWHERE, _fine("500")), "differs", until=_LATER),
        Example("not yet due", (_ELSEWHERE, _fine("500")), "clear", until="2026-04-20 08:59:59"),
        Example("due", (_ELSEWHERE, _fine("500")), "differs", until="2026-04-20 09:00:00"),
        Example("10,000 yuan missing", (_ELSEWHERE, _fine("10000")), "differs", until=_LATER),
        Example("10,000 yuan and a fen missing", (_ELSEWHERE, _fine("10000.01")), "large", until=_LATER),
        Example("exactly 5 % missing", (_fine("400000"), _paid("380000")), "differs", until=_LATER),
        Example("5 % and a fen missing", (_fine("400000"), _paid("379999.99")), "large", until=_LATER),
        Example("received without a case", (_fine("500"), _fine("300", "case-2"), _paid("800", case=None)), "clear", until=_LATER),
        Example("received without a case, a fen short", (_fine("500"), _fine("300", "case-2"), _paid("799.99", case=None)), "differs", until=_LATER),
        Example("received in a later month for the case's own", (_fine("500"), _paid("500", "2026-04-15 12:00:00")), "clear", until=_LATER),
        Example("the rest comes later", (_fine("500"), _paid("400"), _paid("100", "2026-04-21 10:00:00")), "withdrawn:corrected", until=_LATER),
        Example("the fine is taken back", (_fine("500"), _paid("400"), ev("decide", "2026-03-11 10:00:00", operator="A", fine="400", supersedes="e1")), "clear", until=_LATER),
        Example("the fine is taken back afterwards", (_fine("500"), _paid("400"), ev("decide", "2026-04-21 10:00:00", operator="A", occurred_at="2026-03-10 10:00:00", fine="400", supersedes="e1")), "withdrawn:corrected", until=_LATER),
        Example("money without a fine", (_paid("500", case=None),), "differs", until=_LATER),
        Example("the treasury tells us nothing", (_fine("500"),), "undetermined:no_treasury", until=_LATER),
        Example("the district's own sum", (_ELSEWHERE, _fine("500")), "large", params={"large_fen": 10_000}, until=_LATER),
    ),
)  # fmt: skip
