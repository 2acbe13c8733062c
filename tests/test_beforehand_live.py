"""What is asked beforehand of a service at work: it answers beside the thread that judges, by what
is committed, records nothing, and asks the worker that has the case's shard."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import closing, contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from live_kit import ACCEPT, SURVEY, Live, county, edited, event
from test_beforehand import print_of

from detector.cluster.layout import Layout
from detector.event import Refused
from detector.front_gate import Elsewhere
from detector.gate_limits import GateLimits
from detector.glimpse import look
from detector.ledger import LedgerError
from detector.live import Unjudged
from detector.live.glance import Glance
from detector.owners import Owners
from detector.testing import FakeClock, MemoryLedger
from detector.values import read_time
from detector.verdict import Finding
from detector.web.inside import inside_app
from detector.web.server import Aside
from detector.workcalendar import Zone

WAIT_S = 20
SHORT_S = 0.05
REVIEW = event("e3", "10:00:00", step="review", operator="P0102")


def ask(live: Live, line: Any, timeout_s: float = WAIT_S) -> dict[str, Any]:
    """The verdict on a line; `TimeoutError` where there is none in time."""

    async def asked() -> bytes:
        return await asyncio.wait_for(
            live.runner.beforehand.ask(msgspec.json.encode(line)), timeout_s
        )

    told: dict[str, Any] = msgspec.json.decode(asyncio.run(asked()))
    return told


class Slow(MemoryLedger):
    """Holds up commits when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Event()
        self.reached = threading.Event()
        self.may.set()

    def commit(self, *told: Any, **more: Any) -> Any:
        self.reached.set()
        assert self.may.wait(WAIT_S)
        return super().commit(*told, **more)


@contextmanager
def living(ledger: Any = None, **how: Any) -> Any:
    live = Live(ledger, **how)
    try:
        yield live
    finally:
        live.stop()
        assert not live.failures


def test_a_verdict_says_why_and_from_when_and_records_nothing():
    with living() as live:
        live.post(ACCEPT)
        frames, before = live.lines(), print_of(live.runner.shard.state.cases)
        told = ask(live, SURVEY)
        assert (told["allow"], told["decided_by"], told["undetermined"]) == (False, "rules", [])
        assert [(f["rule"], f["blocks"]) for f in told["findings"]] == [("too_fast_step", True)]
        assert told["clears"] == [
            {"rule": "too_fast_step", "from": "2026-03-02T09:30:00+08:00",
             "text": {"zh": "09:30:00 起可办理", "en": "may be filed from 09:30:00 on"}}
        ]  # fmt: skip
        assert (live.lines(), print_of(live.runner.shard.state.cases)) == (frames, before)
        assert not live.findings()
        live.post(SURVEY)
        [found] = [f for f in live.findings().values() if f.rule == "too_fast_step"]
        asked = told["findings"][0]
        assert (asked.pop("hypothetical"), asked.pop("blocks")) == (True, True)
        assert msgspec.convert(asked, Finding) == found
        assert ask(live, SURVEY) | {"clock": ""} == {
            "allow": True, "decided_by": "rules", "clock": "", "findings": [],
            "undetermined": [], "clears": [], "duplicate": True,
        }  # fmt: skip


def test_what_is_missing_and_unpaid_is_told_with_its_remedy():
    with living() as live:
        live.post(ACCEPT)
        told = ask(live, REVIEW | {"documents": []})
        assert told["clears"][0]["text"]["zh"] == "补齐材料：review_opinion，或经批准豁免"
        assert told["clears"][0]["from"] is None
        told = ask(live, event("e9", "11:00:00", "issue", fee_due="300"))
        [unpaid] = [c for c in told["clears"] if c["rule"] == "unpaid_issue"]
        assert unpaid["text"]["en"] == "CNY 300.00 more received, or exempted"


def test_what_is_muted_blocks_nothing_and_is_told():
    with living() as live:
        live.post(ACCEPT)
        told = ask(live, SURVEY | {"imported": True})
        assert told["allow"] and [f["muted"] for f in told["findings"]] == ["imported"]
        assert not told["findings"][0]["blocks"] and told["clears"] == []


