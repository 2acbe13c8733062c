"""The service's middle in this process, on a clock of the test's, restarted whenever it likes."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec

from detector.district import read_folder
from detector.event import Event, Fact
from detector.ledger import Ledger, NoticeQuery, NoticeRow, Query
from detector.ledger.content import Content, content_of, content_with
from detector.live import Answer, snapshot
from detector.live.contents import Change
from detector.live.genesis import begin
from detector.live.outside import Limits, Outside
from detector.live.recovery import recover
from detector.live.runner import Runner
from detector.live.shard import Kind, Shard
from detector.shelf import rules_folder
from detector.testing import FakeClock, MemoryLedger
from detector.values import ABSENT, iso_time, read_time
from detector.verdict import Finding, canonical, digest

COUNTY = Path(__file__).resolve().parents[1] / "examples" / "county"
BEGAN = 1_767_571_200_000_000  # 2026-01-05 08:00 in Shanghai
WAIT_S = 30
QUICK = Limits(tick_s=0.002)


def county() -> Content:
    """The example county as what judges."""
    return content_of(read_folder(COUNTY), rules_folder(), BEGAN)


def edited(content: Content, name: str, old: str, new: str) -> Content:
    """The county with a text in one of its files replaced, as a folder that was edited."""
    text = content.district.get(name, b"").decode()
    assert old in text
    files = content.district | {name: text.replace(old, new).encode()}
    return content_with(files, content.rules, content.at)


class Live:
    """A runner over a ledger; `wall` a clock under --clock wall, None under --clock events."""

    def __init__(
        self, ledger: Ledger | None = None, *, wall: FakeClock | None = None,
        snapshots: Path | None = None, make: Any = Content.engine, content: Content | None = None,
        limits: Limits = QUICK, room: Any = lambda: True, start: bool = True, kind: Kind = Shard,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.ledger = ledger or MemoryLedger()
        self.wall, self.snapshots, self.make = wall, snapshots, make
        self.limits, self.room = limits, room
        self.failures: list[BaseException] = []
        self.captured: list[snapshot.Captured] = []
        self.content = content or county()
        begin(self.ledger, self.content)
        self.moved = threading.Condition()
        self.restart(start)

    def restart(self, start: bool = True) -> None:
        """Forget everything but the ledger, as a process does that is killed between batches."""
        self.write_snapshots()
        self.recovered = recover(self.ledger, self.snapshots, make=self.make, kind=self.kind)
        outside = Outside(
            self.wall.now if self.wall else None, lambda: 0.0, self.room, lambda shard: None,
            self.failures.append,
        )  # fmt: skip
        self.runner = Runner(self.recovered.shard, self.ledger, outside, self.limits)
        self.runner.listeners.append(self._heard)
        self.runner.notice_listeners.append(self._heard)
        if start:
            self.runner.start()

    def _heard(self, moves: Any) -> None:
        with self.moved:
            self.moved.notify_all()

    def take_snapshot(self) -> None:
        """Between two batches; it is written while the engine goes on."""
        assert self.snapshots is not None
        self.captured.append(snapshot.capture(self.runner.shard, snapshot.Twin()))

    def write_snapshots(self) -> None:
        """As late as a writer may: just before they are needed."""
        while self.captured:
            assert self.snapshots is not None
            snapshot.write(self.captured.pop(0), self.snapshots)

    def send(self, body: bytes) -> Answer | Exception:
        """Send a body and wait for what is said."""
        said: list[Answer | Exception] = []
        done = threading.Event()

        def say(answer: Answer | Exception) -> None:
            said.append(answer)
            done.set()

        self.runner.submit(body, say)
        assert done.wait(WAIT_S)
        return said[0]

    def change(self, content: Content) -> list[str]:
        """Let another content judge from here on; the names of what changed."""
        said: list[Any] = []
        done = threading.Event()

        def say(told: Any) -> None:
            said.append(told)
            done.set()

        self.runner.change(Change(content, self.make(content)), say)
        assert done.wait(WAIT_S)
        if isinstance(said[0], Exception):
            raise said[0]
        return said[0]

    def post(self, *lines: Any) -> Answer:
        """Send lines (bytes, or objects) that must be answered."""
        told = [line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines]
        answer = self.send(b"\n".join(told))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def until(self, condition: Any) -> None:
        """Wait until something is found that makes this true."""
        with self.moved:
            assert self.moved.wait_for(condition, WAIT_S)

    def findings(self) -> dict[str, Finding]:
        """All findings by id, with their standing."""
        held = [h for _, h in self.ledger.findings(Query(limit=1 << 30))]
        told = [msgspec.json.decode(h.json(), type=Finding) for h in held]
        return {f.finding_id: f for f in told}

    def standing(self) -> list[str]:
        """rule:reason code of what stands."""
        return sorted(f"{f.rule}:{f.reason.code}" for f in self.findings().values() if f.stands)

    def digest_of_findings(self) -> str:
        """The digest of the findings alone."""
        return digest(canonical(f) for _, f in sorted(self.findings().items()))

    def digest(self) -> str:
        """The digest of the findings and notices, as a replay writes it."""
        lines = [(i, canonical(f)) for i, f in self.findings().items()]
        rows = self.ledger.notices(NoticeQuery(limit=1 << 30))
        lines += [(row.notice_id, self._canonical(row)) for row in rows]
        return digest(line for _, line in sorted(lines))

    def _canonical(self, row: NoticeRow) -> bytes:
        """A notice's line of the digest, by what the ledger shows of it."""
        doc = msgspec.json.decode(row.doc)
        zone = self.runner.shard.engine.calendar.zone
        limits = [doc[f"{name}_by"] for name in ("acknowledge", "answer", "finish")]
        found = sorted(self.ledger.notice_findings(row.notice_id))
        told = [row.notice_id, row.tier, row.level, row.state, found, row.issued_us]
        return msgspec.json.encode([*told, *(at and read_time(at, zone) for at in limits)])

    def lines(self) -> list[bytes]:
        """All journalled lines and their @ lines, the content left out."""
        from detector.ledger.journal import text_of

        return [t for f in self.ledger.frames(2) for t in text_of(f).splitlines()]

    def stop(self) -> None:
        """End the thread."""
        if self.runner.state in ("ready", "stopping"):
            self.runner.stop(WAIT_S)
        self.write_snapshots()


