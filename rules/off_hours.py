"""Recorded outside office hours. 非工作时间办理

What    Minutes from the record to the nearest office hour, the last closing or the next opening.
Basis   Ours: no source publishes a figure. It is a sign of batch and back entry, no offence by itself.
Unit    Minutes.
Blind   Overtime that was ordered looks the same; exempt the department while it lasts.
"""

from detector.rulekit import HOUR, NEVER_BELOW, SECOND, Band, Example, Rule, Tuned, ev


def _at(when: str, **fields):
    return (ev("accept", when, **{"operator": "A"} | fields),)


RULE = Rule(
    id="off_hours",
    edition=1,
    family="truth",
    zh="非工作时间办理",
    en="outside office hours",
    basis="60 minutes are ours; no source publishes a figure",
    unit="min",
    measure=lambda c, p: c["off_office"],
    bands=(
        Band("near", NEVER_BELOW),
        Band("off_hours", 60, tier=0, exclusive=True, zh="在非工作时间录入", en="recorded outside office hours"),
    ),
    stamps=("recorded_at",),
    mutes=("imported", "system_action"),
    events=lambda c, p: (c["this_event"],),
    evidence=("recorded_at", "operator"),
    sentence_zh="办件 {case_id}：环节“{step}”由 {operator} 于 {recorded_at} 录入，距最近的工作时间 {value} 分钟，超过 {limit} 分钟。",
    sentence_en="Case {case_id}: step \"{step}\" was recorded by {operator} at {recorded_at}, {value} minutes from the nearest office hour; more than {limit}.",
    tuned=Tuned("bands.off_hours.edge", "above", grain=60 * SECOND, least=60 * SECOND, most=240 * HOUR),
    examples=(
        Example("late in the evening", _at("2026-03-02 22:00:00"), "off_hours"),
        Example("an hour after closing", _at("2026-03-02 18:30:00"), "clear"),
        Example("an hour and a second after closing", _at("2026-03-02 18:30:01"), "off_hours"),
        Example("an hour before opening", _at("2026-03-02 08:00:00"), "clear"),
        Example("an hour and a second before opening", _at("2026-03-02 07:59:59"), "off_hours"),
        Example("at noon, between the halves of the day", _at("2026-03-02 12:45:00"), "clear"),
        Example("on a Sunday that is worked", _at("2026-02-14 10:00:00"), "clear"),
        Example("on a Sunday that is not", _at("2026-03-08 10:00:00"), "off_hours"),
        Example("the system acts by itself", _at("2026-03-02 22:00:00", operator=None), "muted:system_action"),
        Example("declared bulk import", _at("2026-03-02 22:00:00", imported=True), "muted:imported"),
        Example("a day, no hour", _at("2026-03-02 00:00:00"), "undetermined:date_only"),
    ),
)  # fmt: skip
