"""Delivery apart from the engine: a composition root. What it shares with it is the ledger file.

The district is that of the ledger's content in force, receipts go to the server as inputs. Nobody
wakes this process when the engine has committed, so it looks for itself, often.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detector.adapters import machine
from detector.adapters.asks import Refused, ask
from detector.delivery.postman import Postman
from detector.delivery.watchdog import Trouble
from detector.district import District
from detector.ledger import LedgerError, Reading
from detector.live.contents import InForce as Standing
from detector.live.contents import contents_until
from detector.places import place_of_notices
from detector.post import Watchdog, open_post
from detector.web.inside import delivery_app
from detector.web.links import Links
from detector.web.server import Aside

LOOK_S = 0.2  # for new messages
REFRESH_S = 2.0  # for another district
WATCH_S = 1.0
LATEST = 16  # frames at the end of the journal that tell how far its clock is
Log = Callable[..., Any]


@dataclass(frozen=True)
class Settings:
    """What `oriole deliver` was told."""

    data: Path
    server: str
    ledger: str = ""  # an address; "": the file of the data folder
    look_s: float = LOOK_S
    inside: str = ""  # HOST:PORT for its health and figures


class InForce:
    """The district that judges now, as the ledger says; any thread may ask."""

    def __init__(self, reader: Reading, seconds: Callable[[], float]) -> None:
        """Raises `LedgerError` where the ledger holds none."""
        self._reader, self._seconds = reader, seconds
        self._standing: Standing | None = None
        self._district: District | None = None
        self._seq, self._next_s = 0, 0.0
        self._one = threading.Lock()
        self.clock_us = 0  # of the engine: the latest arrival that is journalled
        self.district()

    def district(self) -> District:
        """The district in force; looked at again now and then."""
        with self._one:
            if self._seconds() >= self._next_s:
                self._read()
                self._next_s = self._seconds() + REFRESH_S
        if self._district is None:
            raise LedgerError("the ledger holds no district yet; start the server once")
        return self._district

    def _read(self) -> None:
        """Look at the end of the journal, and at contents where there are more than were seen."""
        last = self._reader.position().seq
        for frame in self._reader.frames(max(self._seq + 1, last - LATEST + 1), last):
            self._seq, self.clock_us = frame.seq, max(self.clock_us, frame.at_hi)
        held, some = self._standing, self._reader.contents()
        if some and (held is None or held.seq != some[-1]):
            self._standing = contents_until(self._reader, some[-1])[-1]
            self._district = self._standing.content.load()


def tell_server(server: str) -> Callable[[list[bytes]], bool]:
    """Hands receipts to a server; False where it cannot be had now."""

    def tell(lines: list[bytes]) -> bool:
        try:
            ask(server, "/api/v1/events", body=b"\n".join(lines))
        except (Refused, OSError, ValueError):
            return False
        return True

    return tell


def run(settings: Settings, log: Log, stop: threading.Event) -> int:
    """Deliver until `stop` is set; the exit code: 0, or 1 where delivery failed.

    Raises `LedgerError` where there is no ledger, or somebody else delivers already.
    """
    place = place_of_notices(settings.ledger, settings.data)
    place.outbox().close()  # says so where there is none
    right = place.delivery()
    try:
        in_force = InForce(place.reader(), machine.seconds)
        base = in_force.district().channels.delivery.base_url
        links = Links(machine.link_secret(settings.data), base)
        postman = open_post(
            place.posting, in_force.district, tell_server(settings.server), now=machine.wall_us,
            log=log, links=links, reader=place.reader, idle_s=settings.look_s,
        )  # fmt: skip
        postman.start()
        log("delivering", data=str(settings.data), server=settings.server)
        watchdog = Watchdog(
            place.outbox(), in_force.district, postman, machine.wall_us, lambda: in_force.clock_us
        )
        aside = _aside(settings.inside, watchdog, postman)
        _attend(watchdog, postman, log, stop)
        if aside is not None:
            aside.stop()
        postman.stop()
        watchdog.close()
    finally:
        right.close()
    log("stopped")
    return 1 if postman.failure else 0


def _aside(place: str, watchdog: Watchdog, postman: Postman) -> Aside | None:
    """A server of its health and figures, where one is wanted. Raises `OSError`."""
    if not place:
        return None
    host, port = place.rsplit(":", 1)
    aside = Aside(
        delivery_app(watchdog.look, lambda: postman.failure is None), host, int(port)
    )  # fmt: skip
    aside.start()
    return aside


def _attend(watchdog: Watchdog, postman: Postman, log: Log, stop: threading.Event) -> None:
    """Say each trouble once while it lasts, until somebody ends it, or delivery fails."""
    known: frozenset[Trouble] = frozenset()
    while postman.failure is None and not stop.wait(WATCH_S):
        try:
            told = frozenset(watchdog.look())
        except LedgerError as fault:
            log("outbox_waits", reason=str(fault))
            continue
        for one in told - known:
            log("trouble", kind=one.kind, what=one.what, reason=one.reason)
        known = told
