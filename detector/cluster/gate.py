"""The door of a scale-out: bodies become packs, and are answered once the broker has them.

It judges nothing. Every body is stamped as it comes and goes out in that order; a watermark follows
now and then to every partition, so that shards which nothing comes to go on as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from detector.cluster.layout import CASE, Layout, name_of, topic_of
from detector.cluster.packing import LINE, RECEIVED, WATERMARK, Pack, Packer
from detector.live import Answer, Say, Unavailable, Unreadable
from detector.live.intake import as_lines
from detector.values import ABSENT

Headers = tuple[tuple[str, bytes], ...]
Give = Callable[[Sequence[tuple[str, int, bytes, Headers]], Callable[[list[int]], None]], None]


@dataclass(frozen=True)
class Bounds:
    """How much may be on its way."""

    bodies_max: int = 1_024  # that the broker does not have yet
    bytes_max: int = 64 << 20
    lag_records_max: int = 20_000  # of one partition, that no shard has judged
    retry_after_s: int = 1


class Gate:
    """Takes bodies. `give` writes records in order, and says when they are kept; `clean` takes out
    of lines what the district does not let us keep."""

    def __init__(
        self, layout: Layout, give: Give, now: Callable[[], int] | None,
        clean: Callable[[bytes], bytes], bounds: Bounds = Bounds(),
    ) -> None:  # fmt: skip
        self.layout, self._give, self._now, self._bounds = layout, give, now, bounds
        self._packer, self._clean = Packer(layout), clean
        self._one = threading.Lock()
        self._stamp = ABSENT
        self._bodies = self._bytes = 0
        self.taken = 0  # lines
        self.ends = dict[tuple[str, int], int]()  # topic, partition → offset behind what we wrote
        self.lags = dict[str, int]()  # by shard

    def submit(self, body: bytes, say: Say) -> None:
        """Send a body on. `say` gets its answer once the broker has it. Raises `Unavailable`."""
        bounds = self._bounds
        if max(self.lags.values(), default=0) > bounds.lag_records_max:
            raise Unavailable("the shards are too far behind", 429, bounds.retry_after_s)
        try:
            lines = self._clean(as_lines(body))  # the broker, too, keeps what it is given
        except Unreadable as fault:
            say(fault)
            return
        with self._one:
            full = self._bodies >= bounds.bodies_max or self._bytes + len(lines) > bounds.bytes_max
            if full:
                raise Unavailable("the broker is slow", 429, bounds.retry_after_s)
            packs = self._packer.packs(lines, self._arrive())
            self._bodies += 1
            self._bytes += len(lines)
            self._send(packs, lambda: self._kept(lines, say))

    def tick(self) -> None:
        """Let every shard know how late it is."""
        if self._now is None:
            return
        with self._one:
            at = self._arrive()
            assert at is not None
            self._stamp = at + 1  # what comes in the very instant comes after it
            self._send(self._packer.packs(b"", None, at), lambda: None)

    def waiting(self) -> tuple[int, int]:
        """Bodies and bytes that the broker does not have yet."""
        return self._bodies, self._bytes

    def look(self, offsets: Mapping[str, int]) -> None:
        """See how far the shards are behind what we wrote; `offsets`: where each goes on."""
        for number in range(self.layout.cases):
            shard = name_of(CASE, number)
            end = self.ends.get((topic_of(CASE), number), 0)
            self.lags[shard] = max(0, end - offsets.get(shard, 0))

    def _arrive(self) -> int | None:
        """The stamp of what arrives now: never before one that was given."""
        if self._now is None:
            return None
        self._stamp = max(self._stamp, self._now())
        return self._stamp

    def _kept(self, lines: bytes, say: Say) -> None:
        count = lines.count(b"\n")
        with self._one:
            self._bodies -= 1
            self._bytes -= len(lines)
            self.taken += count
        say(Answer(count, 0, []))

    def _send(self, packs: list[Pack], kept: Callable[[], None]) -> None:
        records = [
            (topic_of(pack.kind), pack.partition, pack.data, _headers(pack)) for pack in packs
        ]

        def written(offsets: list[int]) -> None:
            for (topic, partition, _, _), offset in zip(records, offsets, strict=True):
                self.ends[topic, partition] = offset + 1
            kept()

        self._give(records, written)


def _headers(pack: Pack) -> Headers:
    told: list[tuple[str, bytes]] = []
    if pack.data:
        told.append((RECEIVED, LINE if pack.stamp is None else b"%d" % pack.stamp))
    if pack.watermark != ABSENT:
        told.append((WATERMARK, b"%d" % pack.watermark))
    return tuple(told)
