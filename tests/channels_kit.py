"""What tests of channels share: a message, a district that reads channels.toml, one send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from notice_kit import CATALOGUE, DISTRICT, PEOPLE

from detector.adapters.ways import open_channel
from detector.channels import Channels
from detector.delivery import Channel, Outcome, Outgoing
from detector.district import district_from

LOOPBACK = {"allow_private": ("127.0.0.0/8", "::1/128"), "timeout_s": 2}
TEXT = "督办通知：许可办件c1环节过快。请于3月3日、9日、30日10:00前签收、答复、办结。"


def message(key: str = "n1.1", to: str = "13900000003", text: str = TEXT) -> Outgoing:
    """A message of one notice."""
    return Outgoing(
        message_id=key, to=to, subject="督办通知", text=text, occasion="issued", tier=2,
        at_us=1_772_416_858_000_000, doc={"notice_id": "n1"},
    )  # fmt: skip


def read(text: str) -> Channels:
    """The channels of a town with this channels.toml."""
    files = {
        "district.toml": DISTRICT.format(profile="default", more="", calendar=""),
        "catalogue/a.toml": CATALOGUE, "people.csv": PEOPLE, "channels.toml": text,
    }  # fmt: skip
    return district_from({name: told.encode() for name, told in files.items()}).channels


def opened(text: str, secret: Callable[[str], str | None] = lambda name: None) -> Channel:
    """The first channel of a channels.toml."""
    return open_channel(read(text).channels[0], secret, lambda *a, **k: None)


def sent(channel: Channel, *messages: Outgoing) -> list[Outcome]:
    """What becomes of messages, sent one after the other."""

    async def run() -> list[Outcome]:
        told = [await channel.send(one) for one in messages]
        await channel.close()
        return told

    return asyncio.run(run())
