"""Notices over HTTP: lists by pages, one with its history, and acts as they are handed over."""

from __future__ import annotations

import json

import pytest
from notice_kit import town_of
from starlette.testclient import TestClient
from test_web import V1, House, is_problem

from detector.ledger import NoticeHolds, NoticeRow, NoticeStep, NoticeWork, Work
from detector.live import Answer, Fault, Unavailable
from detector.testing import MemorySerials
from detector.web.api import create_app

BEGIN_US = 1_772_413_200_000_000  # 2026-03-02 09:00 of the district
STATES = ("issued", "delivered", "answered", "closed")


def row(number: int, state: str) -> NoticeRow:
    """A notice; two at a time are issued in one instant."""
    name, us = f"n{number:02d}", BEGIN_US + number // 2 * 1_000_000
    doc = json.dumps({"notice_id": name, "state": state}).encode()
    return NoticeRow(
        name, "case", f"c{number}", "D01", 2, 1, state, int(state != "closed"), us, None, doc
    )


@pytest.fixture
def house():
    with House() as one:
        work = NoticeWork(rows=[row(k, STATES[k % 4]) for k in range(12)])
        work.steps = [
            NoticeStep("n00", BEGIN_US, "oriole", "", "issued", "automatic"),
            NoticeStep("n00", BEGIN_US + 1_500_000, "S1", "issued", "issued", "urged", "速办"),
        ]
        work.holds = [NoticeHolds("n00", "f1", 0)]
        one.service.ledger.commit(one.service.ledger.position(), Work(notices=work))
        yield one


def names(house: House, query: str) -> list[str]:
    """The notices of all pages of a query."""
    told: list[str] = []
    after = ""
    while True:
        page = house.get(f"{V1}/notices?{query}{after}").json()
        told += [one["notice_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            return told
        after = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize("limit", [1, 2, 5, 11, 12, 13])
def test_pages_hold_every_notice_once_the_last_issued_first(house, limit):
    assert names(house, f"limit={limit}") == [f"n{k:02d}" for k in range(11, -1, -1)]


def test_notices_are_asked_by_state_and_time(house):
    assert names(house, "state=delivered") == ["n09", "n05", "n01"]
    assert len(names(house, "state=open&limit=2")) == 9
    assert names(house, "subject=c3") == ["n03"] and names(house, "department=D02") == []
    assert names(house, "from=2026-03-03") == [] and len(names(house, "to=2026-03-02")) == 12
    begin = "2026-03-02T09:00:04%2B08:00"
    assert names(house, f"state=open&from={begin}") == ["n10", "n09", "n08"]
    assert names(house, f"state=issued&to={begin}") == ["n04", "n00"]


@pytest.mark.parametrize("query", ["stat=open", "state=shut", "cursor=x", "limit=0", "from=Monday"])
def test_what_a_query_may_not_hold_is_named(house, query):
    told = is_problem(house.get(f"{V1}/notices?{query}"), 400)
    assert (
        "known are: department rule tier" if query == "stat=open" else query.partition("=")[0]
    ) in told


def test_one_notice_tells_what_it_holds_and_how_it_went(house):
    assert house.get(f"{V1}/notices/n00").json() == {
        "notice_id": "n00", "state": "issued", "findings": ["f1"],
        "history": [
            {"at": "2026-03-02T09:00:00+08:00", "actor": "oriole", "from": None, "to": "issued",
             "reason": "automatic", "text": None},
            {"at": "2026-03-02T09:00:01.5+08:00", "actor": "S1", "from": "issued", "to": "issued",
             "reason": "urged", "text": "速办"},
        ],
    }  # fmt: skip
    is_problem(house.get(f"{V1}/notices/n99"), 404)


def act(house: House, notice: str, told: object, **headers: str):
    """An act on a notice."""
    body = json.dumps(told).encode()
    return house.client.post(f"{V1}/notices/{notice}/acts", content=body, headers=headers)


@pytest.mark.parametrize("name", [None, "", "shred", 7, ["answer"], {"answer": 1}])
def test_an_act_that_is_none_is_refused(house, name):
    assert "act: is unknown" in is_problem(act(house, "n00", {"act": name}), 400)
    assert house.service.bodies == []


def test_an_act_is_handed_over_where_it_may_be_done(house):
    for notice in ("n00", "n01"):  # whether or not it has arrived
        assert act(house, notice, {"act": "acknowledge", "actor": "S1"}).status_code == 200
    for notice, name in (("n02", "acknowledge"), ("n03", "answer"), ("n00", "accept")):
        is_problem(act(house, notice, {"act": name}), 409)
    is_problem(act(house, "n99", {"act": "answer"}), 404)
    lines = [json.loads(body) for body in house.service.bodies]
    assert [(one["kind"], one["notice_id"], one["actor"]) for one in lines] == [
        ("act", "n00", "S1"), ("act", "n01", "S1"),
    ]  # fmt: skip


def test_what_is_sent_twice_under_one_key_is_one_act(house):
    for key in ("a", "a", "b"):
        assert act(house, "n00", {"act": "urge", "text": "速办"}, **{"idempotency-key": key})
    found = [json.loads(body)["act_id"] for body in house.service.bodies]
    assert found[0] == found[1] != found[2]


def test_what_the_engine_says_of_an_act_is_told(house):
    house.service.answer = Answer(0, 0, [Fault(1, "text", "is missing")])
    assert is_problem(act(house, "n00", {"act": "answer"}), 400) == "text: is missing"
    house.service.answer = Answer(0, 0, [Fault(1, "act_id", "is in conflict with an earlier one")])
    assert act(house, "n00", {"act": "answer", "text": "x"}).status_code == 200
    house.service.refuse = Unavailable("the queue is full", 429, 1)
    told = act(house, "n00", {"act": "answer", "text": "x"})
    assert is_problem(told, 429) == "the queue is full" and told.headers["retry-after"] == "1"


DEPARTMENTS = '[departments]\nD01 = "区应急管理局"\n'


def test_a_document_bears_the_number_of_its_first_print():
    with House() as plain:
        serials = MemorySerials()
        plain.web.papers = (serials, lambda: town_of(more=DEPARTMENTS))
        told = {
            "acknowledge_by": None, "answer_by": "2026-03-09T10:00:00+08:00", "finish_by": None,
            "recipients": ["S1"], "by_hand": None,
        }  # fmt: skip
        rows = [
            NoticeRow(f"n{tier}", "case", "c1", "D01", tier, 1, "issued", 1, BEGIN_US, None,
                      json.dumps(told).encode())
            for tier in (1, 2)
        ]  # fmt: skip
        ledger = plain.service.ledger
        ledger.commit(ledger.position(), Work(notices=NoticeWork(rows=rows)))
        client = TestClient(create_app(plain.web), base_url="http://localhost")
        serials.number("another", "D01", 2026, "urge", BEGIN_US)
        first = client.get(f"{V1}/notices/n2/document")
        assert first.status_code == 200 and "〔2026〕D01-2号" in first.text
        assert '<p class="to">区应急管理局' in first.text
        serials.number("third", "D01", 2026, "urge", BEGIN_US)
        assert client.get(f"{V1}/notices/n2/document").text == first.text
        is_problem(client.get(f"{V1}/notices/n1/document"), 409)
        assert serials.given("n1", "urge") is None
