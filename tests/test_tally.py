"""What another limit would raise is what the engine then finds, row for row."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from bridge import Run, engine_of
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Setting
from streams import random_stream

from detector import cells
from detector import tally as tallies
from detector.cells import EDGES, NOTHING, ROW, bins_of, least_of, settled
from detector.engine import Engine
from detector.event import Event, Fact
from detector.overrides import with_bands
from detector.rulekit import Params
from detector.shelf import Configured, load_shelf
from detector.tally import Tally
from detector.thresholds import Curve, curve, limits_in_force
from detector.values import DAY_US
from replay.stream import Timelines, batches

SHELF = load_shelf()
TUNED = [name for name, one in SHELF.items() if one.rule.tuned]
SINGLY = random.Random()  # one event a batch
SEEDS = st.integers(0, 2**32)


class Counted(Run):
    """A run that counts raw values besides; `tally` may be a broken one."""

    def __init__(self, setting: Setting, events: Any, tally: Tally | None = None, **told: Any):
        self.tally = tally or Tally()
        super().__init__(setting, events, **told)

    def _feed(self, inputs: Any, rng: random.Random | None) -> Any:
        made, self.words = self.engine.new_cases, inputs.words

        def new_cases(words: Any) -> Any:
            state = made(words)
            state.tally = self.tally
            return state

        self.engine.new_cases = new_cases  # type: ignore[method-assign]
        if rng is not SINGLY:
            yield from super()._feed(inputs, rng)
            return
        state, timelines = self.engine.new_cases(inputs.words), Timelines(inputs)
        for begin, batch in batches(inputs, list(range(1, len(inputs) + 1))):
            effects = self.engine.step_cases(state, batch, timelines.before(begin, batch))
            timelines.kept[begin : begin + len(batch)] = effects.kept
            yield effects, state.watermark, batch.position

    def curve(self, rule: str, **asked: Any) -> Curve:
        """What is told of a rule."""
        [one] = [c for c in self.engine.rulebook.rules if c.rule.id == rule]
        return curve(self.tally.of(rule, self.words), one, **asked)

    def raised(self, rule: str) -> Counter[str | None]:
        """What a rule has raised, whatever became of it: findings of each department."""
        found = [f for f in self.outcome.findings.values() if f.rule == rule]
        return Counter(f.department for f in found)


def stream_of(seed: int) -> tuple[Setting, list[Event | Fact]]:
    """A random district and stream in which nothing is corrected."""
    how, events = random_stream(random.Random(seed))
    plain = [e for e in events if not (isinstance(e, Event) and e.supersedes)]
    return how, plain


def set_to(engine: Engine, rule: str, limit: int) -> Engine:
    """The engine with a rule's limit set otherwise: of a table, that of rows without an entry."""
    book = engine.rulebook
    rules = tuple(_set(c, limit) if c.rule.id == rule else c for c in book.rules)
    return Engine(engine.district, replace(book, rules=rules))


