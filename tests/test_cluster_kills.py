"""Shards that are killed and come back elsewhere, over topics that bring again what is not done:
nothing is lost, nothing doubled, and the journals alone tell it all again."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from time import perf_counter

import msgspec
import pytest
from cluster_kit import ZONE, acts_on, lines_of, received
from test_cluster import CONTENT, EVERYTHING, FINDING, cut

from detector.cluster.layout import DEPARTMENT, OPERATOR, Layout, name_of
from detector.cluster.packing import Packer
from detector.cluster.shards import maker
from detector.cluster.whole import Whole
from detector.known import tick_line
from detector.ledger import NoticeQuery
from detector.live import genesis, snapshot
from detector.live.arrivals import Waiting
from detector.live.outside import Outside
from detector.live.recovery import recover
from detector.live.runner import Runner
from detector.testing import MemoryLedger
from detector.verdict import canonical
from detector.web.notices import whole as whole_notice

LAYOUT = Layout(3, 2)
EVENTS = 600


class Topics:
    """Partitions by their shard's name: what lies in them stays, and is read from an offset on."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.logs: dict[str, list[tuple[bytes, int | None]]] = {n: [] for n in LAYOUT.shards()}
        self.ledgers = {name: MemoryLedger(name) for name in LAYOUT.shards()}
        self.runners: dict[str, Runner] = {}
        self.next: dict[str, int] = {}
        self.kills = 0
        content = msgspec.structs.replace(CONTENT, shards=(LAYOUT.cases, LAYOUT.operators))
        for name, ledger in self.ledgers.items():
            genesis.begin(ledger, content)
            self.open(name, None)

    def open(self, name: str, snapshots: Path | None) -> None:
        """A worker takes a shard over, and goes on where its ledger says."""
        ledger = self.ledgers[name]
        shard = recover(ledger, snapshots, kind=maker(name)).shard

        def tell(relays) -> None:
            for one in relays:
                self.logs[one.target].append((one.data, None))
            if relays and self.rng.random() < 0.8:  # else nobody knows that they arrived
                self.runners[name].relayed = max(self.runners[name].relayed, relays[-1].seq)

        def failed(fault: BaseException) -> None:
            raise fault

        outside = Outside(
            None, perf_counter, lambda: True, lambda s: None, failed, tell, True
        )  # fmt: skip
        self.runners[name] = Runner(shard, ledger, outside)
        self.next[name] = ledger.offset() or 0
        tell(ledger.relays())

    def go_on(self, name: str, most: int) -> None:
        """A shard takes up some of what lies in its partition."""
        begin = self.next[name]
        some = self.logs[name][begin : begin + most]
        if some:
            self.next[name] += len(some)
            bodies = [
                Waiting(data, stamp, lambda told: None, begin + n, True)
                for n, (data, stamp) in enumerate(some, 1)
            ]
            self.runners[name].serve(bodies)

    def kill(self, name: str) -> None:
        """A shard ends at once, or in good order, and another worker has it."""
        self.kills += 1
        mine = self.folder / name / self.rng.choice(("here", "there"))
        if self.rng.random() < 0.4:  # in good order
            self.runners[name].flush()
            snapshot.write(snapshot.capture(self.runners[name].shard, snapshot.Twin()), mine)
        self.open(name, self.rng.choice((mine, self.folder / name / "there", None)))

    def write(self, body: bytes) -> None:
        """A body by way of the door, in packs."""
        for pack in Packer(LAYOUT).packs(body, None):
            self.logs[name_of(pack.kind, pack.partition)] += pack.bodies()

    def settle(self) -> None:
        while any(len(log) > self.next[name] for name, log in self.logs.items()):
            for name in LAYOUT.shards():
                self.go_on(name, 50)


def run(folder: Path, lines: list[bytes], kills: float, seed: int = 1) -> Topics:
    """The stream through topics; a shard is killed with this chance after each turn."""
    rng = random.Random(seed)
    topics = Topics(folder, rng)
    names = LAYOUT.shards()
    latest = 0
    for body in cut(lines, rng, 8):
        latest = max([latest, *map(received, body.splitlines())])
        topics.write(body)
        if rng.random() < 0.9:
            topics.write(tick_line(latest - 1))  # a pack that brings nothing but the time
        for _ in range(4):
            topics.go_on(rng.choice(names), rng.randrange(1, 5))
            if rng.random() < kills:
                topics.kill(rng.choice(names))
    topics.write(tick_line(latest + 60_000_000))
    topics.settle()
    return topics


