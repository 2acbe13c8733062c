"""Deeds that show in the pace, the order, the persons and the fees of a case.

An offence's truth lines are written here as it is injected. What each is, is said in
docs/judging.md; nothing here asks a rule.
"""

from __future__ import annotations

import numpy as np

from detector.simulate.plan import DECIDE, NOBODY, REVIEW, Plan
from detector.simulate.rows import Rows
from detector.simulate.stream import US

SURVEY_LIMIT_S, STEP_LIMIT_S, CASE_LIMIT_S = 1_800, 60, 300
ENTRY_LIMIT_S = 24 * 3_600  # of working time
TOLERANCE_S = 60


def offend(r: Rows) -> None:
    """Every deed of these kinds, each in cases of its own."""
    imports(r)
    people(r)
    fees(r)
    hurries(r)
    hasty_steps(r)
    late_entries(r)
    swapped(r)
    inversions(r)
    edges(r)


def imports(r: Rows) -> None:
    """A vertical system's cases, declared as such and typed in a row, or all at once: they look
    like much."""
    rows = r.some("imports", where=r.rows >= 0)
    r.s.imported[rows] = True
    nth = rows - r.begins[rows]
    begin = r.s.recorded[rows - nth]
    r.s.recorded[rows] = begin + nth * 2 * (r.s.case[rows] % 2)
    r.s.occurred[rows] = begin


def people(r: Rows) -> None:
    """Who worked duties that must be apart."""
    decides = r.duty == DECIDE
    r.truth.tell("same_person", r.some("decided_alone", where=decides), 2)
    alone = r.some("all_alone", where=decides)
    r.truth.tell("same_person", r.some("reviewed_alone", where=decides), 2)
    r.truth.tell("same_person", alone, 2)  # with the reviewer's duty …
    r.truth.tell("same_person", alone, 2)  # … and with the receiving clerk's
    reviews = r.some("all_alone", where=r.duty == REVIEW)
    apart = _accept_and_review_apart(r.plan)[r.s.item[reviews]]
    r.truth.tell("same_person", reviews[apart], 2)


def _accept_and_review_apart(plan: Plan) -> np.ndarray:
    pair = {("accept", "review"), ("review", "accept")}
    return np.array([bool(pair & set(i.incompatible)) for i in plan.items])


