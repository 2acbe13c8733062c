"""The pages over an engine at work in this process: a county's weeks, and a real server."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
from cluster_kit import bodies_of, lines_of
from learning_kit import learning_county
from live_kit import Live
from web_kit import WAIT_S, Served

from detector.ledger import NoticeQuery, NoticeRow, Query
from detector.live.shard import counting
from detector.values import iso_time
from detector.web.api import Web, create_app
from detector.web.links import Links
from detector.web.readers import Readers
from detector.web.server import Server, listen
from detector.web.settings import Settings

EVENTS, SEED, DAYS = 3_000, 11, 25
_ODD = {
    "case_id": "=<script>alert(1)</script>", "item": "permit", "department": "D01",
    "operator": '"><img src=x onerror=alert(2)>', "title": "</title><script>alert(3)",
}  # fmt: skip
ODD = [
    _ODD | {"event_id": name, "occurred_at": at, "recorded_at": at} | told
    for name, at, told in (
        ("x1", "2026-01-12T09:00:00+08:00", {"action": "accept"}),
        ("x2", "2026-01-12T09:00:20+08:00", {"action": "step", "step": "survey"}),
    )
]
ODD_CASE = _ODD["case_id"]
BROKEN = b'{"event_id":"b1","case_id":"c9","action":"<b>approve</b>","item":"permit"}\n'


class Screens(Served):
    """A web with pages over a live engine; `get` and `form` are a browser without script."""

    def __init__(self, live: Live, **more: Any) -> None:
        self.live, self.service = live, live.runner
        self.readers = Readers(live.ledger.reader, 64)
        zone = live.runner.shard.engine.calendar.zone
        self.web = Web(
            live.runner, self.readers, zone, Settings(), links=Links(b"secret"),
            engine=lambda: live.runner.shard.engine, **more,
        )  # fmt: skip
        self.app = create_app(self.web)
        self._listen()
        self.browser = httpx2.Client(base_url=self.url, timeout=WAIT_S)

    def _listen(self) -> None:
        self._sock = listen("127.0.0.1", 0)
        self.port = self._sock.getsockname()[1]
        self.server = Server(self.app, self.web, "127.0.0.1", self.port)
        self._ready = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def get(self, path: str, **more: Any) -> httpx2.Response:
        """A page, as it is answered."""
        return self.browser.get(path, **more)

    def form(self, path: str, **fields: Any) -> httpx2.Response:
        """A form that the page of the same address gave out."""
        return self.browser.post(path, data=fields)

    def time_passes(self) -> None:
        """A minute later: what was done has taken effect."""
        at = self.live.runner.figures.clock_us + 60_000_000
        self.live.post({"kind": "tick", "at": iso_time(at)})

    def findings(self, **wanted: Any) -> list[dict[str, Any]]:
        """What the interface tells."""
        return self.get("/api/v1/findings", params={"limit": 500, **wanted}).json()["items"]

    def notices(self, state: str = "open") -> list[NoticeRow]:
        """Notices as the ledger holds them."""
        return self.live.ledger.notices(NoticeQuery(state=state, limit=10_000))

    def every_finding(self) -> list[dict[str, Any]]:
        """All, one by one."""
        rows = self.live.ledger.findings(Query(limit=1 << 30))
        return [msgspec.json.decode(held.json()) for _, held in rows]


def over(live: Live) -> Iterator[Screens]:
    """The pages over a run, which ends with them."""
    with Screens(live) as screens:
        yield screens
        screens.browser.close()
    live.stop()
    assert live.failures == []


def county_screens() -> Iterator[Screens]:
    """The pages over three weeks of a county, with words in it that no page may take for its
    own."""
    live = Live(content=learning_county(), kind=counting)
    for body in bodies_of(lines_of(EVENTS, SEED, DAYS), 500):
        live.post(body)
    live.post(*ODD)
    live.post(BROKEN)
    yield from over(live)


def links_in(html: str) -> set[str]:
    """Addresses of ours that a page names."""
    found = re.findall(r'(?:href|src|action)="(/[^"#]*)', html)
    return {one.replace("&amp;", "&") for one in found}


def pages_of(screens: Screens) -> list[str]:
    """One page of every kind."""
    finding, notice = screens.findings(state="stands")[0], screens.notices()[0]
    limit = screens.get("/api/v1/models/pace").json()["limits"][0]["name"]
    by_person = next(one for one in screens.findings() if one["operator"])
    return [
        "/", "/board", "/notices?state=open", "/notices?sort=due", "/findings",
        f"/findings/{finding['finding_id']}", f"/notices/{notice.notice_id}",
        f"/cases/{finding['case_id']}", "/departments", "/departments/D01",
        f"/operators/{by_person['operator']}", "/rules", "/rules/too_fast_step",
        "/rules/too_fast_step/thresholds?at=90", "/rules/overdue_promise/thresholds",
        "/rules/unusually_fast", "/models", "/models/pace?sort=value", f"/models/pace?key={limit}",
        "/quality",
        "/search", "/search?q=3204", "/search?q=nothing",
    ]  # fmt: skip
