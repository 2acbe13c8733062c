"""The browser's kit itself: what a page does wrong is told, and a link breaks when it is cut."""

from __future__ import annotations

import asyncio
import http.server
import socket
import threading
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from browser_kit import Relay, axe_missing, leave_out

pytestmark = pytest.mark.slow  # a browser, and mostly a server, of its own

PAGES = {
    "/": "<!doctype html><html lang=en><title>t</title><main><h1>h</h1></main>",
    "/loud": "<!doctype html><title>t</title><script>console.warn('a word')</script>",
    "/wrong": "<!doctype html><title>t</title><script>throw new Error('a fault')</script>",
    "/breach": "<!doctype html><title>t</title><style>p {}</style>",
    "/away": "<!doctype html><title>t</title><img src='http://elsewhere.invalid/x.png'>",
    "/lacks": "<!doctype html><title>t</title><img alt='' src='/none.png'>",
    "/barrier": "<!doctype html><html lang=en><title>t</title><main><h1>h</h1><input></main>",
}


class Pages(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        text = PAGES.get(self.path)
        self.send_response(404 if text is None else 200)
        self.send_header("Content-Type", "text/html")
        if self.path == "/breach":
            self.send_header("Content-Security-Policy", "default-src 'self'")
        body = (text or "").encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *told: Any) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    PAGES.setdefault("/favicon.ico", "")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("loud", r"^console warning: a word"),
        ("wrong", r"^error: .*a fault"),
        ("breach", r"^console error: policy: style-src"),
        ("away", r"^foreign host: http://elsewhere\.invalid/x\.png$"),
        ("lacks", r"^status 404: .*none\.png$"),
    ],
)
def test_what_a_page_does_wrong_is_told(browse, port, path, told):
    browse(f"http://127.0.0.1:{port}/{path}")
    with pytest.raises(AssertionError):
        browse.close()
    browse.forgive(told)
    assert len(browse.unforgiven()) < len(browse.faults)
    browse.forgive("elsewhere|none.png|Refused|policy|ERR_|Content Security")
    assert browse.unforgiven() == []


def test_a_page_that_does_nothing_wrong_is_passed(browse, port, axe):
    page = browse(f"http://127.0.0.1:{port}/", size="phone", locale="en-GB")
    assert page.evaluate("[innerWidth, innerHeight, navigator.language]") == [390, 844, "en-GB"]
    assert axe(page) == []


def test_a_barrier_is_told(browse, port, axe):
    [told] = axe(browse(f"http://127.0.0.1:{port}/barrier"))
    assert told.startswith("label (critical): <input>")


def test_beside_pages_a_test_runs_a_loop_of_its_own(driver):
    assert asyncio.run(asyncio.sleep(0, 7)) == 7


def test_what_is_missing_is_a_skip_at_a_desk_and_a_failure_on_ci(tmp_path, monkeypatch):
    leave_out("", on_ci=True)
    with pytest.raises(pytest.skip.Exception, match="make services"):
        leave_out("axe is not here: make services", on_ci=False)
    with pytest.raises(pytest.fail.Exception, match="make services"):
        leave_out("axe is not here: make services", on_ci=True)
    monkeypatch.setattr("browser_kit.AXE", tmp_path / "axe.min.js")
    assert "make services" in axe_missing()
    (tmp_path / "axe.min.js").write_text("another")
    assert "not what" in axe_missing()


def asked(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        told: bytes = answer.read()
    return told


def test_a_link_is_cut_and_restored(port):
    with Relay(port) as relay:
        held = socket.create_connection(("127.0.0.1", relay.port), 5)
        assert asked(relay.port) == PAGES["/"].encode()
        timer = relay.cut_for(0.2)
        assert held.recv(1) == b""
        with pytest.raises(OSError):
            asked(relay.port)
        timer.join()
        assert asked(relay.port) == PAGES["/"].encode()
        held.close()


def test_a_link_is_stalled_and_nobody_is_told(port):
    with Relay(port) as relay, socket.create_connection(("127.0.0.1", relay.port), 5) as sock:
        relay.stall()
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        relay.restore()
        sock.settimeout(5)
        assert sock.recv(12) == b"HTTP/1.1 200"
