"""50,000 notices at once: until each of ten persons has one digest a tier, and all is recorded.

The engine's own ledger commits the messages, the postman takes them up in a thread of its own from
the same file. The clock runs from the end of the commit to the arrival of the last digest.
"""

from __future__ import annotations

import shutil
import threading
from dataclasses import replace
from time import perf_counter, time_ns
from typing import Any

import msgspec

from benchmarks.county_files import DISTRICT, SCRATCH
from detector.channels import Channels, ChannelSettings, DeliverySettings, Route
from detector.delivery import Outcome, Outgoing, Receipt
from detector.delivery.desk import Given
from detector.delivery.outbox import GROUPED
from detector.delivery.postman import Means, Postman
from detector.district import District, Person, load_district
from detector.ledger import NoticeRow, NoticeWork, Position, Post, Work
from detector.ledger.sqlite_file import FILE, open_ledger, open_outbox

FOLDER = SCRATCH / "flood"
MESSAGES, PEOPLE, TIERS = 50_000, 10, 3
WAIT_S = 120


class _Counter:
    """A gateway that is always good; it wakes whoever waits for the last digest."""

    name = "sms"

    def __init__(self, want: int) -> None:
        self.sent: list[Outgoing] = []
        self.enough, self._want = threading.Event(), want

    async def send(self, message: Outgoing) -> Outcome:
        """Take it."""
        self.sent.append(message)
        if len(self.sent) == self._want:
            self.enough.set()
        return Outcome("delivered")

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """None come."""
        raise ValueError("no callback")

    async def close(self) -> None:
        """Nothing is held."""


def run() -> list[dict[str, Any]]:
    """Two rows: seconds until the last digest, as districts have it and with a wait of 2 s."""
    return [_flood(wait_s) for wait_s in (0, 2)]


def _flood(wait_s: int) -> dict[str, Any]:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    ledger, place, gateway = open_ledger(FOLDER / FILE), _place(wait_s), _Counter(PEOPLE * TIERS)
    given = Given(
        lambda: place, {"sms": gateway}, lambda: time_ns() // 1_000, perf_counter, lambda *a, **k: 0
    )
    told: list[bytes] = []
    postman = Postman(Means(lambda: open_outbox(FOLDER / FILE), given, told.extend))
    postman.start()
    now = time_ns() // 1_000
    work = NoticeWork(rows=[_notice(n, now) for n in range(MESSAGES)])
    work.posts = [_post(n, now) for n in range(MESSAGES)]
    ledger.commit(Position(), Work(notices=work))
    begun = perf_counter()
    postman.wake()
    if not gateway.enough.wait(WAIT_S):
        raise RuntimeError(f"{len(gateway.sent)} digests after {WAIT_S} s")
    taken = perf_counter() - begun
    postman.stop()
    _check(gateway)
    ledger.close()
    shutil.rmtree(FOLDER)
    note = (
        f"{MESSAGES:,} messages of {PEOPLE} people and {TIERS} tiers, {len(gateway.sent)} digests"
    )
    return {
        "name": "flood" if not wait_s else f"flood_wait_{wait_s}s", "value": round(taken, 2),
        "unit": "s", "against": None, "ratio": None, "note": note,
    }  # fmt: skip


def _check(gateway: _Counter) -> None:
    """One digest a person and tier, and every message is reached from one."""
    outbox = open_outbox(FOLDER / FILE)
    reached = set()
    for one in gateway.sent:
        after = ""
        while page := outbox.members(one.message_id, after, 1_000):
            reached |= {row.message_id for row in page if row.state == GROUPED}
            after = page[-1].message_id
    outbox.close()
    if len(gateway.sent) != PEOPLE * TIERS or len(reached) != MESSAGES:
        raise RuntimeError(f"{len(gateway.sent)} digests reach {len(reached)} messages")


def _place(wait_s: int) -> District:
    people = {
        f"P{n}": Person(f"P{n}", f"P{n}", "supervisor", "D1", f"1390000{n:04}", 1)
        for n in range(PEOPLE)
    }
    settings = DeliverySettings(quiet=(), on_days_off=True, group_wait_s=wait_s)
    ways = Channels(settings, (ChannelSettings("sms", "sms_http"),), (Route(("sms",)),))
    return replace(load_district(DISTRICT), people=people, channels=ways)


def _notice(n: int, now: int) -> NoticeRow:
    doc = b'{"notice_id":"n%d"}' % n
    return NoticeRow(f"n{n}", "case", f"c{n}", "D1", 1, 1, "issued", 1, now, now * 2, doc)


def _post(n: int, now: int) -> Post:
    doc = msgspec.json.encode({"notice_id": f"n{n}", "reasons": ["x" * 400]})
    return Post(
        f"n{n}.1", f"n{n}", f"P{n % PEOPLE}", "issued", n // PEOPLE % TIERS, 1, "D1", now,
        f"预警：办件c{n}", "办件超过承诺期限，请于3月5日17:30前反馈。", doc, now,
    )  # fmt: skip
