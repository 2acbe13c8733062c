"""The events of one case that stand, judged one after the other, and what they raised."""

from __future__ import annotations

from typing import cast

from detector.event import Event
from detector.values import ABSENT

from .clocks import CLOCK_BANDS, Band, edge_of, limit_of, unknown_clocks
from .events import EVENT_RULES
from .money import justified
from .setting import OFinding, Setting, finding_id, first, ids, step_of

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

    def judge(self, e: Event) -> Unknown:
        """Judge the next event; what cannot be known, as (rule, reason)."""
        self.advance(e.received_at - 1)
        unknown = self.judge_event(e) + unknown_clocks(self.how, self.events, e)
        self.events.append(e)
        states = any(x != ABSENT for x in (e.promised_days, e.statutory_days, e.due_at))
        if states or e.action in ("accept", "close", "suspend", "resume"):
            self.redate(e.action)
        self.advance(e.received_at - 1)
        return [(rule, reason) for rule, reason in unknown if self.how.mode(rule) != "off"]

    def judge_event(self, e: Event) -> Unknown:
        """Ask every event rule."""
        how, unknown = self.how, []
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
                    "one_stamp": hit.value == 0,
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

    def advance(self, now: int) -> None:
        """Raise what the watermark has reached, and settle which band of a rule stands."""
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
