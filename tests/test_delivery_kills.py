"""Delivery is killed again and again, over a real file and against a real gateway."""

from __future__ import annotations

import random
import threading
from collections import Counter
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from delivery_kit import COUNTY, line_of
from delivery_process import Delivery
from gateways import checks
from gateways.process import Gateway
from outbox_laws import notice, post
from test_channels import FORM

from detector.district import District, district_from, read_folder
from detector.ledger import NoticeWork, Position, Work, after
from detector.ledger.content import content_of
from detector.ledger.sqlite_file import FILE, open_ledger, open_outbox
from detector.live import genesis
from detector.shelf import rules_folder

NOW = 1_790_000_000_000_000
WAYS = """[delivery]
quiet = []
on_days_off = true
group_from = 10000
recipient_per_hour_max = 10000
recipient_per_day_max = 10000
"""
KIND = 'kind = "sms_http"\n'
UNCAPPED = FORM.replace(KIND, KIND + "per_minute_max = 6000\n")  # attempts that were cut off count
A_LIFE = 25  # messages that are put in before each kill
LATE = 40_000  # answers of the gateway come half a second late: kills fall in between


class Engine(ThreadingHTTPServer):
    """Takes receipts over HTTP as a server does; `heard` wakes whoever waits for them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Ear)
        self.news, self.told = threading.Condition(), Counter[tuple[str, str]]()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def until(self, wanted: set[tuple[str, str]], wait_s: float = 120) -> None:
        """Wait until all of this was told."""
        with self.news:
            assert self.news.wait_for(lambda: wanted <= self.told.keys(), wait_s), len(self.told)

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class Ear(BaseHTTPRequestHandler):
    """One body of receipts."""

    server: Engine

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        """Take it whole."""
        assert self.path.startswith("/api/v1/events")
        lines = self.rfile.read(int(self.headers["content-length"])).split(b"\n")
        with self.server.news:
            self.server.told.update(line_of(one) for one in lines)
            self.server.news.notify_all()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")


class Place:
    """A data folder that an engine has begun, and a gateway."""

    def __init__(self, folder: Path, gateway: Gateway, more: str = "") -> None:
        folder.mkdir()
        self.folder, self.gateway = folder, gateway
        files = read_folder(COUNTY) | {
            "channels.toml": (WAYS + more + UNCAPPED.format(url=gateway.url)).encode()
        }
        self.ledger = open_ledger(folder / FILE)
        genesis.begin(self.ledger, content_of(files, rules_folder(), NOW))
        self.district: District = district_from(files)
        some = self.district.people.values()
        self.people = [p.person for p in some if p.role == "supervisor" and p.phone]
        self.put: list[str] = []
        self.engine = Engine()
        self.delivery: Delivery | None = None

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *fault: object) -> None:
        """Let go of everything, also of a delivery that a failure has left running."""
        if self.delivery is not None and self.delivery.process.poll() is None:
            self.delivery.kill()
        self.ledger.close()
        self.engine.close()

    def commit(self, count: int, **told: object) -> None:
        """The engine puts in so many messages."""
        posts, notices = [], []
        for _ in range(count):
            n = len(self.put)
            who = self.people[n % len(self.people)]
            one = post(f"n{n}.1", NOW, **({"person": who} | told))
            posts.append(one)
            notices.append(notice(f"n{n}", next_us=1 << 60))
            self.put.append(one.message_id)
        position: Position = self.ledger.position()
        work = Work(notices=NoticeWork(rows=notices, posts=posts))
        assert self.ledger.commit(position, work) == after(position, [])

    def deliver(self) -> Delivery:
        """Delivery, running."""
        self.delivery = Delivery(self.folder, self.engine.url, ORIOLE_SMS=checks.SECRET)
        return self.delivery


def reached(count: int, got: list[Any]) -> bool:
    """Has so much come."""
    return len(got) >= count


def killed(place: Place, kills: int, dice: random.Random) -> Counter[str]:
    """Kill delivery so often under load, then let it finish; how often each key came."""
    place.gateway.behave(*["late"] * LATE)
    for _ in range(kills):
        place.commit(A_LIFE)
        delivery = place.deliver()
        came = len(place.gateway.received())
        enough = partial(reached, came + dice.randint(1, A_LIFE))
        place.gateway.until(enough)
        delivery.kill()
    delivery = place.deliver()
    place.engine.until({(name, "sent") for name in place.put})
    assert delivery.stop() == 0
    return Counter(one["key"] for one in place.gateway.received())


def judge(place: Place, came: Counter[str]) -> int:
    """Nothing lost; what came again had no answer, and came under its own key. How many did."""
    outbox = open_outbox(place.folder / FILE)
    rows = outbox.rows(place.put)
    assert set(came) == set(place.put)
    assert Counter(row.state for row in rows.values()) == {"sent": len(place.put)}
    outbox.close()
    assert set(place.engine.told) == {(name, "sent") for name in place.put}
    raw = place.ledger._run("SELECT message_id, verdict FROM attempts")
    verdicts = Counter((name, verdict) for name, verdict in raw)
    for name, times in came.items():
        assert times - 1 <= verdicts[name, "unknown"], (name, times)
        assert times <= verdicts[name, "begun"] and verdicts[name, "sent"] == 1
    return sum(times > 1 for times in came.values())


def proved(folder: Path, kills: int, seed: int) -> int:
    """One run; how many messages came more than once."""
    with Gateway("http_gateway.py", "sms") as gateway, Place(folder, gateway) as place:
        return judge(place, killed(place, kills, random.Random(seed)))


@pytest.mark.slow
def test_killed_again_and_again(tmp_path):
    """20 kills in the middle of sending: every message arrives, the unanswered ones again."""
    assert proved(tmp_path / "data", 20, 1) > 10


@pytest.mark.prove
@pytest.mark.parametrize("part", range(10))
def test_two_hundred_kills(tmp_path, part):
    proved(tmp_path / "data", 20, 100 + part)


@pytest.mark.slow
def test_delivery_apart_is_alone_stops_cleanly_and_says_what_stands_still(tmp_path):
    with (
        Gateway("http_gateway.py", "sms") as gateway,
        Place(tmp_path / "data", gateway) as place,
    ):
        place.commit(1)
        delivery = place.deliver()
        gateway.until(lambda got: len(got) == 1)
        with pytest.raises(RuntimeError, match="ended with 2"):
            place.deliver()
        place.commit(1)  # found without being woken
        gateway.until(lambda got: len(got) == 2)
        assert delivery.stop() == 0
        assert delivery.log[-1]["event"] == "stopped"
        assert gateway.url not in str(delivery.log)  # an address may hold a robot's key
        outbox = open_outbox(place.folder / FILE)
        assert outbox.count() == {}
        outbox.close()
