"""The HTTP interface over ASGI: what is asked and answered, without a socket."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from dataclasses import replace

import msgspec
import pytest
import structlog
from conftest import ROOT
from live_kit import ACCEPT, SURVEY, Live
from starlette.testclient import TestClient
from web_kit import CannedService, finding

from detector.adapters import logs
from detector.ledger import Count, LedgerError, Move, Refusal, Work
from detector.live import Answer, Entry, Fault, Unavailable, Unreadable
from detector.values import iso_time
from detector.web.api import NO_TELEMETRY, Web, create_app
from detector.web.guard import is_loopback
from detector.web.readers import Readers
from detector.web.settings import Settings
from detector.web.static_files import STATIC
from detector.workcalendar import Zone

V1 = "/api/v1"


class House:
    """A web over a service, asked by a client of its own."""

    def __init__(self, service=None, replies=None, **settings):
        self.service = service or CannedService()
        self.readers = Readers(self.service.ledger.reader)
        zone, bounds = Zone("Asia/Shanghai"), Settings(**settings)
        self.web = Web(self.service, self.readers, zone, bounds, replies=replies)
        self.app = create_app(self.web)
        self.client = TestClient(
            self.app,
            base_url="http://localhost",
            raise_server_exceptions=False,
            headers={"Accept-Language": "en"},
        )

    def __enter__(self):
        self.client.__enter__()
        return self

    def __exit__(self, *fault):
        self.client.__exit__(*fault)
        self.readers.close()

    def get(self, path, **told):
        return self.client.get(path, **told)

    def send(self, body, **told):
        return self.client.post(f"{V1}/events", content=body, **told)


@pytest.fixture
def house():
    with House() as one:
        yield one


def is_problem(answer, status):
    """Is it a problem document with this status; the detail."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status and told["type"] == "about:blank" and told["title"]
    return told["detail"]


# --- events -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("any_host", "status"), [(False, 421), (True, 200)])
def test_a_host_that_is_not_ours(any_host, status):
    """Behind a proxy that asks who comes any name will do; the origin is looked at all the same."""
    with House(any_host=any_host) as house:
        ours = {"host": "serve:8000"}
        assert house.get("/healthz", headers=ours).status_code == status
        foreign = ours | {"origin": "http://evil"}
        answer = house.client.post(f"{V1}/events", content=b"{}", headers=foreign)
        assert answer.status_code == (403 if any_host else 421)


