"""One operator records many cases in a burst. 批量录入

What    Distinct cases that one operator recorded within ten minutes, where that is at least three
        times the operator's usual: the median of the non-empty ten-minute buckets of the previous 20
        working days, 1 while fewer than 20 are known.
Basis   Named in the county report without a figure: all figures here are ours.
Unit    Cases.
Blind   Declared imports and on-the-spot items do not count, nor do date-only stamps. A record that
        arrives more than ten minutes of recorded time behind its operator's last is undetermined.
"""

import numpy as np

from detector.rulekit import NEVER_BELOW, Band, Column, Columns, Example, Param, Params, Rule, ev


def cases_beyond_usual(c: Columns, p: Params) -> Column:
    """Cases in the window, 0 where that is no more than the operator's usual pace allows."""
    unusual = 2 * c["cases_in_window"] >= p.ratio * c["usual_twice"]
    return np.where(unusual, c["cases_in_window"], 0)


def _burst(count: int, every_s: int = 30, **fields):
    at = [f"2026-03-02 10:{n * every_s // 60:02d}:{n * every_s % 60:02d}" for n in range(count)]
    return tuple(
        ev("accept", t, case_id=f"case-{n}", operator="A", **fields) for n, t in enumerate(at)
    )


def _usual():
    """Two cases every twenty minutes of the working day before."""
    at = [f"2026-02-27 {9 + n // 6:02d}:{n % 6 // 2 * 20:02d}:00" for n in range(40)]
    return tuple(ev("accept", t, case_id=f"old-{n}", operator="A") for n, t in enumerate(at))


RULE = Rule(
    id="batch_entry",
    edition=1,
    family="truth",
    zh="批量录入",
    en="batch entry",
    basis="Named in the county report without a figure; 5 and 20 cases in 10 minutes and three times the usual are ours",
    unit="cases",
    subject="operator",
    measure=cases_beyond_usual,
    value=lambda c, p: c["cases_in_window"],
    bands=(
        Band("usual", NEVER_BELOW),
        Band("burst", 5, tier=1, zh="十分钟内集中录入多件", en="many cases recorded within ten minutes"),
        Band("flood", 20, tier=2, zh="十分钟内成批录入", en="cases recorded by the batch"),
    ),
    cause=("burst_case", "burst_event"),
    evidence=("operator", "recorded_at", "cases_in_window", "usual_twice"),
    sentence_zh="{operator} 至 {recorded_at} 的十分钟内录入 {value} 件办件，达到 {limit} 件且不少于其平常水平的三倍。",
    sentence_en="{operator} recorded {value} cases within the ten minutes up to {recorded_at}: at least {limit}, and three times the usual pace.",
    params=(Param("ratio", 3, "times", "how many times the operator's usual"),),
    examples=(
        Example("five cases in two minutes", _burst(5), "burst", until="2026-03-02 12:00:00"),
        Example("four cases", _burst(4), "clear", until="2026-03-02 12:00:00"),
        Example("twenty cases", _burst(20, 25), "flood", until="2026-03-02 12:00:00"),
        Example("nineteen cases stay a burst", _burst(19, 25), "burst", until="2026-03-02 12:00:00"),
        Example("the fifth comes as the first leaves the window", _burst(5, 150), "clear", until="2026-03-02 12:00:00"),
        Example("the fifth comes a second before", (*_burst(4, 150), ev("accept", "2026-03-02 10:09:59", case_id="case-9", operator="A")), "burst", until="2026-03-02 12:00:00"),
        Example("three times the usual two", (*_usual(), *_burst(6)), "burst", until="2026-03-02 12:00:00"),
        Example("five where two are usual", (*_usual(), *_burst(5)), "clear", until="2026-03-02 12:00:00"),
        Example("declared bulk import of a vertical system", _burst(8, imported=True), "clear", until="2026-03-02 12:00:00"),
        Example("on-the-spot items at a window", _burst(8), "clear", item={"kind": "on_the_spot"}, until="2026-03-02 12:00:00"),
        Example("records that name only their day", tuple(ev("accept", "2026-03-02 00:00:00", case_id=f"case-{n}", operator="A") for n in range(6)), "undetermined:date_only", count=6, until="2026-03-03 12:00:00"),
    ),
)  # fmt: skip
