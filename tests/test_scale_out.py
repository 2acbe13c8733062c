"""Three engines, one truth: embedded, Kafka with everything killed meanwhile, and a replay."""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster_kit import (
    COUNTY,
    Poster,
    bodies_of,
    kept,
    lines_of,
    received,
    wait_until,
    watermark_of,
)
from conftest import need
from service import Service
from test_survival import post_all

from deploy.servers import Kafka, Postgres, Redis
from deploy.stack import Stack
from detector.ledger.postgres_open import open_reader
from detector.values import iso_time
from replay.run import Job, replay
from replay.verify import Verified, prove, verify

WORKERS = ("case-1", "case-2", "operator", "department")


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A cluster of two case workers over four partitions."""
    for kind in (Kafka, Redis, Postgres):
        need(kind)
    one = Stack(children=(*WORKERS, "serve"), clock="events", session_timeout_s=6)
    one.start()
    yield one
    one.stop()


def proved(stack: Stack) -> Verified:
    """All shards, derived again from their journals."""
    address = stack.postgres.address()
    reader = open_reader(address, "case-0")
    names = reader.shards()
    reader.close()
    return prove([open_reader(address, name) for name in names])


def three_engines(
    stack: Stack, tmp_path: Path, events: int, disturb: Callable[[Stack, threading.Event], None]
) -> None:
    """The same lines through all three; the digests agree."""
    lines = lines_of(events, 3)
    bodies = bodies_of(lines, 1_000)
    until = max(map(received, lines)) + 60_000_000
    log = tmp_path / "log.ndjson"
    log.write_bytes(b"\n".join(lines) + b"\n")
    want = replay(Job((str(log),), str(COUNTY), until=iso_time(until), workers=2)).summary["digest"]

    service = Service(tmp_path / "embedded")
    post_all(service, deque(bodies))
    assert service.stop() == 0
    embedded = verify(tmp_path / "embedded")
    assert (embedded.fault, embedded.digest) == ("", want)

    poster, over = Poster(stack.port), threading.Event()
    with kept(stack) as again:
        trouble = threading.Thread(target=disturb, args=(stack, over))
        trouble.start()
        try:
            for body in bodies:
                poster.post(body)
        finally:
            over.set()
            trouble.join()
        ledger = stack.postgres.address()
        wait_until(
            lambda: watermark_of(ledger, "department-0") >= until / 1e6, 180,
            "the department's shard does not come to the end",
        )  # fmt: skip
    for name in WORKERS:  # so that nobody writes while it is read
        assert stack.children[name].stop() == 0
    told = proved(stack)
    assert (told.fault, told.digest) == ("", want), again
    assert told.findings == embedded.findings > events / 200
    print(f"{events} events, posted again {poster.again}, started again {again}")


def five_kills(stack: Stack, over: threading.Event) -> None:
    """One of each, some seconds apart."""
    rng = random.Random(7)
    for victim in (rng.choice(WORKERS[:2]), "postgres", "redis", "department", "kafka"):
        if over.wait(2):
            return
        hit(stack, victim)


def hit(stack: Stack, victim: str) -> None:
    """SIGKILL; servers come back at once, workers by whoever keeps them."""
    if victim in stack.children:
        stack.children[victim].kill()
        return
    server = {"postgres": stack.postgres, "redis": stack.redis, "kafka": stack.kafka}[victim]
    server.kill()
    server.start()


@pytest.mark.slow
def test_three_engines_one_truth(stack, tmp_path):
    """100,000 events, and a worker, PostgreSQL, Redis, the department's worker and the broker
    killed meanwhile."""
    three_engines(stack, tmp_path, 100_000, five_kills)


def without_end(stack: Stack, over: threading.Event) -> None:
    """Every ten seconds somebody is killed, whoever it is."""
    rng = random.Random(11)
    while not over.wait(10):
        hit(stack, rng.choice([*WORKERS, "postgres", "redis", "kafka"]))


@pytest.mark.prove
def test_a_million_events(stack, tmp_path):
    """1,000,000 events, and a worker, PostgreSQL, Redis or the broker killed every ten seconds."""
    three_engines(stack, tmp_path, 1_000_000, without_end)
