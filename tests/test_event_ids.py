"""Ids of events under their references: what is still referred to keeps its text, however slowly
the rows are gone through and whatever happens between; what is not is forgotten."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
from bridge import engine_of
from streams import random_stream

from detector.cases import EVENT_REFS, SWEPT_A_ROW, SWEPT_LEAST, CaseState, Suspension
from detector.event_ids import EventIds, Sweep


def cases_of(many: int) -> CaseState:
    """So many cases of which nothing is known."""
    how, _ = random_stream(random.Random(1))
    state = engine_of(how).new_state().cases
    state.words.case.encode([f"c{n}" for n in range(many)])
    state.make_room()
    return state


def told_of(state: CaseState) -> list[list[str]]:
    """What each case refers to."""
    told = []
    for case, row in enumerate(state.table):
        refs = [int(row[name]) for name in EVENT_REFS] + row["holder_event"].tolist()
        refs += [ref for _, ref in state.more_holders.get(case, ())]
        refs += [one.event for one in state.suspensions.get(case, ())]
        told.append(state.event_ids.texts(np.array([r for r in refs if r >= 0], np.int64)))
    return told


def live(seed: int, slow: int, compact: Callable[[CaseState], None]) -> tuple[int, int]:
    """Cases that get new events, move what they refer to within themselves and forget it, each
    with a plain list beside it; ids held at the end, and ids that were given."""
    chance, state = random.Random(seed), cases_of(40)
    state._compact_at, given = 1, 0
    for _ in range(slow):
        for case in chance.sample(range(40), 5):
            text = f"e{given}" + "x" * chance.choice((0, 0, 30))
            [ref] = state.event_ids.add(np.array([text.encode()])).tolist()
            given += 1
            row, place = state.table[case : case + 1], chance.choice(EVENT_REFS)
            former = int(row[place][0])
            row[place] = ref
            match chance.randrange(5):
                case 0:
                    row[chance.choice(EVENT_REFS)] = former
                case 1:
                    row["holder_event"][0, chance.randrange(4)] = former
                case 2 if former >= 0:
                    state.more_holders[case] = [(7, former)]
                case 3 if former >= 0:
                    state.suspensions[case] = [Suspension(0, 0, 1, 0, 0, former)]
                case 4:
                    row[chance.choice(EVENT_REFS)] = -1
                    for beside in (state.more_holders, state.suspensions):
                        beside.pop(case, None)
        before = told_of(state)
        compact(state)
        assert told_of(state) == before
        state._compact_at = 1
    return state.event_ids.count, given


@pytest.mark.parametrize("least", [1, 7, 512])
def test_what_is_referred_to_keeps_its_text_and_the_rest_is_forgotten(monkeypatch, least):
    monkeypatch.setattr("detector.cases.SWEPT_LEAST", least)
    for seed in range(10):
        held, given = live(seed, 120, lambda state: state.compact(0))
        assert given == 600
        assert held < 480, "something was forgotten"


class Forgetful(EventIds):
    """Forgets what came while a sweep went on."""

    def keep(self, sweep: Sweep) -> None:
        self._new = min(self._new, sweep.upto - self._held.first + 1)
        super().keep(sweep)


class OnlyRows(CaseState):
    """Does not look at what is referred to beside rows."""

    def _refs_beside(self, cases):
        return iter(())


@pytest.mark.parametrize("broken", [Forgetful, OnlyRows])
def test_broken_sweeps_are_found(monkeypatch, broken):
    monkeypatch.setattr("detector.cases.SWEPT_LEAST", 7)

    def compact(state: CaseState) -> None:
        if broken is Forgetful:
            state.event_ids.__class__ = Forgetful
        else:
            state.__class__ = OnlyRows
        state.compact(0)

    with pytest.raises((KeyError, AssertionError, IndexError)):
        for seed in range(10):
            live(seed, 120, compact)


def test_no_batch_waits_for_more_cases_than_it_has_events():
    """A sweep goes on by twice as many cases as the batch has events."""
    state = cases_of(5 * SWEPT_LEAST)
    refs = state.event_ids.add(np.array([b"e%d" % n for n in range(len(state.table))]))
    state.table["previous_event"] = refs
    state.event_ids.add(np.array([b"gone"]))
    state._compact_at = 1
    rows = []
    for events in (1, SWEPT_LEAST, 1, 1):
        state.compact(events)
        rows.append(state._sweep.row if state._sweep else None)
    assert rows == [SWEPT_LEAST, (1 + SWEPT_A_ROW) * SWEPT_LEAST, 4 * SWEPT_LEAST, None]
    assert state.event_ids.count == len(state.table)
    assert state.event_ids.texts(refs[[0, -1]]) == ["e0", f"e{len(refs) - 1}"]


def test_a_forgotten_id_has_no_text():
    ids = EventIds()
    refs = ids.add(np.array([b"a", b"b"]))
    sweep = Sweep(ids, 0)
    sweep.meet(refs[:1])
    ids.keep(sweep)
    assert ids.texts(refs[:1]) == ["a"]
    assert ids.spelled(refs) is None
    with pytest.raises(KeyError):
        ids.texts(refs[1:])


def test_what_was_kept_is_restored():
    ids = EventIds()
    refs = ids.add(np.array([b"a", b"b", b"a-long-id-of-more-than-16"]))
    sweep = Sweep(ids, 0)
    sweep.meet(refs[1:])
    ids.keep(sweep)
    refs = np.append(refs[1:], ids.add(np.array([b"c"])))
    again = EventIds()
    again.restore({name: column.copy() for name, column in ids.columns().items()})
    more = again.add(np.array([b"d"]))
    told = again.texts(np.append(refs, more))
    assert told == ["b", "a-long-id-of-more-than-16", "c", "d"]
    assert (again.count, again.next) == (4, 5)
