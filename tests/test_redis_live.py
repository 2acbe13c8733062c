"""The live push over a real Redis: what it may lose, what it must not cost, and a viewer who sees
everything once whatever becomes of it."""

from __future__ import annotations

import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from os import kill
from time import perf_counter, sleep
from typing import Any

import pytest
import redis
from conftest import need
from web_kit import EPOCH, Served, ShardsLedger, ShardsService, next_of

from deploy.running import free_port
from deploy.servers import Redis
from detector.adapters import redis_live
from detector.adapters.redis_live import ENTRY_MOVES_MAX, STREAM, Fanout, Shelf, Tail
from detector.testing import FakeClock

SHARDS = ("case-0", "case-1", "operator-0", "department-0")
WAIT_S = 10


@pytest.fixture
def server(redis_server: Redis) -> Iterator[Redis]:
    """An empty Redis, which may be killed."""
    client = redis.Redis.from_url(redis_server.address)
    client.flushall()
    yield redis_server
    redis_server.restart()
    client.close()


def wait_until(condition: Callable[[], Any], what: str = "") -> None:
    begun = perf_counter()
    while not condition():
        assert perf_counter() - begun < WAIT_S, what
        sleep(0.005)


class Ear:
    """A tail, and all that it heard."""

    def __init__(self, url: str) -> None:
        self.heard: list[tuple[str, int, str]] = []
        self.lost = 0
        self.deaf = threading.Event()  # while it is clear, it takes no more
        self.deaf.set()
        self.tail = Tail(url, self._heard, self._lost)
        wait_until(lambda: self.tail.listens)
        wait_until(lambda: self.lost)

    def _heard(self, shard: str, moves: Any) -> None:
        self.heard += [(shard, number, move.finding_id) for number, move in moves]
        self.deaf.wait(WAIT_S)

    def _lost(self) -> None:
        self.lost += 1

    def has(self, number: int) -> bool:
        return number in self.of("case-0")

    def of(self, shard: str) -> list[int]:
        return [number for of, number, _ in self.heard if of == shard]


class Mouth:
    """A fan-out, and the ledger whose moves it tells."""

    def __init__(self, url: str) -> None:
        self.ledger = ShardsLedger(SHARDS)
        self.fanout = Fanout(url, perf_counter)

    def say(self, shard: str, count: int = 1, size: int = 0) -> None:
        self.fanout.tell(shard, self.ledger.commit(shard, count, size))


@pytest.fixture
def mouth(server: Redis) -> Iterator[Mouth]:
    one = Mouth(server.address)
    yield one
    one.fanout.close()


@pytest.fixture
def ear(server: Redis) -> Iterator[Ear]:
    one = Ear(server.address)
    yield one
    one.deaf.set()
    one.tail.close()


def test_what_is_told_is_heard_by_all_and_in_order(server, mouth, ear):
    mouth.say("case-0", 2 * ENTRY_MOVES_MAX + 1)
    other = Ear(server.address)  # hears what is told from now on
    wait_until(lambda: mouth.fanout.told)
    for _ in range(20):
        mouth.say("case-1", 3)
        mouth.say("operator-0")
    wait_until(lambda: len(ear.of("operator-0")) == len(other.of("operator-0")) == 20)
    assert ear.of("case-0") == list(range(1, 2 * ENTRY_MOVES_MAX + 2))
    assert ear.of("case-1") == other.of("case-1") == list(range(1, 61))
    assert ear.heard[0] == ("case-0", 1, "case-0/1") and ear.lost == other.lost == 1
    assert mouth.fanout.dropped == 0
    other.tail.close()


def test_a_move_comes_over_whole(server, mouth):
    heard: list[Any] = []
    tail = Tail(server.address, lambda shard, moves: heard.append((shard, moves)), lambda: None)
    wait_until(lambda: tail.listens)
    moves = mouth.ledger.commit("case-0", 2)
    mouth.fanout.tell("case-0", moves)
    wait_until(lambda: heard)
    tail.close()
    assert heard == [("case-0", moves)]


def test_a_worker_that_ends_tells_what_waits(server, ear):
    mouth = Mouth(server.address)
    for _ in range(50):
        mouth.say("case-0", 20)
    mouth.fanout.close()
    mouth.say("case-0")
    assert (mouth.fanout.told, mouth.fanout.dropped) == (1_000, 1)
    wait_until(lambda: len(ear.heard) == 1_000)


