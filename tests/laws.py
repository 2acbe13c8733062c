"""The laws that every rule keeps, and the rulebook as a whole: one list, run over all of them.

A law takes a subject and raises AssertionError. A subject is a rule alone, or all of them, judged
by an engine; `broken.py` has the subjects that the laws must reject.
"""

from __future__ import annotations

import copy
import gc
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import msgspec
import numpy as np
from bridge import SHELF, Embedded, Run, engine_of, name_all, oracle_told
from oracle import Setting, judge
from streams import RULES, Stream, random_stream

from detector.columns import ARRAYS
from detector.engine import Engine
from detector.event import Event, Fact
from detector.rulekit import Rule
from detector.shelf import Shelved
from detector.values import ABSENT

STREAMS = 3  # that a law looks at, unless asked for more


@dataclass(frozen=True)
class Subject:
    """One rule, or all of them, and the engine that judges by it."""

    name: str = "rulebook"
    shelf: Mapping[str, Shelved] = field(default_factory=lambda: SHELF)
    make: Callable[..., Engine] = Engine

    def setting(self, how: Setting) -> Setting:
        """The setting with this rule alone, which speaks even where the setting has it off."""
        if self.name == "rulebook":
            return how
        mine = how.params.get(self.name, {})
        told = {**mine, "mode": "shadow" if mine.get("mode") == "shadow" else "on"}
        return replace(how, params={**{r: {"mode": "off"} for r in RULES}, self.name: told})

    def engine(self, how: Setting) -> Engine:
        """The engine for a setting."""
        return engine_of(how, self.shelf, self.make)

    def streams(self, count: int) -> Iterator[Stream]:
        """Streams in which the rule has something to say."""
        for seed in _seeds(self.name, count):
            how, events = random_stream(random.Random(seed))
            yield self.setting(how), events

    def run(self, how: Setting, events: list[Event | Fact], **how_cut: Any) -> Run:
        """One run of a fresh engine."""
        return Run(how, events, engine=self.engine(how), **how_cut)

    def embedded(self, how: Setting, events: list[Event | Fact]) -> Embedded:
        """The embedded engine, not fed yet."""
        return Embedded(self.engine(how), how, events)


@cache
def _seeds(name: str, count: int) -> tuple[int, ...]:
    found: list[int] = []
    seed = 0
    while len(found) < count:
        verdicts = _verdicts(seed)
        if name == "rulebook" or any(f.rule == name for f in verdicts.findings.values()):
            found.append(seed)
        seed += 1
    return tuple(found)


@cache
def _verdicts(seed: int) -> Any:
    how, events = random_stream(random.Random(seed))
    return judge(events, how)


_LIMITS = ("promised_days", "statutory_days", "fee_fen")
Law = Callable[..., None]


def same(one: Mapping[str, Any], other: Mapping[str, Any], what: str) -> None:
    """Two runs told the same."""
    for part in one.keys() | other.keys():
        if one.get(part) != other.get(part):
            raise AssertionError(f"{what}: {part}: {one.get(part)} / {other.get(part)}"[:2_000])


# --- how inputs are cut, spread and ordered ---------------------------------------------------


def any_cut(subject: Subject, streams: int = STREAMS) -> None:
    """Verdicts do not depend on how inputs are cut into batches."""
    for n, (how, events) in enumerate(subject.streams(streams)):
        whole = subject.run(how, events).told()
        for cut in range(2):
            told = subject.run(how, events, rng=random.Random(cut * 1_000 + n)).told()
            same(whole, told, "whole and cut")


def any_shard(subject: Subject, streams: int = STREAMS) -> None:
    """Nor on the number of shards, and which of them is ahead."""
    for n, (how, events) in enumerate(subject.streams(streams)):
        whole = subject.run(how, events).told()
        for shards in (1, 2, 3):
            told = subject.run(how, events, rng=random.Random(n), shards=shards).told()
            same(whole, told, f"one shard and {shards}")


