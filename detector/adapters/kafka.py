"""Kafka: topics are made, records written in order and acknowledged by all that must keep them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

RECORD_BYTES_MAX = 64 << 20  # of one batch's word to a shard
STOP_S = 30.0
KEPT_MS = 7 * 86_400_000
CONFIG = {  # by size and the broker's time: with event times history would be deleted on arrival
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": str(RECORD_BYTES_MAX),
    "retention.ms": str(KEPT_MS),
}


class Unreachable(Exception):
    """The broker cannot be had, or does not take it; the message says which."""


class Out(NamedTuple):
    """A record to be written."""

    topic: str
    partition: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


async def make_topics(broker: str, wanted: dict[str, int], replicas: int = 1) -> None:
    """Make topics with so many partitions; those that are there must have as many. Raises
    `Unreachable`."""
    async with _admin(broker) as admin:
        there = set(await admin.list_topics())
        absent = {t: n for t, n in wanted.items() if t not in there}
        if absent:
            new = [NewTopic(t, n, replicas, topic_configs=CONFIG) for t, n in absent.items()]
            answer = await admin.create_topics(new)
            for topic, code, *_ in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise Unreachable(f"topic {topic}: the broker refuses with code {code}")
    held = await partitions_of(broker, [t for t in wanted if t in there])
    for topic, count in held.items():
        if count != wanted[topic]:
            raise Unreachable(f"topic {topic} has {count} partitions, not {wanted[topic]}")


async def grow_topics(broker: str, wanted: dict[str, int]) -> dict[tuple[str, int], int]:
    """Give topics so many partitions, which must not be fewer than there are; where each partition
    ends, by topic and partition. Raises `Unreachable`."""
    held = await partitions_of(broker, list(wanted))
    more = {}
    for topic, count in wanted.items():
        if held.get(topic, 0) > count:
            raise Unreachable(f"topic {topic} has {held[topic]} partitions: they cannot be fewer")
        if held.get(topic, 0) < count:
            more[topic] = NewPartitions(total_count=count)
    if more:
        async with _admin(broker) as admin:
            await admin.create_partitions(more)
    return await ends_of(broker, list(wanted))


async def ends_of(broker: str, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    """Where the partitions of topics end, by topic and partition. Raises `Unreachable`."""
    held = await partitions_of(broker, topics)
    ends = Ends(broker)
    await ends.start()
    try:
        told = {topic: await ends.ends(topic, range(count)) for topic, count in held.items()}
    finally:
        await ends.stop()
    return {(topic, part): end for topic, some in told.items() for part, end in some.items()}


async def partitions_of(broker: str, topics: Sequence[str]) -> dict[str, int]:
    """How many partitions topics have. Raises `Unreachable`."""
    async with _admin(broker) as admin:
        told = await admin.describe_topics(list(topics))
    return {one["topic"]: len(one["partitions"]) for one in told}


@asynccontextmanager
async def _admin(broker: str) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as fault:
        raise Unreachable(f"{broker}: {type(fault).__name__}") from fault
    finally:
        await admin.close()


class Ends:
    """Where partitions begin and end, asked of the broker over a connection of its own."""

    def __init__(self, broker: str) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=broker)

    async def start(self) -> None:
        """Connect. Raises `Unreachable`."""
        try:
            await self._consumer.start()
        except KafkaError as fault:
            raise Unreachable(type(fault).__name__) from fault

    async def stop(self) -> None:
        """Let go."""
        await self._consumer.stop()

    async def ends(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """The offset behind the last record of each partition. Raises `Unreachable`."""
        return await self._ask(self._consumer.end_offsets, topic, partitions)

    async def begins(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        """The offset of the first record that is kept of each partition. Raises `Unreachable`."""
        return await self._ask(self._consumer.beginning_offsets, topic, partitions)

    async def _ask(self, of: Any, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        try:
            told = await of([TopicPartition(topic, n) for n in partitions])
        except KafkaError as fault:
            raise Unreachable(type(fault).__name__) from fault
        return {tp.partition: offset for tp, offset in told.items()}


class Sender:
    """Writes records in the order in which they were given, acknowledged by all replicas that must
    have them; none twice, though the broker be asked again. Any thread may give."""

    def __init__(self, broker: str, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=broker, acks="all", enable_idempotence=True,
            max_request_size=RECORD_BYTES_MAX, request_timeout_ms=60_000,
            max_batch_size=1 << 20, metadata_max_age_ms=60_000,
        )  # fmt: skip
        self._given: asyncio.Queue[tuple[Sequence[Out], Callable[[list[int]], None]]] = (
            asyncio.Queue()
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost = asyncio.Event()

    async def start(self) -> None:
        """Connect. Raises `Unreachable`."""
        try:
            await self._producer.start()
        except KafkaError as fault:
            raise Unreachable(type(fault).__name__) from fault
        self._do(self._pump())

    async def stop(self) -> None:
        """Write what was given, then let go; not for ever, where the broker is away."""
        waits = [asyncio.ensure_future(one) for one in (self._given.join(), self._lost.wait())]
        await asyncio.wait(waits, timeout=STOP_S, return_when=asyncio.FIRST_COMPLETED)
        for task in [*waits, *self._tasks]:
            task.cancel()
        try:
            await asyncio.wait_for(self._producer.stop(), STOP_S)
        except (TimeoutError, KafkaError):
            return  # what it still held was not acknowledged to anybody

    def give(
        self, records: Sequence[Out], done: Callable[[list[int]], None] = lambda offsets: None
    ) -> None:
        """Write these; `done` gets their offsets in the loop, once all are kept."""
        self._loop.call_soon_threadsafe(self._given.put_nowait, (records, done))

    def _do(self, what: Any) -> None:
        task = self._loop.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pump(self) -> None:
        try:
            while True:
                records, done = await self._given.get()
                waits = [
                    await self._producer.send(
                        one.topic, one.value, partition=one.partition, headers=list(one.headers)
                    )
                    for one in records
                ]
                self._do(self._settle(waits, done))
        except (KafkaError, ValueError) as fault:
            self._lose(fault)

    def _lose(self, fault: Exception) -> None:
        """What was given may not be there: whoever gave it must know, and nothing more is taken."""
        self._lost.set()
        self._failed(fault)

    async def _settle(self, waits: list[Any], done: Callable[[list[int]], None]) -> None:
        try:
            told = [await one for one in waits]
        except KafkaError as fault:
            self._lose(fault)
        else:
            done([one.offset for one in told])
        finally:
            self._given.task_done()
