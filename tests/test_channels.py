"""channels.toml: what it may say, what it must not, and that each kind opens."""

from __future__ import annotations

from typing import Any

import pytest
from channels_kit import opened, read
from gateways import checks
from gateways.sms import FORMS, channel_text, secrets

from detector.adapters.ways import NoSecret, open_channel
from detector.channels import KINDS, Channels, ChannelSettings, DeliverySettings, Route
from detector.district import DistrictError

# What a district writes for the gateway that other tests start; `{url}` is where that is.
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
SMS = FORM.format(url="https://sms.example.org")
EVERY_KIND = """
[[channels]]
name = "smpp"
kind = "smpp"
host = "smpp.example.org"
system_id = "oriole"
password_file = "/run/secrets/smpp"
[[channels]]
name = "hook"
kind = "webhook"
url = "https://hooks.example.org/oriole"
secrets_env = ["ORIOLE_NEW", "ORIOLE_HOOK"]
[[channels]]
name = "ding"
kind = "dingtalk"
token_env = "ORIOLE_WORD"
secret_env = "ORIOLE_WORD"
[[channels]]
name = "wecom"
kind = "wecom"
base_url = "https://im.example.gov.cn"
allow_private = ["10.1.0.0/16"]
token_env = "ORIOLE_WORD"
[[channels]]
name = "feishu"
kind = "feishu"
token_env = "ORIOLE_WORD"
[[channels]]
name = "mail"
kind = "mail"
host = "mail.example.org"
user = "jiancha"
password_env = "ORIOLE_WORD"
from = "jiancha@example.org"
[[channels]]
name = "log"
kind = "log"
"""


def held(name: str) -> str | None:
    """An environment in which every channel above opens."""
    told = {"ORIOLE_HOOK": checks.HOOK, "ORIOLE_WORD": "w", "/run/secrets/smpp": "p"}
    return told.get(name) or secrets(name)


def test_a_district_without_the_file_writes_to_the_log():
    assert Channels().channels == (ChannelSettings("log", "log"),)
    assert read("") == Channels()


def test_every_kind_is_read_and_opens():
    channels = read(SMS + EVERY_KIND).channels
    assert {one.kind for one in channels} | {"apprise"} == set(KINDS)
    for one in channels:
        channel = open_channel(one, held, lambda *a, **k: None)
        assert channel.name == one.name
        if one.kind != "sms_http":
            with pytest.raises(ValueError, match="callback"):
                channel.receipts(b"{}", {})


@pytest.mark.parametrize("kind", FORMS)
def test_a_gateway_without_callbacks_has_none(kind):
    channel = opened(channel_text("https://x.example", kind).partition("[channels.rec")[0], held)
    with pytest.raises(ValueError, match="callback"):
        channel.receipts(b"{}", {})


def test_what_is_said_of_delivery_routes_and_mutes():
    told = read(
        '[delivery]\nbase_url = "https://jc.example.org"\nsignature = "示例区"\n'
        'quiet = [["22:00", "06:30"], ["12:00", "14:00"]]\non_days_off = true\npierce_tier = 2\n'
        + SMS + '[[routes]]\nchannels = ["sms"]\ntiers = [2, 3]\nlevels = [2]\n'
        '[[mutes]]\nreason = "迁移"\nfrom = "2026-03-02 09:00:00"\nuntil = "2026-03-02 10:00:00"\n'
        'departments = ["D01"]\nchannels = ["sms"]\n'
    )  # fmt: skip
    assert told.delivery == DeliverySettings(
        base_url="https://jc.example.org", signature="示例区", quiet=((1_320, 390), (720, 840)),
        on_days_off=True, pierce_tier=2,
    )  # fmt: skip
    assert told.routes == (Route(("sms",), (2, 3), (2,)),)
    [mute] = told.mutes
    assert mute.end_us - mute.begin_us == 3_600_000_000 and mute.reason == "迁移"
    assert read(SMS).routes == (Route(("sms",)),)  # without routes all go by all