def row_is_batch(subject: Subject, streams: int = STREAMS) -> None:
    """One input at a time comes to what one batch comes to."""
    for how, events in subject.streams(streams):
        fed = subject.embedded(how, events)
        fed.run(range(1, len(fed.inputs)))
        same(subject.run(how, events).told(), fed.told(), "batch and rows")


def any_file_order(subject: Subject, streams: int = STREAMS) -> None:
    """Where the instants of arrival differ, the order of files and lines means nothing."""
    for n, (how, events) in enumerate(subject.streams(streams)):
        events = _apart(name_all(events))
        mixed = events.copy()
        random.Random(n).shuffle(mixed)
        told = []
        for order in (events, mixed):
            run = subject.run(how, order).told()
            run["refused"] = sorted((order[p].received_at, f, e) for p, f, e in run["refused"])
            told.append(run)
        same(told[0], told[1], "one file and the same mixed")


def _apart(events: list[Event | Fact]) -> list[Event | Fact]:
    """The same inputs, each received at an instant of its own."""
    apart, last = [], 0
    for e in sorted(events, key=lambda e: (e.received_at, isinstance(e, Fact))):
        last = max(last + 1, e.received_at)
        apart.append(msgspec.structs.replace(e, received_at=last))
    return apart


def one_digest(subject: Subject, streams: int = STREAMS) -> None:
    """Equal inputs give equal digests, however judged; an input less gives another."""
    for n, (how, events) in enumerate(subject.streams(streams)):
        run = subject.run(how, events)
        again = subject.run(how, events, rng=random.Random(n), shards=2)
        assert run.digest() == again.digest(), "the digest depends on the run"
        assert run.digest() == subject.embedded(how, events).run().digest()
        if run.outcome.findings:
            run.outcome.findings.popitem()
            assert run.digest() != again.digest(), "the digest does not see a finding"


# --- what is remembered, and where ------------------------------------------------------------


def kill_and_resume(subject: Subject, streams: int = STREAMS) -> None:
    """A state kept at a border between batches, and a new engine, go on as if nothing was."""
    for n, (how, events) in enumerate(subject.streams(streams)):
        rng = random.Random(n)
        fed = subject.embedded(how, events)
        size = len(fed.inputs)
        border = rng.randrange(size)
        further = rng.randint(border, size)
        if border:
            fed.step(0, border)
        kept = copy.deepcopy(fed.state)
        inputs, timelines = fed.batch(border, further, fed.state)
        fed.engine.step(fed.state, inputs, timelines)  # lost with the engine that did it
        fed.engine, fed.state = subject.engine(how), kept
        fed.step(border, size)
        same(subject.run(how, events).told(), fed.told(), f"straight and killed at {border}")


def purity(subject: Subject, streams: int = STREAMS) -> None:
    """Equal states and inputs give equal effects; inputs stay as they are; nothing else is read."""
    for n, (how, events) in enumerate(subject.streams(streams)):
        subject.run(how, events)  # numpy imports some of itself on first use
        fed = subject.embedded(how, events)
        size = len(fed.inputs)
        border = random.Random(n).randrange(size)
        for begin, end in ((0, border), (border, size)):
            other = copy.deepcopy(fed.state)
            effects = []
            for state in (fed.state, other):
                inputs, timelines = fed.batch(begin, end, state)
                for some in (inputs, *timelines.values()):
                    for name in ARRAYS:
                        getattr(some, name).flags.writeable = False
                with nothing_else_read() as read:
                    try:
                        effects.append(_spelled(fed.engine.step(state, inputs, timelines)[1]))
                    except ValueError as fault:
                        raise AssertionError(f"writes to its inputs: {fault}") from fault
                assert not read, f"read besides its inputs: {read}"
            same(effects[0], effects[1], "two equal states")


