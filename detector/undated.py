"""Clock rules that cannot know their start, limit or suspension: said once a case and reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from detector.cases import SUSPENDED, CaseState
from detector.columns import Words, of_actions
from detector.effects import Effects
from detector.evaluate import Undetermined
from detector.event import ACTION
from detector.instants import limit_days
from detector.rulekit import Clock
from detector.runs import Turn, grants
from detector.shelf import Configured
from detector.values import ABSENT

_AFTER_ACCEPTANCE = ~of_actions("apply", "preaccept", "correct", "corrected", "accept")
REASONS = ("no_acceptance", "item_not_listed", "no_limit", "no_grant")
_WITH_SUSPENSIONS = ("case", "step", "procedure")


@dataclass
class Accepted:
    """Cases by their acceptance, as what is undetermined of them is counted."""

    words: Words
    case: np.ndarray
    event_id: np.ndarray
    item: np.ndarray
    department: np.ndarray
    recorded_at: np.ndarray


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

    def carried(self, before: Undated, said: np.ndarray) -> np.ndarray:
        """What was said by the rules before, as these rules note it: by rule id and reason."""
        told, width = np.zeros_like(said), len(REASONS)
        numbers = {configured.rule.id: number for number, configured, _ in self.rules}
        for number, configured, _ in before.rules:
            mine = numbers.get(configured.rule.id)
            if mine is not None:
                told |= ((said >> (number * width)) & ((1 << width) - 1)) << (mine * width)
        return told

    def after_change(self, state: CaseState) -> list[Undetermined]:
        """What cannot be known of the open cases by the district and rulebook that came into force;
        dated by their acceptance."""
        table = state.table
        cases = np.flatnonzero((table["accept_event"] >= 0) & (table["close_event"] < 0))
        if not len(cases):
            return []
        row, told = state.rows(cases), list[Undetermined]()
        ids = [text.encode() for text in state.event_ids.texts(row["accept_event"])]
        source = Accepted(
            state.words, cases, np.array(ids), row["accept_item"], row["accept_department"],
            row["accept_recorded_at"],
        )  # fmt: skip
        for number, configured, clock in self.rules:
            for reason, unknown in self._unknown(state, cases, row, clock):
                bit = 1 << (number * len(REASONS) + REASONS.index(reason))
                news = np.flatnonzero(unknown & ((table["undetermined"][cases] & bit) == 0))
                if len(news):
                    table["undetermined"][cases[news]] |= bit
                    told.append(Undetermined(configured.rule.id, reason, "case", source, news))
        return told

    def _unknown(
        self, state: CaseState, cases: np.ndarray, row: np.ndarray, clock: Clock
    ) -> Iterable[tuple[str, np.ndarray]]:
        listed = state.flows.listed(row["accept_item"])
        if clock.kind == "case":
            unknown = limit_days(state, row, clock) == ABSENT
            if clock.due:
                unknown &= row["due_at"] == ABSENT
            yield "item_not_listed", unknown & ~listed
            spot = state.flows.on_the_spot(row["accept_item"])
            yield "no_limit", unknown & listed & ~spot
        if clock.kind == "step":
            yield "item_not_listed", ~listed
        if clock.kind in _WITH_SUSPENSIONS:
            endless = (row["flags"] & SUSPENDED) != 0
            for n in np.flatnonzero(endless).tolist():
                some = state.suspensions[int(cases[n])]
                endless[n] = any(one.days_granted == ABSENT for one in some)
            yield "no_grant", endless

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