def fees(r: Rows) -> None:
    """What was billed, paid and forgiven."""
    s, pays, issues = r.s, r.does("pay"), r.does("issue")
    rows = r.some("short", where=pays)
    s.paid[rows] -= r.rng.integers(100, s.due[rows] // 2)
    r.truth.tell("fee_mismatch", rows, 2)
    r.truth.tell("unpaid_issue", r.some("short", "unpaid", where=issues), 2)
    rows = r.some("over", where=pays)
    s.paid[rows] += r.rng.integers(100, 20_000, len(rows))
    r.truth.tell("fee_mismatch", rows, 2)
    rows = r.some("misbilled", where=pays)  # billed and paid alike, and not what the item costs
    s.due[rows] += r.rng.integers(100, 20_000, len(rows))
    s.paid[rows] = s.due[rows]
    r.truth.tell("fee_mismatch", rows, 2)
    rows = r.some("relief", where=pays)
    s.relief[rows], s.paid[rows] = True, 0
    works = r.does("accept", "decide", "issue")
    rows = r.one("charged", where=works)  # a fee for what is free of charge
    s.paid[rows] = 10 * r.rng.integers(10, 30_000, len(rows))
    billed = rows[r.rng.random(len(rows)) < 0.5]
    s.due[billed] = s.paid[billed]
    r.truth.tell("unlawful_fee", rows, 3)
    r.truth.tell("fee_mismatch", rows, 2)
    rows = r.one("no_charge", where=works)
    s.due[rows], s.paid[rows] = 0, 0


def hurries(r: Rows) -> None:
    """Whole cases that are typed in a row."""
    s, closes = r.s, r.does("close")
    for name, step_s in (("rushed", 25), ("brisk", 62)):
        rows = r.some(name, where=r.after)
        s.recorded[rows] = s.recorded[r.accept[rows]] + (rows - r.accept[rows]) * step_s
        s.occurred[rows] = s.recorded[rows] - 1
        typed = rows[s.operator[rows] != NOBODY]
        if step_s < STEP_LIMIT_S:
            r.truth.tell("too_fast_step", typed, 2)
        closed = rows[closes[rows]]
        took = s.recorded[closed] - s.recorded[r.accept[closed]]
        r.truth.tell("too_fast_case", closed[took < CASE_LIMIT_S], 2)


def hasty_steps(r: Rows) -> None:
    """Steps that follow sooner than they can be worked."""
    survey = r.plan.is_survey[r.s.item, r.s.slot]
    rows = r.some("hasty_survey", where=survey)
    _follow(r, rows, r.rng.integers(20, SURVEY_LIMIT_S, len(rows)))
    r.truth.tell("too_fast_step", rows, 2)
    rows = r.one("hasty_step", where=r.after & ~survey & r.typed)
    _follow(r, rows, r.rng.integers(3, STEP_LIMIT_S, len(rows)))
    r.truth.tell("too_fast_step", rows, 2)


def _follow(r: Rows, rows: np.ndarray, gap_s: np.ndarray) -> None:
    """Record these so long after the record before them, done a second before."""
    r.s.recorded[rows] = r.s.recorded[rows - 1] + gap_s
    r.s.occurred[rows] = r.s.recorded[rows] - 1


def pull(r: Rows, rows: np.ndarray, gap_s: np.ndarray) -> None:
    """Record these so long after the record before them, and what comes after follows."""
    r.s.occurred[rows] = r.s.recorded[rows] - 1
    r.shift(rows, r.s.recorded[rows - 1] + gap_s, STEP_LIMIT_S)


def late_entries(r: Rows) -> None:
    """What is typed long after it was done, or is said to have been done before its time."""
    s = r.s
    works = r.does("step", "decide", "issue", "deliver") & r.after
    rows = r.one("typed_late", where=works)
    work = r.rng.integers(ENTRY_LIMIT_S + 1, 4 * ENTRY_LIMIT_S, len(rows))
    s.occurred[rows] = r.calendar.add(s.recorded[rows] * US, -work * US, "left") // US
    r.truth.tell("back_entry", rows, 2)
    rows = r.one("predated", where=works)
    early = r.rng.integers(TOLERANCE_S + 1, 7_200, len(rows))
    s.occurred[rows] = s.occurred[rows - 1] - early
    r.truth.tell("back_entry", rows, 2)


def swapped(r: Rows) -> None:
    """The survey is typed after the review, as if it had come before."""
    s = r.s
    rows = r.some("swapped", where=r.duty == REVIEW)
    r.swap(rows)
    s.occurred[rows - 1] = s.recorded[rows - 1] - 5
    early = r.rng.integers(TOLERANCE_S + 1, 3_000, len(rows))
    s.occurred[rows] = s.occurred[rows - 1] - early
    r.truth.tell("back_entry", rows, 2)
    r.truth.tell("skipped_step", rows, 2)  # it was asked for before the review


def inversions(r: Rows) -> None:
    """What ends before it begins."""
    s = r.s
    rows = r.some("closed_before", where=r.does("close"))
    early = r.rng.integers(3_600, 86_400, len(rows))
    s.occurred[rows] = s.occurred[r.accept[rows]] - early
    r.truth.tell("impossible_order", rows, 1)
    r.truth.tell("back_entry", rows, 2)  # it is claimed before its predecessor, too
    rows = r.some("corrected_before", where=r.does("corrected"))
    s.occurred[rows] = s.occurred[rows - 1] - r.rng.integers(1, TOLERANCE_S, len(rows))
    r.truth.tell("impossible_order", rows, 1)


def edges(r: Rows) -> None:
    """On the honest side of a limit, to the second."""
    s = r.s
    survey = r.plan.is_survey[s.item, s.slot]
    rows = r.some("survey_at_limit", where=survey)
    pull(r, rows, SURVEY_LIMIT_S + r.rng.integers(0, 2, len(rows)))
    rows = r.one("step_at_limit", where=r.after & ~survey & r.typed)
    pull(r, rows, STEP_LIMIT_S + r.rng.integers(0, 2, len(rows)))
    works = r.does("step", "decide", "issue", "deliver") & r.after
    _typed_in_a_day(r, works)
    rows = r.one("predated_a_minute", where=works)
    said = s.occurred[rows - 1] - TOLERANCE_S
    soon = r.calendar.between(said * US, s.recorded[rows] * US) <= ENTRY_LIMIT_S * US
    soon &= _leaves_time(r, rows, said)
    s.occurred[rows[soon]] = said[soon]


def _typed_in_a_day(r: Rows, works: np.ndarray) -> None:
    """Where there was a day for it: after what came before, and with time left for the next."""
    s = r.s
    rows = r.some("typed_in_a_day", where=works)
    day = r.calendar.add(s.recorded[rows] * US, -ENTRY_LIMIT_S * US, "right") // US
    clear = (day >= s.occurred[rows - 1]) & _leaves_time(r, rows, day)
    fits = np.zeros(len(s), bool)
    fits[rows[clear]] = True
    chosen = r.one("typed_in_a_day", where=fits)
    s.occurred[chosen] = day[np.searchsorted(rows, chosen)]


def _leaves_time(r: Rows, rows: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Whether the next step is done in time, if these were done when they are said to be."""
    held_s = r.plan.flow.held_s[r.s.item[rows], r.s.slot[rows]]
    after = np.minimum(rows + 1, len(r.rows) - 1)
    took = r.calendar.between(said * US, r.s.recorded[after] * US) // US
    follows = (r.place[after] >= 0) | r.does("close")[after]  # at once, nothing in between
    told: np.ndarray = (held_s == 0) | (follows & (took < held_s * 0.7))
    return told