def _spelled(effects: Any) -> dict[str, Any]:
    rows = [
        (u.rule, u.reason, u.source.case[u.rows].tolist(), u.source.event_id[u.rows].tolist())
        for u in effects.undetermined
    ]
    return {
        "moves": msgspec.json.encode(effects.moves), "undetermined": rows,
        "refused": effects.refused, "duplicates": effects.duplicates,
        "kept": effects.kept.tolist(), "accepted": effects.accepted,
    }  # fmt: skip


_OUTSIDE = {"time", "posix", "io", "_io", "random", "_random", "_socket", "select", "_ssl"}
_NOW = ("datetime.now", "datetime.today", "datetime.utcnow", "date.today")
_PYTHON = ("/random.py", "/socket.py", "/subprocess.py", "/secrets.py", "/uuid.py")


@contextmanager
def nothing_else_read() -> Iterator[list[str]]:
    """Watches every call for clocks, chance, environment, files and sockets; gives what it saw.

    A profiler sees calls by whatever name; numpy's generators, which it does not, are replaced.
    """
    read: list[str] = []

    def watch(frame: Any, what: str, arg: Any) -> None:
        if what == "c_call":
            module = arg.__module__ or type(arg.__self__).__module__
            if module in _OUTSIDE or arg.__qualname__ in _NOW:
                read.append(f"{module}.{arg.__qualname__}")
        elif what == "call":
            code = frame.f_code
            if code.co_filename.endswith(_PYTHON) or code.co_qualname.startswith("_Environ."):
                read.append(code.co_qualname)

    def chance(*_: Any, **__: Any) -> None:
        read.append("numpy.random")
        raise AssertionError("asks numpy for chance")

    names = [n for n in dir(np.random) if n[0].islower() and callable(getattr(np.random, n))]
    sound = {name: getattr(np.random, name) for name in names}
    before = sys.getprofile()
    gc.disable()  # whoever hooks into the collector, as hypothesis does, is not the subject
    for name in names:
        setattr(np.random, name, chance)
    sys.setprofile(watch)
    try:
        yield read
    finally:
        sys.setprofile(before)
        gc.enable()
        for name, function in sound.items():
            setattr(np.random, name, function)


# --- what is not known, and what fails --------------------------------------------------------


def missing_data(subject: Subject, streams: int = STREAMS) -> None:
    """What a source does not say makes rows undetermined or not applicable as docs/judging.md has
    it, never silently clear: fields and catalogue are thinned out and the oracle is asked."""
    for n, (how, events) in enumerate(subject.streams(2 * streams)):
        how, events = thinned(random.Random(n), how, events)
        run = subject.run(how, events)
        same(oracle_told(judge(events, how), run.engine), run.told(), "oracle and engine")


_COLUMNS = {
    "operators": "operator",
    "reasons": "reason",
    "documents": "documents",
    "fields": "fields",
}
_OPTIONAL: dict[str, Any] = {
    "operator": None, "step": None, "event_id": None, "procedure": None, "relief_reason": None,
    "fee_due": ABSENT, "fee_paid": ABSENT, "days_granted": ABSENT, "promised_days": ABSENT,
    "statutory_days": ABSENT, "due_at": ABSENT, "supersedes": None, "result": None, "reason": None,
    "grade": None, "party_kind": None, "documents": (), "fields": (), "factors": (), "fine": ABSENT,
    "offence_at": ABSENT,
}  # fmt: skip


