"""Puts delivery together: channels by the district in force, an outbox, and the postman."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import msgspec

from detector.adapters import machine
from detector.adapters.ways import NoSecret, open_channel
from detector.channels import ChannelSettings
from detector.delivery import EVERYBODY, Channel, watchdog
from detector.delivery.desk import Given
from detector.delivery.group import HOLD_S_MAX
from detector.delivery.outbox import Outbox, Row
from detector.delivery.postman import IDLE_S, Means, Postman
from detector.delivery.watchdog import Trouble
from detector.district import District
from detector.ledger import Reading
from detector.live import Answer, Service, Unavailable
from detector.values import SECOND_US
from detector.web.links import Link, Links

TELL_S = 60
LOOK_S = 10.0
AGAIN_S = 30.0  # until a channel that could not be opened is tried again
Log = Callable[..., Any]


class Ways(Mapping[str, Channel]):
    """The channels of the district in force; one whose settings change is opened anew, and one that
    cannot be opened is tried again now and then: its secret may come."""

    def __init__(
        self, district: Callable[[], District], log: Log, seconds: Callable[[], float],
        secret: Callable[[str], str | None] = machine.secret,
    ) -> None:  # fmt: skip
        self._district, self._log = district, log
        self._seconds, self._secret = seconds, secret
        self._open: dict[str, tuple[ChannelSettings, Channel]] = {}
        self._faults: dict[str, tuple[ChannelSettings, float]] = {}  # and when it is tried again
        self._one = threading.Lock()  # the postman and the server's threads ask

    def _now(self) -> dict[str, tuple[ChannelSettings, Channel]]:
        with self._one:
            wanted = {one.name: one for one in self._district().channels.channels}
            for name in self._open.keys() - wanted.keys():
                del self._open[name]
            for one in wanted.values():
                self._opened(one)
            return dict(self._open)

    def _opened(self, one: ChannelSettings) -> None:
        held, fault = self._open.get(one.name), self._faults.get(one.name)
        if held is not None and held[0] == one:
            return
        if fault is not None and fault[0] == one and self._seconds() < fault[1]:
            return
        self._open.pop(one.name, None)  # what is sent by the old one still ends
        self._faults.pop(one.name, None)
        try:
            self._open[one.name] = (one, open_channel(one, self._secret, self._log))
        except NoSecret as why:
            self._faults[one.name] = (one, self._seconds() + AGAIN_S)
            if fault is None or fault[0] != one:
                self._log("channel_unusable", channel=one.name, reason=str(why))

    def __getitem__(self, name: str) -> Channel:
        return self._now()[name][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())


def open_post(
    outbox: Callable[[], Outbox], district: Callable[[], District],
    tell: Callable[[list[bytes]], bool], *,
    now: Callable[[], int], log: Log, links: Links, reader: Callable[[], Reading],
    idle_s: float = IDLE_S,
) -> Postman:  # fmt: skip
    """A postman for a ledger's outbox, not started. `now`: the clock of deadlines, µs UTC."""
    ways, mine = Ways(district, log, machine.seconds), _Linked(links, reader)
    given = Given(district, ways, now, machine.seconds, log, link=mine.link)
    return Postman(Means(outbox, given, tell, idle_s=idle_s))


class Watchdog:
    """Looks for what stands still, at most every `LOOK_S`; asked from any thread."""

    def __init__(
        self, outbox: Outbox, district: Callable[[], District], postman: Postman,
        now: Callable[[], int], engine: Callable[[], int],
    ) -> None:  # fmt: skip
        self._district, self._postman = district, postman
        self._now, self._engine = now, engine
        self._outbox = outbox
        self._one, self._looked_s = threading.Lock(), -LOOK_S
        self._told: list[Trouble] = []

    def look(self) -> list[Trouble]:
        """What was found, not older than `LOOK_S`."""
        with self._one:
            if machine.seconds() - self._looked_s >= LOOK_S:
                district, given = self._district(), self._postman.means.given
                wait_us = min(district.channels.delivery.group_wait_s, HOLD_S_MAX) * SECOND_US
                told = watchdog.standing(self._outbox, self._now(), self._engine(), wait_us)
                told += watchdog.unreached(district, given.channels, given.duty(district))
                self._told = told + watchdog.down(dict(self._postman.figures.breakers))
                self._looked_s = machine.seconds()
            return self._told

    def close(self) -> None:
        """Let go of the outbox."""
        with self._one:
            self._outbox.close()


class _Linked:
    """Links for messages, by how their notice stands."""

    def __init__(self, links: Links, reader: Callable[[], Reading]) -> None:
        self._links, self._open = links, reader
        self._reader: Reading | None = None

    def link(self, row: Row) -> str:
        """Where its recipient may answer; "" where nobody can or needs to."""
        if not self._links.base_url or row.person == EVERYBODY or not row.notice_id:
            return ""
        if self._reader is None:
            self._reader = self._open()
        held = self._reader.notice(row.notice_id)
        if held is None or not held.open or not held.tier:
            return ""
        issues = msgspec.json.decode(held.doc)["issues"]
        return self._links.url(Link(row.notice_id, row.person, issues))


def tell_service(service: Service) -> Callable[[list[bytes]], bool]:
    """Hands receipts to a service in this process, and waits for its word."""

    def tell(lines: list[bytes]) -> bool:
        said: Future[Answer | Exception] = Future()
        try:
            service.submit(b"\n".join(lines), said.set_result)
            return isinstance(said.result(TELL_S), Answer)
        except (Unavailable, TimeoutError):
            return False

    return tell
