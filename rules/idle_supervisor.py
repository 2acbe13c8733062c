"""A supervisor who was not once on line on a working day. 监察不到位

What    Working days on which a supervisor of people.csv has no log-in. A stretch of them is found
        once, when the office hours of its first day end.
Basis   Xinbei sheet row 22: a supervisor's log-ins are counted (published); one idle working day
        is enough (ours).
Unit    Working days.
Blind   Days are watched from the first log-in of any supervisor that reaches us; before it nobody
        can say who was on line. Leave and illness are not known: exempt them.
"""

from detector.rulekit import NEVER_BELOW, Band, Column, Columns, Example, Params, Rule, fact


def first_idle_day(c: Columns, p: Params) -> Column:
    """1 on the first day of a stretch of idle working days."""
    return (c["idle"] & ~c["idle_before"]).astype("int64")


def _on_line(at: str, person: str = "S1", received_at: str | None = None):
    name = f"{person} {at}"
    return fact("login", received_at or at, fact_id=name, person=person, role="supervisor", at=at)


_MONDAY = _on_line("2026-03-02 09:00:00")
_BOTH = {"S1": "supervisor", "S2": "supervisor"}

RULE = Rule(
    id="idle_supervisor",
    edition=1,
    family="supervision",
    zh="监察不到位",
    en="idle supervisor",
    basis="Supervisors on line every working day (Xinbei sheet row 22, published); one idle day is ours",
    unit="wd",
    subject="supervisor",
    per="day",
    unknown=(("no_logins", lambda c, p: ~c["watched"]),),
    measure=first_idle_day,
    limit=lambda c, p: c["day"] * 0,
    bands=(
        Band("on_line", NEVER_BELOW),
        Band("idle", 0, tier=0, exclusive=True, zh="整个工作日未上线", en="not once on line on a working day"),
    ),
    cause=("idle_day",),
    evidence=("idle_day",),
    sentence_zh="监察人员 {subject}（{department}）{idle_day} {reason_zh}。",
    sentence_en="Supervisor {subject} ({department}) was {reason_en}, {idle_day}.",
    examples=(
        Example("no log-in on Tuesday", (_MONDAY,), "idle", people={"S1": "supervisor"}, until="2026-03-03 17:30:00"),
        Example("before the office hours end nobody can say so", (_MONDAY,), "clear", people={"S1": "supervisor"}, until="2026-03-03 17:29:59"),
        Example("an idle week is found once", (_MONDAY,), "idle", people={"S1": "supervisor"}, until="2026-03-07 12:00:00"),
        Example("a weekend neither breaks nor lengthens it", (_MONDAY, _on_line("2026-03-07 10:00:00")), "idle", people={"S1": "supervisor"}, until="2026-03-10 12:00:00"),
        Example("two stretches", (_MONDAY, _on_line("2026-03-04 10:00:00")), "idle", count=2, people={"S1": "supervisor"}, until="2026-03-05 18:00:00"),
        Example("on line every day", (_MONDAY, _on_line("2026-03-03 23:59:59", received_at="2026-03-03 17:00:00")), "clear", people={"S1": "supervisor"}, until="2026-03-04 12:00:00"),
        Example("a log-in that we learn of later", (_MONDAY, _on_line("2026-03-03 09:00:00", received_at="2026-03-03 20:00:00")), "withdrawn:corrected", people={"S1": "supervisor"}, until="2026-03-04 12:00:00"),
        Example("and the idle days behind it are a stretch of their own", (_MONDAY, _on_line("2026-03-03 09:00:00", received_at="2026-03-04 20:00:00")), "idle", people={"S1": "supervisor"}, until="2026-03-05 12:00:00"),
        Example("days are watched from anybody's first log-in", (_MONDAY,), "idle", people=_BOTH, until="2026-03-02 18:00:00"),
        Example("others than supervisors need not be on line", (_MONDAY,), "clear", people={"S1": "supervisor", "P1": "operator"}, until="2026-03-02 18:00:00"),
        Example("nobody's log-ins reach us", (fact("login", "2026-03-02 09:00:00", person="P1", role="operator", at="2026-03-02 09:00:00"),), "undetermined:no_logins", count=2, people=_BOTH, until="2026-03-05 18:00:00"),
    ),
)  # fmt: skip
