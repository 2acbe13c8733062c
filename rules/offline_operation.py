"""Cases that vanish from the system: fewer than before, perhaps worked off line. 网下运行

What    A month's cases of a department's item against the month before and the same month a year
        before; and whether that month's fines did not reach the treasury either.
Basis   Jiangsu C001/C002: 10 % fewer than the month before, 5 % fewer than the year before; falls of
        13.6 % and 22.5 % found (published). A treasury gap on top is a case for urging. What is
        ordinary for the month is ours, learned from the record (models/volume.py).
Unit    ‰ of change, rounded towards zero.
Blind   Seasons, holidays and items that are new or dying out fall without any wrong: where a range
        was published for the month, a fall within it is recorded and muted, and says so; missing
        fines speak all the same. A number above the range counts more than the record does, so the
        range cannot excuse it. Without an earlier month nobody can know.
"""

import numpy as np

from detector.rulekit import (
    NEVER_BELOW,
    Band,
    Column,
    Columns,
    Example,
    Ordinary,
    Param,
    Params,
    Rule,
    ev,
    fact,
)


def year_falls(c: Columns, p: Params) -> Column:
    """Too far below the same month a year before."""
    return c["has_year_before"] & (c["year_change"] <= -p.year_drop_permille)


def month_falls(c: Columns, p: Params) -> Column:
    """Too far below the month before."""
    return c["has_month_before"] & (c["month_change"] <= -p.month_drop_permille)


def gravity(c: Columns, p: Params) -> Column:
    """0 no fall, 1 below the month before, 2 below the year before, 3 with missing fines."""
    falls = np.where(year_falls(c, p), 2, np.where(month_falls(c, p), 1, 0))
    return np.where((falls > 0) & c["gap"], 3, falls)


def _volume(period: str, cases: int, at: str, **fields):
    return fact("volume", at, item="permit", period=period, cases=cases, **fields)


def _march(cases: int, before: int | None = 1_000, year_before: int | None = None):
    known = [
        ("2026-02", before, "2026-03-02 09:00:00"),
        ("2025-03", year_before, "2025-04-02 09:00:00"),
    ]
    earlier = [_volume(period, n, at) for period, n, at in known if n is not None]
    return (*earlier, _volume("2026-03", cases, "2026-04-02 09:00:00"))


_GAP = (
    fact("treasury", "2026-03-12 12:00:00", amount="400", paid_on="2026-03-12", case_id="case-1"),
    ev("decide", "2026-03-10 10:00:00", operator="A", fine="500"),
)
_DUE = "2026-04-03 00:00:00"


def _learned(cases: int, before: int = 100):
    """Two cases accepted a day in January and February, one in March: it ordinarily brings 43 to
    79; and the numbers that were reported."""
    days = [
        f"2026-{month:02d}-{day:02d}"
        for month, last in ((1, 31), (2, 28))
        for day in range(1, last + 1)
    ]
    told = [(f"{day} {hour}:00:00", f"{day} {hour}") for day in days for hour in (10, 15)]
    told.append(("2026-03-02 10:00:00", "last"))
    accepted = (ev("accept", at, case_id=case, operator="A") for at, case in told)
    return (*accepted, *_march(cases, before))


