"""The events of one case that stand, judged one after the other, and what they raised."""

from __future__ import annotations

from typing import cast

from detector.event import Event
from detector.values import ABSENT

from .clocks import CLOCK_BANDS, Band, edge_of, limit_of, promise_instant, unknown_clocks
from .events import EVENT_RULES, ONE_STAMPED
from .money import justified
from .runs import RUN_BANDS, RUN_RULES, Run, instants_of, limit_of_run, unknown_runs
from .setting import OFinding, Setting, finding_id, first, ids, step_of
from .truth import one_stamp

WITHDRAWN_BY = {"close": "closed_in_time", "suspend": "suspended", "resume": "suspended"}
Unknown = list[tuple[str, str]]  # (rule, reason)


class Timeline:
    """A case as it stands: its events, the instants of its clocks, and its findings."""

    def __init__(self, how: Setting) -> None:
        self.how = how
        self.events: list[Event] = []
        self.findings: dict[str, OFinding] = {}
        self.edges: dict[tuple[str, str], int | None] = {}  # (rule, band) -> instant L
        self.raised: dict[tuple[str, str], str] = {}  # (rule, band) -> id of what it raised
        self.runs: list[Run] = []

    def judge(self, e: Event) -> Unknown:
        """Judge the next event; what cannot be known, as (rule, reason)."""
        self.advance(e.received_at - 1)
        unknown = self.judge_event(e)
        unknown += unknown_clocks(self.how, self.events, e)
        unknown += unknown_runs(self.how, self.events, e)
        self.events.append(e)
        for rule in RUN_RULES:
            if self.how.mode(rule) != "off":
                self.run_on(rule, e)
        states = any(x != ABSENT for x in (e.promised_days, e.statutory_days, e.due_at))
        if states or e.action in ("accept", "close", "suspend", "resume"):
            self.redate(e.action)
            self.redate_steps(e.action)
        self.advance(e.received_at - 1)
        return [(rule, reason) for rule, reason in unknown if self.how.mode(rule) != "off"]

    def judge_event(self, e: Event) -> Unknown:
        """Ask every event rule."""
        how, unknown = self.how, []
        stamped = one_stamp(self.events, e)
        for earlier in self.findings.values() if stamped else ():
            alike = earlier.rule in ONE_STAMPED and earlier.at == e.recorded_at
            if alike and earlier.muted is None:
                earlier.withdrawn = "one_stamp"
        for name, rule in EVENT_RULES.items():
            outcome = rule.measure(self.events, e, how) if how.mode(name) != "off" else None
            if isinstance(outcome, str):
                unknown.append((name, outcome))
            if isinstance(outcome, str) or not outcome:
                continue
            for hit in outcome:
                holds = {
                    "imported": e.imported,
                    "on_the_spot": how.on_the_spot(e.item),
                    "one_stamp": stamped,
                    "system_action": e.operator is None and how.operators_known,
                    "justified": justified(e),
                    "exempt": how.exempt(name, e.recorded_at, e.item, e.department, step_of(e)),
                }
                fid = finding_id(name, "case", e.case_id, hit.cause or (e.event_id,))
                self.findings[fid] = OFinding(
                    name, rule.tier, hit.reason or rule.reason, "case", e.case_id, e.case_id,
                    e.department, e.item, step_of(e), e.operator, e.recorded_at, hit.value,
                    hit.limit, ids(*hit.events),
                    how.muted(name, **{mute: holds[mute] for mute in rule.mutes}),
                )  # fmt: skip
        return unknown

    def advance(self, now: int) -> None:
        """Raise what the watermark has reached, and settle which band of a rule stands."""
        self.advance_case(now)
        for run in self.runs:
            self.advance_run(run, now)

    def raise_clock(
        self, rule: str, band: Band, at: int, limit: int | None, on: Event, *cause: str
    ) -> str:
        """Raise a band that rests on this event; the id of the finding."""
        how, owner = self.how, first(self.events, "accept") or self.events[0]
        provisional = how.covered_to is not None and how.calendar.day(at).year > how.covered_to
        exempt = how.exempt(rule, at, owner.item, owner.department, None)
        fid = finding_id(rule, "case", owner.case_id, (at, band.code, *cause))
        self.findings[fid] = OFinding(
            rule, 0 if provisional else band.tier, band.code, "case", owner.case_id,
            owner.case_id, owner.department, owner.item, None, None, at, band.edge, limit, ids(on),
            how.muted(rule, imported=owner.imported, exempt=exempt),
        )  # fmt: skip
        return fid

    # The clock of the case.

    def in_time(self, instant: int) -> bool:
        close = first(self.events, "close")
        return close is not None and instant >= close.recorded_at

    def redate(self, action: str) -> None:
        """Find the instants anew after an event, and withdraw what no longer holds."""
        for rule, bands in CLOCK_BANDS.items():
            for band in bands if self.how.mode(rule) != "off" else ():
                key = rule, band.code
                old = self.edges.get(key)
                new = self.edges[key] = edge_of(self.how, rule, self.events, band)
                if key in self.raised and (new is None or new != old or self.in_time(new)):
                    finding = self.findings[self.raised.pop(key)]
                    finding.withdrawn = WITHDRAWN_BY.get(action, "limit_changed")

    def advance_case(self, now: int) -> None:
        for rule, bands in CLOCK_BANDS.items():
            stands = None
            for band in bands:
                instant = self.edges.get((rule, band.code))
                if instant is None or instant > now or self.in_time(instant):
                    continue
                if (rule, band.code) not in self.raised:
                    accept = cast(Event, first(self.events, "accept"))
                    limit = limit_of(self.how, rule, self.events, accept)[0]
                    fid = self.raise_clock(rule, band, instant, limit, accept)
                    self.raised[rule, band.code] = fid
                if stands is not None:
                    stands.withdrawn = "superseded"
                stands = self.findings[self.raised[rule, band.code]]
                stands.withdrawn = None

    # Its other clocks, which go in runs.

    def run_on(self, rule: str, e: Event) -> None:
        """End the runs of a rule that the last event ends, and begin the one that it begins."""
        begins, stops = RUN_RULES[rule]
        runs = [run for run in self.runs if run.rule == rule]
        begun = begins(self.events, self.how, runs)
        for run in runs:
            if run.ended:
                continue
            if stops(self.events, run):
                run.stopped_at = e.recorded_at
                self.end(run, e)
            elif begun and rule != "overdue_procedure":  # there each suspension has its own clock
                run.followed = True
                self.end(run, e)
        if begun:
            run = Run(rule, e, limit_of_run(self.how, rule, e))
            run.instants = instants_of(self.how, run, self.events)
            self.runs.append(run)

    def end(self, run: Run, e: Event) -> None:
        """Withdraw what the run raised and the event, received late, shows to have been in time."""
        run.ended = True
        gone = [c for c in run.raised if cast(int, run.instants[c]) >= e.recorded_at]
        self.withdraw(run, gone, "closed_in_time")

    def redate_steps(self, action: str) -> None:
        """Find the instants of the last step held anew, which suspensions move."""
        for run in self.runs:
            if run.rule != "overdue_step" or run.followed:
                continue
            old, run.instants = run.instants, instants_of(self.how, run, self.events)
            moved = [code for code in run.raised if run.instants[code] != old[code]]
            self.withdraw(run, moved, WITHDRAWN_BY.get(action, "limit_changed"))

    def advance_run(self, run: Run, now: int) -> None:
        """Raise the bands of a run whose instant has come."""
        for band in RUN_BANDS[run.rule]:
            instant = run.instants.get(band.code)
            if instant is None or instant > now or band.code in run.raised or run.followed:
                continue
            if run.stopped_at is not None and instant >= run.stopped_at:
                continue
            if run.rule == "overdue_step" and self.promise_broken(instant):
                continue
            own = ids(run.event) if run.rule == "overdue_procedure" else ()
            limit = None if run.rule == "overdue_step" else run.limit
            fid = self.raise_clock(run.rule, band, instant, limit, run.event, *own)
            run.raised[band.code] = fid
            self.settle(run)

    def promise_broken(self, instant: int) -> bool:
        promised = promise_instant(self.how, self.events)
        return promised is not None and instant > promised

    def withdraw(self, run: Run, codes: list[str], why: str) -> None:
        for code in codes:
            self.findings[run.raised.pop(code)].withdrawn = why
        if codes:
            self.settle(run)

    def settle(self, run: Run) -> None:
        """The highest band that a run has raised stands."""
        raised = [run.raised[b.code] for b in RUN_BANDS[run.rule] if b.code in run.raised]
        for fid in raised:
            self.findings[fid].withdrawn = None if fid == raised[-1] else "superseded"
