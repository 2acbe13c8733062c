"""What goes wrong in the county, and what only looks like it.

A case has at most one deed: an offence, whose truth lines are written here as it is injected, or
honest noise that stands on the very edge of one. What each is, is said in docs/judging.md; nothing
here asks a rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from detector.event import ACTION
from detector.simulate.plan import (
    ACCEPT_SLOT,
    DECIDE,
    NOBODY,
    REVIEW,
    SUSPENSION,
    Plan,
)
from detector.simulate.stream import US, Cases, Stream

SHARES = {  # of all cases, in thousandths; what an item cannot do is done honestly
    "honest": 0,
    # offences
    "decided_alone": 4, "reviewed_alone": 3, "all_alone": 1,
    "slow": 8, "stuck": 3,
    "unpaid": 16, "short": 12, "over": 8, "misbilled": 4,
    "rushed": 1.5, "brisk": 12, "hasty_survey": 4, "hasty_step": 7,
    "typed_late": 6, "predated": 4, "swapped": 3, "closed_before": 1.5, "corrected_before": 10,
    # honest, to the second
    "survey_at_limit": 3, "step_at_limit": 4, "typed_in_a_day": 3, "predated_a_minute": 3,
    "closed_at_signal": 3, "closed_at_promise": 3, "late_receipt": 6, "late_close": 4,
    "mended": 12, "sent_twice": 8, "relief": 10, "imports": 20,
}  # fmt: skip
NAMES = list(SHARES)
DEED = {name: n for n, name in enumerate(NAMES)}
SURVEY_LIMIT_S, STEP_LIMIT_S, CASE_LIMIT_S = 1_800, 60, 300
ENTRY_LIMIT_S = 24 * 3_600  # of working time
TOLERANCE_S = 60


def shares() -> np.ndarray:
    """The share of each deed among cases."""
    told = np.array(list(SHARES.values())) / 1_000
    told[0] = 1 - told.sum()
    return told


def allowed(plan: Plan) -> np.ndarray:
    """(deeds, items): which items can have which deed."""
    can = np.ones((len(NAMES), len(plan.items)), bool)
    plain = ~plan.on_the_spot
    survey = (plan.is_survey[:, ACCEPT_SLOT + 1]) & plain
    review = (plan.duty == REVIEW).any(axis=1)
    issues = (plan.action == ACTION["issue"]).any(axis=1)
    few = (plan.group == 0).sum(axis=1) <= 5
    rule = {
        **dict.fromkeys(("decided_alone",), plain & ~plan.exempt),
        **dict.fromkeys(("reviewed_alone", "all_alone"), plain & review & ~plan.exempt),
        **dict.fromkeys(("short", "over", "misbilled", "mended", "relief"), plan.pays),
        "unpaid": plan.pays & issues,
        **dict.fromkeys(("hasty_survey", "survey_at_limit"), survey),
        "swapped": survey & review, "imports": plan.declares_imports,
        "brisk": plain & ~survey & few & ~plan.pays,
    }  # fmt: skip
    for name in NAMES[1:]:
        can[DEED[name]] = rule.get(name, plain)
    return can


def is_one(deed: np.ndarray, *names: str) -> np.ndarray:
    """Which of these have one of these deeds."""
    return np.isin(deed, [DEED[name] for name in names])


def missing(
    plan: Plan, item: np.ndarray, deed: np.ndarray, present: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Which events a case has, once the deed is known: (cases, slots)."""
    slots = np.arange(present.shape[1])
    present = present & ~(is_one(deed, "unpaid")[:, None] & (plan.action[item] == ACTION["pay"]))
    dated = is_one(deed, "slow", "stuck", "closed_at_signal", "closed_at_promise", "late_close")
    timed = dated | is_one(deed, "rushed", "brisk", "swapped")
    present &= ~(timed[:, None] & (plan.group[item] == SUSPENSION))
    corrects = np.isin(plan.action[item], [ACTION["correct"], ACTION["corrected"]])
    present |= is_one(deed, "corrected_before")[:, None] & corrects
    last = ACCEPT_SLOT + rng.integers(0, 3, len(item))
    return present & ~(is_one(deed, "stuck")[:, None] & (slots > last[:, None]))


