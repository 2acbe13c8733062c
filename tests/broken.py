"""Subjects that break a law, one way each: a law that lets its subject pass is no law."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import laws
import numpy as np
from bridge import SHELF
from laws import Law, Subject

from detector.engine import Engine
from detector.rulekit import Rule
from detector.shelf import Shelved
from detector.verdict import Finding
from detector.workcalendar import NEVER


class Forgetful(Engine):
    """Begins every batch as if nothing had been."""

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        fresh = self.new_cases(state.words)
        fresh.watermark = state.watermark
        vars(state).update(vars(fresh))
        return super().step_cases(state, batch, timelines)


class Hasty(Engine):
    """Judges an operator's records as they come, before other shards can have sent theirs."""

    def step_operators(self, operators: Any, watermark: int, effects: Any) -> None:
        super().step_operators(operators, NEVER, effects)


class ByPosition(Engine):
    """Judges in the order of the file, not of arrival."""

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        order = np.argsort(batch.position, kind="stable")
        facts, batch = batch.facts, batch.take(order)
        batch.facts = facts
        return super().step_cases(state, batch, timelines)


class Numbering(Engine):
    """Numbers its findings in the order in which it made them."""

    made = 0

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        effects = super().step_cases(state, batch, timelines)
        for move in effects.moves:
            if isinstance(move, Finding):
                Numbering.made += 1
                move.events = (*move.events, str(Numbering.made))
        return effects


class Hoarding(Engine):
    """Keeps in itself what belongs into the state."""

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        self.mine = getattr(self, "mine", None) or self.new_cases(state.words)
        vars(state).update(vars(self.mine))
        effects = super().step_cases(state, batch, timelines)
        vars(self.mine).update(vars(state))
        vars(state).update(vars(self.new_cases(state.words)))
        return effects


class Scribbling(Engine):
    """Writes into the columns that it was given."""

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        batch.imported[:] = False
        return super().step_cases(state, batch, timelines)


class ClockWatching(Engine):
    """Looks at the clock of the machine, to no effect."""

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        time.time()
        return super().step_cases(state, batch, timelines)


class Guessing(Engine):
    """Asks for chance, to no effect."""

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        np.random.default_rng().random()
        return super().step_cases(state, batch, timelines)


class Moody(Engine):
    """Judges a batch otherwise when it has seen it before."""

    batches = 0

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        effects = super().step_cases(state, batch, timelines)
        Moody.batches += 1
        effects.duplicates += Moody.batches
        return effects


class Silent(Engine):
    """Says nothing where it cannot know."""

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        effects = super().step_cases(state, batch, timelines)
        effects.undetermined.clear()
        return effects


class Swallowing(Engine):
    """Takes a rule's failure for a no."""

    def step_cases(self, state: Any, batch: Any, timelines: Any) -> Any:
        effects = super().step_cases(state, batch, timelines)
        said = effects.undetermined
        effects.undetermined = [u for u in said if not u.reason.startswith("rule_error")]
        return effects


def with_rule(rule_id: str, change: Callable[[Rule], Rule]) -> Subject:
    """The subject whose one rule was changed."""
    shelf = {**SHELF, rule_id: Shelved(change(SHELF[rule_id].rule), "")}
    return Subject(rule_id, shelf)


def tiring(rule: Rule) -> Rule:
    """A rule that looks away when more than eight rows are laid before it."""
    measure = rule.measure
    assert measure is not None
    return replace(rule, measure=lambda c, p: measure(c, p) * (len(c["recorded_at"]) <= 8))


def knowing_all(rule: Rule) -> Rule:
    """A rule that judges what it cannot know."""
    return replace(rule, unknown=())


REJECTED: list[tuple[Law, Subject]] = [
    (laws.any_cut, Subject("rulebook", make=Forgetful)),
    (laws.any_cut, with_rule("too_fast_step", tiring)),
    (laws.any_shard, Subject("batch_entry", make=Hasty)),
    (laws.row_is_batch, with_rule("too_fast_step", tiring)),
    (laws.row_is_batch, Subject("rulebook", make=Forgetful)),
    (laws.any_file_order, Subject("rulebook", make=ByPosition)),
    (laws.one_digest, Subject("rulebook", make=Numbering)),
    (laws.kill_and_resume, Subject("rulebook", make=Hoarding)),
    (laws.purity, Subject("rulebook", make=Scribbling)),
    (laws.purity, Subject("rulebook", make=ClockWatching)),
    (laws.purity, Subject("rulebook", make=Guessing)),
    (laws.purity, Subject("rulebook", make=Moody)),
    (laws.missing_data, Subject("rulebook", make=Silent)),
    (laws.missing_data, with_rule("unpaid_issue", knowing_all)),
    (laws.fault_is_said, Subject("back_entry", make=Swallowing)),
    (laws.fault_costs_its_row, Subject("back_entry", make=Swallowing)),
]
