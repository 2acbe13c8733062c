"""One shard at work: its engine, and a state that is a function of the journal read so far.

The runner feeds it what arrives, recovery and `verify` what was journalled: the same road, so what
was found once is found again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from detector.columns import Inputs, Words, from_events, join
from detector.decode import Decoder
from detector.effects import Effects
from detector.engine import Engine
from detector.event import Fact, Reading
from detector.known import TICK, KnownFacts, tick_line
from detector.ledger import Frame, LedgerError, Position, Relay
from detector.ledger import Reading as LedgerReading
from detector.ledger.content import Content
from detector.ledger.journal import Block, Lines, blocks_of, text_of, unpack_back
from detector.live import Entry
from detector.live.contents import Change, InForce, Make, in_force, judge_of, read_change
from detector.live.intake import (
    Taken,
    drop_known_facts,
    put_in_order,
    reread,
    take,
)
from detector.tally import Tally
from detector.values import ABSENT

FRAMES_OPEN = 48  # some 30 MB
BODIES = "body"  # what a refusal of a live line names as its file


@dataclass
class Arrived:
    """Inputs in order of arrival, none before the one before it."""

    inputs: Inputs  # rows and facts; position: place among all inputs, from 0
    blocks: list[Block]
    at: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # received_at of each
    change: Change | None = None  # what comes into force, then alone

    @property
    def n(self) -> int:
        """How many inputs there are, facts included."""
        return len(self.at)


class Heads:
    """The number of the latest judged input of every case, by the case's code; -1 for none."""

    def __init__(self, numbers: np.ndarray | None = None) -> None:
        self.numbers = np.full(64, -1, np.int64) if numbers is None else numbers

    def link(self, cases: np.ndarray, numbers: np.ndarray, known: int) -> np.ndarray:
        """Enter judged inputs in order; the distance of each to the one before it of its case,
        0 where there is none. `known`: how many cases there are."""
        if known > len(self.numbers):
            grown = np.full(max(known, len(self.numbers) * 2), -1, np.int64)
            grown[: len(self.numbers)] = self.numbers
            self.numbers = grown
        if not len(cases):
            return np.zeros(0, np.int64)
        order = np.argsort(cases, kind="stable")
        case, number = cases[order], numbers[order]
        before = np.empty(len(order), np.int64)
        before[1:] = number[:-1]
        first = np.ones(len(order), bool)
        first[1:] = case[1:] != case[:-1]
        before[first] = self.numbers[case[first]]
        last = np.append(first[1:], True)
        self.numbers[case[last]] = number[last]
        back = np.empty(len(order), np.int64)
        back[order] = np.where(before < 0, 0, number - before)
        return back

    def of(self, case: int) -> int:
        """The head of a case, -1 where it has none."""
        return int(self.numbers[case]) if 0 <= case < len(self.numbers) else -1


