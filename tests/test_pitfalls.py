"""The pitfalls of the runtime that others met, each with the guard that keeps us out of it.

Workers are real, on a real broker and database. What is asked of each: every line that was sent is
judged once, in its order.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import socket
import threading
import time
from contextlib import closing

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from cluster_kit import wait_until
from pitfall_kit import LAYOUT, Yard

from detector import worker as worker_module
from detector.adapters import faust_group
from detector.adapters.kafka import Ends, Out
from detector.cluster.desk import Desk
from detector.cluster.layout import CASE, KINDS, REFUSALS, topic_of
from detector.ledger.postgres_open import open_reader
from detector.worker import Settings

pytestmark = pytest.mark.slow
FAUST_PORT = 6066


@pytest.fixture(scope="module")
def whole_yard(postgres, kafka, template, tmp_path_factory):
    ledger = postgres.address(postgres.database(template))
    yield Yard(ledger, kafka.address, tmp_path_factory.mktemp("yard"))


@pytest.fixture
def yard(whole_yard):
    """The yard with nobody at work."""
    yield whole_yard
    whole_yard.stop()


def test_a_second_worker_on_the_host(yard):
    """faust's worker takes port 6066, and a second one dies of it: ours opens no such port."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", FAUST_PORT))
        taken.listen()
        first, second = yard.worker(), yard.worker()
        yard.send(40)
        yard.settled()
        assert first.alive and second.alive


def test_concurrency_raised(yard, monkeypatch):
    """faust with several actors commits past unfinished records, and mixes their order: what comes
    too early is read again."""
    monkeypatch.setattr(faust_group, "CONCURRENCY", 3)
    take, rng = worker_module.Worker.take, random.Random(3)

    async def slowly(self, record):
        await asyncio.sleep(rng.random() * 0.01)  # one actor overtakes another
        await take(self, record)

    monkeypatch.setattr(worker_module.Worker, "take", slowly)
    monkeypatch.setattr(worker_module, "AGAIN_S", 0.05)
    yard.send(80)
    yard.within(lambda: yard.judged() == yard.sent)
    yard.settled()


def test_an_exception_in_the_agent(yard, monkeypatch):
    """faust counts the record of an agent that raised as done: ours ends the worker instead, and
    the next one begins where the ledger stands."""
    take, failures = Desk.take, list[BaseException]()

    def raises(self, record, done):
        if record.offset == at and not failures:
            raise ValueError("a fault of ours")
        return take(self, record, done)

    with closing(open_reader(yard.ledger, "case-0")) as reader:
        at = (reader.offset() or 0) + 3
    monkeypatch.setattr(Desk, "take", raises)
    monkeypatch.setattr(worker_module.Worker, "failed", lambda self, fault: failures.append(fault))
    yard.send(60)
    yard.within(lambda: bool(failures))
    assert isinstance(failures[0], ValueError)
    assert yard.judged() != yard.sent
    monkeypatch.undo()
    yard.worker()
    yard.settled()


def test_more_workers_than_partitions(yard):
    """One too many has nothing to do: it is not taken to be stuck, and takes over at once when it
    is needed."""
    three = [yard.worker("--stall-s", "3", "--session-timeout-s", "6") for _ in range(3)]
    yard.send(30)
    yard.settled()
    idle = [one for one in three if "idle" in "".join(one.tail).split('"assigned"')[-1]]
    assert all(one.alive for one in three) and idle
    busy = [one for one in three if one not in idle]
    wait_until(lambda: not idle[0].process.poll(), 8, "the idle one has ended")
    for one in busy:
        one.kill()
    yard.send(30)
    yard.settled()
    assert idle[0].alive


def test_the_position_is_the_ledgers(yard):
    """What was committed to Kafka is a matter of monitoring: ahead it would lose records, behind it
    would double them."""
    yard.send(30)
    yard.committed(asyncio.run(ends_of(yard.broker)))  # as if all had been done
    one = yard.worker()
    yard.settled()
    one.stop()
    yard.committed(dict.fromkeys(range(LAYOUT.cases), 0))
    yard.worker()
    yard.send(30)
    yard.settled()


def test_no_tables(yard, kafka):
    """The record is the ledger: faust keeps nothing, and makes no topic of its own."""
    yard.send(10)
    yard.worker()
    yard.settled()

    async def topics():
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
        await admin.start()
        told = await admin.list_topics()
        await admin.close()
        return set(told)

    ours = {*map(topic_of, KINDS), REFUSALS}
    told = asyncio.run(topics())
    assert ours <= told
    assert not [name for name in told if "oriole" in name or "changelog" in name]
    assert not list((yard.folder / "data").rglob("*.db"))


