"""Many shards come to what one comes to: whatever the cut, the number of shards, and the race."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import pytest
from cluster_kit import ZONE, acts_on, lines_of
from learning_kit import learning_county, learning_folder

from detector.cluster.layout import KINDS, Layout
from detector.cluster.shards import FedShard
from detector.cluster.whole import Whole
from detector.ledger import LedgerError, NoticeQuery, Query
from detector.ledger.content import Content
from detector.testing import MemoryLedger
from detector.values import iso_time, read_time
from detector.verdict import Finding, canonical
from detector.web.notices import whole
from replay.run import Job, replay

EVENTS = 5_000


@dataclass
class Told:
    """A stream, when it ends, and what a replay says of it."""

    lines: list[bytes]
    until: str
    findings: dict[str, bytes]
    notices: dict[str, bytes]
    epochs: list[str]


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Told:
    folder = tmp_path_factory.mktemp("county")
    lines = lines_of(EVENTS, 5)
    until = max(read_time(msgspec.json.decode(line)["received_at"], ZONE) for line in lines)
    until += 60_000_000
    replayed(folder, lines, iso_time(until))
    lines += acts_on((folder / "out" / "notices.ndjson").read_bytes(), until)
    lines.sort(key=lambda line: read_time(msgspec.json.decode(line)["received_at"], ZONE))
    return Told(lines, iso_time(until), *replayed(folder, lines, iso_time(until)))


def replayed(folder: Path, lines: list[bytes], until: str) -> tuple[Any, ...]:
    (folder / "log.ndjson").write_bytes(b"\n".join(lines) + b"\n")
    out = folder / "out"
    district = folder / "district"
    if not district.exists():
        learning_folder(district)
    replay(Job((str(folder / "log.ndjson"),), str(district), until=until, out=str(out)))
    findings = (out / "findings.ndjson").read_bytes().splitlines()
    notices = (out / "notices.ndjson").read_bytes().splitlines()
    epochs = (out / "epochs.ndjson").read_bytes().splitlines()
    return (
        {f.finding_id: canonical(f) for f in map(FINDING.decode, findings)},
        {msgspec.json.decode(n)["notice_id"]: n for n in notices},
        [msgspec.json.decode(line)["sha256"] for line in epochs],
    )


class Cluster:
    """Shards over ledgers that are kept in memory, and what they came to."""

    def __init__(self, layout: Layout) -> None:
        self.ledgers = {name: MemoryLedger(name) for name in layout.shards()}
        content = msgspec.structs.replace(CONTENT, shards=(layout.cases, layout.operators))
        self.whole = Whole(content, self.ledgers.__getitem__, layout, perf_counter)

    def findings(self) -> dict[str, bytes]:
        held = [h for one in self.ledgers.values() for _, h in one.findings(EVERYTHING)]
        return {f.finding_id: canonical(f) for f in (FINDING.decode(h.json()) for h in held)}

    def notices(self) -> dict[str, bytes]:
        ledger = self.ledgers["department-0"]
        rows = ledger.notices(NoticeQuery(limit=1 << 30))
        return {row.notice_id: whole(ledger, row.notice_id, ZONE) for row in rows}

    def settle(self) -> None:
        while self.whole.waiting():
            self.whole.settle()


FINDING = msgspec.json.Decoder(Finding)
EVERYTHING = Query(limit=1 << 30)
CONTENT: Content = msgspec.structs.replace(learning_county(), at=0)


def tick(until: str) -> bytes:
    return b'{"kind":"tick","at":"%s"}\n' % until.encode()


def cut(lines: list[bytes], rng: random.Random, most: int) -> list[bytes]:
    cuts = [0]
    while cuts[-1] < len(lines):
        cuts.append(min(len(lines), cuts[-1] + rng.randrange(1, most)))
    return [b"\n".join(lines[a:b]) + b"\n" for a, b in pairwise(cuts)]


def race(told: Told, layout: Layout, rng: random.Random, most: int = 1_500) -> Cluster:
    """Every shard takes up what it was told when chance wills, some of it twice."""
    cluster = Cluster(layout)
    for body in [*cut(told.lines, rng, most), tick(told.until)]:
        packs = cluster.whole.packer.packs(body, None)
        rng.shuffle(packs)
        for pack in packs:
            cluster.whole.feed(pack)
            kinds = rng.sample(KINDS, rng.randrange(3))
            cluster.whole.settle(kinds, rng.randrange(1, 6))
            if rng.random() < 0.3:  # a sender that does not know whether it was heard
                queue = cluster.whole.queues[rng.choice(layout.shards(*KINDS[1:]))]
                queue.extendleft(list(queue)[:3][::-1])
    cluster.settle()
    return cluster


@pytest.mark.parametrize("layout", [Layout(1, 1), Layout(4, 2), Layout(3, 5)], ids=str)
def test_shards_come_to_what_one_does(told, layout):
    """Law 1, of shards: the findings and notices of a replay, to the byte."""
    cluster = race(told, layout, random.Random(layout.cases))
    assert len(told.findings) > 300 and len(told.notices) > 150
    assert sum(b"unusually_fast" in f for f in told.findings.values()) > 10
    learned = cluster.ledgers["department-0"].all_epochs()
    assert [row.sha256 for row in learned] == told.epochs
    assert cluster.findings() == told.findings
    assert cluster.notices() == told.notices
    states = {msgspec.json.decode(n)["state"] for n in told.notices.values()}
    assert "answered" in states and len(states) > 2


class Hasty(FedShard):
    """Does not wait for the slowest shard."""

    def watermark(self):
        sources = self.layout.sources(self.kind)
        return max(self.heard.get(source, (0, -1))[1] for source in sources)


def test_a_shard_that_does_not_wait_is_noticed(told, monkeypatch):
    monkeypatch.setattr(FedShard, "watermark", Hasty.watermark)
    cluster = race(told, Layout(4, 2), random.Random(4))
    assert (cluster.findings(), cluster.notices()) != (told.findings, told.notices)


def test_a_line_that_is_lost_is_seen(told):
    """What never came leaves a gap in the frames that a source names."""
    cluster = Cluster(Layout(2, 1))
    bodies = cut(told.lines[:600], random.Random(1), 100)
    for number, body in enumerate(bodies):
        for pack in cluster.whole.packer.packs(body, None):
            cluster.whole.feed(pack)
        if number == 2:
            cluster.whole.queues["operator-0"].popleft()
    with pytest.raises(LedgerError, match="is lost"):
        cluster.settle()
