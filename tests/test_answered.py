"""What is refused is counted and logged, and a flood of it is one line a second."""

from __future__ import annotations

import logging

import pytest
from test_web import V1, House

from detector.web.answered import Answered, part_of


def test_every_answer_is_counted_by_its_status():
    with House() as house:
        house.get("/healthz")
        house.get(f"{V1}/findings?limit=0")
        house.get("/nowhere", headers={"host": "evil.example"})
        house.service.refuse = ZeroDivisionError()
        house.send(b"{}")
        told = house.get("/metrics").text
        for status in (200, 400, 421, 500):
            assert f'oriole_http_answers_total{{status="{status}"}} 1.0' in told


def test_a_flood_of_refusals_is_a_line_a_second(caplog):
    now = [0.0]
    answered = Answered(lambda: now[0])
    scope = {"method": "GET", "path": "/api/v1/cases/secret"}
    with caplog.at_level(logging.INFO, "oriole.web"):
        for second in (0.0, 0.9, 1.0):
            now[0] = second
            for _ in range(100):
                answered.tell(scope, 400)
                answered.tell(scope, 200)
                answered.tell(scope, 404)
    lines = [one.getMessage() for one in caplog.records]
    assert lines == [
        f"answered 400 to GET /api/v1/cases, {n} since the last such line" for n in (1, 200)
    ]
    assert answered.by_status == {400: 300, 200: 300, 404: 300}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/n/a-signed-link", "/n"), ("/api/v1/findings/f1", "/api/v1/findings"), ("/", "/"),
        ("/a\r\nb/c", "/a\\x0d\\x0ab"), ("/" + "x" * 99, "/" + "x" * 20),
        ("/黄\ud800", "/\\u9ec4\\ud800"),
    ],
)  # fmt: skip
def test_of_an_address_its_part_is_told(path, shown):
    assert part_of(path) == shown
