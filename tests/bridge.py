"""From the oracle's district and stream to the engine's, and back to something to compare."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from oracle import DEFAULTS, Setting, Verdicts

from detector.catalogue import Catalogue, Item, Step
from detector.columns import Words, from_events
from detector.district import District, Limits, district_from
from detector.effects import Effects
from detector.engine import Engine
from detector.event import Event, Fact
from detector.operators import OperatorState
from detector.rulekit import UNITS
from detector.shelf import Configured, Exemption, Rulebook, load_shelf
from detector.stories import Outcome
from detector.verdict import show_number
from detector.workcalendar import build_calendar
from replay.stream import Timelines, batches, name_events, sort_inputs, tick

SHELF = load_shelf()
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
    items = {
        code: Item(
            code=code, name=code, type="01", kind=i.kind, promised_days=i.promised_days,
            statutory_days=i.statutory_days, fee_fen=i.fee_fen, incompatible=i.pairs,
            steps=tuple(Step(code=s, name=s, duty=d or "") for s, d in i.steps),
        )
        for code, i in setting.items.items()
    }  # fmt: skip
    fields = {f: getattr(_EMPTY, f) for f in _EMPTY.__dataclass_fields__}
    limits = Limits(setting.lateness_s, setting.case_events_max, 366)
    return District(**{**fields, "calendar": calendar, "catalogue": Catalogue(items), "limits": limits})


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}"


def engine_of(setting: Setting) -> Engine:
    """The engine with the setting's rulebook."""
    rules = []
    for rule_id, shelved in sorted(SHELF.items()):
        told = {**DEFAULTS.get(rule_id, {}), **setting.params.get(rule_id, {})}
        params = SimpleNamespace(**{p.name: told.get(p.name, p.default) for p in shelved.rule.params})
        exemptions = [
            Exemption(
                *(None if x.get(k) == "*" else x.get(k) for k in ("item", "department", "step")),
                until=_day(x.get("until")), reason="agreed", approved_by="x",
            )
            for x in told.get("exempt", ())
        ]  # fmt: skip
        entries = tuple(told.get("limits", ()))
        mode = told.get("mode", "on")
        rules.append(Configured(shelved.rule, mode, params, entries, tuple(exemptions)))
    return Engine(district_of(setting), Rulebook(tuple(rules), "test"))


def _day(text: str | None) -> Any:
    from datetime import date

    return None if text is None else date.fromisoformat(text)


class Run:
    """One run of the engine over a stream, cut and sharded as asked."""

    def __init__(
        self, setting: Setting, events: Sequence[Event | Fact], *, until: int | None = None,
        rng: random.Random | None = None, shards: int = 1, engine: Engine | None = None,
    ) -> None:  # fmt: skip
        self.engine = engine or engine_of(setting)
        self.outcome = Outcome({}, Counter())
        self.duplicates = 0
        self.refused: list[tuple[int, str, str]] = []
        words = Words()
        plain = [e for e in events if isinstance(e, Event)]
        places = [n for n, e in enumerate(events) if isinstance(e, Event)]
        facts = [e for e in events if not isinstance(e, Event)]
        inputs = from_events(plain, words, places, facts, setting.operators_known)
        name_events(inputs)
        if until is None:
            until = max(e.received_at for e in events) + self.engine.lateness_us
        inputs.facts = [*facts, tick(until)]
        self._shards(inputs, rng, shards)

    def _shards(self, inputs: Any, rng: random.Random | None, shards: int) -> None:
        operators = OperatorState(inputs.words)
        feeds = []
        for shard in range(shards):
            mine = inputs.take(np.flatnonzero(inputs.case % shards == shard))
            mine.facts = inputs.facts
            feeds.append(self._feed(sort_inputs(mine), rng))
        clocks = [None] * shards
        alive = list(range(shards))
        while alive:
            shard = rng.choice(alive) if rng else alive[0]
            one = next(feeds[shard], None)
            if one is None:
                alive.remove(shard)
                continue
            effects, clocks[shard] = one
            for records in effects.records:
                operators.hold(records)
            if None not in clocks:
                self.engine.step_operators(operators, min(clocks), effects)  # type: ignore[type-var]
            self._settle(effects)

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
            for row, field, error in effects.refused:
                self.refused.append((int(batch.position[row]), field, error.split(":")[0]))
            yield effects, state.watermark

    def _settle(self, effects: Effects) -> None:
        self.outcome.settle(effects.moves)
        self.duplicates += effects.duplicates
        for unknown in effects.undetermined:
            self.outcome.undetermined[unknown.rule, unknown.reason] += len(unknown.rows)

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


def oracle_told(verdicts: Verdicts, engine: Engine) -> dict[str, Any]:
    """The oracle's verdicts in the same form."""
    findings = {}
    for i, f in verdicts.findings.items():
        divisor = UNITS[SHELF[f.rule].rule.unit][0]
        at = engine.teller.stamps(np.array([f.at]))[0]
        limit = None if f.limit is None else show_number(f.limit, divisor)
        findings[i] = (
            f.rule, f.tier, f.reason, f.subject_kind, f.subject, f.case_id, f.department, f.item,
            f.step, f.operator, at, show_number(f.value, divisor), limit, f.events, f.muted,
            f.withdrawn,
        )  # fmt: skip
    return {
        "findings": findings, "undetermined": dict(verdicts.undetermined),
        "duplicates": verdicts.duplicates,
        "refused": sorted((i, field, error.split(":")[0]) for i, field, error in verdicts.refused),
    }  # fmt: skip
