"""Clock rules that cannot know their start, limit or suspension: said once a case and reason."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.columns import of_actions
from detector.effects import Effects
from detector.evaluate import Undetermined
from detector.event import ACTION
from detector.instants import limit_days
from detector.runs import Turn, grants
from detector.shelf import Configured
from detector.values import ABSENT

_AFTER_ACCEPTANCE = ~of_actions("apply", "preaccept", "correct", "corrected", "accept")
REASONS = ("no_acceptance", "item_not_listed", "no_limit", "no_grant")
_WITH_SUSPENSIONS = ("case", "step", "procedure")


class Undated:
    """What the clock rules of a rulebook cannot know of a case."""

    def __init__(self, rules: Sequence[Configured]) -> None:
        self.rules = [(n, c, c.rule.clock) for n, c in enumerate(rules) if c.rule.clock]
        self._kinds = {clock.kind for _, _, clock in self.rules}

    def say(self, turn: Turn, effects: Effects) -> None:
        """Look at events that were just entered."""
        first = (turn.action == ACTION["accept"]) & (turn.before["accept_event"] < 0)
        if "case" in self._kinds:
            unstarted = (turn.before["accept_event"] < 0) & _AFTER_ACCEPTANCE[turn.action]
            self._say(turn, unstarted, "no_acceptance", ("case",), effects)
            if first.any():
                self._limits(turn, np.flatnonzero(first), effects)
        rows = turn.rows
        if "step" in self._kinds and first.any():
            unlisted = first & ~turn.state.flows.listed(turn.inputs.item[rows])
            self._say(turn, unlisted, "item_not_listed", ("step",), effects)
        if "issue" in self._kinds and turn.first_close.any():
            unlisted = grants(turn) & ~turn.state.flows.listed(turn.inputs.item[rows])
            self._say(turn, unlisted, "item_not_listed", ("issue",), effects)
        no_grant = turn.action == ACTION["suspend"]
        if no_grant.any():
            no_grant &= turn.inputs.days_granted[rows] == ABSENT
            self._say(turn, no_grant, "no_grant", _WITH_SUSPENSIONS, effects)

    def _limits(self, turn: Turn, some: np.ndarray, effects: Effects) -> None:
        state, inputs, rows = turn.state, turn.inputs, turn.rows[some]
        row = state.rows(inputs.case[rows])
        listed = state.flows.listed(inputs.item[rows])
        spot = state.flows.on_the_spot(inputs.item[rows])
        for number, configured, clock in self.rules:
            if clock.kind != "case":
                continue
            unknown = limit_days(state, row, clock) == ABSENT
            if clock.due:
                unknown &= row["due_at"] == ABSENT
            one = number, configured
            self._once(turn, rows[unknown & ~listed], "item_not_listed", one, effects)
            self._once(turn, rows[unknown & listed & ~spot], "no_limit", one, effects)

    def _say(
        self, turn: Turn, mask: np.ndarray, reason: str, kinds: tuple[str, ...], effects: Effects
    ) -> None:
        if mask.any():
            for number, configured, clock in self.rules:
                if clock.kind in kinds:
                    self._once(turn, turn.rows[mask], reason, (number, configured), effects)

    def _once(
        self, turn: Turn, rows: np.ndarray, reason: str, rule: tuple[int, Configured],
        effects: Effects,
    ) -> None:  # fmt: skip
        """Said once for each case, rule and reason."""
        said, inputs = turn.state.table["undetermined"], turn.inputs
        bit = 1 << (rule[0] * len(REASONS) + REASONS.index(reason))
        news = rows[(said[inputs.case[rows]] & bit) == 0]
        if len(news):
            said[inputs.case[news]] |= bit
            told = Undetermined(rule[1].rule.id, reason, "case", inputs, news)
            effects.undetermined.append(told)
