"""Section 7 of docs/judging.md read a second time, slowly: everything that was ever told is
collected first, then each complaint, day and month is judged by looking at all of it.

Nothing is remembered from one judgement to the next, and nothing of the engine's desk is used. A
*moment* is a tuple that sorts: (instant, rank, place), rank 0 a fact, 1 a fine, 2 and 3 the clocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, NamedTuple

from oracle import DAY, Setting, finding_id
from oracle.cases import taken
from sources_oracle import one_stamp_source, silent_source

from detector.event import Event, Fact
from detector.values import ABSENT

FOREVER = 1 << 62
LIMIT = {"complaint": 7, "consultation": 3}
BANDS = (("due_soon", -2, True, 0), ("overdue", 0, False, 2), ("far_overdue", 1, False, 3))
Month = tuple[str, str, str]
Moment = tuple[Any, ...]


class Found(NamedTuple):
    """A finding, as far as it is compared."""

    rule: str
    tier: int
    reason: str
    kind: str
    subject: str
    department: str
    item: str | None
    at: int
    value: int
    limit: int
    events: tuple[str, ...]
    muted: str | None
    withdrawn: str | None


class Decision(NamedTuple):
    """A judged event that decides a fine, takes one back, or both."""

    judged: int
    event: Event
    takes_back: Event | None


@dataclass
class Verdicts:
    """What the reading comes to; `unknown` holds (rule, reason, of what)."""

    findings: dict[str, Found] = field(default_factory=dict)
    unknown: set[tuple[str, str, Any]] = field(default_factory=set)


def judge(
    inputs: Sequence[Event | Fact], how: Setting, supervisors: dict[str, str], until: int
) -> Verdicts:
    """Everything that the seven rules find; `supervisors`: person → department."""
    facts = sorted((x for x in inputs if isinstance(x, Fact)), key=lambda f: f.received_at)
    facts = [f for f in facts if f.received_at <= until]
    came = [x for x in inputs if isinstance(x, Event) and x.received_at <= until]
    events = taken(came, how)
    decided = decisions(events, how, until)
    told = Reading(how, supervisors, until, taken_once(facts), events, decided)
    for kind in LIMIT:
        told.voices(kind)
    told.idle()
    told.treasury()
    told.volumes()
    one_stamp_source(told)
    silent_source(told)
    return told.verdicts


def taken_once(facts: list[Fact]) -> list[Fact]:
    """Each id of a kind once, and the first of its id to bear an answer once more."""
    taken: list[Fact] = []
    for fact in facts:
        same = [t for t in taken if (t.kind, name_of(t)) == (fact.kind, name_of(fact))]
        answers = fact.kind in LIMIT and answer_of(fact) is not None
        if not same or (answers and all(answer_of(t) is None for t in same)):
            taken.append(fact)
    return taken


def name_of(fact: Fact) -> Any:
    return fact.fields["fact_id"]


def answer_of(fact: Fact) -> int | None:
    at = fact.fields.get("answered_on", ABSENT)
    return None if at == ABSENT else at


def decisions(events: Sequence[Event], how: Setting, until: int) -> list[Decision]:
    """The fines' part of all judged events, in the order of judgement."""
    found = []
    for n, e in enumerate(events):
        gone = None
        if e.supersedes:
            earlier = [x for x in events[:n] if x.case_id == e.case_id]
            gone = next(x for x in reversed(earlier) if x.event_id == e.supersedes)
            gone = gone if fines(gone) else None
        judged = max(e.recorded_at + how.lateness_s * 1_000_000, e.received_at)
        if judged <= until and (fines(e) or gone):
            found.append((judged, e.recorded_at, e.event_id, e.case_id, n, e, gone))
    found.sort(key=lambda x: x[:5])
    return [Decision(x[0], x[5], x[6]) for x in found]


def fines(e: Event) -> bool:
    return e.action == "decide" and e.fine > 0


