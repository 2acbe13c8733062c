"""The engine's thread: takes whatever has arrived as one batch, judges, commits, answers.

Small batches when idle, large ones under load; nothing is answered before it is durable. A fault
here fails the waiting bodies and ends the service: memory may be ahead of the ledger, and only a
recovery puts them together again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from detector.columns import Inputs
from detector.effects import Effects
from detector.event import Fact
from detector.known import TICK, WATERMARK, tick_line
from detector.ledger import (
    SHARD,
    Busy,
    Ledger,
    LedgerError,
    Move,
    NoticeWork,
    Work,
    after,
)
from detector.ledger.content import changed, replace_at
from detector.ledger.journal import Block
from detector.live import (
    Figures,
    Listener,
    Say,
    Unavailable,
    Unreadable,
)
from detector.live.answers import answers_of, refusals_of, tally
from detector.live.arrivals import Arrivals, Changing, Waiting
from detector.live.asked import Asked
from detector.live.contents import Change
from detector.live.glance import Glance
from detector.live.intake import Taken, as_lines, blocks_of_body
from detector.live.leavings import counts_of, epochs_of, moves_of, notices_of, verdicts_of
from detector.live.outside import Limits, Outside
from detector.live.packer import Packer, Packing, finish
from detector.live.posts import posts_of
from detector.live.shard import Arrived, Shard, arrived
from detector.live.told import Told
from detector.values import ABSENT, SECOND_US
from detector.workcalendar import NEVER

_FULL = Unavailable("the disk is nearly full: free space under the data folder", 507, 30)


class _Judged(NamedTuple):
    effects: Effects
    packing: Packing
    floor: int  # of the shard before


class Runner(Told):
    """One shard's engine at work: implements `detector.live.Service`."""

    shards: Sequence[str] = (SHARD,)
    deferred = False

    def __init__(
        self, shard: Shard, ledger: Ledger, outside: Outside, limits: Limits = Limits()
    ) -> None:
        self.figures = Figures(clock_us=max(shard.floor, 0))
        self.listeners: list[Listener] = []
        self.notice_listeners: list[Callable[[NoticeWork], None]] = []
        self.shard, self.ledger = shard, ledger
        shard.ledger = ledger
        first = next(iter(ledger.frames(1, 1)))
        self.epoch = first.hash.hex()[:12]
        self.wall = outside.now is not None
        self._outside, self._limits = outside, limits
        self._arrivals = Arrivals(limits, outside.now, outside.seconds)
        self._moves = ledger.last_move()
        self._offset = ledger.offset()  # where the source goes on, as the ledger knows
        self._reached = self._offset  # … as we know
        self._clocks: dict[str, bytes] = {}  # lines that moved a clock, and are not journalled yet
        self.relayed = 0  # what was told to other shards up to this frame has arrived there
        self._packer = Packer()
        self.glance = Glance()
        self.beforehand = Asked(self, outside.now)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    # -- from other threads ---------------------------------------------------------------------

    @property
    def state(self) -> str:
        """starting, ready, stopping, stopped or failed."""
        return self._arrivals.state

    @state.setter
    def state(self, told: str) -> None:
        self._arrivals.state = told

    def start(self) -> None:
        """Begin to judge."""
        self.state = "ready"
        self._thread.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """Judge what is queued, then end."""
        self._arrivals.close()
        self._thread.join(timeout_s)

    def submit(self, body: bytes, say: Say) -> None:
        """Queue a body; see `Service.submit`."""
        self._arrivals.submit(body, say)

    def feed(self, bodies: Sequence[Waiting]) -> None:
        """Queue bodies of a source that stamps and bounds them itself. Raises `Unavailable`."""
        self._arrivals.feed(bodies)

    def change(self, change: Change, say: Callable[[list[str] | Unavailable], None]) -> None:
        """Queue a change of what judges; `say` gets what `take` gives. Raises `Unavailable`."""
        self._arrivals.change(Changing(change, say))

    def waiting(self) -> tuple[int, int]:
        """Bodies and bytes in the queue."""
        return self._arrivals.waiting()

    # -- the engine's thread ----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn():
                pass
            self.state = "stopped"
        except BaseException as fault:
            left, changing = self._arrivals.fail()
            self._refuse_all(fault, left)
            for one in changing:
                one.say(self._unavailable(fault))
            self._outside.failed(fault)
        finally:
            self._packer.close()

    def _turn(self) -> bool:
        """Wait for bodies or the next tick and judge them; False when all is done."""
        todo = self._arrivals.turn(self._patience)
        if todo.changing:
            self._change(todo.changing)
        elif todo.bodies:
            self.serve(todo.bodies)
        elif self._outside.now is not None and not todo.last:
            self._tick()
        return not todo.last

    def _patience(self) -> float:
        """How long to wait for bodies: not beyond the next limit of a case or a notice, and not
        long while a notice is held up by the clock alone."""
        state, limits = self.shard.state, self._limits
        most = min(limits.tick_s, limits.notice_s) if state.notices.matters else limits.tick_s
        if self._outside.now is None:
            return most
        clocks = state.notices.clocks
        due = min(state.cases.earliest_due, clocks[0][0] if clocks else NEVER)
        return min(most, max((due - self._outside.now()) / SECOND_US, limits.soon_s))

    def _refuse_all(self, fault: BaseException, bodies: list[Waiting]) -> None:
        for one in bodies:
            one.say(self._unavailable(fault))

    def _unavailable(self, fault: BaseException) -> Unavailable:
        reason = str(fault) if isinstance(fault, LedgerError) else "the engine has stopped"
        return Unavailable(reason, 503, self._limits.retry_after_s)

    def _change(self, one: Changing) -> None:
        try:
            told: list[str] | Unavailable = self.take(one.change)
        except Unavailable as fault:
            told = fault
        except BaseException as fault:
            one.say(self._unavailable(fault))
            raise
        one.say(told)

    def take(self, change: Change, at: int | None = None) -> list[str]:
        """Let another district or rulebook judge from here on, or from an instant on; the names of
        what changed.

        In the engine's thread, or before it is started. Raises `Unavailable`, nothing changed.
        """
        held, digest = self.shard.contents[-1].content, self.shard.contents[-1].digest
        if change.behind not in ("", digest):
            raise Unavailable("another change came first", 503, self._limits.retry_after_s)
        names = changed(held, change.content)
        if not names:
            return []
        if not self._outside.room():
            raise _FULL
        try:
            self.ledger.begin()
        except Busy as fault:
            raise self._unavailable(fault) from fault
        begun = self._outside.seconds()
        content = replace_at(change.content, self._instant(held.at) if at is None else at)
        block = Block(None, content.line(held), 1, content=True)
        some = self.shard.changing(Change(content, change.engine), block)
        self._published(self._commit(some, self._step(some), [], begun))
        self.figures.districts += 1
        return names

    def _instant(self, otherwise: int) -> int:
        """When what happens now happens: not before anything that has arrived."""
        if self._outside.now is None:
            return otherwise if self.shard.floor == ABSENT else self.shard.floor
        return max(self._outside.now(), self._arrivals.stamp, self.shard.floor)

    def serve(self, bodies: list[Waiting]) -> None:
        """Judge bodies as one batch, commit and answer: in the engine's thread, or before it is
        started."""
        if not self._outside.room():
            for one in bodies:
                one.say(_FULL)
            return
        try:
            self.ledger.begin()
        except Busy as fault:
            for one in bodies:
                one.say(Unavailable(str(fault), 503, self._limits.retry_after_s))
            return
        try:
            with ExitStack() as alone:
                alone.enter_context(self._outside.alone)
                self._judge(bodies, alone)
        except BaseException as fault:
            self._refuse_all(fault, bodies)
            raise

    def _judge(self, bodies: list[Waiting], alone: ExitStack) -> None:
        begun = self._outside.seconds()
        read: list[tuple[Waiting, int]] = []  # and the place of its lines
        lines: list[tuple[bytes, int | None]] = []
        joins = self._outside.comes_again and self.shard.joins
        for one in bodies:
            try:
                data = one.body if one.lines else as_lines(one.body)
            except Unreadable as fault:
                one.say(fault)
                continue
            if joins and lines and lines[-1][1] == one.stamp:  # one large body costs less than many
                lines[-1] = (lines[-1][0] + data, one.stamp)
            else:
                lines.append((data, one.stamp))
            read.append((one, len(lines) - 1))
        parts, blocks = self._clocks_again()
        taken = self.shard.receive(self._after_ticks(lines), len(blocks))
        blocks += [b for t in taken for b in blocks_of_body(self.shard.decoder, t)]
        some = arrived([*parts, *(t.inputs for t in taken)], blocks, self.shard.words)
        judged = self._step(some)
        answers = answers_of(self.shard.decoder, taken, judged.effects)
        moves = self._commit(some, judged, taken, begun, bodies[-1].offset, alone=alone)
        self._published(moves)
        if self._outside.now is not None and self.shard.state.notices.inputs:
            self._tick()  # so that who acts is answered when it has taken effect
        for one, place in read:
            one.say(answers[place])

    def _clocks_again(self) -> tuple[list[Inputs], list[Block]]:
        """What moved a clock and left nothing then: it stands before what comes of it now."""
        blocks = [Block(None, line, 1) for line in self._clocks.values()]
        parts = [p for n, b in enumerate(blocks) for p in self.shard.reread_block(b, n)]
        return parts, blocks

    def flush(self) -> None:
        """Journal what is not yet, before the state is kept: once the thread has ended."""
        if self._clocks or self._reached != self._offset:
            self.ledger.begin()
            begun = self._outside.seconds()
            parts, blocks = self._clocks_again()
            some = arrived(parts, blocks, self.shard.words)
            self._commit(some, self._step(some), [], begun, self._reached, True)

    def _after_ticks(self, lines: list[tuple[bytes, int | None]]) -> list[tuple[bytes, int | None]]:
        """What arrived in the very instant of a tick, or before it, comes after it."""
        floor = self.shard.floor
        return [(data, at if at is None else max(at, floor)) for data, at in lines]

    def _tick(self) -> None:
        """Let the wall clock move on; a tick that causes nothing leaves nothing."""
        assert self._outside.now is not None
        at = max(self._outside.now(), self._arrivals.stamp)
        if at < self.shard.floor or not self._outside.room():
            return
        try:
            self.ledger.begin()
        except Busy:
            return  # the next tick says the same
        begun = self._outside.seconds()
        fact = Fact(kind=TICK, received_at=at, fields={"at": at})
        inputs = arrived([], [], self.shard.words).inputs
        inputs.facts = [fact]
        some = arrived([inputs], [Block(None, tick_line(at), 1)], self.shard.words)
        self._published(self._commit(some, self._step(some), [], begun))

    def _step(self, some: Arrived) -> _Judged:
        """Judge, while another thread packs the frames and chains them."""
        floor = self.shard.floor
        self.glance.begin(None if some.change else some.inputs.case)
        packing = self._packer.begin(some.blocks, self.shard.position.hash)
        return _Judged(self.shard.judge(some), packing, floor)

    def _commit(
        self, some: Arrived, judged: _Judged, taken: list[Taken], begun: float,
        offset: int | None = None, keep: bool = False, alone: ExitStack | None = None,
    ) -> list[tuple[int, Move]]:  # fmt: skip
        """Make a batch durable; the moves with their numbers."""
        effects = judged.effects
        walked, engine, calendar = effects.notices, self.shard.engine, self.shard.engine.calendar
        work = Work(moves=moves_of(effects, calendar), counts=counts_of(effects, calendar))
        work.notices = notices_of(walked, engine, self.shard.state.notices.asked)
        work.verdicts, work.epochs = verdicts_of(some.inputs.facts), epochs_of(effects)
        if self._outside.speaks:
            work.notices.posts = posts_of(walked.sends, engine)
        work.refusals = refusals_of(taken, max(self.shard.floor, 0))
        self._reached = self._reached if offset is None else offset
        refused = bool(work.refusals)
        keep = keep or self._far(offset) or (refused and self._outside.comes_again)
        if not some.n or (self._leaves_nothing(some, judged, work) and not keep):
            told = self.shard.relays(Effects(), self.shard.position.seq)
            if not keep and not refused:
                if self._outside.comes_again:
                    self._clocks |= self.shard.clocks_of(some.inputs.facts)
                self.ledger.abandon()
                self._outside.relay(told)
                tally(self.figures, some, effects, work, taken, self.shard.floor)
                return []
        else:
            self._clocks = {}
            back = self.shard.link(some, effects)
            work.frames = finish(judged.packing, self.shard.position, some.at, back)
            seq = after(self.shard.position, work.frames).seq
            told = work.relays = self.shard.relays(effects, seq)
        work.offset, work.relayed = offset, self.relayed
        judged_at = self._outside.seconds()
        if alone is not None:
            alone.close()  # others may judge while we wait for the disk
        position = self.ledger.commit(self.shard.position, work)
        self.figures.judge_s += judged_at - begun
        self.figures.commit_s += self._outside.seconds() - judged_at
        self.shard.position = position
        self._offset = self._offset if offset is None else offset
        self._outside.relay(told)
        if work.refusals:
            self._outside.refused(work.refusals)
        tally(self.figures, some, effects, work, taken, self.shard.floor)
        self.figures.clock_back_us = self._arrivals.behind_us
        self._outside.committed(self.shard)
        if work.notices:
            for listener in self.notice_listeners:
                listener(work.notices)
        numbered = list(enumerate(work.moves, self._moves + 1))
        self._moves += len(work.moves)
        return numbered

    def _leaves_nothing(self, some: Arrived, judged: _Judged, work: Work) -> bool:
        """Would judging the same journal without these inputs come to the same?"""
        if judged.effects.accepted or work.moves or work.counts or work.notices or some.change:
            return False
        if work.epochs:
            return False
        if any(fact.kind not in (TICK, WATERMARK) for fact in some.inputs.facts):
            return False
        # under --clock events they may have moved a clock that nothing else moves again
        again = self._outside.now is not None or self._outside.comes_again
        return again or not some.n or int(some.at.max()) <= judged.floor

    def _far(self, offset: int | None) -> bool:
        """Has the source gone on so far that a restart should not begin where the ledger says."""
        return offset is not None and offset - (self._offset or 0) > self._limits.offsets_max

    def _published(self, moves: list[tuple[int, Move]]) -> None:
        self.glance.over()
        if moves:
            for listener in self.listeners:
                listener(moves)
