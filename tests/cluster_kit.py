"""What tests of a scale-out share: a county as it arrived, and a stack that is disturbed."""

from __future__ import annotations

import http.client
import random
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import psycopg

from deploy.stack import Stack
from detector.district import load_district
from detector.simulate.county import simulate
from detector.simulate.facts import report
from detector.simulate.text import lines as text_of
from detector.values import iso_time, read_time

COUNTY = Path(__file__).resolve().parents[1] / "examples" / "county"
ZONE = load_district(COUNTY).calendar.zone


def received(line: bytes) -> int:
    """When a line arrived, µs UTC."""
    return read_time(msgspec.json.decode(line)["received_at"], ZONE)


def lines_of(events: int, seed: int, days: int = 60) -> list[bytes]:
    """A county's events and facts as they arrived, one in fifty of them twice."""
    county = simulate(events // 6 + 10, seed, days, load_district(COUNTY))
    county.stream = county.stream.take(slice(0, events))
    told = [*text_of(county), *report(county).lines().splitlines()]
    told.sort(key=lambda line: msgspec.json.decode(line)["received_at"])
    rng = random.Random(seed)
    again: dict[int, list[bytes]] = {}
    for place in rng.sample(range(len(told)), len(told) // 50):
        again.setdefault(place + rng.randrange(1, 400), []).append(told[place])
    whole: list[bytes] = []
    for place, line in enumerate(told):
        whole += [line, *again.get(place, ())]
    return whole


def acts_on(findings: bytes, until: int) -> list[bytes]:
    """People acknowledge, and answer, some of the notices of a history."""
    acts = []
    for line in findings.splitlines()[::7]:
        notice = msgspec.json.decode(line)
        issued = read_time(notice["issued_at"], ZONE)
        for name, hours in (("acknowledge", 2), ("answer", 5)):
            at = issued + hours * 3_600_000_000
            if at < until:
                act = {
                    "kind": "act", "act_id": f"{name}-{notice['notice_id']}",
                    "notice_id": notice["notice_id"], "act": name, "actor": "P0001",
                    "at": iso_time(at), "received_at": iso_time(at), "text": "已核实",
                }  # fmt: skip
                acts.append(msgspec.json.encode(act))
    return acts


def bodies_of(lines: list[bytes], size: int) -> list[bytes]:
    """Bodies of so many lines, each with a tick at its end, and a last tick a minute later."""
    cuts = [*range(0, len(lines), size), len(lines)]
    bodies, latest = [], 0
    for a, b in pairwise(cuts):
        latest = max([latest, *(received(line) for line in lines[a:b])])
        bodies.append(b"\n".join(lines[a:b]) + b"\n" + tick(latest - 1))
    return [*bodies, tick(latest + 60_000_000)]


def tick(at: int) -> bytes:
    return b'{"kind":"tick","at":"%s"}\n' % iso_time(at).encode()


class Poster:
    """Posts bodies in order, each again until it is taken; nothing overtakes."""

    def __init__(self, port: int, patience_s: float = 120.0) -> None:
        self.port, self.patience_s, self.again = port, patience_s, 0

    def post(self, body: bytes) -> None:
        until = time.monotonic() + self.patience_s
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.request("POST", "/api/v1/events", body)
                answer = connection.getresponse()
                if answer.status in (200, 202):
                    answer.read()
                    return
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            assert time.monotonic() < until, "nobody takes the body"
            self.again += 1
            time.sleep(0.1)


def watermark_of(ledger: str, shard: str) -> float:
    """Up to when a shard has heard all, by the worker that owns it; 0 where nobody answers."""
    try:
        with psycopg.connect(ledger, connect_timeout=5) as connection:
            [(owner,)] = connection.execute("SELECT owner FROM position WHERE shard = %s", (shard,))
        with urllib.request.urlopen(f"{owner}/metrics", timeout=5) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f'oriole_watermark_seconds{{shard="{shard}"}}'):
                    return float(line.split()[-1])
    except (psycopg.Error, OSError, ValueError):
        pass
    return 0.0


def stands_of(ledger: str) -> list[tuple[str, int, int]]:
    """How far each shard is: its name, its inputs and its place in the topic; none where nobody
    answers."""
    try:
        with psycopg.connect(ledger, connect_timeout=5) as connection:
            return connection.execute(
                """SELECT shard, next_event, "offset" FROM position ORDER BY shard"""
            ).fetchall()
    except psycopg.Error:
        return []


def comes_to_the_end(ledger: str, until: int, still_s: float = 180) -> None:
    """Wait until the department has heard all up to `until` (µs); a cluster in which nothing has
    moved for `still_s` stands still, and the assertion says where."""
    stand, since = (0.0, stands_of(ledger)), time.monotonic()
    while stand[0] < until / 1e6:
        time.sleep(0.2)
        now = (watermark_of(ledger, "department-0"), stands_of(ledger))
        if now != stand and now[1]:
            stand, since = now, time.monotonic()
        assert time.monotonic() < since + still_s, (
            f"of {until / 1e6} the cluster is at {stand}, and now at {now}"
        )


def wait_until(reached: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Ask a system of many processes until it has come so far."""
    until = time.monotonic() + timeout_s
    while not reached():
        assert time.monotonic() < until, what
        time.sleep(0.2)


@contextmanager
def logs_left(stack: Stack, folder: Path) -> Iterator[None]:
    """What everybody said stays in a folder where a test fails; a fresh stack loses its own."""
    try:
        yield
    except BaseException:
        for log in (stack.data / "logs").glob("*.log"):
            shutil.copy(log, folder)
        for server in (stack.kafka, stack.postgres, stack.redis):
            shutil.copy(server.folder / "log", folder / f"{server.name}.log")
        raise


@contextmanager
def kept(stack: Stack) -> Iterator[list[str]]:
    """Children that end are started again meanwhile, as compose would; the names of those that
    were."""
    over, again = threading.Event(), list[str]()

    def keep() -> None:
        while not over.wait(0.2):
            again.extend(stack.keep())

    thread = threading.Thread(target=keep)
    thread.start()
    try:
        yield again
    finally:
        over.set()
        thread.join()
