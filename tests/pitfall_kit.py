"""A yard for the runtime's pitfalls: a database, the topics of two case shards, and workers."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from cluster_kit import COUNTY, wait_until

from deploy.running import Running
from detector.adapters.kafka import Out, Sender
from detector.begin import begin_shards, make_all_topics
from detector.cluster.layout import CASE, Layout, name_of, partitions_of, topic_of
from detector.cluster.packing import RECEIVED
from detector.ledger.journal import text_of
from detector.ledger.postgres_open import open_reader
from detector.worker import Settings, serve
from replay.verify import Verified, prove

ROOT = Path(__file__).resolve().parents[1]
READY = r'"event": "(assigned|idle)"'
STAMP = 1_767_571_200_000_000  # 2026-01-05 08:00 in Shanghai
LAYOUT = Layout(2, 1)
_line = {
    "action": "accept", "item": "permit", "department": "D01", "operator": "P0101",
    "occurred_at": "2026-01-05T08:00:00+08:00", "recorded_at": "2026-01-05T08:00:00+08:00",
}  # fmt: skip


class Yard:
    """Workers over one database and one broker; lines that were sent, by shard."""

    def __init__(self, ledger: str, broker: str, folder: Path) -> None:
        self.ledger, self.broker, self.folder = ledger, broker, folder
        self.sent: dict[str, list[bytes]] = {name: [] for name in LAYOUT.shards(CASE)}
        self.workers: list[Running] = []
        self._made = 0
        begin_shards(ledger, COUNTY, (LAYOUT.cases, LAYOUT.operators))
        make_all_topics(broker, (LAYOUT.cases, LAYOUT.operators))

    # -- what is sent -----------------------------------------------------------------------------

    def send(self, records: int, lines: int = 1) -> None:
        """So many records, each of some events of a case."""
        out = []
        for _ in range(records):
            self._made += 1
            case = f"y-{self._made:06d}"
            partition = int(partitions_of([case.encode()], LAYOUT.cases)[0])
            some = [
                msgspec.json.encode({"event_id": f"{case}-{n}", "case_id": case} | _line)
                for n in range(lines)
            ]
            self.sent[name_of(CASE, partition)] += some
            stamp = ((RECEIVED, b"%d" % (STAMP + self._made)),)
            out.append(Out(topic_of(CASE), partition, b"\n".join(some) + b"\n", stamp))
        self.write(out)

    def write(self, records: list[Out]) -> None:
        """Records as they are."""
        asyncio.run(self._write(records))

    async def _write(self, records: list[Out]) -> None:
        faults: list[Exception] = []
        sender = Sender(self.broker, faults.append)
        await sender.start()
        sender.give(records)
        await asyncio.sleep(0)
        await sender.stop()
        assert not faults

    # -- what was judged --------------------------------------------------------------------------

    def judged(self) -> dict[str, list[bytes]]:
        """The events in each shard's journal, in their order."""
        told = {}
        for name in self.sent:
            with closing(open_reader(self.ledger, name)) as reader:
                texts = b"".join(text_of(frame) for frame in reader.frames(2))
            told[name] = [one for one in texts.splitlines() if one.startswith(b'{"event_id"')]
        return told

    def settled(self, timeout_s: float = 60) -> None:
        """Everything that was sent was judged: each once, in its order."""

        def enough() -> bool:
            counts = {name: len(lines) for name, lines in self.judged().items()}
            return all(counts[name] >= len(lines) for name, lines in self.sent.items())

        wait_until(enough, timeout_s, "not everything is judged")
        assert self.judged() == self.sent

    def proved(self) -> Verified:
        """All shards of cases, derived again; nobody may be at work."""
        with closing(open_reader(self.ledger, "case-0")) as reader:
            names = reader.shards()
        return prove([open_reader(self.ledger, name) for name in names])

    # -- workers ----------------------------------------------------------------------------------

    def worker(self, *more: str, kind: str = CASE) -> Running:
        """A worker as a process, once it knows which shards it has."""
        command = [sys.executable, "-m", "detector", "worker", "--shard", kind, *more]
        place = {
            "ORIOLE_LEDGER": self.ledger, "ORIOLE_BROKER": self.broker,
            "ORIOLE_DATA": str(self.folder / "data"),
        }  # fmt: skip
        log = self.folder / f"worker-{len(self.workers)}.log"
        one = Running("worker", command, READY, log, cwd=ROOT, env=os.environ | place)
        self.workers.append(one)
        one.wait_ready()
        return one

    def within(
        self, until: Callable[[], bool], timeout_s: float = 60, *,
        session_timeout_s: float = 10, stall_s: float = 60,
    ) -> list[tuple[str, Any]]:  # fmt: skip
        """A worker in this process until something is reached; what it logged."""
        settings = Settings(
            CASE, self.ledger, self.broker, self.folder / "data",
            session_timeout_s=session_timeout_s, stall_s=stall_s,
        )  # fmt: skip
        return asyncio.run(self._within(until, timeout_s, settings))

    async def _within(
        self, until: Callable[[], bool], timeout_s: float, settings: Settings
    ) -> list[tuple[str, Any]]:
        logged: list[tuple[str, Any]] = []
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        work = asyncio.create_task(
            serve(settings, lambda what, **more: logged.append((what, more)), stop)
        )
        try:
            await loop.run_in_executor(None, wait_until, until, timeout_s, f"not reached: {logged}")
        finally:
            stop.set()
            await work
        return logged

    def committed(self, offsets: dict[int, int]) -> None:
        """Tell Kafka that the group has done so much of each partition."""
        asyncio.run(self._commit(offsets))

    async def _commit(self, offsets: dict[int, int]) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.broker, group_id="oriole-case", enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign([TopicPartition(topic_of(CASE), n) for n in offsets])
        await consumer.commit({TopicPartition(topic_of(CASE), n): at for n, at in offsets.items()})
        await consumer.stop()

    def stop(self) -> None:
        """End all workers."""
        for one in self.workers:
            if one.alive:
                one.process.send_signal(18)  # SIGCONT: one that was stopped can end
                one.stop()
        self.workers.clear()
