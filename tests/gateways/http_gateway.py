"""A stand-in for SMS gateways, webhook receivers and robots, as a process: `http_gateway.py KIND`.

Each checks what it is sent as the real one would (`checks.py`). `POST /_behave` plans the next
answers, of all or of one number: `429`, `500`, `silent` (no answer, nothing taken), `mute` (taken,
no answer), `drop` (takes it and hangs up), `late` (answers after a while), `twice` (answers twice),
`refuse` (HTTP 200, and no), `busy` (the vendor's own code for: later), `page` (HTTP 200 and HTML),
`drip` (a byte now and then), `flood` (an answer without end), `redirect`, `gone` (410).
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
import urllib.request
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # it runs as a script
from gateways import checks

LATE_S = 0.5
SILENT_S = 8.0
STATUSES = {"429": 429, "500": 500, "gone": 410, "bad": 400}
plans: dict[str, list[str]] = defaultdict(list)  # number → what it does next; "" is any
reports: dict[str, str] = {}  # where receipts go, and what they bear
lock = threading.Lock()
over = threading.Event()


def tell(told: dict[str, Any]) -> None:
    """One line to whoever started it."""
    with lock:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def report(told: dict[str, Any]) -> None:
    """Bring a receipt of a message to where they are to go."""
    rows = [{"msgid": told["key"], "stat": reports["status"]}]
    headers = {"content-type": "application/json", reports["header"]: reports["word"]}
    request = urllib.request.Request(reports["url"], json.dumps(rows).encode(), headers)
    urllib.request.urlopen(request, timeout=SILENT_S).close()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    kind = "sms"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Take a message whose fields stand in the address."""
        self._take(self.path.partition("?")[2].encode())

    def do_POST(self) -> None:
        """Take a message, or what to do with the next ones."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/_behave":
            told = json.loads(body)
            with lock:
                plans[told["to"]].extend(told["plan"])
            self._answer(200, b"{}")
        elif self.path == "/_report":
            reports.update(json.loads(body))
            self._answer(200, b"{}")
        else:
            self._take(body)

    def _take(self, body: bytes) -> None:
        told = checks.CHECKS[self.kind](
            self.path, {name.lower(): value for name, value in self.headers.items()}, body
        )
        with lock:
            plan = plans[told.get("to", "")] or plans[""]
            how = plan.pop(0) if plan else "good"
        if how in STATUSES:
            self._answer(STATUSES[how], b"busy", {"retry-after": "7"})
        elif how == "redirect":
            self._answer(302, b"", {"location": "http://127.0.0.1:1/"})
        elif how == "silent":
            over.wait(SILENT_S)
            self.close_connection = True
        elif how == "page":
            self._answer(200, b"<html><h1>Log in to this network</h1></html>")
        elif how in ("refuse", "busy") or not told.pop("good"):
            self._answer(200, checks.no(self.kind, how))
        else:
            tell(told)
            self._taken(how, checks.yes(self.kind, told))
            if reports:
                threading.Thread(target=report, args=(told,), daemon=True).start()

    def _taken(self, how: str, answer: bytes) -> None:
        """Answer what was taken, or not, as planned."""
        if how == "drop":
            self.close_connection = True
            self.connection.close()
        elif how == "mute":
            over.wait(SILENT_S)
            self.close_connection = True
        elif how in ("drip", "flood"):
            self._answer(200, b"", {"content-length": str(1 << 40)})
            self.close_connection = True
            self._pour(b"x" if how == "drip" else b"x" * 65_536, 0.2 if how == "drip" else 0)
        else:
            if how == "late":
                over.wait(LATE_S)
            self._answer(200, answer)
            if how == "twice":
                self._answer(200, answer)

    def _pour(self, piece: bytes, pause_s: float) -> None:
        """Bytes without end, until nobody reads them or time is up."""
        end = time.monotonic() + SILENT_S
        try:
            while time.monotonic() < end:
                self.wfile.write(piece)
                self.wfile.flush()
                over.wait(pause_s)
        except OSError:
            return

    def _answer(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        headers = {"content-length": str(len(body))} | (more or {})
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until it is ended."""
    Handler.kind = sys.argv[1]
    ThreadingHTTPServer.request_queue_size = 256
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients get killed
    server.daemon_threads = True
    if "tls" in sys.argv[2:]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(Path(__file__).with_name("localhost.pem"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    tell({"port": server.server_address[1]})
    server.serve_forever()


if __name__ == "__main__":
    main()