@dataclass
class Reading:
    """All that was told, and what is made of it."""

    how: Setting
    supervisors: dict[str, str]
    until: int
    facts: list[Fact]
    events: list[Event]
    decided: list[Decision]
    verdicts: Verdicts = field(default_factory=Verdicts)
    gaps: list[tuple[Moment, Month, bool]] = field(default_factory=list)

    def find(
        self, rule: str, tier: int, reason: str, kind: str, subject: str, department: str,
        item: str | None, at: int, value: int, limit: int, events: Sequence[str],
        cause: Sequence[Any],
    ) -> str:  # fmt: skip
        """Enter a finding that stands for now."""
        day = self.how.calendar.day(at)
        dated = rule != "one_stamp_source"  # by a calendar of working days
        if dated and self.how.covered_to is not None and day.year > self.how.covered_to:
            tier = min(tier, 0)
        muted = None
        for x in self.how.params.get(rule, {}).get("exempt", ()):
            fits = all(
                x.get(k, "*") in ("*", v) for k, v in (("item", item), ("department", department))
            )
            if fits and day.isoformat() <= x.get("until", "9999"):
                muted = "exempt"
        if self.how.mode(rule) == "shadow":
            muted = muted or "shadow"
        fid = finding_id(rule, kind, subject, cause)
        self.verdicts.findings[fid] = Found(
            rule, tier, reason, kind, subject, department, item, at, value, limit, tuple(events),
            muted, None,
        )  # fmt: skip
        return fid

    def withdraw(self, fid: str, code: str | None) -> None:
        """What became of a finding."""
        found = self.verdicts.findings[fid]
        self.verdicts.findings[fid] = found._replace(withdrawn=code)

    def param(self, rule: str, name: str, default: int) -> int:
        return self.how.params.get(rule, {}).get(name, default)

    # -- complaints and consultations ---------------------------------------------------------

    def voices(self, kind: str) -> None:
        """Each complaint by itself."""
        rule, calendar = f"overdue_{kind}", self.how.calendar
        if self.how.mode(rule) == "off":
            return
        mine = [f for f in self.facts if f.kind == kind]
        limit = self.param(rule, "limit_wd", LIMIT[kind])
        for name in sorted({name_of(f) for f in mine}):
            told = [f for f in mine if name_of(f) == name]
            first = told[0]
            answer = next((f for f in told if answer_of(f) is not None), None)
            closed = (answer and answer_of(answer)) or FOREVER
            begun = first.fields["received_on"]
            if calendar.wall(begun) % DAY == 0:
                begun = calendar.later(calendar.wall(begun) + DAY)
            raised: list[tuple[int, str]] = []
            for code, edge, reached, tier in BANDS:
                at = calendar.add(begun, (limit + edge) * calendar.day_us, reached)
                at = max(at, begun) if reached else at
                unaware = answer is None or (answer is not first and at < answer.received_at)
                if at <= self.until and (at < closed or unaware):
                    department = first.fields["department"]
                    fid = self.find(
                        rule, tier, code, kind, name, department, None, at, edge, limit, (),
                        (at, code),
                    )  # fmt: skip
                    raised.append((at, fid))
            stands = [fid for at, fid in raised if at < closed]
            for at, fid in raised:
                if at >= closed:
                    self.withdraw(fid, "closed_in_time")
                elif fid != stands[-1]:
                    self.withdraw(fid, "superseded")

    # -- supervisors --------------------------------------------------------------------------

    def idle(self) -> None:
        """Each supervisor's every working day."""
        rule, calendar = "idle_supervisor", self.how.calendar
        if self.how.mode(rule) == "off":
            return
        logins = [
            (f.received_at, n, f.fields["person"], calendar.day(f.fields["at"]))
            for n, f in enumerate(self.facts)
            if f.kind == "login" and f.fields["role"] == "supervisor"
        ]
        if not logins:
            self.verdicts.unknown |= {(rule, "no_logins", person) for person in self.supervisors}
            return
        received, number, _, since = logins[0]
        days = list(self.working_days(since))
        for person, department in self.supervisors.items():
            learnt: dict[date, Moment] = {}
            for at, n, who, day in logins:
                if who == person:
                    learnt.setdefault(day, (at, 0, n))
            never = (FOREVER,)
            for n, day in enumerate(days):
                closing = self.closing(day)
                begins = (closing, 1) if closing >= received else (received, 0, number + 0.5)
                if n:  # only once the day before is known to have been worked
                    begins = max(begins, learnt.get(days[n - 1], never))
                if begins >= learnt.get(day, never) or begins == never:
                    continue
                told = (rule, 0, "idle", "supervisor", person, department, None, closing, 1, 0, ())
                fid = self.find(*told, (day.isoformat(),))
                if day in learnt:
                    self.withdraw(fid, "corrected")

    def closing(self, day: date) -> int:
        """The last instant of a day's office hours."""
        calendar = self.how.calendar
        midnight = (day - date(1970, 1, 1)).days * DAY
        return calendar.later(midnight + calendar.hours[-1][1])

    def working_days(self, since: date) -> Iterator[date]:
        """Working days whose office hours have ended by the end of the run."""
        day = since
        while self.closing(day) <= self.until:
            if self.how.is_working(day):
                yield day
            day += timedelta(days=1)

    # -- fines and receipts -------------------------------------------------------------------

    def treasury(self) -> None:
        """Every month, at its instant and at everything that came later."""
        rule = "treasury_gap"
        if self.how.mode(rule) == "off":
            return
        receipts = [
            ((f.received_at, 0, n), f) for n, f in enumerate(self.facts) if f.kind == "treasury"
        ]
        decided = [((d.judged, 1, n), d) for n, d in enumerate(self.decided)]
        months: set[Any] = {self.month(d.event) for _, d in decided if fines(d.event)}
        for _, f in receipts:
            if f.fields.get("item"):
                months.add(self.paid_in(f))
        for month in sorted(months):
            due = self.due(month)
            moments: list[Moment] = [m for m, _ in (*receipts, *decided) if m[0] > due]
            if due <= self.until:
                moments.append((due, 2))
            stands = ""
            for moment in sorted(moments):
                known = [f for m, f in receipts if m <= moment]
                fid = self.month_at(month, moment, known, [d for m, d in decided if m <= moment])
                if fid is None or fid == stands:
                    continue
                if stands:
                    self.withdraw(stands, "corrected")
                if fid:
                    self.withdraw(fid, None)
                stands = fid
                loud = bool(fid) and self.verdicts.findings[fid].muted is None
                self.gaps.append((moment, month, loud))

    def month_at(
        self, month: Month, moment: Moment, receipts: list[Fact], decided: list[Decision]
    ) -> str | None:
        """The finding that a month's judgement comes to, "" none, None it cannot be judged."""
        gone = [d.takes_back for d in decided]
        standing = [
            d.event for d in decided if fines(d.event) and all(d.event is not g for g in gone)
        ]
        here = [e for e in standing if self.month(e) == month]
        if not receipts:
            if here:
                self.verdicts.unknown.add(("treasury_gap", "no_treasury", month))
            return None
        short = over = 0
        differ: list[tuple[str, str]] = []
        others = list(here)
        for case in sorted({e.case_id for e in here}):
            own = [f for f in receipts if f.fields.get("case_id") == case]
            first = next(e for e in standing if e.case_id == case)
            if own and self.month(first) == month:
                mine = [e for e in here if e.case_id == case]
                others = [e for e in others if e.case_id != case]
                gap = sum(e.fine for e in mine) - sum(f.fields["amount"] for f in own)
                short, over = short + max(0, gap), over + max(0, -gap)
                differ += [(case, str(e.event_id)) for e in mine if gap]
        loose = [f for f in receipts if not f.fields.get("case_id") and self.paid_in(f) == month]
        gap = sum(e.fine for e in others) - sum(f.fields["amount"] for f in loose)
        short, over = short + max(0, gap), over + max(0, -gap)
        differ += [(e.case_id, str(e.event_id)) for e in others if gap]
        if not short and not over:
            return ""
        total = sum(e.fine for e in here)
        large = short * 20 > total and short > 1_000_000
        value = short or -over
        fid = finding_id("treasury_gap", "department", month[0], (month[1], month[2], value))
        if fid in self.verdicts.findings:
            return fid
        return self.find(
            "treasury_gap", 2 if large else 1, "large" if large else "differs", "department",
            month[0], month[0], month[1], moment[0], value, total,
            [event for _, event in sorted(differ)], (month[1], month[2], value),
        )  # fmt: skip

    def due(self, month: Month) -> int:
        """Two working days after the 16th of the next month begins."""
        calendar = self.how.calendar
        return calendar.add(self.day_after(month[2], 16), 2 * calendar.day_us, False)

    def day_after(self, period: str, number: int) -> int:
        """The first instant of that day of the month after."""
        first = date.fromisoformat(period + "-01") + timedelta(days=32)
        day = first.replace(day=number) - date(1970, 1, 1)
        return self.how.calendar.later(day.days * DAY)

    def of(self, instant: int) -> str:
        return self.how.calendar.day(instant).isoformat()[:7]

    def paid_in(self, fact: Fact) -> tuple[Any, ...]:
        told = fact.fields
        return told["department"], told.get("item"), self.of(told["paid_on"])

    def month(self, e: Event) -> Month:
        return e.department, e.item, self.of(e.occurred_at)

    # -- volumes ------------------------------------------------------------------------------

    def volumes(self) -> None:
        """Every period, on the third day of the next and at every later number."""
        if self.how.mode("offline_operation") == "off":
            return
        told = [
            ((f.received_at, 0, n), f)
            for n, f in enumerate(self.facts)
            if f.kind == "volume" and f.fields["period"][4:5] == "-"
        ]
        for month in sorted({period_of(f) for _, f in told}):
            due = self.day_after(month[2], 3)
            mine = [m for m, f in told if period_of(f) == month]
            moments: list[Moment] = [m for m in mine if m[0] > due]
            if due <= self.until and any(m[0] <= due for m in mine):
                moments.append((due, 3))
            stands = ""
            for moment in sorted(moments):
                fid = self.period_at(month, moment, [f for m, f in told if m <= moment])
                if fid is None or fid == stands:
                    continue
                if stands:
                    self.withdraw(stands, "corrected")
                if fid:
                    self.withdraw(fid, None)
                stands = fid

    def period_at(self, month: Month, moment: Moment, told: list[Fact]) -> str | None:
        """The finding that a period's judgement comes to, "" none, None it cannot be judged."""
        department, item, period = month
        year, number = int(period[:4]), int(period[5:])
        before = f"{year - (number == 1)}-{(number - 2) % 12 + 1:02d}"
        cases = {period_of(f): f.fields["cases"] for f in told}  # the last one counts
        changes = {}
        for name, other in (("year", f"{year - 1}-{number:02d}"), ("month", before)):
            earlier = cases.get((department, item, other), 0)
            if earlier > 0:
                grown = (cases[month] - earlier) * 1_000
                changes[name] = abs(grown) // earlier * (-1 if grown < 0 else 1)
        if not changes:
            self.verdicts.unknown.add(("offline_operation", "no_history", month))
            return None
        falls = [n for n, edge in (("year", -50), ("month", -100)) if changes.get(n, 0) <= edge]
        if not falls:
            return ""
        gaps = [loud for m, of, loud in self.gaps if of == month and m <= moment]
        band = "with_gap" if gaps and gaps[-1] else f"{falls[0]}_drop"
        value = changes[falls[0]]
        cause = (item, period, band, value)
        fid = finding_id("offline_operation", "department", department, cause)
        if fid in self.verdicts.findings:
            return fid
        return self.find(
            "offline_operation", 2 if band == "with_gap" else 0, band, "department", department,
            department, item, moment[0], value, {"year": -50, "month": -100}[falls[0]], (), cause,
        )  # fmt: skip


def period_of(fact: Fact) -> Month:
    return fact.fields["department"], fact.fields["item"], fact.fields["period"]
