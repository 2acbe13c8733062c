"""Text messages over HTTP, against gateways that are processes of their own."""

from __future__ import annotations

import asyncio
import http.server
import threading
from typing import Any

import pytest
from channels_kit import TEXT, message, opened, sent
from gateways.checks import SECRET
from gateways.sms import WORD, SmsGateway, channel_text, secrets

from detector.adapters.numbers import masked, number_of
from detector.adapters.templates import Said, filled, signed
from detector.delivery import QUERY, Channel, Outcome, Receipt


def sms(url: str, kind: str = "sms") -> Channel:
    return opened(channel_text(url, kind), secrets)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("sms", Outcome("sent", "0", gateway_id="g-n1.1")),
        ("json", Outcome("sent", "OK", gateway_id="g-n1.1")),
        ("get", Outcome("sent", "0,g-n1.1")),
    ],
)
def test_a_text_message_in_the_shapes_that_gateways_use(kind, outcome):
    text = TEXT + '"引号\\" & {to} = 100%'
    with SmsGateway(kind) as gateway:
        assert sent(sms(gateway.url, kind), message(text=text)) == [outcome]
        [got] = gateway.until(lambda some: len(some) == 1)
        assert got == {"key": "n1.1", "to": "13900000003", "text": text}


@pytest.mark.parametrize("kind", ["sms", "json", "get"])
def test_a_wrong_secret_is_refused_by_the_gateways_own_word(kind):
    with SmsGateway(kind) as gateway:
        channel = opened(gateway.text(), lambda name: "wrong")
        assert [o.verdict for o in sent(channel, message())] == ["refused"]
        assert gateway.received() == []


@pytest.mark.parametrize(
    ("how", "verdict", "code", "taken"),
    [
        ("429", "retry", "429", 0), ("500", "retry", "500", 0), ("bad", "refused", "400", 0),
        ("refuse", "refused", "17", 0), ("busy", "retry", "9", 0),
        ("redirect", "refused", "302", 0),
        ("silent", "unknown", "no_answer", 0), ("mute", "unknown", "no_answer", 1),
        ("drop", "unknown", "no_answer", 1), ("drip", "unknown", "no_answer", 1),
        ("flood", "unknown", "unreadable", 1), ("page", "unknown", "unreadable", 0),
        ("late", "sent", "0", 1), ("twice", "sent", "0", 1),
    ],
)  # fmt: skip
def test_what_a_gateway_does_is_told_apart(how, verdict, code, taken):
    with SmsGateway() as gateway:
        gateway.behave(how, to="13900000003")
        channel = sms(gateway.url)
        other = message("n1.0", to="13900000001")  # another number: all is well with it
        before, first, second = sent(channel, other, message(), message("n1.2"))
        assert (first.verdict, first.code) == (verdict, code)
        assert first.retry_after_s == (7 if how in ("429", "500") else None)
        assert (before.verdict, second.verdict) == ("sent", "sent")
        assert (before.gateway_id, second.gateway_id) == ("g-n1.0", "g-n1.2")
        gateway.until(lambda some: "n1.2" in [one["key"] for one in some])
        assert gateway.keys() == {"n1.0": 1, "n1.2": 1} | ({"n1.1": 1} if taken else {})


def test_a_retry_bears_the_same_key():
    with SmsGateway() as gateway:
        gateway.behave("drop")
        first, second = sent(sms(gateway.url), message(), message())
        assert (first.verdict, second.verdict) == ("unknown", "sent")
        assert gateway.keys() == {"n1.1": 2}


def test_a_gateway_that_is_not_there_took_nothing():
    with SmsGateway() as gateway:
        url = gateway.url
    [told] = sent(sms(url), message())
    assert (told.verdict, told.code) == ("retry", "no_connection")
    [told] = sent(sms("http://no-such-host.invalid"), message())
    assert (told.verdict, told.code) == ("retry", "no_such_host")


def test_many_go_at_once():
    async def run(channel: Channel) -> list[Outcome]:
        told = await asyncio.gather(*(channel.send(message(f"n{n}")) for n in range(60)))
        await channel.close()
        return told

    with SmsGateway() as gateway:
        told = asyncio.run(run(sms(gateway.url)))
        assert [o.gateway_id for o in told] == [f"g-n{n}" for n in range(60)]
        assert max(gateway.keys().values()) == 1


# --- receipts --------------------------------------------------------------------------------


def test_receipts_bear_the_agreed_word():
    channel = sms("http://127.0.0.1:1")
    body = b'[{"msgid":"n1.1","stat":"DELIVRD"},{"msgid":"n1.2","stat":"UNDELIV"},{"stat":"?"}]'
    told = channel.receipts(body, {"x-word": WORD})
    assert told == [
        Receipt("delivered", "n1.1", code="DELIVRD"), Receipt("failed", "n1.2", code="UNDELIV"),
    ]  # fmt: skip
    for guess in ("guess", "", "口令", WORD + "x", SECRET):
        with pytest.raises(ValueError, match="agreed word"):
            channel.receipts(body, {"x-word": guess})
    with pytest.raises(ValueError, match="agreed word"):
        channel.receipts(body, {})


BODY = b'{"data":{"reports":[{"id":"g7","state":0},{"id":"g8","state":2}]}}'
RECEIPTS = {"list": 'list_field = "data.reports"\nstatus_field = "state"\nid_field = "id"\n'}
STATES = 'statuses = { 0 = "delivered", 2 = "failed" }\n'


