"""Pages in a real browser: Debian's Chromium, driven by Playwright; nothing is downloaded.

One browser a process of tests, a context of its own for each test. `browse` opens pages, and at the
end of the test complains of what no page may do: write to the console, breach its policy, ask
another host, fail to load something. What a test provokes it says beforehand: `forgive`.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from conftest import ON_CI, ROOT

if TYPE_CHECKING:
    from playwright.sync_api import (
        Browser,
        BrowserContext,
        ConsoleMessage,
        Page,
        Playwright,
        Request,
        Response,
    )

SIZES = {
    "phone": (390, 844),
    "desk": (1366, 768),
    "wall": (1920, 1080),
    "wall4k": (3840, 2160),
}
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
AXE = ROOT / ".cache" / "axe" / "axe.min.js"
AXE_HASHES = ROOT / "deploy" / "axe" / "SHA256SUMS"
WAIT_MS = 20_000
WAIT_S = WAIT_MS / 1000
# Chromium tells of a breached policy in its console; this says it for pages that listen to none.
TELL_BREACHES = """addEventListener("securitypolicyviolation", (e) =>
  console.error(`policy: ${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile}`))"""
# Latin letters alone, as on a wall box where nobody installed a Chinese font.
NO_CHINESE = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>/usr/share/fonts/truetype/dejavu</dir><cachedir>{cache}</cachedir></fontconfig>
"""


def missing() -> str:
    """What is not installed, with how to install it; "" where nothing is missing."""
    told = []
    if not Path(CHROMIUM).exists():
        told.append("Chromium is not installed: apt-get install chromium")
    with suppress(ImportError):
        import playwright  # noqa: F401

        return "; ".join(told)
    return "; ".join([*told, "playwright is not installed: make setup"])


def leave_out(told: str, on_ci: bool = ON_CI) -> None:
    """A visible skip of what cannot be looked at here; a failure on CI."""
    if told:
        pytest.fail(told) if on_ci else pytest.skip(told)


class Driver:
    """Playwright, whose loop runs in the tests' thread only while a page is in use: elsewhere a
    test in the same process may run a loop of its own."""

    def __init__(self) -> None:
        from playwright.sync_api import sync_playwright

        self._starter = sync_playwright()
        self.playwright: Playwright = self._starter.start()
        self._loop = asyncio._get_running_loop()
        self._browsers: dict[str, Browser] = {}
        self.rest()

    def wake(self) -> None:
        """Before any use."""
        asyncio._set_running_loop(self._loop)

    def rest(self) -> None:
        """After it."""
        asyncio._set_running_loop(None)

    def browser(self, fonts: Path | None = None) -> Browser:
        """The browser, begun at first use; with `fonts` one that sees only what that file says."""
        name = str(fonts or "")
        if name not in self._browsers:
            more = {"FONTCONFIG_FILE": name} if fonts else {}
            self._browsers[name] = self.playwright.chromium.launch(
                executable_path=CHROMIUM, env={**os.environ, **more},
                args=["--no-sandbox"] if os.geteuid() == 0 else [],
            )  # fmt: skip
        return self._browsers[name]

    def stop(self) -> None:
        """End the browsers."""
        self.wake()
        for browser in self._browsers.values():
            browser.close()
        self.playwright.stop()
        self.rest()


@pytest.fixture(scope="session")
def driver() -> Iterator[Driver]:
    """One a process of tests."""
    leave_out(missing())
    one = Driver()
    yield one
    one.stop()


