"""Packs (包): lines by the partition of their subject, as any Kafka producer would place them.

A pack carries how far its sender has come: what it sends later to this partition arrives later. An
empty one says just that. Lines that name no case, or cannot be read, go to some partition all the
same: the shard there refuses them, and keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np

from detector.cluster.layout import CASE, DEPARTMENT, Layout, partitions_of
from detector.event import CODE_BYTES_MAX, FACTS
from detector.known import TICK, tick_line
from detector.values import ABSENT

RECEIVED, WATERMARK = "received_at", "watermark"  # headers of a record
LINE = b"line"  # its lines say themselves when they arrived
OFFICER = "officer"  # certificates are a fact that every case's shard must know


class _Key(msgspec.Struct):
    """What of a line says where it goes."""

    kind: str | None = None
    case_id: str = ""


_key = msgspec.json.Decoder(_Key)
_NOBODY = _Key()


@dataclass
class Pack:
    """Lines for one partition of one kind."""

    kind: str
    partition: int
    data: bytes
    stamp: int | None  # when they arrived, µs UTC; None: as they say
    watermark: int = ABSENT  # of the sender: the rest of what it sends here arrives behind it
    lines: list[bytes] = field(default_factory=list)

    def bodies(self) -> Iterator[tuple[bytes, int | None]]:
        """What a shard is to receive: the lines, and the watermark as a tick."""
        if self.data:
            yield self.data, self.stamp
        if self.watermark != ABSENT:
            yield tick_line(self.watermark), None


class Packer:
    """Cuts bodies into packs."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._everywhere, self._department = list(range(layout.cases)), layout.cases

    def packs(self, body: bytes, stamp: int | None, watermark: int = ABSENT) -> list[Pack]:
        """The packs of a body (whole lines); with a watermark one for each partition that lines may
        go to, else for those to which they do."""
        lines = [line + b"\n" for line in body.split(b"\n") if line.strip()]
        keys = [_read(line) for line in lines]
        cases = self.layout.cases
        packs = [Pack(CASE, n, b"", stamp, watermark) for n in range(cases)]
        packs.append(Pack(DEPARTMENT, 0, b"", stamp, watermark))
        of = partitions_of([k.case_id.encode() for k in keys], cases) if keys else np.zeros(0)
        for line, key, partition in zip(lines, keys, of.tolist(), strict=True):
            for place in self._places(key, int(partition)):
                packs[place].lines.append(line)
        for pack in packs:
            pack.data = b"".join(pack.lines)
        return [p for p in packs if p.data or watermark != ABSENT]

    def _places(self, key: _Key, partition: int) -> list[int]:
        if key.kind is None:
            return [partition]
        if key.kind == TICK:
            return [*self._everywhere, self._department]
        if key.kind == OFFICER:
            return self._everywhere
        return [self._department] if key.kind in FACTS else [partition]


def _read(line: bytes) -> _Key:
    """The key of a line; of one that cannot be read, that of nobody."""
    try:
        key = _key.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _NOBODY
    return key if len(key.case_id) <= CODE_BYTES_MAX else _NOBODY  # it will be refused