def line_of(told: Event | Fact) -> bytes:
    """An input as somebody would send it."""
    if isinstance(told, Fact):
        fields: dict[str, Any] = dict(told.fields) | {"kind": told.kind}
        fields["received_at"] = told.received_at
    else:
        names = Event.__struct_fields__
        fields = {n: getattr(told, n) for n in names if getattr(told, n) not in (None, ABSENT, ())}
    for name in fields:
        if name.endswith("_at") or name in ("at", "paid_on", "received_on", "answered_on"):
            fields[name] = iso_time(fields[name])
        elif name in ("fee_due", "fee_paid", "fine", "amount"):
            fields[name] = f"{fields[name] // 100}.{fields[name] % 100:02d}"
    return msgspec.json.encode(fields)


FILED = {  # what the county's permit needs at its steps
    "accept": {
        "documents": ["application_form", "business_licence", "safety_plan"],
        "fields": ["applicant", "credit_code", "premises"],
    },
    "survey": {"documents": ["survey_opinion"], "fields": ["surveyed_on"]},
    "review": {"documents": ["review_opinion"]},
    "decide": {"documents": ["decision"]},
}


def event(event_id: str, at: str, action: str = "step", **told: Any) -> dict[str, Any]:
    """A line of the county: everything happens on 2026-03-02 unless `at` has a date."""
    stamp = at if len(at) > 8 else f"2026-03-02T{at}"
    stamp += "" if "+" in stamp else "+08:00"
    usual = {
        "event_id": event_id, "case_id": "c1", "action": action, "item": "permit",
        "department": "D01", "operator": "P0101", "occurred_at": stamp, "recorded_at": stamp,
    }  # fmt: skip
    return usual | FILED.get(told.get("step", action), {}) | told


ACCEPT = event("e1", "09:00:00", "accept")
SURVEY = event("e2", "09:00:58", step="survey", operator="P0102")
