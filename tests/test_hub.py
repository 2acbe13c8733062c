"""Laws of the live stream, without a socket: nothing lost, nothing twice, memory bounded."""

from __future__ import annotations

import asyncio
import random
import threading
from functools import partial
from typing import Any

import msgspec
import pytest
from web_kit import EPOCH, CannedService, finding

from detector.ledger import Move
from detector.web.hub import BEAT, Hub, Viewer, encode_event
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

    def __init__(self, hub: Hub, readers: Readers, last: str | None = None) -> None:
        self.data = b""
        self.status = 0
        self.grown = asyncio.Condition()
        self.left = asyncio.Event()
        self.blocked: asyncio.Event | None = None  # a client that takes nothing until it is set
        headers = [] if last is None else [(b"last-event-id", last.encode())]
        scope = {"type": "http", "method": "GET", "headers": headers, "query_string": b""}
        self.task = asyncio.create_task(Stream(hub, readers)(scope, self._receive, self._send))

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
        self.service.listeners.append(self.hub.heard)
        self.service.commit(*(finding(n) for n in range(1, before + 1)))
        self.hub.start(before)

    def view(self, last: str | None = None) -> Told:
        return Told(self.hub, self.readers, last)

    async def raised(self, count: int, size: int = 0) -> None:
        """New findings, heard by the hub."""
        self.service.raise_findings(count, size)
        heard = asyncio.Event()
        asyncio.get_running_loop().call_soon_threadsafe(heard.set)
        await heard.wait()

    async def sent_all(self) -> None:
        """Wait until no event waits for its window."""
        async with asyncio.timeout(WAIT_S):
            while self.hub.sent != self.service.ledger.last_move():
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
    assert encode_event("e", 7, finding(1)) == (
        b'id: e-7\nevent: finding\ndata: {"finding_id":"f000001","pad":"","withdrawn":null}\n\n'
    )
    gone = encode_event("e", 8, Move("f1", "superseded", "oriole", "2026-03-02"))
    assert gone.startswith(b"id: e-8\nevent: change\ndata: ")
    assert msgspec.json.decode(gone.split(b"data: ")[1]) == {
        "finding_id": "f1", "reason": "superseded", "actor": "oriole", "at": "2026-03-02",
    }  # fmt: skip
    assert b'"reason":"stands"' in encode_event("e", 9, Move("f1", "", "oriole", "2026-03-02"))


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
        await second.until(lambda: b"room" in second.data)
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
        hub.start(0)

    asyncio.run(begin())
    hub.heard([(1, finding(1))])
    assert hub.loop is None


def nothing_lost_nothing_doubled(seed: int, make: Any = Hub) -> None:
    """Viewers come with any last id, leave and come back, while a thread goes on publishing."""
    rng = random.Random(seed)
    total, batches = 600, [rng.randint(1, 9) for _ in range(200)]

    async def play(stage: Stage) -> None:
        def publish() -> None:
            for count in batches:
                left = total - stage.service.ledger.last_move()
                stage.service.raise_findings(min(count, left))

        async def look(last: int) -> list[tuple[int, str]]:
            seen: list[tuple[int, str]] = []
            while last < total:
                viewer = stage.view(f"{EPOCH}-{last}")
                await viewer.until(partial(_reached, viewer, rng.randint(1, 120), total))
                await viewer.end()
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
    def from_ring(self, after: int, upto: int) -> list[bytes]:
        return [event for number, event in self._ring if after < number <= upto]


class JoinsTooFarOn(Hub):
    def join(self) -> Viewer | None:
        viewer = super().join()
        assert viewer is not None
        viewer.after = self._heard
        return viewer


class TellsWhatWaitsTwice(Hub):
    def join(self) -> Viewer | None:
        viewer = super().join()
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