def test_a_body_is_handed_over_as_it_came(house):
    house.service.answer = Answer(2, 1, [Fault(4, "action", "is unknown")])
    body = b'{"a": 1}\n\xff\xfe {"b"'
    told = house.send(body, headers={"content-type": "text/anything"})
    assert told.status_code == 200 and house.service.bodies == [body]
    assert told.json() == {
        "accepted": 2, "duplicates": 1,
        "refused": [{"line": 4, "field": "action", "code": "other", "error": "is unknown"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "status", "after"),
    [
        (Unreadable("the body is none"), 400, None),
        (Unavailable("the queue is full", 429, 1), 429, "1"),
        (Unavailable("the service is stopping", 503, None), 503, None),
        (Unavailable("the disk is nearly full", 507, 30), 507, "30"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_what_the_engine_cannot_do_is_said(house, fault, status, after, at_once):
    if at_once:
        house.service.refuse = fault
    house.service.answer = fault
    told = house.send(b"{}")
    assert is_problem(told, status) == str(fault)
    assert told.headers.get("retry-after") == after


def test_a_body_that_is_too_large_is_not_read():
    with House(body_bytes_max=1_000, linger_s=0.05) as house:
        assert house.send(b"x" * 1_000).status_code == 200
        assert "1000 bytes" in is_problem(house.send(b"x" * 1_001), 413)
        told = house.send(iter([b"x" * 400] * 3))  # without a length
        assert is_problem(told, 413) and told.headers["connection"] == "close"
        assert len(house.service.bodies) == 1


def test_a_packed_body_is_refused(house):
    is_problem(house.send(b"x", headers={"content-encoding": "gzip"}), 415)
    assert house.send(b"x", headers={"content-encoding": "identity"}).status_code == 200


def test_only_so_many_bodies_are_read_at_once(house):
    house.web.bodies.reading = Settings().uploads_max
    told = house.send(b"{}")
    assert is_problem(told, 503) and told.headers["retry-after"] == "1"
    house.web.bodies.reading = 0
    assert house.send(b"{}").status_code == 200


def test_a_defect_is_said_without_details(house):
    house.service.refuse = ZeroDivisionError("secret 13812345678")
    told = house.send(b"{}")
    assert "log" in is_problem(told, 500) and "138" not in told.text


# --- questions ----------------------------------------------------------------------------------


def test_findings_come_newest_first_page_by_page(house):
    house.service.commit(*(finding(n) for n in range(1, 8)))
    seen, cursor = [], None
    for _ in range(4):
        asked = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = house.get(f"{V1}/findings", params=asked).json()
        assert set(page) == {"items", "next_cursor"}
        seen += [one["finding_id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"f{n:06d}" for n in range(7, 0, -1)]


@pytest.mark.parametrize(
    ("asked", "ids"),
    [
        ({"department": "D02"}, [2]),
        ({"rule": "other"}, [3]),
        ({"tier": "4"}, [4]),
        ({"case_id": "c/5 号"}, [5]),
        ({"operator": "P9"}, [6]),
        ({"state": "muted"}, [7]),
        ({"state": "withdrawn"}, [1]),
        ({"state": "stands", "limit": "2"}, [6, 5]),
    ],
)
def test_findings_are_chosen_by_what_is_asked(house, asked, ids):
    told = [finding(n) for n in range(1, 8)]
    told[1] = replace(told[1], department="D02")
    told[2] = replace(told[2], rule="other")
    told[3] = replace(told[3], tier=4)
    told[4] = replace(told[4], case_id="c/5 号")
    told[5] = replace(told[5], operator="P9")
    told[6] = replace(told[6], muted="exempt")
    house.service.commit(*told, Move("f000001", "superseded", "oriole", "2026-03-02"))
    items = house.get(f"{V1}/findings", params=asked).json()["items"]
    found = [int(one["finding_id"][1:]) for one in items]
    assert found == ids


@pytest.mark.parametrize(
    ("asked", "hours"),
    [
        ("from=2026-03-02&to=2026-03-02", [0, 12, 23]),  # the whole day in the district's zone
        ("from=2026-03-02T12:00:00%2B08:00", [12, 23, 24]),
        ("from=2026-03-02T12:00:00+08:00", [12, 23, 24]),  # a plus that became a space
        ("from=2026-03-02T04:00:00Z&to=2026-03-02T15:00:00Z", [12]),  # `to` is left out
        ("to=2026-03-01", []),
        ("from=2026-03-03", [24]),
    ],
)
def test_findings_are_chosen_by_time(house, asked, hours):
    begin = 1_772_380_800_000_000  # 2026-03-02 in Shanghai
    told = [replace(finding(h + 1), at_us=begin + h * 3_600_000_000) for h in (0, 12, 23, 24)]
    house.service.commit(*told)
    found = house.get(f"{V1}/findings?{asked}").json()["items"]
    assert [int(one["finding_id"][1:]) - 1 for one in found] == hours[::-1]


@pytest.mark.parametrize(
    "asked",
    ["tier=5", "tier=x", "limit=0", "limit=501", "state=gone", "from=yesterday", "to=2026-02-30",
     "from=0001-01-01", "to=9999-12-31", "cursor=13812345678", "cursor=%00", "departement=D01",
     "cursor=WzFlOTksICJ4Il0=", "cursor=WzkyMjMzNzIwMzY4NTQ3NzU4MDgsIngiXQ=="],
)  # fmt: skip
def test_a_question_that_cannot_be_read_is_said_without_its_value(house, asked):
    detail = is_problem(house.get(f"{V1}/findings?{asked}"), 400)
    assert asked.split("=")[0] in detail or asked.startswith("dep")
    assert asked.split("=")[1] not in detail or len(asked.split("=")[1]) < 4


def test_a_finding_tells_its_history(house):
    house.service.commit(finding(1), Move("f000001", "corrected", "oriole", "2026-03-03"))
    told = house.get(f"{V1}/findings/f000001").json()
    assert told["withdrawn"]["reason"] == "corrected"
    assert [(h["number"], h["code"]) for h in told["history"]] == [(1, "raised"), (2, "corrected")]
    assert "no such finding" in is_problem(house.get(f"{V1}/findings/f2"), 404)


def test_a_case_shows_its_lines_as_they_came(house):
    line = b'{"case_id": "c/1", "fee_due": 300.10, "big": 12345678901234567890.50, "x": "\\u4e2d"}'
    house.service.timelines["c/1"] = [Entry(7, 1_772_380_800_000_000, line)]
    told = house.get(f"{V1}/cases/c%2F1")
    assert line in told.content
    assert told.json()["events"][0]["received_at"] == "2026-03-01T16:00:00Z"
    assert told.json()["findings"] == [] and told.json()["case_id"] == "c/1"
    is_problem(house.get(f"{V1}/cases/other"), 404)


def test_refusals_and_counts(house):
    work = Work(
        refusals=[Refusal(10**15, n, "action", "is unknown", f"line {n}") for n in range(1, 6)],
        counts=[Count("undetermined", "r", "date_only", "i", d, 1, 2) for d in ("D1", "D2")]
        + [Count("muted", "r", "exempt", "i", "D1", 1, 3)],
    )
    house.service.ledger.commit(house.service.ledger.position(), work)
    house.service.commit(finding(1))
    first = house.get(f"{V1}/refusals?limit=3").json()
    rest = house.get(f"{V1}/refusals", params={"cursor": first["next_cursor"]}).json()
    assert [r["line"] for r in first["items"] + rest["items"]] == [1, 2, 3, 4, 5]
    assert rest["next_cursor"] is None and first["items"][0]["received_at"] == iso_time(10**15)
    assert house.get(f"{V1}/counts").json() == {
        "undetermined": {"r": {"date_only": 4}}, "muted": {"r": {"exempt": 3}},
        "findings": {"standing": {"rule": 1}, "withdrawn": {}, "muted": {}},
    }  # fmt: skip


def test_a_ledger_that_cannot_be_read_costs_one_question(house):
    def broken(*told):
        raise LedgerError("the file /srv/data is damaged")

    house.service.ledger.counts, kept = broken, house.service.ledger.counts
    told = house.get(f"{V1}/counts")
    assert "log" in is_problem(told, 503) and "srv" not in told.text
    house.service.ledger.counts = kept
    assert house.get(f"{V1}/counts").status_code == 200


def test_too_many_questions_are_refused(house):
    house.readers._questions = 256
    told = house.get(f"{V1}/counts")
    assert is_problem(told, 503) and told.headers["retry-after"] == "1"


# --- states and pages ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "healthy", "ready"),
    [("starting", 200, 503), ("ready", 200, 200), ("stopping", 200, 503), ("failed", 503, 503)],
)
def test_states(house, state, healthy, ready):
    house.service.state = state
    assert house.get("/healthz").status_code == healthy
    told = house.get("/readyz")
    assert told.status_code == ready and told.json()["state"] == state
    assert told.json()["frames"] == 0


def test_metrics_are_prometheus_text(house):
    from prometheus_client.parser import text_string_to_metric_families as parse

    house.service.figures.findings["too_fast_step"] = 3
    told = house.get("/metrics")
    assert told.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = {(s.name, *s.labels.values()): s.value for f in parse(told.text) for s in f.samples}
    assert samples["oriole_findings_total", "too_fast_step"] == 3
    assert samples["oriole_state", "ready"] == 1 and samples["oriole_stream_viewers",] == 0
    assert samples["process_resident_memory_bytes",] > 0


def test_pages_ask_no_other_host_and_hold_no_script(house):
    for path in ("/api/docs",):
        page = house.get(path)
        assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text)
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on\w+=", page.text)
        policy = page.headers["content-security-policy"]
        assert "default-src 'self'" in policy and "script-src" not in policy
        assert ("unsafe-inline" in policy) == (path == "/api/docs")
        for link in re.findall(r"(?:src|href)=\"(/[^\"?]*)", page.text):
            assert house.get(link).status_code == 200, link


def test_what_a_browser_is_served_is_in_the_wheel():
    from hatchling.builders.wheel import WheelBuilder

    shipped = {one.distribution_path for one in WheelBuilder(str(ROOT)).recurse_included_files()}
    files = (p.relative_to(STATIC) for p in STATIC.rglob("*") if p.is_file())
    served = {f"detector/web/static/{path}" for path in files}
    assert len(served) > 100 and served <= shipped


def test_the_description_names_every_route(house):
    told = house.get("/api/openapi.json").json()
    paths = {p for p, operations in told["paths"].items() if operations}
    wanted = "events findings findings/{finding_id} cases/{case_id} refusals counts".split()
    wanted += ["findings/{finding_id}/verdict"]
    wanted += "gate stream notices notices/{notice} notices/{notice}/acts".split()
    assert paths == {f"{V1}/{one}" for one in wanted}
    answer = told["paths"][f"{V1}/events"]["post"]["responses"]["200"]["content"]
    assert answer["application/json"]["schema"]["required"] == ["accepted", "duplicates", "refused"]
    assert "HTTPValidationError" not in str(told)


def test_unknown_addresses_and_methods_are_problems(house):
    is_problem(house.get("/nowhere"), 404)
    is_problem(house.get(f"{V1}/nowhere"), 404)
    told = house.get(f"{V1}/events")
    assert is_problem(told, 405) and told.headers["allow"] == "POST"
    assert house.client.head(f"{V1}/stream").status_code == 200


# --- who may ask --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "[::1]"]
)
def test_names_of_this_machine_are_let_in(house, host):
    assert house.get("/healthz", headers={"host": host}).status_code == 200


OTHERS = (
    "evil.example localhost.evil.example:80 127.0.0.1.nip.io 0.0.0.0 [::] 10.1.1.1 [ @localhost"
)


@pytest.mark.parametrize("host", ["", *OTHERS.split()])
def test_other_names_are_not(house, host):
    for answer in (
        house.get("/healthz", headers={"host": host}), house.send(b"{}", headers={"host": host}),
    ):  # fmt: skip
        is_problem(answer, 421)
    assert house.service.bodies == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://localhost"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_a_page_of_another_host_sends_nothing(house, headers, status):
    assert house.send(b"{}", headers=headers).status_code == status
    assert len(house.service.bodies) == (status == 200)


def test_every_answer_is_safe(house):
    for answer in (
        house.get("/"), house.get("/healthz"), house.get("/nowhere"), house.send(b"{}"),
        house.get("/static/home.css"), house.get("/metrics", headers={"host": "evil.example"}),
    ):  # fmt: skip
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("host", "local"),
    [("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_loopback(host, local):
    assert is_loopback(host) is local


def test_the_environment_cannot_switch_telemetry_on():
    code = (
        "from web_kit import Served\nfrom starlette.testclient import TestClient\n"
        "s = Served()\nc = TestClient(s.app, base_url='http://localhost')\n"
        "with c: assert c.get('/healthz').status_code == 200\n"
        "from opentelemetry import trace, metrics\n"
        "print(type(trace.get_tracer_provider()).__name__, s.app._telemetry['auto_configure'])\n"
        "s.readers.close(); s._sock.close()"
    )
    switched = {"FASTAPI_OTEL_AUTO_CONFIGURE": "true",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}  # fmt: skip
    environment = os.environ | switched | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0 and run.stderr == "", run.stderr
    assert run.stdout.split() == ["ProxyTracerProvider", "False"]
    assert set(NO_TELEMETRY.values()) == {False}


# --- with the real engine -----------------------------------------------------------------------


def test_the_real_engine_answers_over_http():
    live = Live()
    with House(live.runner) as house:
        body = b"\n".join(map(msgspec.json.encode, (ACCEPT, SURVEY)))
        assert house.send(body).json() == {"accepted": 2, "duplicates": 0, "refused": []}
        assert house.send(b"[" + body.replace(b"\n", b",") + b"]").json()["duplicates"] == 2
        is_problem(house.send(b"[1, 2"), 400)
        told = house.send(b'{"action": "13812345678"}').json()
        assert told["refused"][0]["line"] == 1 and "138" not in str(told)
        (found,) = house.get(f"{V1}/findings?rule=too_fast_step").json()["items"]
        assert found["sentence"]["zh"] and found["withdrawn"] is None
        assert house.get(f"{V1}/findings/{found['finding_id']}").json()["history"][0]["number"] == 1
        case = house.get(f"{V1}/cases/c1").json()
        assert [e["line"]["event_id"] for e in case["events"]] == ["e1", "e2"]
        assert case["findings"] == [found]
        assert house.get(f"{V1}/refusals").json()["items"][0]["line"] == 1
        assert house.get("/readyz").json()["cases"] == 1
        live.stop()
        is_problem(house.send(body), 503)
        assert house.get("/readyz").status_code == 503
    assert not live.failures


# --- logs ---------------------------------------------------------------------------------------


@pytest.fixture
def logged(monkeypatch):
    """What is logged, as objects."""
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    text = io.StringIO()
    monkeypatch.setattr(sys, "stderr", text)
    log = logs.configure()
    yield log, lambda: [json.loads(line) for line in text.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:] = kept
    root.setLevel(level)
    for quiet in ("uvicorn", "uvicorn.error", "asyncio", "alembic"):
        logging.getLogger(quiet).setLevel(logging.NOTSET)


def test_logs_are_json_and_hide_private_numbers(logged):
    log, lines = logged
    log.info("sent", phone="13812345678", n=13812345678, more={"id": ["11010119900307123X"]})
    logging.getLogger("uvicorn.error").error("from %s", "tel 13912345678 now")
    try:
        raise ValueError("no 320411199003071234")
    except ValueError as fault:
        log.error("failed", exc_info=fault, where=Fault(1, "13812345678", ""), count=1_772_380_800)
    text = json.dumps(lines(), ensure_ascii=False)
    for private in ("13812345678", "13912345678", "11010119900307123X", "320411199003071234"):
        assert private not in text
    assert [line["level"] for line in lines()] == ["info", "error", "error"]
    assert lines()[1]["event"].startswith("from tel 139")
    assert "ValueError" in lines()[2]["exception"] and lines()[2]["count"] == 1_772_380_800


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("13812345678", True), ("a 13812345678。", True), ("12812345678", False),
        ("138123456789", False), ("110101199003071234", True), ("11010119900307123x", True),
        ("1772380800000000", False), ("case 2026-000123", False), ("电话13812345678转", True),
    ],
)  # fmt: skip
def test_what_is_masked(text, hidden):
    assert (logs.mask(text) != text) is hidden
    assert len(logs.mask(text)) == len(text)
