"""Laws of the live stream, without a socket: nothing lost, nothing twice, memory bounded."""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from virtual_loop import VirtualLoop
from web_kit import EPOCH, CannedService, ShardsLedger, finding, next_of

from detector.ledger import LedgerError, Move, Position, Work
from detector.ledger.postgres_open import open_ledger, open_reader
from detector.web.backfill import Backfill
from detector.web.event_ids import Numbers, encode_event, id_line
from detector.web.hub import BEAT, Hub, Viewer
from detector.web.readers import Readers
from detector.web.settings import Settings
from detector.web.stream import Stream

WAIT_S = 10


def numbers(data: bytes) -> list[tuple[int, str]]:
    """(number, kind) of the events in some bytes; comments and bare ids are none."""
    found = []
    for block in data.decode().split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "data" in fields:
            found.append((int(fields["id"].rpartition("-")[2]), fields["event"]))
    return found


class Told:
    """A stream served without a server: what was sent to it, as it comes."""

    def __init__(self, stream: Stream, last: str | None = None) -> None:
        self.data = b""
        self.status = 0
        self.grown = asyncio.Condition()
        self.left = asyncio.Event()
        self.blocked: asyncio.Event | None = None  # a client that takes nothing until it is set
        headers = [] if last is None else [(b"last-event-id", last.encode())]
        scope = {"type": "http", "method": "GET", "headers": headers, "query_string": b""}
        self.task = asyncio.create_task(stream(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        if self.blocked and message.get("body"):
            await self.blocked.wait()
        async with self.grown:
            self.data += message.get("body", b"")
            self.grown.notify_all()

    async def until(self, condition: Any) -> None:
        """Wait until it is true of what was sent."""
        async with asyncio.timeout(WAIT_S), self.grown:
            await self.grown.wait_for(condition)

    async def events(self, count: int) -> list[tuple[int, str]]:
        """The events sent, once there are so many."""
        await self.until(lambda: len(numbers(self.data)) >= count)
        return numbers(self.data)

    async def joined(self) -> None:
        """Wait until it looks on."""
        await self.until(lambda: b"retry" in self.data)

    async def end(self) -> None:
        """The client goes."""
        self.left.set()
        await asyncio.wait_for(self.task, WAIT_S)


class Stage:
    """A hub over a service in the running loop."""

    def __init__(self, before: int = 0, make: Any = Hub, **settings: Any) -> None:
        self.service = CannedService()
        self.readers = Readers(self.service.ledger.reader)
        self.hub: Hub = make(EPOCH, Settings(**settings))
        self.stream = Stream(self.hub, Backfill(self.hub, self.readers))
        self.service.listeners.append(self.hub.heard)
        self.service.commit(*(finding(n) for n in range(1, before + 1)))
        self.hub.start((before,))

    def view(self, last: str | None = None) -> Told:
        return Told(self.stream, last)

    async def raised(self, count: int, size: int = 0) -> None:
        """New findings, heard by the hub."""
        self.service.raise_findings(count, size)
        heard = asyncio.Event()
        asyncio.get_running_loop().call_soon_threadsafe(heard.set)
        await heard.wait()

    async def sent_all(self) -> None:
        """Wait until no event waits for its window."""
        async with asyncio.timeout(WAIT_S):
            while self.hub.sent != (self.service.ledger.last_move(),):
                await asyncio.sleep(0)

    def close(self) -> None:
        self.hub.close()
        self.readers.close()


def played(play: Any, **told: Any) -> None:
    """Run a play on a stage."""

    async def run() -> None:
        stage = Stage(**told)
        try:
            await play(stage)
        finally:
            stage.close()

    asyncio.run(run())


def findings(first: int, last: int) -> list[tuple[int, str]]:
    return [(n, "finding") for n in range(first, last + 1)]


def test_an_event_is_one_line_of_data_with_the_ledgers_number():
    assert encode_event(id_line("e", [7]), finding(1)) == (
        b'id: e-7\nevent: finding\ndata: {"finding_id":"f000001","pad":"","withdrawn":null}\n\n'
    )
    gone = encode_event(b"id: e-8\n", Move("f1", "superseded", "oriole", "2026-03-02"))
    assert gone.startswith(b"id: e-8\nevent: change\ndata: ")
    assert msgspec.json.decode(gone.split(b"data: ")[1]) == {
        "finding_id": "f1", "reason": "superseded", "actor": "oriole", "at": "2026-03-02",
    }  # fmt: skip
    assert b'"reason":"stands"' in encode_event(b"", Move("f1", "", "oriole", "2026-03-02"))


def test_a_viewer_is_sent_what_comes_and_all_share_the_bytes():
    async def play(stage: Stage) -> None:
        a, b = stage.hub.join(), stage.hub.join()
        assert a is not None and b is not None
        await stage.raised(3)
        one, two = await a.next(), await b.next()
        assert one is two and one is not None and numbers(one) == findings(1, 3)

    played(play)


def test_the_first_event_goes_at_once_and_the_rest_are_joined():
    async def play(stage: Stage) -> None:
        viewer = stage.hub.join()
        assert viewer is not None
        await stage.raised(1)
        assert len(viewer) == 1
        for _ in range(5):
            await stage.raised(2)
        assert len(viewer) == 1  # they wait for the window
        await stage.sent_all()
        assert len(viewer) == 2
        await viewer.next()
        joined = await viewer.next()
        assert joined is not None and numbers(joined) == findings(2, 11)

    played(play, window_s_min=0.05)


@pytest.mark.parametrize(("viewers", "window_s"), [(0, 0.01), (1, 0.01), (200, 0.04), (1500, 0.2)])
def test_the_window_grows_with_the_viewers(viewers, window_s):
    async def play(stage: Stage) -> None:
        for _ in range(viewers):
            stage.hub.join()
        assert stage.hub.window_s == pytest.approx(window_s)

    played(play)


def test_the_ring_is_fed_when_nobody_listens():
    async def play(stage: Stage) -> None:
        await stage.raised(40)
        await stage.sent_all()
        stage.readers.close()  # so the ledger cannot be what answers
        viewer = stage.view(f"{EPOCH}-7")
        assert await viewer.events(33) == findings(8, 40)

    played(play)


@pytest.mark.parametrize("last", range(0, 31, 5))
def test_a_gap_is_filled_from_the_ring_or_from_the_ledger(last):
    async def play(stage: Stage) -> None:
        await stage.raised(20)
        await stage.sent_all()
        viewer = stage.view(f"{EPOCH}-{last}")
        await viewer.joined()
        await stage.raised(2)
        assert await viewer.events(32 - last) == findings(last + 1, 32)

    played(play, before=10, ring_max=8)


@pytest.mark.parametrize(
    "last", ["other-3", "3", "", "e0-x", "e0-31", "e0--1", "e0-" + "9" * 30, "·"]
)
def test_an_id_of_another_ledger_is_told_to_take_the_lists_again(last):
    async def play(stage: Stage) -> None:
        viewer = stage.view(last)
        assert await viewer.events(1) == [(30, "resync")]
        await stage.raised(1)
        assert await viewer.events(2) == [(30, "resync"), (31, "finding")]

    played(play, before=30)


def test_who_was_away_too_long_takes_the_lists_again():
    async def play(stage: Stage) -> None:
        assert await stage.view(f"{EPOCH}-9").events(1) == [(30, "resync")]
        assert await stage.view(f"{EPOCH}-10").events(20) == findings(11, 30)

    played(play, before=30, catch_up_max=20)


def test_a_first_connection_is_told_where_it_stands():
    async def play(stage: Stage) -> None:
        viewer = stage.view()
        await viewer.until(lambda: b"id: e0-5\n\n" in viewer.data)
        assert numbers(viewer.data) == []

    played(play, before=5)


def test_a_ledger_that_cannot_be_read_is_said():
    async def play(stage: Stage) -> None:
        stage.service.ledger.moves = lambda *a: []  # type: ignore[method-assign]
        assert await stage.view(f"{EPOCH}-2").events(1) == [(5, "resync")]

    played(play, before=5)


def test_moves_committed_before_the_hub_began_are_not_told_twice():
    async def play(stage: Stage) -> None:
        viewer = stage.view()
        await viewer.joined()
        stage.hub.publish(enumerate((finding(n) for n in range(1, 8)), 1))  # 1..5 are known
        assert await viewer.events(2) == findings(6, 7)

    played(play, before=5)


def test_a_hole_in_the_numbers_is_said():
    async def play(stage: Stage) -> None:
        viewer = stage.view()
        await viewer.joined()
        stage.hub.publish([(9, finding(9))])
        assert await viewer.events(2) == [(8, "resync"), (9, "finding")]

    played(play, before=5)


def test_a_slow_viewer_is_cut_and_its_neighbour_is_not():
    async def play(stage: Stage) -> None:
        aborted = asyncio.Event()
        slow, quick = stage.hub.join(), stage.view()
        assert slow is not None
        slow.abort = aborted.set
        await quick.joined()
        for _ in range(6):
            await stage.raised(1)
            await stage.sent_all()
        assert slow.cut and aborted.is_set() and len(slow) == 0 and await slow.next() is None
        assert stage.hub.viewers == 1 and stage.hub.cuts == 1
        assert await quick.events(6) == findings(1, 6)

    played(play, viewer_queue_max=4, window_s_min=0.001)


def test_a_viewer_is_cut_by_bytes_as_well_but_never_for_one_large_frame():
    async def play(stage: Stage) -> None:
        viewer = stage.hub.join()
        assert viewer is not None
        await stage.raised(1, size=5_000)
        assert not viewer.cut
        await stage.raised(1)
        await stage.sent_all()
        assert viewer.cut

    played(play, viewer_queue_bytes_max=1_000, window_s_min=0.001)


def test_more_than_can_be_sent_is_never_lost_silently():
    async def play(stage: Stage) -> None:
        viewer = stage.view()
        await viewer.joined()
        await stage.raised(100, size=1_000)
        told = await viewer.events(2)
        assert told[0][1] == "resync" and told[1:] == findings(told[0][0] + 1, 100)
        assert 2 <= len(told) < 60 and stage.hub.resyncs == 1

    played(play, window_bytes_min=20_000, window_bytes_max=50_000, window_bytes_all=40_000)


def test_heartbeats_reach_every_viewer_in_turn():
    async def play(stage: Stage) -> None:
        viewers = [stage.hub.join() for _ in range(4)]
        for _ in range(2):
            stage.hub.beat()
        assert [await v.next() for v in viewers if v] == [BEAT] * 4

    played(play, heartbeat_s=2)


def test_there_is_room_for_so_many_viewers():
    async def play(stage: Stage) -> None:
        first, second = stage.view(), stage.view()
        await first.joined()
        await second.until(lambda: b'"code":"streams_too_many"' in second.data)
        assert second.status == 503
        await first.end()
        assert stage.hub.viewers == 0
        await stage.view().joined()

    played(play, viewers_max=1)


def test_closing_ends_every_stream():
    async def play(stage: Stage) -> None:
        viewers = [stage.view() for _ in range(3)]
        for viewer in viewers:
            await viewer.joined()
        stage.hub.close()
        await asyncio.wait_for(asyncio.gather(*(v.task for v in viewers)), WAIT_S)
        refused = stage.view()
        await asyncio.wait_for(refused.task, WAIT_S)
        assert refused.status == 503
        stage.service.raise_findings(1)  # heard by nobody, hurts nobody

    played(play)


def test_the_engine_is_not_hurt_by_a_loop_that_has_ended():
    hub = Hub(EPOCH, Settings())

    async def begin() -> None:
        hub.start((0,))

    asyncio.run(begin())
    hub.heard([(1, finding(1))])
    assert hub.loop is None


def nothing_lost_nothing_doubled(seed: int, make: Any = Hub) -> None:
    """Viewers come with any last id, leave and come back, while a thread goes on publishing."""
    rng = random.Random(seed)
    total, batches = 600, [rng.randint(1, 9) for _ in range(200)]

    async def play(stage: Stage) -> None:
        left_one = threading.Semaphore(0)  # who comes back is to find something going on

        def publish() -> None:
            for count in batches:
                left = total - stage.service.ledger.last_move()
                stage.service.raise_findings(min(count, left))
                left_one.acquire(timeout=0.001)

        async def look(last: int) -> list[tuple[int, str]]:
            seen: list[tuple[int, str]] = []
            while last < total:
                viewer = stage.view(f"{EPOCH}-{last}")
                await viewer.until(partial(_reached, viewer, rng.randint(1, 120), total))
                await viewer.end()
                left_one.release()
                seen += numbers(viewer.data)
                last = seen[-1][0] if seen else last
            return seen

        thread = threading.Thread(target=publish)
        thread.start()
        starts = [rng.randint(0, 50) for _ in range(6)]
        seen = await asyncio.wait_for(asyncio.gather(*map(look, starts)), 20)
        thread.join()
        for start, told in zip(starts, seen, strict=True):
            assert told == findings(start + 1, total)

    ring_max = rng.choice([1, 16, 500])
    played(play, before=50, ring_max=ring_max, window_s_min=0.0005, make=make)


def _reached(viewer: Told, many: int, total: int) -> bool:
    told = numbers(viewer.data)
    return viewer.task.done() or len(told) >= many or bool(told and told[-1][0] == total)


@pytest.mark.parametrize("seed", range(8))
def test_nothing_is_lost_or_doubled(seed):
    nothing_lost_nothing_doubled(seed)


class KnowsTheRingAlone(Hub):
    def from_ring(self, after: Numbers, upto: Numbers) -> list[bytes]:
        return [event for _, number, event in self._ring if after[0] < number <= upto[0]]


class JoinsTooFarOn(Hub):
    def join(self, watches: bool = False) -> Viewer | None:
        viewer = super().join(watches)
        assert viewer is not None
        viewer.after = tuple(self._heard)
        return viewer


class TellsWhatWaitsTwice(Hub):
    def join(self, watches: bool = False) -> Viewer | None:
        viewer = super().join(watches)
        assert viewer is not None
        for event in self._pending:
            viewer.put(event)
        return viewer


@pytest.mark.parametrize("broken", [KnowsTheRingAlone, JoinsTooFarOn, TellsWhatWaitsTwice])
def test_a_broken_hub_is_found(broken):
    def found(seed: int) -> bool:
        try:
            nothing_lost_nothing_doubled(seed, broken)
        except AssertionError:
            return True
        return False

    assert any(found(seed) for seed in range(40))


# --- several shards -----------------------------------------------------------------------------

SHARDS = ("case-0", "case-1", "operator-0")


class Watcher:
    """Someone who looks on at one hub or another, and trusts no id: every event must be the next
    of one shard."""

    def __init__(self, last: Numbers | None) -> None:
        self.last = last
        self.told: Told | None = None

    def come(self, stream: Stream) -> None:
        last = None if self.last is None else f"{EPOCH}-{'.'.join(map(str, self.last))}"
        self.told = Told(stream, last)

    async def leave(self, unseen: int = 0) -> None:
        """The connection ends; the last events sent did not arrive."""
        if self.told is None:
            return
        await self.told.end()
        self._read(self.told.data, unseen)
        self.told = None

    def _read(self, data: bytes, unseen: int) -> None:
        blocks = [dict(line.partition(": ")[::2] for line in block.splitlines())
                  for block in data.decode().split("\n\n")]  # fmt: skip
        events = [fields for fields in blocks if "id" in fields]
        for event in events[: len(events) - unseen]:
            if "data" in event:
                assert self.last is not None
                self.last = next_of(SHARDS, self.last, event)
            else:
                assert self.last is None, "only who comes first is told where it stands"
                numbers = event["id"].rpartition("-")[2]
                self.last = tuple(map(int, numbers.split(".")))


class Direct:
    """Readers without threads; the ledger may be away."""

    def __init__(self, ledger: ShardsLedger) -> None:
        self.ledger, self.away = ledger, False

    async def ask(self, question: Any) -> Any:
        await asyncio.sleep(0.001)
        if self.away:
            raise LedgerError("it is away")
        return question(self.ledger)


class Town:
    """Two hubs over one ledger, and viewers who go from one to the other. A step is an action and
    three numbers, which the action takes as it can."""

    def __init__(self, hub: Any, backfill: Any, bounds: Settings) -> None:
        self.ledger = ShardsLedger(SHARDS)
        self.readers = Direct(self.ledger)
        self.hubs = [hub(EPOCH, bounds, SHARDS) for _ in range(2)]
        self.backfills = [backfill(one, self.readers) for one in self.hubs]
        told = zip(self.hubs, self.backfills, strict=True)
        self.streams = [Stream(*both) for both in told]
        self.underway: list[list[Any]] = [[], []]  # to each hub
        self.watchers = [Watcher((0, 0, 0)), Watcher((0, 0, 0)), Watcher(None)]

    def open(self) -> None:
        for hub, backfill in zip(self.hubs, self.backfills, strict=True):
            hub.start((0, 0, 0))
            backfill.start()

    def close(self) -> None:
        for hub, backfill in zip(self.hubs, self.backfills, strict=True):
            backfill.close()
            hub.close()

    async def play(self, steps: list[tuple[str, int, int, int]]) -> None:
        for action, *told in steps:
            await getattr(self, action)(*told)
            await asyncio.sleep(0)
        self.readers.away = False
        for one in self.watchers:
            await one.leave()
            one.come(self.streams[0])
        await asyncio.sleep(2.5)  # two looks at the ledger, if one could not be
        for one in self.watchers:
            await one.leave()
            assert one.last == tuple(self.ledger.last_moves().values())

    async def commit(self, shard: int, count: int, _: int) -> None:
        name = SHARDS[shard % len(SHARDS)]
        moves = self.ledger.commit(name, count + 1)
        for box in self.underway:
            box.append((name, moves))

    async def deliver(self, hub: int, which: int, again: int) -> None:
        """One message arrives; it may be the latest, and it may come again."""
        box = self.underway[hub % 2]
        if box:
            which %= len(box)
            self.hubs[hub % 2].heard_of(*box[which])
            if not again % 2:
                del box[which]

    async def drop(self, hub: int, _: int, all_of_it: int) -> None:
        box = self.underway[hub % 2]
        del box[: len(box) if all_of_it % 2 else 1]

    async def lose(self, hub: int, _: int, __: int) -> None:
        self.hubs[hub % 2].lost()

    async def rest(self, tenths: int, _: int, __: int) -> None:
        await asyncio.sleep(tenths / 10)

    async def away(self, yes: int, _: int, __: int) -> None:
        """Nobody can ask the ledger: who is coming back just then would take the lists again."""
        await asyncio.sleep(0.5)
        self.readers.away = yes % 3 == 0

    async def come(self, who: int, hub: int, _: int) -> None:
        watcher = self.watchers[who % 3]
        if watcher.told is None and not self.readers.away:
            watcher.come(self.streams[hub % 2])
            await asyncio.sleep(hub / 10)

    async def leave(self, who: int, unseen: int, _: int) -> None:
        watcher = self.watchers[who % 3]
        told = watcher.told
        if told is not None:
            sent = told.data.count(b"event: ")
            await watcher.leave(min(unseen, sent))


ACTIONS = "commit commit commit deliver deliver deliver drop lose rest away come come leave".split()
STEPS = st.lists(
    st.tuples(st.sampled_from(ACTIONS), *[st.integers(0, 8)] * 3), min_size=20, max_size=80
)


def virtually(play: Any, hub: Any = Hub, backfill: Any = Backfill, **bounds: Any) -> None:
    """Run a play in a town where waiting takes no time."""
    now = [0.0]

    def advance(seconds: float) -> None:
        now[0] += seconds

    async def run() -> None:
        town = Town(hub, backfill, Settings(**{"ring_max": 8} | bounds))
        town.open()
        await play(town)
        town.close()

    loop = VirtualLoop(lambda: now[0], advance)
    try:
        loop.run_until_complete(run())
    finally:
        loop.bury()


def holds(steps: list[tuple[str, int, int, int]], **how: Any) -> None:
    """Every viewer is sent of every shard every number exactly once, in order, within a second."""
    virtually(lambda town: town.play(steps), **how)


@given(STEPS)
def test_no_shard_loses_or_doubles_anything(steps):
    holds(steps)


@pytest.mark.parametrize(
    ("steps", "within_s"),
    [
        ("commit 0 3", 1.1),  # nobody is told
        ("commit 0 0; drop; lose", 0.1),
        ("commit 0 0; drop; commit 0 0; deliver", 0.1),  # the second shows that one is missing
        ("commit 2 5; commit 2 1; deliver 0 1; deliver 0 0; deliver 0 0", 0.1),
        ("away 0; commit 1 4; rest 8; rest 8; away 1", 1.1),
        ("commit 0 8; " * 50, 1.5),  # many pages
    ],
    ids="silence lost gap late away pages".split(),
)
def test_what_was_not_heard_comes_from_the_ledger(steps, within_s):
    async def play(town: Town) -> None:
        watcher = town.watchers[0]
        watcher.come(town.streams[0])
        await asyncio.sleep(0.1)  # the ledger was looked at
        for action, *told in (step.split() for step in steps.split(";") if step.strip()):
            numbers = [int(one) for one in told]
            await getattr(town, action)(*numbers, *[0] * (3 - len(numbers)))
        await asyncio.sleep(within_s)
        await watcher.leave()
        assert watcher.last == tuple(town.ledger.last_moves().values())
        assert town.hubs[0].resyncs == 0

    virtually(play)


def test_a_gap_that_is_too_large_is_said_once_and_the_rest_goes_on():
    async def play(town: Town) -> None:
        told = Told(town.streams[0])
        await told.joined()
        town.ledger.commit(SHARDS[1], 21)
        town.hubs[0].heard_of(SHARDS[0], town.ledger.commit(SHARDS[0], 2))
        town.hubs[0].lost()
        await told.until(lambda: b"resync" in told.data)
        town.hubs[0].heard_of(SHARDS[1], town.ledger.commit(SHARDS[1], 1))
        await told.until(lambda: b"id: e0-2.22.0\n" in told.data)
        await told.end()
        told_ids = [line for line in told.data.split(b"\n") if line.startswith(b"id: ")]
        assert told_ids[-2:] == [b"id: e0-2.21.0", b"id: e0-2.22.0"]
        assert told.data.count(b"resync") == town.hubs[0].resyncs == 1

    virtually(play, catch_up_max=20)


def test_what_was_heard_meanwhile_is_not_left_out():
    async def play(town: Town) -> None:
        hub, watcher = town.hubs[0], town.watchers[0]
        watcher.come(town.streams[0])
        hub.heard_of(SHARDS[0], town.ledger.commit(SHARDS[0], 3))
        await asyncio.sleep(0.1)
        hub.skip(0, 2)  # decided when one had been heard
        hub.heard_of(SHARDS[0], town.ledger.commit(SHARDS[0], 1))
        await asyncio.sleep(0.1)
        await watcher.leave()
        assert watcher.last == (4, 0, 0)

    virtually(play)


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ("e0-1.1.1", None),
        ("e0-2.2.3", "another ledger"),  # it never went so far
        ("e0-2.2", "another ledger"),
        ("e0-2.2.2.0", "another ledger"),
        ("e0-2..2", "another ledger"),
        ("e0-6", "another ledger"),
        ("e1-1.1.1", "another ledger"),
        ("e0-0.0.0", "too long ago"),
    ],
)
def test_an_id_is_of_these_shards(last, why):
    async def play(town: Town) -> None:
        for shard in SHARDS:
            town.ledger.commit(shard, 2)
        await asyncio.sleep(1.1)
        told = Told(town.streams[0], last)
        await told.until(lambda: b"id: e0-2.2.2\n" in told.data)
        await told.end()
        assert told.data.count(b"finding") == (0 if why else 6)  # "event" and the document's id
        assert why is None or b'{"reason":"%b"}' % why.encode() in told.data

    virtually(play, catch_up_max=5, ring_max=4)


