"""Learning over a history: one walk over what all shards observed, day by day."""

from __future__ import annotations

from collections.abc import Sequence

from detector.effects import Effects
from detector.engine import Engine
from detector.event import Fact
from detector.facts_desk import FactState
from detector.learning.desk import LearnDesk, LearnState
from detector.learning.observed import CHANGED, CLOSES, GONE, STAYS, Observed
from detector.learning.stride import Stride
from detector.verdict import Finding
from replay.hindsight import PATH, in_hindsight
from replay.notices import Matters


def learn(
    engine: Engine, observed: Sequence[Observed], matters: Matters, facts: Sequence[Fact],
    told: FactState, until: int, hindsight: bool = False,
) -> tuple[Effects, list[tuple[int, str]]]:  # fmt: skip
    """What facts tell, what learners put into force and what was found by it; and when the cases
    were closed that something was found of. `hindsight`: paths are judged by the whole record."""
    effects, desk = Effects(), engine.learn_desk
    if desk is None:
        engine.step_facts(told, until, Stride(None, None, effects))
        return effects, []
    noted = [(m.rule, at) for at, m in matters.matters if m.reason is None]

    def fill(desk: LearnDesk) -> LearnState:
        state = desk.new_state()
        desk.hold(state, observed, facts, noted)
        return state

    if hindsight and PATH in desk.in_force.learners:
        desk, state, _ = in_hindsight(desk, fill, until)
    else:
        state = fill(desk)
    stride = Stride(desk, state, effects)
    engine.step_facts(told, until, stride)
    stride.walk(until)
    found = {
        f.subject for f in effects.moves if isinstance(f, Finding) and f.subject_kind == "case"
    }
    return effects, [close for one in observed for close in _closed(one, found)]


def _closed(observed: Observed, cases: set[str]) -> list[tuple[int, str]]:
    rows = observed.take(observed.marked(CLOSES) & ~observed.marked(GONE | STAYS | CHANGED))
    names = map(str, rows.words.case.texts(rows.case))
    told = zip(rows.received_at.tolist(), names, strict=True)
    return [(at, case) for at, case in told if case in cases]
