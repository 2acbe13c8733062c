"""Corrections (更正): judge a case again from its timeline, without the event that was superseded.

Both timelines, with and without, are judged by the same engine on a state that holds this case
alone; what differs between them is withdrawn, raised, or stands again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from detector.cases import CaseState
from detector.columns import Inputs, Vocabulary, join
from detector.effects import Effects
from detector.explain import Change
from detector.fines import corrected_fines
from detector.flows import Flows
from detector.verdict import Finding

if TYPE_CHECKING:
    from detector.engine import Engine

_Judged = dict[str, tuple[Finding, str]]  # id → finding and the code of its standing, "" stands


def judge_one_by_one(
    engine: Engine, state: CaseState, batch: Inputs, rows: np.ndarray, effects: Effects,
    timelines: Mapping[int, Inputs],
) -> None:  # fmt: skip
    """Judge rows of cases that the batch corrects or overfills, each by itself and in order."""
    for row in rows.tolist():
        mine, case = batch.take(np.array([row])), int(batch.case[row])
        wrong = bytes(batch.supersedes[row])
        key = mine.event_key()
        first, equal = state.seen.add(key, mine.content)
        told, content = int(key[0]), int(mine.content[0])
        if equal[0] or (not first[0] and state.seen.had(told, content)):
            effects.duplicates += 1
            continue
        if not first[0] and wrong != bytes(batch.event_id[row]):
            effects.refused.append((row, "event_id", "conflicting_duplicate"))
            continue
        old = _timeline(batch, row, case, effects, timelines) if wrong else None
        fault = _fault(engine, state, case, wrong, old)
        if fault:
            if first[0]:
                state.seen.void(key)
            effects.refused.append((row, *fault))
            continue
        state.seen.replace(key, mine.content)
        if old is None:
            engine.judge_rows(state, batch, np.array([row]), effects)
        else:
            _correct(engine, state, batch, row, old, effects)


def _fault(
    engine: Engine, state: CaseState, case: int, wrong: bytes, old: Inputs | None
) -> tuple[str, str] | None:
    """Why this event cannot be taken: field and error."""
    if wrong and (old is None or not (old.event_id == wrong).any()):
        return "supersedes", "names no event of this case"
    limit = engine.district.limits.case_events_max
    if state.table["events"][case] >= limit:
        return "case_id", f"case_events_max: the case has {limit} events"
    return None


def _timeline(
    batch: Inputs, row: int, case: int, effects: Effects, timelines: Mapping[int, Inputs]
) -> Inputs | None:
    """The case's events that stand before this row of the batch."""
    here = np.flatnonzero((batch.case[:row] == case) & effects.kept[:row])
    parts = [p for p in (timelines.get(case), batch.take(here)) if p is not None and len(p)]
    return effective(join(parts)) if parts else None


def _correct(
    engine: Engine, state: CaseState, batch: Inputs, row: int, old: Inputs, effects: Effects
) -> None:
    case, mine = int(batch.case[row]), batch.take(np.array([row]))
    received = int(batch.received_at[row])
    engine.tell_clocks(state, engine.clocks.fire(state, np.array([case]), received - 1), effects)
    was = _as_it_was(engine, state, case, old, received)
    new = join([old.take(old.event_id != batch.supersedes[row]), mine])
    now, alone, last = _judge_alone(engine, state, case, new, received)
    effects.moves += _differences(was, now, engine.teller.stamps(np.array([received]))[0])
    operator_rules = {c.rule.id for c in engine.operator_rules}
    effects.undetermined += [u for u in last.undetermined if u.rule not in operator_rules]
    effects.handed.heard += last.handed.heard
    effects.handed.stamped += last.handed.stamped
    effects.kept[row] = True
    effects.accepted += 1
    _adopt(state, case, alone)
    engine.hold_records(state, mine, effects)
    gone = old.take(old.event_id == batch.supersedes[row])
    effects.handed.fines += corrected_fines(mine, gone)


def effective(timeline: Inputs) -> Inputs:
    """A case's events without those that later ones superseded."""
    stands = np.ones(len(timeline), bool)
    for row in np.flatnonzero(timeline.supersedes != b"").tolist():
        stands[:row] &= timeline.event_id[:row] != timeline.supersedes[row]
    return timeline if stands.all() else timeline.take(stands)