def test_a_stream_that_is_flushed_is_said_and_followed_further(server, mouth, ear):
    client = redis.Redis.from_url(server.address)
    mouth.say("case-0")
    wait_until(lambda: ear.heard)
    client.flushall()
    wait_until(lambda: ear.lost == 2, "it was flushed")
    mouth.say("case-0")
    wait_until(lambda: ear.of("case-0") == [1, 2])
    for number in range(3, 60):
        client.flushall()
        mouth.say("case-0")  # at once: the stream is there again before anybody looks
        wait_until(partial(ear.has, number))
    client.close()


def test_a_stream_that_begins_anew_with_lesser_ids_is_heard_from_its_begin(server, mouth, ear):
    client = redis.Redis.from_url(server.address)
    mouth.say("case-0", 2)
    wait_until(lambda: ear.heard)
    told: Any = client.xrange(STREAM)
    fields = told[0][1]
    client.delete(STREAM)
    for number in (1, 2):
        client.xadd(STREAM, fields | {b"first": number * 10}, id=f"{number}-0")
    wait_until(lambda: ear.of("case-0") == [1, 2, 10, 11, 20, 21])
    assert ear.lost == 2
    client.close()


def test_entries_that_went_unheard_are_said(server, mouth, ear):
    client = redis.Redis.from_url(server.address)
    ear.deaf.clear()
    for _ in range(250):
        mouth.say("case-0")
    wait_until(lambda: mouth.fanout.told == 250)
    client.xtrim(STREAM, maxlen=10, approximate=False)
    ear.deaf.set()
    wait_until(lambda: ear.heard[-1][1] == 250)
    assert ear.lost == 2 and len(ear.heard) < 250
    client.close()


def test_what_is_no_move_is_passed_over_and_said(server, mouth, ear):
    client = redis.Redis.from_url(server.address)
    client.xadd(STREAM, {"shard": "case-0"})
    client.xadd(STREAM, {"shard": "case-0", "first": "1", "moves": b"\xc1"})
    client.xadd(STREAM, {"shard": b"\xff", "first": "1", "moves": b"\x90"})
    client.xadd(STREAM, {"shard": "case-0", "first": "x", "moves": b"\x90"})
    mouth.say("case-0")
    wait_until(lambda: ear.heard)
    assert ear.lost == 5
    client.close()


def test_a_redis_that_is_killed_and_comes_back(server, mouth, ear):
    mouth.say("case-0")
    wait_until(lambda: ear.heard)
    server.kill()
    wait_until(lambda: not ear.tail.listens)
    assert ear.lost == 2
    mouth.say("case-0")
    wait_until(lambda: mouth.fanout.dropped == 1)
    server.restart()
    wait_until(lambda: ear.tail.listens)
    wait_until(lambda: ear.lost == 3, "nobody listened meanwhile")

    def again() -> bool:
        mouth.say("case-0")
        sleep(0.05)
        return len(ear.heard) > 1

    wait_until(again)
    assert ear.of("case-0")[0] == 1 and ear.of("case-0")[1] > 2


def test_a_redis_that_comes_later():
    need(Redis)
    nobody = Redis()
    heard: list[Any] = []
    tail = Tail(nobody.address, lambda shard, moves: heard.append(moves), lambda: heard.append(0))
    mouth = Mouth(nobody.address)
    mouth.say("case-0")
    wait_until(lambda: mouth.fanout.dropped)
    assert not tail.listens and heard == []
    nobody.start()
    wait_until(lambda: tail.listens)
    tail.close()
    mouth.fanout.close()
    nobody.stop()


@pytest.mark.parametrize("how", ["gone", "stuck"])
def test_a_dead_redis_costs_the_engine_nothing(server, mouth, how):
    mouth.say("case-0")
    wait_until(lambda: mouth.fanout.told)
    if how == "gone":
        server.kill()
    else:
        kill(server.pid, signal.SIGSTOP)
    moves = mouth.ledger.commit("case-0", 20)
    took = []
    for _ in range(2_000):
        begun = perf_counter()
        mouth.fanout.tell("case-0", moves)
        took.append(perf_counter() - begun)
        if len(took) % 20 == 0:
            sleep(0.01)  # so that it is tried, and given up, meanwhile
    if how == "stuck":
        kill(server.pid, signal.SIGCONT)
    assert sorted(took)[-20] < 0.001  # of one in a hundred the machine may have been elsewhere
    wait_until(lambda: mouth.fanout.dropped + mouth.fanout.told == 40_001)
    assert mouth.fanout.dropped > 20_000


