"""Everything that can be asked, in this process: raw requests to the whole application, by whom
one likes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from accounts_kit import Kit
from cluster_kit import bodies_of, lines_of
from learning_kit import learning_county
from live_kit import Live
from outbox_laws import Subject, begun, ended, post
from screens_kit import BROKEN, DAYS, ODD, SEED

from detector.accounts.opening import FILE as ACCOUNTS
from detector.accounts.opening import open_accounts
from detector.accounts.replies import FILE as REPLIES
from detector.accounts.replies import Replies, open_replies
from detector.delivery.letterbox import Letterbox
from detector.delivery.outbox import DEAD
from detector.ledger import NoticeQuery, Query
from detector.ledger.content import Content
from detector.ledger.sqlite_file import FILE, open_ledger, open_outbox
from detector.live import Reloaded
from detector.live.shard import counting
from detector.testing import MemorySerials
from detector.web.api import Web, create_app
from detector.web.attachments import Attachments
from detector.web.doors import Doors as RealDoors
from detector.web.links import Link, Links
from detector.web.readers import Readers
from detector.web.who import LOCAL_ADMIN, Who

EVENTS = 1_500
WAIT_S = 20.0
BEGAN = 1_772_413_200_000_000
TRACE = (b"Traceback", b"site-packages", b'File "/', b"detector/", b'.py", line')
ONE = "D01"  # the department that a scoped account sees
SCOPED = Who("li", "supervisor", (ONE,))
SENDER = Who("key:one", "system", (ONE,))
Headers = list[tuple[bytes, bytes]]


@dataclass
class Told:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Doors(RealDoors):
    """Whoever comes is who the test says; all else is as it is, over a store of its own."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        store = open_accounts(folder / ACCOUNTS)
        ends.callback(store.close)
        super().__init__(Kit(store).registrar)
        ends.callback(self.close)
        self.comes = LOCAL_ADMIN

    async def who(self, scope: Any) -> Who | None:
        return self.comes


class Folder:
    """A district's folder in which nothing has changed."""

    problems: Sequence[Any] = ()

    def reload(self) -> Reloaded:
        return Reloaded([], "0")

    def rewrite(self, edit: Any) -> Reloaded:
        edit(b"")
        return Reloaded([], "0")


class Site:
    """The application with all of its routes, over a county at work. Not through a socket: what a
    server would have refused comes here, too."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        self.live = Live(content=self.content(), kind=counting)
        self.doors, links = Doors(folder, ends), Links(b"secret")
        ends.callback(self.live.stop)
        self.feed(self.live)
        runner = self.live.runner
        self.readers = Readers(self.live.ledger.reader, 64)
        ends.callback(self.readers.close)
        self.web = Web(
            runner, self.readers, runner.shard.engine.calendar.zone, district=Folder(),
            links=links, letterbox=_letterbox(folder, ends),
            papers=(MemorySerials(), lambda: runner.shard.engine.district),
            engine=lambda: runner.shard.engine, attachments=Attachments(folder / "files"),
            doors=self.doors, replies=_replies(folder, ends),
        )  # fmt: skip
        self.app: Any = create_app(self.web)
        self.loop = ends.enter_context(asyncio.Runner())
        life = self.app.router.lifespan_context(self.app)
        self.loop.run(life.__aenter__())
        ends.callback(lambda: self.loop.run(life.__aexit__(None, None, None)))
        self._look(links)

    def content(self) -> Content:
        """What judges: the county, and it learns."""
        return learning_county()

    def feed(self, live: Live) -> None:
        """What has happened: weeks of a county, with words in them that are none of ours."""
        for body in bodies_of(lines_of(EVENTS, SEED, DAYS), 500):
            live.post(body)
        live.post(*ODD)
        live.post(BROKEN)

    def _look(self, links: Links) -> None:
        ledger = self.live.ledger
        found = [msgspec.json.decode(h.json()) for _, h in ledger.findings(Query(limit=1 << 30))]
        self.rows = ledger.notices(NoticeQuery(limit=1 << 30))
        self.findings = {one["finding_id"]: one for one in found}
        mine = {one["case_id"] for one in found if one["department"] == ONE}
        foreign = [one for one in found if one["department"] not in (ONE, None)]
        self.foreign = {one["finding_id"] for one in foreign}
        self.foreign |= {one["case_id"] for one in foreign if one["case_id"] not in mine}
        self.foreign |= {r.notice_id for r in self.rows if r.department not in (ONE, None)}
        self.foreign -= {None}
        self.row = next(row for row in self.rows if row.open and row.department == ONE)
        issues = msgspec.json.decode(self.row.doc)["issues"]
        self.token = links.token(Link(self.row.notice_id, "P0101", issues))

    def ask(
        self, method: str, path: str, query: str | bytes = b"", body: bytes = b"",
        headers: Headers | None = None, who: Who = LOCAL_ADMIN,
    ) -> Told:  # fmt: skip
        """One request; `path` as it is sent, whatever is in it. What rises, rises here."""
        self.doors.comes = who
        raw = path if path.isascii() else quote(path, safe="/%", errors="surrogatepass")
        told = query if isinstance(query, bytes) else query.encode("utf-8", "surrogatepass")
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": unquote(raw), "raw_path": raw.encode(),
            "query_string": told, "root_path": "", "client": ("127.0.0.1", 1),
            "server": ("localhost", 80), "headers": [(b"host", b"localhost"), *(headers or [])],
        }  # fmt: skip
        return self.loop.run(asyncio.wait_for(self._asked(scope, body), WAIT_S))

    async def _asked(self, scope: dict[str, Any], body: bytes) -> Told:
        told = Told(0, {}, b"")
        parts, gone, comes = [], asyncio.Event(), [body]

        async def receive() -> dict[str, Any]:
            if comes:
                return {"type": "http.request", "body": comes.pop(), "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                told.status = message["status"]
                told.headers = {k.decode(): v.decode("latin-1") for k, v in message["headers"]}
                return
            parts.append(message.get("body", b""))
            if told.headers.get("content-type", "").startswith("text/event-stream"):
                gone.set()  # who looks on has seen enough

        await self.app(scope, receive, send)
        told.body = b"".join(parts)
        return told


def _replies(folder: Path, ends: ExitStack) -> Replies:
    """Answers kept by key: none yet."""
    store = open_replies(folder / REPLIES)
    ends.callback(store.close)
    return store


def _letterbox(folder: Path, ends: ExitStack) -> Letterbox:
    """Some dead letters."""
    ledger, outbox = open_ledger(folder / FILE), open_outbox(folder / FILE)
    Subject(outbox, ledger).commit(*(post(f"{name}.1", BEGAN) for name in "ab"))
    for name in "ab":
        ended(outbox, begun(outbox, f"{name}.1", BEGAN), DEAD, "dead", BEGAN, reason="refused: 17")
    ends.callback(ledger.close)
    box = Letterbox(outbox, {}, lambda: BEGAN + 9, lambda: None)
    ends.callback(box.close)
    return box


def county_site() -> Iterator[Site]:
    """One for all tests of a module."""
    with ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory()))
        site = Site(folder, ends)
        yield site
        assert site.live.failures == [] and site.live.runner.state == "ready"


def leaks(site: Site, told: Told, *asked: str | bytes) -> set[str]:
    """Ids of other departments in an answer, but for those that the request itself names."""
    names = b" ".join(one if isinstance(one, bytes) else one.encode("utf-8", "surrogatepass")
                      for one in asked)  # fmt: skip
    return {
        one for one in site.foreign
        if one.encode() in told.body and one.encode() not in names
    }  # fmt: skip
