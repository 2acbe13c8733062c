"""One frame, many viewers: nothing missed, nothing twice, nobody waited for."""

from __future__ import annotations

import asyncio

import pytest

from detector.ledger import RAISED, Move
from detector.web import hub as hubs
from detector.web.hub import Hub


def move(number: int, size: int = 0) -> tuple[int, Move]:
    """A finding that bears its number."""
    doc = b'{"n":%d,"pad":"%s"}' % (number, b"x" * size)
    return number, Move(f"f{number}", RAISED, "oriole", "2026", doc=doc)


class Past:
    """A ledger's moves, and how often they were asked for."""

    def __init__(self, upto: int = 0) -> None:
        self.moves = [move(n) for n in range(1, upto + 1)]
        self.asked = 0

    async def __call__(self, after: int, limit: int) -> list[tuple[int, Move]]:
        self.asked += 1
        await asyncio.sleep(0)  # others run meanwhile
        return self.moves[after : after + limit]


def numbers(data: bytes) -> list[int]:
    """The numbers of the events in some frames, in order."""
    ids = [line for line in data.decode().splitlines() if line.startswith("id: ")]
    return [int(line.rpartition("-")[2]) for line in ids]


async def take(stream, wanted: int) -> bytes:
    """Read a stream until so many events came."""
    data = b""
    async with asyncio.timeout(10):
        async for part in stream:
            data += part
            if len(numbers(data)) >= wanted or b"resync" in data:
                return data
    raise AssertionError("the stream ended")


def run(story) -> None:
    asyncio.run(story())


def test_a_viewer_sees_what_comes_after_it_joined():
    async def story():
        hub = Hub("ep", 5, Past(5))
        stream = hub.stream(None)
        assert await anext(stream) == b"retry: 1000\n\n"
        hub.publish([move(6), move(7)])
        data = await take(stream, 2)
        assert numbers(data) == [6, 7] and b'event: finding\ndata: {"n":6' in data
        gone = Move("f6", "superseded", "oriole", "2027")
        hub.publish([(8, gone), (9, Move("f6", "", "oriole", "2028"))])
        data = await take(stream, 2)
        assert data.count(b"event: change") == 2 and b'"reason":"superseded"' in data
        assert b'"reason":null' in data
        await stream.aclose()
        assert not hub.viewers

    run(story)


def test_the_ring_is_fed_when_nobody_listens():
    async def story():
        past = Past(0)
        hub = Hub("ep", 0, past)
        for n in range(1, 40):
            hub.publish([move(n)])
        assert numbers(await take(hub.stream("ep-30"), 9)) == list(range(31, 40))
        assert past.asked == 0

    run(story)


def test_what_the_ring_forgot_the_ledger_knows(monkeypatch):
    monkeypatch.setattr(hubs, "RING_MAX", 10)
    monkeypatch.setattr(hubs, "PAGE", 7)

    async def story():
        past = Past(60)
        hub = Hub("ep", 40, past)  # it was opened when there were forty
        for n in range(41, 61):
            hub.publish([move(n)])
        reading = asyncio.ensure_future(take(hub.stream("ep-3"), 60))
        while not past.asked:
            await asyncio.sleep(0)
        for n in range(61, 64):  # they come while the past is still read
            past.moves.append(move(n))
            hub.publish([move(n)])
        assert numbers(await reading) == list(range(4, 64))
        assert past.asked > 5

    run(story)


@pytest.mark.parametrize("last", ["other-3", "ep-99", "ep-x", "nonsense", "ep-1"])
def test_who_cannot_be_caught_up_is_told_to_begin_anew(last, monkeypatch):
    monkeypatch.setattr(hubs, "RESUME_MAX", 5)

    async def story():
        hub = Hub("ep", 20, Past(20))
        data = await take(hub.stream(last), 1)
        assert b"id: ep-20\nevent: resync\ndata: 20\n\n" in data

    run(story)


def test_who_falls_behind_is_cut_and_nobody_else(monkeypatch):
    monkeypatch.setattr(hubs, "QUEUE_FRAMES_MAX", 8)
    monkeypatch.setattr(hubs, "WINDOW_MIN_S", 0.0)
    monkeypatch.setattr(hubs, "WINDOW_A_VIEWER_S", 0.0)

    async def story():
        hub = Hub("ep", 0, Past(0))
        slow, quick = hub.stream(None), hub.stream(None)
        await anext(slow)
        await anext(quick)
        seen = []
        for n in range(1, 30):
            hub.publish([move(n)])
            seen += numbers(await anext(quick))
        assert seen == list(range(1, 30))
        with pytest.raises(StopAsyncIteration):
            await anext(slow)
        assert len(hub.viewers) == 1
        again = await take(hub.stream("ep-0"), 29)  # and comes back without a loss
        assert numbers(again) == list(range(1, 30))

    run(story)


def test_a_viewer_holds_a_bounded_share_of_bytes(monkeypatch):
    monkeypatch.setattr(hubs, "QUEUE_BYTES_MAX", 10_000)

    async def story():
        hub = Hub("ep", 0, Past(0))
        stream = hub.stream(None)
        await anext(stream)
        hub.publish([move(1, 20_000)])
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run(story)


def test_frames_are_joined_and_the_first_goes_at_once():
    async def story():
        hub = Hub("ep", 0, Past(0))
        stream = hub.stream(None)
        await anext(stream)
        hub.publish([move(1)])
        assert numbers(await anext(stream)) == [1]  # no window to wait for
        for n in range(2, 50):
            hub.publish([move(n)])
        assert numbers(await anext(stream)) == list(range(2, 50))  # one frame

    run(story)


def test_the_window_grows_with_the_viewers():
    hub = Hub("ep", 0, Past(0))
    assert hub.window_s == hubs.WINDOW_MIN_S
    hub.viewers = {hubs.Viewer() for _ in range(500)}
    assert 0.09 < hub.window_s < 0.11
    hub.viewers = {hubs.Viewer() for _ in range(5_000)}
    assert hub.window_s == hubs.WINDOW_MAX_S


def test_a_frame_is_encoded_once_for_all(monkeypatch):
    async def story():
        hub, frame = Hub("ep", 0, Past(0)), Hub.frame
        made: list[int] = []

        def counted(self, number, one):
            made.append(number)
            return frame(self, number, one)

        monkeypatch.setattr(Hub, "frame", counted)
        streams = [hub.stream(None) for _ in range(50)]
        for stream in streams:
            await anext(stream)
        hub.publish([move(1)])
        parts = [await anext(stream) for stream in streams]
        assert len(made) == 1 and all(part is parts[0] or part == parts[0] for part in parts)

    run(story)


def test_heartbeats_and_the_end(monkeypatch):
    monkeypatch.setattr(hubs, "HEARTBEAT_S", 0.01)

    async def story():
        hub = Hub("ep", 0, Past(0))
        stream = hub.stream(None)
        await anext(stream)
        assert await anext(stream) == b":\n\n"
        hub.close()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        late = hub.stream(None)
        await anext(late)
        with pytest.raises(StopAsyncIteration):
            await anext(late)

    run(story)