class Shard:
    """An engine with its state, and where in the journal it stands."""

    joins = True  # bodies that arrived alike may be read as one

    def __init__(self, engine: Engine, words: Words | None = None) -> None:
        self.engine = engine
        self.words = words or Words()
        self.state = engine.new_state(self.words)
        self.heads = Heads()
        self.facts = KnownFacts()  # that were taken
        self.position = Position()
        self.ledger: LedgerReading | None = None  # where cases that are corrected find their past
        self.contents: list[InForce] = []  # what has judged, the one in force last
        self.make: Make = Content.engine
        self.heard: dict[str, tuple[int, int]] = {}  # shard that feeds this one → frame, watermark
        self._walker: Walker | None = None
        self._arriving = ABSENT  # the floor, while bodies are read
        self.decoder = decoder_of(engine, self.words)
        self._decoders: dict[int, Decoder] = {}  # of earlier contents, by their place

    @property
    def floor(self) -> int:
        """The earliest instant at which an input may still arrive, `ABSENT` before any."""
        watermark = self.state.cases.watermark
        return ABSENT if watermark == ABSENT else watermark + 1

    def receive(self, bodies: Sequence[tuple[bytes, int | None]], place: int = 0) -> list[Taken]:
        """Read bodies (lines, stamp) in order of arrival, behind so many inputs."""
        taken, self._arriving = list[Taken](), self.floor
        for data, stamp in bodies:
            taken.append(self._receive(data, stamp, place))
            place += taken[-1].count
        return taken

    def _receive(self, data: bytes, stamp: int | None, place: int) -> Taken:
        one = self._take(data, stamp, place)
        if one.inputs.facts:
            drop_known_facts(self.decoder, one, self.facts)
        self._arriving = put_in_order(self.decoder, one, self._arriving)
        one.positions = one.inputs.position
        return one

    def _take(self, data: bytes, stamp: int | None, place: int) -> Taken:
        return take(self.decoder, data, stamp, place)

    def reread(self, text: bytes) -> Arrived:
        """The inputs of a frame's canonical bytes. Raises `ValueError` if one does not read."""
        blocks = blocks_of(text)
        if blocks and blocks[0].content:
            change = read_change(blocks[0].data, self.contents[-1].content, self.make)
            return self.changing(change, blocks[0])
        parts, place = [], 0
        for block in blocks:
            parts += self.reread_block(block, place)
            place += block.n
        return arrived(parts, blocks, self.words)

    def clocks_of(self, facts: Sequence[Fact]) -> dict[str, bytes]:
        """The lines among these that do no more than move a clock, the latest of each clock."""
        ticks = [fact.received_at for fact in facts if fact.kind == TICK]
        return {TICK: tick_line(max(ticks))} if ticks else {}

    def reread_block(self, block: Block, place: int) -> list[Inputs]:
        """The inputs of a block that was read before."""
        part = reread(self.decoder, block, place)
        self.facts.fresh(part.facts)
        return [part]

    def changing(self, change: Change, block: Block) -> Arrived:
        """A change as the input that it is."""
        nothing = from_events([], self.words)
        return Arrived(nothing, [block], np.array([change.content.at]), change)

    def _adopt(self, change: Change) -> Effects:
        """From here on another content judges."""
        at = ABSENT if self.state.cases.watermark == ABSENT else change.content.at
        self._decoders[len(self.contents) - 1] = self.decoder
        effects = self._taken_over(change.engine, at)
        self.engine = change.engine
        self.decoder = decoder_of(self.engine, self.words)
        position = self.position
        self.contents.append(in_force(position.seq + 1, position.next_event, change.content))
        return effects

    def _taken_over(self, engine: Engine, at: int) -> Effects:
        self.state, effects = engine.adopt(self.engine, self.state, at)
        return effects

    def _era(self, number: int) -> int:
        """The place of the content by which an input of this number was read."""
        return bisect_right([one.number for one in self.contents[1:]], number)

    def engine_of(self, era: int) -> Engine:
        """The engine of a content, by its place among those that have judged."""
        past = self.engine.past
        return past[era].engine() if era < len(past) else self.engine

    def judge_of(self, seq: int, rulebook: str) -> Engine:
        """The engine that raised a finding; see `contents.judge_of`."""
        return judge_of(self.contents, self.engine_of, seq, rulebook)

    def _decoder_of(self, era: int) -> Decoder:
        """Lines are read as they were when they came."""
        if era == len(self.contents) - 1:
            return self.decoder
        if era not in self._decoders:
            self._decoders[era] = decoder_of(self.engine_of(era), self.words)
        return self._decoders[era]

    def judge(self, some: Arrived) -> Effects:
        """Judge inputs that stand behind all that was judged before."""
        if some.change is not None:
            return self._adopt(some.change)
        inputs, timelines = some.inputs, {}
        corrects = inputs.supersedes != b""
        if corrects.any():
            for case in np.unique(inputs.case[corrects]).tolist():
                timelines[case] = self.past(case)
        return self._step(inputs, timelines)

    def _step(self, inputs: Inputs, timelines: dict[int, Inputs]) -> Effects:
        self.state, effects = self.engine.step(self.state, inputs, timelines)
        return effects

    def relays(self, effects: Effects, seq: int) -> list[Relay]:
        """What a batch that ends with this frame tells other shards; without effects: up to when
        they have heard all."""
        return []

    def link(self, some: Arrived, effects: Effects) -> np.ndarray:
        """The `back` column of judged inputs, which are henceforth the heads of their cases."""
        back = np.zeros(some.n, np.int64)
        rows = np.flatnonzero(effects.kept)
        place = some.inputs.position[rows]
        cases, numbers = some.inputs.case[rows], self.position.next_event + place
        back[place] = self.heads.link(cases, numbers, len(self.words.case))
        return back

    def past(self, case: int) -> Inputs:
        """The judged inputs of a case that are in the ledger, in order."""
        if self.ledger is None:
            raise LedgerError("a case was corrected and no ledger is at hand")
        if self._walker is None or self._walker.ledger is not self.ledger:
            self._walker = Walker(self.ledger)
        walked = self._walker.walk(self.heads.of(case))
        lines = [(self._era(number), block) for number, block in walked]
        parts, place = [], 0
        for (era, stamp, floor), run in groupby(
            reversed(lines), key=lambda one: (one[0], one[1].stamp, one[1].floor)
        ):
            data = [block.data for _, block in run]
            block = Block(stamp, b"".join(data), len(data), floor)
            parts.append(reread(self._decoder_of(era), block, place))
            place += block.n
        return join(parts) if parts else from_events([], self.words)

    def timeline(self, case_id: str, ledger: LedgerReading) -> list[Entry] | None:
        """The judged inputs of a case, oldest first; None where it is unknown.

        May be called from another thread than the one that judges.
        """
        head = self.heads.of(self.words.case.find(case_id))
        if head < 0:
            return None
        words, own = Words(), dict[int, Decoder]()
        entries = []
        for number, block in Walker(ledger).walk(head):
            era = self._era(number)
            if era not in own:
                own[era] = decoder_of(self.engine_of(era), words)
            at = int(reread(own[era], block, 0).received_at[0])
            entries.append(Entry(number, at, block.data.rstrip(b"\n")))
        return entries[::-1]


