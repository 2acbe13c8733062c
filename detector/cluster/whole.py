"""All shards in one process, one after the other: what re-keying and the laws are run with.

The same runners and ledgers as of workers; what they tell each other passes through memory, in the
order in which a topic would keep it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from detector.cluster.layout import KINDS, Layout, name_of
from detector.cluster.packing import Pack, Packer
from detector.cluster.shards import maker
from detector.ledger import Ledger, Relay, Work
from detector.ledger.content import Content
from detector.live import Answer, genesis
from detector.live.arrivals import Waiting
from detector.live.contents import Change
from detector.live.outside import Limits, Outside
from detector.live.recovery import recover
from detector.live.runner import Runner

Body = tuple[bytes, int | None]  # whole lines, and when they arrived, µs UTC


def _raise(fault: BaseException) -> None:
    raise fault


class Whole:
    """Shards by name, each with a ledger of its own; one that is empty begins with the content."""

    def __init__(
        self, content: Content, open_ledger: Callable[[str], Ledger], layout: Layout,
        seconds: Callable[[], float] = lambda: 0.0, speaks: bool = True,
        snapshots: Path | None = None,
    ) -> None:  # fmt: skip
        self.layout, self.packer = layout, Packer(layout)
        self.runners: dict[str, Runner] = {}
        self.queues: dict[str, deque[bytes]] = {name: deque() for name in layout.shards()}
        self.faults: list[object] = []  # what could not be read, or judged
        self.outside = Outside(
            None, seconds, lambda: True, lambda s: None, _raise, self._told, True, speaks=speaks
        )
        for name in layout.shards():
            ledger = open_ledger(name)
            genesis.begin(ledger, content)
            folder = snapshots / name if snapshots else None
            shard = recover(ledger, folder, kind=maker(name)).shard
            self.runners[name] = Runner(shard, ledger, self.outside, Limits())
            self._told(ledger.relays())

    def _told(self, relays: Iterable[Relay]) -> None:
        for one in relays:
            self.queues[one.target].append(one.data)

    def _say(self, answer: object) -> None:
        if not isinstance(answer, Answer) or answer.refused:
            self.faults.append(answer)

    def take(self, bodies: Iterable[Body]) -> None:
        """Bodies in order of arrival, as one batch; then whatever follows of them, in all
        shards."""
        packs = [pack for data, stamp in bodies for pack in self.packer.packs(data, stamp)]
        packs.sort(key=_shard_of)  # of one shard in their order
        for name, some in groupby(packs, key=_shard_of):
            self._serve(name, [body for pack in some for body in pack.bodies()])
        self.settle()

    def feed(self, pack: Pack) -> None:
        """A pack goes to its shard, and no further."""
        self._serve(_shard_of(pack), list(pack.bodies()))

    def _serve(self, name: str, bodies: Sequence[Body]) -> None:
        self.runners[name].serve([Waiting(data, stamp, self._say) for data, stamp in bodies])

    def settle(self, kinds: Sequence[str] = KINDS, most: int = 1 << 30) -> None:
        """Let shards take up what they were told, at most so many lines each."""
        for name in self.layout.shards(*kinds):
            queue = self.queues[name]
            some = [queue.popleft() for _ in range(min(len(queue), most))]
            if some:
                self._serve(name, [(data, None) for data in some])

    def waiting(self) -> int:
        """Lines that were told and not taken up."""
        return sum(map(len, self.queues.values()))

    def change(self, content: Content) -> None:
        """Another district or rulebook judges from its own instant on, in all shards."""
        self.settle()
        for kind in KINDS:
            self.settle([kind])
            for name in self.layout.shards(kind):
                runner = self.runners[name]
                runner.take(Change(content, content.engine()), content.at)

    def finish(self, offsets: Mapping[str, int]) -> None:
        """All that was told has been taken up, and is forgotten; where each shard's source goes
        on."""
        self.settle()
        for kind in KINDS:  # what moved a clock and left nothing yet, those that feed others first
            self.settle([kind])
            for name in self.layout.shards(kind):
                self.runners[name].flush()
        for name, runner in self.runners.items():
            position = runner.shard.position
            work = Work(relayed=position.seq, offset=offsets.get(name))
            runner.ledger.commit(position, work)

    def latest(self) -> int:
        """Up to when the shards have heard all, µs UTC."""
        return max(runner.shard.state.cases.watermark for runner in self.runners.values())

    def close(self) -> None:
        """Close the ledgers."""
        for runner in self.runners.values():
            runner.ledger.close()


def _shard_of(pack: Pack) -> str:
    return name_of(pack.kind, pack.partition)
