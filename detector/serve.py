"""The whole system in one process: a composition root. Everything is put together here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from detector.adapters import machine
from detector.district import District, read_folder
from detector.ledger import Ledger, LedgerError, NoticeWork
from detector.ledger.content import Content, content_of
from detector.ledger.sqlite_file import Folder
from detector.live import Unavailable, genesis
from detector.live.blast import Blast
from detector.live.outside import Limits, Outside
from detector.live.recovery import Recovered, recover
from detector.live.reload import POLL_S, Reloader, checked_change
from detector.live.runner import Runner
from detector.live.shard import Shard, counting
from detector.live.snapshotter import EVERY_INPUTS, Snapshotter
from detector.places import Closes, place_of
from detector.quick import warm
from detector.shelf import rules_folder

if TYPE_CHECKING:
    from detector.registry import Registry
    from detector.web.api import Web
    from detector.web.readers import Readers
    from detector.web.retention import Retention

SNAPSHOTS = "snapshots"
ROOM_BYTES_MIN = 64 << 20
SWITCH_S = 0.0005
Log = Callable[..., Any]
Ready = Callable[["House", "Web", str], Callable[[], None]]


@dataclass
class Settings:
    """What `oriole run` was told."""

    district: Path
    data: Path
    host: str = "127.0.0.1"
    port: int = 8000
    wall: bool = True  # --clock wall; else time advances with what arrives
    room_bytes_min: int = ROOM_BYTES_MIN
    snapshot_inputs: int = EVERY_INPUTS
    body_timeout_s: float = 30.0
    ledger: str = ""  # an address; "": the file of the data folder
    deliver: bool = True  # from within, unless somebody else does
    scan_command: str = ""  # looks at files of answers for viruses
    attachments_days: int = 0  # files are kept after their notice's last move; 0: for ever
    public_url: str = ""  # by which browsers come, where that is not the loopback
    poll_s: float = POLL_S  # how often the district's folder is looked at
    limits: Limits = field(default_factory=Limits)


class House:
    """A ledger, the shard that was recovered from it, and the thread that judges."""

    def __init__(self, settings: Settings, log: Log) -> None:
        """Raises `DistrictError`, `RuleFault`, `LedgerError`."""
        self.settings, self.log = settings, log
        self.failure: BaseException | None = None
        self.on_failure: Callable[[], None] = lambda: None
        content = content_of(read_folder(settings.district), rules_folder(), machine.wall_us())
        self.folder = Folder(settings.data)
        try:
            self.place = place_of(settings.ledger, settings.data)
            self.ledger: Ledger = self.place.ledger()
            genesis.begin(self.ledger, content)
            warm()  # the first body shall not wait for it
            self.recovered = self._recover()
        except BaseException:
            self.folder.close()
            raise
        self.snapshotter = Snapshotter(
            settings.data / SNAPSHOTS, machine.seconds, self._say, settings.snapshot_inputs
        )
        self.snapshotter.began(self.recovered.shard)
        outside = Outside(
            now=machine.wall_us if settings.wall else None,
            seconds=machine.seconds,
            room=lambda: machine.room(settings.data, settings.room_bytes_min),
            committed=self.snapshotter.consider,
            failed=self._failed,
        )
        self.runner = Runner(self.recovered.shard, self.ledger, outside, settings.limits)
        try:
            self._take(content)
        except BaseException:
            self.folder.close()
            raise
        self.blast = Blast(self.runner, self._say)
        self.blast.begin(self.ledger)
        self.reloader = Reloader(settings.district, self.runner, self._say, settings.poll_s)

    @property
    def district(self) -> District:
        """The district in force."""
        return self.runner.shard.engine.district

    def now(self) -> int:
        """The clock of deadlines: the machine's, or that of what arrives."""
        return machine.wall_us() if self.settings.wall else self.runner.figures.clock_us

    def _take(self, content: Content) -> None:
        """What is given at the start may differ from what judged last: then it is a change."""
        shard = self.recovered.shard
        held = shard.contents[-1]
        content = msgspec.structs.replace(content, guarded=held.content.guarded)
        if content.digest() == held.digest:
            return
        change = checked_change(content, held, shard.engine)
        try:
            names = self.runner.take(change)
        except Unavailable as fault:
            raise LedgerError(fault.reason) from fault
        self.log("district_changed", changed=names, digest=shard.contents[-1].digest)

    def _recover(self) -> Recovered:
        begun = machine.seconds()
        recovered = recover(self.ledger, self.settings.data / SNAPSHOTS, kind=counting)
        for told in recovered.passed_over:
            self.log("snapshot_passed_over", snapshot=told)
        self.log(
            "recovered",
            snapshot_seq=recovered.snapshot_seq,
            replayed=recovered.replayed,
            frames=recovered.shard.position.seq,
            seconds=round(machine.seconds() - begun, 3),
        )
        return recovered

    def _say(self, what: str, told: dict[str, object]) -> None:
        self.log(what, **told)

    def _failed(self, fault: BaseException) -> None:
        self.failure = fault
        self.log("engine_failed", error=f"{type(fault).__name__}: {fault}", exc_info=fault)
        self.on_failure()

    def close(self) -> None:
        """Judge what is queued, take a last snapshot, close the files."""
        self.reloader.stop()
        self.runner.stop()
        shard: Shard = self.runner.shard
        if self.failure is None:
            self.snapshotter.close(shard)
        self.ledger.close()
        self.folder.close()


