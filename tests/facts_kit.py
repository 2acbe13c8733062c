"""Random facts and fines on the edges of their rules, and runs of the engine over them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from bridge import SHELF, district_of
from facts_oracle import Found, Verdicts
from oracle import DAY, SECOND, OItem, Setting
from sources_kit import days_heard, stamped_cases
from streams import HOURS, ZONES, WorkingDays

from detector.columns import Words, from_events
from detector.district import Person
from detector.effects import Effects
from detector.engine import Engine
from detector.event import Event, Fact
from detector.explain import Change
from detector.facts_desk import FactState
from detector.learning.stride import Stride
from detector.overrides import Exemption
from detector.rulekit import Params
from detector.shelf import Configured, Rulebook, Shelved
from detector.values import ABSENT
from detector.verdict import Finding
from replay.stream import Timelines, batches, in_order, sort_inputs, tick

RULES = (
    "overdue_complaint overdue_consultation idle_supervisor treasury_gap offline_operation"
    " one_stamp_source silent_source"
).split()
PEOPLE = {"S1": "D1", "S2": "D2"}
START = date(2026, 3, 2)
SLIPS = (0, 0, 0, -1, 1, -SECOND, SECOND)
AMOUNTS = (100, 100, 200, 500_000, 1_000_000, 1_000_001, 20_000_000)
PERIODS = ("2026-03",) * 4 + ("2026-02", "2026-02", "2025-03", "2026-04", "2025-12", "odd")
Inputs = list[Event | Fact]


def engine_of(
    how: Setting, shelf: Mapping[str, Shelved] = SHELF, make: Callable[..., Engine] = Engine
) -> Engine:
    """The engine with the rules over facts alone."""
    district = district_of(how)
    people = {p: Person(p, p, "supervisor", d, "", 1) for p, d in PEOPLE.items()}
    rules = []
    for rule_id in RULES:
        told, rule = how.params.get(rule_id, {}), shelf[rule_id].rule
        params = Params(**{p.name: told.get(p.name, p.default) for p in rule.params})
        exempt = tuple(_exemption(x) for x in told.get("exempt", ()))
        mode, day_us = told.get("mode", "on"), district.calendar.day_us
        rules.append(Configured(rule, mode, params, (), exempt, day_us))
    return make(replace(district, people=people), Rulebook(tuple(rules), "test"))


def _exemption(told: Mapping[str, Any]) -> Exemption:
    item, department = (None if told[k] == "*" else told[k] for k in ("item", "department"))
    return Exemption(item, department, None, date.fromisoformat(told["until"]), "agreed", "x")


# --- random streams -----------------------------------------------------------------------------


class Drawn:
    """One random district and stream; everything follows from the seed."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        near = [date.fromordinal(START.toordinal() + n) for n in range(50)]
        self.how = Setting(
            zone=rng.choice(ZONES), hours=rng.choice(HOURS),
            is_working=WorkingDays(
                rng.random() < 0.2, frozenset(rng.sample(near, 3)), frozenset(rng.sample(near, 2))
            ),
            covered_to=rng.choice((None, 2025, 2026, 2026)), lateness_s=rng.choice((0, 60, 3_600)),
            items={"spot": OItem("spot", kind="on_the_spot")},
            params={rule: self._params(rule) for rule in RULES},
        )  # fmt: skip
        self.calendar = self.how.calendar
        self.inputs: Inputs = []
        self.begin = self.calendar.later((START - date(1970, 1, 1)).days * DAY)
        for part in (self._voices, self._logins, self._fines, self._receipts, self._volumes):
            if rng.random() < 0.75:
                part()
        if rng.random() < 0.3:
            self.inputs += stamped_cases(rng, self.how, self._at)
        if rng.random() < 0.3:
            self.inputs += days_heard(rng, self.how, self.begin)
        self.inputs = self.inputs or [
            self._fact("login", self.begin, person="S1", role="operator", at=self.begin)
        ]
        facts = [x for x in self.inputs if isinstance(x, Fact)]
        events = [x for x in self.inputs if isinstance(x, Event)]
        rng.shuffle(facts)
        events.sort(key=lambda e: e.received_at)  # a case's in the order of arrival
        events.reverse()
        self.inputs = []
        while facts or events:
            self.inputs.append(
                (facts if not events or (facts and rng.random() < 0.5) else events).pop()
            )
        last = max(x.received_at for x in self.inputs)
        self.until = last + rng.choice((0, 1, 60 * SECOND, 3 * DAY, 40 * DAY))
        if rng.random() < 0.2:
            self.until = self._at(0, 60)
        if rng.random() < 0.15:
            closes = [x for x in self.inputs if isinstance(x, Event) and x.action == "close"]
            self.until = self._judged_at(rng.choice(closes or self.inputs)) + rng.choice((0, -1))

    def _params(self, rule: str) -> dict[str, Any]:
        told: dict[str, Any] = {"mode": self.rng.choice(("on",) * 8 + ("shadow", "off"))}
        if rule.startswith("overdue"):
            told["limit_wd"] = self.rng.choice((0, 1, 2, 3, 7))
        if rule == "silent_source":
            told |= {"limit_wd": self.rng.choice((1, 1, 2)), "busy_days": self.rng.choice((3, 15))}
        if self.rng.random() < 0.3:
            only = {"department": self.rng.choice(("D1", "D2", "*"))}
            only |= {"item": self.rng.choice(("fine", "tax", "*")), "until": "2026-04-10"}
            told["exempt"] = [only] if set(only.values()) - {"*"} else []
        return told

    def _at(self, first: int = 0, last: int = 40) -> int:
        """An instant, often at an edge of a day or of office hours."""
        rng, calendar = self.rng, self.calendar
        midnight = calendar.wall(self.begin) + rng.randint(first, last) * DAY
        edges = [0, calendar.hours[0][0], calendar.hours[-1][1], rng.randrange(DAY)]
        return calendar.later(midnight + rng.choice(edges)) + rng.choice(SLIPS)

    def _judged_at(self, one: Event | Fact) -> int:
        """When what an event says is judged, or when its source is silent for as long as it may."""
        if isinstance(one, Event) and self.rng.random() < 0.5:
            return max(one.recorded_at + self.how.lateness_s * SECOND, one.received_at)
        limit = self.how.params["silent_source"]["limit_wd"] * self.calendar.day_us
        return self.calendar.add(one.received_at, limit, False)

    def _fact(self, kind: str, received: int, **told: Any) -> Fact:
        told.setdefault("fact_id", f"{kind}-{self.rng.randrange(30)}")
        return Fact(kind=kind, received_at=received, fields=told)

    def _voices(self) -> None:
        rng = self.rng
        for _ in range(rng.randint(1, 8)):
            kind = rng.choice(("complaint", "consultation"))
            said, limit = self._at(0, 12), self.how.params[f"overdue_{kind}"]["limit_wd"]
            said = (
                self.calendar.later(self.calendar.wall(said) // DAY * DAY)
                if rng.random() < 0.3
                else said
            )
            told = {
                "fact_id": f"v{rng.randrange(9)}",
                "department": rng.choice(("D1", "D2")),
                "received_on": said,
            }
            if rng.random() < 0.8:
                self.inputs.append(
                    self._fact(kind, said + rng.choice((0, 1, DAY, 12 * DAY)), **told)
                )
            for _ in range(rng.choice((0, 1, 1, 2))):
                work = (limit + rng.choice((-2, 0, 1))) * self.calendar.day_us
                at = self.calendar.add(said, work, rng.random() < 0.5) + rng.choice(SLIPS)
                at = (
                    self.calendar.later(self.calendar.wall(at) // DAY * DAY)
                    if rng.random() < 0.2
                    else at
                )
                received = max(at, said) + rng.choice((0, 0, 1, DAY, 9 * DAY))
                self.inputs.append(self._fact(kind, received, **told, answered_on=at))

    def _logins(self) -> None:
        rng = self.rng
        for _ in range(rng.randint(1, 25)):
            at, who = self._at(0, 14), rng.choice(("S1", "S1", "S2", "S9"))
            role = "supervisor" if rng.random() < 0.9 else "operator"
            received = at + rng.choice((0, 0, 0, 1, SECOND, 3_600 * SECOND, DAY, 3 * DAY))
            self.inputs.append(self._fact("login", received, person=who, role=role, at=at))

    def _fines(self) -> None:
        rng, made = self.rng, dict[str, list[Event]]()
        for n in range(rng.randint(1, 9)):
            case = f"c{rng.randrange(4)}"
            mine = made.setdefault(case, [])
            at = self._edge()
            received = max([at + rng.choice((0, 0, 1, DAY)), *(e.received_at for e in mine)])
            wrong = rng.choice(mine).event_id if mine and rng.random() < 0.5 else None
            same = wrong is not None and rng.random() < 0.3
            one = Event(
                case_id=case, event_id=wrong if same else f"e{n}",
                action=rng.choice(("decide",) * 5 + ("step",)),
                item=rng.choice(("fine", "fine", "tax")),
                department=rng.choice(("D1", "D1", "D2")),
                occurred_at=self._at(rng.choice((-40, 0)), 30), recorded_at=at,
                received_at=received,
                fine=rng.choice((ABSENT, 0, *AMOUNTS)), supersedes=wrong, operator="A",
                step=f"s{n}",
            )  # fmt: skip
            if wrong:
                mine[:] = [e for e in mine if e.event_id != wrong]
            mine.append(one)
            self.inputs.append(one)

    def _edge(self) -> int:
        """An instant near that at which a month is judged."""
        if self.rng.random() < 0.5:
            return self._at(0, 70)
        wall = (
            self.rng.choice((date(2026, 3, 16), date(2026, 4, 16))) - date(1970, 1, 1)
        ).days * DAY
        due = self.calendar.add(self.calendar.later(wall), 2 * self.calendar.day_us, False)
        late = self.how.lateness_s * SECOND * self.rng.choice((0, 1))
        return due - late + self.rng.choice((0, 0, 1, -1, SECOND, DAY))

    def _receipts(self) -> None:
        rng = self.rng
        for _ in range(rng.randint(1, 8)):
            told: dict[str, Any] = {
                "department": rng.choice(("D1", "D1", "D2")),
                "paid_on": self._at(-40, 45),
            }
            told["amount"] = rng.choice(
                (0, 100, 100, 200, 500_000, 1_000_000, 1_000_001, 20_000_000)
            )
            told["case_id"] = rng.choice((None, "c0", "c1", "c2", "c9"))
            told["item"] = rng.choice((None, "fine", "fine", "tax"))
            self.inputs.append(self._fact("treasury", self._edge(), **told))

    def _volumes(self) -> None:
        rng = self.rng
        for _ in range(rng.randint(1, 12)):
            item, period = rng.choice(("fine", "fine", "fine", "tax")), rng.choice(PERIODS)
            told = {"department": "D1", "item": item, "period": period}
            number = rng.choice((0, 99, 100, 900, 901, 949, 950, 951, 1_000, 1_000, 1_052))
            at = rng.choice((self._edge(), self._at(-1, 32), self._at(47, 62), self._at(47, 62)))
            self.inputs.append(self._fact("volume", at, **told, cases=number, amount=0))


# --- runs ---------------------------------------------------------------------------------------


class Outcome:
    """What a run came to, in the form of the oracle's."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.findings: dict[str, Finding] = {}
        self.unknown: list[tuple[str, str, str]] = []

    def take(self, effects: Effects) -> None:
        """Add what one batch caused."""
        assert not effects.refused
        for move in effects.moves:
            if isinstance(move, Change):
                found = self.findings[move.finding_id]
                assert found.withdrawn != (move if move.reason else None), "says what was said"
                found.withdrawn = move if move.reason else None
            else:
                assert move.finding_id not in self.findings, "raised twice"
                self.findings[move.finding_id] = copy.deepcopy(move)
        for one in effects.undetermined:
            assert one.per == "subject"
            for row in one.rows.tolist():
                self.unknown.append((one.rule, one.reason, one.source.subject[row]))

    def told(self) -> dict[str, Any]:
        """What there is to compare."""
        return {
            "unknown": sorted(self.unknown),
            "findings": {
                i: (
                    f.rule, f.tier, f.reason.code, f.subject_kind, f.subject, f.department, f.item,
                    f.at, f.value, f.limit, f.events, f.muted,
                    f.withdrawn.reason if f.withdrawn else None,
                )
                for i, f in self.findings.items()
            },
        }  # fmt: skip


def oracle_told(verdicts: Verdicts, engine: Engine) -> dict[str, Any]:
    """The oracle's verdicts in the same form."""

    def spelled(f: Found) -> tuple[Any, ...]:
        at = engine.teller.stamps(np.array([f.at]))[0]
        return tuple(f._replace(at=at))  # type: ignore[arg-type]

    subjects = [(r, why, of if isinstance(of, str) else of[0]) for r, why, of in verdicts.unknown]
    findings = {i: spelled(f) for i, f in verdicts.findings.items()}
    return {"unknown": sorted(subjects), "findings": findings}


def run(
    engine: Engine, inputs: Inputs, until: int, rng: random.Random | None = None, shards: int = 1
) -> Outcome:
    """Cases in several shards, each cut by itself; facts in the desk of one."""
    outcome, words, state = Outcome(engine), Words(), FactState()
    feeds = [_feed(engine, mine, rng) for mine in _shares(inputs, until, words, shards)]
    clocks: dict[int, int] = {}
    alive = list(range(shards))
    while alive:
        shard = rng.choice(alive) if rng else alive[0]
        one = next(feeds[shard], None)
        if one is None:
            alive.remove(shard)
            continue
        effects, clocks[shard], facts = one
        if shard == 0:
            engine.facts_desk.hold(state, facts)
        engine.facts_desk.hold_handed(state, effects.handed)
        if len(clocks) == shards:
            engine.step_facts(state, min(clocks.values()), Stride(None, None, effects))
        outcome.take(effects)
    return _concluded(engine, outcome, state, until)


def resumed(
    engines: Callable[[], Engine], inputs: Inputs, until: int, cuts: Iterable[int]
) -> Outcome:
    """The embedded engine, killed at every cut: of the facts only bytes go on."""
    words = Words()
    [mine] = _shares(inputs, until, words, 1)
    engine = engines()
    outcome, state, timelines = Outcome(engine), engine.new_state(words), Timelines(mine)
    ends = sorted({min(cut, len(mine)) for cut in cuts} | {len(mine)})
    for begin, batch in batches(mine, ends):
        told = timelines.before(begin, batch) if timelines else {}
        state, effects = engine.step(state, batch, told)
        timelines.kept[begin : begin + len(batch)] = effects.kept
        outcome.take(effects)
        engine = engines()
        state.facts = FactState.load(state.facts.dump())
    return _concluded(engine, outcome, state.facts, until)


def _concluded(engine: Engine, outcome: Outcome, state: FactState, until: int) -> Outcome:
    effects = Effects()
    engine.conclude(state, until, effects)
    outcome.take(effects)
    return outcome


def _shares(inputs: Inputs, until: int, words: Words, shards: int) -> list[Any]:
    """The inputs of each shard, sorted; facts and ticks go to all."""
    placed = [(n, x) for n, x in enumerate(inputs) if x.received_at <= until]
    events = [(n, x) for n, x in placed if isinstance(x, Event)]
    facts = [copy.deepcopy(x) for _, x in placed if isinstance(x, Fact)]
    for (n, _), fact in zip([p for p in placed if isinstance(p[1], Fact)], facts, strict=True):
        fact.position = n
    whole = from_events([x for _, x in events], words, [n for n, _ in events])
    shares = []
    for shard in range(shards):
        mine = sort_inputs(whole.take(np.flatnonzero(whole.case % shards == shard)))
        mine.facts = [*in_order(facts), tick(until)]
        shares.append(mine)
    return shares


def _feed(engine: Engine, mine: Any, rng: random.Random | None) -> Any:
    state, rows = engine.new_cases(mine.words), len(mine)
    cuts: Sequence[int] = [rows]
    if rng:
        cuts = sorted({rng.randint(0, rows) for _ in range(rng.randint(0, 6))} | {rows})
    timelines = Timelines(mine)
    for begin, batch in batches(mine, cuts):
        effects = engine.step_cases(state, batch, timelines.before(begin, batch))
        timelines.kept[begin : begin + len(batch)] = effects.kept
        yield effects, state.watermark, batch.facts
