"""The demo's terminal: the newest findings with their sentences, the rate, counts by rule."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from detector.demo import Feeder
from detector.ledger import RAISED, Move
from detector.live import Service

SHOWN = 12
REFRESH_S = 0.5
LINE_EVERY_S = 10.0
COLOURS = ("white", "yellow", "dark_orange", "red", "red")


class Screen:
    """What the demo shows; on no terminal, a line a finding and a line of figures now and then."""

    def __init__(self, service: Service, feeder: Feeder, url: str, seconds: Callable[[], float]):
        self.service, self.feeder, self.url, self.seconds = service, feeder, url, seconds
        self.console = Console()
        self._newest: deque[dict[str, Any]] = deque(maxlen=SHOWN)
        self._counts: Counter[str] = Counter()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._rate, self._seen, self._at = 0.0, 0, seconds()
        self._thread = threading.Thread(target=self._run, name="screen", daemon=True)
        service.listeners.append(self.heard)

    def start(self) -> None:
        """Begin to show."""
        self._thread.start()

    def stop(self) -> None:
        """Leave the terminal as it was."""
        self._stop.set()
        self._thread.join()

    def heard(self, moves: list[tuple[int, Move]]) -> None:
        """Called in the engine's thread."""
        told = [m for _, m in moves if m.code == RAISED and m.doc and not m.muted]
        if not told:
            return
        with self._lock:
            self._counts.update(m.rule for m in told)
            self._newest.extend(msgspec.json.decode(m.doc) for m in told[-SHOWN:] if m.doc)

    def _run(self) -> None:
        if self.console.is_terminal:
            with Live(self._picture(), console=self.console, screen=True) as live:
                while not self._stop.wait(REFRESH_S):
                    live.update(self._picture())
        else:
            self.console.print(f"Oriole 黄雀  {self.url}  (Ctrl-C ends it)")
            while not self._stop.wait(LINE_EVERY_S):
                self._lines()

    def _lines(self) -> None:
        with self._lock:
            newest, counts = list(self._newest)[-3:], dict(self._counts)
        self.console.print(f"{self._clock()}  {self._figures()}  {counts}", soft_wrap=True)
        for one in newest:
            self.console.print(f"  {one['sentence']['zh']}", soft_wrap=True)

    def _clock(self) -> str:
        local = datetime.fromtimestamp(self.feeder.now_us / 1e6 + 8 * 3_600, UTC)
        return local.strftime("%Y-%m-%d %a %H:%M:%S")

    def _figures(self) -> str:
        figures, now = self.service.figures, self.seconds()
        if now > self._at + 1:
            self._rate = (figures.accepted - self._seen) / (now - self._at)
            self._seen, self._at = figures.accepted, now
        return (
            f"{figures.accepted:,} 条记录 events · {self.service.cases():,} 办件 cases ·"
            f" {self._rate:,.0f}/s · {sum(self._counts.values()):,} 发现 findings"
        )

    def _picture(self) -> Group:
        with self._lock:
            newest, counts = list(self._newest), self._counts.most_common()
        title = f"黄雀 Oriole   {self._clock()} ×{self.feeder.speed:g}   {self._figures()}"
        findings = Table(expand=True, box=None, show_header=False)
        findings.add_column(no_wrap=True)
        findings.add_column(overflow="fold")
        for one in reversed(newest):
            colour = COLOURS[one["tier"]]
            tier = Text(f"{one['rule']}\n{one['at'][5:16].replace('T', ' ')}", style=colour)
            findings.add_row(tier, one["sentence"]["zh"])
        rules = Table(expand=True, box=None, show_header=False)
        for rule, n in counts:
            rules.add_row(rule, f"{n:,}")
        return Group(
            Panel(Text(title), border_style="green"),
            Panel(findings, title="最新发现 newest findings"),
            Panel(rules, title="按规则 by rule"),
            Text(f"{self.url}   {self.url}/api/v1/findings?limit=3   {self.url}/api/docs"),
        )
