"""`step(state, batch) → (state, effects)`: the one function that live runs, replays and tests call.

It reads no clock, socket or file: time arrives with the inputs. The state is consumed and given
back changed; effects are data that somebody else performs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detector.advance import Before, Step, advance
from detector.cards import Cards
from detector.cases import MORE_HOLDERS, CaseState
from detector.clocks import Clocks, Move
from detector.columns import Inputs, Words
from detector.corrections import judge_in_turns, turns_of
from detector.district import District
from detector.effects import Effects
from detector.evaluate import Batch, Raised, judge, rule_error
from detector.event import ACTION, Fact
from detector.explain import Teller
from detector.facts_desk import FactsDesk, FactState
from detector.fines import fines_of
from detector.flows import Flows
from detector.handover import hand_over, hand_over_operators
from detector.instants import ClockBand
from detector.learning.desk import LearnState, learn_desk
from detector.learning.observed import observe
from detector.learning.shelf import ShelvedLearner
from detector.learning.stride import Found, Stride
from detector.notice_desk import NoticeDesk
from detector.notice_state import NoticeState
from detector.notice_walk import Walked
from detector.one_stamp import note, settle
from detector.operators import Desk, OperatorState
from detector.runs import Turn
from detector.shelf import Rulebook
from detector.sources import OneStamp, heard_of
from detector.turns import Turns
from detector.undated import Undated
from detector.values import ABSENT, SECOND_US


@dataclass(frozen=True)
class Era:
    """An engine that judged before another took over: all that was received by `until`."""

    until: int
    engine: Callable[[], Engine]


@dataclass
class State:
    """The embedded engine's whole state: one shard of cases, of operators, and of what facts tell
    of departments, supervisors and voices."""

    cases: CaseState
    operators: OperatorState
    facts: FactState
    notices: NoticeState = field(default_factory=NoticeState)
    learning: LearnState | None = None  # of a district that learns


class Engine:
    """A district's rulebook, ready to judge. Holds no state of any case."""

    def __init__(
        self, district: District, rulebook: Rulebook,
        learners: Mapping[str, ShelvedLearner] | None = None,
    ) -> None:  # fmt: skip
        self.district = district
        self.rulebook = rulebook
        self.calendar = district.calendar
        self.lateness_us = district.limits.lateness_s * SECOND_US
        names = {
            (i.code, s.code): s.name
            for i in district.catalogue.items.values()
            for s in i.steps
            if s.name != s.code  # else the field's own word for it is told
        }
        self.teller = Teller(district.code, district.calendar, rulebook.digest, names)
        by_case = rulebook.of("case")
        self.event_rules = [c for c in by_case if c.rule.clock is None and not c.rule.learner]
        self.clock_rules = [c for c in by_case if c.rule.clock is not None]
        self.operator_rules = rulebook.of("operator")
        self.clocks = Clocks(
            [
                ClockBand(n, c.rule.id, band, c.rule.clock, c)
                for n, c in enumerate(self.clock_rules)
                if c.rule.clock is not None
                for band in c.rule.bands
                if any(b.code == band.code for b in c.raising)
            ],
            self.calendar,
        )
        self.undated = Undated(self.clock_rules)
        self.cards = Cards(self.teller, self.clocks)
        self.desk = Desk(self.operator_rules, self.calendar, self.teller)
        self.facts_desk = FactsDesk(
            rulebook, district.people, self.calendar, self.teller, self.lateness_us
        )
        self.notice_desk = NoticeDesk(district, rulebook, self.teller)
        self.learn_desk = learn_desk(learners or {}, district, rulebook, self.teller)
        self.past: tuple[Era, ...] = ()  # who judged before, oldest first

    def new_state(self, words: Words | None = None) -> State:
        """The state before any input."""
        words = words or Words()
        state = State(self.new_cases(words), OperatorState(words, self.lateness_us), FactState())
        state.learning = self.learn_desk.new_state() if self.learn_desk else None
        return state

    def new_cases(self, words: Words) -> CaseState:
        """A shard of cases before any input."""
        return CaseState(words, Flows(self.district.catalogue, words), len(self.clocks.bands))

    # -- the embedded engine ------------------------------------------------------------------

    def step(
        self, state: State, batch: Inputs, timelines: Mapping[int, Inputs] | None = None
    ) -> tuple[State, Effects]:
        """Judge a batch of inputs in order of arrival. `timelines` holds, for each case that the
        batch corrects (`supersedes`), its judged events before the batch, by the case's code.
        No fact was taken before (`KnownFacts`)."""
        effects = self.step_cases(state.cases, batch, timelines or {})
        for records in effects.records:
            state.operators.hold(records)
        self.step_operators(state.operators, state.cases.watermark, effects)
        self.facts_desk.hold(state.facts, batch.facts)
        self.facts_desk.hold_handed(state.facts, effects.handed)
        self.step_departments(state, batch.facts, effects)
        self.step_notices(state, batch.facts, effects)
        return state, effects

    def step_operators(self, operators: OperatorState, watermark: int, effects: Effects) -> None:
        """Judge what every feeding shard's clock has passed."""
        ready = operators.release(watermark)
        if ready is not None:
            for one, known in self.desk.judge(operators, ready):
                effects.add((one,), max(known, self._begun))

    def step_departments(
        self, state: State, facts: Sequence[Fact], effects: Effects, found: Found = ()
    ) -> None:
        """Judge what facts tell, and learn, up to what every feeding shard's clock has passed.
        `found`: what other shards found."""
        stride = Stride(self.learn_desk, state.learning, effects)
        stride.hold(facts, found)
        self.step_facts(state.facts, state.cases.watermark, stride)
        stride.walk(state.cases.watermark)

    def step_facts(self, facts: FactState, watermark: int, stride: Stride) -> None:
        """Judge what facts tell up to the watermark."""
        for known, told in self.facts_desk.advance(facts, watermark, stride.limit_of, self._begun):
            stride.effects.add(told, known)

    def step_notices(self, state: State, facts: Sequence[Fact], effects: Effects) -> None:
        """Lead notices on by all that is known up to the watermark."""
        desk, notices = self.notice_desk, state.notices
        desk.hold(notices, effects.moves, effects.known)
        desk.hold_facts(notices, facts)
        for cases, received in effects.closed:
            names = map(str, state.cases.words.case.texts(cases))
            desk.hold_closed(notices, zip(received.tolist(), names, strict=True))
        self._walked(desk.advance(notices, state.cases.watermark), effects)

    def _walked(self, walked: Walked, effects: Effects) -> None:
        for move, known in walked.findings:
            effects.tell((move,), (known,))
        effects.undetermined += walked.undetermined
        effects.notices.add(walked)

    @property
    def _begun(self) -> int:
        """Since when this engine judges: nothing that it finds was known before."""
        return self.past[-1].until if self.past else ABSENT

    def conclude(self, facts: FactState, watermark: int, effects: Effects) -> None:
        """Say what nobody can know of a run that is over. A living service's never is."""
        effects.add(self.facts_desk.conclude(facts, watermark), watermark)

    def conclude_notices(self, notices: NoticeState, watermark: int, effects: Effects) -> None:
        """Say of whose silence nobody can know, where no act ever came."""
        effects.undetermined += self.notice_desk.limits.conclude(notices, watermark)

    def adopt(self, old: Engine, state: State, at: int) -> tuple[State, Effects]:
        """Take over a state from the engine of another district or rulebook, at an instant.

        `at`: not before anything that was received, `ABSENT` where nothing was. The old engine
        judges up to it, as by a tick; what the change itself moves follows.
        """
        effects = Effects()
        self.adopt_cases(old, state.cases, at, effects)
        self.adopt_operators(old, state.operators, state.cases.watermark, effects)
        self.adopt_departments(old, state, effects)
        self.follow(old, at)
        return state, effects

    def follow(self, old: Engine, at: int) -> None:
        """Judge from an instant on what another judged until then."""
        self.past = (*old.past, Era(at, lambda: old))

    def adopt_operators(
        self, old: Engine, operators: OperatorState, upto: int, effects: Effects
    ) -> None:
        """The operators' part of `adopt`."""
        old.step_operators(operators, upto, effects)
        old.desk.settle(operators)
        hand_over_operators(old, self, operators)

    def adopt_departments(self, old: Engine, state: State, effects: Effects) -> None:
        """The part of facts and notices."""
        upto = state.cases.watermark
        stride = Stride(old.learn_desk, state.learning, effects)
        old.step_facts(state.facts, upto, stride)
        effects.add(self.facts_desk.take_over(old.facts_desk, state.facts, upto), upto)
        self.step_facts(state.facts, upto, stride)
        stride.walk(upto)
        state.learning = self.learn_desk.take_over(state.learning) if self.learn_desk else None
        old.step_notices(state, (), effects)
        self._walked(self.notice_desk.limits.take_over(state.notices, upto), effects)
        self._walked(self.notice_desk.advance(state.notices, upto), effects)

    def adopt_cases(self, old: Engine, state: CaseState, at: int, effects: Effects) -> None:
        """The cases' part of `adopt`."""
        state.make_room()
        state.watermark = max(state.watermark, at)
        old.tell_clocks(state, old.clocks.fire_due(state, state.watermark), effects)
        self.tell_clocks(state, hand_over(old, self, state, at), effects, at)
        self.tell_clocks(state, self.clocks.fire_due(state, state.watermark), effects, at)
        effects.undetermined += self.undated.after_change(state)

    # -- a shard of cases ---------------------------------------------------------------------

    def step_cases(
        self, state: CaseState, batch: Inputs, timelines: Mapping[int, Inputs]
    ) -> Effects:
        """The cases' part of a step: a shard of cases and its inputs."""
        effects = Effects(kept=np.zeros(len(batch), bool))
        state.make_room()
        state.officers.enter(batch.facts, self.calendar.zone)
        turns = Turns(batch.case)
        turn = turns_of(batch, self._overfull(state, batch, turns))
        if turn is None:
            self.judge_new(state, batch, np.arange(len(batch)), effects, turns)
        else:
            judge_in_turns(self, state, batch, turn, effects, timelines)
        state.watermark = max(state.watermark, watermark_of(batch))
        self.tell_clocks(state, self.clocks.fire_due(state, state.watermark), effects)
        state.compact(len(batch))
        return effects

    def _overfull(self, state: CaseState, batch: Inputs, turns: Turns) -> np.ndarray | None:
        """Rows of cases that may grow beyond the limit here (a mask), None if no case may."""
        limit = self.district.limits.case_events_max
        if state.events_most + turns.most <= limit:
            return None
        events = state.table["events"][batch.case]
        full = events + np.bincount(batch.case)[batch.case] > limit
        return full if full.any() else None

    def judge_new(
        self, state: CaseState, batch: Inputs, rows: np.ndarray, effects: Effects,
        turns: Turns | None = None,
    ) -> None:  # fmt: skip
        """Judge those of these rows that are new, none of which corrects another. `turns`: of the
        whole batch."""
        rows = self._fresh(state, batch, rows, effects)
        self.judge_rows(state, batch, rows, effects, turns if len(rows) == len(batch) else None)

    def _fresh(
        self, state: CaseState, batch: Inputs, rows: np.ndarray, effects: Effects
    ) -> np.ndarray:
        """Those rows that are new; duplicates are counted, and what contradicts is refused."""
        if not len(rows):
            return rows
        some = batch if len(rows) == len(batch) else batch.take(rows)
        keys = some.event_key()
        first, equal = state.seen.add(keys, some.content)
        if first.all():
            return rows
        effects.duplicates += int(equal.sum())
        for place in np.flatnonzero(~first & ~equal).tolist():
            if state.seen.had(int(keys[place]), int(some.content[place])):
                effects.duplicates += 1
            else:
                row = int(rows[place])
                effects.refused.append((row, "event_id", "conflicting_duplicate"))
        return rows[first]

    def judge_rows(
        self, state: CaseState, batch: Inputs, rows: np.ndarray, effects: Effects,
        turns: Turns | None = None,
    ) -> None:  # fmt: skip
        """Judge some new rows of a batch, none of which corrects another, and hand on what others
        than the rules of cases ask of them."""
        inputs, stamped = self.judge_again(state, batch, rows, effects, turns)
        if len(inputs):
            self.hand_on(state, inputs, effects)
            effects.handed.fines += fines_of(inputs)
            effects.handed.stamped += [one for _, one in stamped]

    def judge_again(
        self, state: CaseState, batch: Inputs, rows: np.ndarray, effects: Effects,
        turns: Iterable[np.ndarray] | None = None,
    ) -> tuple[Inputs, list[tuple[int, OneStamp]]]:  # fmt: skip
        """Judge some rows of a batch, none of which corrects another, and hand nothing on. Gives
        them, and their closes under one stamp, by row of these. `turns`: rounds of these."""
        inputs = batch if len(rows) == len(batch) else batch.take(rows)
        if not len(inputs):
            return inputs, []
        step = Step(inputs, state.flows, state.event_ids.add(inputs.event_id))
        before = Before(len(inputs), state.table.dtype)
        more: dict[int, list[tuple[int, int]]] = {}
        for turn in turns or Turns(inputs.case):
            self._round(state, inputs, step, turn, before, more, effects)
        effects.kept[rows] = True
        effects.accepted += len(rows)
        judged_batch = Batch(inputs, step, before, more, state.flows, self.calendar, state.officers)
        judged_batch.tuned = state.to_count()
        stamped = self._judge(state, judged_batch, effects)
        state.count(judged_batch)
        return inputs, stamped

    def _round(
        self, state: CaseState, inputs: Inputs, step: Step, rows: np.ndarray, before: Before,
        more: dict[int, list[tuple[int, int]]], effects: Effects,
    ) -> None:  # fmt: skip
        """One event each of different cases: fire what was due before it, then apply it."""
        self.fire(state, inputs.case[rows], inputs.received_at[rows], effects)
        if state.more_holders:
            crowded = (state.table["flags"][inputs.case[rows]] & MORE_HOLDERS) != 0
            for row in rows[crowded].tolist():
                more[row] = list(state.more_holders[int(inputs.case[row])])
        states = advance(state, inputs, step, rows, before)
        turn = Turn(state, inputs, step, rows, states)
        self.tell_clocks(state, self.clocks.redate(turn), effects)
        self.undated.say(turn, effects)

    def _judge(
        self, state: CaseState, batch: Batch, effects: Effects
    ) -> list[tuple[int, OneStamp]]:
        """Every event rule over the batch."""
        for configured in self.event_rules:
            for one in judge(configured, batch):
                if not isinstance(one, Raised):
                    effects.undetermined.append(one)
                    continue
                try:
                    told = self.teller.tell(one, state.event_ids.texts)
                except Exception as fault:  # a rule at fault is said, row by row
                    effects.undetermined.append(rule_error(configured, batch, one.view.rows, fault))
                else:
                    received = one.view.given("received_at").tolist()
                    effects.tell(told, received, one.view["case"], one.view.rows)
                    note(state, one, told)
                    batch.speak(one)
        if self.learn_desk is not None:
            effects.observed.append(observe(batch, self.learn_desk.repeated))
        return settle(state, batch, self.teller, effects)

    def hand_on(self, state: CaseState, inputs: Inputs, effects: Effects) -> None:
        """What notices, operators and sources ask of judged events."""
        closes = inputs.action == ACTION["close"]
        if closes.any():
            effects.closed.append((inputs.case[closes], inputs.received_at[closes]))
        self.desk.typed(state.flows, inputs, effects)
        effects.handed.heard += heard_of(inputs, self.calendar)

    # -- clocks -------------------------------------------------------------------------------

    def fire(
        self, state: CaseState, cases: np.ndarray, received: np.ndarray, effects: Effects
    ) -> None:
        """Raise what the clocks of these cases have crossed before an instant of each."""
        due = state.next_due[cases] < received
        if due.any():
            fired = self.clocks.fire(state, cases[due], received[due] - 1)
            self.tell_clocks(state, fired, effects)

    def tell_clocks(
        self, state: CaseState, moves: list[Move], effects: Effects, floor: int = ABSENT
    ) -> None:
        """Put the moves of clocks into words; none of them was known before `floor`."""
        if moves:
            self.cards.tell(state, moves, effects, floor)


def watermark_of(batch: Inputs) -> int:
    """Up to when everything has arrived, by this batch: a tick includes its own instant."""
    latest = int(batch.received_at.max()) - 1 if len(batch) else ABSENT
    for fact in batch.facts:
        latest = max(latest, fact.received_at - (fact.kind != "tick"))
    return latest
