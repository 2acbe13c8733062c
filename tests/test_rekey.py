"""From one machine to a cluster, and to more partitions: other shards, the same digest."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cluster_kit import COUNTY, bodies_of, lines_of
from live_kit import edited

from detector import front
from detector.adapters.machine import seconds
from detector.cluster.layout import Layout
from detector.cluster.shards import maker
from detector.deliver import LATEST, REFRESH_S, InForce
from detector.district import read_folder
from detector.ledger import LedgerError, NoticeQuery, Query, Relay, Work
from detector.ledger.content import content_of
from detector.ledger.postgres_open import open_ledger as open_writer
from detector.ledger.postgres_open import open_reader as open_shard
from detector.ledger.sqlite_file import FILE, open_ledger, open_reader
from detector.ledger.tables import OUTBOX
from detector.ledger.verdicts import VERDICTS
from detector.live.arrivals import Waiting
from detector.live.contents import Change, contents_until
from detector.live.genesis import begin
from detector.live.outside import Outside
from detector.live.recovery import recover
from detector.live.runner import Runner
from detector.rekey import change, rekey
from detector.shelf import rules_folder
from detector.values import iso_time
from replay.verify import Verified, prove

EVENTS = 3_000
LIMIT = ("default_limit_s = 60", "default_limit_s = 90")


@pytest.fixture(scope="module")
def embedded(tmp_path_factory) -> Path:
    """A folder's ledger: a county, another limit in its midst, and acts that came behind the
    clock."""
    folder = tmp_path_factory.mktemp("embedded")
    content = content_of(read_folder(COUNTY), rules_folder(), 0)
    bodies = bodies_of(lines_of(EVENTS, 9), 300)
    ledger = open_ledger(folder / FILE)
    begin(ledger, content)
    outside = Outside(None, seconds, lambda: True, lambda s: None, lambda f: None)
    runner = Runner(recover(ledger, None).shard, ledger, outside)
    for number, body in enumerate(bodies):
        if number == 4:
            other = edited(content, "rulebook.toml", *LIMIT)
            assert runner.take(Change(other, other.engine())) == ["rulebook.toml"]
        runner.serve([Waiting(body, None, lambda said: None)])
        if number == 7:
            runner.serve([Waiting(acts(ledger), None, lambda said: None)])
    ledger.close()
    return folder


def acts(ledger) -> bytes:
    """Somebody acknowledges every third notice, an hour after it was issued, and tells it late."""
    some = []
    for row in ledger.notices(NoticeQuery(limit=1 << 30))[::3]:
        at = iso_time(row.issued_us + 3_600_000_000)
        act = {"kind": "act", "act_id": f"a-{row.notice_id}", "notice_id": row.notice_id}
        some.append(msgspec.json.encode(act | {"act": "acknowledge", "actor": "P0001", "at": at}))
    assert len(some) > 20
    found = [msgspec.json.decode(held.doc) for _, held in ledger.findings(Query(limit=50))]
    for number, one in enumerate(found):
        told = {"kind": "verdict", "fact_id": f"v{number}", "finding_id": one["finding_id"]}
        told |= {"verdict": VERDICTS[number % 3], "by": "P0001", "at": one["at"]}
        told["reason"] = "核\0实"
        some.append(msgspec.json.encode(told))
    return b"\n".join(some) + b"\n"


def proof_of(address: str) -> Verified:
    """All shards of a database, derived again."""
    with closing(open_shard(address, "case-0")) as reader:
        names = reader.shards()
    told = prove([open_shard(address, name) for name in names])
    assert told.fault == ""
    return told


@pytest.mark.slow
def test_other_shards_the_same_digest(embedded, postgres, template):
    """Embedded to four and two, then to eight and three: nothing differs, nothing is sent again,
    what is counted too."""
    four, eight = (postgres.address(postgres.database(template)) for _ in range(2))
    want = prove([open_reader(embedded / FILE)])
    assert want.fault == "" and want.findings > 100 and want.notices > 100
    told = rekey(str(embedded), four, (4, 2))
    assert len(told["frames"]) == 7
    rekey(four, eight, (8, 3))
    for address in (four, eight):
        proof = proof_of(address)
        assert (proof.digest, proof.notices) == (want.digest, want.notices)
        assert proof.by_rule == want.by_rule
    with (
        closing(open_reader(embedded / FILE)) as source,
        closing(open_shard(eight, "case-0")) as to,
    ):
        assert {c: c.n for c in source.counts()} == {c: c.n for c in to.counts()}
        assert source.verdict_counts() == to.verdict_counts() != []
        names = [[row.fact_id for row in one.all_verdicts()] for one in (source, to)]
        assert names[0] == names[1] and len(names[0]) == 50
        with closing(open_shard(four, "case-0")) as first:
            sent = [messages_of(one) for one in (source, first, to)]
    assert sent[0] == sent[1] == sent[2] and len(sent[0]) > 100
    with pytest.raises(LedgerError, match="empty one"):
        rekey(str(embedded), eight, (8, 3))


@pytest.mark.slow
def test_a_quiet_shard_knows_how_late_it_is(embedded, postgres, template, monkeypatch):
    """A clock that moved and left nothing stands in the journal: all shards go on at one."""
    address = postgres.address(postgres.database(template))
    monkeypatch.setattr("detector.rekey.LINES_MAX", 200)
    many = Layout(16, 3)
    rekey(str(embedded), address, (many.cases, many.operators))
    clocks = {}
    for name in many.shards():
        with closing(open_shard(address, name)) as reader:
            clocks[name] = recover(reader, None, kind=maker(name)).shard.state.cases.watermark
    assert len(set(clocks.values())) == 1, clocks


def messages_of(reader) -> set[str]:
    """The ids in its outbox."""
    place = [column.name for column in OUTBOX.columns].index("message_id")
    return {row[place] for row in reader.rows_of(OUTBOX.select())}


@pytest.mark.slow
def test_what_nobody_took_up_is_not_left_behind(embedded, postgres, template):
    """A word that a shard has not heard keeps a ledger from being made anew."""
    one, two = (postgres.address(postgres.database(template)) for _ in range(2))
    rekey(str(embedded), one, (2, 1))
    with closing(open_writer(one, "case-0")) as ledger:
        position = ledger.position()
        ledger.commit(position, Work(relays=[Relay(position.seq + 1, "operator-0", b"{}")]))
    with pytest.raises(LedgerError, match="has not taken up"):
        rekey(one, two, (4, 1))


@pytest.mark.slow
def test_another_district_in_all_shards(embedded, postgres, template, tmp_path):
    """A change comes into force in every shard at one instant, and the ledger is still sound."""
    address = postgres.address(postgres.database(template))
    rekey(str(embedded), address, (3, 2))
    folder = tmp_path / "county"
    folder.mkdir()
    for name, data in read_folder(COUNTY).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data.replace(b"limit_s = 1800", b"limit_s = 1200"))
    assert change(address, folder, None) == ["rulebook.toml"]
    assert change(address, folder, None) == []
    with closing(open_shard(address, "case-0")) as reader:
        names = reader.shards()
    instants = set()
    for name in names:
        with closing(open_shard(address, name)) as reader:
            instants.add(contents_until(reader, 1 << 62)[-1].content.at)
    assert len(instants) == 1
    assert proof_of(address).notices > 100


@pytest.mark.slow
def test_a_finding_is_accounted_for_by_what_raised_it(
    embedded, postgres, template, tmp_path, monkeypatch
):
    """The door asks the journal of the shard that raised it, whatever judges now."""
    address = postgres.address(postgres.database(template))
    rekey(str(embedded), address, (3, 2))
    asked = []
    monkeypatch.setattr(front, "account", lambda *told: asked.append(told))
    door = front.Front(front.Settings(address, "127.0.0.1:1", tmp_path), lambda *told, **more: None)
    with closing(door.reader("case-0")) as reader:
        held = [one for _, one in reader.findings(Query(limit=10_000))][::10]
    shards, books = set(), set()
    for one in held:
        door.account(one)
        [(found, _, rulebook)] = asked
        assert found.rulebook == rulebook.digest, one.shard
        asked.clear()
        shards.add(one.shard.partition("-")[0])
        books.add(found.rulebook)
    assert len(books) == 2 and shards >= {"case", "department"}
    door.beforehand.close()
    door._loop.close()  # it never went to the broker


class Walked:
    """Questions to a ledger, and how many frames were read."""

    def __init__(self, reader) -> None:
        self.reader, self.read = reader, 0

    def __getattr__(self, name: str):
        return getattr(self.reader, name)

    def frames(self, first: int = 1, last: int | None = None):
        for frame in self.reader.frames(first, last):
            self.read += 1
            yield frame


def test_a_start_reads_the_end_of_the_journal_alone(tmp_path):
    """What judges is found without a walk, and so is the clock; later only what came since."""
    content = content_of(read_folder(COUNTY), rules_folder(), 0)
    ledger = open_ledger(tmp_path / FILE)
    begin(ledger, content)
    outside = Outside(None, seconds, lambda: True, lambda s: None, lambda f: None)
    runner = Runner(recover(ledger, None).shard, ledger, outside)
    bodies = bodies_of(lines_of(600, 9), 5)
    for body in bodies[:-1]:
        runner.serve([Waiting(body, None, lambda said: None)])
    frames = ledger.position().seq
    assert frames > 100
    walked, now = Walked(open_reader(tmp_path / FILE)), [0.0]
    assert len(contents_until(walked, 1 << 62)) == walked.read == 1
    walked.read = 0
    in_force = InForce(walked, lambda: now[0])
    assert in_force.district().code == content.load().code
    assert walked.read == LATEST + 1
    assert in_force.clock_us == max(one.at_hi for one in ledger.frames())
    walked.read, before = 0, in_force.district()
    other = edited(content, "rulebook.toml", *LIMIT)
    runner.take(Change(other, other.engine()))
    runner.serve([Waiting(bodies[-1], None, lambda said: None)])
    now[0] += REFRESH_S
    assert in_force.district() is not before and walked.read < 6
    assert in_force.clock_us == max(one.at_hi for one in ledger.frames())
    walked.close()
    ledger.close()
