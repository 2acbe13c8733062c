"""`oriole run` as others see it: over HTTP, in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from live_kit import ACCEPT, SURVEY, event
from service import ROOT, WAIT_S, Pipeline, Service

from detector.ledger.sqlite_file import FILE
from replay.verify import verify

EVENTS = "/api/v1/events"


def body(*lines: dict) -> bytes:
    return b"\n".join(map(msgspec.json.encode, lines))


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """One server for many questions, under --clock events, two findings in it."""
    one = Service(tmp_path_factory.mktemp("service"))
    one.post(body(ACCEPT, SURVEY))
    one.post(body(event("f1", "09:30:00", "pay", case_id="c2", item="road_permit", fee_paid="1")))
    yield one
    assert one.stop() == 0


def test_a_finding_is_shown_whole(service):
    status, told = service.ask("/api/v1/findings?limit=1&rule=too_fast_step")
    (found,) = told["items"]
    assert status == 200 and told["next_cursor"] is None
    assert "58" in found["sentence"]["zh"] and "58 s" in found["sentence"]["en"]
    assert found["events"] == ["e1", "e2"] and found["basis"] and found["evidence"]
    status, alone = service.ask(f"/api/v1/findings/{found['finding_id']}")
    assert alone.pop("history") == [
        {"number": 1, "code": "raised", "actor": "oriole", "at": found["at"]}
    ]
    account = alone.pop("account")
    assert len(alone.pop("notices")) == 1 and alone.pop("verdicts") == []
    assert alone == found
    assert account["cleared_by"]["en"] == "1742 s more, or exempted" and account["days"] == []
    assert service.ask("/api/v1/findings/nobody")[0] == 404


def test_lists_are_paged_and_filtered(service):
    told: list[dict] = []
    cursor: str | None = ""
    while cursor is not None:
        _, page = service.ask(f"/api/v1/findings?limit=1&cursor={cursor}")
        told += page["items"]
        cursor = page["next_cursor"]
    assert [f["rule"] for f in told] == ["fee_mismatch", "too_fast_step"]
    for query, count in (
        ("department=D01", 2), ("department=D02", 0), ("tier=2", 2), ("tier=1", 0),
        ("state=stands", 2), ("state=withdrawn", 0), ("from=2026-03-03", 0), ("to=2026-03-02", 2),
        ("from=2026-03-02T09:30:00%2B08:00", 1), ("case_id=c2", 1), ("operator=P0102", 1),
    ):  # fmt: skip
        assert len(service.ask(f"/api/v1/findings?{query}")[1]["items"]) == count, query
    for query in ("limit=0", "limit=501", "state=x", "from=x", "cursor=x", "tier=x"):
        status, fault = service.ask(f"/api/v1/findings?{query}")
        assert status == 400 and fault["detail"].startswith(query.split("=")[0]), fault


def test_a_case_is_its_events_as_they_came(service):
    status, told = service.ask("/api/v1/cases/c1")
    assert status == 200 and [e["line"] for e in told["events"]] == [ACCEPT, SURVEY]
    assert [f["rule"] for f in told["findings"]] == ["too_fast_step"]
    assert service.ask("/api/v1/cases/nobody")[0] == 404


def test_what_a_machine_asks(service):
    assert service.ask("/healthz") == (200, {"state": "ready"})
    status, told = service.ask("/readyz")
    assert status == 200 and told["district"]["code"] == "320411" and told["inputs"] >= 4
    text = service.ask("/metrics")[1].decode()
    assert 'oriole_findings_total{rule="too_fast_step"} 1.0' in text
    assert "oriole_stream_viewers" in text and "oriole_clock_seconds" in text
    status, told = service.ask("/api/v1/counts")
    assert told["findings"]["standing"] == {"fee_mismatch": 1, "too_fast_step": 1}


def test_refused_lines_are_kept_and_shown(service):
    told = service.post(b"nonsense\n" + body(event("g1", "09:00:00", "accept", case_id="c3")))
    assert told == {
        "accepted": 1, "duplicates": 0,
        "refused": [
            {"line": 1, "field": "line", "code": "json_unread",
             "error": told["refused"][0]["error"]},
        ],
    }  # fmt: skip
    items = service.ask("/api/v1/refusals")[1]["items"]
    assert items[-1]["text"] == "nonsense" and items[-1]["line"] == 1


def test_the_pages_need_nobody_else(service):
    """No page, script or description names another host; the description is whole."""
    status, told = service.ask("/api/openapi.json")
    wanted = {"/api/v1/events", "/api/v1/findings", "/api/v1/stream", "/api/v1/cases/{case_id}"}
    assert status == 200 and wanted <= set(told["paths"])
    for page in ("/", "/api/docs", "/static/docs.js", "/static/board.js", "/static/wall.css"):
        status, text = service.ask(page)
        assert status == 200 and b"http://" not in text and b"https://" not in text, page
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert service.ask(f"/static/swagger/{name}")[0] == 200
    assert service.ask("/docs")[0] == 404 and service.ask("/redoc")[0] == 404


# -- bodies that are too large, too slow, too odd -------------------------------------------------


def test_a_large_body_is_told_so_before_it_is_sent(service):
    pipe = socket.create_connection(("127.0.0.1", service.port), WAIT_S)
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    pipe.sendall(head % (EVENTS.encode(), 9 << 20))
    answer = b""
    while more := pipe.recv(65_536):
        answer += more
    pipe.close()
    assert answer.startswith(b"HTTP/1.1 413") and b'"code":"body_too_large"' in answer
    assert b"8388608" in answer


def test_a_body_that_stops_half_way_hangs_nobody(tmp_path):
    one = Service(tmp_path, ORIOLE_BODY_TIMEOUT_S="0.5")
    pipe = socket.create_connection(("127.0.0.1", one.port), WAIT_S)
    pipe.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n" % EVENTS.encode())
    pipe.close()
    pipe = socket.create_connection(("127.0.0.1", one.port), WAIT_S)
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"
    pipe.sendall(head % EVENTS.encode())
    assert one.post(body(ACCEPT)) == {"accepted": 1, "duplicates": 0, "refused": []}
    answer = b""
    while more := pipe.recv(65_536):
        answer += more
    assert answer.startswith(b"HTTP/1.1 408") and b'"code":"body_late"' in answer
    assert b"0.5" in answer
    pipe.close()
    assert one.stop() == 0
    assert verify(tmp_path).inputs == 2


# -- streams --------------------------------------------------------------------------------------


def open_stream(service: Service, path: str = "/api/v1/stream", **headers: str):
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=WAIT_S)
    connection.request("GET", path, headers=headers)
    return connection, connection.getresponse()


def events(answer: http.client.HTTPResponse, count: int) -> list[tuple[str, str, dict]]:
    """(id, event, data) of the next events."""
    told: list[tuple[str, str, dict]] = []
    one: dict[str, str] = {}
    while len(told) < count:
        line = answer.readline().decode().rstrip("\n")
        if not line and "data" in one:
            told.append((one["id"], one["event"], json.loads(one["data"])))
        if not line:
            one = {}
        name, _, value = line.partition(": ")
        one[name] = value
    return told


def test_a_stream_goes_on_where_it_broke_off(service):
    connection, answer = open_stream(service)
    assert answer.getheader("X-Accel-Buffering") == "no"
    assert answer.getheader("Content-Type").startswith("text/event-stream")
    answer.readline()
    told = {"case_id": "s1", "recorded_at": "2026-03-02T10:00:00+08:00"}
    service.post(body(event("s1", "10:00:00", "accept", **told)))
    service.post(body(event("s2", "10:00:30", step="survey", operator="P0102", case_id="s1")))
    (first,) = events(answer, 1)
    assert first[1] == "finding" and first[2]["rule"] == "too_fast_step"
    connection.close()
    service.post(body(event("s3", "10:00:40", step="review", operator="P0103", case_id="s1")))
    service.post(body(event("s4", "10:00:45", step="decide", operator="P0101", case_id="s1")))
    connection, answer = open_stream(service, **{"Last-Event-ID": first[0]})
    missed = events(answer, 3)
    assert [f[2]["rule"] for f in missed] == ["too_fast_step", "too_fast_step", "same_person"] or {
        f[2]["rule"] for f in missed
    } == {"too_fast_step", "same_person"}
    numbers = [int(f[0].rpartition("-")[2]) for f in [first, *missed]]
    assert numbers == list(range(numbers[0], numbers[0] + 4))
    connection.close()
    connection, answer = open_stream(service, f"/api/v1/stream?last={missed[0][0]}")
    assert events(answer, 2) == missed[1:]
    connection.close()
    connection, answer = open_stream(service, "/api/v1/stream?last=other-1")
    assert events(answer, 1)[0][1] == "resync"
    connection.close()


def test_sigterm_ends_open_streams_and_loses_nothing(tmp_path):
    one = Service(tmp_path)
    streams = [open_stream(one) for _ in range(20)]
    one.post(body(ACCEPT, SURVEY))
    idle = socket.create_connection(("127.0.0.1", one.port), WAIT_S)
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(5) == 0  # within five seconds
    for connection, answer in streams:
        assert b"too_fast_step" in answer.read()
        connection.close()
    idle.close()
    one.stop()
    assert "stopped" in "".join(one.lines) and verify(tmp_path).findings == 1


@pytest.mark.slow
def test_ten_thousand_idle_streams(tmp_path):
    """Those beyond the bound are told so; the others, and posts, are served; memory is bounded."""
    one = Service(tmp_path)
    held: list[socket.socket] = []
    refused = 0
    request = b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    before = one.rss()
    for _ in range(10_000):
        pipe = socket.create_connection(("127.0.0.1", one.port), WAIT_S)
        pipe.sendall(request)
        held.append(pipe)
    for pipe in held:
        head = pipe.recv(64)
        refused += head.startswith(b"HTTP/1.1 503")
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")), head
    assert refused == 10_000 - 2_000
    assert one.post(body(ACCEPT, SURVEY))["accepted"] == 2
    assert (one.rss() - before) / 10_000 < 60_000
    assert b"oriole_stream_viewers 2000.0" in one.ask("/metrics")[1]
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(5) == 0
    one.stop()
    for pipe in held:
        pipe.close()


# -- faults ---------------------------------------------------------------------------------------


def test_many_at_once_are_one_batch_or_few(tmp_path):
    one = Service(tmp_path)
    lines = [body(event("a", "09:00:00", "accept", case_id=f"m{n}")) for n in range(64)]
    with ThreadPoolExecutor(16) as many:
        told = list(many.map(one.post, lines))
    assert sum(t["accepted"] for t in told) == 64
    assert one.stop() == 0
    assert verify(tmp_path).inputs == 65


def refusal(*arguments: str) -> tuple[int, str]:
    """The exit code of `oriole run`, and what it says."""
    command = [sys.executable, "-m", "detector", "run", "--port", "0", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S)
    return done.returncode, done.stderr.strip().splitlines()[-1]


def test_what_it_will_not_begin_with(tmp_path):
    one = Service(tmp_path / "used")
    code, said = refusal("--data", str(tmp_path / "used"))
    assert code == 2 and f"in use by process {one.process.pid}" in said
    taken = refusal("--data", str(tmp_path / "other"), "--port", str(one.port))
    assert taken[0] == 2 and "cannot be listened on" in taken[1]
    assert one.stop() == 0
    code, said = refusal("--data", "/proc/nowhere")
    assert code == 2 and "cannot be written" in said
    for host in ("0.0.0.0", "::", "192.0.2.7"):
        code, said = refusal("--data", str(tmp_path / "x"), "--host", host)
        assert code == 2 and "only loopback" in said
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / FILE).write_bytes(b"no ledger at all" * 1_000)
    code, said = refusal("--data", str(tmp_path / "odd"))
    assert code == 2 and "damaged" in said


def test_a_read_only_folder_is_said(tmp_path):
    """As root every folder can be written, so it is a file system that cannot."""
    if os.geteuid() != 0:
        (tmp_path / "ro").mkdir(mode=0o500)
    else:
        (tmp_path / "ro").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(tmp_path / "ro")]
        if subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("nothing may be mounted here")
    try:
        code, said = refusal("--data", str(tmp_path / "ro"))
        assert code == 2 and "cannot be written" in said
    finally:
        subprocess.run(["umount", str(tmp_path / "ro")], capture_output=True)


def test_a_full_disk_is_said_and_loses_nothing(tmp_path):
    """A small disk fills: bodies are refused with 507, what was answered stays, room heals it."""
    data = tmp_path / "small"
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(data)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("nothing may be mounted here")
    try:
        one = Service(data)
        assert one.post(body(ACCEPT))["accepted"] == 1
        filler = data / "filler"
        filler.write_bytes(bytes(40 << 20))
        status, told = one.ask(EVENTS, body(SURVEY))
        assert status == 507 and "disk" in told["detail"]
        assert one.ask("/readyz")[0] == 200
        filler.unlink()
        assert one.post(body(SURVEY))["accepted"] == 1
        assert one.stop() == 0
        assert verify(data).findings == 1
    finally:
        subprocess.run(["umount", str(data)], capture_output=True)


def test_a_ledger_that_another_holds_is_said(tmp_path):
    """Somebody's shell holds the write lock: bodies are told to come again, and then are taken."""
    one = Service(tmp_path)
    one.post(body(ACCEPT))
    script = (
        "import sys, pysqlite3.dbapi2 as d; c = d.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / FILE)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert other.stdout and other.stdin and other.stdout.readline() == b"held\n"
    status, told = one.ask(EVENTS, body(SURVEY))
    assert status == 503 and "locked by another process" in told["detail"]
    other.stdin.close()
    other.wait(WAIT_S)
    other.stdout.close()
    assert one.post(body(SURVEY))["accepted"] == 1
    assert one.stop() == 0


def test_the_wall_clock_and_a_restart(tmp_path):
    """Under --clock wall arrival is stamped, and nothing is lost by SIGKILL."""
    from datetime import UTC, datetime, timedelta

    one = Service(tmp_path, clock="wall")
    now = datetime.now(UTC)
    told = ACCEPT | {"occurred_at": now.isoformat(), "recorded_at": now.isoformat()}
    assert one.post(body(told))["accepted"] == 1
    ahead = (now + timedelta(minutes=20)).isoformat()
    refused = one.post(body(SURVEY | {"occurred_at": ahead, "recorded_at": ahead}))["refused"]
    assert [r["field"] for r in refused] == ["occurred_at"]
    one.kill()
    one = Service(tmp_path, clock="wall")
    assert one.post(body(told)) == {"accepted": 0, "duplicates": 1, "refused": []}
    status, case = one.ask("/api/v1/cases/c1")
    assert status == 200 and case["events"][0]["received_at"][:10] == now.date().isoformat()
    assert one.stop() == 0


def test_pipelined_requests_are_answered_in_order(service):
    pipe = Pipeline(service.port)
    for n in range(6):
        pipe.send(body(event(f"p{n}", "11:00:00", "accept", case_id=f"p{n}")))
    assert [pipe.answer()[1]["accepted"] for _ in range(6)] == [1] * 6
    pipe.close()


@pytest.mark.slow
def test_the_demo_shows_and_ends(tmp_path):
    """On no terminal it says its findings line by line, and Ctrl-C ends it."""
    command = [sys.executable, "-m", "detector", "run", "--demo", "--port", "0", "--speed", "600"]
    shown = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": "400"},
    )  # fmt: skip
    assert shown.stdout and shown.stderr
    said: list[str] = []
    ready = threading.Event()

    def read() -> None:
        for line in shown.stdout or ():
            said.append(line.decode())
            if len(said) > 8:
                ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    drain = threading.Thread(target=shown.stderr.read, daemon=True)
    drain.start()
    assert ready.wait(WAIT_S)
    shown.send_signal(signal.SIGINT)
    assert shown.wait(WAIT_S) == 0
    reader.join(WAIT_S)
    drain.join(WAIT_S)
    shown.stdout.close()
    shown.stderr.close()
    text = "".join(said)
    assert "2026-01-26 Mon" in text and "办件" in text and text.count("overdue_promise") >= 1
    assert not list(Path("/tmp").glob(f"oriole-demo-{shown.pid}*"))
