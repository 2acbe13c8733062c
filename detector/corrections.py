"""Corrections (更正): judge a case again from its timeline, without the event that was superseded.

Both timelines, with and without, are judged by the same engine on a state that holds the corrected
cases alone; what differs between them is withdrawn, raised, or stands again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from detector.cases import CaseState
from detector.columns import Inputs, Vocabulary, join
from detector.effects import Effects
from detector.evaluate import Undetermined
from detector.explain import Change
from detector.fines import corrected_fines
from detector.flows import Flows
from detector.learning.observed import Observed, joined
from detector.learning.retold import retold
from detector.sources import OneStamp
from detector.turns import Turns
from detector.verdict import Finding

if TYPE_CHECKING:
    from detector.engine import Engine

ALONE = -1  # rows of cases that may outgrow the limit
_Judged = dict[str, tuple[Finding, str]]  # id → finding and the code of its standing, "" stands


def judge_in_turns(
    engine: Engine, state: CaseState, batch: Inputs, turn: np.ndarray, effects: Effects,
    timelines: Mapping[int, Inputs],
) -> None:  # fmt: skip
    """Judge a batch that corrects cases or overfills them, in the turns of `turns_of`."""
    alone = np.flatnonzero(turn == ALONE)
    for number in range(int(turn.max(initial=0)) + 1):
        rows = np.flatnonzero(turn == number)
        if number % 2:
            _correct(engine, state, batch, rows, effects, timelines)
        else:
            engine.judge_new(state, batch, rows, effects)
    for row in alone.tolist():
        one = np.array([row])
        if batch.supersedes[row]:
            _correct(engine, state, batch, one, effects, timelines)
        elif len(_admitted(engine, state, batch, one, np.ones(1, bool), effects)):
            engine.judge_rows(state, batch, one, effects)
    state.note_events(state.table["events"][batch.case[turn != 0]])


def turns_of(batch: Inputs, overfull: np.ndarray | None) -> np.ndarray | None:
    """When each row is judged: with the others of an even turn, or, where it corrects its case,
    with other corrections in an odd one; `ALONE`: by itself, after all. None: all in the first."""
    corrects = batch.supersedes != b""
    if not corrects.any() and overfull is None:
        return None
    turn = np.zeros(len(batch), np.int64)
    rows = np.flatnonzero(np.isin(batch.case, np.unique(batch.case[corrects])))
    rows = rows[np.argsort(batch.case[rows], kind="stable")]
    case, here = batch.case[rows], corrects[rows]
    before = np.cumsum(here) - here
    number = before - before[np.searchsorted(case, case)]  # corrections of the case before it
    turn[rows] = 2 * number + here
    if overfull is not None:
        turn[overfull] = ALONE
    return turn


def _admitted(
    engine: Engine, state: CaseState, batch: Inputs, rows: np.ndarray, named: np.ndarray,
    effects: Effects,
) -> np.ndarray:  # fmt: skip
    """The places of those rows, each of another case, that are to be judged; of the others it is
    said why not. `named`: does it supersede an event that stands, if any."""
    mine, limit = batch.take(rows), engine.district.limits.case_events_max
    keys, full = mine.event_key(), state.table["events"][mine.case] >= limit
    first, equal = state.seen.add(keys, mine.content)
    good = []
    for n, row in enumerate(rows.tolist()):
        known, key = not first[n], keys[n : n + 1]
        if equal[n] or (known and state.seen.had(int(key[0]), int(mine.content[n]))):
            effects.duplicates += 1
        elif known and mine.supersedes[n] != mine.event_id[n]:
            effects.refused.append((row, "event_id", "conflicting_duplicate"))
        elif not named[n] or full[n]:
            if not known:
                state.seen.void(key)
            fault = ("case_id", f"case_events_max: the case has {limit} events")
            if not named[n]:
                fault = ("supersedes", "names no event of this case")
            effects.refused.append((row, *fault))
        else:
            state.seen.replace(key, mine.content[n : n + 1])
            good.append(n)
    return np.array(good, np.int64)


@dataclass
class _Timelines:
    """Events of several cases that stand, each case's in order, one behind the other."""

    inputs: Inputs
    of: np.ndarray  # number of the case of each
    place: np.ndarray  # of each: where what it corrects stood, else where it stands itself

    def take(self, rows: np.ndarray) -> _Timelines:
        """These rows."""
        return _Timelines(self.inputs.take(rows), self.of[rows], self.place[rows])

    def sorted(self) -> _Timelines:
        """Each case's rows together, in the order in which they stand."""
        return self.take(np.argsort(self.of, kind="stable"))

    def where(self, rows: np.ndarray) -> _Timelines:
        """These rows (a mask)."""
        return self if rows.all() else self.take(rows)


