"""Columns of rules that rest on what an event says in words, lists and fines, and on what its item
asks for: documents, required steps, discretion."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from detector.advance import interrupts
from detector.cases import APPLIED
from detector.columns import of_actions
from detector.event import ACTION
from detector.particulars import of_results
from detector.values import ABSENT

if TYPE_CHECKING:
    from detector.view import View

REFUSALS = of_results("refused", "not_accepted", "returned", "void")
DECIDED = of_results("granted", "refused", none=True)
JUSTIFIED, JUSTIFIED_CHARS = "justified", 10
LISTED, UNLISTED, NO_BENCHMARK, NO_GRADE, GRADE_UNLISTED = range(5)


def _result(v: View) -> np.ndarray:
    return v.batch.inputs.words.told.result(v.given("told"))


def _reason_chars(v: View) -> np.ndarray:
    return v.batch.inputs.words.told.reason_chars(v.given("told")).astype(np.int64)


def is_given(name: str) -> Callable[[View], np.ndarray]:
    """Does the event state this amount or instant."""
    return lambda v: v.given(name) != ABSENT


def is_action(*actions: str) -> Callable[[View], np.ndarray]:
    """Is the event one of these actions."""
    mask = of_actions(*actions)
    return lambda v: mask[v["action"]]


def _lacks(name: str) -> Callable[[View], np.ndarray]:
    return lambda v: np.full(len(v), name in v.batch.inputs.unknown)


def _refuses(v: View) -> np.ndarray:
    ends = is_action("decide", "close")(v)
    return (v["action"] == ACTION["return"]) | (ends & REFUSALS[v["result"]])


def _off_office(v: View) -> np.ndarray:
    """Time from the record to the nearest office hour, 0 within one (µs)."""
    calendar, at = v.batch.calendar, v["recorded_at"]
    work = calendar.work(at)
    return np.minimum(at - calendar.at(work, "left"), calendar.at(work, "right") - at)


def _offence_lag(v: View) -> np.ndarray:
    """Working time from the offence to the record, 0 where that is not later."""
    offence, recorded = v["offence_at"], v["recorded_at"]
    later = np.flatnonzero((offence != ABSENT) & (recorded > offence))
    lag = np.zeros(len(v), np.int64)
    lag[later] = v.batch.calendar.between(offence[later], recorded[later])
    return lag


def _of_item(name: str, nothing: int) -> Callable[[View], np.ndarray]:
    """What is remembered of the events since the case came to this item."""
    return lambda v: np.where(v["same_item"], v.before(name), nothing)


def _entry(v: View) -> np.ndarray:
    return v.batch.step.entry[v.rows]


def _missing(kind: str) -> Callable[[View], np.ndarray]:
    """Bits of the documents or fields that the step needs and nobody has filed."""

    def missing(v: View) -> np.ndarray:
        needed = getattr(v.batch.flows, f"needs_{kind}")[_entry(v)]
        here = getattr(v.batch.step, kind)
        filed = v[f"filed_{kind}"] | (0 if here is None else here[v.rows])
        return np.asarray(needed & ~filed)

    return missing


def _asks(kind: str) -> Callable[[View], np.ndarray]:
    """Does the step need any, or can nobody say."""

    def asks(v: View) -> np.ndarray:
        needs = getattr(v.batch.flows, f"needs_{kind}")[_entry(v)] != 0
        return needs | ~v["item_listed"] | v[f"strange_for_{kind}"]

    return asks


def _strange(kind: int) -> Callable[[View], np.ndarray]:
    """A step that its item's flow has not, where the item needs documents (0) or fields (1)."""
    return lambda v: (
        (v["action"] == ACTION["step"])
        & (_entry(v) == 0)
        & v.batch.flows.needs_any(kind, v["item"])
    )


def _spelled(bits: str, kind: int | None = None) -> Callable[[View], np.ndarray]:
    """The names behind bits, as evidence tells them."""

    def told(v: View) -> np.ndarray:
        flows = v.batch.flows
        names = np.empty(len(v), object)
        pairs = zip(v["item"].tolist(), v[bits].tolist(), strict=True)
        for row, (item, some) in enumerate(pairs):
            if kind is None:
                names[row] = list(flows.required_steps(item, some)) if some else []
            else:
                names[row] = list(flows.needed(kind, item, some)) if some else []
        return names

    return told


def _settles(v: View) -> np.ndarray:
    """A decision or a close by which the required steps must have been worked."""
    return is_action("decide", "close")(v) & DECIDED[v["result"]]


def _skipped(v: View) -> np.ndarray:
    """Bits of the required steps that are missing at this event, or of its own if it comes late."""
    flows, entry, item = v.batch.flows, _entry(v), v["item"]
    worked, decided, excused = v["worked_bits"], v["decided_place"], v["excused_bits"]
    own, ahead, behind = flows.required[entry], flows.ahead[entry], flows.behind[entry]
    at_decision = np.where(entry > 0, ahead, flows.waited_for(item))
    at_close = flows.all_required(item) & ~own & ~flows.issued_bits(item)
    at_close &= flows.behind_place(item, decided)
    late = (own != 0) & ((worked & own) == 0) & ((worked & behind) != 0) & (decided <= v["place"])
    missing = np.where(v["action"] == ACTION["decide"], at_decision, at_close) & ~worked & ~excused
    late &= (excused & own) == 0
    return np.asarray(np.where(v["settles"], missing, np.where(late, own, 0)))


def _works_required(v: View) -> np.ndarray:
    return (v.batch.flows.required[_entry(v)] != 0) & ~is_action("decide", "close")(v)


def _registered(v: View) -> np.ndarray:
    departments = v.batch.inputs.words.department.texts(v["department"])
    return v.batch.officers.registered(departments, v["received_at"])


