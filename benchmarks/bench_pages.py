"""How soon pages are there over a ledger of millions of events: within the server, and on a screen.

`oriole run` has judged the county's stream; then one client asks for pages one by one. The board is
opened in a browser with an empty cache, on the same cores, and then an offence is sent: until the
board is drawn, and from the body that holds the offence until its row is on the screen.
"""

from __future__ import annotations

import json
import random
import shutil
import socket
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import typer

from benchmarks import bench_restart
from benchmarks.county_files import SCRATCH, ndjson_file
from benchmarks.server import serving

DATA = SCRATCH / "pages"
EVENTS_MAX, BODY_LINES = 10_000_000, 16_384
CASES, ASKED, COLD, FOUND = 300, 60, 5, 10
WATCH = """(name) => {
  const list = document.getElementById("findings");
  window.seen = new Promise((done) => new MutationObserver((_, all) => {
    if (!list.textContent.includes(name)) return;
    all.disconnect();
    done(performance.now());
  }).observe(list, { childList: true, subtree: true }));
}"""
SEND = """(body) => {
  const begun = performance.now();
  return fetch("/api/v1/events", { method: "POST", body }).then(() => begun);
}"""
CHROMIUM = "/usr/bin/chromium"
LISTS = (
    "/notices?state=open", "/notices?department=D03&tier=2", "/findings", "/findings?state=stands",
    "/findings?rule=too_fast_step", "/findings?department=D02&tier=2", "/departments/D01",
    "/notices?sort=due",
)  # fmt: skip
Ask = Callable[[str], tuple[float, bytes]]


def run(events: int) -> list[dict[str, Any]]:
    """Rows: ms of case pages and of lists (p95), the board's seconds and bytes, a finding's ms."""
    many = min(events, EVENTS_MAX)
    bench_restart.make(DATA, bodies_of(ndjson_file(many)), said=said)
    with serving(DATA) as server:
        ask = asker(server["port"])
        ask("/api/v1/findings")  # the district's calendar and templates are read
        told = json.loads(ask("/api/v1/findings?limit=500")[1])["items"]
        cases = [one["case_id"] for one in told if one["case_id"]][:CASES]
        rows = [_row("page_case", [ask(f"/cases/{case}")[0] for case in cases], 80)]
        random.seed(1)
        some = [random.choice(LISTS) for _ in range(ASKED * len(LISTS))]
        took = [(path, ask(path)[0]) for path in some]
        rows.append(_row("page_list", [seconds for _, seconds in took], 100))
        each = {path: median(s for one, s in took if one == path) for path in dict(took)}
        slowest = max(each, key=lambda path: each[path])
        rows[-1]["note"] += f"; slowest {slowest}, p50 {each[slowest] * 1e3:.1f}"
        stands = json.loads(ask("/api/v1/board")[1])["standing"]
        rows += on_screen(server["port"])
    for row in rows[:2]:
        row["note"] += f"; {many:,} events, {stands:,} findings stand"
    shutil.rmtree(DATA)
    return rows


def bodies_of(file: Path) -> Iterator[bytes]:
    """A stream's lines, some thousands a body."""
    with file.open("rb") as source:
        while some := list(islice(source, BODY_LINES)):
            yield b"".join(some)


def said(answer: Any) -> None:
    """Bodies must be taken."""
    if isinstance(answer, Exception):
        raise answer  # the few broken lines are refused


def _row(name: str, taken: list[float], target: int) -> dict[str, Any]:
    p50, p95, p99 = np.percentile(np.array(taken) * 1e3, [50, 95, 99]).tolist()
    note = f"p95 of {len(taken)}; p50 {p50:.1f}, p99 {p99:.1f}; target {target}"
    return {"name": name, "value": round(p95, 1), "unit": "ms", "against": None, "ratio": None,
            "note": note}  # fmt: skip


def asker(port: int) -> Ask:
    """Asks over one connection; seconds and body. Raises `RuntimeError` where it is no success."""
    sock = socket.create_connection(("127.0.0.1", port))
    stream = sock.makefile("rb")

    def ask(path: str) -> tuple[float, bytes]:
        begun = perf_counter()
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        status, length = stream.readline(), 0
        while (line := stream.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = stream.read(length)
        if b" 200 " not in status:
            raise RuntimeError(f"{path}: {status!r}")
        return perf_counter() - begun, body

    return ask


# -- on a screen ----------------------------------------------------------------------------------


def on_screen(port: int) -> list[dict[str, Any]]:
    """Rows of the browser's: none where there is none."""
    if not Path(CHROMIUM).exists():
        typer.echo("chromium is not installed: make services", err=True)
        return []
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        cold = [_cold(browser, port) for _ in range(COLD)]
        found = _found(browser, port)
        browser.close()
    drawn, size = median(one[0] for one in cold), max(one[1] for one in cold)
    return [
        {"name": "board_drawn", "value": round(drawn, 2), "unit": "s", "against": None,
         "ratio": None, "note": f"cold, {', '.join(f'{s:.2f}' for s, _ in cold)} s; target 0.6"},
        {"name": "board_bytes", "value": round(size / 1000), "unit": "kB", "against": None,
         "ratio": None, "note": "cold, as transferred; target 300"},
        {"name": "finding_on_screen", "value": round(median(found) * 1e3), "unit": "ms",
         "against": None, "ratio": None, "note": "from the post of its event to its row on the"
         f" screen, judging and commit included: {', '.join(f'{s * 1e3:.0f}' for s in found)}"},
    ]  # fmt: skip


def _cold(browser: Any, port: int) -> tuple[float, int]:
    """Seconds until the board's bars stand, and the bytes that came."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    page = context.new_page()
    session = context.new_cdp_session(page)
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
    session.send("Network.enable")
    begun = perf_counter()
    page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
    page.wait_for_selector("#hours svg", state="attached")
    drawn = perf_counter() - begun
    page.wait_for_selector('#link[data-state="live"]')
    context.close()
    return drawn, int(sum(sizes))


def _found(browser: Any, port: int) -> list[float]:
    """Seconds from the post of an offence to its row, for each of some."""
    from urllib.request import urlopen

    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector('#link[data-state="live"]')
    with urlopen(f"http://127.0.0.1:{port}/api/v1/board") as told:
        clock = json.load(told)["clock"] // 1000 + 60
    taken = []
    for number in range(FOUND):
        case = f"screen-{number}"
        page.evaluate(WATCH, case)
        begun = page.evaluate(SEND, offence(case, clock + 60 * number))
        taken.append((page.evaluate("window.seen") - begun) / 1e3)
    page.close()
    return taken


def offence(case: str, at: int) -> str:
    """A survey ten seconds after its acceptance, as two lines."""
    from datetime import UTC, datetime

    lines = []
    for event, action, second in (("1", "accept", 0), ("2", "step", 10)):
        stamp = datetime.fromtimestamp(at + second, UTC).isoformat()
        told = {"event_id": event, "case_id": case, "action": action, "item": "permit",
                "department": "D01", "operator": "P0101", "occurred_at": stamp,
                "recorded_at": stamp}  # fmt: skip
        lines.append(json.dumps(told | ({"step": "survey"} if action == "step" else {})))
    return "\n".join(lines) + "\n"