class Office:
    """What deals with notices beside the engine: the postman, its watchdog, links and numbers."""

    def __init__(self, house: House) -> None:
        from detector.delivery.letterbox import Letterbox
        from detector.post import Watchdog, open_post, tell_service
        from detector.web.links import Links

        place = house.place
        secret = machine.link_secret(house.settings.data)
        self.links = Links(secret, house.district.channels.delivery.base_url)
        self.serials, self.replies = place.serials(), place.replies()
        self.postman = open_post(
            place.posting, lambda: house.district, tell_service(house.runner),
            now=house.now, log=house.log, links=self.links, reader=house.ledger.reader,
        )  # fmt: skip
        self.watchdog = Watchdog(
            place.outbox(), lambda: house.district, self.postman, house.now,
            lambda: house.runner.figures.clock_us,
        )  # fmt: skip
        self._lock = self._held(house)
        if self._lock is None:
            self.postman.state = "elsewhere"
        self.letterbox = Letterbox(
            place.outbox(), self.postman.means.given.channels, house.now,
            self.postman.wake,
        )  # fmt: skip
        house.runner.notice_listeners.append(self._heard)

    def _held(self, house: House) -> Closes | None:
        """The right to deliver; None where `oriole deliver` has it, or shall have it."""
        if not house.settings.deliver:
            return None
        try:
            return house.place.delivery()
        except LedgerError as fault:
            house.log("delivered_elsewhere", reason=str(fault))
            return None

    def _heard(self, work: NoticeWork) -> None:
        if work.posts:
            self.postman.wake()

    def start(self) -> None:
        """Begin to deliver, unless somebody else does."""
        if self._lock is not None:
            self.postman.start()

    def stop(self) -> None:
        """Deliver no more; the engine may still be told what became of messages."""
        if self._lock is not None:
            self.postman.stop()
            self._lock.close()

    def close(self) -> None:
        """Close the files."""
        self.watchdog.close()
        self.letterbox.close()
        self.serials.close()
        self.replies.close()


def run(settings: Settings, log: Log, ready: Ready = lambda house, web, url: lambda: None) -> int:
    """Serve until a signal; the exit code: 0, or 1 where the engine failed.

    `ready` is called once requests are answered; what it gives is called when no more are, before
    anything is closed. Raises as `House`, and `OSError` where the port
    cannot be had.
    """
    from detector.registry import Registry
    from detector.web.api import create_app
    from detector.web.readers import Readers
    from detector.web.server import Server, listen, raise_file_limit, serve

    raise_file_limit()
    sys.setswitchinterval(SWITCH_S)  # else the engine holds the loop for five milliseconds
    sock = listen(settings.host, settings.port)
    machine.calm_collector()
    house = House(settings, log)
    readers = Readers(house.ledger.reader)
    office = Office(house)
    registry = Registry(settings.ledger, settings.data)
    web = _web(house, office, readers, registry)
    server = Server(create_app(web), web, settings.host, sock.getsockname()[1])
    retention = _retention(house, web, registry)

    def stop() -> None:
        server.should_exit = True

    house.on_failure = stop
    machine.calm_collector()  # once more: what was recovered stays
    house.runner.start()
    house.reloader.start()
    office.start()
    retention.start()

    ended: list[Callable[[], None]] = []

    def started(server: Server) -> None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{sock.getsockname()[1]}"
        log("listening", url=url, clock="wall" if settings.wall else "events")
        ended.append(ready(house, web, url))

    try:
        serve(server, sock, started)
    finally:
        for end in ended:
            end()
        retention.stop()
        office.stop()
        house.close()
        readers.close()
        office.close()
        registry.close()
        log("stopped", frames=house.runner.shard.position.seq)
    return 0 if house.failure is None else 1


def _retention(house: House, web: Web, registry: Registry) -> Retention:
    """Who removes files of answers when they were kept long enough."""
    from detector.web.retention import Retention

    assert web.attachments is not None
    figures, days = house.runner.figures, house.settings.attachments_days
    return Retention(
        web.attachments, house.ledger.reader, registry.audit, lambda: figures.clock_us, days,
        house.log,
    )  # fmt: skip


def _web(house: House, office: Office, readers: Readers, registry: Registry) -> Web:
    """All that the routes share."""
    from detector.adapters.scanner import scanner
    from detector.registry import names_of
    from detector.web.api import Web
    from detector.web.attachments import ATTACHMENTS, Attachments
    from detector.web.settings import Settings as Bounds

    settings = house.settings
    hosts = names_of(
        settings.host, settings.public_url, house.district.channels.delivery.base_url
    )  # fmt: skip
    return Web(
        house.runner, readers, house.recovered.shard.engine.calendar.zone,
        Bounds(body_timeout_s=settings.body_timeout_s, hosts=hosts),
        house.reloader, office.links, office.postman, office.letterbox, office.watchdog.look,
        (office.serials, lambda: house.district), engine=lambda: house.runner.shard.engine,
        replies=office.replies,
        attachments=Attachments(settings.data / ATTACHMENTS, scanner(settings.scan_command)),
        doors=registry.doors(settings.host, settings.public_url),
    )  # fmt: skip
