"""Hand the state of cases over to another district or rulebook (配置变更; docs/judging.md §8).

What is kept by number (columns of bands, bits, places in a flow) is laid out anew by name. Then
every clock that runs is dated anew; what was raised at an instant that is another now is withdrawn.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from detector.cases import (
    HOLDERS,
    MORE_HOLDERS,
    NOBODY,
    OUT_OF_FLOW,
    CaseState,
    blank_row,
)
from detector.clocks import LIMIT, SUPERSEDED, Clocks, Fired, Move, Moved
from detector.flows import Flows
from detector.instants import ClockBand, variants
from detector.records import Held
from detector.runs import START
from detector.values import ABSENT, DAY_US
from detector.workcalendar import NEVER, WorkCalendar

if TYPE_CHECKING:
    from detector.engine import Engine
    from detector.operators import OperatorState


def hand_over(old: Engine, new: Engine, state: CaseState, at: int) -> list[Move]:
    """Change the state of `old` into one of `new`, and date its clocks anew; what that moves."""
    flows = Flows(new.district.catalogue, state.words)
    table = _laid_out(state.table, old.clocks, new.clocks)
    table["undetermined"] = new.undated.carried(old.undated, table["undetermined"])
    _places(table, state.flows, flows)
    _bits(table, state.flows, flows)
    state.table, state.blank = table, blank_row(len(new.clocks.bands))
    _holders(state, state.flows, flows)
    state.flows = flows
    state.forget_room()
    _suspensions(state, new)
    clocks = new.clocks
    moves = redate_all(clocks, state, at)
    moves += clocks.procedures.redate_all(state, old.clocks.procedures.bands, at)
    clocks.settle_due(state)
    return moves + _covered(old, new, state)


def _laid_out(table: np.ndarray, old: Clocks, new: Clocks) -> np.ndarray:
    """The rows with the columns of the new bands: each as it was, or never yet crossed."""
    names = [[(b.rule_id, b.band.code) for b in clocks.bands] for clocks in (old, new)]
    if names[0] == names[1]:
        return table
    out = np.repeat(blank_row(len(new.bands)), len(table))
    for name in out.dtype.names or ():
        if name not in ("instant", "raised"):
            out[name] = table[name]
    for k, band in enumerate(names[1]):
        if band in names[0]:
            was = names[0].index(band)
            out["instant"][:, k] = table["instant"][:, was]
            out["raised"][:, k] = table["raised"][:, was]
    return out


def _places(table: np.ndarray, old: Flows, new: Flows) -> None:
    """Places in a flow follow their step; one that has left the flow is no place any more."""
    there = old.entries_in(new)
    for name in ("furthest", "held"):
        known = table[f"{name}_place"] >= 0
        entry = there[np.where(known, table[f"{name}_entry"], 0)]
        gone = known & (entry == 0)
        table[f"{name}_entry"] = entry
        table[f"{name}_place"] = np.where(known & ~gone, new.place[entry], -1)
        table[f"{name}_event"][gone] = -1
        if name == "held":
            table["held_from"][gone] = ABSENT
    place = table["decided_place"]
    known = (place >= 0) & (place < OUT_OF_FLOW)
    entry = there[old.entries_at(table["previous_item"], np.where(known, place, -1))]
    now = np.where(entry > 0, new.place[entry], OUT_OF_FLOW)
    table["decided_place"] = np.where(known, now, place)


def _bits(table: np.ndarray, old: Flows, new: Flows) -> None:
    """Bits of an item's steps, documents and fields, by name. What is asked for only since the
    change was not remembered before, and is not asked of a run of events that began before."""
    order = np.argsort(table["previous_item"], kind="stable")
    items = table["previous_item"][order]
    for item in sorted({*old.items(), *new.items()}):
        was, now = old.bits_of(item), new.bits_of(item)
        if was == now:
            continue
        rows = order[np.searchsorted(items, item) : np.searchsorted(items, item, "right")]
        for name, mine, theirs, fresh in (
            ("excused", was[0], now[0], 1), ("worked", was[0], now[0], 0),
            ("filed_documents", was[1], now[1], 1), ("filed_fields", was[2], now[2], 1),
        ):  # fmt: skip
            table[name][rows] = _named(table[name][rows], mine, theirs, fresh)


def _named(bits: np.ndarray, old: list[str], new: list[str], fresh: int) -> np.ndarray:
    out = np.zeros_like(bits)
    for place, name in enumerate(new):
        out |= (((bits >> old.index(name)) & 1) if name in old else fresh) << place
    return out


def _holders(state: CaseState, old: Flows, new: Flows) -> None:
    """Who holds which duty: duties by name; one that no step has any more is forgotten."""
    codes = np.array([new.duties.find(word) for word in old.duties.words], np.int64)
    if (codes == np.arange(len(codes))).all():
        return

    def carried(keys: np.ndarray) -> np.ndarray:
        duty = codes[np.where(keys >= 0, keys >> 32, 0)]
        return np.where((keys >= 0) & (duty >= 0), duty << 32 | (keys & 0xFFFFFFFF), NOBODY)

    table = state.table
    for slot in range(HOLDERS):
        keys = carried(table["holder"][:, slot])
        table["holder"][:, slot] = keys
        table["holder_event"][:, slot] = np.where(keys >= 0, table["holder_event"][:, slot], -1)
    for case, some in list(state.more_holders.items()):
        pairs = [(int(carried(np.array([key]))[0]), ref) for key, ref in some]
        state.more_holders[case] = [(key, ref) for key, ref in pairs if key != NOBODY]
        if not state.more_holders[case]:
            del state.more_holders[case]
            table["flags"][case] &= ~MORE_HOLDERS


def _suspensions(state: CaseState, new: Engine) -> None:
    """Working time at the ends of special procedures, on the new calendar."""
    some = [one for suspensions in state.suspensions.values() for one in suspensions]
    begun = new.calendar.work(np.array([one.begun_at for one in some], np.int64)).tolist()
    ended = new.calendar.work(np.array([max(one.ended_at, 0) for one in some], np.int64)).tolist()
    for one, begin, end in zip(some, begun, ended, strict=True):
        one.begun_work = begin
        if one.ended_work is not None:
            one.ended_work = max(begin, end)


# -- clocks ---------------------------------------------------------------------------------------


def redate_all(clocks: Clocks, state: CaseState, at: int) -> list[Move]:
    """Solve the instants of every clock that runs; withdraw what was raised at another instant."""
    table = state.table
    if not clocks.bands:
        return []
    cases = np.arange(len(table))
    instant, old = table["instant"].copy(), table["raised"].copy()
    lost = np.zeros_like(old, bool)
    for kind, groups in clocks.kinds.items():
        some = np.flatnonzero(running(table, kind))
        row = state.rows(some)
        for group in groups if len(some) else ():
            place = np.ix_(some, np.array(group))
            solved = clocks.solved(state, some, row, kind, group)
            instant[place] = within = clocks.within(state, some, row, kind, solved)
            holds = old[place] == (solved if kind == "step" else within)
            lost[place] = (old[place] != 0) & ~holds
    raised = np.where(lost, 0, old)
    table["instant"], table["raised"] = instant, raised
    some = np.flatnonzero(lost.any(axis=1))
    if not len(some):
        return []
    since = np.full(len(some), at)
    return clocks.withdraw(
        clocks.of_rule, cases[some], old[some], raised[some], lost[some], since, LIMIT
    )


def running(table: np.ndarray, kind: str) -> np.ndarray:
    """Cases in which a clock of this kind runs."""
    if kind == "acceptance":
        return np.asarray((table["wait_from"] != ABSENT) & (table["wait_until"] == NEVER))
    if kind == "issue":
        return np.asarray((table["issue_from"] != ABSENT) & (table["issue_until"] == NEVER))
    return np.asarray(table["close_event"] < 0)


def _covered(old: Engine, new: Engine, state: CaseState) -> list[Move]:
    """What was raised at tier 0 because its year was not covered, and is covered now: raised again
    at its full tier, below what superseded it."""
    moves: list[Move] = []
    raised = state.table["raised"]
    for group in new.clocks.of_rule:
        for place, k in enumerate(group):
            at, band = raised[:, k], new.clocks.bands[k]
            hit = (at != 0) & old.calendar.provisional(at) & ~new.calendar.provisional(at)
            some = _serious(state, np.flatnonzero(hit), band, new.calendar)
            if not len(some):
                continue
            moves.append(Fired(k, some, at[some]))
            higher = raised[some][:, group[place + 1 :]].max(axis=1, initial=0)
            topped = np.flatnonzero(higher)
            if len(topped):
                cases = some[topped]
                moves.append(Moved(k, cases, at[cases], SUPERSEDED, higher[topped]))
    return moves + new.clocks.procedures.covered(state, old.calendar, new.calendar)


def _serious(
    state: CaseState, cases: np.ndarray, band: ClockBand, calendar: WorkCalendar
) -> np.ndarray:
    """Those of the cases for which a band has a tier above 0."""
    row = state.rows(cases)
    some = variants(state, row, row[START[band.clock.kind]], band, calendar) if len(cases) else ()
    loud = [part for one, part in some if band.of(one).band.tier]
    return cases[np.sort(np.concatenate(loud))] if loud else cases[:0]


# -- operators ------------------------------------------------------------------------------------


def hand_over_operators(old: Engine, new: Engine, operators: OperatorState) -> None:
    """Records wait as long as the new district says, and days and bands count as it counts them.

    Nothing is at its ease any more (`Desk.settle`)."""
    waiting, operators.held = operators.held.all(), Held(new.lateness_us)
    for records in waiting:
        operators.held.hold(records)
    was = {(c.rule.id, n): b.code for c in old.operator_rules for n, b in enumerate(c.rule.bands)}
    now = {(c.rule.id, b.code): n for c in new.operator_rules for n, b in enumerate(c.rule.bands)}
    same_days = old.calendar.content() == new.calendar.content()

    @cache
    def of_day(day: int) -> int:
        ordinal, works = new.calendar.workday(new.calendar.zone.utc(day * DAY_US + DAY_US // 2))
        return int(ordinal) if works else -1

    @cache
    def of_ordinal(ordinal: int) -> int:
        return of_day(int(old.calendar.day_of_workday(ordinal)))

    for memory in operators.memory.values():
        if not same_days:
            memory.pace.renumbered(of_ordinal, of_day)
        memory.raised = {
            (rule, burst): (now[rule, was[rule, band]], ids)
            for (rule, burst), (band, ids) in memory.raised.items()
            if (rule, was.get((rule, band))) in now
        }
