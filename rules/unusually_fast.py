"""A step that took far less than this work has ever taken here. 明显偏快（自学习）

What    Working time since the case's record before, against the learned least working time of this
        item, pair of steps and channel: raised below `far_permille` of it.
Basis   Ours; the limit is learned from the record (models/pace.py) and fixed at the start of each day.
        The county wished for "the right limit for every item" (county report).
Unit    Seconds of working time.
Blind   All that the learner is blind to. A limit of few cases or persons leans on a wider group and
        says so. What was imported, done on the spot or by a service account is not judged. Where
        `too_fast_step` spoke of the same record nothing is added: muted `told`. What was typed, or
        follows on what was typed, outside office hours may have been worked then: muted `overtime`
        where by the clock on the wall the learned least time went by.
"""

from detector.rulekit import (
    NEVER_BELOW,
    Band,
    Column,
    Columns,
    Example,
    Param,
    Params,
    Rule,
    ev,
)


def limit(c: Columns, p: Params) -> Column:
    """Microseconds below which the work was never near."""
    return c["learned_limit"] * p.far_permille // 1_000


def _day(day: str, seconds: int, people: int = 4, cases: int = 60, step: str = "survey", **fields):
    """One day's cases: accepted on the minute, surveyed so much later."""
    told = []
    for n in range(cases):
        case, who = f"{day}-{n}", f"P{n % people}"
        minute = n * 2
        at = f"2026-{day} {9 + minute // 60:02d}:{minute % 60:02d}"
        later = minute * 60 + seconds + n
        then = f"2026-{day} {9 + later // 3600:02d}:{later // 60 % 60:02d}:{later % 60:02d}"
        told.append(ev("accept", f"{at}:00", case_id=case, operator="A"))
        told.append(ev("step", then, case_id=case, step=step, operator=who, **fields))
    return tuple(told)


def _asked(then: str, day: str = "03-03", since: str = "03-03 09:00:00", **fields):
    fields = {"step": "survey"} | fields
    accepted = ev("accept", f"2026-{since}", case_id="asked", operator="A")
    return accepted, ev("step", f"2026-{day} {then}", case_id="asked", operator="B", **fields)


_USUAL = _day("03-02", 1_800)
_UNTIL = "2026-03-04 12:00:00"

RULE = Rule(
    id="unusually_fast",
    edition=1,
    family="truth",
    zh="明显偏快",
    en="unusually fast",
    basis="Ours: less than half of the time below which 99 of 100 records of the same work never fell; learned, published each day",
    unit="s",
    learner="pace",
    repeats="too_fast_step",
    applies=lambda c, p: ~c["is_first"] & ~c["is_apart"],
    unknown=(
        ("odd_stamps", lambda c, p: ~c["has_gap"]),
        ("zero_length", lambda c, p: c["gap"] == 0),
        ("not_learned", lambda c, p: ~c["learned"]),
    ),
    measure=lambda c, p: limit(c, p) - c["gap"],
    value=lambda c, p: c["gap"],
    limit=limit,
    mutes=("told", "overtime"),
    bands=(
        Band("usual", NEVER_BELOW),
        Band("far_below", 0, tier=1, exclusive=True, zh="用时远低于该环节学习所得最低办理时间", en="far below the learned least working time"),
    ),
    evidence=("previous_step", "step", "operator", "previous_recorded_at", "recorded_at", "least_s", "cases", "people", "since_day", "until_day", "as_fast", "typical_s", "slow_s", "ordinary", "pooled"),
    sentence_zh="办件 {case_id}：环节“{step}”距“{previous_step}”仅 {value} 个工作秒。该界限由系统自 {since_day} 至 {until_day} 的 {cases} 件记录学习所得：百分之九十九的办理不少于 {least_s} 秒，通常 {typical_s} 秒；低于 {limit} 秒即提醒（经办人 {operator}）。",
    sentence_en="Case {case_id}: \"{step}\" came only {value} s of working time after \"{previous_step}\". The limit was learned from {cases} records between {since_day} and {until_day}: 99 of 100 took at least {least_s} s, ordinarily {typical_s} s; below {limit} s this is said (operator {operator}).",
    params=(Param("far_permille", 500, "‰", "share of the learned least working time below which a step is far too fast", 1, 1_000),),
    examples=(
        Example("half an hour is the least, and it took a minute", (*_USUAL, *_asked("09:01:00")), "far_below", until=_UNTIL),
        Example("a hair below the half of 1,799 s", (*_USUAL, *_asked("09:14:59.499999")), "far_below", until=_UNTIL),
        Example("exactly the half", (*_USUAL, *_asked("09:14:59.5")), "undetermined:not_learned", count=60, until=_UNTIL),
        Example("on the same day nothing is learned yet", (*_USUAL, *_asked("09:01:00", "03-02", "03-02 09:00:00")), "undetermined:not_learned", count=61, until=_UNTIL),
        Example("two persons are too few to learn from", (*_day("03-02", 1_800, people=2), *_asked("09:01:00")), "undetermined:not_learned", count=61, until=_UNTIL),
        Example("an import tells of nobody's pace", (*_USUAL, *_asked("09:01:00", imported=True)), "undetermined:not_learned", count=60, until=_UNTIL),
        Example("the first record of a case has no gap", (ev("accept", "2026-03-02 09:00:00", operator="A"),), "clear"),
        Example("two records of one evening, no working time between", (ev("accept", "2026-03-02 18:00:00", operator="A"), ev("step", "2026-03-02 18:30:00", step="survey", operator="B")), "undetermined:zero_length"),
        Example("`too_fast_step` spoke of it already", (*_USUAL, *_asked("09:01:00")), "muted:told", until=_UNTIL, beside=("too_fast_step",)),
        Example("no limit was set by hand for it", (*_day("03-02", 1_800, step="review"), *_asked("09:05:00", step="review")), "far_below", until=_UNTIL, beside=("too_fast_step",)),
        Example("accepted in the evening, surveyed as the office opens", (*_USUAL, *_asked("09:05:00", "03-04", "03-03 18:30:00")), "muted:overtime", until=_UNTIL),
        Example("accepted as the office closes, surveyed as it opens", (*_USUAL, *_asked("09:05:00", "03-04", "03-03 17:29:00")), "far_below", until=_UNTIL),
        Example("a minute on either side of the closing hour", (*_USUAL, *_asked("17:31:00", since="03-03 17:29:00")), "far_below", until=_UNTIL),
        Example("a stamp that names only its day", (ev("accept", "2026-03-02 00:00:00", operator="A"), ev("step", "2026-03-03 00:00:00", step="survey", operator="B")), "undetermined:odd_stamps", until=_UNTIL),
    ),
)  # fmt: skip