def _judge_alone(
    engine: Engine, state: CaseState, case: int, timeline: Inputs, received: int
) -> tuple[_Judged, CaseState, Effects]:
    """Judge one case by itself up to an instant: its findings, its state, and what the last event
    caused."""
    inputs = _alone(timeline, case)
    alone = CaseState(inputs.words, state.flows, len(engine.clocks.bands))
    alone.event_ids, alone.officers = state.event_ids, state.officers
    count = len(timeline)
    before, last = Effects(kept=np.zeros(count, bool)), Effects(kept=np.zeros(count, bool))
    engine.judge_rows(alone, inputs, np.arange(count - 1), before)
    alone.table["undetermined"][0] = state.table["undetermined"][case]  # nothing is said twice
    engine.judge_rows(alone, inputs, np.array([count - 1]), last)
    engine.tell_clocks(alone, engine.clocks.fire_due(alone, received - 1), last)
    return _settled(before.moves + last.moves), alone, last


def _alone(timeline: Inputs, case: int) -> Inputs:
    """The timeline as that of the only case there is, corrections done."""
    words = replace(timeline.words, case=Vocabulary([timeline.words.case.words[case]]))
    count = len(timeline)
    return replace(
        timeline, words=words, case=np.zeros(count, np.int32), supersedes=np.zeros(count, "S1"),
        facts=[],
    )  # fmt: skip


def _settled(moves: Iterable[Finding | Change]) -> _Judged:
    judged: _Judged = {}
    for move in moves:
        if isinstance(move, Finding):
            judged[move.finding_id] = (move, "")
        else:
            judged[move.finding_id] = (judged[move.finding_id][0], move.reason)
    return judged


def _as_it_was(
    engine: Engine, state: CaseState, case: int, timeline: Inputs, received: int
) -> _Judged:
    """What had been found of a case: its events judged by the rulebooks in force when they came.

    What it was corrected to before was judged whole by the rulebook in force at that correction.
    """
    corrected = np.flatnonzero(timeline.supersedes != b"")
    begin = int(timeline.received_at[corrected[-1] if len(corrected) else 0])
    eras = [era for era in engine.past if era.until >= begin]
    inputs, effects = _alone(timeline, case), Effects(kept=np.zeros(len(timeline), bool))
    engines = [*(era.engine() for era in eras), engine]
    flows = Flows(engines[0].district.catalogue, inputs.words) if eras else state.flows
    alone = CaseState(inputs.words, flows, len(engines[0].clocks.bands))
    alone.event_ids, alone.officers = state.event_ids, state.officers
    done = 0
    for era, (mine, follower) in zip(eras, pairwise(engines), strict=True):
        until = int(np.searchsorted(inputs.received_at, era.until, "right"))
        mine.judge_rows(alone, inputs, np.arange(done, until), effects)
        done = until
        follower.adopt_cases(mine, alone, era.until, effects)
    engine.judge_rows(alone, inputs, np.arange(done, len(timeline)), effects)
    engine.tell_clocks(alone, engine.clocks.fire_due(alone, received - 1), effects)
    return _settled(effects.moves)


def _differences(was: _Judged, now: _Judged, since: str) -> list[Finding | Change]:
    moves: list[Finding | Change] = []
    for found, (_, code) in was.items():
        if found not in now and code != "corrected":
            moves.append(Change("corrected", "oriole", since, found))
    for found, (finding, code) in now.items():
        fresh = found not in was or finding != was[found][0]
        if fresh:  # raised now, or raised before with another content
            moves.append(finding)
        if code if fresh else code != was[found][1]:
            moves.append(Change(code, "oriole", since, found))
    return moves


def _adopt(state: CaseState, case: int, alone: CaseState) -> None:
    """The case's state is henceforth that of the corrected timeline."""
    events = int(state.table["events"][case])
    state.table[case] = alone.table[0]
    state.table["events"][case] = events + 1  # what was superseded has been taken all the same
    state.set_due(np.array([case]), alone.next_due[:1])
    for mine, theirs in (
        (state.suspensions, alone.suspensions),
        (state.more_holders, alone.more_holders),
        (state.stamped, alone.stamped),
    ):
        if 0 in theirs:
            mine[case] = theirs[0]  # type: ignore[assignment]
        else:
            mine.pop(case, None)
