"""What is asked beforehand (`POST /gate`) is what comes of it: the verdict on an event is what the
engine raises when the same event is recorded right after; and asking changes nothing."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from bridge import Embedded, engine_of
from hypothesis import given, settings
from hypothesis import strategies as st
from live_kit import line_of
from streams import random_stream

from detector.beforehand import CORRECTION, Beforehand
from detector.cases import EVENT_REFS, CaseState
from detector.effects import Effects
from detector.engine import Engine
from detector.event import Event, Refused
from detector.event_ids import Sweep
from detector.foreseen import Unknown, Verdict
from detector.glimpse import Glimpse, Unsteady, look
from detector.shelf import load_shelf
from detector.values import DAY_US
from detector.verdict import Finding, canonical

Look = Callable[..., Glimpse | None]


def all_blocking(engine: Engine) -> Engine:
    """The engine with every event rule blocking."""
    engine.event_rules = [replace(c, blocking=True) for c in engine.event_rules]
    return engine


def print_of(state: CaseState) -> str:
    """A digest of all that a shard of cases knows."""
    told = hashlib.sha256(state.table.tobytes())
    told.update(state.seen._keys.tobytes() + state.seen._content.tobytes())
    told.update(state.next_due.tobytes() + state.event_ids._held.ids.tobytes())
    words = state.words
    for one in (words.case, words.item, words.department, words.step, words.operator,
                words.other, words.told, state.flows.duties):  # fmt: skip
        told.update(repr((one.words, sorted(map(str, one._index)))).encode())
    more = (state.more_holders, state.suspensions, state.stamped, state.watermark)
    told.update(repr((more, state.event_ids.count, state.seen.count, state.officers)).encode())
    return told.hexdigest()


def readable(event: Event) -> bool:
    """Streams hold events, not lines: some lie too far from when they came to be read as one."""
    return max(event.recorded_at, event.occurred_at) <= event.received_at + 366 * DAY_US


class Asking(Embedded):
    """Every event is asked about before it is recorded; (event, verdict, effects) of each."""

    def __init__(self, seed: int, look: Look = look) -> None:
        how, events = random_stream(random.Random(seed))
        how = replace(how, operators_known=True, reasons_known=True, documents_known=True,
                      fields_known=True)  # fmt: skip  # as with every live source
        super().__init__(all_blocking(engine_of(how)), how, events)
        self.own, self.look = Beforehand(self.engine), look
        self.effects = Effects()

    def take(self, effects: Effects, position: Any) -> None:
        self.effects = effects
        super().take(effects, position)

    def ask(self, event: Event) -> Verdict:
        cases, own = self.state.cases, self.own
        asked = own.read(line_of(event), None, event.recorded_at)
        return own.judge([asked], [self.look(cases, event.case_id, asked.key)], cases.officers)[0]

    def each(self) -> Iterator[tuple[Event, Verdict, Effects]]:
        for n, (_, event) in enumerate(self.inputs):
            if not isinstance(event, Event) or not readable(event):
                self.step(n, n + 1)
                continue
            before = print_of(self.state.cases)
            verdict = self.ask(event)
            assert print_of(self.state.cases) == before, "asking has changed the state"
            self.step(n, n + 1)
            yield event, verdict, self.effects


def agrees(run: Asking, event: Event, verdict: Verdict, effects: Effects) -> None:
    """The verdict is what came of the event."""
    rules = {c.rule.id for c in run.engine.event_rules}
    assert verdict.duplicate == bool(effects.duplicates)
    if verdict.refused is not None and event.supersedes:
        assert effects.refused and not verdict.allow  # it may name no event of a full case besides
    elif verdict.refused is not None:
        assert [(verdict.refused.field, verdict.refused.error)] == [r[1:] for r in effects.refused]
        assert not verdict.allow
    elif event.supersedes:
        assert {u.reason for u in verdict.undetermined} <= {CORRECTION}
        assert verdict.duplicate or len(verdict.undetermined) == len(rules)
    else:
        assert not effects.refused
        raised = [f for f in effects.moves if isinstance(f, Finding) and f.rule in rules]
        assert list(map(canonical, verdict.findings)) == list(map(canonical, raised))
        texts = [(f.sentence, f.evidence, f.basis) for f in verdict.findings]
        assert texts == [(f.sentence, f.evidence, f.basis) for f in raised]
        unknown = {Unknown(u.rule, u.reason) for u in effects.undetermined if u.rule in rules}
        assert set(verdict.undetermined) == unknown
        assert verdict.allow == all(f.muted is not None for f in raised)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 20))
def test_what_is_asked_is_what_comes_of_it(seed):
    run = Asking(seed)
    for told in run.each():
        agrees(run, *told)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 20))
def test_what_clears_by_waiting_does_so_to_the_microsecond(seed):
    run = Asking(seed)
    for n, (_, event) in enumerate(run.inputs):
        if isinstance(event, Event) and not event.supersedes and readable(event):
            for one in run.ask(event).clears:
                for slip in (-1, 0) if one.begin else ():
                    assert one.begin is not None
                    at = one.begin + slip
                    came = max(at, event.received_at)
                    later = run.ask(
                        msgspec.structs.replace(event, recorded_at=at, received_at=came)
                    )
                    rules = {f.rule for f in later.findings if f.muted is None}
                    assert (one.rule in rules) == bool(slip)
        run.step(n, n + 1)


# --- subjects that must be found out ------------------------------------------------------------


class Stale:
    """Tells of a case what was known of it before its latest event."""

    def __init__(self) -> None:
        self.held: dict[str, list[Glimpse | None]] = {}

    def __call__(self, state: CaseState, case: str, key: int) -> Glimpse | None:
        told = self.held.setdefault(case, [None])
        told.append(look(state, case, key))
        return told[-2]


def torn(state: CaseState, case: str, key: int) -> Glimpse | None:
    """Half of a row that an event has changed, the other half as it was before."""
    told = look(state, case, key)
    if told is not None:
        told.row["previous_recorded_at"] = told.row["accept_recorded_at"]
    return told


def untaught(state: CaseState, case: str, key: int) -> Glimpse | None:
    """Never heard of any event."""
    told = look(state, case, key)
    return told and replace(told, content=None)


@pytest.mark.parametrize("broken", [Stale, lambda: torn, lambda: untaught])
def test_a_row_that_is_not_the_cases_own_is_noticed(broken):
    with pytest.raises(AssertionError):
        for seed in range(40):
            run = Asking(seed, broken())
            for told in run.each():
                agrees(run, *told)


def test_cases_are_told_the_same_while_ids_are_forgotten(monkeypatch):
    """After each case that a sweep goes through every case names the same events."""
    monkeypatch.setattr("detector.cases.SWEPT_LEAST", 1)
    run = Asking(3)
    list(run.each())
    cases = run.state.cases
    names = [*cases.words.case.words]
    whole = {name: ids_of(look(cases, name, 0)) for name in names}
    cases._compact_at, held, turns = 0, cases.event_ids.count, 0
    while cases.event_ids.count == held:
        cases.compact(0)
        assert {name: ids_of(look(cases, name, 0)) for name in names} == whole
        turns += 1
    assert turns == len(names) > 1


def ids_of(seen: Glimpse | None) -> list[str]:
    """The events that a row refers to, in the order of its columns."""
    assert seen is not None
    refs = [int(seen.row[name][0]) for name in EVENT_REFS] + seen.row["holder_event"][0].tolist()
    return [seen.ids[ref] for ref in refs if ref >= 0]


def test_a_look_at_what_was_forgotten_meanwhile_is_none(monkeypatch):
    run = Asking(1)
    list(run.each())
    cases = run.state.cases
    monkeypatch.setattr(cases, "more_holders", {0: [(0, 0)]})
    sweep = Sweep(cases.event_ids, 0)
    cases.event_ids.keep(sweep)
    with pytest.raises(Unsteady):
        look(cases, cases.words.case.words[0], 0)


def test_asking_after_ids_were_forgotten_names_the_same_events():
    run = Asking(3)
    for n, told in enumerate(run.each()):
        agrees(run, *told)
        if n % 3 == 0:
            run.state.cases._compact_at = 0
            run.state.cases.compact(1 << 20)


# --- what a line may leave out ------------------------------------------------------------------


def own_of(seed: int = 1) -> tuple[Asking, Event]:
    run = Asking(seed)
    return run, next(e for _, e in run.inputs if isinstance(e, Event))


def test_what_is_not_said_of_times_is_now():
    run, event = own_of()
    line = {"case_id": "new", "action": "accept", "item": "permit", "department": "D1"}
    now = event.recorded_at + 5
    asked = run.own.read(msgspec.json.encode(line), now, now)
    one = asked.event
    assert (one.recorded_at, one.occurred_at, one.received_at) == (now, now, now)
    assert one.event_id is None and asked.key == 0
    [verdict] = run.own.judge([asked], [None], run.state.cases.officers)
    told = run.own.document(verdict, now)
    assert all(f["finding_id"] is None and f["hypothetical"] for f in told["findings"])


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"[]", "line"), (b"{", "line"), (b'{"kind":"tick","at":"2026-03-02"}', "kind"),
        (b'{"case_id":"c"}', "item"), (b'{"kind":"odd"}', "kind"),
        (b'{"case_id":"c","item":"i","department":"d","action":"fly"}', "action"),
        (b'{"case_id":"c","item":"i","department":"d","action":"step","recorded_at":"9"}',
         "recorded_at"),
        (b'{"case_id":"c","item":"i","department":"d","action":"step",'
         b'"recorded_at":"2027-03-02"}', "recorded_at"),
    ],
)  # fmt: skip
def test_a_bad_event_is_refused_by_its_field(line, field):
    run, event = own_of()
    with pytest.raises(Refused) as caught:
        run.own.read(line, event.recorded_at, event.recorded_at)
    assert caught.value.field == field


def test_words_that_were_taught_are_forgotten(monkeypatch):
    run, event = own_of()
    monkeypatch.setattr("detector.beforehand.WORDS_MAX", 40)
    for n in range(40):
        one = msgspec.structs.replace(event, operator=f"somebody {n}", case_id=f"case {n}")
        run.ask(one)
        assert len(run.own.words.case) == 1
    assert len(run.own.words.operator) < 40
    assert np.array_equal(run.own.flows.place, Beforehand(run.engine).flows.place)


def test_these_rules_block_and_no_other():
    """As RULES names them: what a step may not be filed with."""
    blocking = {name for name, one in load_shelf().items() if one.rule.blocking}
    assert blocking == {"too_fast_step", "missing_document", "missing_field", "unpaid_issue"}
