"""The compiled road says of every line what the objects say, however the lines are cut.

Everything that a decoder gives out is compared: columns with codes as texts, hashes, facts,
refusals, dropped fields. The objects themselves are held against `event.read` in `test_decode`.
"""

import json
import random
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from decode_kit import REPORTER, SHANGHAI, ZONES, spelled
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import mutated, random_line
from scan_lines import EDGES, NONE_RARE, STAMPS, line_of, plain, some_lines

from detector import quick
from detector.columns import ARRAYS, Words
from detector.decode import Decoder
from detector.event import LINE_BYTES_MAX, Reading
from detector.quick import Lane
from detector.stamps import MONTH_DAY
from detector.values import ABSENT
from detector.vocabulary import hash_texts, to_bytes

COMPILED, OBJECTS = 0, None  # as `scan_after` has it

# --- the law --------------------------------------------------------------------------------------


def given_out(scan_after, blocks, how=SHANGHAI, drop=()) -> dict[str, list]:
    """All that one decoder gives out about blocks of lines, one after the other."""
    decoder = Decoder(Words(), how, "file", drop, scan_after=scan_after)
    out: dict[str, list] = {name: [] for name in (*ARRAYS, "key", "facts", "refusals", "dropped")}
    number = 1
    for block in blocks:
        decoded = decoder.decode(block, number, number + 1_000)
        inputs = decoded.inputs
        for name, values in spelled(inputs).items():
            out[name] += values
        out["key"] += inputs.event_key().tolist()
        out["facts"] += inputs.facts
        out["refusals"] += decoded.refusals
        out["dropped"].append(decoded.dropped)
        number += block.count(b"\n")
        kinds = {name: getattr(inputs, name).dtype.kind for name in ARRAYS}
        assert "".join(kinds.values()) == "iiiiiiiiiSiiiiiiiiiiiibbuSi", kinds
    out["dropped"] = [sum(out["dropped"])]
    return out


def cut(rng, lines) -> list[bytes]:
    """The lines as blocks of random sizes, each ending with a newline but the last."""
    ends = sorted({*rng.choices(range(len(lines) + 1), k=rng.randint(0, 6)), len(lines)} - {0})
    blocks = [b"\n".join(lines[a:b]) + b"\n" for a, b in zip([0, *ends], ends, strict=False)]
    blocks[-1] = blocks[-1][: len(blocks[-1]) - rng.randrange(2)]
    return blocks


def law(lines, how=SHANGHAI, drop=(), rng=None) -> None:
    """What the compiled road gives out equals what the objects give out of one whole block."""
    whole = [b"\n".join(lines) + b"\n"]
    compiled = given_out(COMPILED, cut(rng, lines) if rng else whole, how, drop)
    objects = given_out(OBJECTS, whole, how, drop)
    for name, values in objects.items():
        assert compiled[name] == values, name


def accepted(lines, how=SHANGHAI, drop=()) -> int:
    """How many lines the kernels take."""
    scanned = Lane(Words(), drop, frozenset()).read(b"\n".join(lines), how, 0)
    return 0 if scanned.inputs is None else len(scanned.inputs)


def some_reading(rng) -> Reading:
    stamp = rng.choice((None, None, None, 1_772_413_200_000_000, 1_772_499_600_000_000))
    return Reading(rng.choice(list(ZONES.values())), rng.choice((366, 3)), stamp)


DROPS = ((), REPORTER, (*REPORTER, "remark"), ("*_name",), ("fee*", "版*"))


def fuzz(seed, rounds, size) -> int:
    """The law over lines that follow from a seed; how many of them the kernels took."""
    rng, taken = random.Random(seed), 0
    for _ in range(rounds):
        lines, how, drop = some_lines(rng, size), some_reading(rng), rng.choice(DROPS)
        law(lines, how, drop, rng)
        taken += accepted(lines, how, drop)
    return taken


# --- tests ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_broken_lines_of_many_shapes(seed):
    assert fuzz(seed, 12, 80) > 12 * 80 * 0.25, "else nothing was tried"


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 140))
def test_a_great_many_broken_lines(seed):
    assert fuzz(seed, 400, 100) > 400 * 100 * 0.25


@settings(max_examples=150)
@given(st.integers(0, 2**64 - 1))
def test_lines_and_cuts_at_random(seed):
    rng = random.Random(seed)
    lines = [mutated(rng, random_line(rng)) if rng.random() < 0.5 else line_of(rng)
             for _ in range(rng.randint(1, 20))]  # fmt: skip
    lines = [line.replace(b"\n", b" ") for line in lines]
    law(lines, some_reading(rng), rng.choice(DROPS), rng)


