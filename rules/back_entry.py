"""Work typed into the system after the fact. 事后补录

What    Working hours from when the work is said to have been done to when it was typed in; none are
        allowed where the order of the records contradicts the claim: a step recorded after a later
        step that it claims to precede, or claimed before its predecessor was begun.
Basis   Xinbei assessment sheet row 23: one point for each. The 24 working hours and the 60 s of
        tolerance between clocks are ours.
Unit    Working hours of the district's calendar.
Blind   A lie told at once is not seen here. A returned case that goes through a step again is no
        contradiction, for the repeated step claims to be later.
"""

import numpy as np

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


def after_later_step(c: Columns, p: Params) -> Column:
    """Recorded after a step that stands later in the flow, yet said to be done before it."""
    behind = (c["place"] >= 0) & (c["place"] < c["furthest_place"])
    behind &= c["furthest_recorded_at"] <= c["recorded_at"]
    return behind & (c["occurred_at"] + p.order_tolerance_s * SECOND < c["furthest_occurred_at"])


def before_predecessor(c: Columns, p: Params) -> Column:
    """Said to be done before the work recorded before it was begun."""
    after = c["has_previous"] & (c["previous_recorded_at"] <= c["recorded_at"])
    return after & (c["occurred_at"] + p.order_tolerance_s * SECOND < c["previous_occurred_at"])


def limit(c: Columns, p: Params) -> Column:
    """Working time that typing may take: none where the order contradicts the claim."""
    contradicted = after_later_step(c, p) | before_predecessor(c, p)
    return np.where(contradicted, 0, p.limit_h * HOUR)


def excess(c: Columns, p: Params) -> Column:
    """Working time from the work to its record, beyond what is allowed."""
    return c["entry_lag"] - limit(c, p)


def rests_on(c: Columns, p: Params) -> tuple[Column, Column]:
    """The record that contradicts the claim, if any, and this one."""
    other = np.where(before_predecessor(c, p), c["previous_event"], -1)
    return np.where(after_later_step(c, p), c["furthest_event"], other), c["this_event"]


_ACCEPT = ev("accept", "2026-03-02 09:00:00", operator="A")
_LATER = ev("step", "2026-03-03 10:00:00", step="review", operator="B")


def _survey(occurred: str, recorded: str, **fields):
    return ev("step", recorded, step="survey", operator="C", occurred_at=occurred) | fields


RULE = Rule(
    id="back_entry",
    edition=1,
    family="truth",
    zh="事后补录",
    en="back entry",
    basis="Xinbei assessment sheet, row 23: −1 each (published); 24 working hours and 60 s tolerance are ours",
    unit="h",
    measure=excess,
    value=lambda c, p: c["entry_lag"],
    limit=limit,
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("back_entered", 0, tier=2, exclusive=True, zh="办理之后补录", en="typed in after the fact"),
    ),
    stamps=("occurred_at", "recorded_at"),
    mutes=("imported", "system_action"),
    events=rests_on,
    evidence=("step", "operator", "occurred_at", "recorded_at"),
    sentence_zh="办件 {case_id}：环节“{step}”称于 {occurred_at} 办理，至 {recorded_at} 才录入，相隔 {value} 个工作小时，允许 {limit} 个（经办人 {operator}）。",
    sentence_en="Case {case_id}: step \"{step}\" is said to have been done at {occurred_at} and was typed in at {recorded_at}, {value} working hours later; {limit} are allowed (operator {operator}).",
    params=(
        Param("limit_h", 24, "h", "working hours that typing may lag behind the work"),
        Param("order_tolerance_s", 60, "s", "seconds by which two clocks may disagree"),
    ),
    tuned=Tuned(
        "limit_h", "above", grain=HOUR // 4, least=HOUR // 4, most=1_000 * HOUR,
        applies=lambda c, p: ~(after_later_step(c, p) | before_predecessor(c, p)),
    ),
    examples=(
        Example("typed in a week later", (_ACCEPT, _survey("2026-03-02 14:00:00", "2026-03-09 14:00:00")), "back_entered"),
        Example("exactly 24 working hours", (_survey("2026-03-02 09:00:00", "2026-03-05 12:00:00"),), "clear"),
        Example("24 working hours and one second", (_survey("2026-03-02 09:00:00", "2026-03-05 13:30:01"),), "back_entered"),
        Example("recorded after a later step that it claims to precede", (_ACCEPT, _LATER, _survey("2026-03-02 14:00:00", "2026-03-03 10:30:00")), "back_entered"),
        Example("a repeated step claims to be later", (_ACCEPT, _LATER, _survey("2026-03-03 10:10:00", "2026-03-03 10:30:00")), "clear"),
        Example("claimed before its predecessor was begun", (_ACCEPT, _survey("2026-03-02 08:58:59", "2026-03-02 10:00:00")), "back_entered"),
        Example("clocks that disagree by a minute", (_ACCEPT, _survey("2026-03-02 08:59:00", "2026-03-02 10:00:00")), "clear"),
        Example("clocks that disagree by a minute about a later step", (_ACCEPT, _LATER, _survey("2026-03-03 09:59:00", "2026-03-03 10:30:00")), "clear"),
        Example("declared bulk import", (_survey("2026-03-02 14:00:00", "2026-03-09 14:00:00", imported=True),), "muted:imported"),
        Example("the system acts by itself", (_survey("2026-03-02 14:00:00", "2026-03-09 14:00:00", operator=None),), "muted:system_action"),
        Example("done on a day, at no hour", (_survey("2026-03-02 00:00:00", "2026-03-09 14:00:00"),), "undetermined:date_only"),
    ),
)  # fmt: skip