def test_who_has_seen_more_elsewhere_waits_until_it_is_known_here():
    async def play(town: Town) -> None:
        ahead, behind = town.hubs
        watcher = town.watchers[0]
        await asyncio.sleep(0.1)  # both have looked
        ahead.heard_of(SHARDS[0], town.ledger.commit(SHARDS[0], 3))
        watcher.come(town.streams[0])
        await asyncio.sleep(0.1)
        await watcher.leave()
        assert watcher.last == (3, 0, 0) and behind.sent == (0, 0, 0)
        watcher.come(town.streams[1])
        await asyncio.sleep(0.3)  # sooner than it would have looked by itself
        behind.heard_of(SHARDS[1], town.ledger.commit(SHARDS[1], 1))
        await asyncio.sleep(0.1)
        await watcher.leave()
        assert watcher.last == (3, 1, 0)

    virtually(play)


def test_who_is_ahead_of_a_ledger_that_is_away_takes_the_lists_again():
    async def play(town: Town) -> None:
        town.readers.away = True
        told = Told(town.streams[0], "e0-1.0.0")
        await told.until(lambda: b"the ledger cannot be read" in told.data)
        await told.end()

    virtually(play)


def test_a_database_tells_the_moves_of_every_shard(postgres, template):
    address = postgres.address(postgres.database(template))
    for shard, count in zip(SHARDS, (3, 0, 2), strict=True):
        ledger = open_ledger(address, shard)
        moves = [replace(finding(n), finding_id=f"{shard}/{n}") for n in range(1, count + 1)]
        ledger.commit(Position(), Work(moves=moves))
        assert ledger.last_move() == count and len(ledger.moves(1, 9)) == max(count - 1, 0)
        ledger.close()

    async def run() -> None:
        readers = Readers(lambda: open_reader(address, SHARDS[0]))
        hub = Hub(EPOCH, Settings(), [*SHARDS, "case-9"])
        backfill = Backfill(hub, readers)
        assert await backfill.last() == (3, 0, 2, 0)
        page = await backfill.page(2, 1, 9)
        assert [(n, move.finding_id) for n, move in page] == [(2, "operator-0/2")]
        told = [frame async for frame in backfill.missed((2, 0, 0, 0), (3, 0, 2, 0))]
        ids = [line for line in b"".join(told).split(b"\n") if line.startswith(b"id: ")]
        assert ids == [b"id: e0-3.0.0.0", b"id: e0-3.0.1.0", b"id: e0-3.0.2.0"]
        with pytest.raises(LedgerError, match="lost moves"):
            [frame async for frame in backfill.missed((3, 0, 0, 0), (4, 0, 0, 0))]
        readers.close()

    asyncio.run(run())


