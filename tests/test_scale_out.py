"""Three engines, one truth: embedded, Kafka with everything killed meanwhile, and a replay."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
import redis
from cluster_kit import (
    COUNTY,
    Poster,
    bodies_of,
    comes_to_the_end,
    kept,
    lines_of,
    logs_left,
    received,
    wait_until,
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
    with logs_left(stack, tmp_path), kept(stack) as again:
        trouble = threading.Thread(target=disturb, args=(stack, over))
        trouble.start()
        try:
            for body in bodies:
                poster.post(body)
        finally:
            over.set()
            trouble.join()
        comes_to_the_end(stack.postgres.address(), until)
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


class Ear(threading.Thread):
    """Listens to the stream, and comes back with its last id when it is cut."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.last, self.over = port, "", False
        self.found: list[str] = []  # event ids of findings, as often as they came
        self.resyncs = 0
        self.heard = threading.Condition()

    def run(self) -> None:
        while not self.over:
            headers = {"Last-Event-ID": self.last} if self.last else {}
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            try:
                connection.request("GET", "/api/v1/stream", headers=headers)
                self._listen(connection.getresponse())
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
            finally:
                connection.close()

    def _listen(self, answer: http.client.HTTPResponse) -> None:
        for line in answer:
            if line.startswith(b"id: "):
                self.last = line[4:].strip().decode()
            self.resyncs += line.startswith(b"event: resync")
            if line.startswith(b"data: ") and b'"finding_id"' in line and b'"rule"' in line:
                with self.heard:
                    self.found.append(json.loads(line[6:])["finding_id"])
                    self.heard.notify_all()


def survey(case: str) -> bytes:
    """A survey that was finished 58 seconds after the acceptance, both just now."""
    now = datetime.now(UTC) - timedelta(minutes=2)
    lines = []
    for n, (action, step, at) in enumerate((("accept", None, 0), ("step", "survey", 58))):
        stamp = (now + timedelta(seconds=at)).isoformat()
        told = {
            "event_id": f"{case}-{n}", "case_id": case, "action": action, "step": step,
            "item": "permit", "department": "D01", "operator": "P0101",
            "occurred_at": stamp, "recorded_at": stamp,
        }  # fmt: skip
        lines.append(json.dumps({k: v for k, v in told.items() if v}).encode())
    return b"\n".join(lines) + b"\n"


def ask(stack: Stack, path: str, body: dict[str, str] | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=60)
    data = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", f"/api/v1{path}", data)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


@pytest.mark.slow
def test_a_cluster_as_its_users_meet_it(tmp_path):
    """Events in, findings on the stream, each once though Redis is flushed and killed and the door
    restarted; a case with its timeline, its notice, an act; delivery beside it."""
    for kind in (Kafka, Redis, Postgres):
        need(kind)
    stack = Stack()
    stack.start()
    try:
        poster, ear = Poster(stack.port), Ear(stack.port)
        ear.start()
        wait_until(lambda: bool(ear.last), 30, "the stream does not open")
        for number in range(40):
            poster.post(survey(f"u-{number:03d}"))
            if number == 10:
                redis_client(stack).flushall()
            if number == 20:
                hit(stack, "redis")
            if number == 30:
                stack.restart("serve")

        def all_found() -> set[str]:
            _, told = ask(stack, "/findings?rule=too_fast_step&limit=500")
            return {one["finding_id"] for one in told["items"]}

        wait_until(lambda: len(all_found()) == 40, 60, "not every survey is found")
        want = {one["finding_id"] for one in ask(stack, "/findings?limit=500")[1]["items"]}
        with ear.heard:
            assert ear.heard.wait_for(lambda: want <= set(ear.found), 30), len(ear.found)
        assert len(ear.found) == len(set(ear.found)) and not ear.resyncs
        status, case = ask(stack, "/cases/u-007")
        assert status == 200 and [e["line"]["event_id"] for e in case["events"]] == [
            "u-007-0", "u-007-1",
        ]  # fmt: skip
        assert ask(stack, "/cases/nobody")[0] == 404
        wait_until(lambda: notices_of(stack, "u-007") != [], 30, "there is no notice")
        [notice] = notices_of(stack, "u-007")
        status, told = ask(
            stack, f"/notices/{notice['notice_id']}/acts", {"act": "acknowledge", "actor": "P0105"}
        )
        assert (status, told["state"]) == (200, "acknowledged")
        assert ask(stack, "/counts")[1]["findings"]["standing"]["too_fast_step"] == 40
        # sent, or put off with a reason: at night nobody is woken
        seen = "SELECT count(*) FROM outbox WHERE state <> 'waiting' OR reason IS NOT NULL"
        wait_until(lambda: count(stack, seen) > 40, 60, "nobody delivers")
        ear.over = True
    finally:
        stack.stop()


def notices_of(stack: Stack, case: str) -> list[dict[str, Any]]:
    return ask(stack, f"/notices?subject={case}")[1]["items"]


def count(stack: Stack, question: LiteralString) -> int:
    with psycopg.connect(stack.postgres.address()) as connection:
        [(told,)] = connection.execute(question)
    return told


def redis_client(stack: Stack) -> redis.Redis:
    return redis.Redis.from_url(stack.redis.address)
