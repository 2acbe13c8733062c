"""Clock findings in words: the card of a band that a case, or one of its suspensions, crossed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from detector.cases import IMPORTED, CaseState
from detector.clocks import Clocks, Fired, Move, Moved
from detector.effects import Effects
from detector.explain import Change, Teller
from detector.instants import ClockBand, limit_days, variants
from detector.procedures import Overrun
from detector.rulekit import HOUR
from detector.runs import EVENT, START
from detector.values import ABSENT
from detector.verdict import Finding, finding_id, show_number


class Cards:
    """Tells the moves of the clocks of one rulebook."""

    def __init__(self, teller: Teller, clocks: Clocks) -> None:
        self.teller, self.clocks = teller, clocks

    def tell(self, state: CaseState, moves: Iterable[Move], effects: Effects, floor: int) -> None:
        """Findings and changes of standing, in the order of the moves. What happened before the
        latest event of its case, or before `floor`, is known only since then."""
        latest = state.table["latest_received_at"]
        for move in moves:
            if isinstance(move, Overrun):
                when = move.at if move.code == "" else move.since
                known = [max(when, int(latest[move.case]), floor)]
                effects.tell([self._overrun(state, move)], known, np.array([move.case]))
                continue
            since = move.at if isinstance(move, Fired) else move.since
            known = np.maximum(np.maximum(since, latest[move.case]), floor).tolist()
            if isinstance(move, Moved):
                effects.tell(self._moved(state, move), known, move.case)
                continue
            for findings, some in self._fired(state, move):
                effects.tell(findings, [known[n] for n in some.tolist()], move.case[some])

    def _fired(self, state: CaseState, fired: Fired) -> Iterator[tuple[list[Finding], np.ndarray]]:
        whole = self.clocks.bands[fired.band]
        row, kind = state.rows(fired.case), whole.clock.kind
        calendar = self.teller.calendar
        for one, some in variants(state, row, row[START[kind]], whole, calendar):
            band, at, mine = whole.of(one), fired.at[some], row.take(some)
            causes: list[list[str | int]] = [[i, band.band.code] for i in at.tolist()]
            yield self._cards(
                state, band, fired.case[some], at, mine[EVENT[kind]],
                self._limits(state, mine, band), self._evidence(state, mine, band), causes,
            ), some  # fmt: skip

    def _limits(self, state: CaseState, row: np.ndarray, band: ClockBand) -> list[int | None]:
        """The limit that each finding states; None where an instant or a share stands for it."""
        if band.clock.kind == "case":
            by_due = (row["due_at"] != ABSENT) if band.clock.due else np.zeros(len(row), bool)
            days = limit_days(state, row, band.clock).tolist()
            return [None if due else day for due, day in zip(by_due.tolist(), days, strict=True)]
        return [None if band.clock.kind == "step" else band.days] * len(row)

    def _evidence(self, state: CaseState, row: np.ndarray, band: ClockBand) -> dict[str, list[Any]]:
        start = self.teller.stamps(row[START[band.clock.kind]])
        told: dict[str, list[Any]] = {"start_at": start, "accept_occurred_at": start}
        if band.clock.kind == "step":
            entry = row["held_entry"]
            told["held_step"] = state.words.step.texts(state.flows.next_step[entry])
            hours = state.flows.next_limit[entry].tolist()
            told["limit_hours"] = [show_number(us, HOUR) for us in hours]
        return told

    def _cards(
        self, state: CaseState, band: ClockBand, cases: np.ndarray, at: np.ndarray,
        refs: np.ndarray, limits: list[int | None], told: dict[str, list[Any]],
        causes: list[list[str | int]],
    ) -> list[Finding]:  # fmt: skip
        """Findings of one band over cases that crossed it at these instants."""
        assert band.configured is not None
        configured = band.configured
        rule, words, row = configured.rule, state.words, state.rows(cases)
        number = [b.code for b in rule.bands].index(band.band.code)
        names, items = words.case.texts(cases), words.item.texts(row["accept_item"])
        departments = words.department.texts(row["accept_department"])
        events, stamps = state.event_ids.texts(refs), self.teller.stamps(at)
        provisional = self.teller.calendar.provisional(at).tolist()
        imported = ((row["flags"] & IMPORTED) != 0).tolist()
        days = self.teller.calendar.day(at).tolist()
        told = told | {"at": stamps, "limit_days": limits, "provisional": provisional}
        shares = rule.unit == "share"
        value = round(band.band.share * 1_000) if shares else int(band.band.edge)
        findings = []
        for n, case in enumerate(names):
            muted = "imported" if imported[n] and "imported" in rule.mutes else None
            muted = muted or configured.hushed(items[n], departments[n], None, days[n])
            findings.append(
                self.teller.finding(
                    configured, number, "case", str(case), causes[n], stamps[n], value, limits[n],
                    (events[n],), {name: told[name][n] for name in rule.evidence}, muted,
                    {"case_id": case, "item": items[n], "department": departments[n]},
                    min(band.band.tier or 0, 0) if provisional[n] else band.band.tier,
                )
            )  # fmt: skip
        return findings

    def _moved(self, state: CaseState, moved: Moved) -> list[Change]:
        band, since = self.clocks.bands[moved.band], self.teller.stamps(moved.since)
        cases = map(str, state.words.case.texts(moved.case))
        return [
            self._change(band, case, [at, band.band.code], moved.code, since[n])
            for n, (case, at) in enumerate(zip(cases, moved.at.tolist(), strict=True))
        ]

    def _change(
        self, band: ClockBand, case: str, cause: list[str | int], code: str | None, since: str
    ) -> Change:
        return Change(code or "", "oriole", since, finding_id(band.rule_id, "case", case, cause))

    def _overrun(self, state: CaseState, move: Overrun) -> Finding | Change:
        """The card of one suspension, or its change of standing."""
        procedures, begun = self.clocks.procedures, np.array([move.begun_at])
        mine = procedures.bands_of(state, move.case, move.begun_at) or procedures.bands
        band = mine[move.band]
        [event] = state.event_ids.texts(np.array([move.event]))
        cause: list[str | int] = [move.at, band.band.code, event]
        if move.code != "":
            since = self.teller.stamps(np.array([move.since]))[0]
            case = str(state.words.case.words[move.case])
            return self._change(band, case, cause, move.code, since)
        start = self.teller.stamps(begun)
        names = state.words.other.texts(np.array([move.procedure]))
        told: dict[str, list[Any]] = {"start_at": start, "procedure": names}
        where, refs = np.array([move.case]), np.array([move.event])
        limits: list[int | None] = [move.days]
        at = np.array([move.at])
        return self._cards(state, band, where, at, refs, limits, told, [cause])[0]
