"""What became of messages: outcomes, receipts, breakers, dead letters; the postman at work."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest
from delivery_kit import (
    DAY,
    HOOK,
    MINUTE,
    MONDAY,
    OTHER,
    PEOPLE,
    SMS,
    Recorder,
    district,
    facts,
    line_of,
    row,
)
from outbox_laws import Subject, notice, post

from detector import sms
from detector.delivery import Outcome, Receipt, record, watchdog
from detector.delivery.breaker import FAILURES_MAX, Breaker
from detector.delivery.desk import CROWD, CROWD_S, PARALLEL_MAX, Desk, Given
from detector.delivery.letterbox import Letterbox, heard_of
from detector.delivery.outbox import (
    DEAD,
    DELIVERED,
    SENDING,
    SENT,
    WAITING,
    Row,
)
from detector.delivery.passing import Gate, Passing
from detector.delivery.postman import Means, Postman
from detector.delivery.stages import STAGES
from detector.district import District
from detector.ledger import LedgerError
from detector.ledger.sqlite_file import FILE, open_ledger, open_outbox
from detector.testing import FakeClock, MemoryLedger, MemoryOutbox

GOOD = Outcome("sent", "0", gateway_id="g")


class Bench:
    """A desk over a memory outbox, whose channels answer as they are told, at once."""

    def __init__(self, *channels: Any, **settings: Any) -> None:
        self.clock, self.seconds = FakeClock(MONDAY), 0.0
        ledger = MemoryLedger()
        self.outbox = MemoryOutbox(ledger)
        self.subject = Subject(self.outbox, ledger)
        self.place = district(*channels, **settings)
        self.ways = {one.name: Recorder(one.name) for one in self.place.channels.channels}
        self.said: list[tuple[str, dict[str, Any]]] = []
        given = Given(
            lambda: self.place, self.ways, self.clock.now, lambda: self.seconds,
            lambda what, **told: self.said.append((what, told)), link=lambda row: "",
        )  # fmt: skip
        self.desk = Desk(self.outbox, given, STAGES)
        self.desk.begin()

    def turn(self, told: Outcome = GOOD) -> list[str]:
        """One turn, each attempt of which ends like this; what was sent."""
        sent = self.desk.turn()
        for one, *_ in sent:
            self.desk.ended(one, told)
        self.desk.record()
        return [one.message_id for one, *_ in sent]

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.move(seconds)
        self.seconds += seconds

    def row(self, name: str) -> Any:
        """A message as it stands."""
        return self.outbox.rows([name])[name]

    def hear(self, *told: Receipt, channel: str = "sms") -> None:
        """Receipts come, and a turn passes."""
        for one in told:
            self.outbox.hear([heard_of(channel, one, self.clock.now())])
        self.desk.turn()


# -- outcomes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "state", "reason"),
    [
        (GOOD, SENT, None),
        (Outcome("delivered"), DELIVERED, None),
        (Outcome("refused", "17"), DEAD, "refused: 17"),
        (Outcome("retry", "429"), WAITING, "429"),
        (Outcome("unknown"), WAITING, "no_answer"),
    ],
)
def test_an_answer_settles_a_message_or_puts_it_off(told, state, reason):
    bench = Bench()
    bench.subject.commit(post("n.1", MONDAY))
    assert bench.turn(told) == ["n.1"]
    one = bench.row("n.1")
    assert (one.state, one.reason, one.attempts) == (state, reason, 1)
    if state == WAITING:
        assert 24e6 <= one.due_us - MONDAY <= 36e6
    else:
        assert one.due_us is None and one.settled_us == MONDAY


def test_seven_attempts_then_it_is_dead_and_the_duty_officer_hears():
    bench = Bench(quiet=(), on_days_off=True)
    bench.subject.commit(post("n.1", MONDAY))
    waits = []
    for _ in range(7):
        before = bench.clock.now()
        assert bench.turn(Outcome("retry", "500"))[:1] == ["n.1"]
        due = bench.row("n.1").due_us
        if due is not None:
            waits.append((due - before) / 1e6)
            bench.move((due - before) / 1e6)
    stages = (30, 120, 600, 3_600, 14_400, 43_200)
    assert all(0.8 * s <= w <= 1.2 * s for s, w in zip(stages, waits, strict=True))
    one, duty = bench.row("n.1"), bench.row("n.1!duty")
    assert (one.state, one.reason) == (DEAD, "attempts_max: 500")
    assert (duty.person, duty.state, duty.reason) == ("Z", WAITING, "channel_dead")
    [(_, text)] = [(k, v[0]) for k, v in bench.outbox.contents(["n.1!duty"]).items()]
    assert text == "未能送达甲（发送渠道中断）：text n.1"
    assert bench.turn() == []  # after so many failures the breaker is open
    bench.move(700)
    assert bench.turn() == ["n.1!duty"]


def test_the_last_of_two_channels_calls_the_duty_officer():
    bench = Bench(SMS, OTHER)
    bench.subject.commit(post("n.1", MONDAY))
    assert bench.turn() == []  # split first
    assert bench.turn(Outcome("refused", "1")) == ["n.1", "n.1~sms2"]
    assert bench.row("n.1!duty").person == "Z"
    both = Bench(SMS, OTHER)
    both.subject.commit(post("n.1", MONDAY))
    both.turn()
    sent = both.desk.turn()
    both.desk.ended(sent[0][0], Outcome("refused", "1"))
    both.desk.ended(sent[1][0], GOOD)
    both.desk.record()
    assert "n.1!duty" not in both.outbox.rows(["n.1!duty"])


def test_what_systems_or_the_duty_officer_miss_is_said_aloud():
    bench = Bench()
    bench.subject.commit(post("n.1", MONDAY, person="*"), post("m.1", MONDAY, person="Z"))
    bench.turn(Outcome("refused", "gone"))
    lost = sorted(told["message_id"] for what, told in bench.said if what == "message_lost")
    assert lost == ["m.1", "n.1"]


def test_an_answer_that_comes_after_its_receipt_takes_nothing_back():
    bench = Bench()
    bench.subject.commit(post("n.1", MONDAY))
    [(begun, *_)] = bench.desk.turn()
    bench.hear(Receipt("delivered", "n.1"))
    assert bench.row("n.1").state == DELIVERED
    bench.desk.ended(begun, Outcome("unknown"))
    bench.desk.record()
    assert bench.row("n.1").state == DELIVERED


# -- receipts ------------------------------------------------------------------------------------


def sent(*channels: Any) -> Bench:
    """A bench whose message was sent by its channels."""
    bench = Bench(*channels)
    bench.subject.commit(post("n.1", MONDAY))
    while bench.turn() or bench.row("n.1").state == WAITING:
        pass
    return bench


def test_a_receipt_finds_its_message_by_either_name_and_counts_once():
    bench = sent()
    bench.hear(Receipt("delivered", gateway_id="g"))
    one = bench.row("n.1")
    assert one.state == DELIVERED
    bench.hear(Receipt("delivered", "n.1"), Receipt("delivered", "n.1"))
    assert bench.row("n.1") == one and bench.desk.figures.receipts["known"] == 1
    bench.hear(Receipt("read", "n.1"))
    bench.hear(Receipt("read", "n.1"), Receipt("failed", "n.1"))
    assert bench.row("n.1").reason == "read" and bench.row("n.1").state == DELIVERED
    verdicts = [a.verdict for a in bench.outbox._log]
    assert verdicts == ["begun", "sent", "delivered", "read"]


def test_a_receipt_that_names_nothing_waits_and_is_forgotten():
    bench = Bench()
    bench.subject.commit(post("n.1", MONDAY))
    [(begun, *_)] = bench.desk.turn()
    bench.hear(Receipt("delivered", gateway_id="g"), Receipt("delivered", "nobody"))
    assert bench.row("n.1").state == SENDING
    bench.desk.ended(begun, GOOD)
    bench.desk.record()
    bench.hear()
    assert bench.row("n.1").state == SENT
    bench.move(1)
    bench.hear()
    assert bench.row("n.1").state == DELIVERED
    bench.move(601)
    bench.hear()
    assert bench.desk.figures.receipts["unknown_message"] == 1


def test_what_failed_after_all_goes_by_another_channel_else_to_the_duty_officer():
    bench = sent()
    bench.place = district(SMS, OTHER)  # another channel has come meanwhile
    bench.ways["sms2"] = Recorder("sms2")
    bench.hear(Receipt("failed", "n.1", code="UNDELIV"))
    assert bench.row("n.1").state == DEAD and "sms2" in bench.row("n.1").reason
    assert bench.row("n.1~sms2").channel == "sms2" and "n.1!duty" not in bench.outbox._all()
    alone = sent()
    alone.hear(Receipt("failed", "n.1"))
    assert alone.row("n.1").state == DEAD and alone.row("n.1!duty").person == "Z"
    two = sent(SMS, OTHER)
    two.hear(Receipt("failed", "n.1"))  # the other channel has it
    assert two.row("n.1").state == DEAD and "n.1!duty" not in two.outbox._all()


def test_a_receipt_for_what_was_never_sent_changes_nothing():
    told = Passing(MONDAY)
    heard = heard_of("sms", Receipt("delivered", "n1.1"), MONDAY)
    assert record.receipt(row(), heard, facts(), (), told) == "never_sent"
    assert not told.write


def test_the_engine_hears_of_each_message_of_a_digest():
    bench = Bench()
    bench.subject.commit(*(post(f"n{k}.1", MONDAY) for k in range(5)))
    assert bench.turn() == [] and bench.turn(Outcome("delivered"))[0].startswith("digest-")
    told = [one for _, one in bench.outbox.untold(9)]
    lines = [line_of(one) for one in record.lines(bench.outbox, told)]
    assert lines[0][0].startswith("digest-")
    assert lines[1:] == [(f"n{k}.1", "delivered") for k in range(5)]


# -- breakers ------------------------------------------------------------------------------------


def test_a_breaker_opens_tries_and_closes():
    one = Breaker()
    for _ in range(FAILURES_MAX - 1):
        one.ended("retry", 0)
    one.ended("refused", 0)  # the gateway is up
    for _ in range(FAILURES_MAX - 1):
        one.ended("unknown", 0)
    assert one.gate(0, MONDAY) == Gate()
    one.ended("retry", 10)
    assert one.state(10) == "open" and one.gate(10, MONDAY) == Gate(0, MONDAY + 30_000_000)
    one.ended("retry", 12)  # a straggler
    assert one.gate(40, MONDAY).most == 1 and one.state(40) == "half_open"
    waits = []
    for _ in range(7):
        at = one.next_s
        one.began()
        assert one.gate(at, MONDAY).most == 0
        one.ended("unknown", at)
        waits.append(one.next_s - at)
    assert waits == [60, 120, 240, 480, 600, 600, 600]
    one.began()
    one.ended("sent", 9_999)
    assert one.state(9_999) == "closed" and one.gate(9_999, 0) == Gate()


def test_while_a_channel_is_down_nobody_counts_attempts():
    bench = Bench(group_from=99)
    bench.subject.commit(*(post(f"n{k}.1", MONDAY, person="Z") for k in range(FAILURES_MAX)))
    bench.turn(Outcome("retry", "500"))
    bench.subject.commit(post("m.1", MONDAY))
    assert bench.turn() == []
    one = bench.row("m.1")
    assert (one.attempts, one.reason, one.state) == (0, "channel_open", WAITING)
    assert one.due_us == MONDAY + 30_000_000
    bench.move(40)
    probe = bench.turn()
    assert len(probe) == 1 and bench.turn() == []  # the others wait for what comes of it
    bench.move(5)
    others = bench.turn()
    assert len(others) == FAILURES_MAX and {"m.1"} <= {*probe, *others}
    bench.desk.look()
    assert bench.desk.figures.breakers == {"sms": "closed"}


def test_no_more_are_sent_at_once_than_a_channel_bears():
    bench = Bench(group_from=9_999, recipient_per_hour_max=9_999, recipient_per_day_max=9_999)
    bench.subject.commit(*(post(f"n{k}.1", MONDAY) for k in range(PARALLEL_MAX + 5)))
    first = bench.desk.turn()
    assert len(first) == PARALLEL_MAX and bench.desk.turn() == [] and bench.desk.held == 5
    bench.desk.ended(first[0][0], GOOD)
    assert len(bench.desk.turn()) == 1


def test_a_long_backlog_is_read_once_and_sent_as_fast_as_its_channel_bears(monkeypatch):
    """Of what waits for a connection only those are read again whose turn it is; what is graver and
    comes meanwhile is first as soon as all are looked at."""
    bench, looks = Bench(replace(HOOK, per_minute_max=1_000_000)), list[int]()
    whole = bench.outbox.due

    def due(now_us: int, limit: int) -> list[Row]:
        looks.append(now_us)
        return whole(now_us, limit)

    monkeypatch.setattr(bench.outbox, "due", due)
    backlog = 2 * CROWD
    bench.subject.commit(*(post(f"n{k:04}.1", MONDAY, person="*") for k in range(backlog)))
    sent = bench.turn()
    assert len(sent) == PARALLEL_MAX and len(looks) == 1
    for _ in range(20):
        sent += bench.turn()
    assert len(sent) == 21 * PARALLEL_MAX and len(looks) == 1
    bench.subject.commit(post("grave.1", MONDAY, person="*", tier=3))
    sent += bench.turn()
    assert "grave.1" not in sent and len(looks) == 1
    bench.move(CROWD_S)
    assert bench.turn()[0] == "grave.1" and len(looks) == 2
    while bench.outbox.count():
        bench.turn()
        bench.move(0.01)
    assert bench.desk.figures.attempts == backlog + 1
    assert len(looks) < backlog / PARALLEL_MAX


def test_a_text_message_is_cut_to_its_parts_and_keeps_what_is_to_be_done():
    """The signature counts, the channel's own before the district's; a webhook is told all."""
    own = replace(SMS, settings={"signature": "【示例区监察】"})
    bench = Bench(own, OTHER, HOOK, sms_parts_max=2, signature="【更长的签名在此】")
    long = "督办通知：" + "很长的名称" * 60 + "。请于3月9日前答复。"
    bench.subject.commit(post("n.1", MONDAY, text=long), post("n.2", MONDAY, person="*", text=long))
    turns = [*bench.desk.turn(), *bench.desk.turn()]
    sent = {row.channel: told.text for row, told, _ in turns}
    assert sent.keys() == {"sms", "sms2", "hook"} and sent["hook"] == long
    for channel, signature in (("sms", "【示例区监察】"), ("sms2", "【更长的签名在此】")):
        text = sent[channel]
        assert sms.parts(text, signature) == 2 and sms.parts("某" + text, signature) == 3
        assert text.startswith("督办通知：很长") and text.endswith("…请于3月9日前答复。")


def test_who_waits_to_be_grouped_is_not_read_again_at_every_wake(monkeypatch):
    bench, looks = Bench(group_wait_s=30), list[int]()
    whole = bench.outbox.due

    def due(now_us: int, limit: int) -> list[Row]:
        looks.append(now_us)
        return whole(now_us, limit)

    monkeypatch.setattr(bench.outbox, "due", due)
    bench.subject.commit(*(post(f"n{k:04}.1", MONDAY) for k in range(CROWD + 1)))
    for _ in range(50):
        assert bench.turn() == []
    assert len(looks) == 1 and bench.desk.held > CROWD


def test_a_link_that_cannot_be_made_leaves_nothing_half_sent():
    """The ledger cannot be read for a moment: what was due is still due, and has room."""
    bench = Bench()
    bench.subject.commit(post("n.1", MONDAY))
    links = iter([LedgerError("busy")])

    def link(row: Row) -> str:
        for fault in links:
            raise fault
        return ""

    bench.desk.given = replace(bench.desk.given, link=link)
    with pytest.raises(LedgerError):
        bench.desk.turn()
    assert bench.row("n.1").state == WAITING and not +bench.desk.in_flight
    assert bench.turn() == ["n.1"]


def test_caps_count_what_was_sent_before_a_restart():
    bench = Bench(recipient_per_hour_max=2)
    bench.subject.commit(post("a.1", MONDAY), post("b.1", MONDAY))
    assert len(bench.turn()) == 2
    bench.subject.commit(post("c.1", MONDAY))
    again = Desk(bench.outbox, bench.desk.given, STAGES)
    again.begin()
    assert again.turn() == []
    assert bench.row("c.1").reason == "recipient_cap"
    assert bench.row("c.1").due_us == MONDAY + 60 * MINUTE


# -- the watchdog --------------------------------------------------------------------------------


def test_the_watchdog_names_what_stands_still():
    bench = Bench()
    late = MONDAY - watchdog.LATE_US - 1
    nexts = {"n": None, "m": MONDAY - 2 * MINUTE, "ok": MONDAY + DAY, "near": MONDAY - MINUTE // 2}
    notices = tuple(notice(name, next_us=at) for name, at in nexts.items())
    bench.subject.commit(post("n.1", late), post("ok.1", MONDAY), notices=notices)
    told = watchdog.standing(bench.outbox, MONDAY, MONDAY)
    assert [(one.kind, one.what) for one in told] == [
        ("notice_without_next", "n"), ("notice_behind", "m"), ("message_late", "n.1"),
    ]  # fmt: skip
    assert watchdog.down({"sms": "open", "hook": "closed"}) == [
        watchdog.Trouble("channel_down", "sms", "open")
    ]


def test_the_watchdog_finds_people_whom_no_channel_reaches():
    place = district()
    assert [(t.what, t.reason) for t in watchdog.unreached(place, ["sms"], "Z")] == [
        ("P3", "no_phone")
    ]
    everybody = {t.what: t.reason for t in watchdog.unreached(place, ["hook"], "")}
    assert everybody[""] == "no_duty_officer"
    gone = replace(place, channels=replace(place.channels, channels=(SMS,)))
    told = {t.what for t in watchdog.unreached(gone, [], "Z")}
    assert told == PEOPLE.keys()


# -- the postman ---------------------------------------------------------------------------------


class Waits(Recorder):
    """A channel that says when it has got so many."""

    def __init__(self, want: int, **told: Any) -> None:
        super().__init__(**told)
        self.want, self.enough = want, threading.Event()

    async def send(self, message):
        told = await super().send(message)
        if len(self.sent) >= self.want:
            self.enough.set()
        return told


def test_the_postman_in_a_thread_over_a_real_file(tmp_path):
    """Woken by a commit, it sends; receipts come back; the engine hears all of it; it ends."""
    ledger = open_ledger(tmp_path / FILE)
    subject = Subject(None, ledger)
    channel, told, heard = Waits(2), list[tuple[str, str]](), threading.Condition()

    def tell(lines: list[bytes]) -> bool:
        with heard:
            told.extend(line_of(one) for one in lines)
            heard.notify_all()
        return True

    clock = FakeClock(MONDAY)
    given = Given(
        lambda: district(SMS), {"sms": channel}, clock.now, clock.seconds, lambda *a, **k: None
    )
    postman = Postman(Means(lambda: open_outbox(tmp_path / FILE), given, tell, idle_s=600.0))
    postman.start()
    subject.commit(post("n.1", MONDAY), post("m.1", MONDAY))
    postman.wake()
    assert channel.enough.wait(20)
    box = Letterbox(open_outbox(tmp_path / FILE), given.channels, clock.now, postman.wake)
    box.receive("sms", [Receipt("delivered", gateway_id="g-n.1")])
    box.close()
    with heard:
        assert heard.wait_for(lambda: ("n.1", "delivered") in told, 20), told
    postman.stop()
    assert postman.state == "stopped" and postman.failure is None
    assert sorted(told) == [("m.1", "sent"), ("n.1", "delivered"), ("n.1", "sent")]
    outbox = open_outbox(tmp_path / FILE)
    assert {r.state for r in outbox.rows(["n.1", "m.1"]).values()} == {SENT, DELIVERED}
    assert outbox.count() == {} and outbox.untold(9) == []
    outbox.close()
    ledger.close()


class Ear(Recorder):
    """A channel that is told receipts by a connection of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.told: asyncio.Queue[Receipt] = asyncio.Queue()
        self.closed = False

    async def heard(self) -> Receipt:
        """The next receipt."""
        return await self.told.get()

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