class FillsNothing(Backfill):
    async def fill(self) -> None:
        pass


class WaitsToBeTold(Backfill):
    async def _run(self) -> None:
        while await self.hub.gap.wait():
            self.hub.gap.clear()
            await self.look()
            await self.fill()


class ForgetsAGap(Hub):
    def _skip(self, place: int, number: int) -> None:
        self._heard[place] = number

    def take(self, shard: str, moves: Any) -> None:
        self.publish(moves, self._places[shard])


class ShowsWhatIsBehindAGap(Hub):
    def take(self, shard: str, moves: Any) -> None:
        self.publish(moves, self._places[shard])


class KeepsItsOwnIds(Hub):
    def from_ring(self, after: Numbers, upto: Numbers) -> list[bytes] | None:
        told = super().from_ring(after, upto)
        return told and [data for _, _, data in list(self._ring)[-len(told) :]]


class KnowsOneShard(Hub):
    def line(self, numbers: Any) -> bytes:
        return super().line([max(numbers)] * len(self.shards))


class LetsInWhoIsAhead(Backfill):
    async def reach(self, numbers: Numbers) -> str | None:
        return None


@pytest.mark.parametrize(
    "broken",
    [
        {"backfill": FillsNothing},
        {"backfill": WaitsToBeTold},
        {"backfill": LetsInWhoIsAhead},
        {"hub": ForgetsAGap},
        {"hub": ShowsWhatIsBehindAGap},
        {"hub": KeepsItsOwnIds},
        {"hub": KnowsOneShard},
    ],
    ids=lambda broken: next(iter(broken.values())).__name__,
)
def test_a_broken_hub_of_shards_is_found(broken):
    def fails(steps: Any) -> bool:
        try:
            holds(steps, **broken)
        except (AssertionError, ValueError):
            return True
        return False

    how = settings(phases=[Phase.generate], max_examples=1_000, derandomize=True)
    find(STEPS, fails, settings=how)
