"""Servers that tests and the stack start for themselves: used, killed, found again, gone."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError
from conftest import need

from deploy import servers
from deploy.running import free_port
from deploy.servers import Kafka, Postgres, Redis, Server, missing

RECORDS = 100
LARGE = 15 << 20
APPENDED = 1  # a record's timestamp is of the broker


def listening(port: int) -> bool:
    """Whether somebody does at a port of loopback."""
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the servers' user can reach, as that of a test is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="oriole-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


# --- one use of each ------------------------------------------------------------------------------


def redis_of(server: Redis) -> redis.Redis:
    """A client that does not try again."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis.from_url(server.address, retry=Retry(NoBackoff(), 0))


def redis_write(server: Redis) -> None:
    """Entries of a stream."""
    with redis_of(server) as client:
        assert client.ping()
        for n in range(RECORDS):
            client.xadd("s", {"n": n})


def redis_read(server: Redis) -> list[int]:
    """Their numbers."""
    with redis_of(server) as client:
        told: Any = client.xrange("s")
        return [int(fields[b"n"]) for _, fields in told]


def postgres_write(server: Postgres) -> None:
    """Rows of a table."""
    with psycopg.connect(server.address()) as connection:
        connection.execute("CREATE TABLE t AS SELECT generate_series(0, %s) n" % (RECORDS - 1))


def postgres_read(server: Postgres) -> list[int]:
    """Their numbers."""
    with psycopg.connect(server.address()) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM t ORDER BY n")]


async def make_topic(server: Kafka, name: str) -> None:
    """A topic of one partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=server.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def send(server: Kafka, topic: str, values: list[bytes]) -> None:
    """Records, in their order."""
    producer = AIOKafkaProducer(bootstrap_servers=server.address, max_request_size=16 << 20)
    await producer.start()
    try:
        for value in values:
            await producer.send(topic, value, partition=0)
    finally:
        await producer.stop()


async def fetch(server: Kafka, topic: str, count: int) -> list[Any]:
    """So many records from the beginning of a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=server.address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return [await asyncio.wait_for(consumer.getone(), 30) for _ in range(count)]
    finally:
        await consumer.stop()


def kafka_write(server: Kafka) -> None:
    """Records of a topic."""

    async def write() -> None:
        await make_topic(server, "t")
        await send(server, "t", [b"%d" % n for n in range(RECORDS)])

    asyncio.run(write())


def kafka_read(server: Kafka) -> list[int]:
    """Their numbers."""
    return [int(one.value) for one in asyncio.run(fetch(server, "t", RECORDS))]


USES = [
    pytest.param(Redis, redis_write, redis_read, id="redis"),
    pytest.param(Postgres, postgres_write, postgres_read, id="postgres"),
    pytest.param(Kafka, kafka_write, kafka_read, id="kafka", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("kind", "write", "read"), USES)
def test_a_server_that_was_killed_has_its_data_and_goes_without_a_trace(
    kind: type[Server], write: Callable[[Server], None], read: Callable[[Server], list[int]]
):
    need(kind)
    server = kind()
    folder, port, numbers = server.folder, server.port, list(range(RECORDS))
    server.start()
    try:
        write(server)
        assert read(server) == numbers
        server.kill()
        assert not listening(port) and not server.alive
        server.restart()
        assert read(server) == numbers
        server.restart()
        assert (server.folder, server.port, read(server)) == (folder, port, numbers)
        pid = server.pid
    finally:
        server.stop()
    assert not listening(port) and not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(("kind", "write", "read"), USES)
def test_a_given_folder_is_kept_and_started_on_again(
    place: Path,
    kind: type[Server],
    write: Callable[[Server], None],
    read: Callable[[Server], list[int]],
):
    need(kind)
    for use in (write, lambda server: read(server) == list(range(RECORDS)) or pytest.fail("gone")):
        server = kind(place / "it")  # at another port each time
        server.start()
        try:
            use(server)
        finally:
            server.stop()
        assert (place / "it").exists()


# --- how Kafka is set -----------------------------------------------------------------------------


@pytest.mark.slow
def test_kafka_takes_large_records_under_its_own_time_and_makes_no_topic_unasked(kafka):
    async def use() -> list[Any]:
        await make_topic(kafka, "large")
        await send(kafka, "large", [b"x" * LARGE])
        asked = AIOKafkaConsumer(
            "nonesuch", bootstrap_servers=kafka.address, request_timeout_ms=1_000
        )
        try:
            with pytest.raises(UnknownTopicOrPartitionError):
                await asked.start()
        finally:
            await asked.stop()
        return await fetch(kafka, "large", 1)

    [record] = asyncio.run(use())
    assert len(record.value) == LARGE and record.timestamp_type == APPENDED


def test_redis_of_a_session_answers(redis_server):
    with redis_of(redis_server) as client:
        assert client.ping()


def test_databases_are_copies_of_their_own(postgres):
    one = postgres.database()
    with psycopg.connect(postgres.address(one)) as connection:
        connection.execute("CREATE TABLE t (n int)")
    copy, other = postgres.database(one), postgres.database()
    tables = []
    for name in (copy, other):
        with psycopg.connect(postgres.address(name)) as connection:
            tables += connection.execute("SELECT to_regclass('t')::text").fetchall()
    assert tables == [("t",), (None,)]


# --- what goes wrong ------------------------------------------------------------------------------


def test_what_is_missing_is_named_with_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(servers, "JARS", tmp_path)
    monkeypatch.setattr(servers, "programs", lambda: None)
    told = missing()
    for words in ("openjdk-17-jre-headless", "make services", "redis-server", "postgresql"):
        assert any(words in line for line in told)
    assert len(told) == 4
    with pytest.raises(pytest.skip.Exception, match="apt-get install redis-server"):
        need(Redis, on_ci=False)
    with pytest.raises(pytest.fail.Exception, match="apt-get install redis-server"):
        need(Redis, on_ci=True)
    server = Redis()
    with pytest.raises(RuntimeError, match="apt-get install redis-server"):
        server.start()
    assert not server.folder.exists()


def test_a_server_that_cannot_start_says_why_and_leaves_nothing():
    need(Redis)
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        server = Redis(port=taken.getsockname()[1])
        with pytest.raises(RuntimeError, match="redis ended with 1") as told:
            server.start()
    assert "Address already in use" in str(told.value)
    assert not server.folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="servers have another user for root alone")
def test_a_folder_out_of_reach_is_named(tmp_path):
    need(Redis)
    tmp_path.chmod(0o700)
    with pytest.raises(RuntimeError, match="to whom a folder above this one is closed"):
        Redis(tmp_path / "it").start()


@pytest.mark.skipif(os.geteuid() != 0, reason="servers have another user for root alone")
def test_jars_in_a_closed_clone_are_copied_to_where_their_user_reads_them(
    monkeypatch, tmp_path, place
):
    tmp_path.chmod(0o700)
    (tmp_path / "kafka_1.jar").write_bytes(b"x")
    monkeypatch.setattr(servers, "JARS", tmp_path)
    assert Kafka(place)._jars() == place / "jars"
    assert (place / "jars" / "kafka_1.jar").owner() == "nobody"
    monkeypatch.setattr(servers, "JARS", place)
    place.chmod(0o755)
    assert Kafka(place)._jars() == place