def _timelines(
    batch: Inputs, rows: np.ndarray, effects: Effects, timelines: Mapping[int, Inputs]
) -> _Timelines:
    """What stands of the cases of these rows before them, numbered as the rows are."""
    cases = batch.case[rows]
    here = np.flatnonzero(effects.kept & np.isin(batch.case, cases))
    known = [timelines[case] for case in cases.tolist() if case in timelines]
    inputs = join([*known, batch.take(here)])
    order = np.argsort(cases)
    of = order[np.searchsorted(cases, inputs.case, sorter=order)]
    told = _Timelines(inputs, of, np.zeros(len(of), np.int64)).sorted()
    told.place = np.arange(len(of))
    stands = np.ones(len(told.of), bool)
    for row in np.flatnonzero(told.inputs.supersedes != b"").tolist():
        begin = int(np.searchsorted(told.of, told.of[row]))
        wrong = told.inputs.event_id[begin:row] == told.inputs.supersedes[row]
        wrong &= stands[begin:row]
        told.place[row] = told.place[begin:row][wrong].max(initial=0)
        stands[begin:row] &= ~wrong
    return told.where(stands)


def _correct(
    engine: Engine, state: CaseState, batch: Inputs, rows: np.ndarray, effects: Effects,
    timelines: Mapping[int, Inputs],
) -> None:  # fmt: skip
    """Take corrections, each of another case: judge their cases anew, together."""
    old = _timelines(batch, rows, effects, timelines)
    wrong = old.inputs.event_id == batch.supersedes[rows][old.of]
    named = np.bincount(old.of[wrong], minlength=len(rows)) > 0
    good = _admitted(engine, state, batch, rows, named, effects)
    if not len(good):
        return
    if len(good) < len(rows):
        number = np.full(len(rows), -1)
        number[good] = np.arange(len(good))
        of, rows = number[old.of], rows[good]
        old, wrong = replace(old, of=of).where(of >= 0), wrong[of >= 0]
    mine, cases, received = batch.take(rows), batch.case[rows], batch.received_at[rows]
    engine.fire(state, cases, received, effects)
    stays = old.where(~wrong)
    places = np.empty(len(rows), np.int64)
    places[old.of[wrong]] = old.place[wrong]
    new = _Timelines(
        join([stays.inputs, mine]), np.append(stays.of, np.arange(len(rows))),
        np.append(stays.place, places),
    ).sorted()  # fmt: skip
    told = _judge_beside(engine, state, cases, old, new, received)
    was, now = _as_it_was(engine, state, cases, old, received, told), told.now
    stamps = engine.teller.stamps(received)
    names = list(map(str, batch.words.case.texts(cases)))
    since = dict(zip(names, stamps, strict=True))
    known = dict(zip(names, received.tolist(), strict=True))
    effects.tell(*_differences(was, now, since, known))
    if engine.learn_desk is not None:
        effects.observed.append(_retold(told.observed, new, cases, mine))
    effects.undetermined += told.undetermined
    effects.handed.stamped += told.stamped
    effects.kept[rows] = True
    effects.accepted += len(rows)
    _adopt(state, cases, told.alone)
    engine.hand_on(state, mine, effects)
    gone = old.where(wrong)
    fined = np.unique(np.append(gone.of[gone.inputs.fine > 0], np.flatnonzero(mine.fine > 0)))
    for n in fined.tolist():
        its = gone.inputs.take(gone.of == n)
        effects.handed.fines += corrected_fines(mine.take(np.array([n])), its)