def test_no_progress(yard):
    """A shard that stands still while records wait ends its worker; the next one goes on."""
    one = yard.worker("--stall-s", "2")
    with psycopg.connect(yard.ledger) as held:
        held.execute("SELECT * FROM position WHERE shard LIKE 'case-%' FOR UPDATE")
        yard.send(20)
        assert one.process.wait(60) not in (0, None)
    assert "Stalled" in "".join(one.tail)
    yard.worker()
    yard.settled()


def test_shards_that_open_longer_than_a_session_lasts(yard, monkeypatch):
    """faust tells of partitions before it sends the first heartbeat: a member that opens its shards
    meanwhile is taken for dead, its partitions go round, and nobody ever judges. Nor is a worker
    stuck that opens one shard after the other while records wait."""
    session_s, opens, told = 2.0, worker_module.Worker._open, list[set[int]]()
    assigned, opened = worker_module.Worker.assigned, [0.0]

    def slowly(self, number):
        threading.Event().wait(2 * session_s)
        opened[0] = time.monotonic()
        return opens(self, number)

    def judged_and_no_news():
        late = time.monotonic() > opened[0] + 2 * session_s
        return late and yard.judged() == yard.sent

    async def counted(self, partitions):
        told.append(partitions)
        return await assigned(self, partitions)

    monkeypatch.setattr(worker_module.Worker, "_open", slowly)
    monkeypatch.setattr(worker_module.Worker, "assigned", counted)
    yard.send(20)
    yard.within(judged_and_no_news, session_timeout_s=session_s, stall_s=3)
    assert told == [set(range(LAYOUT.cases))]


def test_partitions_are_taken_while_shards_open(yard, monkeypatch):
    """Who is told to give up partitions leaves off opening them, and gives up what he has."""
    opens, begun, may = worker_module.Worker._open, threading.Event(), threading.Event()
    opened: list[int] = []

    def held(self, number):
        opened.append(number)
        begun.set()
        may.wait(60)
        return opens(self, number)

    async def told():
        worker = worker_module.Worker(
            Settings(CASE, yard.ledger, yard.broker, yard.folder / "data"), lambda *a, **b: None
        )
        opening = asyncio.create_task(worker.assigned({0, 1}))
        await asyncio.get_running_loop().run_in_executor(None, begun.wait, 60)
        revoking = asyncio.create_task(worker.revoked())
        await asyncio.sleep(0)
        may.set()
        came_to_its_end = await opening
        await revoking
        held_then = list(worker.desks)
        await worker._let_go(held_then)
        return came_to_its_end, held_then

    monkeypatch.setattr(worker_module.Worker, "_open", held)
    assert asyncio.run(told()) == (False, [0])
    assert opened == [0]


def test_a_zombie(yard):
    """Who was given up for dead and comes back writes nothing more."""
    first = yard.worker("--session-timeout-s", "6")
    yard.send(20)
    yard.settled()
    first.process.send_signal(signal.SIGSTOP)
    yard.worker("--session-timeout-s", "6")
    yard.send(20)
    yard.settled()
    first.process.send_signal(signal.SIGCONT)
    for _ in range(5):
        yard.send(10)
    yard.settled()
    yard.stop()
    told = yard.proved()
    assert told.fault == ""


def test_a_poisoned_record(yard):
    """What cannot be read is refused, in the table and to the topic; its neighbours are judged."""
    yard.send(5)
    poison = [b"\xff\xfe{not json", b"[1, 2", b'{"kind":"relay","source":"case-1"}\n', b""]
    yard.write([Out(topic_of(CASE), 0, data) for data in poison])
    yard.send(5)
    with closing(open_reader(yard.ledger, "case-0")) as reader:
        before = len(reader.refusals(0, 500))
    yard.worker()
    yard.settled()
    with closing(open_reader(yard.ledger, "case-0")) as reader:
        texts = [r.text for _, r in reader.refusals(0, 500)][before:]
    assert len(texts) == 3 and any("not json" in text for text in texts)
    told = asyncio.run(refused(yard.broker))
    assert {json.loads(one)["text"] for one in told} >= set(texts)


async def ends_of(broker: str) -> dict[int, int]:
    """Where the partitions of cases end."""
    ends = Ends(broker)
    await ends.start()
    told = await ends.ends(topic_of(CASE), range(LAYOUT.cases))
    await ends.stop()
    return told


async def refused(broker: str) -> list[bytes]:
    """What lies on the topic of refusals."""
    consumer = AIOKafkaConsumer(
        REFUSALS, bootstrap_servers=broker, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    found: list[bytes] = []
    for _ in range(20):
        some = await consumer.getmany(timeout_ms=500)
        found += [record.value for records in some.values() for record in records]
        if len(found) >= 3:
            break
    await consumer.stop()
    return found
