"""Channels against gateways that are processes of their own, and the reading of channels.toml."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from gateways import http_gateway
from gateways.process import Gateway
from notice_kit import CATALOGUE, DISTRICT, PEOPLE

from detector.adapters.http_out import HttpOut
from detector.adapters.log_channel import LogOut, masked
from detector.adapters.robots import RobotOut
from detector.adapters.smpp import SmppOut
from detector.adapters.sms_http import SmsHttp, number_of
from detector.adapters.ways import NoSecret, open_channel
from detector.adapters.webhook import WebhookOut
from detector.channels import Channels, ChannelSettings
from detector.delivery import Channel, Outcome, Outgoing, Receipt
from detector.district import DistrictError, district_from

LOOPBACK = {"allow_private": ("127.0.0.0/8",), "timeout_s": 2}
TEXT = "督办通知：许可办件c1环节过快。请于3月3日、9日、30日10:00前签收、答复、办结。"
FORM = """[[channels]]
name = "sms"
kind = "sms_http"
url = "{url}/send"
secret_env = "ORIOLE_SMS"
signature = "【示例区】"
id_field = "id"
allow_private = ["127.0.0.0/8"]
timeout_s = 2
retry_codes = ["9"]
body = {{ mobile = "{{to}}", content = "{{text}}", msgid = "{{message_id}}", sign = "{{sign}}" }}
sign = {{ kind = "md5", over = "{{to}}{{text}}{{secret}}" }}
success = {{ field = "result", values = ["0"] }}
[channels.receipts]
header = "X-Word"
status_field = "stat"
message_field = "msgid"
statuses = {{ "DELIVRD" = "delivered", "UNDELIV" = "failed" }}
"""
JSON = """[[channels]]
name = "sms"
kind = "sms_http"
format = "json"
url = "{url}/v1/sms"
secret_env = "ORIOLE_SMS"
id_field = "BizId"
allow_private = ["127.0.0.0/8"]
headers = {{ x-time = "{{timestamp}}", x-sign = "{{sign}}" }}
body = {{ PhoneNumbers = "{{to}}", Content = "{{text}}", OutId = "{{message_id}}" }}
sign = {{ kind = "hmac_sha256", over = "{{message_id}}:{{timestamp}}", as = "base64" }}
success = {{ field = "Code", values = ["OK"] }}
"""


def message(key: str = "n1.1", to: str = "13900000003", text: str = TEXT) -> Outgoing:
    return Outgoing(
        message_id=key, to=to, subject="督办通知", text=text, occasion="issued", tier=2,
        at_us=1_772_416_858_000_000, doc={"notice_id": "n1"},
    )  # fmt: skip


def read(text: str) -> Channels:
    files = {
        "district.toml": DISTRICT.format(profile="default", more="", calendar=""),
        "catalogue/a.toml": CATALOGUE, "people.csv": PEOPLE, "channels.toml": text,
    }  # fmt: skip
    return district_from({name: told.encode() for name, told in files.items()}).channels


def sent(channel: Channel, *messages: Outgoing) -> list[Outcome]:
    async def run() -> list[Outcome]:
        told = [await channel.send(one) for one in messages]
        await channel.close()
        return told

    return asyncio.run(run())


def secret(name: str) -> str | None:
    return {"ORIOLE_SMS": http_gateway.SECRET, "ORIOLE_HOOK": http_gateway.HOOK}.get(name)


def sms(url: str, form: str = FORM) -> Channel:
    return open_channel(read(form.format(url=url)).channels[0], secret, lambda *a, **k: None)


@pytest.mark.parametrize(("kind", "form"), [("sms", FORM), ("json", JSON)])
def test_a_text_message_in_the_shapes_that_gateways_use(kind, form):
    with Gateway("http_gateway.py", kind) as gateway:
        [told] = sent(sms(gateway.url, form), message())
        assert told == Outcome("sent", {"sms": "0", "json": "OK"}[kind], gateway_id="g-n1.1")
        [got] = gateway.until(lambda some: len(some) == 1)
        assert got == {"key": "n1.1", "to": "13900000003", "text": TEXT}


@pytest.mark.parametrize(
    ("how", "verdict", "code"),
    [
        ("429", "retry", "429"), ("500", "retry", "500"), ("refuse", "refused", "17"),
        ("drop", "unknown", "no_answer"), ("silent", "unknown", "no_answer"),
        ("late", "sent", "0"), ("redirect", "refused", "302"),
    ],
)  # fmt: skip
def test_what_a_gateway_does_is_told_apart(how, verdict, code):
    with Gateway("http_gateway.py", "sms") as gateway:
        gateway.behave(how)
        first, second = sent(sms(gateway.url), message(), message("n1.2"))
        assert (first.verdict, first.code) == (verdict, code)
        assert first.retry_after_s == (7 if how in ("429", "500") else None)
        assert second.verdict == "sent"  # it costs the next one nothing


def test_a_gateway_that_is_not_there_took_nothing():
    with Gateway("http_gateway.py", "sms") as gateway:
        channel = sms(gateway.url)
    assert [one.verdict for one in sent(channel, message())] == ["retry"]
    assert sent(sms("http://no-such-host.invalid"), message())[0].code == "no_such_host"


def test_receipts_bear_the_agreed_word():
    channel = sms("http://127.0.0.1:1")
    body = b'[{"msgid":"n1.1","stat":"DELIVRD"},{"msgid":"n1.2","stat":"UNDELIV"},{"stat":"?"}]'
    told = channel.receipts(body, {"x-word": http_gateway.SECRET})
    assert told == [
        Receipt("delivered", "n1.1", code="DELIVRD"), Receipt("failed", "n1.2", code="UNDELIV"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="agreed word"):
        channel.receipts(body, {"x-word": "guess"})


def test_numbers():
    for good in (
        "13900000001",
        "+86 139-0000-0001",
        "16600000001",
        "19900000001",
        "008619900000001",
    ):
        assert number_of(good) == re.sub(r"\D", "", good)[-11:]
    assert number_of("+85291234567") == "+85291234567"
    for bad in ("", "12900000001", "1390000000", "abc", "139000000011"):
        assert number_of(bad) is None
        assert sent(sms("http://127.0.0.1:1"), message(to=bad))[0].code == "no_number"
    assert masked("13900000001") == "139****0001"


# --- webhooks --------------------------------------------------------------------------------


def hook(url: str, **more: Any) -> WebhookOut:
    keys = ("whsec_" + "A" * 32, http_gateway.HOOK)
    return WebhookOut("hook", {"url": url, **LOOPBACK, **more}, keys)


def test_a_webhook_is_a_signed_cloudevent():
    with Gateway("http_gateway.py", "webhook") as gateway:
        assert sent(hook(gateway.url), message())[0] == Outcome("delivered", "200")
        [got] = gateway.until(lambda some: len(some) == 1)
        event = got["event"]
        assert (event["specversion"], event["id"], got["key"]) == ("1.0", "n1.1", "n1.1")
        assert event["type"] == "cn.oriole.notice.issued" and event["data"]["notice_id"] == "n1"
        gateway.behave("redirect", "500")
        assert [o.verdict for o in sent(hook(gateway.url), message(), message())] == [
            "refused", "retry",
        ]  # fmt: skip


def test_a_receiver_with_another_secret_does_not_take_it():
    with Gateway("http_gateway.py", "webhook") as gateway:
        wrong = WebhookOut("hook", {"url": gateway.url, **LOOPBACK}, ("whsec_" + "A" * 32,))
        sent(wrong, message())
        sent(hook(gateway.url), message("good"))
        assert [g["key"] for g in gateway.until(lambda some: len(some) == 1)] == ["good"]


def test_private_ranges_are_refused_unless_they_are_named():
    with Gateway("http_gateway.py", "webhook") as gateway:
        told = sent(hook(gateway.url, allow_private=()), message())[0]
        assert (told.verdict, told.code) == ("refused", "private_address")
        assert gateway.received() == []
    out = HttpOut("http://x", ("10.1.0.0/16",))
    for bad in (
        "127.0.0.1", "10.2.0.1", "192.168.1.1", "169.254.1.1", "0.0.0.0", "224.0.0.1", "::1",
        "fe80::1", "fc00::1", "::ffff:127.0.0.1", "100.64.0.1",
    ):  # fmt: skip
        assert not out.fit(bad), bad
    for good in ("10.1.2.3", "::ffff:10.1.2.3", "8.8.8.8", "2606:4700::1111"):
        assert out.fit(good), good
    asyncio.run(out.close())


# --- robots ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu"])
def test_a_robot_signs_as_documented_and_believes_the_vendors_code_alone(kind):
    with Gateway("http_gateway.py", kind) as gateway:
        how = {"base_url": gateway.url, **LOOPBACK}
        good = RobotOut("r", kind, how, "tok", http_gateway.SECRET)
        assert sent(good, message())[0] == Outcome("delivered", "0")
        assert gateway.until(lambda some: len(some) == 1)[0]["text"] == f"督办通知\n{TEXT}"
        bad = RobotOut("r", kind, how, "tok" if kind != "wecom" else "other", "wrong")
        assert sent(bad, message())[0].verdict == "refused"  # HTTP 200 all the same
        long = RobotOut("r", kind, how, "tok", http_gateway.SECRET)
        assert sent(long, message(text="长" * 9_000))[0].verdict == "delivered"


# --- SMPP ------------------------------------------------------------------------------------


def test_smpp_sends_chinese_in_parts_and_hears_receipts():
    async def run(port: int) -> tuple[list[Outcome], list[Receipt]]:
        how = {"host": "127.0.0.1", "port": port, "system_id": "oriole", "from": "1069"}
        channel = SmppOut("smpp", how, "pw")
        told = [await channel.send(message()), await channel.send(message(text="长" * 150))]
        heard = [await asyncio.wait_for(channel.heard(), 10) for _ in range(4)]
        await channel.close()
        return told, heard

    with Gateway("smpp_gateway.py") as gateway:
        told, heard = asyncio.run(run(gateway.port))
        assert [(o.verdict, o.gateway_id) for o in told] == [("sent", "1"), ("sent", "2")]
        assert {r.gateway_id for r in heard} == {"1", "2", "3", "4"}
        assert {r.status for r in heard} == {"delivered"}
        got = gateway.until(lambda some: len(some) == 4)
        assert bytes.fromhex(got[0]["data"]).decode("utf-16-be") == TEXT and not got[0]["parts"]
        whole = b"".join(bytes.fromhex(one["data"])[6:] for one in got[1:])
        assert whole.decode("utf-16-be") == "长" * 150
        assert all(one["coding"] == 8 and one["parts"] for one in got[1:])


def test_smpp_that_nobody_answers_is_no_bind():
    how = {"host": "127.0.0.1", "port": 1, "system_id": "oriole"}
    told = sent(SmppOut("smpp", how, "pw"), message())[0]
    assert (told.verdict, told.code) == ("retry", "no_bind")


# --- the dry run, and the file -----------------------------------------------------------------


def test_the_log_is_a_channel_and_masks_numbers():
    lines: list[dict[str, Any]] = []
    channel = LogOut("log", lambda what, **told: lines.append(told))
    assert sent(channel, message())[0].verdict == "delivered"
    assert lines[0]["to"] == "139****0003" and "13900000003" not in str(lines)


def test_a_district_without_the_file_writes_to_the_log():
    assert Channels().channels == (ChannelSettings("log", "log"),)


LOG = '[[channels]]\nname="l"\nkind="log"\n'
HOOK = '[[channels]]\nname="h"\nkind="webhook"\nsecrets_env=["A"]\n'
BAD = {
    'channels[0].secret: is a secret': "",
    'channels[0].url: "ftp://x" is no web address': HOOK + 'url="ftp://x"\n',
    'routes[0].channels[0]: "fax" is no channel': LOG + '[[routes]]\nchannels=["fax"]\n',
    'channels[0].kind: "fax" is unknown': '[[channels]]\nname="l"\nkind="fax"\n',
    'delivery.quiet[0]: is no pair of times': '[delivery]\nquiet=[["9","10"]]\n',
    'delivery.group_from: 1 is not': "[delivery]\ngroup_from=1\n",
    'channels[1].name: "l" is given twice': LOG * 2,
    "channels[0].allow_private[0]": HOOK + 'url="https://x"\nallow_private=["x"]\n',
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_with_its_key(fault):
    text = (
        BAD[fault].replace("[channels.receipts]", "[ignored]") if "secret:" in fault else BAD[fault]
    )
    if "secret:" in fault:
        text = FORM.format(url="http://x").replace('name = "sms"', 'name = "sms"\nsecret = "abc"')
    with pytest.raises(DistrictError) as told:
        read(text)
    assert fault in str(told.value)
    assert "abc" not in str(told.value)


def test_a_missing_secret_is_named_and_never_shown():
    settings = read(FORM.format(url="http://x")).channels[0]
    with pytest.raises(NoSecret, match="ORIOLE_SMS"):
        open_channel(settings, lambda name: None, lambda *a, **k: None)
    assert isinstance(open_channel(settings, secret, lambda *a, **k: None), SmsHttp)