@dataclass
class _Beside:
    """Cases as they were and as they are, judged beside each other."""

    was: _Judged
    now: _Judged
    alone: CaseState  # of the k-th case as it is in row k; those as they were come behind
    observed: list[Observed]
    undetermined: list[Undetermined]  # of the last event of each as it is, as all that follows
    stamped: list[OneStamp]


def _judge_beside(
    engine: Engine, state: CaseState, cases: np.ndarray, old: _Timelines, new: _Timelines,
    received: np.ndarray,
) -> _Beside:  # fmt: skip
    """Judge both timelines of cases by the engine in force, each case up to an instant. A round of
    few rows costs what a round of one does, so they go side by side."""
    many = len(cases)
    last = np.append(new.of[1:] != new.of[:-1], True)
    parts = (old.inputs, old.of + many), *((new.inputs.take(k), new.of[k]) for k in (~last, last))
    of = np.concatenate([of for _, of in parts])
    inputs = _alone(join([events for events, _ in parts]), of, np.append(cases, cases))
    alone = _state(engine, state, inputs, state.flows)
    told, begins = Effects(kept=np.zeros(len(inputs), bool), about=[]), len(inputs) - many
    early = 0  # moves before the last events

    def rounds() -> Iterator[np.ndarray]:
        nonlocal early
        *before, final = Turns(inputs.case[:begins])  # in which are only cases as they were
        yield from before
        alone.table["undetermined"][:many] = state.table["undetermined"][cases]  # said once
        early = len(told.moves)
        yield np.append(final, np.arange(begins, len(inputs)))

    _, stamped = engine.judge_again(alone, inputs, np.arange(len(inputs)), told, rounds())
    _fire(engine, alone, np.append(received, received), told)
    was, now, behind = list[Finding | Change](), list[Finding | Change](), list[Finding | Change]()
    for n, (move, (case, row)) in enumerate(zip(told.moves, told.about or (), strict=True)):
        late = n >= early if row < 0 else row >= begins
        (was if case >= many else behind if late else now).append(move)
    return _Beside(
        _settled(was), _settled(now + behind), alone, told.observed,
        [replace(u, rows=u.rows[u.rows >= begins]) for u in told.undetermined
         if (u.rows >= begins).any()],
        [one for row, one in stamped if row >= begins],
    )  # fmt: skip


def _retold(observed: list[Observed], new: _Timelines, cases: np.ndarray, mine: Inputs) -> Observed:
    """Corrections for who learns. `observed`: the cases as they were and as they are, those of one
    batch, by number."""
    told, many = joined(observed), len(cases)
    told = told.take(np.argsort(told.case, kind="stable"))
    now, was = told.take(told.case < many), told.take(told.case >= many)
    now = now.take(np.lexsort((new.place, new.of)))
    was = replace(was, words=mine.words, case=cases[was.case - many])
    return retold(was, replace(now, words=mine.words, case=cases[now.case]), mine)


def _alone(inputs: Inputs, of: np.ndarray, cases: np.ndarray) -> Inputs:
    """Events as those of the only cases there are, corrections done. `of`: the number of the case
    of each among these."""
    names = (inputs.words.case.words[case] for case in cases.tolist())
    return replace(
        inputs, words=replace(inputs.words, case=Vocabulary(names)), case=of.astype(np.int32),
        supersedes=np.zeros(len(of), "S1"), facts=[],
    )  # fmt: skip


def _state(engine: Engine, state: CaseState, inputs: Inputs, flows: Flows) -> CaseState:
    """The state before any input of these cases alone."""
    alone = CaseState(inputs.words, flows, len(engine.clocks.bands))
    alone.event_ids, alone.officers = state.event_ids, state.officers
    alone.make_room()
    return alone


def _fire(engine: Engine, alone: CaseState, received: np.ndarray, effects: Effects) -> None:
    """Raise what each case's clocks have crossed before an instant."""
    engine.fire(alone, np.arange(len(received)), received, effects)


def _settled(moves: Iterable[Finding | Change]) -> _Judged:
    judged: _Judged = {}
    for move in moves:
        if isinstance(move, Finding):
            judged[move.finding_id] = (move, "")
        else:
            judged[move.finding_id] = (judged[move.finding_id][0], move.reason)
    return judged


