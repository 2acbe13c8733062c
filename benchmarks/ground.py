"""What a cluster stands on, for benches: Kafka, a PostgreSQL that syncs, and workers over them.

One measurement after the other has a fresh database and empty topics between the shards; the
records of `case-inputs` are written once and read by each.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
from aiokafka.admin import AIOKafkaAdminClient

from benchmarks.county_files import DISTRICT
from deploy.running import fresh_folder
from deploy.servers import Kafka, Postgres
from deploy.stack import CASES, OPERATORS, Child
from detector.adapters.kafka import Out, Sender
from detector.begin import begin_shards, make_all_topics
from detector.cluster.layout import DEPARTMENT, OPERATOR, Layout, topic_of
from detector.places import DatabasePlace

LAYOUT = Layout(CASES, OPERATORS)
WRITTEN_AT_ONCE = 512  # records
WRITE_S = 60
TICKS_A_S = os.sysconf("SC_CLK_TCK")


class Ground:
    """Kafka and PostgreSQL, and a database whose shards have begun, to be copied."""

    def __init__(self) -> None:
        self.folder = fresh_folder("bench")
        self.kafka, self.postgres = Kafka(), Postgres(durable=True)
        self._ends = ExitStack()
        self._empty, self._places = "", 0

    def __enter__(self) -> Ground:
        self.folder.mkdir(mode=0o700)
        self._ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
        with self._ends:
            for server in (self.postgres, self.kafka):
                self._ends.callback(server.stop)
                server.start()
            self._empty = self.postgres.database()
            DatabasePlace(self.postgres.address(self._empty)).migrate()
            begin_shards(self.postgres.address(self._empty), DISTRICT, (CASES, OPERATORS))
            self.topics()
            self._ends = self._ends.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def topics(self) -> None:
        """Topics as they are on the first day; only what feeds cases is kept."""
        asyncio.run(self._drop([topic_of(OPERATOR), topic_of(DEPARTMENT)]))
        make_all_topics(self.kafka.address, (CASES, OPERATORS))

    async def _drop(self, topics: list[str]) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.address)
        await admin.start()
        there = set(await admin.list_topics())
        await admin.delete_topics([one for one in topics if one in there])
        while there & set(topics):
            await asyncio.sleep(0.1)
            there = set(await admin.list_topics())
        await admin.close()

    def place(self) -> Place:
        """A database of its own, where nothing has been judged."""
        self._places += 1
        address = self.postgres.address(self.postgres.database(self._empty))
        return Place(self, address, self.folder / str(self._places))

    def relay_bytes(self) -> int:
        """What shards have told each other since `topics`, as the broker keeps it."""
        logs = [
            log
            for kind in (OPERATOR, DEPARTMENT)
            for log in (self.kafka.folder / "data").glob(f"{topic_of(kind)}-[0-9]*/*.log")
            if not log.parent.name.endswith("-delete")
        ]
        return sum(log.stat().st_size for log in logs)

    def seconds(self) -> dict[str, float]:
        """CPU seconds of the servers."""
        return {"broker": cpu_s(self.kafka.pid), "PostgreSQL": cpu_s(self.postgres.pid)}


class Place:
    """A database, and a folder for the snapshots of its workers."""

    def __init__(self, ground: Ground, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        folder.mkdir(mode=0o700)
        self._environment = {
            "ORIOLE_LEDGER": address,
            "ORIOLE_BROKER": ground.kafka.address,
            "ORIOLE_DATA": str(folder / "oriole"),
            "ORIOLE_REDIS": "",
        }
        self._connection = psycopg.connect(address, autocommit=True)

    def worker(self, name: str) -> Child:
        """`oriole worker`; `case-2` is another worker of cases. It does not run yet."""
        words = ["worker", "--shard", name.partition("-")[0]]
        return Child(name, words, self.folder / f"{name}.log", self._environment)

    def ask(self, text: str) -> list[tuple[Any, ...]]:
        """The rows of an answer."""
        return self._connection.execute(text.encode()).fetchall()

    def close(self) -> None:
        """Ask no more."""
        self._connection.close()


def cpu_s(pid: int) -> float:
    """CPU seconds of a process, its children and those of them that have ended."""
    spent, parents = dict[int, float](), dict[int, int]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(told[1])
        spent[int(folder.name)] = sum(map(int, told[11:15])) / TICKS_A_S
    tree, size = {pid}, 0
    while len(tree) > size:
        size = len(tree)
        tree |= {one for one, parent in parents.items() if parent in tree}
    return sum(spent.get(one, 0.0) for one in tree)


def metrics(url: str) -> dict[tuple[str, str], float]:
    """A worker's figures by name and shard."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    told = dict[tuple[str, str], float]()
    for line in lines:
        name, mark, rest = line.partition('{shard="')
        shard, end, value = rest.partition('"} ')
        if mark and end:
            told[name.removesuffix("_total"), shard] = float(value)
    return told


def write(broker: str, records: Sequence[Out]) -> None:
    """Have the broker keep records, in order."""
    asyncio.run(_write(broker, records))


async def _write(broker: str, records: Sequence[Out]) -> None:
    faults: list[Exception] = []
    sender = Sender(broker, faults.append)
    await sender.start()
    for begin in range(0, len(records), WRITTEN_AT_ONCE):
        kept: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        sender.give(records[begin : begin + WRITTEN_AT_ONCE], kept.set_result)
        await asyncio.wait_for(kept, WRITE_S)
    await sender.stop()
    if faults:
        raise faults[0]
