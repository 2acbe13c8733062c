"""A district or rulebook changes between two batches: what the state is, and what that moves."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from bridge import Embedded, engine_of
from streams import STARTS, WorkingDays, random_stream

from detector import handover
from detector.columns import from_events
from detector.engine import Engine
from detector.handover import running
from detector.values import ABSENT
from replay.stream import tick

SEEDS = 30


class Changing(Embedded):
    """A run in which other engines come to judge."""

    def change(self, engine: Engine) -> None:
        """From here on this one judges."""
        watermark = self.state.cases.watermark
        at = ABSENT if watermark == ABSENT else watermark + 1
        self.state, effects = engine.adopt(self.engine, self.state, at)
        self.engine = engine
        self.take(effects, np.zeros(0, np.int64))

    def tick(self, at: int) -> None:
        """Let time pass."""
        inputs = from_events([], self.state.cases.words, facts=[tick(at)])
        self.state, _ = self.engine.step(self.state, inputs)

    def cuts(self, rng: random.Random, count: int) -> list[int]:
        """Places before which everything arrived earlier than what follows."""
        at = [e.received_at for _, e in self.inputs]
        some = [n for n in range(1, len(at)) if at[n] > at[n - 1] + 1]
        return sorted(rng.sample(some, min(count, len(some))))


def changed_setting(rng: random.Random, setting):
    """The same place with other days off, other limits, and a rule or two off or in shadow."""
    start = rng.choice(STARTS)
    near = [start + timedelta(days=n) for n in range(-3, 20)]
    days = setting.is_working
    items = {}
    for code, item in setting.items.items():
        promised = rng.choice((item.promised_days, None, 1, 2, 5))
        statutory = rng.choice((item.statutory_days, 3))
        if statutory is not None:  # nobody promises more than the law allows
            statutory = max(statutory, promised or 0)
        items[code] = replace(item, promised_days=promised, statutory_days=statutory)
    clocks = ("overdue_promise", "overdue_statutory", "overdue_acceptance", "stalled_case")
    off = {rule: {"mode": rng.choice(("off", "shadow", "on"))} for rule in rng.sample(clocks, 2)}
    params = {rule: {**setting.params.get(rule, {}), **told} for rule, told in off.items()}
    limit = {"overdue_acceptance": {**params.get("overdue_acceptance", {}), "limit_wd": 1}}
    return replace(
        setting, items=items, params={**setting.params, **params, **limit},
        covered_to=rng.choice((2025, 2026, 2027)),
        is_working=WorkingDays(
            days.every_day, frozenset(rng.sample(near, 4)), frozenset(rng.sample(near, 1))
        ),
    )  # fmt: skip


def streams(seed: int):
    rng = random.Random(seed)
    setting, events = random_stream(rng)
    return rng, setting, events


@pytest.mark.parametrize("seed", range(SEEDS))
def test_changing_nothing_changes_nothing(seed):
    rng, setting, events = streams(seed)
    engine = engine_of(setting)
    run = Changing(engine, setting, events)
    for begin, end in pairwise([0, *run.cuts(rng, 3), len(run.inputs)]):
        if begin:
            run.change(engine_of(setting))
        run.step(begin, end)
    straight = Embedded(engine, setting, events).run()
    assert run.told() == straight.told()


def dated_as_from_the_start(seed: int) -> None:
    """Open cases stand after a change as if the new district had judged from the beginning."""
    rng, setting, events = streams(seed)
    new = changed_setting(rng, setting)
    run = Changing(engine_of(setting), setting, events)
    (cut,) = run.cuts(rng, 1)
    run.step(0, cut)
    run.change(engine_of(new))
    fresh = Changing(engine_of(new), new, events)
    fresh.step(0, cut)
    fresh.tick(run.state.cases.watermark)
    mine, theirs = run.state.cases, fresh.state.cases
    cases = mine.words.case.words
    order = np.array([theirs.words.case.find(case) for case in cases])
    table, wanted = mine.table[: len(cases)], theirs.table[order]
    clocks = run.engine.clocks
    for kind, groups in clocks.kinds.items():
        runs = running(wanted, kind)
        for k in [k for group in groups for k in group]:
            for name in ("instant", "raised"):
                got, want = table[name][runs, k], wanted[name][runs, k]
                if kind == "stall" and name == "instant":  # put off only when it seems to be due
                    assert (got >= want).all()
                    continue
                assert (got == want).all(), (kind, name, clocks.bands[k].band.code)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_open_cases_are_dated_as_from_the_start(seed):
    dated_as_from_the_start(seed)


def test_a_change_that_forgets_to_date_anew_is_rejected(monkeypatch):
    monkeypatch.setattr(handover, "redate_all", lambda clocks, state, at: [])
    with pytest.raises(AssertionError):
        for seed in range(SEEDS):
            dated_as_from_the_start(seed)
