"""A source that used to be heard day by day and fell silent. 数据源静默

What    Working days since anything came from a source that was heard on most of the working days
        before. Silence is not innocence: nothing of it is judged meanwhile.
Basis   Ours: more than 2 working days without a record, of a source that was heard on 15 of its
        last 20 working days.
Unit    Working days.
Blind   A source that is heard now and then. One that sends only a part of what it has (see
        `offline_operation`). The first four weeks of a source.
"""

import numpy as np

from detector.rulekit import NEVER_BELOW, Band, Column, Columns, Example, Param, Params, Rule, ev


def usually_heard(c: Columns, p: Params) -> Column:
    """1 where the source was heard on enough of the days before it fell silent."""
    return (c["heard_days"] >= p.busy_days).astype("int64")


def _day(month: int, day: int, **fields):
    return ev(
        "step",
        f"2026-{month:02d}-{day:02d} 10:00:00",
        step="survey",
        operator="A",
        source="S1",
        **fields,
    )


# The 20 working days that end on Friday, 27 March.
_DAYS = [
    *((3, d) for d in (2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24, 25, 26, 27))
]
_EVERY = tuple(_day(m, d) for m, d in _DAYS)
_FOURTEEN = tuple(e for n, e in enumerate(_EVERY) if n % 3 != 1 or n == 19)
_FIFTEEN = (*_FOURTEEN, _EVERY[1])
_LONG = "2026-03-31 10:00:01"

RULE = Rule(
    id="silent_source",
    edition=1,
    family="supervision",
    zh="数据源静默",
    en="silent source",
    basis="More than 2 working days without a record of a source that is heard on 15 of 20 working days (ours)",
    unit="wd",
    subject="source",
    per="silence",
    unknown=(("no_history", lambda c, p: ~c["has_history"]),),
    measure=usually_heard,
    value=lambda c, p: c["heard_days"],
    limit=lambda c, p: np.full_like(c["heard_days"], p.limit_wd),
    bands=(
        Band("seldom", NEVER_BELOW),
        Band("silent", 0, tier=0, exclusive=True, zh="数据来源已静默", en="nothing comes from it any more"),
    ),
    cause=("heard_at",),
    evidence=("heard_at", "recorded_at", "heard_days"),
    sentence_zh="数据来源 {subject}（{department}）此前 20 个工作日中有 {heard_days} 个工作日有数据，自 {heard_at} 起至 {recorded_at} 已超过 {limit} 个工作日未收到数据：{reason_zh}。",
    sentence_en="Source {subject} ({department}) was heard on {heard_days} of 20 working days, last at {heard_at}; by {recorded_at} more than {limit} working days have passed: {reason_en}.",
    params=(
        Param("limit_wd", 2, "wd", "working days without a record that are let pass", 1, 366),
        Param("busy_days", 15, "days", "of its last 20 working days, on which the source was heard", 1, 20),
    ),
    examples=(
        Example("heard every day, then no more", _EVERY, "silent", until=_LONG),
        Example("exactly two working days", _EVERY, "silent", until="2026-03-31 10:00:00"),
        Example("a second before that", _EVERY, "clear", until="2026-03-31 09:59:59"),
        Example("heard again at that very instant", (*_EVERY, _day(3, 31)), "clear", until=_LONG),
        Example("heard again a second later", (*_EVERY, _day(3, 31, received_at="2026-03-31 10:00:01")), "silent", until=_LONG),
        Example("heard on 15 of 20 working days", _FIFTEEN, "silent", until=_LONG),
        Example("heard on 14 of them", _FOURTEEN, "clear", until=_LONG),
        Example("a source without a name is its department", tuple(e | {"source": None} for e in _EVERY), "silent", until=_LONG),
        Example("known for 19 working days only", _EVERY[1:], "undetermined:no_history", until=_LONG),
        Example("the district lets three days pass", _EVERY, "clear", params={"limit_wd": 3}, until=_LONG),
        Example("the district asks for every day", _FIFTEEN, "clear", params={"busy_days": 16}, until=_LONG),
    ),
)  # fmt: skip
