"""Corrections (更正): judge a case again from its timeline, without the event that was superseded.

Both timelines, with and without, are judged by the same engine on a state that holds this case
alone; what differs between them is withdrawn, raised, or stands again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from detector.cases import CaseState
from detector.columns import Inputs, Vocabulary, join
from detector.effects import Effects
from detector.evaluate import Undetermined
from detector.explain import Change
from detector.verdict import Finding
from detector.workcalendar import NEVER

if TYPE_CHECKING:
    from detector.engine import Engine

_Judged = dict[str, tuple[Finding, str]]  # id → finding and the code of its standing, "" stands


def correct_cases(
    engine: Engine, state: CaseState, batch: Inputs, rows: np.ndarray, effects: Effects,
    timelines: Mapping[int, Inputs],
) -> None:  # fmt: skip
    """Judge rows of cases that the batch corrects, in order, cut at each correction."""
    corrects = batch.supersedes[rows] != b""
    begin = 0
    for at in [*np.flatnonzero(corrects).tolist(), len(rows)]:
        engine.judge_rows(state, batch, rows[begin:at], effects)
        if at < len(rows):
            _correct(engine, state, batch, int(rows[at]), effects, timelines)
        begin = at + 1


def _correct(
    engine: Engine, state: CaseState, batch: Inputs, row: int, effects: Effects,
    timelines: Mapping[int, Inputs],
) -> None:  # fmt: skip
    case, mine = int(batch.case[row]), batch.take(np.array([row]))
    here = np.flatnonzero((batch.case[:row] == case) & effects.kept[:row])
    parts = [part for part in (timelines.get(case), batch.take(here)) if part is not None and len(part)]
    old = effective(join(parts)) if parts else None
    wrong = batch.supersedes[row]
    fault = None
    if old is None or not (old.event_id == wrong).any():
        fault = ("supersedes", "names no event of this case")
    elif state.table["events"][case] >= (limit := engine.district.limits.case_events_max):
        fault = ("case_id", f"case_events_max: the case has {limit} events")
    if fault or old is None:
        state.seen.void(mine.event_key())
        effects.refused.append((row, *(fault or ("", ""))))
        return
    received = int(batch.received_at[row])
    engine.tell_clocks(state, engine.clocks.fire(state, np.array([case]), received - 1), effects)
    was, _, _ = _judge_alone(engine, state, case, old, received)
    new = join([old.take(old.event_id != wrong), mine])
    now, alone, unknown = _judge_alone(engine, state, case, new, received)
    effects.moves += _differences(was, now, engine.teller.stamps(np.array([received]))[0])
    effects.undetermined += unknown
    effects.kept[row] = True
    effects.accepted += 1
    _adopt(state, case, alone)
    engine.hold_records(state, mine, effects)


def effective(timeline: Inputs) -> Inputs:
    """A case's events without those that later ones superseded."""
    stands = np.ones(len(timeline), bool)
    for row in np.flatnonzero(timeline.supersedes != b"").tolist():
        stands[:row] &= timeline.event_id[:row] != timeline.supersedes[row]
    return timeline if stands.all() else timeline.take(stands)


def _judge_alone(
    engine: Engine, state: CaseState, case: int, timeline: Inputs, received: int
) -> tuple[_Judged, CaseState, list[Undetermined]]:
    """Judge one case by itself up to an instant: its findings, its state, and what the last event
    left undetermined."""
    words = replace(timeline.words, case=Vocabulary([timeline.words.case.words[case]]))
    alone = CaseState(words, state.flows, len(engine.clocks.bands))
    alone.event_ids = state.event_ids
    alone.table["undetermined"][0] = state.table["undetermined"][case]
    count = len(timeline)
    inputs = replace(
        timeline, words=words, case=np.zeros(count, np.int32), supersedes=np.zeros(count, "S1"),
        facts=[],
    )  # fmt: skip
    effects = Effects(kept=np.zeros(count, bool))
    engine.judge_rows(alone, inputs, np.arange(count), effects)
    engine.tell_clocks(alone, engine.clocks.fire_due(alone, received - 1), effects)
    judged: _Judged = {}
    for move in effects.moves:
        if isinstance(move, Finding):
            judged[move.finding_id] = (move, "")
        else:
            judged[move.finding_id] = (judged[move.finding_id][0], move.reason)
    operator_rules = {c.rule.id for c in engine.operator_rules}
    last = [
        replace(u, rows=u.rows[u.rows == count - 1])
        for u in effects.undetermined
        if u.rule not in operator_rules and (u.rows == count - 1).any()
    ]
    return judged, alone, last


def _differences(was: _Judged, now: _Judged, since: str) -> list[Finding | Change]:
    moves: list[Finding | Change] = []
    for found, (_, code) in was.items():
        after = now[found][1] if found in now else "corrected"
        if after != code:
            moves.append(Change(after, "oriole", since, found))
    for found, (finding, code) in now.items():
        if found not in was:
            moves.append(finding)
            if code:
                moves.append(Change(code, "oriole", since, found))
    return moves


def _adopt(state: CaseState, case: int, alone: CaseState) -> None:
    """The case's state is henceforth that of the corrected timeline."""
    state.table[case] = alone.table[0]
    state.next_due[case] = alone.next_due[0]
    state.earliest_due = min(state.earliest_due, int(alone.next_due[0]) if len(alone.next_due) else NEVER)
    for mine, theirs in ((state.suspensions, alone.suspensions), (state.more_holders, alone.more_holders)):
        if 0 in theirs:
            mine[case] = theirs[0]  # type: ignore[index,assignment]
        else:
            mine.pop(case, None)
