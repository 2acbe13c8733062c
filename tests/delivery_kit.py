"""A small district, its people and channels, and rows as the engine would put them in."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from detector.channels import Channels, ChannelSettings, DeliverySettings, Route
from detector.delivery import Outcome, Outgoing, Receipt
from detector.delivery.outbox import Row
from detector.delivery.passing import Facts
from detector.district import District, Person, load_district

COUNTY = Path(__file__).resolve().parents[1] / "examples" / "county"
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
MONDAY = 1_772_413_200_000_000  # 2026-03-02 09:00 in Shanghai
PEOPLE = {
    person: Person(person, name, role, "D1", phone, level, email)
    for person, name, role, phone, level, email in (
        ("P1", "甲", "supervisor", "13900000001", 1, ""),
        ("P2", "乙", "leader", "13900000002", 1, "p2@example.gov.cn"),
        ("P3", "丙", "supervisor", "", 1, ""),
        ("Z", "值班", "supervisor", "13900000009", 2, ""),
    )
}
SMS, OTHER = ChannelSettings("sms", "sms_http", 6_000), ChannelSettings("sms2", "smpp", 6_000)
MAIL = ChannelSettings("mail", "mail")
HOOK, ROBOT = ChannelSettings("hook", "webhook"), ChannelSettings("robot", "wecom", 20)


@cache
def _county() -> District:
    return load_district(COUNTY)


def district(*channels: ChannelSettings, routes: tuple[Route, ...] = (), **more: Any) -> District:
    """The example county with other people and channels. `more`: of `[delivery]`, and `mutes`."""
    some = channels or (SMS, HOOK)
    mutes = more.pop("mutes", ())
    usual = routes or (Route(tuple(one.name for one in some)),)
    ways = Channels(DeliverySettings(**more), some, usual, mutes)
    return replace(_county(), people=PEOPLE, channels=ways)


def facts(place: District | None = None, now_us: int = MONDAY, **more: Any) -> Facts:
    """What stages know."""
    place = place or district()
    names = frozenset(one.name for one in place.channels.channels)
    given: dict[str, Any] = {"now_us": now_us, "district": place, "channels": names, "duty": "Z"}
    return Facts(**(given | more))


def row(message_id: str = "n1.1", **told: Any) -> Row:
    """A message that waits."""
    given: dict[str, Any] = {
        "seq": 1, "notice_id": message_id.partition(".")[0], "person": "P1", "occasion": "issued",
        "tier": 1, "level": 1, "department": "D1", "at_us": MONDAY, "subject": "预警：办件c1",
        "due_us": MONDAY,
    }  # fmt: skip
    return Row(message_id=message_id, **(given | told))


class Recorder:
    """A channel that takes everything, or answers as it is told."""

    def __init__(self, name: str = "sms", *answers: Outcome) -> None:
        self.name, self.sent, self._answers = name, list[Outgoing](), list(answers)

    async def send(self, message: Outgoing) -> Outcome:
        """Keep it."""
        self.sent.append(message)
        usual = Outcome("sent", "0", gateway_id=f"g-{message.message_id}")
        return self._answers.pop(0) if self._answers else usual

    def receipts(self, body: bytes, headers: dict[str, str]) -> list[Receipt]:
        """Nothing is said back."""
        raise ValueError("no callback")

    async def close(self) -> None:
        """Nothing is held."""


def line_of(data: bytes) -> tuple[str, str]:
    """(message, status) of a line that the engine is told."""
    told = msgspec.json.decode(data)
    return told["message_id"], told["status"]
