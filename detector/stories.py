"""Run the examples of rules: each is a story told to the real engine in a small district."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from detector.columns import Words, from_events
from detector.district import COLUMNS as PEOPLE
from detector.district import District, district_from
from detector.engine import Engine
from detector.event import Event, Fact, Reading, read_event, read_fact
from detector.explain import Change
from detector.known import KnownFacts
from detector.learning.shelf import load_learners
from detector.rulekit import Example, Rule
from detector.shelf import Shelved, configure
from detector.values import read_time
from detector.verdict import Finding, Withdrawn

DISTRICT = """code = "000000"
name = "例子区"
time_zone = "Asia/Shanghai"
office_hours = [["09:00", "12:00"], ["13:30", "17:30"]]
[calendar]
base = "CN"
covered_to = 2026
"""
LEARNS = "[learning]\non = true\nalerts_per_1000_cases_max = 1000\n"
ITEM: dict[str, Any] = {
    "code": "permit", "name": "许可", "type": "01", "promised_days": 7, "statutory_days": 10,
    "fee_yuan": "300",
    "steps": [
        *({"code": c, "duty": c} for c in ("accept", "survey", "review", "decide")),
        {"code": "issue"},
    ],
}  # fmt: skip
TABLES = ("steps", "benchmarks")


_PLAIN = {"department": "D01"}
_OF_A_CASE = {"case_id": "case-1", "item": "permit"}


@dataclass(frozen=True)
class Told:
    """How one example came out: `fault` is empty where it found what it wants."""

    rule: str
    title: str
    fault: str


def small_district(
    item: Mapping[str, Any] | None = None, rulebook: str = "",
    people: Mapping[str, str] | None = None, learns: bool = False,
) -> District:  # fmt: skip
    """The district that examples play in; `item` overrides keys of its one item, `people` are
    persons and their roles; `learns`: limits, with a budget that nobody exhausts."""
    told = {k: v for k, v in {**ITEM, **(item or {})}.items() if v is not None and v != ""}
    lines = ["[[items]]", *_keys({k: v for k, v in told.items() if k not in TABLES})]
    for table in TABLES:
        for row in told.get(table, ()):
            lines += [f"[[items.{table}]]", *_keys(row)]
    catalogue = "\n".join(lines) + "\n"
    rows = [f"{person},{person},{role},D01,,1\n" for person, role in (people or {}).items()]
    files = {
        "district.toml": DISTRICT + (LEARNS if learns else ""), "catalogue/permits.toml": catalogue,
        "people.csv": ",".join(PEOPLE) + "\n" + "".join(rows) if rows else "",
        "rulebook.toml": rulebook,
    }  # fmt: skip
    return district_from({name: text.encode() for name, text in files.items()})


def _keys(values: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in values.items()]


@dataclass
class Outcome:
    """Everything a run found: findings by id with their standing, and what was undetermined."""

    findings: dict[str, Finding]
    undetermined: Counter[tuple[str, str]]

    def settle(self, moves: Iterable[Finding | Change]) -> None:
        """Apply findings and changes in order."""
        for move in moves:
            if isinstance(move, Finding):
                self.findings[move.finding_id] = move
            else:
                stands = not move.reason
                gone = None if stands else Withdrawn(move.reason, move.actor, move.at)
                self.findings[move.finding_id].withdrawn = gone


def run_story(
    engine: Engine, story: Iterable[Event], until: int | None = None,
    lacks: Iterable[str] = (), facts: Iterable[Fact] = (),
) -> Outcome:  # fmt: skip
    """Judge events and facts, each in its place, and end with a tick."""
    events = sorted(story, key=lambda e: e.received_at)
    facts = KnownFacts().fresh(sorted(facts, key=lambda f: f.received_at))
    state, outcome = engine.new_state(Words()), Outcome({}, Counter())
    last = max([*(e.received_at for e in events), *(f.received_at for f in facts)])
    tick = Fact(kind="tick", received_at=until or last + engine.lateness_us, fields={})
    words = state.cases.words
    batch = from_events(events, words, facts=[*facts, tick], unknown=frozenset(lacks))
    state, effects = engine.step(state, batch)
    engine.conclude(state.facts, state.cases.watermark, effects)
    engine.conclude_notices(state.notices, state.cases.watermark, effects)
    outcome.settle(effects.moves)
    for unknown in effects.undetermined:
        outcome.undetermined[unknown.rule, unknown.reason] += len(unknown.rows)
    return outcome


def tell(shelf: Mapping[str, Shelved], rule: Rule, example: Example) -> Told:
    """Run one example and compare with what it wants."""
    district = small_district(example.item, people=example.people, learns=bool(rule.reads))
    alone = {i: shelf[i] for i in (rule.id, *example.beside)}
    rulebook = configure(alone, district, {rule.id: example.params})
    engine = Engine(district, rulebook, load_learners() if rule.reads else {})
    how = Reading(zone=district.calendar.zone)
    story = [{k: v for k, v in told.items() if v is not None} for told in example.story]
    events, facts = [], []
    for n, told in enumerate(story, 1):
        if "kind" in told:
            facts.append(read_fact(told["kind"], _PLAIN | {"fact_id": f"f{n}"} | told, how))
        else:
            events.append(read_event(_PLAIN | _OF_A_CASE | {"event_id": f"e{n}"} | told, how))
    until = None if example.until is None else read_time(example.until, how.zone)
    outcome = run_story(engine, events, until, example.lacks, facts)
    return Told(rule.id, example.title, _fault(outcome, rule, example))


def _fault(outcome: Outcome, rule: Rule, example: Example) -> str:
    findings = [f for f in outcome.findings.values() if f.rule == rule.id]
    seen = Counter(f.reason.code for f in findings if f.stands)
    seen += Counter(f"muted:{f.muted}" for f in findings if f.muted)
    seen += Counter(f"withdrawn:{f.withdrawn.reason}" for f in findings if f.withdrawn)
    unknown = {r: n for (i, r), n in outcome.undetermined.items() if i == rule.id}
    seen += Counter({f"undetermined:{r}": n for r, n in unknown.items()})
    standing = {f.reason.code for f in findings if f.stands}
    if example.want == "clear":
        return f"wants nothing, found {dict(seen)}" if seen else ""
    wrong = seen[example.want] != example.count
    if ":" not in example.want:
        wrong = wrong or standing != {example.want}
    elif not example.want.startswith("withdrawn:"):
        wrong = wrong or bool(standing)
    return f"wants {example.count} {example.want}, found {dict(seen)}" if wrong else ""


def tell_all(shelf: Mapping[str, Shelved], only: str | None = None) -> list[Told]:
    """Run the examples of one rule or of every rule."""
    return [
        tell(shelf, shelved.rule, example)
        for rule_id, shelved in sorted(shelf.items())
        if only in (None, rule_id)
        for example in shelved.rule.examples
    ]
