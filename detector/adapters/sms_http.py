"""Text messages (短信) over a gateway's HTTP interface, as a district describes it.

URL, form or JSON body, signature, what counts as success and where receipts say what: all of it is
data in channels.toml.
"""

from __future__ import annotations

import secrets
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec

from detector.adapters.http_out import Answer, HttpOut, outcome_of
from detector.adapters.numbers import number_of
from detector.adapters.sms_receipts import receipts
from detector.adapters.templates import Said, filled, holds, signed
from detector.delivery import Outcome, Outgoing, Receipt

BEIJING_S = 8 * 3_600  # the gateways of China expect its time


class SmsHttp:
    """One HTTP gateway. `settings`: as the reader of channels.toml checks them; `secret`: for
    signatures; `word`: what its callbacks must bear, else the secret."""

    def __init__(self, name: str, settings: Mapping[str, Any], secret: str, word: str = "") -> None:
        self.name, self._secret, self._word = name, secret, word or secret
        self._how = settings
        self._http = HttpOut(
            settings["url"], settings.get("allow_private", ()), settings.get("timeout_s", 10),
            settings.get("ca_file", ""),
        )  # fmt: skip

    async def send(self, message: Outgoing) -> Outcome:
        """Try once; see `Channel.send`."""
        number = number_of(message.to)
        if number is None:
            return Outcome("refused", "no_number", "the telephone number is none")
        how, told = self._how, self._told(message, number)
        told["sign"] = signed(
            how.get("sign", {}), filled(how.get("sign", {}).get("over", ""), told).encode(),
            self._secret,
        )  # fmt: skip
        fields, url, content = filled(how["body"], told), self._http.url, b""
        headers = filled(how.get("headers", {}), told)
        if how.get("method", "POST") == "GET":
            url += ("&" if "?" in url else "?") + urllib.parse.urlencode(fields)
        elif how.get("format", "form") == "json":
            content = msgspec.json.encode(fields)
            headers = {"content-type": "application/json"} | headers
        else:
            content = urllib.parse.urlencode(fields).encode()
            kind = "application/x-www-form-urlencoded; charset=utf-8"
            headers = {"content-type": kind} | headers
        answer = await self._http.request(
            how.get("method", "POST"), url=url, headers=headers, content=content
        )
        return answer if isinstance(answer, Outcome) else self._read(answer)

    def _told(self, message: Outgoing, number: str) -> dict[str, str]:
        """What a template may name."""
        now = time.time()
        return {
            "to": number, "text": message.text,
            "text_json": msgspec.json.encode(message.text).decode()[1:-1],  # inside a JSON text
            "message_id": message.message_id,
            "signature": self._how.get("signature", ""), "account": self._how.get("account", ""),
            "timestamp": str(int(now)), "timestamp_ms": str(int(now * 1_000)),
            "beijing": time.strftime("%Y%m%d%H%M%S", time.gmtime(now + BEIJING_S)),
            "nonce": secrets.token_hex(8), "secret": self._secret,
        }  # fmt: skip

    def _read(self, answer: Answer) -> Outcome:
        """What a gateway's answer means. Silence about success is no refusal: it may have it."""
        fault = outcome_of(answer)
        if fault is not None:
            return fault
        said, how, success = Said(answer.body), self._how, self._how["success"]
        value = said.at(success.get("field", ""))
        code = said.at(how["code_field"]) if how.get("code_field") else value[:64]
        if holds(value, success.get("op", "=="), success["values"]):
            known = said.at(how["id_field"]) if how.get("id_field") else ""
            return Outcome("sent", code, gateway_id=known)
        if code in how.get("retry_codes", ()):
            return Outcome("retry", code)
        if not value:
            return Outcome("unknown", "unreadable", "the answer does not hold what says success")
        return Outcome("refused", code or "no_success", "the gateway did not say success")

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """What a callback says; see `Channel.receipts`."""
        how = self._how.get("receipts")
        if how is None:
            raise ValueError("this gateway has no callback")
        return receipts(how, self._word, body, headers)

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()
