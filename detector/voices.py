"""Complaints and consultations (投诉 咨询): clocks that run from the day of one to its answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec
import numpy as np

from detector.evaluate import Undetermined
from detector.event import Fact
from detector.explain import Change, Teller
from detector.instants import ClockBand, Solver
from detector.shelf import Configured
from detector.subjects import ACTOR, Said, once, subjects_of
from detector.values import ABSENT, DAY_US
from detector.verdict import Finding, finding_id
from detector.workcalendar import NEVER, WorkCalendar

KINDS = ("complaint", "consultation")
Told = list[Finding | Change | Undetermined]


class Voice(msgspec.Struct):
    """One complaint or consultation that may still come to something."""

    department: str
    begun_at: int
    answered_at: int  # NEVER while it is not answered
    instants: list[int]  # of each band of the kind's rules
    raised: list[bool]


class Voices:
    """The clocks of one kind of voice by the rules of a rulebook."""

    def __init__(
        self, kind: str, rules: Sequence[Configured], calendar: WorkCalendar, teller: Teller
    ) -> None:
        self.kind, self.rules = kind, rules
        self.calendar, self.teller, self.solver = calendar, teller, Solver(calendar)
        self.bands = [
            ClockBand(n, c.rule.id, band, c.rule.clock, c)
            for n, c in enumerate(rules)
            if c.rule.clock is not None
            for band in c.rule.bands
            if any(b.code == band.code for b in c.raising)
        ]

    def enter(self, held: dict[str, Voice], fact: Fact) -> tuple[Told, list[tuple[int, int]]]:
        """Take up a voice or its answer: what that tells, and (instant, band) of clocks that now
        run."""
        name, told = fact.fields["fact_id"], fact.fields
        answered = told.get("answered_on", ABSENT)
        answered = NEVER if answered in (ABSENT, None) else answered
        voice = held.get(name)
        if voice is not None:
            return self._answer(held, name, answered, fact.received_at), []
        begun = self._begin(told["received_on"])
        voice = Voice(told["department"], begun, answered, [], [False] * len(self.bands))
        voice.instants, held[name] = self._solved(voice), voice
        self._forget(held, name)
        return [], self._due(voice)

    def _due(self, voice: Voice) -> list[tuple[int, int]]:
        pairs = enumerate(zip(voice.instants, voice.raised, strict=True))
        return [(at, k) for k, (at, done) in pairs if not done and at < voice.answered_at]

    def _solved(self, voice: Voice) -> list[int]:
        begun = np.array([voice.begun_at])
        return [
            NEVER if band is None else int(self.solver.after(begun, band)[0])
            for band in map(partial(self._band_of, voice), range(len(self.bands)))
        ]

    def _band_of(self, voice: Voice, k: int) -> ClockBand | None:
        """A band as it is set for a voice, by its department, on the day on which its clock began;
        None where it raises nothing."""
        band, day = self.bands[k], int(self.calendar.day(voice.begun_at))
        configured = self.rules[band.rule].meets(None, voice.department, None, day)
        mine = None if configured is None else band.of(configured)
        return mine if mine is not None and mine.band.tier is not None else None

    def take_over(
        self, held: dict[str, Voice], before: Voices, upto: int
    ) -> tuple[Told, list[tuple[int, str, int]]]:
        """Date the voices anew that others held up to an instant, and are not answered: what that
        tells, and (instant, voice, band) of clocks that now run."""
        columns = {(b.rule_id, b.band.code): k for k, b in enumerate(before.bands)}
        was = [columns.get((b.rule_id, b.band.code)) for b in self.bands]
        told, due = Told(), list[tuple[int, str, int]]()
        for name in list(held):
            voice = held[name]
            voice.instants = [NEVER if k is None else voice.instants[k] for k in was]
            voice.raised = [False if k is None else voice.raised[k] for k in was]
            if voice.answered_at == NEVER:
                told += self._redate(voice, name, upto)
            told += self._covered(voice, name, before.calendar)
            self._forget(held, name)
            due += [(at, name, k) for at, k in self._due(voice)]
        return told, due

    def _redate(self, voice: Voice, name: str, at: int) -> Told:
        solved, told = self._solved(voice), Told()
        since = self.teller.stamps(np.array([at]))[0]
        for number in range(len(self.rules)):
            group = [k for k, b in enumerate(self.bands) if b.rule == number and voice.raised[k]]
            lost = [k for k in group if voice.instants[k] != solved[k]]
            told += [self._change("limit_changed", since, voice, name, k) for k in lost]
            for k in lost:
                voice.raised[k] = False
            left = [k for k in group if k not in lost]
            if lost and left and left[-1] < lost[-1]:
                told.append(self._change("", since, voice, name, left[-1]))
        voice.instants = solved
        return told

    def _covered(self, voice: Voice, name: str, before: WorkCalendar) -> Told:
        """Cards of a year that is covered only now are raised again, with their full tier."""
        told = Told()
        for k, at in enumerate(voice.instants):
            covered = before.provisional(at) and not self.calendar.provisional(at)
            if not voice.raised[k] or not covered or self._band_of(voice, k) is None:
                continue
            told.append(self._card(voice, name, k))
            above = [voice.instants[j] for j in self._group(k) if j > k and voice.raised[j]]
            if above:
                since = self.teller.stamps(np.array([min(above)]))[0]
                told.append(self._change("superseded", since, voice, name, k))
        return told

    def _begin(self, received_on: int) -> int:
        """A day stands for its end: the first instant of the next."""
        zone = self.calendar.zone
        local = int(zone.local(received_on))
        return received_on if local % DAY_US else int(zone.utc(local + DAY_US))

    def fire(self, held: dict[str, Voice], name: str, k: int, said: Said) -> Told:
        """A band's instant has come."""
        voice = held.get(name)
        if voice is None or voice.instants[k] >= voice.answered_at:
            return []
        at = voice.instants[k]
        try:
            found = self._card(voice, name, k)
        except Exception as fault:  # a rule at fault is said for its subject
            return self._fault(voice, name, k, fault, said)
        voice.raised[k] = True
        told: Told = [found]
        since = self.teller.stamps(np.array([at]))[0]
        below = [j for j in self._group(k) if j < k and voice.raised[j]]
        told += [self._change("superseded", since, voice, name, j) for j in below[-1:]]
        self._forget(held, name)
        return told

    def _answer(self, held: dict[str, Voice], name: str, answered: int, received: int) -> Told:
        """Bands that the answer forestalled are withdrawn, and what they hid stands again."""
        voice = held[name]
        voice.answered_at = answered
        since, told = self.teller.stamps(np.array([received]))[0], Told()
        for number in range(len(self.rules)):
            group = [k for k, b in enumerate(self.bands) if b.rule == number and voice.raised[k]]
            lost = [k for k in group if voice.instants[k] >= answered]
            for k in lost:
                voice.raised[k] = False
                told.append(self._change("closed_in_time", since, voice, name, k))
            left = group[: len(group) - len(lost)]
            if lost and left:
                told.append(self._change("", since, voice, name, left[-1]))
        self._forget(held, name)
        return told

    def _forget(self, held: dict[str, Voice], name: str) -> None:
        """Once it is answered and nothing more can fire it need not be remembered, but for cards
        that wait for a calendar."""
        voice = held[name]
        pairs = list(zip(voice.instants, voice.raised, strict=True))
        waits = any(r and self.calendar.provisional(at) for at, r in pairs)
        if voice.answered_at != NEVER and not waits and not self._due(voice):
            del held[name]

    def _group(self, k: int) -> list[int]:
        return [j for j, b in enumerate(self.bands) if b.rule == self.bands[k].rule]

    def _change(self, code: str, since: str, voice: Voice, name: str, k: int) -> Change:
        band = self.bands[k]
        cause: list[str | int] = [voice.instants[k], band.band.code]
        return Change(code, ACTOR, since, finding_id(band.rule_id, self.kind, name, cause))

    def _card(self, voice: Voice, name: str, k: int) -> Finding:
        band, at = self._band_of(voice, k), voice.instants[k]
        assert band is not None and band.configured is not None, "it had an instant"
        configured = band.configured
        stamps = self.teller.stamps(np.array([at, voice.begun_at]))
        provisional = bool(self.calendar.provisional(at))
        told = {
            "start_at": stamps[1], "at": stamps[0], "limit_days": band.days,
            "provisional": provisional,
        }  # fmt: skip
        muted = configured.hushed(None, voice.department, None, int(self.calendar.day(at)))
        tier = band.band.tier or 0
        return self.teller.finding(
            configured, configured.rule.bands.index(band.band), self.kind, name,
            [at, band.band.code], stamps[0], int(band.band.edge), band.days, (),
            {n: told[n] for n in configured.rule.evidence}, muted,
            {"department": voice.department}, min(tier, 0) if provisional else tier,
        )  # fmt: skip

    def _fault(self, voice: Voice, name: str, k: int, fault: Exception, said: Said) -> Told:
        row = {"subject": name, "department": voice.department, "at": voice.instants[k]}
        reason = f"rule_error: {type(fault).__name__}"
        source = subjects_of(self.kind, [row])
        unknown = Undetermined(self.bands[k].rule_id, reason, "subject", source, np.zeros(1, int))
        return list(once(unknown, [name], said))