def _as_it_was(
    engine: Engine, state: CaseState, cases: np.ndarray, old: _Timelines, received: np.ndarray,
    told: _Beside,
) -> _Judged:  # fmt: skip
    """What had been found of cases: their events judged by the rulebooks in force when they came.

    What a case was corrected to was judged whole by the rulebook in force at that correction.
    """
    if not engine.past:
        return told.was
    begins = _begins(old)
    eras = np.array([sum(e.until >= begin for e in engine.past) for begin in begins.tolist()])
    names = set(map(str, state.words.case.texts(cases[eras == 0])))
    was = {found: one for found, one in told.was.items() if one[0].subject in names}
    for past in np.unique(eras[eras > 0]).tolist():
        some = np.flatnonzero(eras == past)
        rows = eras[old.of] == past
        mine = replace(old, of=np.searchsorted(some, old.of)).where(rows)
        was |= _settled(_judged_by(engine, past, state, cases[some], mine, received[some]).moves)
    return was


def _begins(timelines: _Timelines) -> np.ndarray:
    """From when on each case was judged by the rulebook of the day: when it was corrected last,
    else its first event."""
    of, inputs = timelines.of, timelines.inputs
    begin = np.searchsorted(of, np.arange(int(of[-1]) + 1))
    corrected = np.flatnonzero(inputs.supersedes != b"")
    begin[of[corrected]] = corrected  # of several the last
    return inputs.received_at[begin]


def _judged_by(
    engine: Engine, past: int, state: CaseState, cases: np.ndarray, timelines: _Timelines,
    received: np.ndarray,
) -> Effects:  # fmt: skip
    """What this engine and so many before it have found of cases, one after the other."""
    eras = engine.past[len(engine.past) - past :]
    inputs = _alone(timelines.inputs, timelines.of, cases)
    effects = Effects(kept=np.zeros(len(inputs), bool))
    engines = [*(era.engine() for era in eras), engine]
    flows = Flows(engines[0].district.catalogue, inputs.words) if eras else state.flows
    alone = _state(engines[0], state, inputs, flows)
    done = np.zeros(len(inputs), bool)
    for era, (mine, follower) in zip(eras, pairwise(engines), strict=True):
        came = ~done & (inputs.received_at <= era.until)
        mine.judge_again(alone, inputs, np.flatnonzero(came), effects)
        done |= came
        follower.adopt_cases(mine, alone, era.until, effects)
    engine.judge_again(alone, inputs, np.flatnonzero(~done), effects)
    _fire(engine, alone, received, effects)
    return effects


def _differences(
    was: _Judged, now: _Judged, since: Mapping[str, str], at: Mapping[str, int]
) -> tuple[list[Finding | Change], list[int]]:
    """What corrections change, and since when each is known; `since` and `at`: when, by case."""
    moves: list[Finding | Change] = []
    known: list[int] = []
    for found, (finding, code) in was.items():
        if found not in now and code != "corrected":
            moves.append(Change("corrected", "oriole", since[finding.subject], found))
            known.append(at[finding.subject])
    for found, (finding, code) in now.items():
        fresh = found not in was or finding != was[found][0]
        if fresh:  # raised now, or raised before with another content
            moves.append(finding)
        if code if fresh else code != was[found][1]:
            moves.append(Change(code, "oriole", since[finding.subject], found))
        known += [at[finding.subject]] * (len(moves) - len(known))
    return moves, known


def _adopt(state: CaseState, cases: np.ndarray, alone: CaseState) -> None:
    """The state of the cases is henceforth that of the corrected timelines."""
    events = state.table["events"][cases]
    state.table[cases] = alone.table[: len(cases)]
    state.table["events"][cases] = events + 1  # what was superseded has been taken all the same
    state.set_due(cases, alone.next_due[: len(cases)])
    for mine, theirs in (
        (state.suspensions, alone.suspensions),
        (state.more_holders, alone.more_holders),
        (state.stamped, alone.stamped),
    ):
        for number, case in enumerate(cases.tolist()):
            if number in theirs:
                mine[case] = theirs[number]  # type: ignore[assignment]
            else:
                mine.pop(case, None)