FILE = 'secret_file="/run/secrets/x"'
LOG = '[[channels]]\nname="l"\nkind="log"\n'
HOOK = '[[channels]]\nname="h"\nkind="webhook"\nsecrets_env=["A"]\n'
MAIL = '[[channels]]\nname="m"\nkind="mail"\nhost="h"\nfrom="a@b.cn"\n'
MUTE = '[[mutes]]\nreason="r"\nfrom="2026-03-02"\nuntil="2026-03-03"\n'


def changed(old: str, new: str) -> str:
    """The gateway's text with one place changed."""
    assert old in SMS
    return SMS.replace(old, new)


BAD = {
    "channels[0].url: \"ftp://x\" is no web address": HOOK + 'url="ftp://x"\n',
    "channels[0].url: \"https://x:99999/\" is no web": HOOK + 'url="https://x:99999/"\n',
    "channels[0].url: holds a password": HOOK + 'url="https://me:abc@x"\n',
    "delivery.signature: is longer": '[delivery]\nsignature="' + "某" * 29 + '"\n' + LOG,
    "channels[0].signature: is longer": changed("【示例区】", "某" * 29),
    "channels[0].url: token is a secret": HOOK + 'url="https://x/?token=abc"\n',
    "channels[0].secrets_env: names no variables": '[[channels]]\nname="h"\nkind="webhook"\n'
    'url="https://x"\nsecrets_env=["whsec_abc"]\n',
    "channels[0].timeout_s: 21 is not": HOOK + 'url="https://x"\ntimeout_s=21\n',
    "channels[0].allow_private[0]": HOOK + 'url="https://x"\nallow_private=["x"]\n',
    "channels[0].colour: is an unknown key": LOG + 'colour="red"\n',
    "channels[0].per_minute_max: 0 is not": LOG + "per_minute_max=0\n",
    "channels[0].name: \"a b\" is no name": '[[channels]]\nname="a b"\nkind="log"\n',
    "channels[1].name: \"l\" is given twice": LOG * 2,
    "channels[0].kind: \"fax\" is unknown": '[[channels]]\nname="l"\nkind="fax"\n',
    "channels[0].secret: is a secret": changed("secret_env", 'secret = "abc"\nsecret_env'),
    "channels[0].password: is a secret": MAIL + 'password = "abc"\n',
    "channels[0].secret_env: \"abc-1\" is no name": changed('"ORIOLE_SMS"', '"abc-1"'),
    "channels[0].secret_file: stands beside": changed("secret_env", FILE + "\nsecret_env"),
    "channels[0].secret_file: \"x\" is not where": changed("secret_env", 'secret_file="x"#'),
    "channels[0].secret_file: \"/etc/x\" is not": changed("secret_env", 'secret_file="/etc/x"#'),
    "channels[0].secret_file: \"/run/secrets/../x\" is not": changed(
        "secret_env", FILE.replace("s/", "s/../") + "#"
    ),
    "channels[0].body.pwd: is a secret": changed("body = {", 'body = { pwd = "abc",'),
    "channels[0].headers.Authorization: is a secret": changed(
        "body =", 'headers = { Authorization = "Bearer abc" }\nbody ='
    ),
    "channels[0].body: names no {to}": changed('"{to}"', '"{whom}"'),
    "channels[0].body.mobile: is neither": changed('mobile = "{to}"', 'mobile = ["{to}"]'),
    "channels[0].sign.kind: \"rot13\" is unknown": changed('"md5"', '"rot13"'),
    "channels[0].success.values: is empty": changed('values = ["0"]', "values = []"),
    "channels[0].success.op: \"or\" is unknown": changed("field = \"result\"", 'op = "or"'),
    "channels[0].receipts.header: is missing": changed('header = "X-Word"', ""),
    "channels[0].receipts.message_field: is missing": changed('message_field = "msgid"', ""),
    "channels[0].receipts.statuses.DELIVRD: \"arrived\"": changed('"delivered"', '"arrived"'),
    "channels[0].receipts.word_env: is missing": changed('secret_env = "ORIOLE_SMS"', ""),
    "channels[0].tls: would send": MAIL + 'user="u"\npassword_env="P"\ntls="none"\n',
    "channels[0].password_env: is missing": MAIL + 'user="u"\n',
    "channels[0].from: \"b.cn\" is no address": MAIL.replace("a@b.cn", "b.cn"),
    "delivery.quiet[0]: is no pair of two times": '[delivery]\nquiet=[["9","10"]]\n',
    "delivery.quiet[1]: is no pair": '[delivery]\nquiet=[["21:00","06:00"],["09:00","09:00"]]\n',
    "delivery.group_from: 1 is not": "[delivery]\ngroup_from=1\n",
    "delivery.base_url: holds a password": '[delivery]\nbase_url="https://me:abc@x"\n',
    "routes[0].channels[0]: \"fax\" is no channel": LOG + '[[routes]]\nchannels=["fax"]\n',
    "routes[0].channels: names none": LOG + "[[routes]]\ntiers=[1]\n",
    "routes[0].tiers[1]: 9 is not": LOG + '[[routes]]\nchannels=["l"]\ntiers=[1,9]\n',
    "mutes[0].until: is not after from": LOG + MUTE.replace("03-03", "03-02"),
    "mutes[0].from: ": LOG + MUTE.replace("2026-03-02", "soon"),
    "mutes[0].channels[0]: \"fax\" is no channel": LOG + MUTE + 'channels=["fax"]\n',
    "colours: is an unknown key": "[colours]\n",
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_is_refused_with_its_key_and_line(fault):
    with pytest.raises(DistrictError) as told:
        read(BAD[fault])
    [problem] = told.value.problems
    assert f"channels.toml: {fault}" in str(problem)
    assert problem.line and problem.remedy
    assert "abc" not in str(problem) or "abc-1" in fault  # no message repeats a secret


def test_every_mistake_is_told_at_once():
    with pytest.raises(DistrictError) as told:
        read(HOOK + 'url="ftp://x"\n' + LOG + 'colour="red"\n[delivery]\ngroup_from=1\n')
    assert len(told.value.problems) == 3


@pytest.mark.parametrize(
    ("text", "secret", "named"),
    [
        (SMS, {}, "ORIOLE_SMS is not there"),
        (
            SMS.replace("secret_env", "secret_file").replace("ORIOLE_SMS", "/run/secrets/x"),
            {},
            "/run/secrets/x cannot",
        ),
        (HOOK + 'url="https://x"', {}, "none of A"),
        (HOOK + 'url="https://x"', {"A": "whsec_A"}, "at its opening"),
        (HOOK + 'url="https://x"\nca_file="/no/such"', {"A": checks.HOOK}, "at its opening"),
    ],
)
def test_a_channel_that_cannot_open_says_why_and_shows_no_secret(text, secret, named):
    def held(name: str) -> str | None:
        if name.startswith("/"):
            raise FileNotFoundError(name)
        return secret.get(name)

    with pytest.raises(NoSecret, match=named) as told:
        opened(text, held)
    assert not any(one in str(told.value) for one in secret.values())


def test_secrets_come_from_the_environment_and_from_files(tmp_path, monkeypatch):
    from detector.adapters.machine import secret

    path = tmp_path / "word"
    path.write_text("w1\n", "utf-8")
    monkeypatch.setenv("ORIOLE_WORD", "w2")
    monkeypatch.setenv("ORIOLE_OTHER_FILE", str(path))
    told: list[Any] = [secret(n) for n in (str(path), "ORIOLE_WORD", "ORIOLE_OTHER", "ORIOLE_NO")]
    assert told == ["w1", "w2", "w1", None]
