"""What goes wrong in the county, and what only looks like it: which cases, and how they go on.

A case has at most one deed: an offence, or honest noise that stands on the very edge of one. What
each is, is said in docs/judging.md; nothing here asks a rule.
"""

from __future__ import annotations

import numpy as np

from detector.event import ACTION, ACTIONS
from detector.simulate.plan import (
    ACCEPT_SLOT,
    AFTERTHOUGHT,
    CORRECTION,
    DECIDE,
    GRANTED_DAYS,
    RETURN,
    REVIEW,
    SECOND,
    SUSPENSION,
    Plan,
)

OFFENCES = {  # shares of the cases of an item that can have it, in thousandths
    "decided_alone": 4, "reviewed_alone": 3, "all_alone": 1,
    "slow": 8, "stuck": 3,
    "unpaid": 16, "short": 12, "over": 8, "misbilled": 4, "charged": 6,
    "rushed": 1.5, "brisk": 12, "hasty_survey": 4, "hasty_step": 7,
    "one_stamp": 12, "second_apart": 4,
    "typed_late": 6, "predated": 4, "swapped": 3, "closed_before": 1.5, "corrected_before": 10,
    "exchanged_late": 5, "after_hours": 6,
    "sent_back": 6, "corrected_late": 5, "unreasoned": 6, "dormant": 0, "abolished": 0,
    "unlisted": 3, "paperless": 6, "half_filled": 6, "skipped": 6, "unsettled": 15,
    "registered_late": 70, "misfined": 70, "misfactored": 40,
    "unanswered": 9, "ignored": 1.5, "issued_late": 8, "never_issued": 2,
    "dawdled": 12, "set_aside": 2, "overstayed": 10, "unresumed": 3,
    "overstayed_twice": 5, "one_resume": 3, "second_unresumed": 3,
    "step_to_the_end": 2, "resumed_at_end": 3, "touched_in_time": 40,  # in time, but for a signal
}  # fmt: skip
HONEST = {  # to the second, the yuan and the character
    "survey_at_limit": 3, "step_at_limit": 4, "typed_in_a_day": 20, "predated_a_minute": 3,
    "closed_at_signal": 3, "closed_at_promise": 3, "late_receipt": 6, "late_close": 4,
    "mended": 12, "fine_mended": 20, "sent_twice": 8, "relief": 10, "imports": 20,
    "exchanged_in_a_day": 3, "hour_after_closing": 3, "registered_in_time": 40,
    "ten_characters": 4, "filed_earlier": 6, "dismissed_early": 4, "fined_at_bound": 45,
    "justified": 30, "no_charge": 6, "accepted_at_limit": 3, "issued_at_limit": 4,
    "step_at_signal": 3, "resumed_at_signal": 3, "heard_twice": 5, "heard_at_once": 5,
    "done_at_the_window": 250,
}  # fmt: skip
SHARES = {"honest": 0, **OFFENCES, **HONEST}
NAMES = list(SHARES)
SUBTLE = ("fast_for_its_work", "wrong_path")  # on demand: what no limit set by hand can tell
DEED = {name: n for n, name in enumerate((*NAMES, *SUBTLE))}
OUTCOMES = ("granted", "refused", "not_accepted", "withdrawn", "void", "terminated")
GRANTED, REFUSED, NOT_ACCEPTED, WITHDRAWN, VOID, TERMINATED = range(6)
OUTCOME_SHARES = np.array([0.92, 0.03, 0.025, 0.015, 0.005, 0.005])
TIMED = (
    "slow", "stuck", "closed_at_signal", "closed_at_promise", "late_close", "rushed", "brisk",
    "swapped", "dawdled", "step_at_signal", "step_to_the_end", "skipped", "dismissed_early",
    "set_aside", "touched_in_time", "ignored", "one_stamp", "second_apart",
)  # fmt: skip
TWICE = (  # suspended twice: one after the other, or the second before the first has ended
    "heard_twice", "heard_at_once", "overstayed_twice", "one_resume", "second_unresumed",
)  # fmt: skip
SUSPENDED = ("overstayed", "unresumed", "resumed_at_signal", "resumed_at_end", *TWICE)
ISSUED_LAST = ("issued_late", "issued_at_limit")


def is_one(deed: np.ndarray, *names: str) -> np.ndarray:
    """Which of these have one of these deeds."""
    table = np.zeros(len(DEED), bool)
    table[[DEED[name] for name in names]] = True
    told: np.ndarray = table[deed]
    return told


def acts(action: np.ndarray, *names: str) -> np.ndarray:
    """Which of these are one of these actions."""
    table = np.zeros(len(ACTIONS), bool)
    table[[ACTION[name] for name in names]] = True
    told: np.ndarray = table[action]
    return told