def test_more_than_can_wait_goes_by_the_ledger(mouth, monkeypatch):
    monkeypatch.setattr(redis_live, "WAITING_MOVES_MAX", 9)
    mouth.say("case-0", 10)
    assert (mouth.fanout.told, mouth.fanout.dropped) == (0, 10)
    mouth.say("case-0", 9)
    wait_until(lambda: mouth.fanout.told == 9)


def test_the_stream_is_bounded(server, mouth, monkeypatch):
    monkeypatch.setattr(redis_live, "ENTRIES_MAX", 500)
    for _ in range(2_000):
        mouth.say("case-0")
    wait_until(lambda: mouth.fanout.told == 2_000)
    client = redis.Redis.from_url(server.address)
    assert 500 <= client.xlen(STREAM) < 700
    client.close()


@pytest.mark.parametrize("how", ["gone", "stuck", "there"])
def test_a_tail_ends_promptly(server, ear, how):
    if how == "gone":
        server.kill()
        wait_until(lambda: not ear.tail.listens)
    elif how == "stuck":
        kill(server.pid, signal.SIGSTOP)
        sleep(0.3)
    begun = perf_counter()
    ear.tail.close()
    assert perf_counter() - begun < 1.6
    if how == "stuck":
        kill(server.pid, signal.SIGCONT)


# --- the shelf ----------------------------------------------------------------------------------


def test_a_shelf_keeps_figures_for_a_while(server):
    shelf = Shelf(server.address)
    assert shelf.get("board") is None
    shelf.put("board", b"\x00 1", 0.3)
    assert shelf.get("board") == b"\x00 1" and shelf.get("other") is None
    wait_until(lambda: shelf.get("board") is None)
    shelf.put("board", b"2", 60)
    server.kill()
    assert shelf.get("board") is None
    server.restart()
    wait_until(lambda: shelf.get("board") == b"2")
    shelf.close()


def test_a_dead_redis_is_asked_once_a_second():
    clock, took = FakeClock(0), []
    with socket.create_server(("127.0.0.1", 0)) as stuck:  # takes connections, says nothing
        shelf = Shelf(f"redis://127.0.0.1:{stuck.getsockname()[1]}/0", clock.seconds)
        stuck.settimeout(0.05)
        for _ in range(3):
            begun = perf_counter()
            assert shelf.get("board") is None
            took.append(perf_counter() - begun)
            stuck.accept()[0].close()
            for _ in range(9):
                clock.move(0.1)
                shelf.put("board", b"", 1)
                assert shelf.get("board") is None
            with pytest.raises(TimeoutError):
                stuck.accept()
            clock.move(0.2)
        shelf.close()
    assert min(took) < 0.2


# --- a viewer -----------------------------------------------------------------------------------


class Viewer:
    """Looks on at one door or another, is cut off, comes back, and says so when anything is not
    the next of its shard."""

    def __init__(self, doors: list[Served], seed: int) -> None:
        self.last = (0,) * len(SHARDS)
        self.doors, self.rng = doors, random.Random(seed)
        self.visits, self.done, self.fault = 0, threading.Event(), ""
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            while not self.done.is_set():
                self._visit(self.rng.choice(self.doors))
        except Exception as fault:
            self.fault = repr(fault)

    def _visit(self, door: Served) -> None:
        """Read on for a while; what was not read to its end does not count."""
        last = f"{EPOCH}-{'.'.join(map(str, self.last))}"
        head = f"GET /api/v1/stream HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: {last}\r\n\r\n"
        until = perf_counter() + self.rng.choice([0.05, 0.3, 1.5])
        with door.connect() as sock:
            sock.settimeout(0.05)
            sock.sendall(head.encode())
            data = b""
            while perf_counter() < until and not self.done.is_set():
                try:
                    some = sock.recv(self.rng.choice([100, 1 << 16]))
                except TimeoutError:
                    continue
                if not some:
                    break
                data += some
                *blocks, data = data.split(b"\n\n")
                for block in blocks:
                    self._see(block.decode())
        self.visits += 1

    def _see(self, block: str) -> None:
        event = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "data" in event:
            self.last = next_of(SHARDS, self.last, event)


