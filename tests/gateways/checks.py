"""What gateways check of a request, each as it is published, and how they say yes and no."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

SECRET, TOKEN = "swordfish", "tok"
HOOK = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
HOUR_S = 3_600


def _mac(key: str, text: str) -> str:
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()


def _query(path: str) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(path).query))


def sms(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """A form, signed by MD5 over number, text and the shared word."""
    told = dict(urllib.parse.parse_qsl(body.decode()))
    want = hashlib.md5(f"{told['mobile']}{told['content']}{SECRET}".encode()).hexdigest()
    good = told["sign"] == want
    return {"good": good, "key": told["msgid"], "to": told["mobile"], "text": told["content"]}


def json_sms(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """JSON, signed by HMAC-SHA256 in base64 in a header."""
    told = json.loads(body)
    want = _mac(SECRET, f"{told['OutId']}:{headers['x-time']}")
    fresh = abs(time.time() - int(headers["x-time"])) < HOUR_S
    return {
        "good": headers["x-sign"] == want and fresh, "key": told["OutId"],
        "to": told["PhoneNumbers"][0], "text": json.loads(told["TemplateParam"])["text"],
    }  # fmt: skip


def webhook(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """As the published library of Standard Webhooks checks it."""
    from standardwebhooks import Webhook, WebhookVerificationError

    good = True
    try:
        Webhook(HOOK).verify(body, dict(headers.items()))
    except WebhookVerificationError:
        good = False
    return {
        "good": good, "key": headers["webhook-id"], "event": json.loads(body),
        "host": headers["host"], "type": headers["content-type"],
        "signatures": len(headers["webhook-signature"].split(" ")),
    }  # fmt: skip


def dingtalk(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """As DingTalk's page on custom robots has it: within the hour, at most 20,000 bytes."""
    query, told = _query(path), json.loads(body)
    fresh = abs(time.time() * 1_000 - int(query["timestamp"])) < HOUR_S * 1_000
    signed = query["sign"] == _mac(SECRET, f"{query['timestamp']}\n{SECRET}")
    good = signed and fresh and query["access_token"] == TOKEN and len(body) <= 20_000
    good = good and path.startswith("/robot/send?") and told["msgtype"] == "text"
    return {"good": good, "key": "", "text": told["text"]["content"]}


def wecom(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """As WeCom's page on group robots has it: the key in the address, at most 2,048 bytes."""
    told = json.loads(body)
    text = told["text"]["content"]
    good = _query(path)["key"] == TOKEN and len(text.encode()) <= 2_048
    good = good and path.startswith("/cgi-bin/webhook/send?") and told["msgtype"] == "text"
    return {"good": good, "key": "", "text": text}


def feishu(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """As Feishu's page on custom bots has it: within the hour, at most 20 KB."""
    told = json.loads(body)
    key = f"{told['timestamp']}\n{SECRET}".encode()
    want = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
    fresh = abs(time.time() - int(told["timestamp"])) < HOUR_S
    good = told["sign"] == want and fresh and len(body) <= 20 << 10
    good = good and path == f"/open-apis/bot/v2/hook/{TOKEN}" and told["msg_type"] == "text"
    return {"good": good, "key": "", "text": told["content"]["text"]}


def get_sms(path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """An old gateway: all in the address, the password too; it answers with one line of text."""
    told = dict(urllib.parse.parse_qsl(body.decode()))
    good = (told["user"], told["pwd"]) == ("jiancha", SECRET)
    return {"good": good, "key": told["id"], "to": told["to"], "text": told["msg"]}


CHECKS: dict[str, Callable[[str, Mapping[str, str], bytes], dict[str, Any]]] = {
    "sms": sms, "json": json_sms, "get": get_sms, "webhook": webhook, "dingtalk": dingtalk,
    "wecom": wecom, "feishu": feishu,
}  # fmt: skip
_NO = {
    "sms": b'{"result":"17"}', "json": b'{"Code":"isv.LIMIT"}', "get": b"-3,no such template",
    "feishu": b'{"code":19021,"msg":"sign match fail or timestamp is not within one hour"}',
    "wecom": b'{"errcode":93000,"errmsg":"invalid webhook url"}',
    "dingtalk": b'{"errcode":310000,"errmsg":"sign not match"}',
}  # fmt: skip
_BUSY = {
    "sms": b'{"result":"9"}', "json": b'{"Code":"isv.BUSY"}', "get": b"-9,busy",
    "feishu": b'{"code":11232,"msg":"frequency limited"}',
    "wecom": b'{"errcode":45009,"errmsg":"api freq out of limit"}',
    "dingtalk": b'{"errcode":130101,"errmsg":"send too fast"}',
}  # fmt: skip


def yes(kind: str, told: Mapping[str, Any]) -> bytes:
    """How it says that it has a message."""
    known = f"g-{told['key']}"
    answers = {
        "sms": json.dumps({"result": "0", "id": known}).encode(),
        "json": json.dumps({"Code": "OK", "Data": {"BizIds": [known]}}).encode(),
        "get": f"0,{known}".encode(), "feishu": b'{"code":0,"msg":"success","data":{}}',
        "webhook": b"",
    }  # fmt: skip
    return answers.get(kind, b'{"errcode":0,"errmsg":"ok"}')


def no(kind: str, how: str) -> bytes:
    """How it says, by HTTP 200, that it does not take one."""
    return (_BUSY if how == "busy" else _NO).get(kind, b"")
