"""A case that took a path such cases hardly ever take. 路径异常（自学习）

What    The most surprising thing about a case's path: the order of two steps, a repeat, a missing
        predecessor, what follows what, at the step that decides it; who works a step, and all that
        the end of a case shows, at its close; above 6 bits, one case in sixty-four. A case speaks
        again only of another deviation, and only where that is more surprising.
Basis   Ours; relations are counted from the record (models/path.py) and fixed at the start of each
        day. Measured on public logs with labelled anomalies (docs/learning.md).
Unit    Bits of surprise.
Blind   All that the learner is blind to. Stamps are never looked at, but for one: a case whose close
        bears the stamp of its acceptance was uploaded whole by its source (`one_stamp_source`), which
        tells nothing of its path: muted; so an acceptance, and a step under the stamp of the record
        before it, wait for the close. A path that is rare may be lawful: this only asks somebody
        to look.
"""

from detector.rulekit import NEVER_BELOW, Band, Example, Rule, ev

_STEPS = ("accept", "survey", "review", "decide", "close")


def _case(name: str, day: str, minute: int, *steps: str, apart: int = 10):
    """A case on a day, a step every so many minutes; its own people at each step."""
    told = []
    for n, step in enumerate(steps):
        at = minute + n * apart
        fields = {"step": step} if step in ("survey", "review") else {}
        action = "step" if fields else step
        told.append(
            ev(
                action,
                f"2026-{day} {9 + at // 60:02d}:{at % 60:02d}:00",
                case_id=name,
                operator=f"P-{step}",
                **fields,
            )
        )
    return tuple(told)


def _day(day: str, cases: int, *odd: tuple[str, ...]):
    """So many cases of one day the usual way, and some others."""
    ways = [*[_STEPS] * cases, *odd]
    return tuple(e for n, way in enumerate(ways) for e in _case(f"{day}-{n}", day, n, *way))


_WITHOUT = ("accept", "survey", "decide", "close")  # nobody reviewed it
_UNTIL = "2026-03-04 12:00:00"

RULE = Rule(
    id="unusual_path",
    edition=2,
    family="process",
    zh="路径异常",
    en="unusual path",
    basis="Ours: relations of steps that hardly any case of the same item shows; learned, published each day",
    unit="bits",
    learner="path",
    unknown=(("not_learned", lambda c, p: ~c["learned"]),),
    measure=lambda c, p: c["bits"],
    mutes=("one_stamp",),
    bands=(
        Band("usual", NEVER_BELOW),
        Band("surprising", 6, tier=0, exclusive=True, zh="办理路径在同类办件中极为少见", en="hardly any such case takes this path"),
    ),
    evidence=("recorded_at", "case_open", "channel", "relation", "other_step", "k", "n", "cases", "why_zh", "why_en"),
    sentence_zh="办件 {case_id} 的办理路径少见：{why_zh}（{value} 比特，依据学习所得的 {cases} 件；仅供核查）。",
    sentence_en="Case {case_id} took an unusual path: {why_en} ({value} bits, learned from {cases} cases; worth a look, no more).",
    examples=(
        Example("decided and closed without the review that every case had: told once", (*_day("03-02", 60), *_case("asked", "03-03", 0, *_WITHOUT)), "surprising", until=_UNTIL),
        Example("uploaded whole under one stamp", (*_day("03-02", 60), *_case("asked", "03-03", 0, *_WITHOUT, apart=0)), "muted:one_stamp", until=_UNTIL),
        Example("one in sixty had none either: below 6 bits", (*_day("03-02", 60, _WITHOUT), *_case("asked", "03-03", 0, *_WITHOUT)), "undetermined:not_learned", count=61, until=_UNTIL),
        Example("the usual way", (*_day("03-02", 60), *_case("asked", "03-03", 0, *_STEPS)), "undetermined:not_learned", count=60, until=_UNTIL),
        Example("told at the decision: the case is still open", (*_day("03-02", 60), *_case("asked", "03-03", 0, *_WITHOUT[:3])), "surprising", until=_UNTIL),
        Example("an open case of the usual way", (*_day("03-02", 60), *_case("asked", "03-03", 0, *_STEPS[:4])), "undetermined:not_learned", count=60, until=_UNTIL),
        Example("nothing is learned of the item yet", _case("asked", "03-03", 0, "accept", "survey"), "clear", until=_UNTIL),
    ),
)  # fmt: skip
