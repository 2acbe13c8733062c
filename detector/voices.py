"""Complaints and consultations (投诉 咨询): clocks that run from the day of one to its answer."""

from __future__ import annotations

from collections.abc import Sequence

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
            if band.tier is not None
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
        solved = [int(self.solver.after(np.array([begun]), b)[0]) for b in self.bands]
        due = [(at, k) for k, at in enumerate(solved) if at < answered]
        if due:
            held[name] = Voice(told["department"], begun, answered, solved, [False] * len(solved))
        return [], due

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
        """Once it is answered and nothing more can fire it need not be remembered."""
        voice = held[name]
        pairs = zip(voice.instants, voice.raised, strict=True)
        if voice.answered_at != NEVER and all(r or at >= voice.answered_at for at, r in pairs):
            del held[name]

    def _group(self, k: int) -> list[int]:
        return [j for j, b in enumerate(self.bands) if b.rule == self.bands[k].rule]

    def _change(self, code: str, since: str, voice: Voice, name: str, k: int) -> Change:
        band = self.bands[k]
        cause: list[str | int] = [voice.instants[k], band.band.code]
        return Change(code, ACTOR, since, finding_id(band.rule_id, self.kind, name, cause))

    def _card(self, voice: Voice, name: str, k: int) -> Finding:
        band, at = self.bands[k], voice.instants[k]
        configured = self.rules[band.rule]
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