def test_a_rulebook_says_which_rules_block():
    name, mark = "rulebook.toml", "[rules.too_fast_step]\n"
    off = edited(county(), name, mark, mark + "blocking = false\n")
    with living() as live:
        live.post(ACCEPT)
        assert not ask(live, SURVEY)["allow"]
        live.change(off)
        assert ask(live, SURVEY)["findings"] == []
        engine = live.runner.shard.engine
        assert engine.rulebook.digest == county().engine().rulebook.digest


def test_a_case_nobody_knows_is_judged_as_new():
    with living() as live:
        told = ask(live, SURVEY | {"case_id": "nobody's"})
        assert told["allow"] and not told["findings"]
        assert live.runner.shard.words.case.find("nobody's") < 0


def test_under_a_wall_clock_now_is_the_clocks():
    clock = FakeClock(read_time("2026-03-02T09:00:30+08:00", Zone("Asia/Shanghai")))
    with living(wall=clock) as live:
        live.post(ACCEPT)
        line = {k: v for k, v in SURVEY.items() if not k.endswith("_at") and k != "event_id"}
        told = ask(live, line)
        # a tick of this very instant may have come before: what arrives then is a µs behind it
        assert told["clock"] == told["findings"][0]["at"]
        assert told["clock"] in ("2026-03-02T09:00:30+08:00", "2026-03-02T09:00:30.000001+08:00")
        assert round(told["findings"][0]["value"]) == 30
        assert told["findings"][0]["finding_id"] is None


def test_without_any_clock_the_line_must_say_when():
    with living() as live, pytest.raises(Refused) as caught:
        ask(live, {"case_id": "c", "action": "accept", "item": "permit", "department": "D01"})
    assert caught.value.field == "occurred_at"


# --- beside a batch in hand -----------------------------------------------------------------------


def waits_for_the_batch_in_hand(glance: Any = None) -> None:
    """A case of the batch in hand is answered by what is committed, others at once."""
    ledger = Slow()
    with living(ledger) as live:
        live.runner.glance = glance or live.runner.glance
        live.post(ACCEPT, ACCEPT | {"case_id": "c2"})
        ledger.reached.clear()
        ledger.may.clear()
        said: list[Any] = []
        live.runner.submit(msgspec.json.encode(REVIEW), said.append)
        assert ledger.reached.wait(WAIT_S)
        try:
            late = event("e4", "10:00:30", step="decide")
            other = ask(live, late | {"case_id": "c2"})
            assert other["allow"] or other["findings"]
            with pytest.raises(TimeoutError):
                ask(live, late, SHORT_S)
            assert not live.runner.glance._waiting
            told: list[dict[str, Any]] = []
            asking = threading.Thread(target=lambda: told.append(ask(live, late)))
            asking.start()
        finally:
            ledger.may.set()
        asking.join(WAIT_S)
        [found] = [f for f in told[0]["findings"] if f["rule"] == "too_fast_step"]
        assert found["evidence"]["previous_step"] == "review"


def test_a_case_of_the_batch_in_hand_is_waited_for():
    waits_for_the_batch_in_hand()


class Silent(Glance):
    """Never says what is in hand."""

    def begin(self, cases: Any) -> None:
        pass


class Nobodys(Glance):
    """Says it of no case."""

    def begin(self, cases: Any) -> None:
        super().begin(cases[:0])


@pytest.mark.parametrize("glance", [Silent, Nobodys])
def test_a_hand_that_does_not_say_what_it_holds_is_noticed(glance):
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        waits_for_the_batch_in_hand(glance())


def test_a_row_copied_while_a_batch_began_is_not_judged(monkeypatch):
    """The batch begins, and changes the row, between the look at the hand and the copy."""
    with living() as live:
        live.post(ACCEPT)
        began: list[int] = []

        def slow_look(*told: Any) -> Any:
            if not began:
                began.append(1)
                live.post(REVIEW)
            return look(*told)

        monkeypatch.setattr("detector.live.asked.look", slow_look)
        late = event("e4", "10:00:30", step="decide")
        [found] = [f for f in ask(live, late)["findings"] if f["rule"] == "too_fast_step"]
        assert found["evidence"]["previous_step"] == "review" and began


