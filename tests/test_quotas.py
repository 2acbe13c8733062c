"""Quotas of sources: exact within a minute, fair to the others, of no cost where none is set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_web import House, is_problem

from detector.live import Unavailable
from detector.web import quotas
from detector.web.problems import Problem
from detector.web.quotas import FREE, MINUTE_S, Quotas, sources_of


def body(**many: int) -> bytes:
    """So many lines of each source."""
    lines = [b'{"source":"%b"}' % name.encode() for name, n in many.items() for _ in range(n)]
    return b"\n".join(lines)


@pytest.mark.parametrize(
    ("told", "want"),
    [
        (b'{"source":"s","department":"d"}\n{"department":"d"}\n{}\n', {"s": 1, "d": 1}),
        (b'[{"source":"s"}, {"source":"s"}]', {"s": 2}),
        (b'  \n[{"source":"s"}]', {"s": 1}),
        (b'{"source":"s"}\n{"source":\nx\n{"source":7}\n\n{"source":"s"}', {"s": 2}),
        (b'{"source":"\xff"}\n{"source":"s"}', {"s": 1}),
        (b'{"source":"s","a":' + b"[" * 5_000 + b'\n{"source":"s"}', {"s": 1}),
        (b"", {}), (b"\xff", {}), (b"[1]", {}),
    ],
)  # fmt: skip
def test_a_source_is_what_the_line_says(told, want):
    assert sources_of(told) == want


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(1, 7), st.integers(0, 30), st.booleans()),
        max_size=30,
    )
)
def test_no_minute_holds_more_of_a_source_than_the_bound(steps):
    """Against a list of all that was taken; what was given back was never counted, and whoever
    waits as long as told is taken."""
    held, taken, now = Quotas(lambda: 10), list[tuple[int, str, int]](), 100
    for name, n, later, back in steps:
        now += later
        lately = sum(m for at, one, m in taken if one == name and at > now - MINUTE_S)
        try:
            charge = held.take(body(**{name: n}), now + 0.5)
        except Problem as fault:
            assert lately + n > 10 and fault.status == 429
            assert fault.more == {"sources": {name: n}} and fault.retry_after_s is not None
            now += fault.retry_after_s
            held.take(body(**{name: n}), now)
            taken.append((now, name, n))
            continue
        assert lately + n <= 10
        if back:
            held.give_back(charge)
        else:
            taken.append((now, name, n))


def test_many_sources_share_one_count_at_last(monkeypatch):
    monkeypatch.setattr(quotas, "SOURCES_MAX", 3)
    held = Quotas(lambda: 2)
    held.take(body(a=1, b=1, c=1), 0)
    held.take(body(d=1, e=1), 1)
    with pytest.raises(Problem) as told:
        held.take(body(f=1), 2)
    assert told.value.more == {"sources": {"others": 1}}
    held.take(body(a=1), 2)
    held.take(body(f=2), 2 + MINUTE_S)  # the old ones are forgotten


def test_without_a_bound_nothing_is_looked_at():
    assert Quotas(lambda: 0).take(body(a=1_000), 0) is FREE


@dataclass
class Bounded:
    """An engine as far as quotas ask it."""

    bound: int

    def __getattr__(self, name: str) -> Any:
        return self  # engine().district.limits

    @property
    def source_lines_per_minute_max(self) -> int:
        return self.bound


@pytest.fixture
def house():
    with House() as one:
        engine = Bounded(5)
        one.web.engine = lambda: engine
        yield one


def test_one_source_does_not_starve_the_others(house):
    assert house.send(body(a=4, b=1)).status_code == 200
    told = house.send(body(a=2, c=1))
    assert "5 lines a minute" in is_problem(told, 429)
    assert told.json()["sources"] == {"a": 2} and 0 < int(told.headers["retry-after"]) <= 60
    assert house.send(body(b=4, c=1)).status_code == 200
    assert len(house.service.bodies) == 2  # nothing of the refused one was judged
    assert "oriole_quota_refusals_total 1.0" in house.get("/metrics").text


def test_what_can_never_be_taken_is_said(house):
    told = house.send(body(a=6))
    assert "fewer at once" in is_problem(told, 413) and "retry-after" not in told.headers
    assert told.json()["sources"] == {"a": 6}


def test_what_was_not_judged_is_not_counted(house):
    house.service.refuse = Unavailable("the queue is full", 429, 1)
    for _ in range(3):
        assert house.send(body(a=5)).status_code == 429
    house.service.refuse = None
    assert house.send(body(a=5)).status_code == 200


def test_long_names_and_many_of_them_are_cut():
    held = Quotas(lambda: 1)
    lines = [{"source": "x" * 500 + str(n)} for n in range(30)] * 2
    with pytest.raises(Problem) as told:
        held.take(msgspec.json.encode(lines), 0)
    assert len(msgspec.json.encode(told.value.more)) < 3_000
    assert Counter(told.value.more["sources"].values()) == {2: 1}  # cut to the same name
