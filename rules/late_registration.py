"""A penalty registered long after the offence. 立案登记迟

What    Working days from when the offence was committed (案发) to the record of the first acceptance.
Basis   Jiangsu A005: registered more than 10 working days after the offence (published).
Unit    Working days of the district's calendar.
Blind   Only cases whose acceptance names the instant of the offence.
"""

from detector.rulekit import HOUR, NEVER_BELOW, Band, Example, Rule, Tuned, ev


def _registered(offence: str | None, recorded: str, **fields):
    return (ev("accept", recorded, operator="A", offence_at=offence, **fields),)


RULE = Rule(
    id="late_registration",
    edition=1,
    family="timeliness",
    zh="立案登记迟",
    en="registered late",
    basis="Jiangsu A005: registration later than 10 working days after the offence (published)",
    unit="work_days",
    actions=("accept",),
    applies=lambda c, p: c["has_offence_at"] & ~c["was_accepted"],
    measure=lambda c, p: c["offence_lag"],
    bands=(
        Band("in_time", NEVER_BELOW),
        Band("late", 10, tier=1, exclusive=True, zh="案发后逾期立案登记", en="registered too long after the offence"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["this_event"],),
    evidence=("offence_at", "recorded_at", "operator"),
    sentence_zh="案件 {case_id}：案发于 {offence_at}，至 {recorded_at} 才立案登记，相隔 {value} 个工作日，规定不超过 {limit} 个。",
    sentence_en="Case {case_id}: the offence was committed at {offence_at} and registered at {recorded_at}, {value} working days later; {limit} are allowed.",
    tuned=Tuned("bands.late.edge", "above", grain=HOUR, least=HOUR, most=2_000 * HOUR),
    examples=(
        Example("a month later", _registered("2026-03-02 09:00:00", "2026-04-02 09:00:00"), "late"),
        Example("exactly ten working days", _registered("2026-03-02 09:00:00", "2026-03-16 09:00:00"), "clear"),
        Example("ten working days and a second", _registered("2026-03-02 09:00:00", "2026-03-16 09:00:01"), "late"),
        Example("the day of the offence, no hour", _registered("2026-03-02 00:00:00", "2026-03-16 09:00:01"), "late"),
        Example("registered before it was committed", _registered("2026-03-20 09:00:00", "2026-03-16 09:00:01"), "clear"),
        Example("no offence is named", _registered(None, "2026-03-16 09:00:01"), "clear"),
        Example("an application that names the offence is no registration", (ev("apply", "2026-04-02 09:00:00", offence_at="2026-03-02 09:00:00"),), "clear"),
        Example("declared bulk import", _registered("2026-03-02 09:00:00", "2026-04-02 09:00:00", imported=True), "muted:imported"),
    ),
)  # fmt: skip