Kind = Callable[[Engine, Words | None], Shard]  # makes an empty shard


def that_counts(kind: Kind) -> Kind:
    """The same kind, whose shards count raw values for who asks what other limits would raise."""

    def make(engine: Engine, words: Words | None = None) -> Shard:
        shard = kind(engine, words)
        shard.state.cases.tally = Tally()
        return shard

    return make


counting = that_counts(Shard)


def decoder_of(engine: Engine, words: Words) -> Decoder:
    """Reads lines as an engine's district says."""
    district = engine.district
    how = Reading(district.calendar.zone, district.limits.clock_jump_days_max)
    return Decoder(words, how, BODIES, district.privacy_drop)


def arrived(parts: Sequence[Inputs], blocks: list[Block], words: Words) -> Arrived:
    """Inputs of several bodies or blocks as one; positions become places among all inputs."""
    inputs = join(parts) if parts else from_events([], words)
    facts = inputs.facts
    n = len(inputs) + len(facts)
    if not facts:
        inputs.position = np.arange(n)
        return Arrived(inputs, blocks, inputs.received_at)
    places = np.concatenate([inputs.position, [fact.position for fact in facts]])
    order = np.argsort(places, kind="stable")
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    at = np.empty(n, np.int64)
    at[rank] = np.concatenate([inputs.received_at, [fact.received_at for fact in facts]])
    inputs.position = rank[: len(inputs)]
    for fact, place in zip(facts, rank[len(inputs) :].tolist(), strict=True):
        fact.position = place
    return Arrived(inputs, blocks, at)


class Walker:
    """Reads single inputs of a ledger, a few frames kept unpacked at hand."""

    def __init__(self, ledger: LedgerReading) -> None:
        self.ledger = ledger
        self._open: OrderedDict[int, tuple[Frame, Lines, np.ndarray]] = OrderedDict()

    def walk(self, head: int) -> Iterator[tuple[int, Block]]:
        """(number, block of that one line) of a case's judged inputs, from its head back."""
        while head >= 0:
            frame, lines, back = self._frame_of(head)
            place = head - frame.first_event
            yield head, lines.block(place)
            distance = int(back[place])
            if not distance:
                return
            head -= distance

    def _frame_of(self, number: int) -> tuple[Frame, Lines, np.ndarray]:
        for first, held in self._open.items():
            if first <= number < first + held[0].n:
                self._open.move_to_end(first)
                return held
        frame = self.ledger.frame_of(number)
        if frame is None:
            raise LedgerError(f"the ledger has no input {number}")
        held = (frame, Lines(text_of(frame)), unpack_back(frame))
        self._open[frame.first_event] = held
        if len(self._open) > FRAMES_OPEN:
            self._open.popitem(last=False)
        return held
