"""An HTTP gateway of text messages as a process, and the channel that a district writes for it."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter

from gateways.checks import SECRET
from gateways.process import WAIT_S, Gateway

VARIABLE = "ORIOLE_SMS"  # holds `SECRET`
WORD = "word-of-receipts"
_FORM = """[[channels]]
name = "%(name)s"
kind = "sms_http"
url = "%(url)s/send"
secret_env = "ORIOLE_SMS"
id_field = "id"
allow_private = ["127.0.0.0/8"]
timeout_s = 1
retry_codes = ["9"]
body = { mobile = "{to}", content = "{signature}{text}", msgid = "{message_id}", sign = "{sign}" }
sign = { kind = "md5", over = "{to}{signature}{text}{secret}" }
success = { field = "result", values = ["0"] }
[channels.receipts]
word_env = "ORIOLE_SMS_WORD"
header = "X-Word"
status_field = "stat"
message_field = "msgid"
statuses = { DELIVRD = "delivered", UNDELIV = "failed" }
"""
_JSON = """[[channels]]
name = "%(name)s"
kind = "sms_http"
format = "json"
url = "%(url)s/v1/sms"
secret_env = "ORIOLE_SMS"
id_field = "Data.BizIds.0"
allow_private = ["127.0.0.0/8"]
timeout_s = 1
retry_codes = ["isv.BUSY"]
headers = { x-time = "{timestamp}", x-sign = "{sign}" }
sign = { kind = "hmac_sha256", over = "{message_id}:{timestamp}", as = "base64" }
success = { field = "Code", values = ["OK"] }
[channels.body]
PhoneNumbers = ["{to}"]
OutId = "{message_id}"
TemplateParam = '{"text":"{text_json}"}'
"""
_GET = """[[channels]]
name = "%(name)s"
kind = "sms_http"
method = "GET"
url = "%(url)s/sms.do"
secret_env = "ORIOLE_SMS"
account = "jiancha"
allow_private = ["127.0.0.0/8"]
timeout_s = 1
body = { user = "{account}", pwd = "{secret}", to = "{to}", msg = "{text}", id = "{message_id}" }
success = { op = "starts", values = ["0,"] }
"""
FORMS = {"sms": _FORM, "json": _JSON, "get": _GET}


def secrets(name: str) -> str | None:
    """The environment in which its channel is opened."""
    return {VARIABLE: SECRET, "ORIOLE_SMS_WORD": WORD}.get(name)


def channel_text(url: str, kind: str = "sms", name: str = "sms") -> str:
    """What channels.toml says of a gateway at this address."""
    return FORMS[kind] % {"url": url, "name": name}


class SmsGateway(Gateway):
    """`kind`: `sms` (form, MD5), `json` (JSON, HMAC in a header) or `get` (all in the address)."""

    def __init__(self, kind: str = "sms") -> None:
        super().__init__("http_gateway.py", kind)
        self.kind = kind

    def text(self, name: str = "sms") -> str:
        """Its `[[channels]]`."""
        return channel_text(self.url, self.kind, name)

    def keys(self) -> Counter[str]:
        """How often each message was taken, by its key. One above 1 is a double."""
        return Counter(one["key"] for one in self.received())

    def report(self, url: str, status: str = "DELIVRD", word: str = WORD) -> None:
        """From now on bring a receipt of each message there."""
        told = {"url": url, "status": status, "header": "X-Word", "word": word}
        data = json.dumps(told).encode()
        urllib.request.urlopen(f"{self.url}/_report", data, timeout=WAIT_S).close()
