"""The door of a scale-out: stamps, packs, what the broker is given, how much may be on its way."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest
from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from detector.cluster.gate import Bounds, Gate
from detector.cluster.layout import Layout, partitions_of
from detector.columns import Words
from detector.decode import Decoder
from detector.event import Reading
from detector.live import Answer, Unavailable, Unreadable
from detector.live.intake import cleaned
from detector.workcalendar import Zone

ZONE = Zone("Asia/Shanghai")


class Broker:
    """Keeps what it is given, and says so when it is asked to."""

    def __init__(self):
        self.records, self.waits = [], []

    def give(self, records, kept):
        first = len(self.records)
        self.records += records
        self.waits.append((kept, list(range(first, first + len(records)))))

    def keep(self):
        for kept, offsets in self.waits:
            kept(offsets)
        self.waits.clear()


class Clock:
    def __init__(self, at):
        self.at = at

    def __call__(self):
        return self.at


def gate_of(broker, now=None, drop=(), **bounds):
    decoder = Decoder(Words(), Reading(ZONE), drop=drop)
    return Gate(Layout(4, 2), broker.give, now, partial(cleaned, decoder), Bounds(**bounds))


def line(case, **more):
    return msgspec.json.encode({"case_id": case, "event_id": f"{case}-1"} | more) + b"\n"


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=50), st.integers(1, 64))
def test_a_subject_lies_where_any_producer_would_put_it(keys, count):
    """murmur2, as Kafka's own producers have it by default."""
    want = [(murmur2(key) & 0x7FFFFFFF) % count for key in keys]
    assert partitions_of(keys, count).tolist() == want


def test_a_body_is_answered_once_the_broker_has_all_of_it():
    broker, said = Broker(), list[object]()
    gate = gate_of(broker)
    gate.submit(b"".join(line(f"c{n}") for n in range(50)), said.append)
    assert not said and gate.waiting()[0] == 1 and {r[1] for r in broker.records} == {0, 1, 2, 3}
    broker.keep()
    assert said == [Answer(50, 0, [])] and gate.waiting() == (0, 0)
    lines = b"".join(data for _, _, data, _ in broker.records).splitlines()
    assert len(lines) == 50


def test_stamps_never_go_back_and_nothing_comes_within_a_tick():
    broker, clock = Broker(), Clock(1_000)
    gate = gate_of(broker, clock)
    gate.submit(line("a"), print)
    clock.at = 900
    gate.submit(line("a"), print)
    gate.tick()
    gate.submit(line("a"), print)
    told = [dict(headers) for _, _, _, headers in broker.records]
    stamps = [int(one["received_at"]) for one in told if "received_at" in one]
    marks = {int(one["watermark"]) for one in told if "watermark" in one}
    assert stamps == [1_000, 1_000, 1_001] and marks == {1_000}
    ticked = [(topic, part) for topic, part, data, _ in broker.records if not data]
    assert sorted(ticked) == [*(("case-inputs", n) for n in range(4)), ("department-inputs", 0)]


def test_certificates_go_to_every_case_shard_and_other_facts_to_departments():
    broker = Broker()
    gate = gate_of(broker)
    gate.submit(b'{"kind":"officer","fact_id":"o1"}\n{"kind":"login","fact_id":"l1"}\n', print)
    places = {(topic, part): data for topic, part, data, _ in broker.records}
    assert all(b"o1" in places["case-inputs", n] for n in range(4))
    assert places["department-inputs", 0] == b'{"kind":"login","fact_id":"l1"}\n'


def test_the_broker_is_not_given_what_may_not_be_kept():
    """Reporters appear nowhere: not in the topics either, nor in what cannot be read."""
    broker = Broker()
    gate = gate_of(broker, drop=("举报人*", "reporter"))
    said = (
        line("a", reporter="张三") + line("b", 举报人姓名="李四") + b'{"reporter":"\xe7\x8e\x8b\n'
    )
    gate.submit(said + line("c"), print)
    data = b"".join(data for _, _, data, _ in broker.records)
    assert not [name for name in ("张三", "李四", "王") if name.encode() in data]
    assert data.count(b"\n") == 4 and data.count(b"withheld") == 1 and b"c-1" in data


def test_too_much_on_its_way_is_said_at_once():
    broker = Broker()
    gate = gate_of(broker, bodies_max=2, lag_records_max=5)
    gate.submit(line("a"), print)
    gate.submit(line("b"), print)
    with pytest.raises(Unavailable) as full:
        gate.submit(line("c"), print)
    assert full.value.status == 429
    broker.keep()
    gate.submit(line("c"), print)
    gate.lags["case-0"] = 6
    with pytest.raises(Unavailable) as behind:
        gate.submit(line("d"), print)
    assert behind.value.status == 429


def test_what_is_no_body_is_told_to_its_sender():
    said = list[object]()
    gate_of(Broker()).submit(b"[1, 2", said.append)
    assert isinstance(said[0], Unreadable)
