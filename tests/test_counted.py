"""Engines that each judge some of the cases have counted, together, what one engine counts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tally import SINGLY, TUNED, stream_of
from test_tally import Counted as Run

from detector import cells, counted
from detector import tally as tallies
from detector.cells import (
    BIN_BITS,
    DEPARTMENT_BITS,
    REFERENCES,
    ROW,
    SIDE_BITS,
    WEEK_BITS,
    WEEKS,
    tie_of,
)
from detector.cluster.layout import partitions_of
from detector.columns import Words
from detector.counted import Counted, decode, encode, merged
from detector.event import Event
from detector.tally import Tally
from detector.thresholds import curve
from detector.values import DAY_US
from detector.vocabulary import hash_text

RULE, OTHER = "too_fast_step", "off_hours"
SEEDS = st.integers(0, 2**32)


class Row(NamedTuple):
    """One row of a rule, in words."""

    rule: str
    limit: int
    department: str
    bin: int
    side: int
    week: int
    at: int
    value: int
    case: str
    item: str
    step: str


def some_rows(rng: random.Random) -> list[Row]:
    """Rows of few cases, limits, bins and instants, so that much of it meets; in some of them years
    lie between the weeks."""
    first, span = 2_900, rng.choice((3, 60, 200))
    rows = []
    for _ in range(rng.randrange(1, 150)):
        week = first + rng.randrange(span)
        at = 7 * week * DAY_US + rng.randrange(2)
        rows.append(
            Row(
                rng.choice((RULE, RULE, OTHER)), rng.choice((60, 90)), rng.choice("南北东"),
                rng.randrange(3), rng.randrange(2), week, at, rng.randrange(4),
                f"案{rng.randrange(12)}", rng.choice("pq"), rng.choice("st"),
            )
        )  # fmt: skip
    return rows


def by_text(row: Row) -> int:
    """As an engine does: the case, and all that the line says."""
    told = hash_text(row.case) ^ hash_text(f"{row.item}{row.step}{row.at}{row.department}")
    return told - (1 << 64) if told >> 63 else told


def count(rows: Sequence[Row], tie: Callable[[Row, Words], int]) -> tuple[Tally, Words]:
    """What an engine holds that has judged these rows in this order."""
    tally, words = Tally(), Words()
    for row in rows:
        codes = [getattr(words, name).code(getattr(row, name)) for name in cells.CODED]
        key = tally._group(row.rule, row.limit, 1) << DEPARTMENT_BITS | (codes[-1] + 1)
        key = (key << BIN_BITS | row.bin) << SIDE_BITS | row.side
        told = (key << WEEK_BITS | row.week, row.at, row.value, tie(row, words), *codes)
        tally._add(np.array([told], ROW))
    return tally, words


def stable(row: Row, words: Words) -> int:
    return by_text(row)


def of_codes(row: Row, words: Words) -> int:
    """A broken one: what decides is a matter of one process."""
    return words.case.code(row.case) * 31 + words.item.code(row.item)


class Spelled(NamedTuple):
    """What was counted, in words."""

    limits: list[int]
    counts: dict[tuple[Any, ...], int]
    latest: list[tuple[Any, ...]]


def spelled(told: Counted) -> Spelled:
    found, names = told.found(), told.words
    department = [names["department"][code] for code in found.department.tolist()]
    columns = (found.bin, found.side, found.week)
    keys = zip(found.limit.tolist(), department, *(c.tolist() for c in columns), strict=True)
    counts = dict(zip(keys, found.many.tolist(), strict=True))
    rows = found.latest
    texts = (
        [names[name][c] for c in rows[name].tolist()]
        for name in ("department", "case", "item", "step")
    )
    bins = (rows["key"] >> (WEEK_BITS + SIDE_BITS)) & ((1 << BIN_BITS) - 1)
    numbers = (found.latest_limit, bins, rows["at"], rows["value"])
    latest = zip(*(n.tolist() for n in numbers), *texts, strict=True)
    return Spelled(sorted(told.limits), counts, sorted(latest))


def slow(rows: Sequence[Row], rule: str) -> Spelled:
    """The same from the definition, one row after the other."""
    newest = max(row.week for row in rows)
    mine = [row for row in rows if row.rule == rule]
    limits = sorted({row.limit for row in mine})
    mine = [row for row in mine if row.week > newest - WEEKS]
    counts = Counter((r.limit, r.department, r.bin, r.side, r.week) for r in mine)
    latest = []
    for place in {row[1:5] for row in mine}:  # limit, department, bin, side
        some = sorted((r for r in mine if r[1:5] == place), key=lambda r: (r.week, r.at, _tie(r)))
        latest += [
            (r.limit, r.bin, r.at, r.value, r.department, r.case, r.item, r.step)
            for r in some[-REFERENCES:]
        ]
    return Spelled(limits, dict(counts), sorted(latest))


def _tie(row: Row) -> int:
    made = np.zeros(1, ROW)
    made["tie"], made["value"] = by_text(row), row.value
    return int(tie_of(made)[0])


def together(
    seed: int, shards: int, tie: Callable[[Row, Words], int] = stable
) -> tuple[Spelled, Spelled, Spelled]:
    """What shards, one engine, and the oracle have counted of a rule."""
    rng = random.Random(seed)
    rows = some_rows(rng)
    parts = []
    for shard in range(shards):
        mine = [row for row in rows if hash_text(row.case) % shards == shard]
        rng.shuffle(mine)
        tally, words = count(mine, tie)
        parts.append(decode(encode(tally.of(RULE, words))))
    rng.shuffle(parts)
    half = rng.randrange(len(parts))
    if half:  # some of them first, as whoever adds up may
        parts = [merged(parts[:half]), *parts[half:]]
    tally, words = count(rows, tie)
    whole = spelled(tally.of(RULE, words))
    return spelled(merged(parts)), whole, slow(rows, RULE)


@given(SEEDS, st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_shards_have_counted_what_one_engine_does(seed, shards):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tallies, "WAITING_MAX", 13)  # sorted in again and again
        parts, whole, oracle = together(seed, shards)
    assert whole == oracle
    assert parts == oracle


def as_they_are(part, limits, words, newest):
    """A broken one: takes the codes of other processes for its own."""
    for name in cells.CODED:
        words[name].extend(part.words[name])
    return part.cells


BROKEN = {
    "codes": (counted, "_recoded", as_they_are),
    "weeks": (counted, "oldest_week", lambda newest: 0),
    "rows": (counted, "latest_of", lambda rows: rows),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_merger_is_noticed(name, monkeypatch):
    monkeypatch.setattr(*BROKEN[name])
    told = [together(seed, 3) for seed in range(30)]
    assert any(parts != oracle for parts, _, oracle in told)


def test_a_choice_by_codes_is_noticed():
    told = [together(seed, 3, of_codes) for seed in range(30)]
    assert any(parts != whole for parts, whole, _ in told)


# --- the whole road: engines, and what the explorer says ------------------------------------------


def curves(rules: Any, told: Callable[[str], Counted]) -> list[Any]:
    """All that is said of each rule that can be tried out."""
    drawn = []
    for name in TUNED:
        [one] = [c for c in rules if c.rule.id == name]
        mine = told(name)
        drawn.append(curve(mine, one, every=True))
        drawn += [curve(mine, one, limit=limit / one.divisor) for limit in sorted(mine.limits)]
    return [msgspec.to_builtins(one) for one in drawn]


def twelve_of(events: Sequence[Any]) -> list[Any]:
    """Every case twelve times, in three departments: more rows of one instant than are kept."""
    some = [e for e in events if isinstance(e, Event)]
    facts = [e for e in events if not isinstance(e, Event)]
    return [
        msgspec.structs.replace(e, case_id=f"{e.case_id}-{n * 7 % 12}", department="东南北"[n % 3])
        for e in some
        for n in range(12)
    ] + facts


@given(SEEDS, st.integers(2, 4))
@settings(max_examples=20, deadline=None)
def test_what_is_said_does_not_depend_on_the_number_of_engines(seed, shards):
    how, events = stream_of(seed)
    events = twelve_of(events)
    if not events:
        return
    until = max(e.received_at for e in events) + 1_000_000
    whole = Run(how, events, until=until)
    cases = [e.case_id if isinstance(e, Event) else "" for e in events]
    of = partitions_of([case.encode() for case in cases], shards)
    runs = [
        Run(how, mine, until=until, rng=random.Random(seed + shard))
        for shard in range(shards)
        if (mine := [e for e, p in zip(events, of, strict=True) if p == shard or _fact(e)])
    ]

    def parts(rule: str) -> Counted:
        return merged([decode(encode(one.tally.of(rule, one.words))) for one in runs])

    rules = whole.engine.rulebook.rules
    assert curves(rules, parts) == curves(rules, lambda rule: whole.tally.of(rule, whole.words))


def test_a_row_that_comes_alone_bears_the_same_hash():
    told = set()
    for seed in range(3):
        how, events = stream_of(seed)
        runs = [Run(how, twelve_of(events)[:200], rng=rng) for rng in (None, SINGLY)]
        ties = [
            sorted(run.tally.of(rule, run.words).cells.latest["tie"].tolist() for rule in TUNED)
            for run in runs
        ]
        assert ties[0] == ties[1]
        told |= {tie < 0 for some in ties[0] for tie in some}
    assert told == {True, False}


def _fact(one: Any) -> bool:
    return not isinstance(one, Event)


# --- over the wire --------------------------------------------------------------------------------


def test_only_what_is_needed_goes_over_the_wire():
    rows = some_rows(random.Random(3))
    tally, words = count(rows, stable)
    words.case.encode([f"other{n}" for n in range(1_000)])
    sent = decode(encode(tally.of(RULE, words)))
    assert spelled(sent) == slow(rows, RULE)
    assert {len(sent.words[name]) <= len(sent.cells.latest) for name in cells.CODED} == {True}
    nothing = decode(encode(tally.of("never_heard_of", words)))
    assert (nothing.limits, len(nothing.cells.keys)) == ([], 0)
    assert spelled(merged([sent, nothing])) == slow(rows, RULE)


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_what_was_cut_is_not_taken_for_a_whole(cut):
    tally, words = count(some_rows(random.Random(3)), stable)
    with pytest.raises(ValueError, match=r"."):
        decode(encode(tally.of(RULE, words))[:cut])


def test_faults_and_rows_that_were_not_counted_are_added_up():
    some = []
    for fault, many in (("KeyError", 2), (None, 0), ("IndexError", 5)):
        tally, words = count(some_rows(random.Random(3)), stable)
        tally.faults = {RULE: fault} if fault else {}
        tally.uncounted = {RULE: many} if many else {}
        some.append(tally.of(RULE, words))
    whole = merged(some)
    assert (whole.fault, whole.uncounted) == ("IndexError", 7)
