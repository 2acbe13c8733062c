"""A group of workers on faust-streaming: who has which partitions, and their records in order.

Only what it does well is used. Where a partition goes on is said by us (the ledger knows), never by
what was committed to Kafka; no tables; one agent that never raises; no web server, which would take
a port from the second worker of a machine.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

CONCURRENCY = 1  # with more it commits past what is not done, and the order is lost
FETCH_BYTES_MAX = 1 << 20  # of a partition, or one record; more is laid in memory that goes again


class Record(NamedTuple):
    """One record of a partition."""

    partition: int
    offset: int
    value: bytes
    headers: Mapping[str, bytes]
    appended_us: int  # when the broker took it
    done: Any  # to be called in the loop, once it is durable


class Member(Protocol):
    """Who does a worker's work; all but `position` may take their time."""

    def position(self, partition: int) -> int | None:
        """Where an assigned partition goes on; None where that is not known yet."""

    async def take(self, record: Record) -> None:
        """The next record; returns when another may come."""

    async def revoked(self) -> None:
        """All partitions may go to others: what was taken must be done when this returns."""

    async def assigned(self, partitions: set[int]) -> bool:
        """These partitions are ours from now on, and no others. May take longer than a session;
        `revoked` meanwhile ends it. Whether it came to its end."""

    def failed(self, fault: BaseException) -> None:
        """This worker is worth nothing any more."""


class _App(faust.App):
    member: Member


class _Consumer(driver.Consumer):
    """Goes on where the ledger stands."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Not what Kafka was told, but what the ledger holds."""
        told, member = dict[TP, int](), cast(_App, self.app).member
        for tp in self.assignment():
            offset = member.position(tp.partition)
            if offset is not None:
                told[tp] = offset
        if told:
            await self.seek_wait(told)  # in the consumer's own thread: else it races with a fetch
        return told


class _Transport(driver.Transport):
    Consumer = _Consumer


class Group:
    """A member of a group that reads one topic."""

    def __init__(
        self, name: str, broker: str, topic: str, folder: Path, member: Member,
        session_timeout_s: float = 10.0,
    ) -> None:  # fmt: skip
        logging.getLogger("faust").setLevel(logging.WARNING)
        self.member = member
        self.app = _App(
            name, broker=f"kafka://{broker}", store="memory://", datadir=str(folder),
            processing_guarantee="at_least_once", autodiscover=False, web_enabled=False,
            topic_allow_declare=False, topic_disable_leader=True, stream_wait_empty=False,
            consumer_auto_offset_reset="earliest", consumer_max_fetch_size=FETCH_BYTES_MAX,
            broker_session_timeout=session_timeout_s,
            broker_heartbeat_interval=session_timeout_s / 4, broker_commit_interval=1.0,
            broker_max_poll_interval=3_600.0, stream_recovery_delay=0.0,
        )  # fmt: skip
        self.app.member = member
        self._beginnings: set[asyncio.Task[None]] = set()
        self.app.transport = _Transport([self.app.conf.broker[0]], self.app)
        self.app.on_partitions_revoked.connect(cast(Any, self._revoked))
        self.app.on_partitions_assigned.connect(cast(Any, self._assigned))
        source = self.app.topic(
            topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )
        self.app.agent(source, concurrency=CONCURRENCY, name=f"{name}-agent")(self._read)

    async def start(self) -> None:
        """Join the group; returns once that is under way."""
        await self.app.start()

    @property
    def broken(self) -> bool:
        """Has faust given up."""
        return bool(self.app.crashed or self.app.consumer.crashed)

    async def stop(self) -> None:
        """Leave the group."""
        await self.app.stop()

    async def go_back(self, partition: int, offset: int) -> None:
        """Read a partition from an offset on: what was read of it before may come again."""
        tps = {tp: offset for tp in self.app.consumer.assignment() if tp.partition == partition}
        if tps:
            await self.app.consumer.seek_wait(tps)

    async def _read(self, stream: Any) -> None:
        """The agent. It never raises: faust would count the record as done and go on."""
        async for event in stream.noack().events():
            try:
                await self.member.take(_record(event))
            except asyncio.CancelledError:
                raise
            except BaseException as fault:  # whatever it is, this worker ends by it
                self.member.failed(fault)
                await asyncio.Event().wait()

    async def _revoked(self, app: Any, revoked: set[TP], **more: Any) -> None:
        await self._safely(self.member.revoked())

    async def _assigned(self, app: Any, assigned: set[TP], **more: Any) -> None:
        """Not waited for: no heartbeat goes out before this returns, and a member whose shards take
        longer to open than a session lasts would be taken for dead, and its partitions go round."""
        beginning = asyncio.create_task(self._safely(self._begin(assigned)))
        self._beginnings.add(beginning)
        beginning.add_done_callback(self._beginnings.discard)

    async def _begin(self, assigned: set[TP]) -> None:
        """faust begins to read as soon as it knows its partitions, from where Kafka was told: so
        what it has read meanwhile waits, and it is sent to where the ledger stands."""
        if await self.member.assigned({tp.partition for tp in assigned}):
            await cast(_Consumer, self.app.consumer).seek_to_committed()

    async def _safely(self, doing: Awaitable[None]) -> None:
        try:
            await doing
        except Exception as fault:  # a signal's receiver that raises is only logged
            self.member.failed(fault)


def _record(event: Any) -> Record:
    message = event.message
    headers = message.headers or {}
    if not isinstance(headers, Mapping):
        headers = dict(headers)
    return Record(
        message.partition, message.offset, message.value or b"", headers,
        round((message.timestamp or 0) * 1_000) * 1_000, event.ack,
    )  # fmt: skip