@pytest.fixture(scope="session")
def no_chinese(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of fonts without a Chinese one, for `browse(…, fonts=no_chinese)`."""
    folder = tmp_path_factory.mktemp("fonts")
    file = folder / "fonts.conf"
    file.write_text(NO_CHINESE.format(cache=folder / "cache"))
    return file


class Browse:
    """Opens pages for one test, and notes what they do wrong."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._contexts: list[BrowserContext] = []
        self._forgiven: list[re.Pattern[str]] = []
        self.faults: list[str] = []
        self.requests: list[str] = []  # addresses, in order

    def forgive(self, pattern: str) -> None:
        """Faults that this test provokes."""
        self._forgiven.append(re.compile(pattern))

    def context(
        self, size: str = "desk", locale: str = "zh-CN", fonts: Path | None = None, **more: Any
    ) -> BrowserContext:
        """A browser's profile of its own: cookies, storage, cache."""
        width, height = SIZES[size]
        context = self._driver.browser(fonts).new_context(
            viewport={"width": width, "height": height}, locale=locale,
            timezone_id="Asia/Shanghai", **more,
        )  # fmt: skip
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(TELL_BREACHES)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        self._contexts.append(context)
        return context

    def __call__(self, url: str = "", size: str = "desk", **more: Any) -> Page:
        """A page, at an address where one is given."""
        page = self.context(size, **more).new_page()
        if url:
            page.goto(url)
        return page

    def _console(self, message: ConsoleMessage) -> None:
        where = message.location.get("url", "")
        self.faults.append(f"console {message.type}: {message.text} {where}".strip())

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        told = urlsplit(request.url)
        if told.scheme in ("data", "blob"):
            return
        if told.hostname not in ("127.0.0.1", "localhost"):
            self.faults.append(f"foreign host: {request.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # that the page itself gave up
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"status {response.status}: {response.url}")

    def unforgiven(self) -> list[str]:
        """What is left to complain of."""
        return [f for f in self.faults if not any(one.search(f) for one in self._forgiven)]

    def close(self) -> None:
        """Close all pages; what they did until then counts."""
        for context in self._contexts:
            for page in context.pages:
                page.evaluate("1")  # whatever was said before this has been heard
        told = self.unforgiven()
        for context in self._contexts:
            context.close()
        assert told == []


@pytest.fixture
def browse(driver: Driver) -> Iterator[Browse]:
    """Opens pages: `browse(url, size="phone", locale="en-GB")`."""
    driver.wake()
    one = Browse(driver)
    try:
        yield one
        one.close()
    finally:
        for context in one._contexts:
            context.close()
        driver.rest()


# --- barriers -------------------------------------------------------------------------------------


def axe_missing() -> str:
    """Why axe cannot be used here; "" where it can."""
    wanted = dict(line.split()[::-1] for line in AXE_HASHES.read_text().splitlines())
    if not AXE.exists():
        return "axe is not in .cache/axe: make services"
    if hashlib.sha256(AXE.read_bytes()).hexdigest() != wanted[AXE.name]:
        return "axe in .cache/axe is not what deploy/axe/SHA256SUMS says: make services"
    return ""


@pytest.fixture(scope="session")
def axe() -> Callable[..., list[str]]:
    """`axe(page)`: barriers of a page to people with disabilities, one line each, none at best."""
    leave_out(axe_missing())
    source = AXE.read_text("utf-8")

    def look(page: Page, within: str = "") -> list[str]:
        page.evaluate(source)
        told = page.evaluate("(within) => axe.run(within || document)", within)
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:120]}: {node['failureSummary']}"
            for one in told["violations"]
            for node in one["nodes"]
        ]

    return look


# --- a link that breaks ---------------------------------------------------------------------------


class Relay:
    """A TCP relay before a server: its link can be cut, so that connections break and new ones are
    refused, or stalled, so that bytes wait."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._whole, self._flows = threading.Event(), threading.Event()
        self._whole.set()
        self._flows.set()
        self._closed = False
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where a browser finds the server."""
        return f"http://127.0.0.1:{self.port}"

    def aim(self, port: int) -> None:
        """Lead to another server from here on: one that was restarted has another port."""
        self._target = port

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            self.accepted += 1
            if not self._whole.is_set() or self._closed:
                near.close()
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), WAIT_S)
            except OSError:
                near.close()
                continue
            pair = (near, far)
            with self._lock:
                self._pairs.add(pair)
            for one, other in (pair, pair[::-1]):
                threading.Thread(target=self._pump, args=(pair, one, other), daemon=True).start()

    def _pump(
        self, pair: tuple[socket.socket, socket.socket], one: socket.socket, other: socket.socket
    ) -> None:
        one.settimeout(None)
        with suppress(OSError):
            while part := one.recv(1 << 16):
                self._flows.wait()
                other.sendall(part)
        self._drop(pair)

    def _drop(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        for one in pair:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def cut(self) -> None:
        """Break all connections; refuse others until `restore`."""
        self._whole.clear()
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._drop(pair)

    def stall(self) -> None:
        """Let no byte through until `restore`; nobody is told."""
        self._flows.clear()

    def restore(self) -> None:
        """The link is whole again."""
        self._whole.set()
        self._flows.set()

    def cut_for(self, seconds: float) -> threading.Timer:
        """Cut now, restore later; `join` what this gives to wait for it."""
        self.cut()
        timer = threading.Timer(seconds, self.restore)
        timer.start()
        return timer

    def close(self) -> None:
        """End it."""
        self._closed = True
        self.restore()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def __enter__(self) -> Relay:
        return self

    def __exit__(self, *fault: object) -> None:
        self.close()
