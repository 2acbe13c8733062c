"""The record reached us late. 上报超时

What    Hours from the record in the case system to its arrival here.
Basis   Exchange at least every 24 hours (Changzhou 2012, Xuzhou 2016; published).
Unit    Hours of the clock on the wall.
Blind   A source that gives no time of arrival is taken to arrive as it records.
"""

import numpy as np

from detector.rulekit import (
    HOUR,
    NEVER_BELOW,
    Band,
    Column,
    Columns,
    Example,
    Params,
    Rule,
    Tuned,
    ev,
)


def lag(c: Columns, p: Params) -> Column:
    """Time from the record to its arrival, 0 where that is not later."""
    return np.maximum(0, c["received_at"] - c["recorded_at"])


def _sent(at: str, **fields):
    return (ev("accept", "2026-03-02 09:00:00", operator="A", received_at=at, **fields),)


RULE = Rule(
    id="late_exchange",
    edition=1,
    family="timeliness",
    zh="上报超时",
    en="late exchange",
    basis="Upload period of at most 24 hours (Changzhou 常政办发〔2012〕182号, Xuzhou 徐政办发〔2016〕80号; published)",
    unit="hours",
    measure=lag,
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("late", 24, tier=0, exclusive=True, zh="上报超过规定周期", en="sent later than the period allows"),
    ),
    stamps=("recorded_at",),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "received_at", "operator"),
    sentence_zh="办件 {case_id}：环节“{step}”于 {recorded_at} 录入，至 {received_at} 才上报，相隔 {value} 小时，规定不超过 {limit} 小时。",
    sentence_en="Case {case_id}: step \"{step}\" was recorded at {recorded_at} and arrived at {received_at}, {value} hours later; {limit} are allowed.",
    tuned=Tuned("bands.late.edge", "above", grain=HOUR // 4, least=HOUR // 4, most=2_000 * HOUR),
    examples=(
        Example("two days later", _sent("2026-03-04 09:00:00"), "late"),
        Example("exactly 24 hours", _sent("2026-03-03 09:00:00"), "clear"),
        Example("24 hours and a second", _sent("2026-03-03 09:00:01"), "late"),
        Example("at once", _sent("2026-03-02 09:00:00"), "clear"),
        Example("declared bulk import", _sent("2026-03-04 09:00:00", imported=True), "muted:imported"),
        Example("recorded on a day, at no hour", (ev("accept", "2026-03-02 00:00:00", operator="A", received_at="2026-03-04 09:00:00"),), "undetermined:date_only"),
    ),
)  # fmt: skip