def allowed(plan: Plan) -> np.ndarray:
    """(deeds, items): which items can have which deed."""
    can = np.ones((len(NAMES), len(plan.items)), bool)
    plain = ~plan.on_the_spot & (plan.status == 0)
    survey = plan.is_survey[:, ACCEPT_SLOT + 1] & plain
    review = (plan.duty == REVIEW).any(axis=1) & plain
    issues = (plan.action == ACTION["issue"]).any(axis=1) & plain
    few = (plan.group == 0).sum(axis=1) <= 5
    months = plan.promised_days > 30
    fines = np.array([bool(item.benchmarks) for item in plan.items])
    penalties = np.array([item.type == "02" for item in plan.items])
    settled = (plan.flow.required & (plan.action == ACTION["pay"])).any(axis=1)
    rule = {
        "decided_alone": plain & ~plan.exempt,
        **dict.fromkeys(("reviewed_alone", "all_alone"), review & ~plan.exempt),
        **dict.fromkeys(("short", "over", "misbilled", "mended", "relief"), plan.pays),
        "unpaid": plan.pays & issues,
        **dict.fromkeys(("hasty_survey", "survey_at_limit"), survey),
        "swapped": survey & review, "imports": plan.declares_imports,
        "brisk": plain & ~survey & few & ~plan.pays,
        **dict.fromkeys(("closed_at_signal", "closed_at_promise", "late_close"), plain & ~months),
        "typed_in_a_day": plain & (plan.flow.limit_s.max(axis=1) >= 70 * 3_600),
        **dict.fromkeys(("charged", "no_charge"), plan.free & plain),
        **dict.fromkeys(("skipped", "dismissed_early"), plain & (survey | review)),
        "unsettled": settled, "dormant": plan.status == 1, "abolished": plan.status == 2,
        **dict.fromkeys(("registered_late", "registered_in_time", "misfined"), fines),
        **dict.fromkeys(("misfactored", "fined_at_bound", "justified", "fine_mended"), fines),
        **dict.fromkeys((*ISSUED_LAST, "never_issued"), issues),
        **dict.fromkeys(SUSPENDED, (plan.group == SUSPENSION).any(axis=1) & plain),
        "touched_in_time": plain & months,
        **dict.fromkeys(("one_stamp", "second_apart"), plain & ~penalties & ~fines),
        "done_at_the_window": plan.on_the_spot & (plan.status == 0),
    }  # fmt: skip
    for name in NAMES[1:]:
        can[DEED[name]] = rule.get(name, plain)
    return can


def shares(plan: Plan) -> np.ndarray:
    """(items, deeds): the share of each deed among the cases of an item."""
    told = np.array(list(SHARES.values()))[:, None] / 1_000 * allowed(plan)
    for status, name in ((1, "dormant"), (2, "abolished")):  # whatever is done of these is one
        told[DEED[name]] = plan.status == status
    told[0] = 1 - told.sum(axis=0)
    return told.T


