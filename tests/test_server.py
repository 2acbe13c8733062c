"""The web on a real server and a real socket: what slow, large, many and vanished clients cost."""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from time import perf_counter

import msgspec
import pytest
from conftest import ROOT
from live_kit import ACCEPT, SURVEY, Live
from web_kit import EPOCH, WAIT_S, Served, opened, told

from detector.live import Answer
from detector.web.server import Protocol, Server, listen, serve

MIB = 1 << 20
POST = b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\n"


def heard(sock: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def memory(pid: int, name: str) -> int:
    """VmRSS or VmHWM of a process, bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise AssertionError(name)


@pytest.fixture
def alone():
    """A server in a process of its own: (process, port)."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, "-W", "error", str(ROOT / "tests" / "web_kit.py")]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stderr
    try:
        yield process, int(process.stdout.readline())
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


# --- bodies -------------------------------------------------------------------------------------


def test_bodies_over_one_connection():
    with Served() as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=WAIT_S)
        for size in (1, 100_000, 8 * MIB):
            connection.request("POST", "/api/v1/events", b"x" * size)
            answer = connection.getresponse()
            assert answer.read() == b'{"accepted":1,"duplicates":0,"refused":[]}'
        connection.close()
        assert [len(body) for body in served.service.bodies] == [1, 100_000, 8 * MIB]


