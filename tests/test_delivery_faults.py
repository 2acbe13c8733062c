"""Nothing is lost, doubled or stalled whatever fails, over many seeds of `delivery_sim`."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from delivery_sim import Disk, Sim, SimChannel

from detector.delivery.outbox import SENT, Write
from detector.delivery.send import send
from detector.delivery.stages import STAGES

SEEDS = 400
SEEDS_PROVE = 10_000
SEEDS_BROKEN = 60  # within so many a broken subject is found


def faults(seeds: range, **change) -> tuple[list[str], Counter[str]]:
    """What was found wrong, and what happened."""
    told, seen = [], Counter[str]()
    for seed in seeds:
        sim = Sim(seed, **change)
        told += [f"seed {seed}: {fault}" for fault in sim.run()]
        seen["lives"] += sim.lives
        seen.update(row.state for row in sim.outbox.rows(list(sim.outbox._all())).values())
        seen["recovered"] += sum(one.code == "interrupted" for one in sim.outbox._log)
        seen["again"] += sum(len(some) > 1 for some in sim.world.taken.values())
    return told, seen


@pytest.mark.slow
def test_nothing_is_lost_doubled_or_stalled():
    told, seen = faults(range(SEEDS))
    assert told == []
    assert seen["lives"] > 2 * SEEDS and seen["recovered"] > SEEDS / 10 and seen["again"] > 50
    assert all(seen[state] > 100 for state in ("sent", "delivered", "grouped", "dropped", "dead"))


@pytest.mark.prove
@pytest.mark.parametrize("part", range(20))
def test_nothing_is_lost_doubled_or_stalled_in_ten_thousand_worlds(part):
    size = SEEDS_PROVE // 20
    assert faults(range(part * size, (part + 1) * size))[0] == []


def test_a_seed_runs_the_same_again():
    lives = 0
    for seed in range(7, 10):
        one, other = (Sim(seed) for _ in range(2))
        assert one.run() == other.run() == []
        assert one.outbox._log == other.outbox._log and one.lives == other.lives
        lives += one.lives
    assert lives > 6


def sent_before(rows, facts, out):
    """Marks a message as sent, and then sends it."""
    send(rows, facts, out)
    for n, move in enumerate(out.write.moved):
        if move.after.state == "sending":
            after = msgspec.structs.replace(move.after, state=SENT, due_us=None, settled_us=1)
            out.write.moved[n] = msgspec.structs.replace(move, after=after)
    return []


class Forgetful(Disk):
    """Does not look at what was being sent."""

    def recover(self, now_us):
        return 0


class Deaf(Disk):
    """Keeps receipts where they are lost with the process."""

    def receipts(self, after, limit):
        told = super().receipts(after, limit)
        self._heard = {}
        return told


class Rekeys(SimChannel):
    """Gives each attempt a key of its own."""

    async def send(self, message):
        key = f"{message.message_id}-{self.world.mono_s}"
        return await super().send(msgspec.structs.replace(message, message_id=key))


class HalfDigest(Disk):
    """Writes what a digest tells of, and then the digest."""

    def write(self, write):
        if any(one.row.occasion == "digest" for one in write.added):
            super().write(Write(write.moved))
            write = Write([], write.added, write.attempts)
        super().write(write)


BROKEN = [
    ("lost", {"stages": (*STAGES[:-1], sent_before)}),
    ("stalled", {"disk": Forgetful}),
    ("deaf", {"disk": Deaf}),
    ("doubled", {"channel": Rekeys}),
    ("lost", {"disk": HalfDigest}),
]


@pytest.mark.parametrize(
    ("fault", "change"), BROKEN, ids=["sent_before", "forgetful", "deaf", "rekeys", "half_digest"]
)
def test_a_broken_delivery_is_rejected(fault, change):
    for seed in range(SEEDS_BROKEN):
        told = Sim(seed, **change).run()
        if any(one.startswith(fault) for one in told):
            return
    raise AssertionError(f"{change} was not found in {SEEDS_BROKEN} worlds")
