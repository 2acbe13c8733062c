"""The three kinds of shards: each judges its own subjects, and tells others what concerns theirs.

All are a `Shard`: runner, recovery, snapshots and proof are those of the embedded engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from detector.cluster import relay
from detector.cluster.layout import (
    CASE,
    DEPARTMENT,
    DIRECT,
    OPERATOR,
    Layout,
    name_of,
    partitions_of,
    parts_of,
)
from detector.cluster.relay import BEGINS, RELAY, Line
from detector.columns import Inputs, Words, from_events
from detector.effects import Effects
from detector.engine import Engine, watermark_of
from detector.event import Fact, Refused
from detector.known import WATERMARK
from detector.learning.observed import joined
from detector.ledger import LedgerError, Reading, Relay
from detector.ledger.journal import Block
from detector.live.contents import read_contents
from detector.live.intake import Taken, refuse
from detector.live.shard import Kind, Shard, that_counts
from detector.records import Records, join_records
from detector.values import ABSENT

FIRST = 1  # the frame of the content: before it nothing is told


class PartShard(Shard):
    """One shard of several."""

    kind: str

    def __init__(self, engine: Engine, words: Words | None = None, *, name: str) -> None:
        super().__init__(engine, words)
        self.name = name
        self._over_at = ABSENT  # when a content is taken over, while that is told

    @property
    def layout(self) -> Layout:
        """Which shards there are, as the journal says."""
        told = self.contents[-1].content.shards
        if told is None:
            raise LedgerError(f"shard {self.name}: its ledger was made for one shard of everything")
        return Layout(*told)

    def _line(self, seq: int) -> Line:
        watermark = self.state.cases.watermark
        if self._over_at == watermark:  # what follows of the change stands at this very instant
            watermark -= 1
        return Line(self.name, self.position.seq, seq, watermark)

    def _taken_over(self, engine: Engine, at: int) -> Effects:
        """All shards take another content over at one instant, those that feed others first; the
        others must have heard all before it."""
        effects = Effects()
        self._part_over(engine, at, effects)
        engine.follow(self.engine, at)
        self._over_at = self.state.cases.watermark
        return effects

    def _part_over(self, engine: Engine, at: int, effects: Effects) -> None:
        raise NotImplementedError

    def _matters(self, line: Line, effects: Effects) -> None:
        desk = self.engine.notice_desk
        line.matters = list(desk.matters_of(effects.moves, effects.known))


class CaseShard(PartShard):
    """Cases, judged in order of arrival. What operators typed goes to theirs, the rest to that of
    departments."""

    kind = CASE

    def __init__(self, engine: Engine, words: Words | None = None, *, name: str) -> None:
        super().__init__(engine, words, name=name)
        self._partition_of = np.zeros(0, np.int64)  # of operators, by code

    def _step(self, inputs: Inputs, timelines: dict[int, Inputs]) -> Effects:
        self._over_at = ABSENT
        return self.engine.step_cases(self.state.cases, inputs, timelines)

    def _part_over(self, engine: Engine, at: int, effects: Effects) -> None:
        engine.adopt_cases(self.engine, self.state.cases, at, effects)

    def relays(self, effects: Effects, seq: int) -> list[Relay]:
        """A line to each shard that this one feeds, whether it has something to say or not."""
        told = []
        shares = self._shares(effects.records)
        for number in range(self.layout.operators):
            line = self._line(seq)
            if number in shares:
                line.words, line.records = relay.spell(shares[number])
            told.append(Relay(seq, name_of(OPERATOR, number), relay.encode(line)))
        line = self._line(seq)
        self._matters(line, effects)
        line.handed = effects.handed or None
        if effects.observed:
            line.words, line.observed = relay.spell_observed(joined(effects.observed))
        for cases, received in effects.closed:
            names = map(str, self.words.case.texts(cases))
            line.closed += zip(received.tolist(), names, strict=True)
        return [*told, Relay(seq, name_of(DEPARTMENT, 0), relay.encode(line))]

    def _shares(self, parts: Sequence[Records]) -> dict[int, Records]:
        """Records by the partition of their operator."""
        if not parts:
            return {}
        whole, known = join_records(parts), len(self._partition_of)
        fresh = [word.encode() for word in self.words.operator.words[known:]]
        if fresh:
            more = partitions_of(fresh, self.layout.operators)
            self._partition_of = np.concatenate([self._partition_of, more])
        of = self._partition_of[whole.operator]
        return {int(p): whole.take(np.flatnonzero(of == p)) for p in np.unique(of)}


class FedShard(PartShard):
    """A shard that other shards feed: it judges up to the least of their watermarks."""

    joins = False

    @property
    def floor(self) -> int:
        """The earliest instant at which something may still arrive from outside."""
        _, watermark = self.heard.get(DIRECT, (0, ABSENT))
        return ABSENT if watermark == ABSENT else watermark + 1

    def watermark(self) -> int:
        """Up to when everything that feeds this shard is here."""
        sources = self.layout.sources(self.kind)
        return min(self.heard.get(source, (0, ABSENT))[1] for source in sources)

    def _receive(self, data: bytes, stamp: int | None, place: int) -> Taken:
        if not data.startswith(BEGINS):
            taken = super()._receive(data, stamp, place)
            self._direct(taken.inputs.facts)
            return taken
        taken = Taken(data, place, None, from_events([], self.words), [], 0)
        try:
            line = relay.decode(data)
            if line.source not in self.layout.sources(self.kind):
                raise ValueError(f"source: {line.source} does not feed {self.name}")
        except ValueError as fault:
            taken.refusals.append(self.decoder.refusal(1, Refused(RELAY, str(fault)[:200]), data))
            return taken
        if self._enter(line):
            taken.inputs.facts = [line.fact(place)]
        else:
            taken.duplicates = 1
        return taken

    def _take(self, data: bytes, stamp: int | None, place: int) -> Taken:
        """From outside come facts alone."""
        taken = super()._take(data, stamp, place)
        facts = taken.inputs.facts
        for position in taken.inputs.position.tolist():
            refuse(self.decoder, taken, position, "kind", "a case's event belongs to its shard")
        taken.inputs = from_events([], self.words)
        taken.inputs.facts = facts
        return taken

    def _enter(self, line: Line) -> bool:
        """Take up a line; False where it says nothing new. Raises `LedgerError` where one before it
        never came."""
        seq, watermark = self.heard.get(line.source, (FIRST, ABSENT))
        if line.empty:
            if line.seq != seq or line.watermark <= watermark:
                return False
        elif line.seq <= seq:
            return False
        elif line.before != seq:
            raise LedgerError(
                f"{line.source}: what it told between frames {seq} and {line.before} is lost"
            )
        self.heard[line.source] = (line.seq, max(line.watermark, watermark))
        return True

    def _direct(self, facts: Sequence[Fact]) -> None:
        """The clock of what comes from outside."""
        empty = from_events([], self.words)
        empty.facts = list(facts)
        seq, watermark = self.heard.get(DIRECT, (0, ABSENT))
        self.heard[DIRECT] = (seq, max(watermark, watermark_of(empty)))

    def clocks_of(self, facts: Sequence[Fact]) -> dict[str, bytes]:
        """The latest word of each shard that it has told all, besides ticks from outside."""
        marks = [f.fields[RELAY] for f in facts if f.kind == WATERMARK]
        return super().clocks_of(facts) | {one.source: relay.encode(one) for one in marks}

    def reread_block(self, block: Block, place: int) -> list[Inputs]:
        """The inputs of a block that was read before: lines of shards each by itself."""
        if BEGINS not in block.data:
            parts = super().reread_block(block, place)
            self._direct(parts[0].facts)
            return parts
        parts = []
        for data in block.data.splitlines(keepends=True):
            if not data.startswith(BEGINS):
                some = super().reread_block(Block(block.stamp, data, 1, block.floor), place)
                self._direct(some[0].facts)
                parts += some
            else:
                line = relay.decode(data)
                self._enter(line)
                parts.append(from_events([], self.words))
                parts[-1].facts = [line.fact(place)]
            place += 1
        return parts

    def _part_over(self, engine: Engine, at: int, effects: Effects) -> None:
        cases = self.state.cases
        cases.watermark = max(cases.watermark, at)
        seq, heard = self.heard.get(DIRECT, (0, ABSENT))
        self.heard[DIRECT] = (seq, max(heard, at))
        self._adopted(engine, effects)

    def _adopted(self, engine: Engine, effects: Effects) -> None:
        raise NotImplementedError

    def _step(self, inputs: Inputs, timelines: dict[int, Inputs]) -> Effects:
        self._over_at = ABSENT
        effects = Effects(kept=np.zeros(len(inputs), bool))
        told = [f.fields[RELAY] for f in inputs.facts if f.kind in (RELAY, WATERMARK)]
        facts = [f for f in inputs.facts if f.kind not in (RELAY, WATERMARK)]
        cases = self.state.cases
        cases.watermark = max(cases.watermark, self.watermark())
        self._judge(told, facts, effects)
        return effects

    def _judge(self, lines: list[Line], facts: list[Fact], effects: Effects) -> None:
        raise NotImplementedError


class OperatorShard(FedShard):
    """Operators, whose records come from all shards of cases."""

    kind = OPERATOR

    def _judge(self, lines: list[Line], facts: list[Fact], effects: Effects) -> None:
        operators = self.state.operators
        for line in lines:
            records = relay.read_records(line, self.words)
            if records is not None:
                operators.hold(records)
        self.engine.step_operators(operators, self.state.cases.watermark, effects)

    def _adopted(self, engine: Engine, effects: Effects) -> None:
        state = self.state
        engine.adopt_operators(self.engine, state.operators, state.cases.watermark, effects)

    def relays(self, effects: Effects, seq: int) -> list[Relay]:
        """What was found goes to whoever leads notices."""
        line = self._line(seq)
        self._matters(line, effects)
        return [Relay(seq, name_of(DEPARTMENT, 0), relay.encode(line))]


class DepartmentShard(FedShard):
    """What facts tell, and all notices: one walk over what every shard found."""

    kind = DEPARTMENT

    def _judge(self, lines: list[Line], facts: list[Fact], effects: Effects) -> None:
        engine, state = self.engine, self.state
        engine.facts_desk.hold(state.facts, facts)
        for line in lines:
            if line.handed is not None:
                engine.facts_desk.hold_handed(state.facts, line.handed)
            for known, matter in line.matters:
                engine.notice_desk.hold_matter(state.notices, known, matter)
            for at, case in line.closed:
                engine.notice_desk.hold_close(state.notices, at, case)
            if (observed := relay.read_observed(line, self.words)) is not None:
                effects.observed.append(observed)
        found = [(m.rule, at) for line in lines for at, m in line.matters if m.reason is None]
        engine.step_departments(state, facts, effects, found)
        engine.step_notices(state, facts, effects)

    def _adopted(self, engine: Engine, effects: Effects) -> None:
        engine.adopt_departments(self.engine, self.state, effects)


SHARDS: dict[str, type[PartShard]] = {
    kind.kind: kind for kind in (CaseShard, OperatorShard, DepartmentShard)
}


def kind_of(ledger: Reading) -> Kind:
    """What makes an empty shard of a begun ledger. Raises `LedgerError`."""
    if next(iter(ledger.frames(FIRST, FIRST)), None) is None:
        return Shard  # it will be said that it is empty
    content = read_contents(ledger, [FIRST])[-1].content
    return maker(ledger.shard) if content.shards else Shard


def maker(name: str) -> Kind:
    """What makes an empty shard of this name. Raises `ValueError`."""
    return partial(SHARDS[parts_of(name)[0]], name=name)


def at_work(name: str) -> Kind:
    """The same for a worker. Shards of cases count raw values: no rule over anything else has a
    limit that can be tried out."""
    return that_counts(maker(name)) if parts_of(name)[0] == CASE else maker(name)
