"""What is shipped for tests, ours and those of users' rules: a clock, and in memory a ledger, an
outbox and the numbers of documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from threading import Lock

from detector.ledger import (
    RAISED,
    SHARD,
    Conflict,
    Count,
    Frame,
    Held,
    LedgerError,
    Move,
    NoticeQuery,
    NoticeRow,
    NoticeStep,
    Position,
    Post,
    Query,
    Refusal,
    Relay,
    Work,
    after,
)
from detector.ledger.epochs import EpochRow
from detector.ledger.journal import contents_among
from detector.ledger.verdicts import VerdictRow
from detector.ledger.watching import Delivered, HourCount, OpenCount
from detector.testing_epochs import MemoryEpochs
from detector.testing_outbox import MemoryOutbox
from detector.testing_verdicts import MemoryVerdicts
from detector.verdict import Withdrawn
from detector.workcalendar import NEVER

__all__ = ["FakeClock", "MemoryLedger", "MemoryOutbox", "MemorySerials"]


class FakeClock:
    """Time that moves when it is told to. Instants µs UTC."""

    def __init__(self, at_us: int) -> None:
        self.at_us = at_us

    def now(self) -> int:
        """The instant that it shows."""
        return self.at_us

    def seconds(self) -> float:
        """The same, for what only measures."""
        return self.at_us / 1e6

    def move(self, seconds: float) -> None:
        """Let time pass, or jump back."""
        self.at_us += round(seconds * 1e6)


class MemoryLedger(MemoryVerdicts, MemoryEpochs):
    """A ledger that forgets everything with its process; obeys the laws of all ledgers."""

    def __init__(self, shard: str = SHARD) -> None:
        self.shard = shard
        self._frames: list[Frame] = []
        self._moves: list[Move] = []
        self._held: dict[str, tuple[Move, Held]] = {}
        self._refusals: list[Refusal] = []
        self._counts = Counter[tuple[str, str, str, str | None, str | None, int]]()

        self._counted: list[tuple[tuple[str, str, str, str | None, str | None, int], int]] = []
        self._notices: dict[str, NoticeRow] = {}
        self._steps: list[NoticeStep] = []
        self._held_by: dict[str, dict[str, int]] = {}
        self.posts: list[Post] = []
        self._offset: int | None = None
        self._relays: list[Relay] = []
        self._verdicts: list[VerdictRow] = []
        self._epochs: list[EpochRow] = []

    def begin(self) -> None:
        """Nobody else writes here."""

    def abandon(self) -> None:
        """Nothing was begun."""

    def close(self) -> None:
        """Nothing is open."""

    def reader(self) -> MemoryLedger:
        """Itself: one interpreter's dictionaries are whole between two steps."""
        return self

    def position(self) -> Position:
        """How far the journal goes."""
        return after(Position(), self._frames)

    def commit(self, before: Position, work: Work) -> Position:
        """Keep a batch; see `Ledger.commit`."""
        if before != self.position():
            raise Conflict(f"the ledger does not stand at frame {before.seq}: another has written")
        keys = [((c.kind, c.rule, c.reason, c.item, c.department, c.day), c.n) for c in work.counts]
        self._frames += work.frames  # nothing fails from here on
        seq = self.position().seq
        for move in work.moves:
            self._moves.append(move)
            if move.code == RAISED:
                assert move.doc is not None
                self._held[move.finding_id] = (
                    move,
                    Held(move.doc, len(self._moves), seq, None, self.shard),
                )
                continue
            gone = Withdrawn(move.code, move.actor, move.at) if move.code else None
            raised, held = self._held[move.finding_id]
            self._held[move.finding_id] = (
                raised,
                Held(held.doc, held.number, held.seq, gone, self.shard),
            )
        self._refusals += work.refusals
        self._counted += keys
        for key, n in keys:
            self._counts[key] += n
        told = work.notices
        self._notices |= {row.notice_id: row for row in told.rows}
        self._steps += told.steps
        for one in told.holds:
            self._held_by.setdefault(one.notice_id, {}).setdefault(one.finding_id, one.place)
        self.posts += told.posts
        self.keep_verdicts(work.verdicts)
        self._epochs += work.epochs
        self._offset = self._offset if work.offset is None else work.offset
        self._relays = [r for r in self._relays if r.seq > work.relayed] + work.relays
        return self.position()

    def offset(self) -> int | None:
        """Where the shard's source goes on."""
        return self._offset

    def relays(self) -> list[Relay]:
        """What is not known to have arrived."""
        return sorted(self._relays, key=lambda one: (one.seq, one.target))

    def frames(self, first: int = 1, last: int | None = None) -> Iterator[Frame]:
        """Frames from `first` on, in order."""
        yield from self._frames[max(first, 1) - 1 : last]

    def contents(self) -> list[int]:
        """The frames that hold what judges from there on."""
        return contents_among(self._frames)

    def frame_of(self, event: int) -> Frame | None:
        """The frame that holds an input, by the input's number."""
        held = (f for f in self._frames if f.first_event <= event < f.first_event + f.n)
        return next(held, None)

    def findings(self, query: Query) -> list[tuple[int, Held]]:
        """(at_us, finding), newest first."""
        some = [(m, held) for m, held in self._held.values() if _fits(m, held, query)]
        if query.verdict is not None:
            some = [one for one in some if self.verdict_of(one[0].finding_id) == query.verdict]
        some.sort(key=lambda one: (one[0].at_us, one[0].finding_id), reverse=True)
        if query.cursor is not None:
            some = [s for s in some if (s[0].at_us, s[0].finding_id) < query.cursor]
        return [(m.at_us, held) for m, held in some[: query.limit]]

    def finding(self, finding_id: str) -> Held | None:
        """One finding."""
        return self._held[finding_id][1] if finding_id in self._held else None

    def moves(
        self, after: int, limit: int, finding_id: str | None = None
    ) -> list[tuple[int, Move]]:
        """(number, move) of what came after that number, oldest first."""
        some = enumerate(self._moves[after:], after + 1)
        mine = [(n, m) for n, m in some if finding_id in (None, m.finding_id)]
        kept = Move("", "", "", "")
        return [
            (n, replace(kept, finding_id=m.finding_id, code=m.code, actor=m.actor, at=m.at,
                        doc=m.doc))
            for n, m in mine[:limit]
        ]  # fmt: skip

    def moves_of(self, shard: str, after: int, limit: int) -> list[tuple[int, Move]]:
        """The same of its shard, by name."""
        return self.moves(after, limit) if shard == self.shard else []

    def last_move(self) -> int:
        """The number of the latest move, 0 where there is none."""
        return len(self._moves)

    def last_moves(self) -> dict[str, int]:
        """The same by shard."""
        return {self.shard: self.last_move()}

    def refusals(self, after: int, limit: int) -> list[tuple[int, Refusal]]:
        """(number, refusal), oldest first."""
        return list(enumerate(self._refusals[after : after + limit], after + 1))

    def counts(self) -> list[Count]:
        """Counts added up over all batches."""
        order = sorted(self._counts.items(), key=lambda c: [(p is not None, p) for p in c[0]])
        return [Count(*key, n) for key, n in order]

    def totals(self, departments: tuple[str, ...] | None = None) -> dict[str, dict[str, int]]:
        """How many findings there are: {"standing" | "withdrawn" | "muted": {rule: n}}."""
        told = {name: Counter[str]() for name in ("standing", "withdrawn", "muted")}
        for move, held in self._held.values():
            if departments is not None and move.department not in departments:
                continue
            state = "muted" if move.muted else "withdrawn" if held.withdrawn else "standing"
            told[state][move.rule] += 1
        return {name: dict(sorted(rules.items())) for name, rules in told.items()}

    def notices(self, query: NoticeQuery) -> list[NoticeRow]:
        """Notices, those issued last first."""
        some = [row for row in self._notices.values() if _notice_fits(row, query)]
        if query.rule is not None:
            found = {name for name, (move, _) in self._held.items() if move.rule == query.rule}
            some = [row for row in some if found & self._held_by.get(row.notice_id, {}).keys()]
        some.sort(key=lambda row: (row.issued_us, row.notice_id), reverse=True)
        if query.cursor is not None:
            some = [row for row in some if (row.issued_us, row.notice_id) < query.cursor]
        return some[: query.limit]

    def notice(self, notice_id: str) -> NoticeRow | None:
        """One notice."""
        return self._notices.get(notice_id)

    def notice_of(self, finding_id: str) -> list[str]:
        """The notices that hold a finding."""
        return sorted(name for name, some in self._held_by.items() if finding_id in some)

    def notice_findings(self, notice_id: str, limit: int = 1 << 31) -> list[str]:
        """What a notice holds, in the order in which it took them."""
        some = self._held_by.get(notice_id, {})
        return sorted(some, key=lambda found: (some[found], found))[:limit]

    def notice_steps(self, notice_id: str) -> list[NoticeStep]:
        """The history of a notice, oldest first."""
        return [one for one in self._steps if one.notice_id == notice_id]

    def open_counts(self, department: str | None = None) -> list[OpenCount]:
        """Open notices by department, tier and level."""
        rows = [r for r in self._notices.values() if r.open and department in (None, r.department)]
        many = Counter((row.department, row.tier, row.level) for row in rows)
        return [OpenCount(*key, n) for key, n in many.items()]

    def due_notices(self, query: NoticeQuery) -> list[NoticeRow]:
        """Open ones, the nearest next instant first; behind them those that have none, as many."""
        every = self.notices(replace(query, cursor=None, limit=len(self._notices)))
        some = [(r.next_us, r.notice_id, r) for r in every if r.open and r.next_us is not None]
        armed = sorted((one for one in some if one[0] < NEVER), key=lambda one: one[:2])
        still = sorted((-r.issued_us, name, r) for at, name, r in some if at == NEVER)
        return [row for half in (armed, still) for _, _, row in half[: query.limit]]

    def hour_counts(
        self, begin_us: int, end_us: int, department: str | None = None
    ) -> list[HourCount]:
        """Standing findings by hour and rule."""
        wanted = Query(department, state="stands", begin_us=begin_us, end_us=end_us)
        some = [m for m, held in self._held.values() if _fits(m, held, wanted)]
        many = Counter((m.at_us // 3_600_000_000, m.rule) for m in some)
        return [HourCount(*key, n) for key, n in sorted(many.items())]

    def deliveries(self, notice_id: str, limit: int) -> list[Delivered]:
        """Messages about a notice, the latest first."""
        mine = [p for p in self.posts if p.notice_id == notice_id]
        mine.sort(key=lambda p: (-p.at_us, p.message_id))
        return [
            Delivered(p.person, p.occasion, None, p.state, None, p.at_us, None, p.attempts)
            for p in mine[:limit]
        ]

    def rule_counts(
        self, begin_us: int, department: str | None = None, operator: str | None = None
    ) -> dict[str, int]:
        """Standing findings by rule, of those at or after an instant."""
        wanted = Query(department, operator=operator, state="stands", begin_us=begin_us)
        return dict(
            sorted(Counter(m.rule for m, h in self._held.values() if _fits(m, h, wanted)).items())
        )

    def cases_from(self, prefix: str, limit: int) -> list[str]:
        """Cases with findings whose number begins so, in order."""
        cases = {m.case_id for m, _ in self._held.values() if m.case_id is not None}
        return sorted(case for case in cases if case.startswith(prefix))[:limit]

    def counts_after(self, number: int) -> tuple[int, list[Count]]:
        """Counts that were committed after a number; here each has one."""
        some = Counter[tuple[str, str, str, str | None, str | None, int]]()
        for key, n in self._counted[number:]:
            some[key] += n
        return len(self._counted), [Count(*key, n) for key, n in some.items()]


def _notice_fits(row: NoticeRow, query: NoticeQuery) -> bool:
    for name in ("department", "tier", "level", "subject"):
        if getattr(query, name) not in (None, getattr(row, name)):
            return False
    if query.departments is not None and row.department not in query.departments:
        return False
    if query.state is not None and query.state not in ("open" if row.open else "", row.state):
        return False
    begin, end = query.begin_us, query.end_us
    return (begin is None or row.issued_us >= begin) and (end is None or row.issued_us < end)


class MemorySerials:
    """Numbers of documents that are forgotten with the process; obeys the laws of all serials."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], tuple[str, int, int]] = {}
        self._last = Counter[tuple[str, int, str]]()
        self._one = Lock()

    def close(self) -> None:
        """Nothing is open."""

    def number(self, notice_id: str, department: str, year: int, kind: str, at_us: int) -> int:
        """The number of a notice's document; see `detector.documents.serial.Serials`."""
        if None in (notice_id, department, year, kind, at_us):
            raise LedgerError("a number belongs to a notice, department, year, kind and instant")
        with self._one:
            if (notice_id, kind) not in self._given:
                self._last[department, year, kind] += 1
                number = self._last[department, year, kind]
                self._given[notice_id, kind] = (department, year, number)
            return self._given[notice_id, kind][2]

    def given(self, notice_id: str, kind: str) -> tuple[str, int, int] | None:
        """(department, year, number) of a document that has one."""
        return self._given.get((notice_id, kind))


def _fits(move: Move, held: Held, query: Query) -> bool:
    for name in ("department", "rule", "tier", "case_id", "operator", "item"):
        if getattr(query, name) not in (None, getattr(move, name)):
            return False
    if query.departments is not None and move.department not in query.departments:
        return False
    if query.begin_us is not None and move.at_us < query.begin_us:
        return False
    if query.end_us is not None and move.at_us >= query.end_us:
        return False
    state = "muted" if move.muted else "withdrawn" if held.withdrawn else "stands"
    return query.state in (None, state)
