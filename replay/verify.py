"""Prove a ledger again from its first frame: the chain, and everything that it says it caused.

Nothing else is needed than the ledger file: what judges is its first input, and every change of
that another. Snapshots are not looked at. The first thing that differs is named: the frame and its
column, the input that does not read, or the finding, its rule and the byte of its document.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from detector.adapters.machine import calm_collector
from detector.cluster.shards import kind_of
from detector.effects import Effects
from detector.explain import Change
from detector.ledger import (
    RAISED,
    Count,
    Frame,
    LedgerError,
    Move,
    NoticeRow,
    NoticeStep,
    Position,
)
from detector.ledger.epochs import EpochRow
from detector.ledger.journal import unpack_back
from detector.ledger.questions import RAISED_COLUMNS, SqlReader
from detector.ledger.sqlite_file import FILE, open_reader
from detector.ledger.verdicts import VerdictRow
from detector.live.leavings import counts_of, epochs_of, moves_of, notices_of, verdicts_of
from detector.live.recovery import Batch, batches, first_shard
from detector.live.shard import Shard
from detector.notice import canonical as canonical_notice
from detector.verdict import Finding, Withdrawn, canonical, digest

Say = Callable[[str, int, int | None], None]


@dataclass
class Verified:
    """What was proved; `fault` is empty where the whole ledger stood the proof."""

    fault: str = ""
    frames: int = 0
    inputs: int = 0
    findings: int = 0
    notices: int = 0
    digest: str = ""
    by_rule: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass
class _Standing:
    """A finding as it was derived."""

    canonical: bytes  # its line for the digest, as if it stood
    rule: str
    muted: str | None
    withdrawn: Withdrawn | None = None
    fault: str = ""  # what the ledger says otherwise


def verify(path: Path, say: Say = lambda what, done, of: None) -> Verified:
    """Prove the ledger of a data folder. Raises `LedgerError` only where there is none."""
    return prove([open_reader(path / FILE if path.is_dir() else path)], say)


def prove(readers: Sequence[SqlReader], say: Say = lambda what, done, of: None) -> Verified:
    """Prove all shards of a ledger, a reader each, and close them."""
    told, begun = Verified(), perf_counter()
    calm_collector()
    try:
        _Proof(readers, told, say).run()
    except LedgerError as fault:
        told.fault = str(fault)
    finally:
        for reader in readers:
            reader.close()
        told.seconds = perf_counter() - begun
    return told


class _Proof:
    def __init__(self, readers: Sequence[SqlReader], told: Verified, say: Say) -> None:
        self.readers, self.told, self.say = readers, told, say
        self.reader = readers[0]  # for what is asked of the whole database
        self.findings: dict[str, _Standing] = {}
        self.moves = Counter[tuple[str, str]]()  # (finding, code)
        self.counts = Counter[tuple[Any, ...]]()
        self.notices: dict[str, tuple[NoticeRow, bytes]] = {}  # and their lines for the digest
        self.steps: dict[str, list[NoticeStep]] = {}
        self.holds: dict[str, dict[str, None]] = {}
        self.verdicts: dict[str, VerdictRow] = {}
        self.epochs: list[EpochRow] = []

    def run(self) -> None:
        """Judge it all again, then compare."""
        ends = [reader.position() for reader in self.readers]
        inputs = sum(end.next_event for end in ends)
        for reader, end in zip(self.readers, ends, strict=True):
            self._derive(reader, end, inputs)
        self._compare_standings()
        self._compare_moves()
        self._compare_counts()
        self._compare_notices()
        self._compare_verdicts()
        self._compare_epochs()
        self._conclude()

    def _derive(self, reader: SqlReader, end: Position, inputs: int) -> None:
        """Judge the journal of one shard again."""
        shard = first_shard(reader, kind=kind_of(reader))
        shard.ledger = reader
        self.told.inputs += 1
        links: deque[tuple[Frame, np.ndarray]] = deque()
        for batch in batches(shard, self._noting(reader.frames(2), links)):
            self._judge(shard, batch, links)
            self.told.inputs += batch.arrived.n
            self.say("verified", self.told.inputs, inputs)
        if reader.contents() != [one.seq for one in shard.contents]:
            raise LedgerError("contents: are not the frames that hold one")
        if shard.position != end:
            last = shard.position.seq
            raise LedgerError(f"position: says frame {end.seq}, and the journal ends with {last}")
        self.told.frames += end.seq

    def _noting(
        self, frames: Iterable[Frame], links: deque[tuple[Frame, np.ndarray]]
    ) -> Iterator[Frame]:
        for frame in frames:
            links.append((frame, unpack_back(frame)))
            yield frame

    def _judge(self, shard: Shard, batch: Batch, links: deque[tuple[Frame, np.ndarray]]) -> None:
        effects = shard.judge(batch.arrived)
        back, begin = shard.link(batch.arrived, effects), 0
        while links and links[0][0].seq <= batch.position.seq:
            frame, held = links.popleft()
            _same_columns(frame, held, batch.arrived.at[begin:], back[begin:])
            begin += frame.n
        calendar = shard.engine.calendar
        self._settle(effects.moves, moves_of(effects, calendar))
        self._note(shard, effects)
        for count in counts_of(effects, calendar):
            self.counts[_key(count)] += count.n
        for row in verdicts_of(batch.arrived.inputs.facts):
            self.verdicts[row.fact_id] = row
        self.epochs += epochs_of(effects)
        shard.position = batch.position

    def _settle(self, told: list[Finding | Change], moves: list[Move]) -> None:
        raised = [move.finding_id for move in moves if move.code == RAISED]
        held = self.reader.raised(raised) if raised else {}
        for one, move in zip(told, moves, strict=True):
            self.moves[move.finding_id, move.code] += 1
            if isinstance(one, Finding):
                fault = _difference(held.get(one.finding_id), move)
                standing = _Standing(canonical(one), one.rule, one.muted, None, fault)
                self.findings[one.finding_id] = standing
            else:
                gone = Withdrawn(move.code, move.actor, move.at) if move.code else None
                self.findings[move.finding_id].withdrawn = gone

    def _note(self, shard: Shard, effects: Effects) -> None:
        told = notices_of(effects.notices, shard.engine, shard.state.notices.asked)
        touched = effects.notices.touched
        for row in told.rows:
            self.notices[row.notice_id] = (row, canonical_notice(touched[row.notice_id]))
        for step in told.steps:
            self.steps.setdefault(step.notice_id, []).append(step)
        for one in told.holds:
            self.holds.setdefault(one.notice_id, {})[one.finding_id] = None

    # -- what the ledger says it caused -----------------------------------------------------------

    def _compare_standings(self) -> None:
        left = set(self.findings)
        for found, withdrawn in self.reader.standings():
            if found not in left:
                raise LedgerError(f"finding {found}: follows from no input")
            left.discard(found)
            mine = self.findings[found]
            name = f"finding {found} ({mine.rule})"
            if mine.fault:
                raise LedgerError(f"{name}: {mine.fault}")
            if withdrawn != mine.withdrawn:
                told, want = (w.reason if w else "standing" for w in (withdrawn, mine.withdrawn))
                raise LedgerError(f"{name}: is {told} in the ledger, and should be {want}")
        if left:
            found = min(left)
            raise LedgerError(f"finding {found} ({self.findings[found].rule}): is missing")

    def _compare_moves(self) -> None:
        left = self.moves.copy()
        for reader in self.readers:
            number = 0
            while some := reader.moves(number, 10_000, docs=False):
                number = some[-1][0]
                left.subtract((move.finding_id, move.code) for _, move in some)
        for (found, code), n in left.items():
            if n:
                more = "is missing" if n > 0 else "follows from no input"
                raise LedgerError(f'finding {found}: its move "{code or "stands"}" {more}')

    def _compare_counts(self) -> None:
        held = Counter({_key(count): count.n for count in self.reader.counts()})
        for key in held.keys() | self.counts.keys():
            if held[key] != self.counts[key]:
                told = ", ".join("-" if part is None else str(part) for part in key)
                raise LedgerError(
                    f"counts of {told}: {held[key]} in the ledger, {self.counts[key]} derived"
                )

    def _compare_notices(self) -> None:
        left = set(self.notices)
        for row in self.reader.all_notices():
            name = f"notice {row.notice_id}"
            if row.notice_id not in left:
                raise LedgerError(f"{name}: follows from no input")
            left.discard(row.notice_id)
            mine = self.notices[row.notice_id][0]
            for column, told in vars(mine).items():
                if getattr(row, column) != told:
                    raise LedgerError(f"{name}: {column}: is another in the ledger than derived")
            held = sorted(self.reader.notice_findings(row.notice_id))
            if held != sorted(self.holds.get(row.notice_id, ())):
                raise LedgerError(f"{name}: holds other findings in the ledger than derived")
        if left:
            raise LedgerError(f"notice {min(left)}: is missing")
        for found, steps in self.steps.items():
            told = [replace(step, text=self.reader.kept(step.text)) for step in steps]
            if self.reader.notice_steps(found) != told:
                raise LedgerError(f"notice {found}: has another history in the ledger than derived")
        totals = (sum(map(len, self.steps.values())), sum(map(len, self.holds.values())))
        if self.reader.notice_totals() != totals:
            raise LedgerError("notices: moves or findings of them follow from no input")

    def _compare_verdicts(self) -> None:
        left = dict(self.verdicts)
        for row in self.reader.all_verdicts():
            mine = left.pop(row.fact_id, None)
            if mine is None:
                raise LedgerError(f"verdict {row.fact_id}: follows from no input")
            if row != replace(mine, reason=self.reader.kept(mine.reason)):
                raise LedgerError(f"verdict {row.fact_id}: is another in the ledger than derived")
        if left:
            raise LedgerError(f"verdict {min(left)}: is missing")

    def _compare_epochs(self) -> None:
        """Limits that were learned are learned again, to the byte."""
        left = iter(self.epochs)
        for row in self.reader.all_epochs():
            mine = next(left, None)
            if mine is None:
                raise LedgerError(f"epoch {row.sha256} of {row.learner}: follows from no input")
            if row != mine:
                raise LedgerError(
                    f"epoch {row.sha256} of {row.learner}: is another in the ledger than derived"
                )
        if missing := next(left, None):
            raise LedgerError(f"epoch {missing.sha256} of {missing.learner}: is missing")

    def _conclude(self) -> None:
        stands = [f for f in self.findings.values() if f.muted is None and f.withdrawn is None]
        self.told.by_rule = dict(sorted(Counter(f.rule for f in stands).items()))
        self.told.findings = len(stands)
        self.told.notices = len(self.notices)
        lines = [(found, _line(one)) for found, one in self.findings.items()]
        lines += [(found, line) for found, (_, line) in self.notices.items()]
        self.told.digest = digest(line for _, line in sorted(lines))


def _same_columns(frame: Frame, held: np.ndarray, at: np.ndarray, back: np.ndarray) -> None:
    name, at = f"journal frame {frame.seq}", at[: frame.n]
    differs = np.flatnonzero(held != back[: frame.n])
    if len(differs):
        number = frame.first_event + int(differs[0])
        raise LedgerError(f"{name}: back: input {number} is linked to another than judged")
    if (int(at.min()), int(at.max())) != (frame.at_lo, frame.at_hi):
        raise LedgerError(f"{name}: at_lo, at_hi: are not when its inputs arrived")


def _difference(held: Move | None, mine: Move) -> str:
    """How the ledger's row of a finding differs from the derived one, in words."""
    if held is None or held.doc is None or mine.doc is None:
        return "is missing"
    if held.doc != mine.doc:
        pairs = enumerate(zip(held.doc, mine.doc, strict=False))
        place = next((n for n, (a, b) in pairs if a != b), min(len(held.doc), len(mine.doc)))
        return f"its document differs from byte {place} on"
    for name in RAISED_COLUMNS:
        if getattr(held, name) != getattr(mine, name):
            return f"{name}: is {getattr(held, name)} in the ledger, not {getattr(mine, name)}"
    return ""


def _key(count: Count) -> tuple[Any, ...]:
    return (count.kind, count.rule, count.reason, count.item, count.department, count.day)


def _line(finding: _Standing) -> bytes:
    if finding.withdrawn is None:
        return finding.canonical
    return finding.canonical[: -len(_STANDS)] + msgspec.json.encode(finding.withdrawn.reason) + b"]"


_STANDS = b"null]"  # how a canonical line ends while a finding stands
