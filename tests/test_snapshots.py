"""A snapshot is the state of one instant, however long its writing takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_kit import COUNTY, Live

from detector.district import load_district
from detector.live import snapshot
from detector.live.shard import Shard
from detector.live.snapshot import Captured, Twin, capture
from detector.simulate.county import simulate
from detector.simulate.text import lines
from detector.values import iso_time

CASES, DAYS, CUTS = 400, 60, 5


@pytest.fixture(scope="module")
def county() -> list[bytes]:
    """A small county to the end of its last clock: interruptions, certificates, corrections."""
    made = simulate(CASES, 3, DAYS, load_district(COUNTY))
    end = int(made.stream.received[-1] + 90 * 86_400) * 1_000_000
    return [*lines(made), b'{"kind":"tick","at":"%s"}' % iso_time(end).encode()]


def written(captured: Captured, folder: Path) -> bytes:
    """The bytes of a snapshot that is written now."""
    return snapshot.write(captured, folder).read_bytes()


def hasty(shard: Shard, twin: Twin) -> Captured:
    """A broken one: it keeps the shard's own list of words."""
    captured = capture(shard, twin)
    captured.words["case"] = shard.words.case.words
    return captured


def differing(county: list[bytes], folder: Path, take=capture) -> list[int]:
    """The captures, by number, whose bytes are others once the engine has gone on."""
    live = Live()
    size = len(county) // CUTS
    held = []
    for number in range(CUTS):
        live.post(*county[number * size : (number + 1) * size])
        captured = take(live.runner.shard, Twin())
        held.append((captured, written(captured, folder / f"at once {number}")))
    live.post(*county[CUTS * size :])
    live.stop()
    assert not live.failures
    shard = live.runner.shard
    assert shard.state.cases.suspensions and shard.state.operators.memory
    late = enumerate(held)
    return [n for n, (one, was) in late if written(one, folder / f"late {n}") != was]


def test_nothing_that_comes_later_is_in_a_snapshot(county, tmp_path):
    assert differing(county, tmp_path) == []


def test_a_snapshot_that_shares_with_the_engine_is_noticed(county, tmp_path):
    assert differing(county, tmp_path, hasty)