def reported(how: str) -> Channel:
    head, _, _ = channel_text("http://127.0.0.1:1").partition("[channels.receipts]")
    return opened(f'{head}[channels.receipts]\nword_env = "ORIOLE_SMS_WORD"\n{how}', secrets)


def test_receipts_by_a_word_in_the_address_or_a_signature():
    rest = RECEIPTS["list"] + STATES
    want = [Receipt("delivered", "", "g7", "0"), Receipt("failed", "", "g8", "2")]
    by_query = reported(f'query = "token"\n{rest}')
    assert by_query.receipts(BODY, {QUERY: f"a=1&token={WORD}"}) == want
    by_sign = reported(f'header = "X-Sign"\nsign = {{ kind = "hmac_sha256" }}\n{rest}')
    mark = signed({"kind": "hmac_sha256"}, BODY, WORD)
    assert by_sign.receipts(BODY, {"x-sign": mark}) == want
    for channel, headers, body in (
        (by_query, {QUERY: "token=x"}, BODY), (by_query, {"token": WORD}, BODY),
        (by_sign, {"x-sign": mark}, BODY + b" "), (by_sign, {"x-sign": WORD}, BODY),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="agreed word"):
            channel.receipts(body, headers)


def test_a_receipt_as_a_form_and_bodies_that_cannot_be_read():
    channel = sms("http://127.0.0.1:1")
    word = {"x-word": WORD}
    assert channel.receipts(b"msgid=n1.1&stat=DELIVRD", word) == [
        Receipt("delivered", "n1.1", code="DELIVRD")
    ]
    assert channel.receipts(b'{"msgid":"n1.1","stat":"ACCEPTD"}', word) == []  # on its way
    for body in (b"", b"[]x", b"[1]", b'{"other":1}', b"\xff\xfe", b"[" * 100_000):
        with pytest.raises(ValueError, match="no list"):
            channel.receipts(body, word)


def test_the_gateway_brings_receipts_to_an_address():
    """The kit itself, as the tests of delivery use it."""
    came: list[tuple[Any, ...]] = []
    news = threading.Event()

    class Here(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            came.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(200)
            self.end_headers()
            news.set()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with SmsGateway() as gateway, http.server.HTTPServer(("127.0.0.1", 0), Here) as here:
        threading.Thread(target=here.serve_forever, daemon=True).start()
        gateway.report(f"http://127.0.0.1:{here.server_address[1]}/receipts/sms", "UNDELIV")
        channel = sms(gateway.url)
        sent(channel, message())
        assert news.wait(20)
        here.shutdown()
    assert channel.receipts(*came[0]) == [Receipt("failed", "n1.1", code="UNDELIV")]


# --- parts -----------------------------------------------------------------------------------


def test_numbers():
    for good in (
        "13900000001", "+86 139-0000-0001", "16600000001", "19900000001", "008619900000001",
        "8613900000001", "+8613900000001",
    ):  # fmt: skip
        assert number_of(good) == "".join(c for c in good if c.isdigit())[-11:]
    for abroad in ("+85291234567", "0085291234567", "+852 9123 4567"):
        assert number_of(abroad) == "+85291234567"
    for bad in (
        "", "12900000001", "1390000000", "abc", "139000000011", "+0123456789",
        "１３９００００００００１",
        "13900000001\n", "+8612900000001x",
    ):  # fmt: skip
        assert number_of(bad) is None, bad
        assert sent(sms("http://127.0.0.1:1"), message(to=bad))[0].code == "no_number"


def test_masks():
    assert masked("13900000001") == "139****0001"
    assert masked("zhang@example.org") == "z****@example.org"
    assert (masked("1234"), masked("")) == ("****", "")


def test_a_template_is_filled_once():
    told = {"to": "1", "text": "{secret}", "secret": "s"}
    assert filled({"a": ["{text}", 3], "b": "{nosuch}"}, told) == {
        "a": ["{secret}", 3], "b": "{nosuch}",
    }  # fmt: skip


def test_signatures_against_published_ones():
    """RFC 1321, RFC 2202 (case 2) and RFC 4231 (case 2)."""
    assert signed({"kind": "md5"}, b"abc", "") == "900150983cd24fb0d6963f7d28e17f72"
    assert signed({"kind": "md5", "as": "HEX"}, b"abc", "") == "900150983CD24FB0D6963F7D28E17F72"
    data = b"what do ya want for nothing?"
    sha1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    assert signed({"kind": "hmac_sha1"}, data, "Jefe") == sha1
    sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signed({"kind": "hmac_sha256"}, data, "Jefe") == sha256
    assert signed({"kind": "none"}, data, "Jefe") == ""


@pytest.mark.parametrize(
    ("body", "path", "value"),
    [
        (b"0", "", "0"), (b" 0,17 \r\n", "", "0,17"), (b'{"a":{"b":[7,8]}}', "a.b.1", "8"),
        (b'{"a":true}', "a", "true"), (b'{"a":null}', "a", ""), (b'{"a":{}}', "a", ""),
        (b"result=0&id=3", "result", "0"), (b"[1]", "a", ""), (b"", "a", ""), (b"\xff", "a", ""),
        (b'{"a":"1"}', "a.b", ""), (b"a=1&" * 400, "a", ""), (b"[" * 100_000, "a", ""),
    ],
)  # fmt: skip
def test_what_a_gateway_said_is_found(body, path, value):
    assert Said(body).at(path) == value
