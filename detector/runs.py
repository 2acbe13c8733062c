"""Runs of a case's other clocks: which event begins and which ends each. 受理、出证、环节、停滞

A clock of these kinds runs between two events of its case (docs/judging.md §4.2). Here a batch of
events of different cases is entered into the table; `Clocks` solves the instants and raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from detector.advance import Step
from detector.cases import DECIDED, ISSUED, CaseState
from detector.columns import Inputs, of_actions
from detector.event import ACTION, ACTIONS
from detector.particulars import of_results
from detector.values import ABSENT
from detector.workcalendar import NEVER

EVENT = {  # kind of clock → the row's reference to the event on which its findings rest
    "case": "accept_event", "acceptance": "wait_event", "issue": "close_event",
    "step": "held_event", "stall": "latest_event",
}  # fmt: skip
START = {
    "case": "accept_occurred_at", "acceptance": "wait_from", "issue": "issue_from",
    "step": "held_from", "stall": "latest_recorded_at",
}  # fmt: skip
_APPLICATIONS = ("apply", "preaccept", "corrected")
_ANSWERS = ("accept", "return", "correct", "decide", "close")
_BEGINS_WAITING, _ENDS_WAITING = of_actions(*_APPLICATIONS), of_actions(*_ANSWERS)
_GRANTED = of_results("granted", none=True)


@dataclass
class Turn:
    """Events of one round, each of another case, and the states before them."""

    state: CaseState
    inputs: Inputs
    step: Step
    rows: np.ndarray
    before: np.ndarray

    def __post_init__(self) -> None:
        self.cases = self.inputs.case[self.rows]
        self.action = self.inputs.action[self.rows]
        self.recorded = self.inputs.recorded_at[self.rows]
        self._acts = set(self.action.tolist())
        self.first_close = self.action == ACTION["close"]
        if self.has("close"):
            self.first_close &= self.before["close_event"] < 0

    def has(self, *actions: str) -> bool:
        """Is any of the events one of these actions."""
        return any(ACTION[name] in self._acts for name in actions)

    def put(self, name: str, some: np.ndarray, values: np.ndarray | int) -> None:
        """Write a field of the rows of some of the cases."""
        self.state.table[name][self.cases[some]] = values


Ends = tuple[np.ndarray, np.ndarray]  # which events end a run, which begin one


def waiting(turn: Turn) -> Ends:
    """From an application to its acceptance or refusal."""
    before, action = turn.before, turn.action
    runs = (before["wait_from"] != ABSENT) & (before["wait_until"] == NEVER)
    ends = runs & _ENDS_WAITING[action]
    settled = (before["accept_event"] >= 0) | (before["close_event"] >= 0)
    settled |= (before["flags"] & DECIDED) != 0
    begins = ~runs & _BEGINS_WAITING[action] & ~settled
    if ends.any():
        turn.put("wait_until", ends, turn.recorded[ends])
    if begins.any():
        rows = turn.rows[begins]
        turn.put("wait_from", begins, turn.inputs.occurred_at[rows])
        turn.put("wait_until", begins, NEVER)
        turn.put("wait_event", begins, turn.step.refs[rows])
    return ends, begins


def issuing(turn: Turn) -> Ends:
    """From the close of a case that is granted to the licence."""
    before = turn.before
    issues = turn.action == ACTION["issue"]
    ends = issues & (before["issue_from"] != ABSENT) & (before["issue_until"] == NEVER)
    begins = grants(turn) & turn.state.flows.issues(turn.inputs.item[turn.rows])
    if ends.any():
        turn.put("issue_until", ends, turn.recorded[ends])
    if begins.any():
        turn.put("issue_from", begins, turn.inputs.occurred_at[turn.rows[begins]])
    return ends, begins


def grants(turn: Turn) -> np.ndarray:
    """The first close of a case, granted, with no licence issued before."""
    grants = turn.first_close & ((turn.before["flags"] & ISSUED) == 0)
    if grants.any():
        told = turn.inputs.told[turn.rows]
        grants = grants & _GRANTED[turn.inputs.words.told.result(told)]
    return grants


def holding(turn: Turn) -> Ends:
    """From one step of the flow to the next."""
    before, place = turn.before, turn.step.place[turn.rows]
    begins = (place >= 0) & (place > before["held_place"])
    begins &= (turn.action != ACTION["close"]) & (before["close_event"] < 0)
    ends = (before["held_place"] >= 0) & (begins | turn.first_close)
    if begins.any():
        rows = turn.rows[begins]
        turn.put("held_place", begins, place[begins])
        turn.put("held_entry", begins, turn.step.entry[rows])
        turn.put("held_from", begins, turn.inputs.occurred_at[rows])
        turn.put("held_event", begins, turn.step.refs[rows])
    return ends, begins


def stalling(turn: Turn) -> Ends:
    """From the latest record of an open case to the next; `advance` has entered it already."""
    latest = turn.before["latest_recorded_at"]
    begins = (turn.recorded > latest) & (turn.before["close_event"] < 0) & ~turn.first_close
    ends = (latest != ABSENT) & (begins | turn.first_close)
    return ends, begins


KINDS: dict[str, tuple[Callable[[Turn], Ends], Sequence[str]]] = {  # and what such a run is about
    "acceptance": (waiting, (*_APPLICATIONS, *_ANSWERS)),
    "issue": (issuing, ("issue", "close")),
    "step": (holding, ACTIONS),
    "stall": (stalling, ACTIONS),
}
