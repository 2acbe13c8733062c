"""The whole web with accounts over a real engine: a case, its findings and a notice of one
department, whose names hold a mark that nobody else may see."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
from accounts_kit import GOOD, Kit
from live_kit import ACCEPT, COUNTY, SURVEY, Live
from starlette.testclient import TestClient

from detector.accounts.opening import FILE as ACCOUNTS
from detector.accounts.opening import open_accounts
from detector.delivery.letterbox import Letterbox
from detector.ledger import NoticeQuery
from detector.ledger.content import Content
from detector.ledger.sqlite_file import FILE, open_ledger, open_outbox
from detector.live.reload import Reloader
from detector.live.shard import counting
from detector.testing import MemorySerials
from detector.web.api import Web, create_app
from detector.web.attachments import Attachments
from detector.web.doors import Doors
from detector.web.links import Links
from detector.web.readers import Readers
from detector.web.settings import Settings

V1 = "/api/v1"
MARK = "MARKD01"  # the case's number, and what the notice says
PHONE, IDENTITY = "13812345678", "110105199003078811"


class Court:
    """A web and a browser; `kit` tells the time of accounts."""

    def __init__(
        self, folder: Path, doors: dict[str, Any] | None = None, district: Path = COUNTY,
        content: Content | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        self.own: dict[str, TestClient] = {}  # browsers by role, of D01 alone
        self.foreign: dict[str, TestClient] = {}  # of D02 alone
        self.minute = 10
        self.kit = Kit(open_accounts(folder / ACCOUNTS))
        self.live = Live(open_ledger(folder / FILE), content=content, kind=counting)
        runner = self.live.runner
        said = f"{MARK} {PHONE} {IDENTITY}"
        answer = self.live.post(*({**e, "case_id": MARK, "title": said} for e in (ACCEPT, SURVEY)))
        assert answer.accepted == 2
        told: dict[str, Any] = {"now": lambda: self.kit.now_us} | (doors or {})
        self.doors = Doors(self.kit.registrar, **told)
        self.readers = Readers(lambda: self.live.ledger.reader())
        self.letterbox = Letterbox(open_outbox(folder / FILE), {}, lambda: 0, lambda: None)
        self.web = Web(
            runner, self.readers, runner.shard.engine.calendar.zone, Settings(**settings),
            Reloader(district, runner, lambda what, told: None), Links(b"s" * 32),
            letterbox=self.letterbox,
            papers=(MemorySerials(), lambda: runner.shard.engine.district),
            engine=lambda: runner.shard.engine, attachments=Attachments(folder / "attachments"),
            doors=self.doors,
        )  # fmt: skip
        self.app = create_app(self.web)
        self.client = self.browser()

    def browser(self, base_url: str = "http://localhost") -> TestClient:
        """A browser with cookies of its own."""
        return TestClient(
            self.app,
            base_url=base_url,
            raise_server_exceptions=False,
            follow_redirects=False,
            headers={"Accept-Language": "en"},
        )

    def __enter__(self) -> Court:
        self.client.__enter__()
        self.tick("09:10:00")
        (notice,) = self.live.ledger.notices(NoticeQuery())
        self.notice = notice.notice_id
        found = self.live.findings().values()
        self.finding = next(f.finding_id for f in found if f.department == "D01")
        return self

    def __exit__(self, *fault: object) -> None:
        self.client.__exit__(*fault)
        self.readers.close()
        self.doors.close()
        self.letterbox.close()
        self.live.stop()
        self.kit.store.close()

    def tick(self, at: str) -> None:
        """Time passes for the engine."""
        self.live.post({"kind": "tick", "at": f"2026-03-02T{at}+08:00"})

    # -- whoever comes ----------------------------------------------------------------------------

    def account(self, name: str, role: str, **told: Any) -> TestClient:
        """A browser in which somebody of this role has come in."""
        browser = self.browser()
        browser.cookies.set("oriole", self.kit.settled(name, role, **told))
        return browser

    def key(self, name: str, role: str = "system", **told: Any) -> dict[str, str]:
        """The header of a key."""
        given: dict[str, Any] = {"powers": ("see", "send", "gate"), "departments": None} | told
        _, key = self.kit.registrar.add_key(name, role, by="test", came=self.kit.came(), **given)
        return {"authorization": f"Bearer {key}"}

    def login(self, browser: TestClient, name: str, password: str = GOOD, **more: str) -> Any:
        """Fill in the login."""
        return browser.post("/login", data={"name": name, "password": password} | more)


def csrf_in(page: Any) -> str:
    """What a page's forms show besides the cookie."""
    found = re.search(r'name="csrf" value="([0-9a-f]*)"', page.text)
    assert found, page.text
    return found[1]


def lines(*told: Any) -> bytes:
    """NDJSON."""
    return b"\n".join(map(msgspec.json.encode, told))