def _days_uncertified(v: View) -> np.ndarray:
    people = v.batch.inputs.words.operator.texts(v["operator"])
    days = v.batch.calendar.day(v["occurred_at"])
    return v.batch.officers.days_outside(people, days, v["received_at"])


def _said(name: str) -> Callable[[View], np.ndarray]:
    """A text of the particulars as codes of the vocabulary of other words."""

    def codes(v: View) -> np.ndarray:
        words = v.batch.inputs.words
        texts = [getattr(words.told.of(t), name) for t in v.given("told").tolist()]
        return words.other.encode(texts)

    return codes


def _factors(v: View) -> np.ndarray:
    told = v.batch.inputs.words.told
    names = np.empty(len(v), object)
    for row, code in enumerate(v.given("told").tolist()):
        names[row] = list(told.of(code).factors)
    return names


def _justified(v: View) -> np.ndarray:
    named = np.array([JUSTIFIED in names for names in v["factors"].tolist()], bool)
    return named & (v["reason_chars"] >= JUSTIFIED_CHARS)


def _benchmark(v: View) -> np.ndarray:
    """(rows, 4): how it stands with the benchmark, its least and most fen, do its factors fit."""
    told, flows = v.batch.inputs.words.told, v.batch.flows
    out = np.zeros((len(v), 4), np.int64)
    for row, (item, code) in enumerate(
        zip(v["item"].tolist(), v.given("told").tolist(), strict=True)
    ):
        listed, said = flows.item(item), told.of(code)
        if listed is None:
            out[row, 0] = UNLISTED
        elif not listed.benchmarks:
            out[row, 0] = NO_BENCHMARK
        elif said.grade is None:
            out[row, 0] = NO_GRADE
        else:
            some = [b for b in listed.benchmarks if b.grade == said.grade]
            mine = [b for b in some if b.party_kind is not None and b.party_kind == said.party_kind]
            mine = mine or [b for b in some if b.party_kind is None]
            if mine:
                fits = not mine[-1].factors or bool({*mine[-1].factors} & {*said.factors})
                out[row] = LISTED, mine[-1].least_fen, mine[-1].most_fen, fits
            else:
                out[row, 0] = GRADE_UNLISTED
    return out


def _of_benchmark(place: int) -> Callable[[View], np.ndarray]:
    return lambda v: v["benchmark"][:, place]


def _stands(how: int) -> Callable[[View], np.ndarray]:
    return lambda v: v["benchmark_state"] == how


DERIVED: dict[str, Callable[[View], np.ndarray]] = {
    "result": _result,
    "reason_chars": _reason_chars,
    "refuses": _refuses,
    "lacks_reasons": _lacks("reason"),
    "lacks_documents": _lacks("documents"),
    "lacks_fields": _lacks("fields"),
    "is_correct": is_action("correct"),
    "off_office": _off_office,
    "offence_at": lambda v: v.given("offence_at"),
    "has_offence_at": is_given("offence_at"),
    "offence_lag": _offence_lag,
    "was_applied": lambda v: (v.before("flags") & APPLIED) != 0,
    "returns_so_far": lambda v: v.before("returns") + is_action("return", "correct")(v),
    "late_corrections_so_far": lambda v: (
        v.before("late_corrections") + (v["is_correct"] & v["was_accepted"])
    ),
    "interrupts": lambda v: interrupts(v["action"], v["result"]),
    "interruptions_so_far": lambda v: v.before("interruptions") + v["interrupts"],
    "same_item": lambda v: v.before("previous_item") == v["item"],
    "item_status": lambda v: v.batch.flows.status(v["item"]),
    "strange_for_documents": _strange(0),
    "strange_for_fields": _strange(1),
    "filed_documents": _of_item("filed_documents", 0),
    "filed_fields": _of_item("filed_fields", 0),
    "worked_bits": _of_item("worked", 0),
    "excused_bits": _of_item("excused", 0),
    "decided_place": _of_item("decided_place", -1),
    "asks_documents": _asks("documents"),
    "asks_fields": _asks("fields"),
    "missing_document_bits": _missing("documents"),
    "missing_field_bits": _missing("fields"),
    "missing_document_count": lambda v: _count(v["missing_document_bits"]),
    "missing_field_count": lambda v: _count(v["missing_field_bits"]),
    "missing_documents": _spelled("missing_document_bits", 0),
    "missing_fields": _spelled("missing_field_bits", 1),
    "settles": _settles,
    "works_required": _works_required,
    "skipped_bits": _skipped,
    "skipped_count": lambda v: _count(v["skipped_bits"]),
    "skipped_steps": _spelled("skipped_bits"),
    "is_penalty": lambda v: v.batch.flows.penalty(v["item"]),
    "lacks_operators": _lacks("operator"),
    "has_operator": lambda v: v["operator"] >= 0,
    "officers_registered": _registered,
    "days_uncertified": _days_uncertified,
    "has_fine": is_given("fine"),
    "fine_fen": lambda v: v.given("fine"),
    "grade": _said("grade"),
    "party_kind": _said("party_kind"),
    "factors": _factors,
    "justified": _justified,
    "benchmark": _benchmark,
    "benchmark_state": _of_benchmark(0),
    "least_fen": _of_benchmark(1),
    "most_fen": _of_benchmark(2),
    "grade_fits": lambda v: v["benchmark"][:, 3] != 0,
    "no_benchmark": _stands(NO_BENCHMARK),
    "no_grade": _stands(NO_GRADE),
    "grade_unlisted": _stands(GRADE_UNLISTED),
}


def _count(bits: np.ndarray) -> np.ndarray:
    return np.bitwise_count(bits).astype(np.int64)
