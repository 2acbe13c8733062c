"""What a new rule begins with: whole enough to load, and proven wrong by its first example."""

from __future__ import annotations

import keyword
import re
from string import Template

from detector.pages import FAMILIES

ID_CHARS_MAX = 40
_ID = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", re.ASCII)


def faults_of(rule_id: str, family: str) -> list[str]:
    """What is wrong with the name or the family, a sentence each."""
    faults = []
    if not _ID.fullmatch(rule_id) or keyword.iskeyword(rule_id) or len(rule_id) > ID_CHARS_MAX:
        faults.append(
            f"{rule_id!r}: is no name for a rule; write the offence in snake_case, from a letter,"
            f" at most {ID_CHARS_MAX} characters, such as late_exchange"
        )
    if family not in FAMILIES:
        faults.append(f"--family {family!r}: is unknown; write one of {', '.join(FAMILIES)}")
    return faults


def skeleton(rule_id: str, family: str) -> str:
    """The file of a new rule. Its hit is not found before `measure` measures something."""
    return _TEXT.substitute(id=rule_id, words=rule_id.replace("_", " "), family=family)


_TEXT = Template('''\
"""What is wrong, in one line: $words. 待命名

What    What is measured, between which two things, against which limit.
Basis   The legal or published source, and which figures it publishes; "ours" for those of our own.
Unit    Seconds of recorded time.
Blind   What this rule cannot see, and which other rule can.
"""

from detector.rulekit import (
    NEVER_BELOW,
    SECOND,
    Band,
    Column,
    Columns,
    Example,
    Param,
    Params,
    Rule,
    ev,
)


def excess(c: Columns, p: Params) -> Column:
    """Microseconds beyond the limit. As it stands it finds nothing, and the first example says so."""
    return c["recorded_at"] * 0


def _case(close_at: str, **fields):
    return (
        ev("accept", "2026-03-02 09:00:00", operator="A"),
        ev("close", close_at, operator="B", **fields),
    )


RULE = Rule(
    id="$id",
    edition=1,
    family="$family",
    zh="待命名",
    en="$words",
    basis="ours",
    unit="s",
    actions=("close",),
    unknown=(("no_acceptance", lambda c, p: ~c["was_accepted"]),),
    measure=excess,
    limit=lambda c, p: p.limit_s * SECOND + c["recorded_at"] * 0,
    bands=(
        Band("within", NEVER_BELOW),
        Band("beyond", 0, tier=1, exclusive=True, zh="超过限值", en="beyond the limit"),
    ),
    mutes=("imported",),
    events=lambda c, p: (c["accept_event"], c["this_event"]),
    evidence=("recorded_at", "operator"),
    sentence_zh="办件 {case_id}：{recorded_at} 的记录为 {value} 秒，限值 {limit} 秒（经办人 {operator}）。",
    sentence_en="Case {case_id}: {value} s at {recorded_at}, the limit is {limit} s (operator {operator}).",
    params=(Param("limit_s", 3600, "s", "most seconds that are in order"),),
    examples=(
        Example("what must be found", _case("2026-03-02 11:00:00"), "beyond"),
        Example("what is in order", _case("2026-03-02 10:00:00"), "clear"),
        Example("what nobody can know", (ev("close", "2026-03-02 11:00:00", operator="B"),), "undetermined:no_acceptance"),
    ),
)  # fmt: skip
''')