def test_many_ask_while_many_are_recorded():
    """Every verdict is that of some moment between two commits: the previous record is one that
    was committed by the time of the answer, and none that was overtaken when it was asked."""
    with living() as live:
        live.post(ACCEPT)
        done = threading.Event()
        committed = [0]

        def record() -> None:
            for n in range(300):
                at = f"2026-03-03T{9 + n // 60:02d}:{n % 60:02d}:00+08:00"
                live.post(event(f"r{n}", at, step="review"))
                committed[0] = n
            done.set()

        thread = threading.Thread(target=record)
        thread.start()
        asked = 0
        while not done.is_set():
            least = committed[0]
            told = ask(live, event("x", "2026-03-03T18:00:00+08:00", "accept"))
            assert told["decided_by"] == "rules"
            seen = ask(live, event("x", "2026-03-03T08:00:00+08:00", step="review"))
            assert {u["reason"] for u in seen["undetermined"]} == {"out_of_order"} or least == 0
            asked += 2
        thread.join(WAIT_S)
        assert asked


def test_one_that_has_stopped_cannot_judge():
    with living() as live:
        live.post(ACCEPT)
        live.stop()
        with pytest.raises(Unjudged, match="the engine is stopped"):
            ask(live, SURVEY)


def test_not_too_many_wait(monkeypatch):
    monkeypatch.setattr("detector.live.asked.WAITING_MAX", 0)
    with living() as live:
        live.runner.glance.begin(None)
        with pytest.raises(Unjudged, match="too many"):
            ask(live, SURVEY)


# --- several workers ------------------------------------------------------------------------------


def listening(port: int) -> None:
    """Wait until somebody answers there."""
    for _ in range(WAIT_S * 50):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), WAIT_S).close()
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"nobody listens on {port}")


class Door:
    """A door, and one worker that has some shards."""

    def __init__(self, live: Live, has: tuple[str, ...], secret: bytes = b"s") -> None:
        async def gate(shard: str, line: bytes, at: int | None) -> bytes | None:
            return await live.runner.beforehand.ask(line, at) if shard in has else None

        def nothing(*asked: str) -> None:
            return None

        app = inside_app(dict, nothing, gate, nothing, lambda: True, b"s")
        self.worker = Aside(app, "127.0.0.1", 0)
        self.worker.start()
        listening(self.worker.port)
        self.url: str | None = f"http://127.0.0.1:{self.worker.port}"
        self.asked = 0
        limits = GateLimits(timeout_ms=10_000)
        self.elsewhere = Elsewhere(Layout(2, 1), Owners(self.reader), lambda: limits, secret, None)

    def reader(self, shard: str) -> Any:
        self.asked += 1
        return SimpleNamespace(owner=lambda: self.url, close=lambda: None)

    def ask(self, line: Any) -> dict[str, Any]:
        data = line if isinstance(line, bytes) else msgspec.json.encode(line)
        told: dict[str, Any] = msgspec.json.decode(asyncio.run(self.elsewhere.ask(data)))
        return told

    def close(self) -> None:
        self.elsewhere.close()
        self.worker.stop()


def test_the_worker_that_has_the_shard_answers():
    with living() as live, closing(Door(live, ("case-0", "case-1"))) as door:
        live.post(ACCEPT)
        assert [door.ask(SURVEY) for _ in range(3)] == [ask(live, SURVEY)] * 3
        assert door.asked == 1  # who has it is known for a while
        with pytest.raises(Refused) as caught:
            door.ask(SURVEY | {"action": "fly"})
        assert caught.value.field == "action"
        for line in (b"{}", b'{"case_id":7}', b"no"):
            with pytest.raises(Refused):
                door.ask(line)


@pytest.mark.parametrize("fault", ["elsewhere", "nobody", "gone", "stranger", "stopped"])
def test_who_cannot_ask_the_worker_says_so(fault):
    with living() as live:
        has = () if fault == "elsewhere" else ("case-0", "case-1")
        door = Door(live, has, b"other" if fault == "stranger" else b"s")
        live.post(ACCEPT)
        if fault == "nobody":
            door.url = ""
        elif fault == "gone":
            door.url = "http://127.0.0.1:9"
        elif fault == "stopped":
            live.stop()
        with closing(door), pytest.raises(Unjudged, match=r"^shard case-"):
            door.ask(SURVEY)


def test_a_ledger_that_cannot_be_asked_is_no_answer():
    with living() as live, closing(Door(live, ())) as door:

        def away(shard: str) -> Any:
            raise LedgerError("it is away")

        door.elsewhere._owners = Owners(away)
        with pytest.raises(Unjudged, match="it is away"):
            door.ask(SURVEY)