def deeds_of(plan: Plan, item: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The deed of each case."""
    least = np.cumsum(shares(plan), axis=1).astype(np.float32)[:, :-1]
    drawn = rng.random(len(item), np.float32)
    deed = np.zeros(len(item), np.int8)
    for one in range(len(plan.items)):
        mine = item == one
        deed[mine] = np.searchsorted(least[one], drawn[mine], side="right")
    return deed


def subtly(deed: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """The deeds with this share of all cases, honest ones, made subtle; each kind as often."""
    kind = np.array([DEED[name] for name in SUBTLE], deed.dtype)[rng.integers(0, 2, len(deed))]
    honest = deed == DEED["honest"]
    some = honest & (rng.random(len(deed)) < share / max(honest.mean(), 1e-9))
    return np.where(some, kind, deed)


def outcomes(deed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How each case ends, index into `OUTCOMES`: what goes wrong mostly goes wrong on the way to
    a licence."""
    drawn = np.searchsorted(np.cumsum(OUTCOME_SHARES)[:-1], rng.random(len(deed)), side="right")
    told = np.where(deed == DEED["honest"], drawn, GRANTED)
    told = np.where(is_one(deed, "unreasoned", "ten_characters"), REFUSED, told)
    told = np.where(is_one(deed, "dismissed_early"), NOT_ACCEPTED, told)
    gives_up = is_one(deed, "unresumed") & (rng.random(len(deed)) < 0.4)
    return np.where(gives_up, WITHDRAWN, told).astype(np.int8)


def missing(
    plan: Plan, item: np.ndarray, deed: np.ndarray, outcome: np.ndarray, present: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Which events a case has, once the deed and the outcome are known: (cases, slots)."""
    action, group, flow = plan.action[item], plan.group[item], plan.flow
    slots = np.arange(present.shape[1])

    def some(*names: str) -> np.ndarray:
        return is_one(deed, *names)[:, None]

    def does(*actions: str) -> np.ndarray:
        return acts(action, *actions)

    present = present | (some("sent_back") & (group == RETURN))
    present |= some("corrected_before", "sent_back") & (group == CORRECTION)
    present |= some("corrected_late") & (group == AFTERTHOUGHT)
    applies = some("unanswered", "accepted_at_limit", "ignored") | present[:, 2:3]
    present[:, :1] |= applies  # whom one sends back has come
    present |= some("wrong_path") & does("deliver")
    present |= some(*SUSPENDED) & (group == SUSPENSION)
    present |= some(*TWICE) & (group == SECOND)
    present &= ~(some("one_resume") & (group == SUSPENSION) & does("resume"))
    present &= ~(some("second_unresumed") & (group == SECOND) & does("resume"))
    present &= ~(some(*TIMED) & (group == SUSPENSION))
    present &= ~(some("unresumed") & does("resume"))
    present &= ~(some("unpaid", "unsettled") & does("pay"))
    present &= ~(some("never_issued") & does("issue"))
    present &= ~(some(*ISSUED_LAST) & does("deliver"))
    unasked = (outcome != GRANTED)[:, None] & ~flow.required[item]
    present &= ~(unasked & does("pay", "issue"))
    inner = flow.required[item] & (flow.place[item] > 0) & ~(plan.duty[item] == DECIDE)
    inner &= slots < _decision(plan)[item, None]
    present &= ~(some("dismissed_early") & inner)
    left_out = _one_of(present & inner, rng)
    present &= ~(some("skipped") & left_out)
    last = np.where(is_one(deed, "ignored"), 0, ACCEPT_SLOT + rng.integers(0, 3, len(item)))
    return present & ~(some("stuck", "ignored") & (slots > last[:, None]))


def _decision(plan: Plan) -> np.ndarray:
    """The slot of the decision of each item."""
    told: np.ndarray = np.argmax(plan.duty == DECIDE, axis=1)
    return told


def _one_of(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the marked slots of each case, where any is."""
    score = rng.random(mask.shape, np.float32) * mask
    return mask & (score == score.max(axis=1, keepdims=True))


def slowness(
    plan: Plan, item: np.ndarray, deed: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Working seconds that the work on each slow case is to take, 0 for all others."""
    promise_s = plan.promised_days[item] * plan.day_s
    slow = is_one(deed, "slow")
    return np.where(slow, promise_s * rng.uniform(0.95, 2.2, len(item)), 0)


def delays(
    plan: Plan, item: np.ndarray, deed: np.ndarray, present: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Working seconds that a deed adds before a slot: (cases, slots)."""
    action, day = plan.action[item], plan.day_s
    added = np.zeros(present.shape, np.float32)
    slots = np.arange(present.shape[1])

    def wait(name: str, where: np.ndarray, least: float, most: float, unit: np.ndarray) -> None:
        rows = is_one(deed, name)
        told = rng.uniform(least, most, present.shape) * unit * (where & present)
        added[rows] += told[rows]

    limit, one = plan.flow.limit_s[item], np.array(1)
    wait("unanswered", slots == ACCEPT_SLOT, 2.02 * day, 9 * day, one)
    wait("dawdled", _one_of(present & (limit > 0) & (slots > ACCEPT_SLOT), rng), 0.75, 1.8, limit)
    later = present & (slots > ACCEPT_SLOT)
    wait("set_aside", _one_of(later, rng), 68 * day, 90 * day, one)
    ends = GRANTED_DAYS * day
    resumes = action == ACTION["resume"]
    wait("overstayed", resumes, 0.2 * ends, 1.2 * ends, one)
    wait("overstayed_twice", _one_of(resumes & present, rng), 0.2 * ends, 1.2 * ends, one)
    wait("issued_late", action == ACTION["close"], 3.02 * day, 9 * day, one)
    wait("issued_at_limit", action == ACTION["close"], 0.1 * day, 0.2 * day, one)
    return added


def crew_of(crew: np.ndarray, deed: np.ndarray) -> np.ndarray:
    """Who works a case, by role (accept, survey, review, decide): some work more than one."""
    alone = is_one(deed, "decided_alone", "all_alone")
    crew[alone, 3] = crew[alone, 0]
    both = is_one(deed, "reviewed_alone")
    crew[both, 2] = crew[both, 3]
    every = is_one(deed, "all_alone")
    crew[every, 2] = crew[every, 0]
    return crew
