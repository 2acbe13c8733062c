"""A stand-in for SMS gateways, webhook receivers and robots, as a process: `http_gateway.py KIND`.

Each checks what it is sent as the real one would: signatures by the published verifier or as the
vendor documents. `POST /_behave` plans the next answers: `429`, `500`, `silent` (no answer), `drop`
(takes it and hangs up), `late` (answers after a while), `refuse` (HTTP 200, and no), `redirect`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "swordfish"
HOOK = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
LATE_S = 0.5
SILENT_S = 8.0
plan: list[str] = []
lock = threading.Lock()


def tell(told: dict[str, Any]) -> None:
    """One line to whoever started it."""
    with lock:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    kind = "sms"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        """Take a message, as planned."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/_behave":
            plan.extend(json.loads(body))
            self._answer(200, b"{}")
            return
        how = plan.pop(0) if plan else "good"
        if how in ("429", "500"):
            self._answer(int(how), b"busy", {"retry-after": "7"})
            return
        if how == "redirect":
            self._answer(302, b"", {"location": "http://127.0.0.1:1/"})
            return
        told = getattr(self, f"_{self.kind}")(body)
        if how == "silent":
            time.sleep(SILENT_S)
            self.close_connection = True
            return
        if how == "late":
            time.sleep(LATE_S)
        if how != "refuse" and told.pop("good"):
            tell(told)
            if how == "drop":
                self.close_connection = True
                self.connection.close()
                return
            self._answer(200, self._yes(told))
        else:
            self._answer(200, self._no())

    def _answer(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _yes(self, told: dict[str, Any]) -> bytes:
        if self.kind == "sms":
            return json.dumps({"result": "0", "id": f"g-{told['key']}"}).encode()
        if self.kind == "json":
            return json.dumps({"Code": "OK", "BizId": f"g-{told['key']}"}).encode()
        return {"feishu": b'{"code":0}'}.get(self.kind, b'{"errcode":0,"errmsg":"ok"}')

    def _no(self) -> bytes:
        answers = {
            "sms": b'{"result":"17"}', "json": b'{"Code":"isv.LIMIT"}',
            "feishu": b'{"code":19021,"msg":"sign match fail"}',
        }  # fmt: skip
        return answers.get(self.kind, b'{"errcode":310000,"errmsg":"sign not match"}')

    def _sms(self, body: bytes) -> dict[str, Any]:
        """A form, signed by MD5 over number, text and the shared word."""
        told = dict(urllib.parse.parse_qsl(body.decode()))
        want = hashlib.md5(f"{told['mobile']}{told['content']}{SECRET}".encode()).hexdigest()
        return {
            "good": told["sign"] == want, "key": told["msgid"], "to": told["mobile"],
            "text": told["content"],
        }  # fmt: skip

    def _json(self, body: bytes) -> dict[str, Any]:
        """JSON, signed by HMAC-SHA256 in base64 in a header."""
        told = json.loads(body)
        text = f"{told['OutId']}:{self.headers['x-time']}".encode()
        want = base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()
        return {
            "good": self.headers["x-sign"] == want, "key": told["OutId"],
            "to": told["PhoneNumbers"], "text": told["Content"],
        }  # fmt: skip

    def _webhook(self, body: bytes) -> dict[str, Any]:
        from standardwebhooks import Webhook, WebhookVerificationError

        good = True
        try:
            Webhook(HOOK).verify(body, dict(self.headers.items()))
        except WebhookVerificationError:
            good = False
        return {"good": good, "key": self.headers["webhook-id"], "event": json.loads(body)}

    def _dingtalk(self, body: bytes) -> dict[str, Any]:
        """As DingTalk's page on custom robots has it."""
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        text = f"{query['timestamp']}\n{SECRET}".encode()
        want = base64.b64encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest()).decode()
        fresh = abs(time.time() * 1_000 - int(query["timestamp"])) < 3_600_000
        good = query["sign"] == want and fresh and query["access_token"] == "tok"
        return {"good": good, "key": "", "text": json.loads(body)["text"]["content"]}

    def _wecom(self, body: bytes) -> dict[str, Any]:
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        text = json.loads(body)["text"]["content"]
        return {
            "good": query["key"] == "tok" and len(text.encode()) <= 2_048,
            "key": "",
            "text": text,
        }

    def _feishu(self, body: bytes) -> dict[str, Any]:
        """As Feishu's page on custom bots has it."""
        told = json.loads(body)
        key = f"{told['timestamp']}\n{SECRET}".encode()
        want = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
        good = told["sign"] == want and self.path == "/open-apis/bot/v2/hook/tok"
        return {"good": good, "key": "", "text": told["content"]["text"]}


if __name__ == "__main__":
    Handler.kind = sys.argv[1]
    ThreadingHTTPServer.request_queue_size = 256  # else a crowd of connections is reset
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients get killed
    server.daemon_threads = True
    tell({"port": server.server_address[1]})
    server.serve_forever()
