"""Learned limits are a function of the inputs, however these come."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import msgspec
import pysqlite3.dbapi2 as driver
import pytest
from learning_kit import LEARNS, learning_county, learning_folder, run, stream
from live_kit import Live

from detector.learning.epochs import Epoch
from detector.ledger.sqlite_file import FILE, open_ledger
from detector.values import iso_time
from detector.verdict import Finding, canonical
from replay.run import Job, replay
from replay.verify import verify


def told(live: Live) -> dict[str, Any]:
    """All that a run came to: findings and notices, epochs, and what nobody could know."""
    return {
        "digest": live.digest(),
        "epochs": [row.sha256 for row in live.ledger.all_epochs()],
        "counts": sorted(map(str, live.ledger.counts())),
    }


@pytest.fixture(scope="module")
def calm() -> Live:
    return run(stream(), [])


def test_limits_are_published_and_judged_by(calm):
    epochs = [msgspec.json.decode(row.doc, type=Epoch) for row in calm.ledger.all_epochs()]
    assert max(one.limits for one in epochs) > 10
    found = [f for f in calm.findings().values() if f.rule == "unusually_fast"]
    assert found and all(f.tier <= 1 for f in found)
    one = found[0]
    assert one.evidence["cases"] >= 20 and one.evidence["since_day"] < one.evidence["until_day"]
    assert str(one.evidence["cases"]) in one.sentence.zh


@pytest.mark.parametrize("seed", range(3))
def test_any_cut_gives_the_same(calm, seed):
    some = random.Random(seed)
    cuts = sorted(some.sample(range(1, len(stream())), 40))
    assert told(run(stream(), cuts)) == told(calm)


def test_killed_and_resumed_gives_the_same(calm, tmp_path):
    some = random.Random(9)
    cuts = sorted(some.sample(range(1, len(stream())), 12))
    assert told(run(stream(), cuts, None, range(12), tmp_path)) == told(calm)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_replay_learns_the_same(calm, tmp_path, workers):
    (tmp_path / "log.ndjson").write_bytes(b"\n".join(stream()) + b"\n")
    district, out = learning_folder(tmp_path / "district"), tmp_path / "out"
    last = msgspec.json.decode(stream()[-1])["at"]
    job = Job((str(tmp_path / "log.ndjson"),), str(district), out=str(out), until=last)
    replay(replace(job, workers=workers))
    epochs = (out / "epochs.ndjson").read_bytes().splitlines()
    assert [msgspec.json.decode(e)["sha256"] for e in epochs] == told(calm)["epochs"]
    found = (out / "findings.ndjson").read_bytes().splitlines()
    made = [msgspec.json.decode(line, type=Finding) for line in found]
    assert {f.finding_id: canonical(f) for f in made} == {
        i: canonical(f) for i, f in calm.findings().items()
    }


def test_hindsight_judges_paths_by_all_the_others(tmp_path):
    """The whole record is known: cases of the first day are judged too, and nothing else moves."""
    (tmp_path / "log.ndjson").write_bytes(b"\n".join(stream()) + b"\n")
    district = learning_folder(tmp_path / "district")
    last = msgspec.json.decode(stream()[-1])["at"]
    found = {}
    for name, hindsight in (("stream", False), ("after", True)):
        out = tmp_path / name
        job = Job((str(tmp_path / "log.ndjson"),), str(district), out=str(out), until=last)
        replay(replace(job, hindsight=hindsight))
        lines = (out / "findings.ndjson").read_bytes().splitlines()
        found[name] = [msgspec.json.decode(line, type=Finding) for line in lines]

    def rest(name):
        return [canonical(f) for f in found[name] if f.rule != "unusual_path"]

    def paths(name):
        return sorted(f.at for f in found[name] if f.rule == "unusual_path")

    assert rest("after") == rest("stream")
    assert paths("after") and paths("after")[0] < paths("stream")[0]


def test_verify_learns_again(tmp_path):
    """Limits and what rests on them are derived from the journal; one that was changed is named."""
    ledger = open_ledger(tmp_path / FILE)
    live = Live(ledger, content=learning_county())
    live.post(*stream())
    live.stop()
    ledger.close()
    proof = verify(tmp_path)
    learned = ("unusually_fast", "unusual_path", "unusual_case")
    assert proof.fault == "" and sum(proof.by_rule[rule] for rule in learned) > 5
    connection = driver.connect(str(tmp_path / FILE), isolation_level=None)
    connection.execute("UPDATE epochs SET waits = waits + 1 WHERE number = 9")
    connection.close()
    assert "epoch" in verify(tmp_path).fault


def test_what_a_district_sets_of_learners_waits_while_it_does_not_learn():
    engine = learning_county(LEARNS.replace("on = true", "on = false")).engine()
    assert engine.learn_desk is None and engine.district.learning.learners


def test_each_epoch_names_the_one_before_it(calm):
    last: dict[str, str] = {}
    for row in calm.ledger.all_epochs():
        one = msgspec.json.decode(row.doc, type=Epoch)
        assert one.before == last.get(one.learner, "")
        assert one.sealed().sha256 == row.sha256
        last[one.learner] = row.sha256


def test_a_learned_limit_is_another_only_from_the_next_day(calm):
    """What is judged on a day is judged by what was in force at its start."""
    begun = {row.at_us for row in calm.ledger.all_epochs() if row.cause == "day"}
    zone = calm.runner.shard.engine.calendar.zone
    assert all(iso_time(int(zone.local(at)))[11:19] == "00:00:00" for at in begun)
