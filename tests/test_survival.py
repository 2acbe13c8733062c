"""A service that is killed at any moment loses nothing and doubles nothing."""

from __future__ import annotations

import random
import threading
from collections import deque
from itertools import pairwise
from pathlib import Path

import pytest
from service import Pipeline, Service

from detector.district import load_district
from detector.simulate.county import simulate
from detector.simulate.text import lines
from detector.values import iso_time
from replay.run import Job, replay
from replay.verify import verify

COUNTY = Path(__file__).resolve().parents[1] / "examples" / "county"
EVENTS, KILLS = 200_000, 25
BODY_LINES, IN_FLIGHT = 500, 4


@pytest.fixture(scope="module")
def county() -> list[bytes]:
    """The lines of a county, and the tick that ends them."""
    made = simulate(33_000, 11, 90, load_district(COUNTY))
    stream = made.stream.take(slice(0, EVENTS))
    made.stream = stream
    told = lines(made)
    assert len(told) == EVENTS
    at = int(stream.received[-1] + 60) * 1_000_000
    return [*told, b'{"kind":"tick","at":"%s"}' % iso_time(at).encode()]


class Killer(threading.Thread):
    """Kills a service after a while, from a thread of its own."""

    def __init__(self, service: Service, seconds: float) -> None:
        super().__init__()
        self.service, self.seconds = service, seconds
        self.spared = threading.Event()

    def run(self) -> None:
        if not self.spared.wait(self.seconds):
            self.service.process.kill()


def post_all(service: Service, bodies: deque[bytes]) -> int:
    """Post in order, several in flight; what is answered leaves `bodies`. Lines taken."""
    pipe, sent, taken = Pipeline(service.port), 0, 0
    try:
        while bodies:
            while sent < min(IN_FLIGHT, len(bodies)):
                pipe.send(bodies[sent])
                sent += 1
            status, told = pipe.answer()
            assert status == 200 and not told["refused"]
            taken += told["accepted"]
            bodies.popleft()
            sent -= 1
    finally:
        pipe.close()
    return taken


def bodies_of(county: list[bytes]) -> deque[bytes]:
    cuts = [*range(0, len(county), BODY_LINES), len(county)]
    return deque(b"\n".join(county[a:b]) + b"\n" for a, b in pairwise(cuts))


def run_killed(data: Path, county: list[bytes], kills: int, rng: random.Random) -> int:
    """Post everything to a service that is killed so often; how often it was while posting."""
    bodies, killed = bodies_of(county), 0
    goals = sorted(rng.sample(range(4, len(bodies) - 8), kills))  # about where each kill falls
    whole = len(bodies)
    while bodies:
        service = Service(data, "--snapshot-inputs", "15000")
        killer = None
        if goals:
            goal = goals.pop(0)
            ahead = max(goal - (whole - len(bodies)), 0)
            first = deque(list(bodies)[:ahead])
            count = len(first)
            post_all(service, first)
            for _ in range(count):
                bodies.popleft()
            killer = Killer(service, rng.random() * 0.08)
            killer.start()
        try:
            post_all(service, bodies)
        except ConnectionError:
            killed += 1
        if killer:
            killer.spared.set()
            killer.join()
        if service.process.poll() is None and not bodies:
            assert service.stop() == 0
        else:
            service.kill()
    return killed


@pytest.mark.slow
def test_killed_again_and_again(county, tmp_path):
    """25 kills with requests in flight: the digest of an undisturbed run, and of a replay."""
    log = tmp_path / "county.ndjson"
    log.write_bytes(b"\n".join(county[:-1]) + b"\n")
    killed = run_killed(tmp_path / "killed", county, KILLS, random.Random(5))
    assert killed >= KILLS * 0.9, killed
    told = verify(tmp_path / "killed")
    assert told.fault == ""
    service = Service(tmp_path / "calm")
    assert post_all(service, bodies_of(county)) > EVENTS * 0.99
    assert service.stop() == 0
    calm = verify(tmp_path / "calm")
    assert calm.fault == "" and calm.digest == told.digest
    assert replay(Job((str(log),), str(COUNTY), workers=2)).summary["digest"] == told.digest
    assert told.findings == calm.findings > 1_000


@pytest.mark.slow
def test_a_broken_resender_is_noticed(county, tmp_path):
    """Whoever does not send again what got no answer ends with another digest."""
    some = [*county[:20_000], county[-1]]
    service = Service(tmp_path / "whole")
    post_all(service, bodies_of(some))
    assert service.stop() == 0
    service = Service(tmp_path / "lossy")
    lossy = bodies_of(some)
    del lossy[7]
    post_all(service, lossy)
    assert service.stop() == 0
    assert verify(tmp_path / "whole").digest != verify(tmp_path / "lossy").digest
