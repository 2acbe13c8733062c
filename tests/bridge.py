"""From the oracle's district and stream to the engine's, and back to something to compare."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from catalogue_text import catalogue_of
from oracle import DEFAULTS, Setting, Verdicts

from detector.columns import Inputs, Words, from_events
from detector.district import District, Limits, district_from
from detector.effects import Effects
from detector.engine import Engine, State
from detector.event import Event, Fact
from detector.operators import OperatorState
from detector.rulekit import UNITS, Params
from detector.shelf import Configured, Exemption, Rulebook, Shelved, load_shelf
from detector.stories import Outcome
from detector.verdict import canonical, digest, show_number
from detector.workcalendar import build_calendar
from replay.stream import Timelines, batches, name_events, sort_inputs, tick

SHELF = load_shelf()
COLUMNS = {  # what a source may have no column of → the rules that ask; told once one is there
    "operators_known": ("same_person", "batch_entry"),
    "reasons_known": ("unreasoned_refusal",),
    "documents_known": ("missing_document",),
    "fields_known": ("missing_field",),
}
_EMPTY = district_from(
    {
        "district.toml": b'code = "1"\nname = "x"\n',
        "catalogue/a.toml": b'[[items]]\ncode = "x"\nname = "x"\ntype = "01"\n',
        "people.csv": b"",
    }
)


def district_of(setting: Setting) -> District:
    """The oracle's setting as a district of ours."""
    days: Any = setting.is_working
    calendar = build_calendar(
        "none" if days.every_day else "weekends",
        setting.zone,
        [(_clock(a), _clock(b)) for a, b in setting.hours],
        setting.covered_to,
        sorted(days.off - days.work),
        sorted(days.work),
    )
    fields = {f: getattr(_EMPTY, f) for f in _EMPTY.__dataclass_fields__}
    catalogue = catalogue_of(tuple(setting.items.values()), "discretion_deviation" in SHELF)
    limits = Limits(setting.lateness_s, setting.case_events_max, 366)
    told = {"calendar": calendar, "catalogue": catalogue, "limits": limits}
    return District(**{**fields, **told})


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


def known(setting: Setting) -> dict[str, Any]:
    """What columns the source has, as far as the rules on the shelf ask."""
    asked = [name for name, rules in COLUMNS.items() if SHELF.keys() & set(rules)]
    return {name: getattr(setting, name) for name in asked}


def engine_of(
    setting: Setting, shelf: Mapping[str, Shelved] = SHELF, make: Callable[..., Engine] = Engine
) -> Engine:
    """The engine with the setting's rulebook; `shelf` and `make` may be broken ones."""
    rules = []
    for rule_id, shelved in sorted(shelf.items()):
        told = {**DEFAULTS.get(rule_id, {}), **setting.params.get(rule_id, {})}
        named = {p.name: told.get(p.name, p.default) for p in shelved.rule.params}
        params = Params(**named)
        exemptions = [_exemption(x) for x in told.get("exempt", ())]
        entries = tuple(told.get("limits", ()))
        mode = told.get("mode", "on")
        rules.append(Configured(shelved.rule, mode, params, entries, tuple(exemptions)))
    return make(district_of(setting), Rulebook(tuple(rules), "test"))


def _exemption(told: Mapping[str, Any]) -> Exemption:
    item, department, step = (
        None if told.get(k) == "*" else told.get(k) for k in ("item", "department", "step")
    )
    until = told.get("until")
    last = None if until is None else date.fromisoformat(until)
    return Exemption(item, department, step, last, reason="agreed", approved_by="x")


class Tally:
    """What a run has come to so far."""

    def __init__(self) -> None:
        self.outcome = Outcome({}, Counter())
        self.duplicates = 0
        self.refused: list[tuple[int, str, str]] = []
        self.unknown: list[tuple[str, str, str, str]] = []  # rule, reason, case, event

    def take(self, effects: Effects, position: np.ndarray) -> None:
        """Add what one batch caused; `position` is the place in the source of each of its rows."""
        self.outcome.settle(effects.moves)
        self.duplicates += effects.duplicates
        for row, field, error in effects.refused:
            self.refused.append((int(position[row]), field, error.split(":")[0]))
        for one in effects.undetermined:
            self.outcome.undetermined[one.rule, one.reason] += len(one.rows)
            cases = one.source.words.case.texts(one.source.case[one.rows])
            for case, event in zip(cases, one.source.event_id[one.rows].tolist(), strict=True):
                self.unknown.append((one.rule, one.reason, str(case), event.decode()))

    def told(self) -> dict[str, Any]:
        """What there is to compare."""
        findings = {
            i: (
                f.rule, f.tier, f.reason.code, f.subject_kind, f.subject, f.case_id, f.department,
                f.item, f.step, f.operator, f.at, f.value, f.limit, f.events, f.muted,
                f.withdrawn.reason if f.withdrawn else None,
            )
            for i, f in self.outcome.findings.items()
        }  # fmt: skip
        return {
            "findings": findings, "undetermined": dict(self.outcome.undetermined),
            "duplicates": self.duplicates, "refused": sorted(self.refused),
        }  # fmt: skip

    def digest(self) -> str:
        """The digest of the findings, as a replay writes it."""
        findings = sorted(self.outcome.findings.values(), key=lambda f: f.finding_id)
        return digest(canonical(f) for f in findings)