def _set(c: Configured, limit: int) -> Configured:
    assert c.rule.tuned is not None
    setting = c.rule.tuned.setting
    if setting.startswith("bands."):
        return replace(c, rule=with_bands(c.rule, {setting.split(".")[1]: {"edge": limit}}))
    scale = 100 if setting.endswith("_yuan") else 1  # told in yuan, shown in fen
    return replace(c, params=Params(**vars(c.params) | {setting: limit // scale}))


def at(told: Curve, place: int) -> Counter[str | None]:
    """What a limit would raise, by department."""
    return Counter(dict(zip(told.departments, told.by_department[place], strict=True)))


def differing(seed: int, rule: str, pick: int, tally: Tally | None = None) -> str:
    """How what a limit would raise differs from what an engine with that limit raises."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cells, "WEEKS", 4_000)  # streams leap over years
        return _differing(seed, rule, pick, tally)


def _differing(seed: int, rule: str, pick: int, tally: Tally | None) -> str:
    how, events = stream_of(seed)
    if not events:
        return ""
    run = Counted(how, events, tally, rng=random.Random(seed))
    [one] = [c for c in run.engine.rulebook.rules if c.rule.id == rule]
    now = limits_in_force(one)
    own, *others = now
    assert one.rule.tuned is not None and set(run.tally.of(rule, run.words).limits) <= set(now)
    if len(now[own]) > 1:  # an entry says the same limit: its rows would not move with the others
        return ""
    told = run.curve(rule)
    assert told.in_force is not None
    rest = Counter[str | None]()
    for other in others:
        mine = run.curve(rule, limit=other / one.divisor)
        assert mine.in_force is not None
        rest += at(mine, mine.in_force)
    before = +(at(told, told.in_force) + rest)
    if rule == "back_entry":  # what contradicts the order of records has no limit to be tuned
        rest += run.raised(rule) - before
    elif before != run.raised(rule):
        return f"at the limit in force: {before}, found {run.raised(rule)}"
    yuan = 100 if one.rule.tuned.setting.endswith("_yuan") else 1
    places = [n for n, x in enumerate(told.limits) if x == int(x) and not int(x) % yuan]
    place = places[pick % len(places)]
    limit = int(told.limits[place])
    again = Counted(how, events, engine=set_to(engine_of(how), rule, limit))
    foreseen, found = +(at(told, place) + rest), again.raised(rule)
    return "" if foreseen == found else f"at {limit}: {foreseen}, found {found}"


@given(SEEDS, st.sampled_from(TUNED), st.integers(0, 1_000))
@settings(max_examples=100, deadline=None)
def test_a_limit_raises_what_was_said_beforehand(seed, rule, pick):
    assert differing(seed, rule, pick) == ""


class Shifted(Tally):
    """A broken one: a value on the limit in force counts as on its other side."""

    def _rows(self, configured, view):
        rows = super()._rows(configured, view)
        if rows is not None:
            rows["key"] ^= 1 << 13
        return rows


class Halved(Tally):
    """A broken one: of what comes in one batch it counts every other row."""

    def _rows(self, configured, view):
        rows = super()._rows(configured, view)
        return rows if rows is None else rows[::2]


@pytest.mark.parametrize("broken", [Shifted, Halved])
def test_a_broken_tally_is_noticed(broken):
    noticed = (
        differing(seed, rule, pick, broken())
        for seed in range(60)
        for rule, pick in (("too_fast_step", seed), ("off_hours", seed), ("late_exchange", 40))
    )
    assert any(noticed)


def plain(run: Counted) -> list[Any]:
    """All that was counted, in words of no process."""
    names = [run.curve(rule, every=True) for rule in TUNED]
    groups = sorted(run.tally.groups)
    single = [
        run.curve(rule, limit=limit / one.divisor)
        for rule, limit in groups
        for one in run.engine.rulebook.rules
        if one.rule.id == rule
    ]
    return [groups, *(msgspec.to_builtins(one) for one in names + single)]


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_any_cut_counts_the_same(seed):
    how, events = random_stream(random.Random(seed))
    whole = plain(Counted(how, events))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tallies, "WAITING_MAX", 7)  # sorted in again and again
        assert plain(Counted(how, events, rng=random.Random(seed))) == whole
    assert plain(Counted(how, events, rng=SINGLY)) == whole


class Forgetful(Tally):
    """A broken one: what waits is not sorted in but forgotten."""

    def _add(self, rows):
        cells, waiting, filled = self.held
        self.held = (cells, waiting, 0) if filled + len(rows) > len(waiting) else self.held
        super()._add(rows)


def test_a_tally_that_depends_on_the_cut_is_noticed(monkeypatch):
    monkeypatch.setattr(tallies, "WAITING_MAX", 7)
    how, events = random_stream(random.Random(5))
    sound, broken = Counted(how, events), Counted(how, events, Forgetful())
    assert plain(sound) == plain(Counted(how, events, rng=random.Random(1)))
    assert plain(sound) != plain(broken)


# --- bins and weeks -------------------------------------------------------------------------------


@given(st.integers(0, 2**46))
def test_a_bin_is_at_most_a_sixteenth_wide(grains):
    number = bins_of(np.array([grains]))
    least = int(least_of(number)[0])
    behind = int(EDGES[np.searchsorted(EDGES, least, side="right")])
    assert least <= grains < behind and behind - least <= max(1, least / 16)
    assert bins_of(np.array([least, behind])).tolist() == [
        number[0],
        bins_of(np.array([behind]))[0],
    ]
    assert bins_of(np.array([behind]))[0] > number[0]


def rows(*told: tuple[int, int]) -> np.ndarray:
    """Rows of one limit: (week, instant in it) of each."""
    made = np.zeros(len(told), ROW)
    made["key"] = [week for week, _ in told]
    made["at"] = [7 * week * DAY_US + at for week, at in told]
    return made


def test_weeks_that_are_too_old_are_forgotten_and_the_latest_rows_kept():
    kept = settled(NOTHING, rows((10, 1), (11, 2), (63, 3)))
    assert (kept.keys.tolist(), kept.counts.tolist()) == ([11, 63], [1, 1])
    kept = settled(kept, rows((11, 9), (10, 8), *((63, n) for n in range(20, 30))))
    assert (kept.keys.tolist(), kept.counts.tolist()) == ([11, 63], [2, 11])
    assert (kept.latest["at"] - 7 * 63 * DAY_US).tolist() == [27, 28, 29]


def test_cells_are_bounded(monkeypatch):
    monkeypatch.setattr(cells, "CELLS_MAX", 3)
    kept = settled(NOTHING, rows(*((week, week) for week in range(5, 12))))
    assert kept.keys.tolist() == [9, 10, 11]