def slowness(
    plan: Plan, item: np.ndarray, deed: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Working seconds that the work on each case is to take: honestly a day less than promised."""
    promise_s = plan.promised_days[item] * plan.day_s
    span = (promise_s - plan.day_s) * rng.uniform(0.15, 0.85, len(item))
    quick = plan.day_s * rng.uniform(0.03, 0.1, len(item))
    span = np.where(plan.on_the_spot[item], quick, span)
    slow = is_one(deed, "slow")
    return np.where(slow, promise_s * rng.uniform(0.95, 2.2, len(item)), span)


def crew_of(crew: np.ndarray, deed: np.ndarray) -> np.ndarray:
    """Who works a case, by role (accept, survey, review, decide): some work more than one."""
    alone = is_one(deed, "decided_alone", "all_alone")
    crew[alone, 3] = crew[alone, 0]
    both = is_one(deed, "reviewed_alone")
    crew[both, 2] = crew[both, 3]
    every = is_one(deed, "all_alone")
    crew[every, 2] = crew[every, 0]
    return crew


@dataclass
class Truth:
    """Lines of the truth as columns: rule, row of the event (or -1 and the instant), tier."""

    rules: list[str] = field(default_factory=list)
    rows: list[np.ndarray] = field(default_factory=list)
    instants: list[np.ndarray] = field(default_factory=list)  # µs UTC, of clock rules
    tiers: list[int] = field(default_factory=list)

    def tell(self, rule: str, rows: np.ndarray, tier: int, at: np.ndarray | None = None) -> None:
        """These rows break a rule; for a clock rule `at` says when, and the row names the case."""
        if len(rows):
            self.rules.append(rule)
            self.rows.append(rows)
            self.tiers.append(tier)
            self.instants.append(np.full(len(rows), -1) if at is None else at)


class Deeds:
    """Injects deeds into a stream whose rows stand by case and slot."""

    def __init__(
        self, plan: Plan, cases: Cases, stream: Stream, truth: Truth, rng: np.random.Generator
    ) -> None:
        self.plan, self.s, self.truth, self.rng = plan, stream, truth, rng
        self.calendar = plan.district.calendar
        self.deed = cases.deed[stream.case]
        self.rows = np.arange(len(stream))
        self.action = plan.action[stream.item, stream.slot]
        self.duty = plan.duty[stream.item, stream.slot]
        self.first = np.concatenate([[True], stream.case[1:] != stream.case[:-1]])
        self.last = np.concatenate([self.first[1:], [True]])
        begins = np.maximum.accumulate(np.where(self.first, self.rows, 0))
        accepts = np.where(self.action == ACTION["accept"], self.rows, begins)
        self.accept = np.maximum.accumulate(accepts)  # of each row from its acceptance on

    def all(self) -> None:
        """Every deed, each in cases of its own."""
        self._imports()
        self._people()
        self._fees()
        self._paces()
        self._entries()
        self._orders()
        self._edges()

    def _some(self, *names: str, **where: np.ndarray) -> np.ndarray:
        """Rows of cases with such a deed; `where` narrows them to one row a case."""
        rows = is_one(self.deed, *names)
        for mask in where.values():
            rows &= mask
        return np.flatnonzero(rows)

    def _one(self, name: str, mask: np.ndarray) -> np.ndarray:
        """One row of each case with this deed, chosen among `mask`."""
        rows = self._some(name, mask=mask)
        order = self.rng.permutation(len(rows))
        _, chosen = np.unique(self.s.case[rows[order]], return_index=True)
        return np.sort(rows[order][chosen])

    def _is(self, *actions: str) -> np.ndarray:
        return np.isin(self.action, [ACTION[a] for a in actions])

    def _imports(self) -> None:
        """A vertical system's cases, declared as such and typed in a row: they look like much."""
        rows = self._some("imports")
        self.s.imported[rows] = True
        nth = rows - np.maximum.accumulate(np.where(self.first, self.rows, 0))[rows]
        begin = self.s.recorded[rows - nth]
        self.s.recorded[rows] = begin + nth * 2
        self.s.occurred[rows] = begin

    def _people(self) -> None:
        decides = self.duty == DECIDE
        self.truth.tell("same_person", self._some("decided_alone", m=decides), 2)
        alone = self._some("all_alone", m=decides)
        self.truth.tell("same_person", self._some("reviewed_alone", m=decides), 2)
        self.truth.tell("same_person", alone, 2)  # with the reviewer's duty …
        self.truth.tell("same_person", alone, 2)  # … and with the receiving clerk's
        reviews = self._some("all_alone", m=self.duty == REVIEW)
        apart = self._accept_and_review_apart()[self.s.item[reviews]]
        self.truth.tell("same_person", reviews[apart], 2)

    def _accept_and_review_apart(self) -> np.ndarray:
        pair = {("accept", "review"), ("review", "accept")}
        return np.array([bool(pair & set(i.incompatible)) for i in self.plan.items])

    def _fees(self) -> None:
        s, pays, issues = self.s, self._is("pay"), self._is("issue")
        rows = self._some("short", m=pays)
        s.paid[rows] -= self.rng.integers(100, s.due[rows] // 2)
        self.truth.tell("fee_mismatch", rows, 2)
        self.truth.tell("unpaid_issue", self._some("short", "unpaid", m=issues), 2)
        rows = self._some("over", m=pays)
        s.paid[rows] += self.rng.integers(100, 20_000, len(rows))
        self.truth.tell("fee_mismatch", rows, 2)
        rows = self._some("misbilled", m=pays)  # billed and paid alike, and not what the item costs
        s.due[rows] += self.rng.integers(100, 20_000, len(rows))
        s.paid[rows] = s.due[rows]
        self.truth.tell("fee_mismatch", rows, 2)
        rows = self._some("relief", m=pays)
        s.relief[rows], s.paid[rows] = True, 0

    def _paces(self) -> None:
        s, after = self.s, self.rows > self.accept
        for name, step_s in (("rushed", 25), ("brisk", 62)):
            rows = self._some(name, m=after)
            s.recorded[rows] = s.recorded[self.accept[rows]] + (rows - self.accept[rows]) * step_s
            s.occurred[rows] = s.recorded[rows] - 1
            typed = rows[s.operator[rows] != NOBODY]
            if step_s < STEP_LIMIT_S:
                self.truth.tell("too_fast_step", typed, 2)
            closed = rows[self._is("close")[rows]]
            took = s.recorded[closed] - s.recorded[self.accept[closed]]
            self.truth.tell("too_fast_case", closed[took < CASE_LIMIT_S], 2)
        survey = self.plan.is_survey[s.item, s.slot]
        rows = self._some("hasty_survey", m=survey)
        self._follow(rows, self.rng.integers(20, SURVEY_LIMIT_S, len(rows)))
        self.truth.tell("too_fast_step", rows, 2)
        rows = self._one("hasty_step", after & ~survey & (s.operator != NOBODY))
        self._follow(rows, self.rng.integers(3, STEP_LIMIT_S, len(rows)))
        self.truth.tell("too_fast_step", rows, 2)

    def _follow(self, rows: np.ndarray, gap_s: np.ndarray | int) -> None:
        """Record these so long after the record before them, done a second before."""
        self.s.recorded[rows] = self.s.recorded[rows - 1] + gap_s
        self.s.occurred[rows] = self.s.recorded[rows] - 1

    def _entries(self) -> None:
        s = self.s
        works = self._is("step", "decide", "issue", "deliver") & (self.rows > self.accept)
        rows = self._one("typed_late", works)
        work = self.rng.integers(ENTRY_LIMIT_S + 1, 4 * ENTRY_LIMIT_S, len(rows))
        s.occurred[rows] = self.calendar.add(s.recorded[rows] * US, -work * US, "left") // US
        self.truth.tell("back_entry", rows, 2)
        rows = self._one("predated", works)
        early = self.rng.integers(TOLERANCE_S + 1, 7_200, len(rows))
        s.occurred[rows] = s.occurred[rows - 1] - early
        self.truth.tell("back_entry", rows, 2)
        rows = self._some("swapped", m=self.duty == REVIEW)  # the survey is typed after the review
        surveys = rows - 1
        for name in ("operator", "slot"):
            column = getattr(s, name)
            column[rows], column[surveys] = column[surveys].copy(), column[rows].copy()
        s.occurred[surveys] = s.recorded[surveys] - 5
        s.occurred[rows] = s.occurred[surveys] - self.rng.integers(
            TOLERANCE_S + 1, 3_000, len(rows)
        )
        self.truth.tell("back_entry", rows, 2)
        self.action = self.plan.action[s.item, s.slot]
        self.duty = self.plan.duty[s.item, s.slot]

    def _orders(self) -> None:
        s = self.s
        rows = self._some("closed_before", m=self._is("close"))
        early = self.rng.integers(3_600, 86_400, len(rows))
        s.occurred[rows] = s.occurred[self.accept[rows]] - early
        self.truth.tell("impossible_order", rows, 1)
        self.truth.tell("back_entry", rows, 2)  # it is claimed before its predecessor, too
        rows = self._some("corrected_before", m=self._is("corrected"))
        s.occurred[rows] = s.occurred[rows - 1] - self.rng.integers(1, TOLERANCE_S, len(rows))
        self.truth.tell("impossible_order", rows, 1)

    def _edges(self) -> None:
        """On the honest side of a limit, to the second."""
        s, after = self.s, self.rows > self.accept
        survey = self.plan.is_survey[s.item, s.slot]
        rows = self._some("survey_at_limit", m=survey)
        self._follow(rows, SURVEY_LIMIT_S + self.rng.integers(0, 2, len(rows)))
        rows = self._one("step_at_limit", after & ~survey & (s.operator != NOBODY))
        self._follow(rows, STEP_LIMIT_S + self.rng.integers(0, 2, len(rows)))
        works = self._is("step", "decide", "issue", "deliver") & after
        rows = self._one("typed_in_a_day", works)
        day = self.calendar.add(s.recorded[rows] * US, -ENTRY_LIMIT_S * US, "right") // US
        clear = (day >= s.occurred[rows - 1]) & (day < s.recorded[rows])
        s.occurred[rows[clear]] = day[clear]
        rows = self._one("predated_a_minute", works)
        said = s.occurred[rows - 1] - TOLERANCE_S
        soon = self.calendar.between(said * US, s.recorded[rows] * US) <= ENTRY_LIMIT_S * US
        s.occurred[rows[soon]] = said[soon]