def outcome(topics: Topics) -> dict[str, object]:
    """What the ledgers of topics say."""
    return said_in(topics.ledgers)


def said_in(ledgers: dict[str, MemoryLedger]) -> dict[str, object]:
    """Everything that ledgers say, each as often as it is there."""
    led = ledgers["department-0"]
    moves = Counter((m.finding_id, m.code) for one in ledgers.values() for m in one._moves)
    findings = [
        FINDING.decode(h.json()) for one in ledgers.values() for _, h in one.findings(EVERYTHING)
    ]
    rows = led.notices(NoticeQuery(limit=1 << 30))
    return {
        "moves": moves,
        "findings": sorted(map(canonical, findings)),
        "steps": Counter((s.notice_id, s.at_us, s.after, s.reason) for s in led._steps),
        "posts": Counter(p.message_id for p in led.posts),
        "notices": {r.notice_id: whole_notice(led, r.notice_id, ZONE) for r in rows},
        "counts": sorted(map(str, (c for one in ledgers.values() for c in one.counts()))),
    }


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """A stream with acts, and what it comes to when nobody is killed."""
    lines = lines_of(EVENTS, 21)
    first = run(tmp_path_factory.mktemp("first"), lines, 0.0)
    docs = [row.doc for row in first.ledgers["department-0"].notices(NoticeQuery(limit=1 << 30))]
    lines += acts_on(b"\n".join(docs), max(map(received, lines)))
    lines.sort(key=received)
    return lines, outcome(run(tmp_path_factory.mktemp("calm"), lines, 0.0))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_killed_shards_come_to_the_same(calm, tmp_path, seed):
    """Whoever is killed, and whichever snapshot the next one finds: every move, step, post and
    count is there, once."""
    lines, want = calm
    topics = run(tmp_path, lines, 0.1, seed)
    assert topics.kills > 30
    told = outcome(topics)
    for name, value in want.items():
        assert told[name] == value, name


@pytest.mark.slow
def test_the_journals_alone_tell_it_again(calm, tmp_path):
    """At any moment: a shard that is recovered from its journal raises nothing new of what it was
    told, for whatever moved a clock stands in it."""
    lines, _ = calm
    topics = run(tmp_path, lines, 0.1, 9)
    for name, ledger in topics.ledgers.items():
        shard = recover(ledger, None, kind=maker(name)).shard
        kept = topics.runners[name]
        kept.flush()
        again = recover(ledger, None, kind=maker(name)).shard
        assert again.heard == kept.shard.heard
        assert again.state.notices.dump() == kept.shard.state.notices.dump(), name
        assert again.state.facts.dump() == kept.shard.state.facts.dump(), name
        assert shard.position.seq <= again.position.seq


def one_by_one(lines: list[bytes], kills: bool) -> dict[str, object]:
    """A record a batch, ticks by themselves; fed shards are recovered from their journals alone."""
    ledgers = {name: MemoryLedger(name) for name in LAYOUT.shards()}
    content = msgspec.structs.replace(CONTENT, shards=(LAYOUT.cases, LAYOUT.operators))
    whole, rng = Whole(content, ledgers.__getitem__, LAYOUT, perf_counter), random.Random(3)
    fed = LAYOUT.shards(OPERATOR, DEPARTMENT)
    for body in cut(lines, rng, 30):
        at = max(map(received, body.splitlines())) - 1
        for packs in (whole.packer.packs(body, None), whole.packer.packs(b"", None, at)):
            for pack in packs:
                whole.feed(pack)
            while whole.waiting():
                whole.settle(most=1)
        if kills and rng.random() < 0.3:
            name = rng.choice(fed)
            shard = recover(ledgers[name], None, kind=maker(name)).shard
            whole.runners[name] = Runner(shard, ledgers[name], whole.outside)
    return said_in(ledgers)


@pytest.mark.slow
def test_what_moved_a_clock_and_left_nothing_is_not_forgotten(monkeypatch):
    """A watermark that comes alone is not journalled until something comes of it; a restart raises
    nothing twice. A runner that forgets such lines is noticed."""
    lines = lines_of(500, 5)
    want = one_by_one(lines, kills=False)
    assert one_by_one(lines, kills=True) == want
    monkeypatch.setattr(Runner, "_clocks_again", lambda self: ([], []))
    assert one_by_one(lines, kills=True) != want