class Room:
    """A postman in this loop, over a memory outbox, whose channels come and go."""

    def __init__(self, *channels: Any) -> None:
        ledger = MemoryLedger()
        self.outbox = MemoryOutbox(ledger)
        self.subject = Subject(self.outbox, ledger)
        self.place, self.ways = district(*channels), dict[str, Any]()
        clock = FakeClock(MONDAY)
        given = Given(
            lambda: self.place, self.ways, clock.now, clock.seconds, lambda *a, **k: None
        )  # fmt: skip
        self.postman = Postman(Means(lambda: self.outbox, given, lambda lines: True, idle_s=0.02))

    async def until(self, true: Any) -> None:
        """Let it work until something is so."""
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.01)

    async def live(self, story: Any) -> None:
        """A life with a story in it."""
        post = asyncio.ensure_future(self.postman.serve())
        await self.until(lambda: self.postman.state == "ready")
        await story()
        self.postman.stop_soon()
        await post


def test_a_channel_that_is_opened_later_is_heard_and_one_that_goes_is_let_go():
    room, first, ear = Room(SMS), Ear("sms"), Ear("sms")
    room.ways["sms"] = first

    async def story() -> None:
        room.subject.commit(post("n.1", MONDAY))
        await room.until(lambda: room.outbox.rows(["n.1"])["n.1"].state == SENT)
        room.ways["sms"] = ear
        ear.told.put_nowait(Receipt("delivered", "n.1"))
        await room.until(lambda: room.outbox.rows(["n.1"])["n.1"].state == DELIVERED)

    asyncio.run(room.live(story))
    assert first.closed and ear.closed


