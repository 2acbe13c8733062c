"""The first frames and the topics of a scale-out: a composition root. Both may be made again."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import msgspec

from detector.adapters import machine
from detector.adapters.kafka import make_topics
from detector.cluster.layout import REFUSALS, Layout
from detector.district import read_folder
from detector.ledger import LedgerError, Position
from detector.ledger.content import content_of
from detector.live import genesis
from detector.live.contents import read_contents
from detector.places import DatabasePlace
from detector.shelf import rules_folder


def begin_shards(ledger: str, district: Path, shards: tuple[int, int]) -> None:
    """Begin the ledgers of all shards with a district; those that were begun must be of as many
    shards, and stay as they are. Raises `LedgerError`, `DistrictError`, `RuleFault`."""
    layout = Layout(*shards)
    content = content_of(read_folder(district), rules_folder(), machine.wall_us())
    content = msgspec.structs.replace(content, shards=shards)
    content.engine()  # says what is wrong with it before anything is written
    with closing(DatabasePlace(ledger).reader()) as reader:
        others = set(reader.shards()) - set(layout.shards())
    if others:
        raise LedgerError(
            f"the database holds other shards ({', '.join(sorted(others)[:5])}):"
            " use `oriole rekey` to change how many there are"
        )
    for name in layout.shards():
        with closing(DatabasePlace(ledger, name).ledger()) as one:
            if one.position() == Position():
                genesis.begin(one, content)
                continue
            content = read_contents(one, [1])[-1].content  # the others begin with the very same
            if content.shards != shards:
                raise LedgerError(f"{name}: was made for another number of shards")


def make_all_topics(broker: str, shards: tuple[int, int]) -> None:
    """The topics that feed so many shards. Raises `Unreachable`."""
    asyncio.run(make_topics(broker, Layout(*shards).topics() | {REFUSALS: 1}))
