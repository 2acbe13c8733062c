"""All shards in one process, one after the other: what re-keying and the laws are run with.

The same runners and ledgers as of workers; what they tell each other passes through memory, in the
order in which a topic would keep it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from detector.cluster.layout import KINDS, Layout, name_of
from detector.cluster.packing import Pack, Packer
from detector.cluster.shards import maker
from detector.ledger import Ledger, Relay
from detector.ledger.content import Content
from detector.live import Answer, genesis
from detector.live.arrivals import Waiting
from detector.live.outside import Limits, Outside
from detector.live.recovery import recover
from detector.live.runner import Runner


def _raise(fault: BaseException) -> None:
    raise fault


class Whole:
    """Shards by name, each with a ledger of its own."""

    def __init__(
        self, content: Content, open_ledger: Callable[[str], Ledger], layout: Layout,
        seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:  # fmt: skip
        self.layout, self.packer = layout, Packer(layout)
        self.runners: dict[str, Runner] = {}
        self.queues: dict[str, deque[bytes]] = {}
        self.faults: list[object] = []  # what could not be read, or judged
        for name in layout.shards():
            ledger = open_ledger(name)
            genesis.begin(ledger, content)
            shard = recover(ledger, None, kind=maker(name)).shard
            outside = Outside(None, seconds, lambda: True, lambda s: None, _raise, self._told, True)
            self.runners[name] = Runner(shard, ledger, outside, Limits())
            self.queues[name] = deque()

    def _told(self, relays: list[Relay]) -> None:
        for one in relays:
            self.queues[one.target].append(one.data)

    def _say(self, answer: object) -> None:
        if not isinstance(answer, Answer):
            self.faults.append(answer)

    def take(self, body: bytes, stamp: int | None = None) -> None:
        """Lines that arrived together; then whatever follows of them, in all shards."""
        for pack in self.packer.packs(body, stamp):
            self.feed(pack)
        self.settle()

    def feed(self, pack: Pack) -> None:
        """A pack goes to its shard, and no further."""
        bodies = [Waiting(data, stamp, self._say) for data, stamp in pack.bodies()]
        self.runners[name_of(pack.kind, pack.partition)].serve(bodies)

    def settle(self, kinds: Sequence[str] = KINDS, most: int = 1 << 30) -> None:
        """Let shards take up what they were told, at most so many lines each."""
        for name in self.layout.shards(*kinds):
            queue = self.queues[name]
            some = [queue.popleft() for _ in range(min(len(queue), most))]
            if some:
                self.runners[name].serve([Waiting(data, None, self._say) for data in some])

    def waiting(self) -> int:
        """Lines that were told and not taken up."""
        return sum(map(len, self.queues.values()))


def feed_all(whole: Whole, bodies: Iterable[bytes]) -> None:
    """Bodies one after the other."""
    for body in bodies:
        whole.take(body)