def test_what_a_listening_channel_took_is_written_down_at_the_end():
    room, ear = Room(SMS), Ear("sms")
    room.ways["sms"] = ear

    async def story() -> None:
        room.postman._stopping = True  # no turn comes any more
        ear.told.put_nowait(Receipt("delivered", "n.1"))
        await room.until(ear.told.empty)

    asyncio.run(room.live(story))
    assert [one.message_id for _, one in room.outbox.receipts(0, 9)] == ["n.1"]


def test_a_full_letterbox_stops_no_message(monkeypatch):
    room, ear = Room(SMS), Ear("sms")
    room.ways["sms"] = ear

    def full(told: Any) -> None:
        raise LedgerError("too many receipts wait")

    async def story() -> None:
        monkeypatch.setattr(room.outbox, "hear", full)
        ear.told.put_nowait(Receipt("delivered", "nobody"))
        await room.until(ear.told.empty)
        room.subject.commit(post("n.1", MONDAY))
        await room.until(lambda: room.outbox.rows(["n.1"])["n.1"].state == SENT)

    asyncio.run(room.live(story))
    assert [one.message_id for one in ear.sent] == ["n.1"]


def test_a_channel_that_vanishes_while_its_message_is_made_out_still_sends_it(monkeypatch):
    room, way = Room(SMS), Recorder("sms")

    room.ways["sms"] = way
    real = room.outbox.write

    def write(work: Any) -> None:
        real(work)
        room.ways.pop("sms", None)

    monkeypatch.setattr(room.outbox, "write", write)

    async def story() -> None:
        room.subject.commit(post("n.1", MONDAY))
        await room.until(lambda: room.outbox.rows(["n.1"])["n.1"].state == SENT)

    asyncio.run(room.live(story))
    assert room.postman.failure is None and [one.message_id for one in way.sent] == ["n.1"]


