"""Text messages (短信) over a gateway's HTTP interface, as a district describes it.

URL, form or JSON body, signature, what counts as success and where receipts say what: all of it is
data in channels.toml. Nothing of it is code.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec

from detector.adapters.http_out import Answer, HttpOut, outcome_of
from detector.delivery import Outcome, Outgoing, Receipt

_CHINESE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_ABROAD = re.compile(r"\+\d{6,15}", re.ASCII)
_FIELD = re.compile(r"\{(\w+)\}")
STATUSES = ("delivered", "failed", "read")


def number_of(phone: str) -> str | None:
    """A number as gateways want it: 11 digits of China, else +…; None where it is none."""
    told = re.sub(r"[ \-()]", "", phone)
    told = told.removeprefix("+86").removeprefix("0086") if len(told) > 11 else told
    if _CHINESE.fullmatch(told):
        return told
    return told if _ABROAD.fullmatch(told) else None


class SmsHttp:
    """One HTTP gateway. `settings`: as `channels_read` checks them; `secret`: for signatures."""

    def __init__(self, name: str, settings: Mapping[str, Any], secret: str) -> None:
        self.name, self._secret = name, secret
        self._how = settings
        self._http = HttpOut(
            settings["url"], settings.get("allow_private", ()), settings.get("timeout_s", 10)
        )

    async def send(self, message: Outgoing) -> Outcome:
        """Try once; see `Channel.send`."""
        number = number_of(message.to)
        if number is None:
            return Outcome("refused", "no_number", "the telephone number is none")
        told = {
            "to": number, "text": message.text, "message_id": message.message_id,
            "signature": self._how.get("signature", ""), "timestamp": str(int(time.time())),
            "nonce": secrets.token_hex(8), "secret": self._secret,
            "account": self._how.get("account", ""),
        }  # fmt: skip
        told["sign"] = self._sign(told)
        del told["secret"]
        fields = {k: _filled(v, told) for k, v in self._how["body"].items()}
        if self._how.get("format", "form") == "json":
            content, kind = msgspec.json.encode(fields), "application/json"
        else:
            content = urllib.parse.urlencode(fields).encode()
            kind = "application/x-www-form-urlencoded; charset=utf-8"
        headers = {k: _filled(v, told) for k, v in self._how.get("headers", {}).items()}
        answer = await self._http.request(
            "POST", headers=headers | {"content-type": kind}, content=content
        )
        return answer if isinstance(answer, Outcome) else self._read(answer)

    def _sign(self, told: Mapping[str, str]) -> str:
        how = self._how.get("sign", {})
        kind = how.get("kind", "none")
        if kind == "none":
            return ""
        text = _filled(how["over"], told).encode()
        if kind == "md5":  # what many gateways ask for; it protects little
            digest = hashlib.md5(text, usedforsecurity=False).digest()
        else:
            name = {"hmac_sha256": "sha256", "hmac_sha1": "sha1"}[kind]
            digest = hmac.new(self._secret.encode(), text, name).digest()
        return digest.hex() if how.get("as", "hex") == "hex" else base64.b64encode(digest).decode()

    def _read(self, answer: Answer) -> Outcome:
        fault = outcome_of(answer)
        if fault is not None:
            return fault
        told = _parsed(answer.body)
        success = self._how["success"]
        value = _at(told, success["field"])
        known = str(_at(told, self._how.get("id_field", "")) or "")
        if value in success["values"]:
            return Outcome("sent", value, gateway_id=known)
        if value in self._how.get("retry_codes", ()):
            return Outcome("retry", value)
        return Outcome("refused", value or "no_success", "the gateway did not say success")

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """What a callback says; see `Channel.receipts`."""
        how = self._how.get("receipts")
        if how is None:
            raise ValueError("this gateway has no callback")
        if not hmac.compare_digest(headers.get(how["header"].lower(), ""), self._secret):
            raise ValueError("the callback does not bear the agreed word")
        told = _parsed(body)
        rows = told if isinstance(told, list) else [told]
        found = []
        for row in rows:
            status = how["statuses"].get(_at(row, how["status_field"]))
            if status in STATUSES:
                found.append(
                    Receipt(
                        status, _at(row, how.get("message_field", "")),
                        _at(row, how.get("id_field", "")), _at(row, how["status_field"]),
                    )
                )  # fmt: skip
        return found

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()


def _filled(template: str, told: Mapping[str, str]) -> str:
    """A template with its {fields}; one that is not known stays as it is."""
    return _FIELD.sub(lambda found: told.get(found[1], found[0]), template)


def _parsed(body: bytes) -> Any:
    """A body as JSON, else as a form, else as one text under ""."""
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError:
        text = body.decode(errors="replace").strip()
    pairs = dict(urllib.parse.parse_qsl(text, max_num_fields=64)) if "=" in text else {}
    return pairs or {"": text}


def _at(told: Any, path: str) -> str:
    """The value at `a.b.0`, as text; "" where there is none. An empty path is the whole text."""
    parts = path.split(".") if path else [""]
    for part in parts:
        if isinstance(told, dict):
            told = told.get(part, "")
        elif isinstance(told, list) and part.isdigit() and int(part) < len(told):
            told = told[int(part)]
        else:
            return ""
    return told if isinstance(told, str) else ("" if told is None else str(told))