class Run(Tally):
    """One run of the engine over a stream, cut and sharded as asked."""

    def __init__(
        self, setting: Setting, events: Sequence[Event | Fact], *, until: int | None = None,
        rng: random.Random | None = None, shards: int = 1, engine: Engine | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.engine = engine or engine_of(setting)
        words = Words()
        plain = [e for e in events if isinstance(e, Event)]
        places = [n for n, e in enumerate(events) if isinstance(e, Event)]
        facts = [e for e in events if not isinstance(e, Event)]
        inputs = from_events(plain, words, places, facts, **known(setting))
        name_events(inputs)
        if until is None:
            until = max(e.received_at for e in events) + self.engine.lateness_us
        inputs.facts = [*facts, tick(until)]
        self._shards(inputs, rng, shards)

    def _shards(self, inputs: Any, rng: random.Random | None, shards: int) -> None:
        operators = OperatorState(inputs.words, self.engine.lateness_us)
        feeds = []
        for shard in range(shards):
            mine = inputs.take(np.flatnonzero(inputs.case % shards == shard))
            mine.facts = inputs.facts
            feeds.append(self._feed(sort_inputs(mine), rng))
        clocks: dict[int, int] = {}
        alive = list(range(shards))
        while alive:
            shard = rng.choice(alive) if rng else alive[0]
            one = next(feeds[shard], None)
            if one is None:
                alive.remove(shard)
                continue
            effects, clocks[shard], position = one
            for records in effects.records:
                operators.hold(records)
            if len(clocks) == shards:
                self.engine.step_operators(operators, min(clocks.values()), effects)
            self.take(effects, position)

    def _feed(self, inputs: Any, rng: random.Random | None) -> Any:
        state = self.engine.new_cases(inputs.words)
        rows = len(inputs)
        cuts = [rows]
        if rng:
            cuts = sorted({rng.randint(0, rows) for _ in range(rng.randint(0, 6))} | {rows})
        timelines = Timelines(inputs)
        for begin, batch in batches(inputs, cuts):
            effects = self.engine.step_cases(state, batch, timelines.before(begin, batch))
            timelines.kept[begin : begin + len(batch)] = effects.kept
            yield effects, state.watermark, batch.position


class Embedded(Tally):
    """The embedded engine, its inputs encoded batch by batch as a live service would."""

    def __init__(self, engine: Engine, setting: Setting, events: Sequence[Event | Fact]) -> None:
        super().__init__()
        self.engine = engine
        self.known = known(setting)
        named = name_all(events)
        at = max(e.received_at for e in events) + engine.lateness_us
        self.inputs = sorted(enumerate([*named, tick(at)]), key=_order)
        self.kept: dict[str, list[Event]] = {}  # case → its judged events
        self.state = engine.new_state()

    def batch(self, begin: int, end: int, state: State) -> tuple[Inputs, dict[int, Inputs]]:
        """Inputs `begin` to `end` in the words of a state, and the timelines they correct."""
        some = self.inputs[begin:end]
        rows = [(place, e) for place, e in some if isinstance(e, Event)]
        events = [e for _, e in rows]
        facts = [e for _, e in some if not isinstance(e, Event)]
        words = state.cases.words
        inputs = from_events(events, words, [p for p, _ in rows], facts, **self.known)
        timelines = {
            words.case.code(case): from_events(self.kept[case], words, **self.known)
            for case in {e.case_id for e in events if e.supersedes} & self.kept.keys()
        }
        return inputs, timelines

    def step(self, begin: int, end: int) -> None:
        """Judge inputs `begin` to `end`."""
        inputs, timelines = self.batch(begin, end, self.state)
        self.state, effects = self.engine.step(self.state, inputs, timelines)
        events = [e for _, e in self.inputs[begin:end] if isinstance(e, Event)]
        for event, kept in zip(events, effects.kept.tolist(), strict=True):
            if kept:
                self.kept.setdefault(event.case_id, []).append(event)
        self.take(effects, inputs.position)

    def run(self, cuts: Iterable[int] = ()) -> Embedded:
        """Judge all inputs, cut there."""
        for begin, end in pairwise([0, *cuts, len(self.inputs)]):
            self.step(begin, end)
        return self


def name_all(events: Sequence[Event | Fact]) -> list[Event | Fact]:
    """Every event with an id: `case_id#k` where it has none, k its place in the case."""
    named: list[Event | Fact] = []
    met: Counter[str] = Counter()
    for e in events:
        if isinstance(e, Event):
            met[e.case_id] += 1
            if e.event_id is None:
                e = msgspec.structs.replace(e, event_id=f"{e.case_id}#{met[e.case_id]}")
        named.append(e)
    return named


def _order(placed: tuple[int, Event | Fact]) -> tuple[int, bool, int]:
    place, e = placed
    return e.received_at, isinstance(e, Fact) and e.kind == "tick", place


def oracle_told(verdicts: Verdicts, engine: Engine) -> dict[str, Any]:
    """The oracle's verdicts in the same form, as far as there are rules for them on the shelf."""
    findings = {}
    for i, f in verdicts.findings.items():
        if f.rule not in SHELF:
            continue
        divisor = UNITS[SHELF[f.rule].rule.unit][0]
        at = engine.teller.stamps(np.array([f.at]))[0]
        limit = None if f.limit is None else show_number(f.limit, divisor)
        findings[i] = (
            f.rule, f.tier, f.reason, f.subject_kind, f.subject, f.case_id, f.department, f.item,
            f.step, f.operator, at, show_number(f.value, divisor), limit, f.events, f.muted,
            f.withdrawn,
        )  # fmt: skip
    return {
        "findings": findings,
        "undetermined": {k: n for k, n in verdicts.undetermined.items() if k[0] in SHELF},
        "duplicates": verdicts.duplicates,
        "refused": sorted((i, field, error.split(":")[0]) for i, field, error in verdicts.refused),
    }  # fmt: skip
