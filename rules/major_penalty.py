"""A large fine, for review by the legal office. 重大处罚

What    The fine of one event against the limit of its item and kind of party.
Basis   Jiangsu A028: fines above 5,000 yuan by summary procedure (published); other limits by class are
        the district's.
Unit    Fen.
Blind   Confiscations and other penalties that are no sum of money.
"""

from detector.rulekit import (
    NEVER_BELOW,
    Band,
    Column,
    Columns,
    Example,
    Param,
    Params,
    Rule,
    Table,
    Tuned,
    ev,
)


def limit(c: Columns, p: Params) -> Column:
    """The limit in fen."""
    return c["limit_yuan"] * 100


def _fined(yuan: str | None, **fields):
    return (ev("decide", "2026-03-03 09:00:00", operator="C", fine=yuan, **fields),)


RULE = Rule(
    id="major_penalty",
    edition=1,
    family="content",
    zh="重大处罚",
    en="major penalty",
    basis="Jiangsu A028: more than 5,000 yuan (published); limits by class are the district's",
    unit="fen",
    applies=lambda c, p: c["has_fine"],
    measure=lambda c, p: c["fine_fen"] - limit(c, p),
    value=lambda c, p: c["fine_fen"],
    limit=limit,
    bands=(
        Band("ordinary", NEVER_BELOW),
        Band("major", 0, tier=0, exclusive=True, zh="大额罚款，应报法制机构审核", en="a large fine, to be reviewed by the legal office"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "party_kind", "operator"),
    sentence_zh="案件 {case_id}：{recorded_at} 罚款 {value} 分，超过 {limit} 分，应报法制机构审核（经办人 {operator}）。",
    sentence_en="Case {case_id}: fined {value} fen at {recorded_at}, more than {limit}: for review by the legal office (operator {operator}).",
    params=(Param("default_limit_yuan", 5_000, "yuan", "the limit where none of the limits below fits"),),
    table=Table("limits", (("item", "item"), ("party_kind", "party_kind")), "limit_yuan", "default_limit_yuan"),
    tuned=Tuned("default_limit_yuan", "above", grain=10_000, least=10_000, most=10**9),
    examples=(
        Example("fifty thousand yuan", _fined("50000"), "major"),
        Example("exactly 5,000 yuan", _fined("5000"), "clear"),
        Example("5,000 yuan and a fen", _fined("5000.01"), "major"),
        Example("no fine", _fined(None), "clear"),
        Example("declared bulk import", _fined("50000", imported=True), "muted:imported"),
        Example("the district's own limit", _fined("5001"), "clear", params={"default_limit_yuan": 6_000}),
    ),
)  # fmt: skip