@pytest.mark.parametrize("head", [b"Content-Length: 99\r\n\r\nhalf", b"Content-Length: 9\r\n\r\n",
                                  b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"])  # fmt: skip
def test_half_a_body_is_given_up_in_time(head):
    with Served(body_timeout_s=0.1) as served, served.connect() as sock:
        sock.sendall(POST + head)
        answer = heard(sock)  # it ends: the connection was closed
        assert status(answer) == 408 and b"problem+json" in answer
        assert served.service.bodies == [] and served.web.bodies.reading == 0


def test_a_client_that_vanishes_leaves_nothing():
    with Served() as served:
        with served.connect() as sock:
            sock.sendall(POST + b"Content-Length: 99\r\n\r\nhalf")
            wait_until(served, lambda: served.web.bodies.reading == 1)
        wait_until(served, lambda: served.web.bodies.reading == 0)
        assert served.service.bodies == []


def test_so_many_bodies_at_once():
    with Served(uploads_max=2) as served, contextlib.ExitStack() as held:
        for _ in range(2):
            held.enter_context(served.connect()).sendall(POST + b"Content-Length: 9\r\n\r\nx")
        wait_until(served, lambda: served.web.bodies.reading == 2)
        with served.connect() as sock:
            sock.sendall(POST + b"Content-Length: 1\r\n\r\nx")
            answer = heard(sock)
        assert status(answer) == 503 and b"retry-after: 1" in answer


@pytest.mark.parametrize("length", [f"Content-Length: {100 * MIB}", "Transfer-Encoding: chunked"])
def test_a_hundred_megabytes_are_refused_and_never_held(alone, length):
    process, port = alone
    before = memory(process.pid, "VmHWM")
    piece = b"y" * MIB
    if length.startswith("T"):
        piece = b"100000\r\n" + piece + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as sock:
        sock.sendall(POST + length.encode() + b"\r\n\r\n")
        for _ in range(100):  # a client that does not look while it sends is answered all the same
            sock.sendall(piece)
        assert status(heard(sock)) == 413
    assert memory(process.pid, "VmHWM") - before < 24 * MIB


def test_a_client_that_asks_first_need_not_send():
    with Served() as served, served.connect() as sock:
        sock.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
        first = sock.recv(65_536)
        assert status(first) == 413 and b"100 Continue" not in first


def test_a_flood_that_goes_on_is_cut_off():
    with Served(linger_s=0.1) as served, served.connect() as sock:
        sock.sendall(POST + b"Content-Length: 99999999999\r\n\r\n")
        with pytest.raises(OSError):
            while True:
                sock.sendall(b"z" * 65_536)


# --- connections --------------------------------------------------------------------------------


def test_headers_must_come_in_time(monkeypatch):
    monkeypatch.setattr(Protocol, "header_timeout_s", 0.1)
    with Served() as served:
        for begin in (b"", b"GET / HTTP/1.1\r\nHost: loc"):
            with served.connect() as sock:
                sock.sendall(begin)
                assert heard(sock) == b""


LARGE = (b"GET / HTTP/1.1\r\nX: ", b"GET /?", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 2_000)


@pytest.mark.parametrize("begin", LARGE, ids=["a header", "an address", "many"])
def test_headers_must_be_small(begin):
    with Served() as served, served.connect() as sock:
        sock.sendall(begin)
        answer = b""
        with contextlib.suppress(OSError):
            for _ in range(200):
                sock.sendall(b"x" * 4_096)
        with contextlib.suppress(OSError):
            answer = heard(sock)
        assert answer == b"" or status(answer) == 400
        assert served.in_loop(lambda: len(served.server.server_state.connections)) == 0


def test_a_port_in_use_is_said():
    taken = listen("127.0.0.1", 0)
    try:
        taken.listen()
        with pytest.raises(OSError):
            listen("127.0.0.1", taken.getsockname()[1])
    finally:
        taken.close()


# --- streams ------------------------------------------------------------------------------------


def wait_until(served, condition):
    """Until it is so; asked in the server's loop."""
    begun = perf_counter()
    while not served.in_loop(condition):
        assert perf_counter() - begun < WAIT_S


def viewers(served, count):
    wait_until(served, lambda: served.web.hub.viewers == count)


def test_a_stream_says_how_it_wants_to_be_handled():
    with Served() as served:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=WAIT_S)
        connection.request("GET", "/api/v1/stream")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.readline() == b"retry: 1000\n"
        answer.close()
        connection.close()
        viewers(served, 0)


def test_a_stream_that_was_cut_goes_on_where_it_was():
    with Served(ring_max=10) as served:
        with opened(served) as lines:
            viewers(served, 1)
            served.service.raise_findings(5)
            assert told(lines, 5) == [(n, "finding") for n in range(1, 6)]
        viewers(served, 0)
        served.service.raise_findings(40)
        for headers, path in (
            (f"Last-Event-ID: {EPOCH}-5\r\n", "/api/v1/stream"),
            ("", f"/api/v1/stream?last={EPOCH}-5"),
            (f"Last-Event-ID: {EPOCH}-5\r\n", f"/api/v1/stream?last={EPOCH}-1"),
        ):
            with opened(served, headers, path) as lines:
                assert told(lines, 40) == [(n, "finding") for n in range(6, 46)]


def test_a_viewer_that_takes_nothing_is_dropped_and_memory_stays_bounded():
    with Served(viewer_queue_max=8, window_s_min=0.001) as served, opened(served) as quick:
        sock = served.connect()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        viewers(served, 2)
        number = 0
        while served.in_loop(lambda: served.web.hub.cuts) == 0:
            served.service.raise_findings(1, size=1_000_000)
            number += 1
            assert told(quick, 1) == [(number, "finding")] and number < 100
        viewers(served, 1)
        wait_until(served, lambda: len(served.server.server_state.connections) == 1)
        sock.close()


def test_a_finding_is_on_the_stream_soon_after_its_event():
    live = Live()
    with Served(live.runner) as served, opened(served) as lines:
        viewers(served, 1)
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=WAIT_S)
        took = []
        for n in range(40):
            case = {"case_id": f"c{n}"}
            body = b"\n".join(msgspec.json.encode(one | case) for one in (ACCEPT, SURVEY))
            begun = perf_counter()
            connection.request("POST", "/api/v1/events", body)
            assert told(lines, 1) == [(n + 1, "finding")]
            took.append(perf_counter() - begun)
            assert connection.getresponse().read().startswith(b'{"accepted":2')
        connection.close()
        assert sorted(took)[len(took) // 2] < 0.05
    live.stop()
    assert not live.failures


def test_thousands_of_idle_streams_cost_little(alone):
    process, port = alone
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(2_000, hard - 500)
    before = memory(process.pid, "VmRSS")
    held = [socket.create_connection(("127.0.0.1", port), WAIT_S) for _ in range(count + 10)]
    try:
        for sock in held:
            sock.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        codes = [status(sock.recv(4_096)) for sock in held]
        assert codes.count(200) == count and codes.count(503) == 10  # viewers_max
        assert (memory(process.pid, "VmRSS") - before) / count < 64 * 1024
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        for sock in held:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_open_streams_and_lets_the_caller_go_on(alone, number):
    process, port = alone
    held = []
    for request in (b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n",) * 20 + (
        POST + b"Content-Length: 9\r\n\r\nhalf", b"", b"GET / HTTP/1.1\r\nHo",
    ):  # fmt: skip
        sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
        sock.sendall(request)
        held.append(sock)
    for sock in held[:20]:
        assert status(sock.recv(4_096)) == 200
    begun = perf_counter()
    process.send_signal(number)
    out, _ = process.communicate(timeout=WAIT_S)
    assert perf_counter() - begun < 2
    assert process.returncode == 0 and out == "ended\n"
    for sock in held[:20]:
        assert heard(sock).endswith(b"0\r\n\r\n")  # ended, not torn
    assert status(heard(held[20])) == 503  # the half body
    for sock in held:
        sock.close()


def test_the_last_bodies_are_answered():
    with Served() as served:
        served.service.submit = lambda body, say: kept.append(say)  # type: ignore[method-assign]
        kept: list = []
        with served.connect() as sock:
            sock.sendall(POST + b"Content-Length: 1\r\n\r\nx")
            wait_until(served, lambda: bool(kept))
            served.server.should_exit = True
            threading.Timer(0.2, kept[0], [Answer(1, 0, [])]).start()
            assert status(heard(sock)) == 200


def test_an_application_that_does_not_start_is_said():
    class Broken:
        def last_move(self):
            raise OSError("no ledger")

        def close(self):
            pass

    served = Served()
    served.readers._open = lambda: Broken()  # type: ignore[assignment, return-value]
    server = Server(served.app, served.web, "127.0.0.1", served.port)
    with pytest.raises(RuntimeError, match="did not start"):
        serve(server, served._sock, lambda server: None)
    served._sock.close()
    served.readers.close()
