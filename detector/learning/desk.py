"""Learning at work: one walk over observations, acts and days, at the watermark.

What was received on a local day is scored by what was in force at its start, and gathered; at the
next day's start learners publish, and a new epoch is in force. Acts of people take effect at their
instant. Nothing here depends on how observations were cut or interleaved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from heapq import heappop, heappush
from itertools import groupby
from typing import Any

import numpy as np
from msgspec import structs

from detector.catalogue import Catalogue
from detector.district import District
from detector.event import Fact
from detector.explain import Change, Teller
from detector.learning.acts import act_on
from detector.learning.drifted import ORIOLE, RULE, drift_told
from detector.learning.epochs import EVERYTHING, EpochBook
from detector.learning.judging import BUDGET, Learned, Wording, judge_learned
from detector.learning.observed import ACCEPTS, CHANGED, GONE, STAYS, Observed
from detector.learning.open_cases import Added
from detector.learning.retold import Day, standing, take_back, taken_back, turns_of
from detector.learning.settings import InForce, set_up
from detector.learning.shelf import ShelvedLearner
from detector.learning.shown import Shown
from detector.learning.state import NO_DAY, Walked
from detector.learning.state import LearnState as LearnState
from detector.learning.threshold import STREAM
from detector.learnkit import BIT, Rows, Scores, rows_of
from detector.shelf import Rulebook
from detector.values import ABSENT, DAY_US
from detector.workcalendar import WorkCalendar

LEARNING = "learning"  # the kind of fact that an act on a learner is
DRIFT = "drift"  # the learner that watches the others
BUDGET_DAYS = 7  # whose cases the budget is counted by
Watched = tuple[str, str, str, int]  # learner or rule, whose limits rest on it, what, a number


class LearnDesk:
    """The learners of a district and the rules that read them. Holds no state."""

    def __init__(
        self, in_force: InForce, rulebook: Rulebook, catalogue: Catalogue, calendar: WorkCalendar,
        teller: Teller,
    ) -> None:  # fmt: skip
        self.in_force, self.calendar, self.teller = in_force, calendar, teller
        self.rules = {
            name: [c for c in rulebook.of("case") if c.rule.learner == name]
            for name in in_force.learners
        }
        every = [c.rule for rules in self.rules.values() for c in rules]
        self.repeated = frozenset(rule.repeats for rule in every if rule.repeats)
        self.early = {  # the fewest bits that any rule may speak at, by learner
            name: min(max(0, int(b.edge * c.divisor)) for c in rules for b in c.raising)
            for name, rules in self.rules.items()
            if rules and in_force.learners[name].sees == "case"
        }
        self.shown = Shown(catalogue, calendar)

    def new_state(self) -> LearnState:
        """The state before anything was observed."""
        made = self.in_force.learners
        models = {name: one.make(self.in_force.params[name]) for name, one in made.items()}
        guards = self.in_force.guards
        books = {name: EpochBook(name, one.edition, guards[name]) for name, one in made.items()}
        return LearnState(models, books)

    def take_over(self, old: LearnState | None) -> LearnState:
        """The state of another desk as this one goes on with it: what was learned stays, as far as
        the learners are still on."""
        state = self.new_state()
        if old is None:
            return state
        for name, model in state.models.items():
            if name in old.models:
                model.thaw(old.models[name].freeze())
                state.books[name].stand(old.books[name].standing())
        for one in fields(LearnState):
            if one.name not in ("models", "books"):
                setattr(state, one.name, getattr(old, one.name))
        state.begun.ways.turn()
        return state

    # -- what comes in --------------------------------------------------------------------------

    def hold(
        self, state: LearnState, observed: Iterable[Observed], facts: Sequence[Fact],
        found: Iterable[tuple[str, int]],
    ) -> None:  # fmt: skip
        """What was observed, and acts on learners, wait for their turn. `found`: findings (rule,
        known since) whose number is watched."""
        for one in observed:
            state.waiting.hold(one)
        self.note(state, found)
        for fact in sorted(facts, key=lambda one: (one.received_at, one.position)):
            if fact.kind == LEARNING:
                heappush(state.acts, (fact.received_at, state.held, fact))
                state.held += 1

    def note(self, state: LearnState, told: Iterable[tuple[str, int]]) -> None:
        """Findings (rule, known since) of this walk, whose number is watched."""
        told = list(told)
        days = self.calendar.day(np.array([known for _, known in told], np.int64)).tolist()
        for (rule, _), day in zip(told, days, strict=True):
            state.found[max(day, state.day), rule] += 1

    # -- the walk -------------------------------------------------------------------------------

    def advance(self, state: LearnState, watermark: int) -> Walked:
        """Walk everything that was received up to the watermark."""
        walked, upto = Walked(), watermark + 1
        while True:
            begins = self._next_day(state)
            act_at = state.acts[0][0] if state.acts else upto + 1
            cut = min(begins, act_at, upto)
            ready = state.waiting.release(cut)
            if ready is not None:
                self._take(state, ready, walked)
                continue  # the first of all tell which day it is
            if begins == cut:
                self._begin_day(state, begins, walked)
            elif act_at <= watermark:
                self._act(state, heappop(state.acts)[2], walked)
            else:
                return walked

    def _next_day(self, state: LearnState) -> int:
        """When the next local day begins, far ahead before anything was observed."""
        if state.day == NO_DAY:
            return 1 << 62
        return int(self.calendar.zone.utc((state.day + 1) * DAY_US))

    def _take(self, state: LearnState, ready: Observed, walked: Walked) -> None:
        if state.day == NO_DAY:  # the walk goes on by days from the first that is seen
            first = int(ready.received_at.min())
            state.day = self._day(first)
            ends = self._next_day(state)
            later = ready.received_at >= ends
            if later.any():
                state.waiting.hold(ready.take(later))
                ready = ready.take(~later)
        state.today.add(ready)
        raised: list[Learned] = []
        rows = np.flatnonzero(~ready.marked(GONE | STAYS))  # what stays has been judged
        steps = self.shown.steps(ready if len(rows) == len(ready) else ready.take(rows))
        for name in self._seeing("step"):
            if self.rules[name]:
                scores = self._scored(state, name, ready, rows, steps)
                raised += self._judge(name, ready, rows, scores, walked)
        self._take_cases(state, ready, raised, walked)
        self._raise(state, ready, raised, walked)

    def _seeing(self, what: str) -> list[str]:
        """The learners that see such rows."""
        return [name for name, one in self.in_force.learners.items() if one.sees == what]

    def _take_cases(
        self, state: LearnState, ready: Observed, raised: list[Learned], walked: Walked
    ) -> None:
        learners = self._seeing("case")
        if not learners:
            return
        for rows, again in turns_of(ready):
            part = ready if len(rows) == len(ready) else ready.take(rows)
            if not len(part):
                continue
            state.open.begin_again(again)
            state.begun.forget(again.tolist())
            added = state.open.add(part)
            closes, steps, begins = state.open.close(part)
            raised += self._take_begun(state, ready, rows, added, walked)
            if len(closes):
                columns = {n: c[steps] for n, c in state.open.columns.items()}
                whole = self.shown.whole(columns, ready.words, begins)
                for name in learners:
                    scores = self._scored(state, name, ready, rows[closes], whole)
                    told = self._judge(name, ready, rows[closes], scores, walked)
                    raised += state.begun.news(told, False)
                state.begun.forget(part.case[closes].tolist())

    def _take_begun(
        self, state: LearnState, ready: Observed, rows: np.ndarray, added: Added, walked: Walked
    ) -> list[Learned]:
        """What steps of cases that go on decide; alarms are counted at the close."""
        raised: list[Learned] = []
        early = [name for name in self.early if state.models[name].early]
        if not early:
            return raised
        mine = rows[added.rows]
        ways = state.begun.go_on(state.open, ready, added._replace(rows=mine))
        for name in early:
            some, scores = state.begun.decided(
                name, state.models[name], self.shown, ready, mine, ways, self.early[name]
            )
            if len(some):
                told = self._judge(name, ready, some, scores, walked)
                raised += state.begun.news(told, True)
        return raised

    def _scored(
        self, state: LearnState, name: str, inputs: Observed, rows: np.ndarray, shown: Rows
    ) -> Scores:
        """What a learner says of rows or cases, and how many of them are alarming. What a
        correction changes besides itself is counted no second time."""
        scores = state.models[name].score(shown)
        alarms = scores.known & (scores.bits > STREAM) & ~inputs.marked(STAYS | CHANGED)[rows]
        state.alarms[name] += int(np.count_nonzero(alarms))
        return scores

    def _judge(
        self, name: str, inputs: Observed, rows: np.ndarray, scores: Scores, walked: Walked
    ) -> list[Learned]:
        """Scores judged by a learner's rules. What a correction changes besides itself is judged
        anew, and is undetermined no second time."""
        fresh = ~inputs.marked(STAYS | CHANGED)
        raised = []
        for configured in self.rules[name]:
            for one in judge_learned(configured, inputs, rows, scores, self.calendar):
                if isinstance(one, Learned):
                    raised.append(one)
                elif len(said := one.rows[fresh[one.rows]]):
                    walked.undetermined.append(replace(one, rows=said))
        return raised

    def _raise(
        self, state: LearnState, ready: Observed, raised: list[Learned], walked: Walked
    ) -> None:
        """In the order of their instants, cases and steps, so that the budget falls on the same
        ones whatever else was walked with them."""
        names = ready.words.case.words
        places: list[tuple[int, str, int, str, int, Any]] = []
        for row, ids in taken_back(self._raising(state), ready):
            key = (int(ready.received_at[row]), names[int(ready.case[row])], row)
            places.append((*key, "", 0, ids))
        for one in raised:
            sees = self.in_force.learners[one.rule.rule.learner].sees
            words = Wording(one, self.teller)
            for n, row in enumerate(one.raised.view.rows.tolist()):
                key = (int(ready.received_at[row]), names[int(ready.case[row])], row)
                places.append((*key, one.rule.rule.id, n, (sees, words)))
        allowance, known = self._allowance(state), state.day
        for (at, _), group in groupby(sorted(places, key=lambda p: p[:5]), lambda p: p[:2]):
            back: dict[str, bool] = {}  # id → did it speak
            for _, _, _, rule, n, told in group:
                if not rule:
                    back |= take_back(state.raised, told)
                    continue
                sees, words = told
                finding = words.tell(n, words.one.raised.muted[n])
                before = back.pop(finding.finding_id, None)
                if finding.muted is None and not before:  # what spoke goes on
                    state.spent[rule] += 1
                    if state.spent[rule] > allowance:
                        finding = structs.replace(finding, muted=BUDGET)
                if before is None:
                    state.found[known, rule] += 1
                stand = state.raised.setdefault((sees, rule), {})
                stand[finding.finding_id] = finding.muted is None
                walked.moves.append(finding)
                walked.known.append(at)
            since = self.teller.stamps(np.array([at]))[0] if back else ""
            walked.moves += [Change("corrected", ORIOLE, since, one) for one in back]
            walked.known += [at] * len(back)

    def _raising(self, state: LearnState) -> list[tuple[str, str]]:
        """What learners of rules see, and the rule: of all rules that raise, or once did."""
        mine = [
            (self.in_force.learners[name].sees, c.rule.id)
            for name, rules in self.rules.items()
            for c in rules
        ]
        return sorted({*mine, *state.raised})

    def _allowance(self, state: LearnState) -> int:
        """How many learned findings of a rule may speak today."""
        days = state.past_cases[-BUDGET_DAYS:]
        most = self.in_force.alerts_per_1000_cases_max
        return -(-sum(days) * most // (1_000 * len(days))) if days else 0

    def _day(self, at: int) -> int:
        return int(self.calendar.day(np.array([at]))[0])

    # -- days and acts --------------------------------------------------------------------------

    def _begin_day(self, state: LearnState, at: int, walked: Walked) -> None:
        state.day += 1
        state.spent.clear()
        state.begun.ways.turn()
        steps, cases = self.learn(state)
        if not steps:
            return
        watched = self._watched(state, steps, cases)
        for name, learner in self.in_force.learners.items():
            if learner.sees == "series":
                continue
            model, book = state.models[name], state.books[name]
            epoch = book.begin(state.day, at, model.publish(state.day), steps)
            model.enforce(book.in_force)
            walked.epochs.append(book.publishes(epoch, model.published()))
        if DRIFT in state.models:
            self._watch(state, at, watched, walked)
        state.past_cases = [*state.past_cases[1 - BUDGET_DAYS :], cases]
        state.alarms.clear()

    def learn(self, state: LearnState) -> tuple[int, int]:
        """Show learners the day as it stands at its end: how many steps, and cases accepted."""
        told, state.today = state.today.all(), Day()
        if told is None:
            return 0, 0
        day = standing(told)
        if len(day):
            steps = self.shown.steps(day)
            for name in self._seeing("step"):
                state.models[name].learn(steps)
        columns, begins = state.open.end_day()
        if len(begins) > 1:
            whole = self.shown.whole(columns, told.words, begins)
            for name in self._seeing("case"):
                state.models[name].learn(whole)
        return len(day), int(np.count_nonzero(day.marked(ACCEPTS)))

    def _watched(self, state: LearnState, steps: int, cases: int) -> list[Watched]:
        """What the day that ended tells of learners and rules."""
        told = []
        cases = max(cases, 1)
        for name, model in state.models.items():
            told += [(name, *one) for one in model.watch()]
            if self.rules.get(name):
                share = state.alarms[name] * 1_000 // max(steps, 1)
                told.append((name, "", "alarms", share))
        for day, rule in sorted(k for k in state.found if k[0] < state.day):
            found = state.found.pop((day, rule)) * 1_000 // cases
            told.append((f"{RULE}{rule}", "", "findings", found))
        return told

    def _watch(
        self, state: LearnState, at: int, watched: Sequence[Watched], walked: Walked
    ) -> None:
        """Show the day's numbers to who watches for drift, and let stand still what drifted."""
        model = state.models[DRIFT]
        rows = rows_of([{"series": "\x1f".join(names), "value": n} for *names, n in watched])
        model.learn(rows)
        model.publish(state.day)
        scores = model.score(rows)
        for n in np.flatnonzero(scores.known & (scores.bits >= BIT)).tolist():
            learner, whose, what, _ = watched[n]
            why = f"{what}: {drift_told(scores.tell(n))}"
            book = state.books.get(learner)
            reason = f"drift: {whose or learner}: {why}"
            if book is None:  # a rule's rate: told, and no limit stands still
                epoch = state.books[DRIFT].freeze(state.day, at, {}, ORIOLE, reason)
            else:
                epoch = book.freeze(state.day, at, {whose or EVERYTHING: why}, ORIOLE, reason)
            walked.epochs.append(epoch)

    def _act(self, state: LearnState, fact: Fact, walked: Walked) -> None:
        name = fact.fields["learner"]
        book = state.books.get(name)
        if book is None:
            return
        day = self._day(fact.received_at)
        to = fact.fields.get("to")
        walked.epochs.append(
            act_on(book, fact, day, None if to in (None, ABSENT) else self._day(to))
        )
        state.models[name].enforce(book.in_force)


def learn_desk(
    learners: Mapping[str, ShelvedLearner], district: District, rulebook: Rulebook, teller: Teller
) -> LearnDesk | None:
    """The desk of a district, None where it does not learn. Raises `DistrictError`."""
    told = set_up(learners, district)
    if told is None:
        return None
    return LearnDesk(told, rulebook, district.catalogue, district.calendar, teller)
