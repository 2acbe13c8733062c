"""One turn of delivery: what came back is recorded, then what is due passes the stages.

All of it is written down before anything is handed to a channel. The desk speaks to the outbox and
to nobody else, and belongs to one thread; `postman` carries what it gives out.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from detector.delivery import Channel, Outcome, Outgoing, record
from detector.delivery.breaker import Breaker
from detector.delivery.caps import DAY_US, Caps
from detector.delivery.outbox import DEAD, TELLS, WAITING, Heard, Outbox, Row, Submit
from detector.delivery.passing import Facts, Passing, Stage, root_of
from detector.delivery.send import outgoing
from detector.delivery.stages import passed
from detector.district import District
from detector.notice import ENDED
from detector.recipients import Recipients

DUE_ROWS_MAX = 60_000
PARALLEL_MAX = 32  # attempts at once, a channel
EARLY_S_MAX = 600.0  # a receipt may come before the answer that names its message
EARLY_LOOK_S = 1.0  # how often it is looked at again
RECEIPTS_A_TURN = 500
FORGETS_S = 10.0  # how often what no cap counts is let go
CROWD = 1_000  # so many that are held are not all read again at every answer
CROWD_S = 0.5
CROWD_SHARE = 5  # nor more than a fifth of the time
Say = Callable[..., object]


@dataclass
class Figures:
    """What delivery has done since it started, and how it stands."""

    attempts: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)  # of attempts
    dropped: Counter[str] = field(default_factory=Counter)  # by reason
    put_off: Counter[str] = field(default_factory=Counter)  # by reason
    receipts: Counter[str] = field(default_factory=Counter)  # by status, or why nothing changed
    dead: int = 0
    recovered: int = 0
    digests: int = 0
    states: dict[str, int] = field(default_factory=dict)  # what is not settled, and dead letters
    oldest_wait_us: int = 0
    breakers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """What the desk asks the world outside. Instants µs UTC."""

    district: Callable[[], District]
    channels: Mapping[str, Channel]
    now: Callable[[], int]
    seconds: Callable[[], float]  # a clock that never jumps
    log: Say
    link: Callable[[Row], str] = lambda row: ""
    duty: Callable[[District], str] = lambda d: Recipients(d.ladder, d.people).duty


class Sending(NamedTuple):
    """A message that is handed to its channel now."""

    row: Row
    message: Outgoing
    channel: Channel


class Desk:
    """Moves the rows of one outbox."""

    def __init__(self, outbox: Outbox, given: Given, stages: Sequence[Stage]) -> None:
        self.outbox, self.given, self.stages = outbox, given, stages
        self.figures = Figures()
        self.news = asyncio.Event()  # something was written that the engine must hear of
        self.in_flight = Counter[str]()
        self.breakers: dict[str, Breaker] = {}
        self.full = False  # more was due than one turn takes
        self.look_us: int | None = None  # when those that are held want to be looked at
        self.held = 0
        self.whole_s = 0.0  # where many are held: when all of them are looked at again
        self._crowd: dict[str, deque[str]] = {}  # by channel: those that lack nothing but room
        self._caps = Caps()
        self._forgets_s = 0.0
        self._results: list[tuple[Row, Outcome]] = []
        self.early: dict[int, tuple[Heard, float]] = {}  # receipts by number, and since when
        self._early_s = 0.0  # when they are looked at again
        self._upto = 0  # the last that was read

    def begin(self) -> None:
        """What was being sent when delivery ended is tried again; what caps count is read."""
        now = self.given.now()
        self.figures.recovered = self.outbox.recover(now)
        self._caps.add(self.outbox.submits(now - DAY_US))

    # -- what comes back ------------------------------------------------------------------------

    def ended(self, row: Row, told: Outcome) -> None:
        """An attempt has ended."""
        channel = row.channel or ""
        self.in_flight[channel] -= 1
        self._breaker(channel).ended(told.verdict, self.given.seconds())
        self.figures.verdicts[told.verdict] += 1
        self._results.append((row, told))

    def record(self) -> None:
        """Write down what ended. Where that fails it is tried again: nothing is forgotten."""
        if not self._results:
            return
        rows = self.outbox.rows([row.message_id for row, _ in self._results])
        facts, out = self._facts(()), Passing(self.given.now())
        most = facts.district.channels.delivery.attempts_max
        for begun, told in self._results:
            row = rows[begun.message_id]
            last = told.verdict == "refused" or row.attempts >= most
            record.outcome(row, told, facts, self._family(row, out) if last else (), out)
        self._write(out)
        self._results = []

    def _settle_receipts(self) -> bool:
        """Write down what gateways said; what names no message yet waits for a while. Is there
        more to read."""
        seconds = self.given.seconds()
        new = self.outbox.receipts(self._upto, RECEIPTS_A_TURN)
        some = {number: (told, seconds) for number, told in new}
        if seconds >= self._early_s:
            some |= dict(islice(self.early.items(), RECEIPTS_A_TURN))
            self._early_s = seconds + EARLY_LOOK_S
        if some:
            self._settle(some, seconds)
        self._upto = new[-1][0] if new else self._upto
        return len(new) == RECEIPTS_A_TURN

    def _settle(self, some: dict[int, tuple[Heard, float]], seconds: float) -> None:
        seen, counted = set[str](), Counter[str]()
        facts, out = self._facts(()), Passing(self.given.now())
        for number, (told, since) in some.items():
            row = self._meant(told)
            if row is not None and row.message_id not in seen:
                seen.add(row.message_id)
                family = self._family(row, out) if told.status == "failed" else ()
                counted[record.receipt(row, told, facts, family, out) or told.status] += 1
                out.write.heard.append(number)
            elif row is None and seconds - since >= EARLY_S_MAX:
                counted["unknown_message"] += 1
                out.write.heard.append(number)
        self._write(out)
        self.figures.receipts += counted
        done = set(out.write.heard)
        for number, one in some.items():  # who waits queues up again
            self.early.pop(number, None)
            if number not in done:
                self.early[number] = one

    def _meant(self, told: Heard) -> Row | None:
        if told.message_id:
            return self.outbox.rows([told.message_id]).get(told.message_id)
        return self.outbox.by_gateway(told.channel, told.gateway_id) if told.gateway_id else None

    # -- what goes out --------------------------------------------------------------------------

    def turn(self) -> list[Sending]:
        """Record, look at what is due, and give out what is to be sent. Raises `Overtaken` where
        somebody else has moved a row meanwhile, and `LedgerError`: then it is called again."""
        self.record()
        more = self._settle_receipts()
        now = self.given.now()
        self._forget(now)
        if self.held > CROWD and self.given.seconds() < self.whole_s:
            return self._pass(self._next_of_crowd(now), now)[1]
        begun_s = self.given.seconds()
        rows = self.outbox.due(now, DUE_ROWS_MAX)
        self.full = more or len(rows) == DUE_ROWS_MAX
        self.held, self.look_us, self._crowd = 0, None, {}
        out, begun = self._pass(rows, now)
        self.held, self.look_us = out.held, out.look_us
        if out.held > CROWD:
            for row in out.crowd:
                self._crowd.setdefault(row.channel or "", deque()).append(row.message_id)
            taken_s = self.given.seconds() - begun_s
            self.whole_s = self.given.seconds() + max(CROWD_S, CROWD_SHARE * taken_s)
        return begun

    def _next_of_crowd(self, now: int) -> list[Row]:
        """Those whose turn it is by now, as they stand: their channels have room again."""
        names = [
            waiting.popleft()
            for channel, waiting in self._crowd.items()
            for _ in range(min(PARALLEL_MAX - self.in_flight[channel], len(waiting)))
        ]
        rows = self.outbox.rows(names) if names else {}
        some = (rows[name] for name in names if name in rows)
        return [r for r in some if r.state == WAITING and r.due_us is not None and r.due_us <= now]

    def _pass(self, rows: list[Row], now: int) -> tuple[Passing, list[Sending]]:
        """Rows pass the stages; what is to be sent, all of it made out before it is written down
        that it is being sent."""
        if not rows:
            return Passing(now), []
        ways = dict(self.given.channels)
        facts = self._facts(rows, ways)
        out = passed(rows, facts, self.stages)
        links = {row.message_id: self.given.link(row) for row in out.begun}
        contents = self._write(out)
        for row in out.begun:
            self.in_flight[row.channel or ""] += 1
            self._breaker(row.channel or "").began()
        self._caps.add(Submit(now, row.person, row.channel or "") for row in out.begun)
        self.figures.attempts += len(out.begun)
        told = []
        for row in out.begun:
            message = outgoing(row, contents[row.message_id], links[row.message_id], facts)
            told.append(Sending(row, message, ways[row.channel or ""]))
        return out, told

    def _write(self, out: Passing) -> dict[str, tuple[str, bytes]]:
        """Write a passing down and count it; the texts of what is to be sent."""
        wanted = [one.source for one in out.copies] + [row.message_id for row in out.begun]
        contents = self.outbox.contents(wanted) if wanted else {}
        out.spell(contents)
        if out.write:
            self.outbox.write(out.write)
            if any(one.verdict in TELLS for one in out.write.attempts):
                self.news.set()
        self._count(out)
        return contents

    def _count(self, out: Passing) -> None:
        told = self.figures
        told.dropped += Counter(reason for _, reason in out.dropped)
        told.put_off += Counter(reason.partition(":")[0] for _, reason in out.put_off)
        told.dead += sum(one.after.state == DEAD for one in out.write.moved)
        told.digests += sum(one.row.message_id.startswith("digest-") for one in out.write.added)
        for row, reason in out.loud:
            self.given.log(
                "message_lost", message_id=row.message_id, person=row.person, tier=row.tier,
                reason=reason,
            )  # fmt: skip

    # -- what is known --------------------------------------------------------------------------

    def _facts(self, rows: Iterable[Row], ways: Mapping[str, Channel] | None = None) -> Facts:
        given, rows = self.given, list(rows)
        district, now = given.district(), given.now()
        open_now = given.channels if ways is None else ways
        names = {one.name for one in district.channels.channels} & open_now.keys()
        gone = [r for r in rows if r.channel is not None and r.channel not in names]
        over = {row.notice_id for row in rows if row.occasion in ENDED}
        others = {row.notice_id for row in rows if row.occasion not in ENDED} - {""}
        return Facts(
            now_us=now, district=district, channels=frozenset(names),
            duty=given.duty(district),
            endings=self.outbox.endings(others) if others else {},
            told=frozenset(self.outbox.told(over)) if over else frozenset(),
            gates={n: b.gate(given.seconds(), now) for n, b in self.breakers.items()},
            room={name: PARALLEL_MAX - self.in_flight[name] for name in names},
            used={root_of(r.message_id): self._used(r) for r in gone},
            caps=self._caps,
        )  # fmt: skip

    def _used(self, row: Row) -> frozenset[str]:
        others = (one for one in self._family(row) if one.message_id != row.message_id)
        return frozenset(one.channel for one in others if one.channel and one.state != DEAD)

    def _family(self, row: Row, out: Passing | None = None) -> list[Row]:
        """What was made of the same message for the same person, as it is after what is about to be
        written: where the last two ways fail together, somebody must notice."""
        some = {one.message_id: one for one in self.outbox.family(root_of(row.message_id))}
        moved = out.write.moved if out else []
        some |= {m.after.message_id: m.after for m in moved if m.after.message_id in some}
        return [one for one in some.values() if one.person == row.person]

    def _forget(self, now: int) -> None:
        if self.given.seconds() >= self._forgets_s:
            self._caps.forget(now)
            self._forgets_s = self.given.seconds() + FORGETS_S

    def _breaker(self, channel: str) -> Breaker:
        return self.breakers.setdefault(channel, Breaker())

    def look(self) -> None:
        """Bring the figures of what waits up to date."""
        now, seconds = self.given.now(), self.given.seconds()
        told = self.figures
        told.states = self.outbox.count()
        oldest = self.outbox.late(now, 1)
        told.oldest_wait_us = now - (oldest[0].due_us or now) if oldest else 0
        told.breakers = {name: one.state(seconds) for name, one in self.breakers.items()}

    @property
    def pending(self) -> bool:
        """Is there something to record."""
        return bool(self._results)