class House:
    """Two doors and two workers over one ledger, some viewers, and a Redis between them."""

    def __init__(self, url: str, viewers: int = 4) -> None:
        self.ledger = ShardsLedger(SHARDS)
        self.doors = [Served(ShardsService(SHARDS, self.ledger), ring_max=50) for _ in range(2)]
        for door in self.doors:
            door.__enter__()
        hubs = [door.web.hub for door in self.doors]
        self.tails = [Tail(url, hub.heard_of, hub.lost) for hub in hubs]
        self.fanouts = [Fanout(url, perf_counter) for _ in range(2)]
        self.working = threading.Event()
        self.workers = [threading.Thread(target=self._work, args=(n,)) for n in range(2)]
        self.viewers = [Viewer(self.doors, seed) for seed in range(viewers)]
        self.working.set()
        for worker in self.workers:
            worker.start()

    def _work(self, number: int) -> None:
        rng = random.Random(number)
        while self.working.is_set():
            shard = SHARDS[2 * number + rng.randrange(2)]
            moves = self.ledger.commit(shard, rng.choice([1, 1, 2, 7]))
            self.fanouts[number].tell(shard, moves)
            sleep(rng.choice([0.002, 0.01, 0.05]))

    @property
    def total(self) -> tuple[int, ...]:
        return tuple(self.ledger.last_moves().values())

    def filled(self) -> int:
        """What was told from the ledger, by either door."""
        return sum(door.web.backfill.filled for door in self.doors)

    def seen_by_all(self) -> bool:
        return all(viewer.last == self.total or viewer.fault for viewer in self.viewers)

    def end(self) -> None:
        """The work ends, and all is seen; no viewer found fault."""
        self.working.clear()
        for worker in self.workers:
            worker.join()
        begun = perf_counter()
        try:
            wait_until(self.seen_by_all, "somebody misses something")
            self.took_s = perf_counter() - begun
        finally:
            self.close()
        assert [viewer.fault for viewer in self.viewers] == [""] * len(self.viewers)
        assert all(viewer.visits > 1 for viewer in self.viewers)
        assert [door.web.hub.resyncs for door in self.doors] == [0, 0]

    def close(self) -> None:
        for viewer in self.viewers:
            viewer.done.set()
            viewer.thread.join()
        for tail, fanout in zip(self.tails, self.fanouts, strict=True):
            tail.close()
            fanout.close()
        for door in self.doors:
            door.__exit__()


def test_a_viewer_sees_everything_once_by_redis(server):
    house = House(server.address)
    sleep(3)
    house.end()
    assert sum(fanout.dropped for fanout in house.fanouts) == 0
    assert house.filled() < sum(house.total) / 2  # nearly all of it was heard


def test_a_viewer_sees_everything_once_whatever_becomes_of_redis(server):
    client = redis.Redis.from_url(server.address)
    house = House(server.address)
    for _ in range(5):
        sleep(0.2)
        client.flushall()
    server.kill()
    sleep(2.5)
    assert sum(fanout.dropped for fanout in house.fanouts) > 0
    server.restart()
    sleep(1.5)
    client.flushall()
    sleep(0.5)
    house.end()
    client.close()
    assert house.filled() > 0


def test_a_viewer_sees_everything_once_without_redis():
    house = House(f"redis://127.0.0.1:{free_port()}/0")
    sleep(2.5)
    house.end()
    assert house.filled() == 2 * sum(house.total)


def test_a_house_whose_gaps_stay_is_found(server, monkeypatch):
    async def nothing(self: Any) -> None:
        pass

    monkeypatch.setattr("detector.web.backfill.Backfill.fill", nothing)
    monkeypatch.setattr("test_redis_live.WAIT_S", 2)
    house = House(server.address)
    server.kill()
    sleep(1)
    server.restart()
    sleep(1)
    with pytest.raises(AssertionError, match="misses something"):
        house.end()
