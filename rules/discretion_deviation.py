"""A fine outside the benchmark of its grade, or a grade against its factors. 裁量异常

What    How far the fine lies outside the range of its grade, in thousandths of the range; a grade whose
        presumed factors the case does not have counts as a whole range.
Basis   Xinbei sheet: −1 each, justified reasons excepted (published); the benchmark must be in the
        penalty flow (Changzhou 2012).
Unit    Thousandths of the range of the grade.
Blind   What an officer did not enter as a factor. Justified: factor `justified` and ten characters of reason.
"""

import numpy as np

from detector.rulekit import NEVER_BELOW, Band, Column, Columns, Example, Params, Rule, Tuned, ev


def outside(c: Columns, p: Params) -> Column:
    """Fen by which the fine lies outside the range."""
    return np.maximum(0, np.maximum(c["least_fen"] - c["fine_fen"], c["fine_fen"] - c["most_fen"]))


def deviation(c: Columns, p: Params) -> Column:
    """Thousandths of the range, rounded up; at least a whole range where the factors do not fit."""
    width = np.maximum(1, c["most_fen"] - c["least_fen"])
    out = np.minimum(-(-outside(c, p) * 1000 // width), 10**9)
    return np.where(c["grade_fits"], out, np.maximum(out, 1000))


_GRADES = {"benchmarks": [
    {"grade": "light", "least_yuan": "500", "most_yuan": "1000", "factors": ["first_time"]},
    {"grade": "plain", "least_yuan": "1000", "most_yuan": "3000"},
    {"grade": "plain", "least_yuan": "2000", "most_yuan": "6000", "party_kind": "company"},
]}  # fmt: skip


def _fined(yuan: str, grade: str | None = "plain", **fields):
    return {
        "story": (
            ev("decide", "2026-03-03 09:00:00", operator="C", fine=yuan, grade=grade, **fields),
        ),
        "item": _GRADES,
    }


RULE = Rule(
    id="discretion_deviation",
    edition=1,
    family="content",
    zh="裁量异常",
    en="discretion deviates",
    basis="Xinbei assessment sheet, row 23: −1 each, justified reasons excepted; benchmarks in the flow (published)",
    unit="permille",
    applies=lambda c, p: c["has_fine"],
    unknown=(
        ("item_not_listed", lambda c, p: ~c["item_listed"]),
        ("no_benchmark", lambda c, p: c["no_benchmark"]),
        ("no_grade", lambda c, p: c["no_grade"]),
        ("grade_not_listed", lambda c, p: c["grade_unlisted"]),
    ),
    measure=deviation,
    bands=(
        Band("within", NEVER_BELOW),
        Band("deviates", 0, tier=2, exclusive=True, zh="处罚裁量偏离基准", en="the fine or its grade departs from the benchmark"),
    ),
    mutes=("imported", "justified"),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "grade", "party_kind", "factors", "fine_fen", "least_fen", "most_fen", "grade_fits", "operator"),
    sentence_zh="案件 {case_id}：{recorded_at} 罚款 {fine_fen} 分，裁量等次“{grade}”，基准为 {least_fen} 至 {most_fen} 分，偏离幅度的千分之 {value}；裁量因素：{factors}（经办人 {operator}）。",
    sentence_en="Case {case_id}: fined {fine_fen} fen at {recorded_at}, grade \"{grade}\" of {least_fen} to {most_fen} fen; deviates by {value} thousandths of the range; factors: {factors} (operator {operator}).",
    tuned=Tuned("bands.deviates.edge", "above", grain=1, least=0, most=10_000),
    examples=(
        Example("twice the most", want="deviates", **_fined("6000")),
        Example("exactly the most", want="clear", **_fined("3000")),
        Example("one fen above", want="deviates", **_fined("3000.01")),
        Example("exactly the least", want="clear", **_fined("1000")),
        Example("one fen below", want="deviates", **_fined("999.99")),
        Example("a company has its own range", want="clear", **_fined("6000", party_kind="company")),
        Example("another kind of party has the common one", want="clear", **_fined("2000", party_kind="person")),
        Example("light without what it presumes", want="deviates", **_fined("800", "light")),
        Example("light with it", want="clear", **_fined("800", "light", factors=["first_time"])),
        Example("justified", want="muted:justified", **_fined("6000", factors=["justified"], reason="当事人主动消除危害后果并配合")),
        Example("called justified in nine characters", want="deviates", **_fined("6000", factors=["justified"], reason="当事人主动配合调查")),
        Example("declared bulk import", want="muted:imported", **_fined("6000", imported=True)),
        Example("no grade", want="undetermined:no_grade", **_fined("6000", None)),
        Example("a grade that the benchmark has not", want="undetermined:grade_not_listed", **_fined("6000", "heavy")),
        Example("no benchmark", (ev("decide", "2026-03-03 09:00:00", fine="100", grade="plain"),), "undetermined:no_benchmark"),
        Example("an item that is not listed", want="undetermined:item_not_listed", **_fined("6000", item="nowhere")),
    ),
)  # fmt: skip
