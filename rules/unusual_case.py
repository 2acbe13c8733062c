"""A closed case whose durations, counts and money hardly any other has. 形态异常（自学习）

What    At the close of a case how few cases of the same item lie where it lies, by total working
        time, longest pause, records, steps, persons, returns, money paid and fines; above 6 bits,
        one case in sixty-four.
Basis   Ours; counts of half-space trees (Tan, Ting and Liu 2011), learned from the record
        (models/shape.py) and fixed at the start of each day.
Unit    Bits of surprise.
Blind   All that the learner is blind to. What is rare may be lawful: this only asks somebody to look.
        A case whose close bears the stamp of its acceptance is a fault of its source
        (`one_stamp_source`): muted.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev


def _case(name: str, day: str, second: int, pause: int, cases: int = 1):
    """Accepted, surveyed after so many seconds, closed after as many again."""
    told = []
    for n, (action, fields) in enumerate(
        (("accept", {}), ("step", {"step": "survey"}), ("close", {}))
    ):
        at = second + n * pause
        stamp = f"2026-{day} {9 + at // 3600:02d}:{at // 60 % 60:02d}:{at % 60:02d}"
        told.append(ev(action, stamp, case_id=name, operator=f"P{n}", **fields))
    return tuple(told)


def _day(day: str, cases: int, pause: int = 2_400, odd: int = 0):
    """So many cases of one day; of some the pauses are those of a case that is asked about."""
    usual = [_case(f"{day}-{n}", day, n * 4, pause + n % 7 * 60) for n in range(cases)]
    others = [_case(f"{day}-odd-{n}", day, n * 4, 2) for n in range(odd)]
    return tuple(e for case in (*usual, *others) for e in case)


_UNTIL = "2026-03-04 12:00:00"

RULE = Rule(
    id="unusual_case",
    edition=1,
    family="truth",
    zh="形态异常",
    en="unusual case",
    basis="Ours: hardly any closed case of the same item lies there; learned, published each day",
    unit="bits",
    learner="shape",
    unknown=(("not_learned", lambda c, p: ~c["learned"]),),
    measure=lambda c, p: c["bits"],
    mutes=("one_stamp",),
    bands=(
        Band("usual", NEVER_BELOW),
        Band("surprising", 6, tier=0, exclusive=True, zh="办件形态在同类办件中极为少见", en="hardly any such case looks like this"),
    ),
    evidence=("recorded_at", "level", "cases", "unusual", "why_zh", "why_en"),
    sentence_zh="办件 {case_id} 与同类办件少有相似：{why_zh}（{value} 比特，依据学习所得的 {cases} 件；仅供核查）。",
    sentence_en="Case {case_id} resembles hardly any other: {why_en} ({value} bits, learned from {cases} cases; worth a look, no more).",
    examples=(
        Example("closed in four seconds where it takes eighty minutes", (*_day("03-02", 300), *_case("asked", "03-03", 0, 2)), "surprising", until=_UNTIL),
        Example("all of it under one stamp: a fault of its source", (*_day("03-02", 300), *_case("asked", "03-03", 0, 0)), "muted:one_stamp", until=_UNTIL),
        Example("as three of three hundred were: above 6 bits", (*_day("03-02", 300, odd=3), *_case("asked", "03-03", 0, 2)), "surprising", until=_UNTIL),
        Example("as seven were: below 6 bits", (*_day("03-02", 300, odd=7), *_case("asked", "03-03", 0, 2)), "undetermined:not_learned", count=307, until=_UNTIL),
        Example("an ordinary case", (*_day("03-02", 300), *_case("asked", "03-03", 0, 2_520)), "undetermined:not_learned", count=300, until=_UNTIL),
        Example("too few cases to compare with", (*_day("03-02", 150), *_case("asked", "03-03", 0, 2)), "undetermined:not_learned", count=151, until=_UNTIL),
        Example("an open case is not looked at", _case("asked", "03-03", 0, 60)[:2], "clear", until=_UNTIL),
    ),
)  # fmt: skip