def thinned(rng: random.Random, how: Setting, events: list[Event | Fact]) -> Stream:
    """A source that says less: fields, items, limits and fees left out here and there."""
    items = {}
    for code, item in how.items.items():
        unsaid: dict[str, Any] = {name: None for name in _LIMITS if rng.random() < 0.4}
        if rng.random() < 0.3:
            unsaid["benchmarks"] = ()
        if rng.random() < 0.8:
            items[code] = replace(item, **unsaid)
    known: dict[str, Any] = {
        f"{c}_known": getattr(how, f"{c}_known") and rng.random() < 0.8 for c in _COLUMNS
    }
    less = []
    for e in events:
        gone = {name: empty for name, empty in _OPTIONAL.items() if rng.random() < 0.25}
        for column, name in _COLUMNS.items():
            if not known[f"{column}_known"]:
                gone[name] = _OPTIONAL[name]
        if isinstance(e, Event) and e.step == e.action:
            gone["step"] = e.step  # to say it or not is the same, and no contradiction
        less.append(msgspec.structs.replace(e, **gone) if isinstance(e, Event) else e)
    return replace(how, items=items, **known), less


def fault_is_said(subject: Subject, streams: int = STREAMS) -> None:
    """A rule that fails says so for every row that it was to judge; other rules judge as ever."""
    for rule in _measured(subject):
        for how, events in subject.streams(streams):
            _judge_with_fault(subject, rule, how, events, lambda c: c["recorded_at"] != 0)


def fault_costs_its_row(subject: Subject, streams: int = STREAMS) -> None:
    """A rule that fails on some rows judges the others, whatever batch they came in."""
    for rule in _measured(subject):
        for how, events in subject.streams(streams):
            _judge_with_fault(subject, rule, how, events, _every_third_second)


def _every_third_second(c: Any) -> np.ndarray:
    return c["recorded_at"] // 1_000_000 % 3 == 0


def _measured(subject: Subject) -> list[Rule]:
    rules = [s.rule for i, s in subject.shelf.items() if subject.name in (i, "rulebook")]
    return [rule for rule in rules if rule.measure is not None]


def _judge_with_fault(
    subject: Subject, rule: Rule, how: Setting, events: list[Event | Fact],
    fails: Callable[[Any], np.ndarray],
) -> None:  # fmt: skip
    """Judge with the sound rule and with one that fails on some rows, and compare row by row."""
    how = replace(how, params={r: p for r, p in how.params.items() if r != rule.id})
    events = [e for e in events if not isinstance(e, Event) or not e.supersedes]
    measured: dict[tuple[str, str], bool] = {}  # (case, event) → does it fail
    sound = rule.measure
    assert sound is not None

    def noting(c: Any, p: Any) -> np.ndarray:
        inputs = c.batch.inputs
        cases = inputs.words.case.texts(inputs.case[c.rows])
        names = [name.decode() for name in inputs.event_id[c.rows].tolist()]
        for case, name, bad in zip(cases, names, fails(c).tolist(), strict=True):
            measured[case, name] = measured.get((case, name), False) or bad
        return sound(c, p)

    def failing(c: Any, p: Any) -> np.ndarray:
        if fails(c).any():
            raise ZeroDivisionError
        return sound(c, p)

    runs = []
    for measure in (noting, failing):
        shelf = {**subject.shelf, rule.id: Shelved(replace(rule, measure=measure), "")}
        runs.append(replace(subject, shelf=shelf).run(how, events))
    bad = {row for row, fault in measured.items() if fault}
    rest = [u for u in runs[0].unknown if u[0] != rule.id or u[2:] not in bad]
    said = [(rule.id, "rule_error: ZeroDivisionError", *row) for row in bad]
    expected, found = Counter(rest + said), Counter(runs[1].unknown)
    assert found == expected, f"{rule.id}: {found - expected} too many, {expected - found} missing"
    if rule.subject == "case":
        for told, other in (runs, runs[::-1]):
            for f in told.outcome.findings.values():
                if f.rule != rule.id or (f.case_id, f.events[-1]) not in bad:
                    assert f.finding_id in other.outcome.findings, f"{rule.id}: lost {f}"


LAWS: tuple[Law, ...] = (
    any_cut, any_shard, row_is_batch, any_file_order, one_digest, kill_and_resume, purity,
    missing_data, fault_is_said, fault_costs_its_row,
)  # fmt: skip
