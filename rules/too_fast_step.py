"""Step recorded sooner after its predecessor than the work can take. 环节过快

What    Seconds between this record and the one before it in the same case, against the limit of
        this item and pair of steps.
Basis   County report: acceptance to survey opinion in 58 s; the limit was then set to 30 minutes,
        "自动报警并中止流程". The 60 s for every other pair are ours.
Unit    Seconds of recorded time.
Blind   Parallel steps are not told apart. Date-only stamps are undetermined, records that arrive
        out of order too (`impossible_order` and `back_entry` speak to those). A case whose close
        bears the stamp of its acceptance is a fault of its source (`one_stamp_source`): what was
        raised under that stamp is withdrawn.
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
    Table,
    Tuned,
    ev,
)


def gap(c: Columns, p: Params) -> Column:
    """Microseconds since the previous record."""
    return c["recorded_at"] - c["previous_recorded_at"]


def limit(c: Columns, p: Params) -> Column:
    """Microseconds that the work of this pair takes at least."""
    return c["limit_s"] * SECOND


def missing_time(c: Columns, p: Params) -> Column:
    """Microseconds by which the gap falls short of the least working time."""
    return limit(c, p) - gap(c, p)


ACCEPT = ev("accept", "2026-03-02 09:00:00", operator="A")
RULE = Rule(
    id="too_fast_step",
    edition=1,
    family="truth",
    zh="环节过快",
    en="step too fast",
    basis="County report on online transparency: survey 58 s after acceptance, limit 30 min (published); 60 s elsewhere (ours)",
    unit="s",
    applies=lambda c, p: c["has_previous"],
    unknown=(("out_of_order", lambda c, p: gap(c, p) < 0),),
    measure=missing_time,
    value=gap,
    limit=limit,
    bands=(
        Band("enough", NEVER_BELOW),
        Band("too_fast", 0, tier=2, exclusive=True, zh="用时少于该环节最低办理时间", en="less than the least working time"),
    ),
    stamps=("recorded_at", "previous_recorded_at"),
    mutes=("imported", "on_the_spot", "one_stamp", "system_action"),
    events=lambda c, p: (c["previous_event"], c["this_event"]),
    evidence=("previous_step", "previous_operator", "step", "operator", "previous_recorded_at", "recorded_at"),
    sentence_zh="办件 {case_id}：环节“{step}”于 {recorded_at} 录入，距上一环节“{previous_step}”仅 {value} 秒，少于最低办理时间 {limit} 秒（经办人 {operator}）。",
    sentence_en="Case {case_id}: step \"{step}\" was recorded at {recorded_at}, only {value} s after \"{previous_step}\"; the work takes at least {limit} s (operator {operator}).",
    blocking=True,
    params=(Param("default_limit_s", 60, "s", "least seconds between two records of a case"),),
    table=Table(
        "limits", (("item", "item"), ("from", "previous_step"), ("to", "step")), "limit_s", "default_limit_s",
        entries=({"item": "*", "from": "accept", "to": "survey", "limit_s": 1800},),
    ),
    tuned=Tuned("default_limit_s", "below", grain=SECOND, least=SECOND, most=24 * HOUR),
    examples=(
        Example("the 58-second survey", (ACCEPT, ev("step", "2026-03-02 09:00:58", step="survey", operator="B")), "too_fast"),
        Example("one second under the 30 minutes", (ACCEPT, ev("step", "2026-03-02 09:29:59", step="survey", operator="B")), "too_fast"),
        Example("exactly the 30 minutes", (ACCEPT, ev("step", "2026-03-02 09:30:00", step="survey", operator="B")), "clear"),
        Example("another pair, 59.999999 s", (ACCEPT, ev("step", "2026-03-02 09:00:59.999999", step="review", operator="B")), "too_fast"),
        Example("another pair, exactly 60 s", (ACCEPT, ev("step", "2026-03-02 09:01:00", step="review", operator="B")), "clear"),
        Example("a zero gap between two full stamps is a gap", (ACCEPT, ev("step", "2026-03-02 09:00:00", step="review", operator="B")), "too_fast"),
        Example("two date-only stamps say nothing of speed", (ev("accept", "2026-03-02 00:00:00", operator="A"), ev("step", "2026-03-02 00:00:00", step="review", operator="B")), "undetermined:date_only"),
        Example("a record that arrives out of order", (ACCEPT, ev("step", "2026-03-02 08:59:00", step="review", operator="B", received_at="2026-03-02 09:05:00")), "undetermined:out_of_order"),
        Example("the first event of a case has no gap", (ACCEPT,), "clear"),
        Example("declared bulk import of a vertical system", (ACCEPT, ev("step", "2026-03-02 09:00:05", step="review", operator="B", imported=True)), "muted:imported"),
        Example("an on-the-spot item is lawfully instant", (ACCEPT, ev("step", "2026-03-02 09:00:05", step="review", operator="B")), "muted:on_the_spot", item={"kind": "on_the_spot"}),
        Example("a close under the very stamp of the acceptance", (ACCEPT, ev("close", "2026-03-02 09:00:00", operator="B")), "muted:one_stamp"),
        Example("and what was found under that stamp is withdrawn", (ACCEPT, ev("step", "2026-03-02 09:00:00", step="review", operator="B"), ev("close", "2026-03-02 09:00:00", operator="B")), "withdrawn:one_stamp"),
        Example("a close a second later shows that it was no such stamp", (ACCEPT, ev("step", "2026-03-02 09:00:00", step="review", operator="B"), ev("close", "2026-03-02 09:00:01", operator="B")), "too_fast", count=2),
        Example("a system action", (ACCEPT, ev("step", "2026-03-02 09:00:05", step="review")), "muted:system_action"),
        Example("a step whose end is filled with its start (zero length) is lawful", (ACCEPT, ev("step", "2026-03-02 10:00:00", step="review", operator="B")), "clear"),
    ),
)  # fmt: skip
