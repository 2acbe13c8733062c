"""Chat robots (群机器人): DingTalk 钉钉, WeCom 企业微信, Feishu 飞书, signed as documented.

Success is what the vendor's own code says: HTTP 200 alone is none. Private editions have another
base address. Rules: the vendors' published pages on custom robots.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from detector.adapters.http_out import HttpOut, outcome_of
from detector.delivery import Outcome, Outgoing, Receipt

Asked = tuple[str, dict[str, Any]]  # address and body
Build = Callable[[str, str, str, str, float], Asked]


class Robot(NamedTuple):
    """One vendor: where, how, and its codes that mean: later."""

    base_url: str
    build: Build
    code: str  # field of its answer
    later: Mapping[int, int]  # code → seconds


def dingtalk(
    base: str, token: str, secret: str, text: str, now: float
) -> tuple[str, dict[str, Any]]:
    """Signature over `<ms>\\n<secret>`, in the query."""
    stamp = str(round(now * 1_000))
    query = {"access_token": token}
    if secret:
        sign = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
        query |= {"timestamp": stamp, "sign": base64.b64encode(sign).decode()}
    body = {"msgtype": "text", "text": {"content": _cut(text, 20_000)}}
    return f"{base}/robot/send?{urllib.parse.urlencode(query)}", body


def wecom(base: str, token: str, secret: str, text: str, now: float) -> Asked:
    """The key stands in the address; a text may have 2,048 bytes."""
    body = {"msgtype": "text", "text": {"content": _cut(text, 2_048)}}
    return f"{base}/cgi-bin/webhook/send?{urllib.parse.urlencode({'key': token})}", body


def feishu(base: str, token: str, secret: str, text: str, now: float) -> Asked:
    """Signature of nothing under `<s>\\n<secret>`, in the body."""
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": _cut(text, 18_000)}}
    if secret:
        stamp = str(int(now))
        sign = hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
        body |= {"timestamp": stamp, "sign": base64.b64encode(sign).decode()}
    return f"{base}/open-apis/bot/v2/hook/{urllib.parse.quote(token)}", body


ROBOTS = {
    "dingtalk": Robot("https://oapi.dingtalk.com", dingtalk, "errcode", {130101: 600, 410100: 600}),
    "wecom": Robot("https://qyapi.weixin.qq.com", wecom, "errcode", {45009: 60}),
    "feishu": Robot("https://open.feishu.cn", feishu, "code", {11232: 60, 9499: 60}),
}


class RobotOut:
    """One robot of one group."""

    def __init__(self, name: str, kind: str, settings: Mapping[str, Any], token: str, secret: str):
        self.name, self._robot = name, ROBOTS[kind]
        self._token, self._secret = token, secret
        self._base = settings.get("base_url", self._robot.base_url).rstrip("/")
        self._http = HttpOut(
            self._base,
            settings.get("allow_private", ()),
            settings.get("timeout_s", 10),
            settings.get("ca_file", ""),
        )

    async def send(self, message: Outgoing) -> Outcome:
        """Try once; see `Channel.send`."""
        robot = self._robot
        text = f"{message.subject}\n{message.text}"
        url, body = robot.build(self._base, self._token, self._secret, text, time.time())
        answer = await self._http.request(
            "POST", url=url, headers={"content-type": "application/json"},
            content=msgspec.json.encode(body),
        )  # fmt: skip
        if isinstance(answer, Outcome):
            return answer
        fault = outcome_of(answer)
        if fault is not None:
            return fault
        try:
            code = msgspec.json.decode(answer.body, type=dict[str, Any]).get(robot.code)
        except msgspec.MsgspecError:
            return Outcome("unknown", "unreadable", "the answer is no JSON object")
        if code == 0 and code is not False:
            return Outcome("delivered", "0")
        if isinstance(code, int) and code in robot.later:
            return Outcome("retry", str(code), retry_after_s=robot.later[code])
        return Outcome("refused", str(code), "the vendor's own code is not 0")

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """A robot has answered already."""
        raise ValueError("robots have no callback")

    async def close(self) -> None:
        """Let go of connections."""
        await self._http.close()


def _cut(text: str, bytes_max: int) -> str:
    """So much of a text as a robot takes, with 「…」 where more was."""
    data = text.encode()
    if len(data) <= bytes_max:
        return text
    return data[: bytes_max - 3].decode(errors="ignore") + "…"
