"""The threshold explorer of a scale-out, over real servers: what one process says, to the byte."""

from __future__ import annotations

import http.client
import json
import time
from collections import deque
from collections.abc import Iterator

import numpy as np
import pytest
from cluster_kit import Poster, bodies_of, comes_to_the_end, kept, lines_of, received, wait_until
from conftest import need
from service import Service
from test_cli import oriole
from test_survival import post_all

from deploy.servers import Kafka, Postgres, Redis
from deploy.stack import Stack
from detector.shelf import load_shelf

EVENTS, TURNS = 10_000, 8
TUNED = sorted(name for name, one in load_shelf().items() if one.rule.tuned)
ASKED = ("", "?every=true", "?at=1&at=100", "?department=D01")


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Two workers of cases over four partitions."""
    for kind in (Kafka, Redis, Postgres):
        need(kind)
    children = ("case-1", "case-2", "operator", "department", "serve")
    one = Stack(children=children, clock="events", session_timeout_s=6)
    one.start()
    yield one
    one.stop()


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Status and body of a question to the explorer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", f"/api/v1/rules/{path}", headers={"Accept-Language": "en"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def questions() -> list[str]:
    return [f"{rule}/thresholds{more}" for rule in TUNED for more in ASKED]


def told(port: int) -> dict[str, bytes]:
    """The answers to all questions."""
    answers = {path: ask(port, path) for path in questions()}
    assert {status for status, _ in answers.values()} == {200}
    return {path: body for path, (_, body) in answers.items()}


def p95_ms(port: int) -> float:
    took = []
    for path in questions() * TURNS:
        begun = time.perf_counter()
        ask(port, path)
        took.append(time.perf_counter() - begun)
    return float(np.percentile(took, 95)) * 1e3


@pytest.mark.slow
def test_the_door_says_what_one_process_says(stack, tmp_path):
    """Byte for byte; and while a worker is away, that it is, and nothing that would look whole."""
    lines = lines_of(EVENTS, 3)
    bodies = bodies_of(lines, 500)
    service = Service(tmp_path / "embedded")
    post_all(service, deque(bodies))
    want = told(service.port)
    rows = [sum(c["rows"] for c in json.loads(body)["choices"]) for body in want.values()]
    assert sum(n > 50 for n in rows) > len(rows) / 2

    poster = Poster(stack.port)
    with kept(stack):
        for body in bodies:
            poster.post(body)
        comes_to_the_end(stack.postgres.address(), max(map(received, lines)) + 60_000_000)
    assert told(stack.port) == want
    print(
        f"p95 of {len(want) * TURNS} answers: {p95_ms(stack.port):.1f} ms at the door of 4 shards,"
        f" {p95_ms(service.port):.1f} ms in one process; {sum(rows) // len(ASKED)} rows,"
        f" at most {max(map(len, want.values()))} bytes"
    )
    assert service.stop() == 0
    for rule in TUNED:  # the terminal asks no worker: it judges all shards of cases anew
        places = (("--data", tmp_path / "embedded"), ("--ledger", stack.postgres.address()))
        one, many = (oriole("rules", "tune", rule, *place, "--json").stdout for place in places)
        assert many == one, rule

    stack.children["case-2"].kill()
    status, body = ask(stack.port, f"{TUNED[0]}/thresholds")
    answer = json.loads(body)
    assert (status, answer["code"]) == (503, "shard_untold") and "case-" in answer["detail"]
    stack.children["case-2"].restart()
    wait_until(lambda: ask(stack.port, f"{TUNED[0]}/thresholds")[0] == 200, 60, "nobody has it")
    assert told(stack.port) == want