@settings(max_examples=150)
@given(
    st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(EDGES)), max_size=4),
    st.sampled_from("reason item event_id due_at fee_due documents remark imported".split()),
)
def test_any_bytes_as_a_value(values, name):
    head = line_of(random.Random(1), **{name: ...})[:-1]
    lines = [head + b',"%s":%s}' % (name.encode(), value.replace(b"\n", b"")) for value in values]
    law([*lines, line_of(random.Random(2))])


def test_the_batch_cut_decides_nothing():
    rng = random.Random(7)
    lines = some_lines(rng, 400)
    whole = given_out(COMPILED, [b"\n".join(lines)], drop=REPORTER)
    for _ in range(4):
        assert given_out(COMPILED, cut(rng, lines), drop=REPORTER) == whole
    assert given_out(COMPILED, [line + b"\n" for line in lines], drop=REPORTER) == whole


def test_plain_lines_are_taken_and_an_unknown_field_costs_nobody_the_road():
    rng = random.Random(3)
    always = {**NONE_RARE, "remark": {"a": [1, "x", None]}, "reason": "缺件", "fee_due": "80.00",
              "documents": ["甲"], "fields": ["x"], "due_at": ..., "title": ...}  # fmt: skip
    for stamp in STAMPS:
        times = dict.fromkeys(("occurred_at", "recorded_at", "received_at"), stamp)
        lines = [json.dumps(plain(rng, **always | times), ensure_ascii=False).encode()
                 for _ in range(50)]  # fmt: skip
        assert accepted(lines) > 40, "but for money like 007 and such"
        law(lines, drop=REPORTER)


def test_every_day_hour_and_offset():
    days = [f"{year}-{month:02}-{day:02}" for year in (1989, 1990, 2000, 2023, 2024, 2099, 2100)
            for month in range(14) for day in (0, 1, 15, 28, 29, 30, 31, 32)]  # fmt: skip
    clocks = [f"{h:02}:{m:02}:{s:02}" for h in (0, 1, 12, 23, 24) for m in (0, 59, 60)
              for s in (0, 59, 60, 61)]  # fmt: skip
    tails = ["", "Z", "z", "+00:00", "-00:00", "+18:00", "+18:01", "-18:00", "+07:60", "+7:00"]
    tails += ["." + "9" * n + "Z" for n in range(1, 11)] + ["." + "1" * n for n in range(8)]
    stamps = [day + "T00:00:00Z" for day in days] + [
        day.replace("-", "") + "000000" for day in days
    ]
    stamps += [f"2026-03-29T{c}Z" for c in clocks] + [
        f"20260329T{c.replace(':', '')}" for c in clocks
    ]
    stamps += [f"2026-03-29{sep}02:30:00{tail}" for sep in "Tt _" for tail in tails]
    stamps += [s.replace("0", x, 1) for s in STAMPS for x in ("x", "/", ":", "０", " ")]
    rng = random.Random(5)
    lines = [line_of(rng, due_at=s, recorded_at=STAMPS[0], occurred_at=STAMPS[0]) for s in stamps]
    lines += [line_of(rng, occurred_at=s, recorded_at=s, received_at=...) for s in stamps]
    for zone in ZONES.values():
        law(lines, Reading(zone, 200 * 366))


def test_every_change_of_the_clock_in_every_zone():
    hours = [f"{day}T{h:02}:{m:02}:00" for day in ("2026-03-29", "2026-10-25", "2026-03-08",
             "2026-11-01", "1991-04-14", "1991-09-15", "2026-04-05") for h in range(4)
             for m in (0, 29, 30, 59)]  # fmt: skip
    rng = random.Random(6)
    lines = [line_of(rng, occurred_at=t, recorded_at=t, received_at=...) for t in hours]
    for zone in ZONES.values():
        assert accepted(lines, Reading(zone)) > len(lines) / 2
        law(lines, Reading(zone))


def test_lines_about_as_long_as_may_be():
    rng = random.Random(8)
    base = line_of(rng)[:-1] + b',"x":"'
    lines = [base + b"y" * (LINE_BYTES_MAX - len(base) - 2 + n) + b'"}' + tail
             for n in (-2, -1, 0, 1, 2) for tail in (b"", b"\r", b" ")]  # fmt: skip
    law([*lines, line_of(rng)], rng=rng)
    assert accepted(lines) > 3


def test_the_shortest_lines_that_say_all_that_must_be_said():
    line = (b'{"case_id":"c","action":"pay","item":"i","department":"d",'
            b'"occurred_at":"20260302090000","recorded_at":"20260302090000"}')  # fmt: skip
    assert accepted([line] * 500) == 500
    law([line] * 500)


def test_a_block_of_nothing():
    for block in (b"", b"\n", b"\n\n\r\n ", b"{", b"\xff" * 100):
        assert given_out(COMPILED, [block]) == given_out(OBJECTS, [block])


