"""channels.toml: the ways out of a district, who is served by which, and the bounds of sending.

Read with the district, so what was in force when a message left is in the journal. Secrets are not
in it: a channel names the environment variable (or file) that holds each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KINDS = (
    "log", "sms_http", "smpp", "webhook", "dingtalk", "wecom", "feishu", "mail", "apprise",
)  # fmt: skip
SMS = ("sms_http", "smpp")  # they are counted and billed by parts
PERSONAL = ("log", "sms_http", "smpp", "mail")  # they need a person's number or address


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """One `[[channels]]`: its name, its kind, the caps, and what its adapter asks for."""

    name: str
    kind: str
    per_minute_max: int = 600  # messages through this gateway
    settings: dict[str, Any] = field(default_factory=dict)  # checked by kind


@dataclass(frozen=True, slots=True)
class Route:
    """One `[[routes]]`: messages that fit go by these channels; () is any. The most specific
    route that fits wins, of equals the last."""

    channels: tuple[str, ...]
    tiers: tuple[int, ...] = ()
    levels: tuple[int, ...] = ()
    departments: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    occasions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Silence:
    """One `[[mutes]]`: what fits is not sent between two instants (µs UTC), and why."""

    reason: str
    begin_us: int
    end_us: int
    departments: tuple[str, ...] = ()
    persons: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    tiers: tuple[int, ...] = ()

    def covers(
        self, at: int, department: str | None, tier: int, person: str | None = None,
        channel: str | None = None,
    ) -> bool:  # fmt: skip
        """Does it hold such a message at an instant: from its begin on, no longer at its end."""
        wanted: tuple[tuple[tuple[object, ...], object], ...] = (
            (self.departments, department), (self.persons, person), (self.channels, channel),
            (self.tiers, tier),
        )  # fmt: skip
        fits = all(not some or have in some for some, have in wanted)
        return fits and self.begin_us <= at < self.end_us


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """`[delivery]`: quiet hours, grouping and caps. Below `pierce_tier` quiet hours and days off
    hold a message back; from it on nothing does."""

    base_url: str = ""  # where links lead; "" sends none
    signature: str = ""  # 【…】, put in front by the gateway; counted with every SMS
    quiet: tuple[tuple[int, int], ...] = ((21 * 60, 7 * 60 + 30),)  # minutes of the local day
    on_days_off: bool = False
    pierce_tier: int = 3
    group_wait_s: int = 0
    group_from: int = 4  # so many messages of one recipient and tier become one digest
    recipient_per_hour_max: int = 30
    recipient_per_day_max: int = 50
    sms_parts_max: int = 4  # a longer text message is cut: 70 units go whole, else 67 a part
    attempts_max: int = 7  # the first, then after 30 s, 2 min, 10 min, 1 h, 4 h, 12 h


@dataclass(frozen=True, slots=True)
class Channels:
    """All of channels.toml. Where a district has none, everything goes to the log."""

    delivery: DeliverySettings = DeliverySettings()
    channels: tuple[ChannelSettings, ...] = (ChannelSettings("log", "log"),)
    routes: tuple[Route, ...] = (Route(("log",)),)
    mutes: tuple[Silence, ...] = ()

    def signature(self, channel: str | None) -> str:
        """What stands in front of a channel's text messages: its own 【…】, else the district's."""
        some = (one.settings.get("signature") for one in self.channels if one.name == channel)
        return next(some, "") or self.delivery.signature

    def broadcasts(self) -> bool:
        """Is there a channel that no one person receives."""
        return any(one.kind not in PERSONAL for one in self.channels)
