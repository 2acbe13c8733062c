"""A promised case finished sooner after acceptance than any examination can take. 整案过快

What    Seconds from the record of the first acceptance to the record of the first close.
Basis   County report: an environmental permit finished in 2 min 33 s. The 300 s are ours.
Unit    Seconds of recorded time.
Blind   Date-only stamps are undetermined. A case whose acceptance never reached us cannot be timed.
        A close that bears the very stamp of the acceptance is the mark of a source that stamps
        everything with the finish time: muted `one_stamp`, it is a fault of the source.
"""

from detector.rulekit import (
    HOUR,
    NEVER_BELOW,
    SECOND,
    Band,
    Column,
    Columns,
    Example,
    Param,
    Params,
    Rule,
    Tuned,
    ev,
)


def duration(c: Columns, p: Params) -> Column:
    """Microseconds from acceptance to close, as recorded."""
    return c["recorded_at"] - c["accept_recorded_at"]


def missing_time(c: Columns, p: Params) -> Column:
    """Microseconds by which the case falls short of the least examination."""
    return p.limit_s * SECOND - duration(c, p)


def _story(close_at: str, **fields):
    return (
        ev("accept", "2026-03-02 09:00:00", operator="A"),
        ev("close", close_at, **{"operator": "C"} | fields),
    )


RULE = Rule(
    id="too_fast_case",
    edition=1,
    family="truth",
    zh="整案过快",
    en="case too fast",
    basis="County report: EIA permit finished in 2 min 33 s (published); the limit of 300 s is ours",
    unit="s",
    actions=("close",),
    applies=lambda c, p: ~c["was_closed"],
    unknown=(
        ("no_acceptance", lambda c, p: ~c["was_accepted"]),
        ("out_of_order", lambda c, p: duration(c, p) < 0),
    ),
    measure=missing_time,
    value=duration,
    limit=lambda c, p: c["recorded_at"] * 0 + p.limit_s * SECOND,
    bands=(
        Band("enough", NEVER_BELOW),
        Band("too_fast", 0, tier=2, exclusive=True, zh="受理至办结用时过短", en="accepted and closed in less than any examination takes"),
    ),
    stamps=("recorded_at", "accept_recorded_at"),
    mutes=("imported", "on_the_spot", "one_stamp", "system_action"),
    events=lambda c, p: (c["accept_event"], c["this_event"]),
    evidence=("accept_recorded_at", "recorded_at", "operator"),
    sentence_zh="办件 {case_id}：{accept_recorded_at} 受理，{recorded_at} 办结，全程仅 {value} 秒，少于 {limit} 秒。",
    sentence_en="Case {case_id}: accepted at {accept_recorded_at}, closed at {recorded_at}, only {value} s in all, less than {limit} s.",
    params=(Param("limit_s", 300, "s", "least seconds from acceptance to close of a promised case"),),
    tuned=Tuned("limit_s", "below", grain=SECOND, least=SECOND, most=10 * 24 * HOUR),
    examples=(
        Example("the permit of 2 min 33 s", _story("2026-03-02 09:02:33"), "too_fast"),
        Example("one second under five minutes", _story("2026-03-02 09:04:59"), "too_fast"),
        Example("exactly five minutes", _story("2026-03-02 09:05:00"), "clear"),
        Example("a source that stamps acceptance, review and close with the finish time", (ev("accept", "2026-03-02 16:00:00", operator="A"), ev("step", "2026-03-02 16:00:00", step="review", operator="A"), ev("close", "2026-03-02 16:00:00", operator="A")), "muted:one_stamp"),
        Example("the next morning", _story("2026-03-03 09:00:00"), "clear"),
        Example("an on-the-spot item is lawfully instant", _story("2026-03-02 09:01:00"), "muted:on_the_spot", item={"kind": "on_the_spot"}),
        Example("declared bulk import", _story("2026-03-02 09:01:00", imported=True), "muted:imported"),
        Example("closed by the system itself", _story("2026-03-02 09:01:00", operator=None), "muted:system_action"),
        Example("closed without an acceptance", (ev("close", "2026-03-02 09:01:00", operator="C"),), "undetermined:no_acceptance"),
        Example("closed before it was accepted", (ev("accept", "2026-03-02 09:00:00", operator="A", received_at="2026-03-02 08:00:00"), ev("close", "2026-03-02 08:30:00", operator="C")), "undetermined:out_of_order"),
        Example("two days without hours", (ev("accept", "2026-03-02 00:00:00", operator="A"), ev("close", "2026-03-02 00:00:00", operator="C")), "undetermined:date_only"),
    ),
)  # fmt: skip