# --- the table of known texts ---------------------------------------------------------------------


def test_more_words_than_the_table_had_room_for():
    rng = random.Random(9)
    lines = [line_of(rng, case_id=f"c{n}", operator=f"o{n}", reason=f"r{n}") for n in range(3_000)]
    law(lines, rng=rng)


def test_a_table_that_is_forgotten_gives_the_same_codes(monkeypatch):
    monkeypatch.setattr(quick, "_WORDS_MAX", 40)
    monkeypatch.setattr(quick, "_TOLD_MAX", 3)
    rng = random.Random(10)
    law([line_of(rng) for _ in range(600)], rng=rng)


def crowded(kind: int, slots: int, count: int) -> list[str]:
    """Texts whose places in a table of so many slots are all the same."""
    texts = [f"c{n}" for n in range(count * slots * 2)]
    home = hash_texts(to_bytes(texts)) & np.uint64(slots - 1)
    return [text for text, at in zip(texts, home.tolist(), strict=True) if at == home[0]][:count]


def test_texts_that_crowd_one_place_of_the_table_go_the_slow_way():
    rng = random.Random(11)
    lines = [
        line_of(rng, case_id=c, item="permit", department="D01") for c in crowded(0, 4_096, 90)
    ]
    assert accepted(lines) < 75
    law(lines)


def test_a_line_that_is_left_leaves_nothing_in_the_vocabularies():
    rng = random.Random(12)
    lines = [line_of(rng, case_id="new1", procedure="dance"), line_of(rng, case_id="new2", item=5),
             line_of(rng, case_id="new3", reason="r" * 2_000, operator="new"),
             line_of(rng, case_id="new4", step="x")[:-1]]  # fmt: skip
    words = Words()
    lane = Lane(words, (), frozenset())
    before = [len(v) for v in vars(words).values()]
    scanned = lane.read(b"\n".join(lines), SHANGHAI, 0)
    assert scanned.inputs is None
    assert [len(v) for v in vars(words).values()] == before
    assert scanned.rest.split(b"\n") == lines
    lane.read(line_of(rng, case_id="new1", **NONE_RARE), SHANGHAI, 0)
    assert words.case.words == ["new1"]


# --- subjects that the law rejects ----------------------------------------------------------------


def with_thirty_days_in_february(monkeypatch):
    months = MONTH_DAY.copy()
    february = (2026 - 1989) * 12 + 1
    months[february + 1] += 2
    monkeypatch.setattr(quick, "MONTH_DAY", months)
    return [line_of(random.Random(1), due_at="2026-02-30T00:00:00Z")]


def deaf_to_privacy(monkeypatch):
    monkeypatch.setattr(quick, "_drops", lambda drop: np.zeros((0, 256), np.uint8))
    return [line_of(random.Random(1), reporter_name="x")]


def blind_to_repeats(monkeypatch):
    """Takes a key that stands there twice for two keys, the second of which is nobody's."""
    keys = quick._keys

    def half(drop):
        table = keys(drop)
        table[table[:, 2] == quick.FIELDS.index("fee_due") + 3, 2] = 2  # no field that we know
        return table

    monkeypatch.setattr(quick, "_keys", half)
    return [line_of(random.Random(1), fee_due="300")[:-1] + b',"fee_due":"301"}']


def generous_with_days(monkeypatch):
    monkeypatch.setattr(quick, "DAYS_MAX", 9_999)
    return [line_of(random.Random(1), days_granted=3_661)]


def in_another_zone(monkeypatch):
    monkeypatch.setattr(quick, "_zone", lambda changes: np.array([(ABSENT, 0)], np.int64))
    return [line_of(random.Random(1), due_at="20260302T090000")]


SUBJECTS = (
    with_thirty_days_in_february, deaf_to_privacy, blind_to_repeats, generous_with_days,
    in_another_zone,
)  # fmt: skip


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.__name__)
def test_the_law_rejects(subject, monkeypatch):
    lines = subject(monkeypatch)
    with pytest.raises(AssertionError):
        law(lines, drop=REPORTER)
    monkeypatch.undo()
    law(lines, drop=REPORTER)


# --- the kernels as a dependency ------------------------------------------------------------------


def test_each_kernel_is_compiled_once():
    quick.warm()
    fuzz(1, 2, 40)
    kernels = quick.kernels()
    for kernel in (kernels.scan, kernels.finish, kernels.enter, kernels.replant):
        assert len(kernel.signatures) == 1, kernel


def test_without_numba_nothing_starts():
    code = "import sys; sys.modules['numba'] = None; import detector.decode"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("ImportError: numba is not installed: run `make")