RULE = Rule(
    id="offline_operation",
    edition=1,
    family="content",
    zh="网下运行",
    en="offline operation",
    basis="10 % fewer cases than the month before, 5 % fewer than a year before (Jiangsu C001/C002, published); with a treasury gap: urge (published)",
    unit="permille",
    subject="department",
    per="volume",
    unknown=(("no_history", lambda c, p: ~(c["has_month_before"] | c["has_year_before"])),),
    measure=gravity,
    value=lambda c, p: np.where(year_falls(c, p), c["year_change"], c["month_change"]),
    limit=lambda c, p: np.where(year_falls(c, p), -p.year_drop_permille, -p.month_drop_permille),
    bands=(
        Band("steady", NEVER_BELOW),
        Band("month_drop", 1, tier=0, zh="办件量比上月明显下降", en="far fewer cases than the month before"),
        Band("year_drop", 2, tier=0, zh="办件量比上年同月明显下降", en="far fewer cases than a year before"),
        Band("with_gap", 3, tier=2, zh="办件量明显下降且罚没入库不符", en="far fewer cases, and fines that did not reach the treasury"),
    ),
    ordinary=Ordinary(
        "volume",
        "该月通常为 {ordinary_low} 至 {ordinary_high} 件，由系统自 {since_day} 至 {until_day} 的 {months} 个月、{learned_cases} 件受理学习所得。",
        "That month ordinarily brings {ordinary_low} to {ordinary_high} cases, learned from {learned_cases} acceptances of {months} months between {since_day} and {until_day}.",
    ),
    cause=("item", "period", "band", "value"),
    evidence=("period", "cases", "cases_month_before", "cases_year_before", "gap"),
    sentence_zh="{department} 事项 {item} {period} 办件 {cases} 件（上月 {cases_month_before} 件，上年同月 {cases_year_before} 件），变化 {value}‰：{reason_zh}。",
    sentence_en="{department}, item {item}, {period}: {cases} cases ({cases_month_before} the month before, {cases_year_before} a year before), a change of {value} ‰: {reason_en}.",
    params=(
        Param("month_drop_permille", 100, "‰", "a fall by so much against the month before", 1, 1_000),
        Param("year_drop_permille", 50, "‰", "a fall by so much against the year before", 1, 1_000),
    ),
    examples=(
        Example("a tenth fewer than the month before", _march(900), "month_drop", until=_DUE),
        Example("a case more, and only the first month stays unknown", _march(901), "undetermined:no_history", until=_DUE),
        Example("a twentieth fewer than the year before", _march(950, None, 1_000), "year_drop", until=_DUE),
        Example("a case more than that", _march(951, None, 1_000), "undetermined:no_history", until=_DUE),
        Example("the year before wins where both fall", _march(900, 1_000, 1_000), "year_drop", until=_DUE),
        Example("the month is judged on the third day of the next", _march(900, None), "clear", until="2026-04-02 23:59:59"),
        Example("a month that had none is no history", _march(900, 0), "undetermined:no_history", count=2, until=_DUE),
        Example("the first month of all", _march(900, None), "undetermined:no_history", until=_DUE),
        Example("the number is mended later", (*_march(900), _volume("2026-03", 990, "2026-04-08 09:00:00")), "withdrawn:corrected", until="2026-04-09 09:00:00"),
        Example("the last number of a month counts", (*_march(900), _volume("2026-03", 990, "2026-04-02 10:00:00")), "undetermined:no_history", until=_DUE),
        Example("mended when the month's fines were found missing", (*_GAP, *_march(950), _volume("2026-03", 900, "2026-04-21 09:00:00")), "with_gap", beside=("treasury_gap",), until="2026-04-21 09:00:00"),
        Example("fines that were all received are no gap", (_GAP[0] | {"amount": "500"}, _GAP[1], *_march(950), _volume("2026-03", 900, "2026-04-21 09:00:00")), "month_drop", beside=("treasury_gap",), until="2026-04-21 09:00:00"),
        Example("a fall as the month ordinarily brings it", _learned(79), "muted:ordinary_range", until=_DUE),
        Example("the least that is ordinary", _learned(43), "muted:ordinary_range", until=_DUE),
        Example("a case fewer than that", _learned(42), "month_drop", until=_DUE),
        Example("the report counts more than the record, so the range says nothing", _learned(80), "month_drop", until=_DUE),
        Example("an ordinary fall with fines missing", (*_GAP, *_learned(70), _volume("2026-03", 60, "2026-04-21 09:00:00")), "with_gap", beside=("treasury_gap",), until="2026-04-21 09:00:00"),
        Example("the district's own figure", _march(900), "undetermined:no_history", params={"month_drop_permille": 150}, until=_DUE),
    ),
)  # fmt: skip
