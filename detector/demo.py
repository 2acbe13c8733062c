"""A county that comes to life: three weeks told at once, then a Monday morning on its own clock.

It learns limits from the first day; and from Wednesday on one office types its work afterwards, so
that one sees paces drift. Since the Tuesday before, two people try another limit (`demo_trial`).
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from detector.clerks import Clerks
from detector.demo_trial import Pair
from detector.district import District
from detector.live import Answer, Service, Unavailable
from detector.simulate.county import County as Made
from detector.simulate.county import simulate
from detector.simulate.text import lines
from detector.values import SECOND_US, iso_time

CASES, DAYS, SEED = 40_000, 40, 1
BEGIN_US = 1_769_388_900 * SECOND_US  # Monday 2026-01-26 08:55 in Shanghai
CHANGED, CHANGED_US = "permit", BEGIN_US + 2 * 86_400 * SECOND_US  # which item quickens, and when
QUICKENED = 3  # times as fast as before
LEARNS = """
[learning]                            # 自学习：示例区从第一天起学习界限
on = true
alerts_per_1000_cases_max = 5
"""
BODY_LINES = 4_000  # of the weeks that are told at once
BEAT_S = 0.1


@dataclass
class County:
    """The stream as lines in order of arrival, and when each arrives (µs UTC)."""

    received: np.ndarray
    lines: list[bytes]

    def before(self, at: int) -> int:
        """How many lines arrive before this instant."""
        return int(np.searchsorted(self.received, at))


def make_county(district: District, cases: int = CASES) -> County:
    """The demo's county, always the same."""
    made = simulate(cases, SEED, DAYS, district)
    quicken(made, district)
    return County(made.stream.received * SECOND_US, lines(made))


def quicken(county: Made, district: District) -> None:
    """Let the work of one item's later cases take a third of its time, and keep all in order."""
    s, calendar = county.stream, district.calendar
    codes = [item.code for item in county.plan.items]
    begins = np.full(int(s.case.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(begins, s.case, s.recorded)
    first = begins[s.case]
    rows = np.flatnonzero((s.item == codes.index(CHANGED)) & (first * SECOND_US >= CHANGED_US))
    since, at = first[rows] * SECOND_US, s.recorded[rows] * SECOND_US
    took = np.asarray(calendar.between(since, at)) // QUICKENED
    then = np.where(took > 0, calendar.add(since, took), since + (at - since) // QUICKENED)
    earlier = s.recorded[rows] - then // SECOND_US
    s.recorded[rows] -= earlier
    s.received[rows] -= earlier
    s.occurred[rows] = np.minimum(s.occurred[rows], s.recorded[rows])
    county.stream = s.take(np.lexsort((s.slot, s.case, s.received)))


def learning_county(source: Path, folder: Path) -> Path:
    """A copy of a district's folder that learns, made where it is not there yet."""
    if not folder.exists():
        shutil.copytree(source, folder)
        toml = folder / "district.toml"
        toml.write_text(toml.read_text("utf-8") + LEARNS, "utf-8")
    return folder


@dataclass
class Feeder:
    """Sends the county's lines to a service as its clock says, from a thread of its own."""

    county: County
    service: Service
    speed: float
    seconds: Callable[[], float]
    pair: Pair | None = None  # who try a limit
    clerks: Clerks = field(default_factory=Clerks)
    now_us: int = BEGIN_US  # of the county
    told: int = 0  # lines sent
    ended: bool = False
    fault: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to send."""
        self._thread = threading.Thread(target=self._run, name="county", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            for at in self.county.received[: self.county.before(BEGIN_US) : BODY_LINES]:
                if self._stop.is_set():
                    return
                self.until(int(at))
            self.until(BEGIN_US - 1)
            begun = self.seconds()
            while not self._stop.wait(BEAT_S) and not self.ended:
                self.now_us = BEGIN_US + int((self.seconds() - begun) * self.speed * SECOND_US)
                self.until(self.now_us)
        except Unavailable as fault:  # the service is stopping, or says why it cannot
            self.fault = fault.reason

    def until(self, at: int) -> None:
        """Send what arrives up to an instant. The pair acts at its own instants, so that what is
        judged by which limit does not depend on the speed. Raises `Unavailable`."""
        while self.pair is not None and (due := self.pair.due_us) is not None and due <= at:
            self._until(due)
            self.pair.act(self.service.figures.clock_us)
        self._until(at)

    def _act(self, at: int) -> int:
        """Let people act whose time has come; how many lines that were."""
        lines = self.clerks.due(at)
        if lines:
            self._send(lines)
        return len(lines)

    def _until(self, at: int) -> None:
        self.told -= self._act(at)
        end = self.county.before(at + 1)
        self.ended = end == len(self.county.lines)
        tick = b'{"kind":"tick","at":"%s"}' % iso_time(at).encode()
        self._send([*self.county.lines[self.told : end], tick])
        self.told -= 1  # the tick is none of its lines

    def _send(self, some: list[bytes]) -> None:
        said: Future[Answer | Exception] = Future()
        self.service.submit(b"\n".join(some), said.set_result)
        told = said.result()
        if isinstance(told, Exception):
            raise told
        self.told += len(some)
