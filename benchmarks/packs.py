"""A county's lines as the records of a topic, as a door would write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.county_files import DISTRICT
from benchmarks.ground import LAYOUT
from detector.adapters.kafka import Out
from detector.cluster.layout import CASE, name_of, topic_of
from detector.cluster.packing import LINE, RECEIVED, WATERMARK, Pack, Packer
from detector.district import load_district
from detector.values import ABSENT, read_time

BODY_LINES, PACK_LINES = 16_384, 128  # a tick follows each body
AFTER_US = 60_000_000  # when the last tick is, behind the last line


@dataclass
class Sent:
    """The topic's records, and where they end."""

    records: list[Out] = field(default_factory=list)
    lines: int = 0
    until: int = ABSENT  # the last tick, µs UTC

    def ends(self) -> dict[str, int]:
        """The offset behind the last record, by the shard of cases."""
        told = dict.fromkeys(LAYOUT.shards(CASE), 0)
        for one in self.records:
            if one.topic == topic_of(CASE):
                told[name_of(CASE, one.partition)] += 1
        return told


def records_of(path: Path) -> Sent:
    """The lines of a file as a door would write them, and clocks behind each body."""
    sent, packer = Sent(), Packer(LAYOUT)
    zone = load_district(DISTRICT).calendar.zone
    with path.open("rb") as source:
        while some := list(islice(source, BODY_LINES)):
            sent.lines += len(some)
            for pack in packer.packs(b"".join(some), None):
                sent.records += _cut(pack)
            sent.until = max(sent.until, _received(some, zone) - 1)
            sent.records += _ticks(packer, sent.until)
    sent.until += AFTER_US
    sent.records += _ticks(packer, sent.until)
    return sent


def _cut(pack: Pack) -> list[Out]:
    lines, topic = pack.lines, topic_of(pack.kind)
    parts = (lines[at : at + PACK_LINES] for at in range(0, len(lines), PACK_LINES))
    return [Out(topic, pack.partition, b"".join(p), ((RECEIVED, LINE),)) for p in parts]


def _ticks(packer: Packer, at: int) -> list[Out]:
    headers = ((WATERMARK, b"%d" % at),)
    return [
        Out(topic_of(pack.kind), pack.partition, b"", headers)
        for pack in packer.packs(b"", None, at)
    ]


def _received(lines: list[bytes], zone: Any) -> int:
    """When the last line arrived that says so, µs UTC; the file is in that order."""
    for line in reversed(lines):
        try:
            return read_time(msgspec.json.decode(line)["received_at"], zone)
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
            continue  # a broken line
    raise RuntimeError("a body of broken lines")