def test_an_adapter_that_raises_costs_an_attempt_and_no_more(tmp_path):
    class Faulty(Waits):
        async def send(self, message):
            self.enough.set()
            raise ZeroDivisionError

    ledger = open_ledger(tmp_path / FILE)
    Subject(None, ledger).commit(post("n.1", MONDAY))
    said, faulty, clock = list[str](), Faulty(1), FakeClock(MONDAY)
    given = Given(
        lambda: district(SMS), {"sms": faulty}, clock.now, clock.seconds,
        lambda what, **told: said.append(what),
    )  # fmt: skip
    postman = Postman(Means(lambda: open_outbox(tmp_path / FILE), given, lambda lines: True))
    postman.start()
    assert faulty.enough.wait(20)
    postman.stop()
    outbox = open_outbox(tmp_path / FILE)
    one = outbox.rows(["n.1"])["n.1"]
    assert (one.state, one.reason, said) == (WAITING, "no_answer", ["channel_faulty"])
    outbox.close()
    ledger.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_postman_that_fails_says_so(tmp_path):
    failed, seen = threading.Event(), list[BaseException]()

    def hear(fault: BaseException) -> None:
        seen.append(fault)
        failed.set()

    def broken() -> District:
        raise ZeroDivisionError

    given = Given(broken, {}, lambda: MONDAY, lambda: 0.0, lambda *a, **k: None)
    ledger = open_ledger(tmp_path / FILE)
    Subject(None, ledger).commit(post("n.1", MONDAY))
    means = Means(lambda: open_outbox(tmp_path / FILE), given, lambda lines: True, failed=hear)
    postman = Postman(means)
    postman.start()
    assert failed.wait(20)
    postman.stop()
    assert postman.state == "failed" and isinstance(seen[0], ZeroDivisionError)
    ledger.close()


@pytest.mark.slow
def test_a_flood_gives_one_digest_a_person_and_tier():
    """50,000 at once: 30 digests, each member reached from one, none lost."""
    bench = Bench(SMS, quiet=(), on_days_off=True)
    bench.place = replace(
        bench.place,
        people={f"P{n}": replace(PEOPLE["P1"], person=f"P{n}") for n in range(10)},
    )
    names = [f"n{n}.1" for n in range(50_000)]
    bench.subject.commit(
        *(post(name, MONDAY, person=f"P{n % 10}", tier=n // 10 % 3) for n, name in enumerate(names))
    )
    assert bench.turn() == []
    digests = bench.turn()
    assert len(digests) == 30 and bench.desk.figures.digests == 30
    reached = [r.message_id for name in digests for r in bench.outbox.members(name, "", 1 << 30)]
    assert sorted(reached) == sorted(names)
    assert bench.outbox.count() == {}
