"""`POST /api/v1/gate` over ASGI: answers, refusals, and what is said where nobody could judge."""

from __future__ import annotations

import asyncio
import logging

import msgspec
import pytest
from live_kit import ACCEPT, SURVEY, Live
from test_web import V1, House, is_problem

from detector.event import LINE_BYTES_MAX, Refused
from detector.gate_limits import GateLimits
from detector.live import Unjudged
from detector.web import beforehand as web_beforehand

GATE = f"{V1}/gate"


@pytest.fixture
def house():
    with House() as one:
        yield one


def figures(house: House) -> dict[str, float]:
    lines = house.get("/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("oriole_gate"))
    return {name: float(value) for name, value in pairs}


def test_a_verdict_goes_out_as_the_service_gives_it(house):
    answer = house.client.post(GATE, content=b' {"case_id":"c1"}\n')
    assert (answer.status_code, answer.content) == (200, b'{"allow":true}')
    assert answer.headers["oriole-gate"] == "rules"
    assert answer.headers["server-timing"].startswith("gate;dur=")
    assert house.service.beforehand.lines == [b'{"case_id":"c1"}']
    assert house.service.bodies == []
    house.service.beforehand.answer = b'{"allow":false}'
    house.client.post(GATE, content=b"{}")
    told = figures(house)
    assert told['oriole_gate_total{allow="true"}'] == told['oriole_gate_total{allow="false"}'] == 1
    assert told["oriole_gate_seconds_count"] == 2 and told["oriole_gate_failures_total"] == 0
    assert told['oriole_gate_seconds_bucket{le="+Inf"}'] == 2


def test_a_bad_event_is_a_problem_that_names_the_field(house):
    house.service.beforehand.answer = Refused("action", "is missing")
    answer = house.client.post(GATE, content=b"{}")
    assert is_problem(answer, 400) == "action: is missing"
    assert (answer.json()["field"], answer.json()["error"]) == ("action", "is missing")
    assert figures(house)["oriole_gate_seconds_count"] == 0


def test_a_large_body_is_refused(house):
    assert "may hold" in is_problem(house.client.post(GATE, content=b"x" * 70_000), 413)
    assert house.client.post(GATE, content=b"x" * LINE_BYTES_MAX).status_code == 200
    assert house.get(GATE).status_code == 405


@pytest.mark.parametrize("allows", [True, False])
def test_who_cannot_judge_answers_as_the_district_says_and_loudly(
    house, caplog, monkeypatch, allows
):
    monkeypatch.setattr(web_beforehand, "seconds", lambda: 100.0)  # both within one line of the log
    gate = house.service.beforehand
    gate.answer = Unjudged("the engine is stopped")
    gate.limits = GateLimits("allow" if allows else "deny")
    with caplog.at_level(logging.WARNING, "oriole.web"):
        answer = house.client.post(GATE, content=b"{}")
        house.client.post(GATE, content=b"{}")
    assert (answer.status_code, answer.headers["oriole-gate"]) == (200, "failure")
    assert answer.json() == {
        "allow": allows, "decided_by": "failure", "code": "gate_engine",
        "reason": "the engine is stopped", "clock": None, "findings": [],
        "undetermined": [], "clears": [], "duplicate": False,
    }  # fmt: skip
    assert figures(house)["oriole_gate_failures_total"] == 2
    assert len(caplog.messages) == 1 and "the engine is stopped" in caplog.messages[0]


def test_who_waits_too_long_is_answered_all_the_same(house):
    gate = house.service.beforehand
    gate.limits = GateLimits("deny", 20)
    gate.holds = asyncio.Event()
    told = house.client.post(GATE, content=b"{}").json()
    assert told["allow"] is False and told["reason"] == "nobody could judge it within 20 ms"


def test_too_many_at_once_are_answered_all_the_same(house, monkeypatch):
    monkeypatch.setattr(web_beforehand, "ASKING_MAX", 0)
    told = house.client.post(GATE, content=b"{}").json()
    assert told["allow"] and told["reason"] == "too many ask at once"
    assert house.service.beforehand.lines == []


def test_another_site_may_not_ask(house):
    evil = {"origin": "https://evil.example"}
    assert house.client.post(GATE, content=b"{}", headers=evil).status_code == 403


def test_the_example_of_the_description_is_what_is_answered():
    live = Live()
    with House(live.runner) as house:
        live.post(ACCEPT)
        told = house.get("/api/openapi.json").json()["paths"]["/api/v1/gate"]["post"]
        line = told["requestBody"]["content"]["application/json"]["example"]
        answer = house.client.post(GATE, content=msgspec.json.encode(line)).json()
        wanted = told["responses"]["200"]["content"]["application/json"]["example"]
        answer["findings"][0]["rulebook"] = wanted["findings"][0]["rulebook"]
        assert answer == wanted
        assert house.client.post(GATE, content=msgspec.json.encode(SURVEY)).json()["allow"] is False
    live.stop()
