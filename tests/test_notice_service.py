"""The whole road: a step is recorded, a text message arrives, its link is opened and answered."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from delivery_process import Delivery
from gateways import checks
from gateways.process import Gateway
from live_kit import ACCEPT, COUNTY, SURVEY
from service import Service
from test_channels import FORM
from test_delivery_kills import Engine

from detector.web.links import Link, Links
from replay.verify import verify

BASE = "https://jc.example.gov.cn"
ROUTES = """[[routes]]
channels = ["sms"]
tiers = [2, 3]
"""


@pytest.fixture
def house(tmp_path: Path):
    """A service whose district sends by a gateway, and that gateway."""
    with Gateway("http_gateway.py", "sms") as gateway:
        district = tmp_path / "district"
        shutil.copytree(COUNTY, district)
        ways = f'[delivery]\nbase_url = "{BASE}"\nquiet = []\non_days_off = true\n'
        (district / "channels.toml").write_text(ways + FORM.format(url=gateway.url) + ROUTES)
        service = Service(tmp_path / "data", "--district", str(district), ORIOLE_SMS=checks.SECRET)
        yield service, gateway, tmp_path / "data"
        service.stop()


def lines(*told: Any) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in told)


def tick(at: str) -> dict[str, str]:
    return {"kind": "tick", "at": f"2026-03-02T{at}+08:00"}


def test_a_message_is_sent_answered_by_its_link_and_proved_again(house):
    service, gateway, data = house
    service.post(lines(ACCEPT, SURVEY, tick("09:01:05")))
    [sms] = gateway.until(lambda some: len(some) == 1)
    assert sms["to"] == "13900000005"
    address = re.search(rf"{BASE}(/n/\S+)", sms["text"])
    assert address and "督办通知" in sms["text"] and "13900000005" not in sms["text"]
    page = service.ask(address[1])
    assert page[0] == 200 and "签收" in page[1].decode()
    assert service.ask(address[1])[0] == 200  # opening it changes nothing
    [notice] = service.ask("/api/v1/notices?tier=2")[1]["items"]
    assert notice["state"] in ("issued", "delivered")

    def form(act: str, more: str = "") -> tuple[int, Any]:
        told = service.ask(address[1])[1].decode()
        place = told.rindex('name="form" value="', 0, told.index(f'value="{act}"'))
        name = told[place:].split('"')[3]
        body = f"form={name}&act={act}{more}".encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        first = service.ask(address[1], body, **kind)
        service.post(lines(tick(f"09:0{2 + len(more) % 7}:00")))
        assert service.ask(address[1], body, **kind)[0] in (200, 409)  # sent twice, it counts once
        return first

    assert form("acknowledge")[0] == 200
    assert form("answer", "&text=%E5%B7%B2%E6%A0%B8%E5%AE%9E&confirmed=1")[0] == 200
    service.post(lines(tick("09:30:00")))
    whole = service.ask(f"/api/v1/notices/{notice['notice_id']}")[1]
    assert whole["state"] == "answered"
    acts = [(h["actor"], h["reason"]) for h in whole["history"] if h["actor"] != "oriole"]
    done = [one for one in acts if not one[1].startswith("not_allowed")]
    assert done == [("P0105", "acknowledged"), ("P0105", "answered")]
    assert service.ask(address[1], b"form=x&act=answer&text=y")[0] == 400
    service.post(lines(tick("09:31:00")))
    found = gateway.until(lambda some: sum("审核" in one["text"] for one in some) == 2)
    assert len({one["key"] for one in found}) == len(found)
    assert service.stop() == 0
    told = verify(data)
    assert told.fault == "" and told.notices >= 1


def test_a_service_that_is_killed_sends_each_message_once(house):
    service, gateway, data = house
    service.post(lines(ACCEPT, SURVEY, tick("09:01:05")))
    gateway.until(lambda some: len(some) == 1)
    service.kill()
    again = Service(data, "--district", str(data.parent / "district"), ORIOLE_SMS=checks.SECRET)
    ordered = {
        "subject_kind": "case", "subject": "c9", "department": "D02", "tier": 2, "text": "速办",
        "actor": "P0804",
    }  # fmt: skip
    key = {"Idempotency-Key": "one"}
    for _ in range(2):
        status, _ = again.ask("/api/v1/notices", json.dumps(ordered).encode(), **key)
        assert status in (201, 202)  # it begins with the next tick
        again.post(lines(tick("09:05:00")))
    gateway.until(lambda some: any(one["to"] == "13900000010" for one in some))
    assert again.stop() == 0
    keys = [one["key"] for one in gateway.received()]
    # killed before the gateway's answer was read: then once more, under the same key
    assert len(set(keys)) == 2 and len(keys) <= 3
    assert [keys.count(one) for one in set(keys) if one != keys[0]] == [1]


def test_delivery_apart_hears_receipts_and_tells_the_server(house):
    """`oriole deliver` beside a server that delivers nothing: what a gateway told the server's door
    the sender finds in the file, and tells as a receipt."""
    service, gateway, data = house
    assert service.stop() == 0
    place = ("--district", str(data.parent / "district"), "--no-deliver")
    apart, ear = Service(data, *place, ORIOLE_SMS=checks.SECRET), Engine()
    try:
        sender = Delivery(data, ear.url, ORIOLE_SMS=checks.SECRET)
        apart.post(lines(ACCEPT, SURVEY, tick("09:01:05")))
        [sms] = gateway.until(lambda some: len(some) == 1)
        body = json.dumps({"msgid": sms["key"], "stat": "DELIVRD"}).encode()
        word = {"X-Word": checks.SECRET}
        assert apart.ask("/api/v1/receipts/sms", body, **word) == (200, {"received": 1})
        assert apart.ask("/readyz")[1]["delivery"]["state"] == "elsewhere"
        ear.until({(sms["key"], "sent"), (sms["key"], "delivered")})
        assert sender.stop() == 0
    finally:
        ear.close()
        assert apart.stop() == 0
    assert verify(data).fault == ""


def test_links_name_one_notice_one_person_and_one_issue():
    links, other = Links(b"a" * 32, "https://x/"), Links(b"b" * 32)
    link = Link("n1", "P1", 1)
    token = links.token(link)
    assert links.read(token) == link and links.url(link) == f"https://x/n/{token}"
    assert other.url(link) == "" and other.read(token) is None
    for bad in ("", "x", token[:-1] + ("A" if token[-1] != "A" else "B"), token + "A" * 400, "é"):
        assert links.read(bad) in (None, link) and links.read(bad) != Link("n1", "P2", 1)
    assert links.read(token[:-2]) is None
    form = links.form(token)
    assert links.is_form(token, form) and form != links.form(token)
    assert not links.is_form(links.token(Link("n1", "P1", 2)), form)
    assert not links.is_form(token, form[:24] + "0" * 32) and not links.is_form(token, "é")


def test_receipts_come_back_by_the_agreed_word(house):
    service, gateway, _ = house
    service.post(lines(ACCEPT, SURVEY, tick("09:01:05")))
    [sms] = gateway.until(lambda some: len(some) == 1)
    body = json.dumps({"msgid": sms["key"], "stat": "DELIVRD"}).encode()
    assert service.ask("/api/v1/receipts/sms", body, **{"X-Word": "guess"})[0] == 403
    assert service.ask("/api/v1/receipts/fax", body)[0] == 404
    told = service.ask("/api/v1/receipts/sms", body, **{"X-Word": checks.SECRET})
    assert told == (200, {"received": 1})
